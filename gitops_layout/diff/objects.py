"""Two lists of objects compared: which came, which went, which differ, and in what. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gitops_layout.k8s.mask import mask_value
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from gitops_layout.model import ObjectRef, Path

__all__ = ["ABSENT", "FieldChange", "ObjectChange", "field_changes", "object_changes"]


class _Absent:
    """What a field has where it is not there; null is a value."""

    def __repr__(self) -> str:
        return "absent"


ABSENT = _Absent()
# What tells the items of a list apart, the first that all of them have and no two share.
_IDENTITIES = ("name", "mountPath", "containerPort", "port", "key", "ip", "type")


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that differs: its place in words (`spec.containers[web].image`), and both values.

    Either may be `ABSENT`. Values of Secrets are masked. `path` leads to it in the later object, as far as that has it.
    """

    where: str
    before: Any
    after: Any
    path: Path = ()


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """One object that came (no `before`), went (no `after`) or differs in `fields`."""

    ref: ObjectRef
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    fields: tuple[FieldChange, ...] = ()


def object_changes(
    before: Iterable[tuple[ObjectRef, Mapping[str, Any]]],
    after: Iterable[tuple[ObjectRef, Mapping[str, Any]]],
) -> Iterator[ObjectChange]:
    """What differs between two lists of objects, in order of kind and name.

    An object is the same one under another version of its API: what an agent prunes by has no version.
    """
    old = {_key(ref): (ref, data) for ref, data in before}
    new = {_key(ref): (ref, data) for ref, data in after}
    for key in sorted({*old, *new}):
        if key not in new:
            yield ObjectChange(old[key][0], old[key][1], None)
        elif key not in old:
            yield ObjectChange(new[key][0], None, new[key][1])
        elif old[key][1] is not new[key][1] and (fields := tuple(field_changes(old[key][1], new[key][1]))):
            yield ObjectChange(new[key][0], old[key][1], new[key][1], fields)


def _key(ref: ObjectRef) -> tuple[str, str, str, str]:
    return ref.kind, ref.group, ref.namespace, ref.name


def field_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[FieldChange]:
    """The fields in which two states of one object differ, in the order they stand in."""
    for path, where, old, new in _differences(before, after, (), ""):
        shown_old = old if old is ABSENT else mask_value(before, path, old)
        shown_new = new if new is ABSENT else mask_value(after, path, new)
        yield FieldChange(where, shown_old, shown_new, path)


def _differences(old: Any, new: Any, path: Path, where: str) -> Iterator[tuple[Path, str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in (*old, *(key for key in new if key not in old)):
            place = f"{where}.{key}" if where else str(key)
            if "." in str(key) or "/" in str(key):
                place = f"{where}[{key}]"
            yield from _differences(old.get(key, ABSENT), new.get(key, ABSENT), (*path, key), place)
    elif isinstance(old, list) and isinstance(new, list) and (field := _identity(old, new)) is not None:
        ours = {item[field]: item for item in old}
        theirs = {item[field]: item for item in new}
        places = {item[field]: index for items in (old, new) for index, item in enumerate(items)}
        for name in (*ours, *(name for name in theirs if name not in ours)):
            place = f"{where}[{name}]"
            here = (*path, places[name])
            yield from _differences(ours.get(name, ABSENT), theirs.get(name, ABSENT), here, place)
    elif isinstance(old, list) and isinstance(new, list) and _in_place(old, new):
        for index, (ours, theirs) in enumerate(zip(old, new, strict=True)):
            yield from _differences(ours, theirs, (*path, index), f"{where}[{index}]")
    elif not _equal(old, new):
        yield path, where, old, new


def _in_place(old: list[Any], new: list[Any]) -> bool:
    """Whether the items are the same maps, in the same order, with a few other values."""
    return len(old) == len(new) and all(
        isinstance(ours, dict)
        and isinstance(theirs, dict)
        and 2 * sum(key in theirs and _equal(ours[key], theirs[key]) for key in ours)
        >= len({**ours, **theirs})
        for ours, theirs in zip(old, new, strict=True)
    )


def _equal(old: Any, new: Any) -> bool:
    """Equal as JSON: Python takes 1, 1.0 and True for the same."""
    if isinstance(old, list | dict):
        return bool(old == new) and json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)
    return type(old) is type(new) and bool(old == new)


def _identity(old: list[Any], new: list[Any]) -> str | None:
    """The field by which the items of both lists are told apart; None where there is none."""
    for field in _IDENTITIES:
        names = [[item.get(field) for item in items if isinstance(item, dict)] for items in (old, new)]
        if all(
            len(found) == len(items) and len(set(map(str, found))) == len(items) and None not in found
            for found, items in zip(names, (old, new), strict=True)
        ):
            return field
    return None
