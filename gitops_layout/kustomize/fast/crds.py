"""`crds`: descriptions of kinds that say which of their fields are references, labels, annotations or names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.kustomize.fast.config import Config, with_rows
from gitops_layout.kustomize.fast.declined import decline
from gitops_layout.model import Location

__all__ = ["described"]

_FIELDS = {
    "x-kubernetes-annotation": "commonAnnotations",
    "x-kubernetes-label-selector": "commonLabels",
    "x-kubernetes-identity": "namePrefix",
}
"""What a property is by its extension, which holds a text."""

Row = dict[str, Any]


def described(config: Config, data: Any, where: Location) -> Config:
    """A configuration with that of one file of `crds`: a mapping from type names to their schemas.

    These are the OpenAPI definitions that Go types are generated with, no CustomResourceDefinitions;
    kustomize refuses those.
    """
    if not isinstance(data, dict):
        decline("a description of kinds is no mapping", where)
    schemas = {}
    for name, definition in data.items():
        if not isinstance(definition, dict) or definition.keys() - {"Schema", "schema", "Dependencies"}:
            decline(f"{name} is no definition of a type", where.at(name))
        schemas[name] = definition.get("Schema") or definition.get("schema") or {}
    rows: dict[str, list[Row]] = {}
    for name, schema in schemas.items():
        properties = _properties(schema, where.at(name))
        if {"kind", "apiVersion", "metadata"} <= properties.keys():
            kind = name.rpartition(".")[2]
            for field, row in _rows(schemas, name, kind, (), where):
                rows.setdefault(field, []).append(row)
    return with_rows(config, rows, where)


def _properties(schema: Any, where: Location) -> Mapping[str, Any]:
    properties = schema.get("properties") or {} if isinstance(schema, dict) else None
    if not isinstance(properties, dict) or not all(isinstance(p, dict) for p in properties.values()):
        decline("properties are no mappings", where)
    return properties


def _rows(
    schemas: Mapping[str, Any], name: str, kind: str, path: tuple[str, ...], where: Location
) -> Iterator[tuple[str, Row]]:
    """The rows of a configuration that one type and the types below it make."""
    if len(path) > 30:
        decline(f"the type {name} contains itself", where)
    for key, schema in _properties(schemas[name], where).items():
        here = (*path, key)
        for extension, field in _FIELDS.items():
            if _text(schema, extension) is not None:
                yield field, {"kind": kind, "path": _joined(here, where)}
        version = _text(schema, "x-kubernetes-object-ref-api-version")
        target = _text(schema, "x-kubernetes-object-ref-kind")
        if version is not None and target is not None:
            leaf = _text(schema, "x-kubernetes-object-ref-name-key")
            spec = {"kind": kind, "path": _joined((*here, "name" if leaf is None else leaf), where)}
            yield "nameReference", {"kind": target, "version": version, "fieldSpecs": [spec]}
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference in schemas:
            yield from _rows(schemas, reference, kind, here, where)


def _joined(path: tuple[str, ...], where: Location) -> str:
    if any("/" in step or "\\" in step for step in path):
        decline("a property whose name has a slash", where)
    return "/".join(path)


def _text(schema: Mapping[str, Any], extension: str) -> str | None:
    value = next((schema[key] for key in schema if key.lower() == extension), None)
    return value if isinstance(value, str) else None
