"""Which line wrote a value of a rendered chart: the template's text, and the values that it names.

A template is no YAML, so its lines are followed by their indentation, as a reader would. A value that a
line takes from one `.Values.…` stands where that value was written last; everything else stands on the
template's line, as near to the value as the text can be followed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from posixpath import join
from typing import Any

from gitops_layout.helm.chart import Chart
from gitops_layout.helm.template import Template
from gitops_layout.model import Location, Path, Span
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo
from gitops_layout.values import dataclass

__all__ = ["Origins", "Written", "last_written"]

_ABSENT = object()
_VALUES = regexp(r"\.Values((?:\.[A-Za-z_]\w*)+)")
_LONGEST = 1000
"""Longer lines are not searched for keys."""
_SKIPPED = regexp(r"\s*(?:$|#|\{\{)")
_KEY = regexp(
    r"(?P<indent>\s*(?:- +)*)(?P<quote>[\"']?)(?P<key>[^\s:{}\"'][^:{}\"']*?)(?P=quote)\s*:(?:\s|$)"
)


@dataclass(frozen=True, slots=True)
class Written:
    """Values of the release as one place writes them: the place, and what stands there.

    `below` is where in the release's values these belong (a subchart's defaults); `whole` says that the
    place is text, so that nothing inside it has a place of its own. `read` says that the data was read at that very
    place, and need not be looked for there again.
    """

    location: Location
    data: Any
    below: tuple[str, ...] = ()
    whole: bool = False
    origin: Callable[[Path], Location] | None = None
    read: bool = False

    def at(self, path: Path) -> Location:
        """The place of one of its values; what rendered the object knows better than the object's file."""
        if self.origin is not None:
            return self.origin(() if self.whole else path)
        return self.location if self.whole else self.location.at(*path)


@dataclass(frozen=True, slots=True)
class Origins:
    """Finds origins in one chart; `written` are the release's values, later ones over earlier ones.

    `fallback` is the place of what no file of the repository explains.
    """

    repo: Repo
    chart: Chart
    written: tuple[Written, ...]
    fallback: Location
    _lines: dict[str, list[str]] = field(default_factory=dict, repr=False)

    def of(self, objects: Sequence[Template]) -> Iterator[Callable[[Path], Location]]:
        """The look-up for each of the objects of one render."""
        totals: dict[tuple[str, str], int] = {}
        places = []
        for item in objects:
            key = (item.source, item.kind)
            if item.within in ((), ("items", 0)):
                totals[key] = totals.get(key, 0) + 1
            places.append(totals.get(key, 1) - 1)
        for item, index in zip(objects, places, strict=True):
            yield self._origin(item, index, totals.get((item.source, item.kind), 1))

    def _origin(self, item: Template, index: int, total: int) -> Callable[[Path], Location]:
        found = self.chart.source(item.source)
        if found is None:
            return lambda _path: self.fallback
        source, inside = found
        archive = source.place in self.repo.entries
        file = source.place if archive else self.repo.resolve(join(source.place, inside))
        if file is None or archive:
            return lambda _path: Location(file) if file is not None else self.fallback
        block = _block(self._text(file), item.kind, index, total)
        if block is None:
            return lambda _path: Location(file)
        return lambda path: self._locate(file, block, item, path, source.values)

    def _text(self, file: str) -> list[str]:
        if file not in self._lines:
            self._lines[file] = self.repo.text(file).split("\n")
        return self._lines[file]

    def _locate(
        self, file: str, block: range, item: Template, path: Path, scope: tuple[str, ...]
    ) -> Location:
        lines = self._text(file)
        number, done, region = _follow(lines, block, (*item.within, *path))
        value, rest = _at(item.data, path), path[max(0, done - len(item.within)) :]
        candidates = [number] if not rest else [i for i in region if "{{" in lines[i]]
        for line in candidates:
            for match in reversed(list(_VALUES.finditer(lines[line]))):
                place = self._written(tuple(match[1][1:].split(".")), rest, value, scope)
                if place is not None:
                    return place
        return _line(lines, file, number)

    def _written(
        self, steps: tuple[str, ...], rest: Path, value: Any, scope: tuple[str, ...]
    ) -> Location | None:
        """Where the value that a template names was written last, if it explains what was rendered."""
        path: Path = (*steps, *rest) if steps[0] == "global" else (*scope, *steps, *rest)
        found = next(_writers(self.written, path), None)
        if found is None or not _explains(found[1], value):
            return None
        place, given, item = found
        if item.read:
            return place
        document = next((d for d in self.repo.documents(place.file) if d.index == place.document), None)
        if document is None:
            return None
        # An overlay may have written into the object: then the file that we know of holds something else.
        there = _at(document.data, place.path)
        return place if there is not _ABSENT and (item.whole or there == given) else None


