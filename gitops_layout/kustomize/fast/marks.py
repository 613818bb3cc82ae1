"""Where each value came from: sparse trees beside the data, written while building.

A mark stands only where a value did not simply come along with its parent: below a mark, a value
that has none lies in the same file as the parent, one step further down. Marks and data are never
changed in place, so overlays share what they do not touch.
"""

from __future__ import annotations

from typing import Any

from gitops_layout.model import Location, Path

__all__ = ["ABSENT", "Mark", "at", "insert", "origin", "put", "remove"]

ABSENT: Any = object()
"""What a look-up finds where there is nothing."""


class Mark:
    """The place that wrote a value (`where`; None: one step below the parent's), those that wrote it
    earlier (the latest first), and the marks below it by key or index.
    """

    __slots__ = ("earlier", "kids", "where")

    def __init__(
        self,
        where: Location | None,
        earlier: tuple[Location, ...] = (),
        kids: dict[str | int, Mark] | None = None,
    ) -> None:
        self.where = where
        self.earlier = earlier
        self.kids = kids


def at(data: Any, path: Path) -> Any:
    """The value at `path`, or ABSENT."""
    for step in path:
        if isinstance(data, dict):
            data = data.get(step, ABSENT)
        elif isinstance(data, list) and isinstance(step, int) and 0 <= step < len(data):
            data = data[step]
        else:
            return ABSENT
        if data is ABSENT:
            return ABSENT
    return data


def origin(root: Mark, path: Path) -> tuple[Location, tuple[Location, ...]]:
    """Who wrote the value at `path` last, and who before, the latest first."""
    where, depth, earlier = root.where, 0, root.earlier
    mark: Mark | None = root
    for index, step in enumerate(path):
        mark = mark.kids.get(step) if mark is not None and mark.kids else None
        if mark is None:
            break
        if mark.where is not None:
            where, depth, earlier = mark.where, index + 1, mark.earlier
        elif mark.earlier:
            earlier = mark.earlier
    if where is None:
        raise ValueError("the root of a mark tree names a place")
    return (where.at(*path[depth:]) if depth < len(path) else where), earlier


def _with_kid(mark: Mark | None, step: str | int, kid: Mark) -> Mark:
    if mark is None:
        return Mark(None, (), {step: kid})
    return Mark(mark.where, mark.earlier, {**mark.kids, step: kid} if mark.kids else {step: kid})


def put(data: Any, mark: Mark | None, path: Path, value: Any, written: Mark) -> tuple[Any, Mark]:
    """Data and marks with `value` at `path`; mappings that are missing on the way appear with it.

    The containers on the way must be mappings, or lists that have the index.
    """
    if not path:
        return value, written
    step, rest = path[0], path[1:]
    kid = mark.kids.get(step) if mark is not None and mark.kids else None
    if isinstance(data, dict):
        changed: Any = dict(data)
        below = data.get(step)
    else:
        changed = list(data)
        below = data[step]
    if below is None and rest:
        # A mapping that the write brings along is the writer's too.
        below, kid = {}, Mark(written.where)
    changed[step], kid = put(below, kid, rest, value, written)
    return changed, _with_kid(mark, step, kid)


def remove(data: Any, mark: Mark, path: Path) -> tuple[Any, Mark]:
    """Data and marks without the value at `path`, which is there."""
    parent = at(data, path[:-1])
    step = path[-1]
    if isinstance(parent, dict):
        shorter: Any = {key: value for key, value in parent.items() if key != step}
        kept = _mark_at(mark, path[:-1])
        kids = {key: kid for key, kid in (kept.kids or {}).items() if key != step} if kept else None
        fresh = Mark(kept.where if kept else None, kept.earlier if kept else (), kids)
    else:
        index = int(step)
        shorter = parent[:index] + parent[index + 1 :]
        order = [n for n in range(len(parent)) if n != index]
        fresh = reordered(mark, path[:-1], order)
    return _replace(data, mark, path[:-1], shorter, fresh)


def insert(data: Any, mark: Mark, path: Path, value: Any, written: Mark) -> tuple[Any, Mark]:
    """Data and marks with `value` ahead of the list element at `path` (or after the last one)."""
    parent, index = at(data, path[:-1]), int(path[-1])
    longer = [*parent[:index], value, *parent[index:]]
    order = [*range(index), -1, *range(index, len(parent))]
    fresh = reordered(mark, path[:-1], order)
    fresh.kids = {**(fresh.kids or {}), index: written}
    return _replace(data, mark, path[:-1], longer, fresh)


def reordered(root: Mark, path: Path, order: list[int]) -> Mark:
    """The mark of a list whose elements were taken from `order`'s old indices (-1: a new element)."""
    old = _mark_at(root, path)
    kids: dict[str | int, Mark] = {}
    for new, index in enumerate(order):
        if index >= 0:
            kid = old.kids.get(index) if old is not None and old.kids else None
            if kid is not None or new != index:
                kids[new] = lifted(root, (*path, index))
    return Mark(old.where if old else None, old.earlier if old else (), kids)


def lifted(root: Mark, path: Path) -> Mark:
    """The mark of the value at `path` with its place named, so that it may stand elsewhere."""
    mark = _mark_at(root, path)
    where, earlier = origin(root, path)
    return Mark(where, earlier, mark.kids if mark is not None else None)


def _mark_at(root: Mark, path: Path) -> Mark | None:
    mark: Mark | None = root
    for step in path:
        mark = mark.kids.get(step) if mark is not None and mark.kids else None
    return mark


def _replace(data: Any, mark: Mark | None, path: Path, value: Any, fresh: Mark) -> tuple[Any, Mark]:
    """Like `put`, but the value's own mark stays relative to its parent's."""
    if not path:
        return value, fresh
    return put(data, mark, path, value, fresh)
