"""JSON patches (RFC 6902), as kustomize applies them: add, remove, replace, move, copy and test."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gitops_layout.kustomize.fast.declined import decline, refuse
from gitops_layout.kustomize.fast.item import Item, check_key, plain_text
from gitops_layout.kustomize.fast.marks import ABSENT, Mark, at, lifted
from gitops_layout.model import Location, Path

__all__ = ["apply_operations"]

_EXACT = 2**53
"""A JSON patch sends every number through a float; larger integers would change."""

_FIELDS = {
    "add": {"op", "path", "value"},
    "replace": {"op", "path", "value"},
    "test": {"op", "path", "value"},
    "remove": {"op", "path"},
    "move": {"op", "path", "from"},
    "copy": {"op", "path", "from"},
}
_MISSING = r"missing (value|path)|does not apply|error in \w+ for path"
_ADD_FIRST = "correct the path, or add what it leads through first"
_NOTES = (("metadata",), ("metadata", "annotations"))


def apply_operations(item: Item, operations: list[Any], where: Location) -> None:
    """Apply a patch that stands at `where` to an item; what kustomize refuses is declined."""
    if item.spelled:
        decline("a JSON patch may spell an annotation differently", where)
    if item.remembers and not item.data["metadata"].get("annotations"):
        # kustomize keeps its notes in annotations, so they are there for the patch.
        metadata = {**item.data["metadata"], "annotations": {}}
        item.data = {**item.data, "metadata": metadata}
    item.large = item.large or _large(operations)
    for index, operation in enumerate(operations):
        _apply(item, operation, where.at(index))
    _settle_annotations(item)
    item.rewritten, item.shared = True, ()
    _check(item, where)


def _settle_annotations(item: Item) -> None:
    """kustomize writes its notes back into the annotations; where it has none, it takes empty ones away."""
    metadata = item.data.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("annotations", ABSENT) not in ({}, None):
        return
    if item.remembers:
        item.data = {**item.data, "metadata": {**metadata, "annotations": {}}}
    else:
        item.remove(("metadata", "annotations"))


def _apply(item: Item, operation: Any, where: Location) -> None:
    verb = operation.get("op") if isinstance(operation, dict) else None
    if not isinstance(verb, str) or verb not in _FIELDS:
        decline("not an operation of a JSON patch", where)
    if not operation.keys() >= _FIELDS[verb]:
        decline(f"{verb} needs {', '.join(sorted(_FIELDS[verb]))}", where)
    path = _pointer(operation["path"], where.at("path"))
    if path in _NOTES and (verb in ("test", "move", "copy") or path == ("metadata",)):
        decline(f"{verb} meets what kustomize keeps its notes in", where.at("path"))
    match verb:
        case "add":
            _add(item, path, operation["value"], where.at("value"))
        case "replace":
            holder, above = _container(item, path, where)
            # What replaces nothing is added, but for lists.
            place = (*above, path[-1]) if isinstance(holder, dict) else _existing(item, path, where)
            item.write(place, operation["value"], where.at("value"), quoted=True)
        case "remove":
            item.remove(_existing(item, path, where))
        case "test":
            if not _same(at(item.data, _existing(item, path, where)), operation["value"]):
                refuse(
                    "the test of a JSON patch fails",
                    where,
                    "make it expect what the object has",
                    said="test failed",
                )
        case _:
            source = _existing(item, _pointer(operation["from"], where.at("from")), where)
            if source in _NOTES or path[: len(source)] == source:
                decline(f"{verb} from here is not known to work alike", where)
            value, mark = at(item.data, source), lifted(item.mark, source)
            if verb == "move":
                item.remove(source)
            _add(item, path, value, where, mark)


def _pointer(text: Any, where: Location) -> tuple[str, ...]:
    if not isinstance(text, str) or not text.startswith("/"):
        decline("a path starts with a slash", where)
    steps = [step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:]]
    if not all(steps):
        decline("a path with an empty step", where)
    return tuple(steps)


def _pointing(where: Location) -> Location:
    """The path of an operation, at whose value or beginning one stands."""
    above = where.path[:-1] if where.path[-1:] == ("value",) else where.path
    return replace(where, path=(*above, "path"))


def _container(item: Item, steps: tuple[str, ...], where: Location) -> tuple[Any, Path]:
    """The mapping or list that holds the last step, and the path to it."""
    data: Any = item.data
    path: list[str | int] = []
    for step in steps[:-1]:
        key: str | int = step
        if isinstance(data, list):
            if not (step.isascii() and step.isdigit()):
                decline(f"{step} is no index of a list", where)
            key = int(step)
        data = at(data, (key,))
        path.append(key)
        if not isinstance(data, dict | list):
            refuse(
                f"the object has nothing at /{'/'.join(steps[:-1])}",
                _pointing(where),
                _ADD_FIRST,
                said=_MISSING,
            )
    return data, tuple(path)


def _existing(item: Item, steps: tuple[str, ...], where: Location) -> Path:
    holder, path = _container(item, steps, where)
    last: str | int = steps[-1]
    if isinstance(holder, list):
        if not (steps[-1].isascii() and steps[-1].isdigit()):
            decline(f"{last} is no index of a list", where)
        last = int(steps[-1])
    if at(holder, (last,)) is ABSENT:
        refuse(f"the object has nothing at /{'/'.join(steps)}", _pointing(where), _ADD_FIRST, said=_MISSING)
    return (*path, last)


def _add(item: Item, steps: tuple[str, ...], value: Any, where: Location, mark: Mark | None = None) -> None:
    """Add a value that the operation brings, or (with its `mark`) one that stood elsewhere in the object."""
    holder, path = _container(item, steps, where)
    if isinstance(holder, dict):
        item.write((*path, steps[-1]), value, where, quoted=True, mark=mark)
        return
    if steps[-1] == "-":
        index = len(holder)
    elif steps[-1].isascii() and steps[-1].isdigit() and int(steps[-1]) <= len(holder):
        index = int(steps[-1])
    else:
        decline(f"{steps[-1]} is no index of the list", where)
    item.insert((*path, index), value, where, mark)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and bool(one == other)


def _check(item: Item, where: Location) -> None:
    """What later steps rely on still holds."""
    data = item.data
    metadata = data.get("metadata")
    if not isinstance(metadata, dict):
        decline("the patch takes the metadata away", where)
    for value in (data.get("kind"), data.get("apiVersion"), metadata.get("name")):
        if not isinstance(value, str) or not value or not plain_text(value):
            decline("the patch changes what the object is", where)
    namespace = metadata.get("namespace", "")
    if not isinstance(namespace, str) or not (plain_text(namespace) or not namespace):
        decline("metadata.namespace is not plain text", where)
    if not isinstance(metadata.get("labels", {}), dict | None):
        decline("labels are no mapping", where)
    annotations = metadata.get("annotations")
    if annotations is not None and not isinstance(annotations, dict):
        decline("annotations are no mapping", where)
    for key, value in (annotations or {}).items():
        check_key(key, where)
        if not isinstance(value, str):
            decline("an annotation is no text", where)
    if item.large and _large(data):
        decline("a JSON patch rounds integers beyond 2^53", where)


def _large(data: Any) -> bool:
    if isinstance(data, dict):
        return any(_large(value) for value in data.values() if isinstance(value, dict | list | int | float))
    if isinstance(data, list):
        return any(_large(value) for value in data if isinstance(value, dict | list | int | float))
    return abs(data) > _EXACT if isinstance(data, int | float) else False
