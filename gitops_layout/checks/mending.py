"""Changes that mend findings, placed where the objects themselves are written.

What an overlay, a generator or a chart wrote is not the object's own text: such a change is none, and is left to people.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gitops_layout.checks.delivered import inside
from gitops_layout.model import Change, Location, Path

__all__ = ["add", "put", "put_all", "written"]

Place = Callable[[Path], Location]


def written(place: Place, data: Mapping[str, Any], path: Path) -> Location | None:
    """Where a field of an object is written or, where it is not there yet, is to be: in the object's own document.

    `place` tells where the object's render has each field from.
    """
    kind = place(("kind",))
    if kind.path[-1:] != ("kind",) or kind.span is not None:
        return None
    root = replace(kind, path=kind.path[:-1])
    for depth in range(len(path), 0, -1):
        if inside(data, path[:depth]):
            here = place(path[:depth])
            if depth == len(path):
                return here if here.path[-1:] == path[-1:] else None
            return root.at(*path) if here == root.at(*path[:depth]) else None
    return root.at(*path)


def put(place: Place, data: Mapping[str, Any], path: Path, value: object) -> tuple[Change, ...]:
    """The field with this value, whether it is there or not."""
    where = written(place, data, path)
    return (Change("set", where, value),) if where is not None else ()


def add(place: Place, data: Mapping[str, Any], path: Path, item: object) -> tuple[Change, ...]:
    """One more item at the end of the list, which is made where there is none."""
    where = written(place, data, path)
    return (Change("add", where, item),) if where is not None else ()


def put_all(place: Place, data: Mapping[str, Any], fields: Mapping[str, Any]) -> tuple[Change, ...]:
    """Several fields by their dotted names; those of one map that is not there yet are written as one."""
    tree: dict[str, Any] = {}
    for name, value in fields.items():
        *above, last = name.split(".")
        branch = tree
        for step in above:
            branch = branch.setdefault(step, {})
        branch[last] = value
    changes: list[Change] = []
    waiting: list[tuple[Path, Any]] = [((step,), value) for step, value in tree.items()]
    while waiting:
        path, value = waiting.pop(0)
        if isinstance(value, dict) and value and inside(data, path):
            waiting = [((*path, step), below) for step, below in value.items()] + waiting
            continue
        made = put(place, data, path, value)
        if not made:
            return ()
        changes += made
    return tuple(changes)
