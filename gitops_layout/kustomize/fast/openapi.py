"""`openapi`: a schema of one's own, whose merge keys take the place of Kubernetes' own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitops_layout.kustomize.fast.declined import decline
from gitops_layout.kustomize.fast.tables import ListRule, Rules
from gitops_layout.model import Location
from gitops_layout.patterns import regexp

__all__ = ["custom_rules"]

_PREFIX = "#/definitions/"
_MAX_REFERENCES = 100
_PLAIN_NAME = regexp(r"[A-Za-z0-9_.-]+\Z")
_ARGUMENTS = "io.k8s.api.apps.v1."
"""kustomize has definitions of its own under names that begin so."""


def custom_rules(data: Any, where: Location) -> Rules:
    """The kinds and fields of a schema in the form of `list_rules`; declined where it is out of the common."""
    if not isinstance(data, dict) or data.get("paths"):
        decline("a schema with paths, which say what is cluster-scoped", where)
    definitions = data.get("definitions") or {}
    if not isinstance(definitions, dict):
        decline("definitions are no mapping", where.at("definitions"))
    kinds: dict[str, str] = {}
    fields: dict[str, dict[str, ListRule]] = {}
    for name, schema in definitions.items():
        place = where.at("definitions", name)
        if not isinstance(schema, dict):
            decline("a definition is no mapping", place)
        for row in schema.get("x-kubernetes-group-version-kind") or ():
            kind = _kind(row, place)
            if kind in kinds:
                decline("two definitions of one kind", place)
            kinds[kind] = name
        _collect(definitions, fields, name, schema, place)
    return kinds, fields


def _kind(row: Any, where: Location) -> str:
    if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in ("version", "kind")):
        decline("a kind of unknown form", where)
    group = row.get("group")
    version: str = row["version"]
    return (
        f"{group}/{version} {row['kind']}" if isinstance(group, str) and group else f"{version} {row['kind']}"
    )


def _collect(
    definitions: Mapping[str, Any],
    fields: dict[str, dict[str, ListRule]],
    name: str,
    schema: Mapping[str, Any],
    where: Location,
) -> None:
    """Add the fields of one type, and those of the types that stand inside it."""
    properties = schema.get("properties") or {}
    if not isinstance(properties, dict):
        decline("properties are no mapping", where.at("properties"))
    own = fields.setdefault(name, {})
    for key, written in properties.items():
        place = where.at("properties", key)
        found, type_name = _resolved(definitions, written, f"{name}\0{key}", place)
        keys = None
        if isinstance(found.get("type"), list):
            decline("a schema of several types", place)
        if found.get("type") == "array":
            keys = _keys(found, place)
            found, type_name = _resolved(definitions, found.get("items") or {}, f"{name}\0{key}\0", place)
        if found.get("additionalProperties") or found.get("items"):
            decline("a schema with additional properties or lists of lists", place)
        if (
            type_name is not None
            and type_name not in definitions
            and type_name not in fields
            and found.get("properties")
        ):
            _collect(definitions, fields, type_name, found, place)
        known = type_name is None or type_name in definitions or type_name in fields
        own[key] = (keys, type_name if known else "")


def _keys(schema: Mapping[str, Any], where: Location) -> list[str] | None:
    """The keys by which a list is merged; None where it is replaced."""
    strategy = schema.get("x-kubernetes-patch-strategy") or ""
    if not isinstance(strategy, str) or "," in strategy:
        decline("a list with several strategies", where)
    if strategy != "merge":
        return None
    listed = schema.get("x-kubernetes-list-map-keys")
    if listed is None:
        single = schema.get("x-kubernetes-patch-merge-key")
        listed = [] if single is None else [single]
    if not isinstance(listed, list) or not all(isinstance(key, str) for key in listed):
        decline("merge keys are no texts", where)
    return listed


def _resolved(
    definitions: Mapping[str, Any], schema: Any, name: str, where: Location
) -> tuple[Mapping[str, Any], str | None]:
    """A schema behind its references, and the name of its type; None where a reference leads to no definition: nothing is
    known of such a field, not even of Kubernetes' own types.
    """
    for _ in range(_MAX_REFERENCES):
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(reference, str) or not reference.startswith(_PREFIX):
            break
        name = reference.removeprefix(_PREFIX)
        if not _PLAIN_NAME.match(name) or name.startswith(_ARGUMENTS):
            decline("a reference of unknown form", where)
        if name not in definitions:
            return {}, None
        schema = definitions[name]
    if not isinstance(schema, dict) or "$ref" in schema:
        decline("a schema of unknown form", where)
    return schema, name
