"""Walking objects of any shape without ever failing.

The API server decodes before it validates: null is absence, absence is the zero value. What has the
wrong type is the schemas' business; here it reads as absent, and `At.odd` says so to those who ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

from gitops_layout.model import Path
from gitops_layout.validation.server.clean import Clean, content
from gitops_layout.values import dataclass

_ZERO: dict[str, Any] = {}
"""A null in a list or map is decoded to the zero value of its type; an empty map reads as every one of them."""

__all__ = ["At", "Check", "Refusal", "Row", "evaluate", "find", "shown"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the server would refuse: the field (or the nearest thing that exists) and why, in one clause."""

    path: Path
    message: str


@dataclass(slots=True, eq=False)  # not frozen: that would double the time it takes to judge an object
class At:
    """A value and where it stands; absent values are None. Nothing assigns to one."""

    value: Any
    path: Path = ()

    def __getitem__(self, key: str) -> At:
        value = self.value.get(key) if isinstance(self.value, dict) else None
        return At(value, (*self.path, key))

    def __iter__(self) -> Iterator[At]:
        if isinstance(self.value, list):
            for index, item in enumerate(self.value):
                yield At(_ZERO if item is None else item, (*self.path, index))

    def __bool__(self) -> bool:
        """Whether there is a value: what a Go pointer would be, or a list or map with something in it."""
        return self.value is not None and self.value != []

    @property
    def pairs(self) -> Iterator[tuple[str, At]]:
        """Keys and values of a map."""
        if isinstance(self.value, dict):
            for key, value in self.value.items():
                if isinstance(key, str):
                    yield key, At(_ZERO if value is None else value, (*self.path, key))

    @property
    def is_text(self) -> bool:
        """Whether a string stands here, or a null in a list of strings."""
        return isinstance(self.value, str) or self.value is _ZERO

    @property
    def text(self) -> str:
        """The string; empty where there is none."""
        return self.value if isinstance(self.value, str) else ""

    @property
    def number(self) -> int | None:
        """The integer; None where there is none."""
        return self.value if isinstance(self.value, int) and not isinstance(self.value, bool) else None

    @property
    def is_true(self) -> bool:
        """Whether the value is `true`."""
        return self.value is True

    @property
    def is_map(self) -> bool:
        """Whether the value is a map, even an empty one."""
        return isinstance(self.value, dict)

    @property
    def texts(self) -> list[str]:
        """The strings of a list."""
        return [item for item in self.value if isinstance(item, str)] if isinstance(self.value, list) else []

    @property
    def empty(self) -> bool:
        """Whether Go's zero value stands here: absent, null, or an empty string, list or map."""
        return self.value is None or self.value in ("", [], {})

    def refuse(self, message: str) -> Refusal:
        """The refusal of this value."""
        return Refusal(self.path, message)


def shown(text: str) -> str:
    """A value in a message, in quotes; cut, as hostile objects may hold megabytes."""
    return f'"{text if len(text) <= 80 else text[:77] + "..."}"'


Check = Callable[[At], Iterable[Refusal]]
"""Yields what is wrong with one value; silent about absent values unless absence is the fault."""

Row = tuple[str, str, Check]
"""One row of a table: the Go function that says so, the path, the check.

Paths are dotted; `[]` steps into every item of a list, `{}` into every value of a map. A segment with
`!` is a struct in Go: its fields are judged even where it is absent.
"""


def find(at: At, path: str) -> Iterator[At]:
    """The places that `path` (see `Row`) names below `at`; the last one may be absent."""
    segments = _parsed(path)
    first = segments[0]
    inner = at.value.get(first.name) if isinstance(at.value, dict) else None
    # Most rows of a table speak of what an object does not have.
    if inner is None and not first.struct and (len(segments) > 1 or first.items or first.values):
        return iter(())
    return _walk(at.value, at.path, segments)


@dataclass(frozen=True, slots=True)
class _Segment:
    name: str
    items: bool
    values: bool
    struct: bool

    @property
    def plain(self) -> bool:
        return not (self.items or self.values or self.struct)


@cache
def _parsed(path: str) -> tuple[_Segment, ...]:
    return tuple(
        _Segment(segment.rstrip("[]{}!"), "[]" in segment, "{}" in segment, segment.endswith("!"))
        for segment in path.split(".")
    )


def _walk(value: Any, path: Path, segments: tuple[_Segment, ...]) -> Iterator[At]:
    if not isinstance(value, dict):
        return
    segment, rest = segments[0], segments[1:]
    inner, place = value.get(segment.name), (*path, segment.name)
    if inner is None and segment.struct:
        inner = {}
    if segment.items:
        pairs: Any = enumerate(inner) if isinstance(inner, list) else ()
    elif segment.values:
        pairs = ((k, v) for k, v in inner.items() if isinstance(k, str)) if isinstance(inner, dict) else ()
    elif rest:
        yield from _walk(inner, place, rest)
        return
    else:
        yield At(inner, place)
        return
    for key, item in pairs:
        if item is None and segment.items:
            item = _ZERO
        if rest:
            yield from _walk(item, (*place, key), rest)
        else:
            yield At(item, (*place, key))


def evaluate(rows: tuple[Row, ...], at: At) -> Iterator[Refusal]:
    """Everything that the rows of a table refuse below `at`, which has to be a constant of its module."""
    value = at.value
    if not isinstance(value, dict):
        return
    table = _tables.get(id(rows))
    if table is None:
        table = _tables[id(rows)] = _Table(rows)
    if table.takes(value):
        return
    for _, path, check in rows:
        for place in find(at, path):
            yield from check(place)


class _Table:
    """Rows by the field that they start at: fields are judged one by one, and most have been met before."""

    __slots__ = ("_fields", "rows")

    def __init__(self, rows: tuple[Row, ...]) -> None:
        self.rows = rows  # kept, as tables are known by their identity
        by_name: dict[str, list[Row]] = {}
        for row in rows:
            by_name.setdefault(_parsed(row[1])[0].name, []).append(row)
        self._fields = [(name, _below(below), tuple(below), Clean()) for name, below in by_name.items()]

    def takes(self, value: dict[str, Any]) -> bool:
        """Whether no row refuses anything of an object."""
        for name, below, rows, clean in self._fields:
            field = value.get(name)
            if below is not None:
                if isinstance(field, dict) and not below.takes(field):
                    return False
                continue
            key = b"" if field is None else content(field)
            if key not in clean:
                at = At({name: field})
                if any(True for _, path, check in rows for place in find(at, path) for _ in check(place)):
                    return False
                clean.add(key)
        return True


def _below(rows: list[Row]) -> _Table | None:
    """The table of a field of which all rows speak of what is inside; None where one speaks of itself."""
    if all(len(segments := _parsed(path)) > 1 and segments[0].plain for _, path, _ in rows):
        return _Table(tuple((source, path.partition(".")[2], check) for source, path, check in rows))
    return None


_tables: dict[int, _Table] = {}
