"""What transformers write to and which fields are references: kustomize's defaults and `configurations`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from typing import Any

from gitops_layout.kustomize.fast.declined import decline
from gitops_layout.kustomize.fast.order import kind_rank
from gitops_layout.kustomize.fast.tables import (
    FieldSpec,
    Reference,
    Specs,
    default_references,
    default_specs,
    split_path,
)
from gitops_layout.model import Location
from gitops_layout.patterns import regexp
from gitops_layout.source.typing import text_key
from gitops_layout.values import dataclass

__all__ = ["Config", "as_specs", "configured", "default_config", "joined", "with_rows"]


@dataclass(frozen=True, slots=True, eq=False)
class Config:
    """The fields of each transformer, and the references. Compared by identity: most builds share one."""

    namespace: Specs
    commonLabels: Specs  # noqa: N815 - the fields are called as kustomize calls them
    templateLabels: Specs  # noqa: N815
    labels: Specs
    commonAnnotations: Specs  # noqa: N815
    images: Specs
    replicas: Specs
    namePrefix: Specs  # noqa: N815
    nameSuffix: Specs  # noqa: N815
    varReference: Specs  # noqa: N815
    references: tuple[Reference, ...]

    def merged(self, other: Config) -> Config:
        """Both, as kustomize joins a base's configuration to that of its parent."""
        if other is self or other is default_config():
            return self
        specs = {
            name: Specs(joined(getattr(self, name).fields, getattr(other, name).fields)) for name in _SPECS
        }
        return replace(self, **specs, references=_with_references(self.references, other.references))


_USUAL = regexp(r"[A-Za-z_][\w./@-]*(\[\])?\Z")

_SPECS = tuple(field.name for field in fields(Config) if field.name != "references")


@cache
def default_config() -> Config:
    """What holds without `configurations`."""
    specs = {name: default_specs(name) for name in _SPECS}
    return Config(**specs, references=default_references())


def joined(known: tuple[FieldSpec, ...], more: tuple[FieldSpec, ...]) -> tuple[FieldSpec, ...]:
    """kustomize's union of field specs: one that means no more than a known one's kinds is left out."""
    result = list(known)
    for spec in more:
        same = next((old for old in result if _includes(spec, old)), None)
        if same is None:
            result.append(spec)
        elif same.create != spec.create:
            decline("two field specs disagree whether to create")
    return tuple(result)


def _includes(spec: FieldSpec, known: FieldSpec) -> bool:
    return (
        known.path == spec.path
        and spec.kind in ("", known.kind)
        and spec.group in ("", known.group)
        and spec.version in ("", known.version)
    )


def configured(config: Config, data: Any, where: Location) -> Config:
    """A configuration with that of one file of `configurations`."""
    if not isinstance(data, dict):
        decline("a configuration is no mapping", where)
    return with_rows(config, data, where)


def with_rows(config: Config, data: Mapping[str, Any], where: Location) -> Config:
    """A configuration with more field specs and references, as a file of `configurations` lists them."""
    found: dict[str, Specs] = {}
    references: list[Reference] = []
    for name, rows in data.items():
        place = where.at(name)
        if name == "nameReference":
            references = _references(rows, place)
        elif name in _SPECS:
            found[name] = Specs(joined(getattr(config, name).fields, _specs(rows, place)))
        else:
            decline(f"{name} is not known in a configuration", place)
    return replace(config, **found, references=_with_references(config.references, tuple(references)))


def _texts(row: Any, known: tuple[str, ...], where: Location) -> dict[str, str]:
    if not isinstance(row, dict):
        decline("a field spec is no mapping", where)
    for key, value in row.items():
        if key in ("create", "fieldSpecs"):
            continue
        if key not in known or not isinstance(value, str):
            decline(f"{key} is not known in a field spec", where.at(key))
    return {key: row.get(key) or "" for key in known}


def _specs(rows: Any, where: Location) -> tuple[FieldSpec, ...]:
    if not isinstance(rows, list):
        decline("field specs are no list", where)
    found = []
    for index, row in enumerate(rows):
        texts = _texts(row, ("path", "kind", "group", "version"), where.at(index))
        create = row.get("create", False)
        if not texts["path"] or not isinstance(create, bool):
            decline("a field spec without a path", where.at(index))
        path = split_path(texts["path"])
        if not all(map(_is_usual, path)):
            decline("a path of unusual form", where.at(index, "path"))
        found.append(FieldSpec(texts["kind"], texts["group"], texts["version"], path, create))
    return tuple(found)


def _is_usual(step: str) -> bool:
    """Whether a step is a field's name that stays one, whatever kustomize makes of it: no pattern, no index."""
    return _USUAL.match(step) is not None and text_key(step)


def _references(rows: Any, where: Location) -> list[Reference]:
    if not isinstance(rows, list):
        decline("references are no list", where)
    found = []
    for index, row in enumerate(rows):
        target = _texts(row, ("kind", "group", "version"), where.at(index))
        for spec in _specs(row.get("fieldSpecs") or [], where.at(index, "fieldSpecs")):
            if any(step.endswith("[]") for step in spec.path):
                decline("a reference that names lists", where.at(index))
            found.append(Reference(0, target["kind"], target["group"], target["version"], spec))
    return found


def _with_references(known: tuple[Reference, ...], more: tuple[Reference, ...]) -> tuple[Reference, ...]:
    """All references in kustomize's order: by the kind that is named, then by the kind that names it.

    A reference never creates its field, whatever its spec says; but two that say different things clash.
    """
    result = list(known)
    for reference in more:
        target = _target(reference)
        same = next(
            (old for old in result if _target(old) == target and _includes(reference.spec, old.spec)), None
        )
        if same is None:
            result.append(reference)
        elif same.spec.create != reference.spec.create:
            decline("two field specs disagree whether to create")
    if len(result) == len(known):
        return known
    result.sort(key=lambda r: (_rank(*_target(r)), _rank(r.spec.kind, r.spec.group, r.spec.version)))
    return tuple(replace(reference, order=order) for order, reference in enumerate(result))


def _target(reference: Reference) -> tuple[str, str, str]:
    return reference.kind, reference.group, reference.version


def _rank(kind: str, group: str, version: str) -> tuple[int, str]:
    return kind_rank(kind), "_".join((group or "~G", version or "~V", kind or "~K"))


def as_specs(rows: list[Mapping[str, Any]]) -> tuple[FieldSpec, ...]:
    """The `fields` of an entry of `labels`, whose forms are known."""
    for row in rows:
        if not all(map(_is_usual, split_path(row.get("path") or ""))):
            decline(f"the path {row.get('path')} is of unusual form")
    return tuple(
        FieldSpec(
            row.get("kind") or "",
            row.get("group") or "",
            row.get("version") or "",
            split_path(row.get("path") or ""),
            create=bool(row.get("create")),
        )
        for row in rows
    )