def last_written(written: Sequence[Written], path: Path) -> Location | None:
    """The place that last wrote the value at `path` of the release's values."""
    return next((place for place, _, _ in _writers(written, path)), None)


def _writers(written: Sequence[Written], path: Path) -> Iterator[tuple[Location, Any, Written]]:
    """Every place that writes a value, the last one first, with the value, and what it is one of."""
    for item in reversed(written):
        depth = len(item.below)
        given = _at(item.data, path[depth:]) if path[:depth] == item.below else _ABSENT
        if given is not _ABSENT:
            yield item.at(path[depth:]), given, item


def _explains(given: Any, value: Any) -> bool:
    """Whether a rendered value is the given one, or text that holds it."""
    if given == value and type(given) is type(value):
        return True
    if isinstance(given, dict | list | bool | None) or given == "":
        return False
    return isinstance(value, str | int | float) and str(given) in str(value)


def _block(lines: list[str], kind: str, index: int, total: int) -> range | None:
    """The lines of one object: from `---` to `---` around the kind's line."""
    wanted = re.compile(rf"kind:\s*[\"']?{re.escape(kind)}[\"']?\s*(?:#.*)?$")
    found = [number for number, line in enumerate(lines) if wanted.match(line)]
    if len(found) == 1:
        here = found[0]
    elif len(found) == total:
        here = found[index]
    else:
        return None
    start = next((number + 1 for number in range(here, -1, -1) if lines[number].startswith("---")), 0)
    end = next((number for number in range(here, len(lines)) if lines[number].startswith("---")), len(lines))
    return range(start, end)


def _follow(lines: list[str], block: range, path: Path) -> tuple[int, int, range]:
    """The line of `path`, how many of its steps it explains, and the lines below that."""
    number = next((n for n in block if lines[n].startswith("kind:")), block.start)
    region, column = block, 0
    for done, step in enumerate(path):
        if isinstance(step, int):
            item = _item(lines, region, step)
            if item is None:
                return number, done, region
            number, region, column = item
            continue
        key = _key(lines, region, step, column)
        if key is None:
            return number, done, region
        number, found = key
        region = _below(lines, region, number, found)
        column = next((_indent(lines[n]) for n in region if not _SKIPPED.match(lines[n])), found + 1)
    return number, len(path), region


def _key(lines: list[str], region: range, step: str, column: int) -> tuple[int, int] | None:
    for number in region:
        match = _KEY.match(lines[number]) if len(lines[number]) <= _LONGEST else None
        if match is not None and match["key"] == step and len(match["indent"]) == column:
            return number, column
    return None


def _below(lines: list[str], region: range, number: int, column: int) -> range:
    """The lines that belong to the key in `column` of a line; list items may stand in its column."""
    end = number + 1
    while end in region:
        line = lines[end]
        inside = _indent(line) > column or (_indent(line) == column and line.lstrip().startswith("- "))
        if not _SKIPPED.match(line) and not inside:
            break
        end += 1
    return range(number + 1, end)


def _item(lines: list[str], region: range, index: int) -> tuple[int, range, int] | None:
    """An item of a list: its line, its lines, and the column of its keys. One item in a loop is every item."""
    dashes = [number for number in region if lines[number].lstrip().startswith("- ")]
    if not dashes:
        return None
    column = min(_indent(lines[number]) for number in dashes)
    starts = [number for number in dashes if _indent(lines[number]) == column]
    chosen = starts[index] if index < len(starts) else starts[0] if len(starts) == 1 else None
    if chosen is None:
        return None
    end = next((number for number in starts if number > chosen), region.stop)
    text = lines[chosen]
    return chosen, range(chosen, end), len(text) - len(text.lstrip()[2:].lstrip())


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _at(data: Any, path: Path) -> Any:
    for step in path:
        match data, step:
            case dict(), str() if step in data:
                data = data[step]
            case list(), int() if 0 <= step < len(data):
                data = data[step]
            case _:
                return _ABSENT
    return data


def _line(lines: list[str], file: str, number: int) -> Location:
    text = lines[number] if number < len(lines) else ""
    start = sum(len(line) + 1 for line in lines[:number])
    first, last = _indent(text), len(text.rstrip())
    span = Span(
        number + 1, first + 1, number + 1, max(first, last) + 1, start + first, start + max(first, last)
    )
    return Location(file, span=span)
