"""Where a field spec's field is in an object."""

from __future__ import annotations

from typing import Any

from gitops_layout.kustomize.fast.declined import decline
from gitops_layout.kustomize.fast.item import Item
from gitops_layout.kustomize.fast.marks import ABSENT
from gitops_layout.kustomize.fast.tables import FieldSpec
from gitops_layout.model import Path

__all__ = ["spots"]

_NOTES = ("metadata", "annotations")


def spots(item: Item, spec: FieldSpec, *, creates: bool = True, reads: bool = False) -> list[Path]:
    """The paths of every value that the spec means, missing ones too where it creates them.

    Steps go through lists by themselves. Who only `reads` need not know of kustomize's own notes. Declined where kustomize would fail on the object's form.
    """
    found: list[Path] = []
    _follow(item, item.data, spec.path, (), spec.create and creates, found)
    if not found and spec.path == _NOTES and item.remembers and not reads:
        decline("a field spec means annotations, where kustomize keeps its notes", item.origin(_NOTES)[0])
    return found


def _follow(
    item: Item, data: Any, steps: tuple[str, ...], path: Path, create: bool, found: list[Path]
) -> None:
    if not steps:
        found.append(path)
        return
    if data is None:
        return
    if isinstance(data, list):
        for index, element in enumerate(data):
            _follow(item, element, steps, (*path, index), create, found)
        return
    if not isinstance(data, dict):
        decline(f"{'.'.join(map(str, path))} is no mapping", item.origin(path)[0])
    name = steps[0].removesuffix("[]")
    in_list = name != steps[0]
    value = data.get(name, ABSENT)
    if value is None and in_list:
        decline(f"{'.'.join(map(str, path))}.{name} is null", item.origin(path)[0])
    if value is ABSENT:
        if not create or in_list:
            return
        value = None
    if value is None and create and len(steps) > 1:
        value = {}
    _follow(item, value, steps[1:], (*path, name), create, found)
