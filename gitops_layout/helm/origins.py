"""Which line wrote a value of a rendered chart: the template's text, and the values that it names.

A template is no YAML, so its lines are followed by their indentation, as a reader would. A value stands in the
release's values only where nothing else can have written it: its line is the only one for its path, takes it from one
`.Values.…` (or holds it with others), and the last of the layers that sets this is a text of the repository. Everything
else stands on the template's line, as near to the value as the text can be followed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from posixpath import basename, join
from typing import Any

from gitops_layout.helm.blocks import Blocks, Source, holds, pieces
from gitops_layout.helm.chart import Chart
from gitops_layout.helm.template import Template
from gitops_layout.model import Location, Path, Span
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo
from gitops_layout.values import dataclass

__all__ = ["Origins", "Writers", "Written", "last_written"]

_ABSENT = object()
_REPLACED = object()
_LITERAL = regexp(r"([\"'])(.*)\1|([^\"'\[\]{}&*!|>%@`]*)", re.DOTALL)
_COMMENT = regexp(r"(?:^|\s)#")
_LONGEST = 1000
"""Longer lines are not searched for keys."""
_DECLARES = ("Chart.yaml", "requirements.yaml")
_MOST = 4
"""Actions on a line; the values of longer ones are not looked for."""
_REPEATS = ("range", "define", "block")
"""What makes the lines inside it write more than once."""
_NAMES_A_KEY = regexp(r"^[^:]*\{\{[^\n]*:")
_SKIPPED = regexp(r"\s*(?:$|#|\{\{)")
_KEY = regexp(
    r"(?P<indent>\s*(?:- +)*)(?P<quote>[\"']?)(?P<key>[^\s:{}\"'][^:{}\"']*?)(?P=quote)\s*:(?:\s|$)"
)


Writers = Callable[[Path], tuple[Location, ...]]


@dataclass(frozen=True, slots=True)
class Written:
    """Values of the release as one place writes them: the place, and what stands there.

    `below` is where in the release's values these belong (a subchart's defaults); `whole` says that the
    place is text, so that nothing inside it has a place of its own. `read` says that the data was read at that very
    place, and need not be looked for there again. `hidden` values have no place that is known: they only say that
    nobody below wrote these.
    """

    location: Location
    data: Any
    below: tuple[str, ...] = ()
    whole: bool = False
    origin: Callable[[Path], Location] | None = None
    read: bool = False
    hidden: bool = False

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
    _files: dict[str, Blocks] = field(default_factory=dict, repr=False)

    def of(self, objects: Sequence[Template]) -> Iterator[Writers]:
        """The look-up for each of the objects of one render: the places that wrote a value, that of its last part first."""
        # Values that a chart takes from its dependencies are moved about before they are used.
        asked = [self.chart.files[place] for place in self.chart.files if basename(place) in _DECLARES]
        moved = any("import-values" in self.repo.text(file) for file in asked if file in self.repo.entries)
        totals: dict[tuple[str, str], int] = {}
        places = []
        for item in objects:
            key = (item.source, item.kind)
            if item.within in ((), ("items", 0)):
                totals[key] = totals.get(key, 0) + 1
            places.append(totals.get(key, 1) - 1)
        for item, index in zip(objects, places, strict=True):
            yield self._origin(item, index, totals.get((item.source, item.kind), 1), moved)

    def _origin(self, item: Template, index: int, total: int, moved: bool) -> Writers:
        found = self.chart.source(item.source)
        if found is None:
            return lambda _path: (self.fallback,)
        source, inside = found
        archive = source.place in self.repo.entries
        file = source.place if archive else self.repo.resolve(join(source.place, inside))
        if file is None or archive:
            return lambda _path: (Location(file) if file is not None else self.fallback,)
        text = self._text(file)
        block = _block(text, item, index, total)
        if block is None:
            return lambda _path: (Location(file),)
        alone = total == 1 or not any("helm.sh/hook" in line for line in text.lines)  # helm sorts hooks last
        return lambda path: self._locate(
            file, block, item, path, source.values if alone and not moved else None
        )

    def _text(self, file: str) -> Blocks:
        if file not in self._files:
            self._files[file] = Blocks.of(self.repo.text(file))
        return self._files[file]

    def _locate(
        self, file: str, block: range, item: Template, path: Path, scope: tuple[str, ...] | None
    ) -> tuple[Location, ...]:
        """`scope` is None where it cannot be told which of a template's objects this is."""
        text = self._text(file)
        step = _follow(text, block, (*item.within, *path))
        if scope is not None and step.certain and not any(_within(path, twice) for twice in item.doubled):
            value, rest = _at(item.data, path), path[max(0, step.done - len(item.within)) :]
            if isinstance(value, str | int | float):
                sources = _block_sources(text, step, rest) if rest else _line_sources(text, step)
                places = self._claimed(sources, value, scope)
                if places:
                    return places
        return (_line(text.lines, file, step.number),)

    def _claimed(
        self, sources: Sequence[str | Source], value: str | float, scope: tuple[str, ...]
    ) -> tuple[Location, ...]:
        """The places of the values that the parts of a text take from the release's, the last first, if they make up
        `value`.
        """
        pattern, unknown = "", 0
        places: dict[Location, None] = {}
        for part in sources:
            if isinstance(part, str):
                pattern += re.escape(part)
                continue
            place, given = self._given(part, scope)
            known = place is not None and not (part.default and not given)
            pattern += re.escape(_plain(given)) if known else ".*"
            unknown += not known
            if known and place is not None and _plain(given):
                places[place] = None
        if unknown > 1 or not re.fullmatch(pattern, _plain(value), re.DOTALL):
            return ()
        return tuple(reversed(places))

    def _given(self, source: Source, scope: tuple[str, ...]) -> tuple[Location | None, Any]:
        """Where the value that a template names was written last, if that is known, and the value there."""
        if source.path is None:
            return None, None
        path: Path = (*scope, *source.path)
        if source.path[:1] == ("global",):
            if any(_writers(self.written, (*scope[:depth], "global")) for depth in range(1, len(scope) + 1)):
                return None, None
            path = source.path
        found = next(iter(_writers(self.written, path)), None)
        if found is None or found[2].hidden or not isinstance(found[1], str | int | float):
            return None, None
        place, given, item = found
        if item.read:
            return place, given
        document = next((d for d in self.repo.documents(place.file) if d.index == place.document), None)
        if document is None:
            return None, None
        # An overlay may have written into the object: then the file that we know of holds something else.
        there = _at(document.data, place.path)
        return (place, given) if there is not _ABSENT and (item.whole or there == given) else (None, None)


def last_written(written: Sequence[Written], path: Path) -> Location | None:
    """The place that last wrote the value at `path` of the release's values."""
    return next((place for place, _, _ in _writers(written, path)), None)


def _writers(written: Sequence[Written], path: Path) -> list[tuple[Location, Any, Written]]:
    """Every place that writes a value, the last one first, with the value, and what it is one of."""
    found = []
    for item in reversed(written):
        depth = len(item.below)
        given = _set(item.data, path[depth:]) if path[:depth] == item.below else _ABSENT
        if given is _REPLACED:
            break
        if given is not _ABSENT:
            found.append((item.at(path[depth:]), given, item))
    return found


def _set(data: Any, path: Path) -> Any:
    """What a layer sets at `path`; _REPLACED where it replaces, by a list or a scalar, what would hold it."""
    for step in path:
        match data, step:
            case dict(), str():
                if step not in data:
                    return _ABSENT
                data = data[step]
            case list(), int() if 0 <= step < len(data):
                data = data[step]
            case _:
                return _REPLACED
    return data


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _within(path: Path, above: Path) -> bool:
    return path[: len(above)] == above


def _line_sources(text: Blocks, step: _Step) -> Sequence[str | Source]:
    """The parts of the scalar on a line; none, if it cannot be told what the line makes."""
    found: list[str | Source] = []
    for part in pieces(text, step.number, step.tail):
        if isinstance(part, str) and (comment := _COMMENT.search(part)) is not None:
            found.append(part[: comment.start()])
            break
        found.append(part)
    # Quotes go; what else YAML reads in another way than as it stands is not looked into.
    whole = "".join(part if isinstance(part, str) else "\0" for part in found).strip()
    literal = _LITERAL.fullmatch(whole)
    sources = [part for part in found if isinstance(part, Source)]
    if literal is None or "\\" in whole or len(sources) > _MOST or any(each.block for each in sources):
        return ()
    parts = iter(sources)
    inner = literal[3] if literal[1] is None else literal[2]
    return [next(parts) if part == "\0" else part for part in re.split("(\0)", inner) if part]


def _block_sources(text: Blocks, step: _Step, rest: Path) -> Sequence[str | Source]:
    """The `toYaml` below a key that makes what is at `rest` there; none, if another might."""
    stack = text.stacks[step.number]
    own = pieces(text, step.number, step.tail)
    producers = [(step.number, own)] if any(not isinstance(part, str) or part.strip() for part in own) else []
    for line in step.region:
        if not _within(text.stacks[line], stack):  # type: ignore[arg-type]
            break
        if text.makes(line):
            producers.append((line, pieces(text, line)))
    found = []
    for line, parts in producers:
        match [part for part in parts if not isinstance(part, str) or part.strip()]:
            case [Source(path=tuple() as path, block=True) as source]:
                around = text.stacks[line]
                always = all(holds(around, depth, path) for depth in range(len(stack), len(around)))
                if always or len(producers) == 1:
                    found.append(Source((*path, *rest), default=source.default))
    return found if len(found) == 1 else ()


def _block(text: Blocks, item: Template, index: int, total: int) -> range | None:
    """The lines of the document that made an object; None where that may be one or another.

    Of several documents of a kind, it is the only one whose name can be the object's; or each made one, if there are as
    many objects and none can make two.
    """
    wanted = re.compile(rf"kind:\s*[\"']?{re.escape(item.kind)}[\"']?\s*(?:#.*)?$")
    found = [number for number, line in enumerate(text.lines) if wanted.match(line)]
    documents = [_document(text.lines, number) for number in found]
    if len(found) < 2:
        return documents[0] if documents else None
    named = [document for document in documents if _may_be_called(text, document, item)]
    if len(named) == 1:
        return named[0]
    repeated = any(block.word in _REPEATS for number in found for block in text.stacks[number])
    return documents[index] if len(found) == total and not repeated else None


def _document(lines: list[str], here: int) -> range:
    """The lines from `---` to `---` around one."""
    start = next((number + 1 for number in range(here, -1, -1) if lines[number].startswith("---")), 0)
    end = next((number for number in range(here, len(lines)) if lines[number].startswith("---")), len(lines))
    return range(start, end)


def _may_be_called(text: Blocks, document: range, item: Template) -> bool:
    """Whether a document can make an object of this name: what its actions print may be anything."""
    path = (*item.within, "metadata", "name")
    step = _follow(text, document, path)
    sources = _line_sources(text, step) if step.done == len(path) else ()
    pattern = "".join(re.escape(part) if isinstance(part, str) else ".*" for part in sources)
    name = _at(item.data, ("metadata", "name"))
    return not sources or (isinstance(name, str) and re.fullmatch(pattern, name, re.DOTALL) is not None)


@dataclass(frozen=True, slots=True)
class _Step:
    """Where following a path ended: the line, how many steps it explains, the lines below that, where on the line its
    value begins, and whether nothing else can have written what is there.
    """

    number: int
    done: int
    region: range
    tail: int
    certain: bool


def _follow(text: Blocks, block: range, path: Path) -> _Step:
    lines = text.lines
    number = next((n for n in block if lines[n].startswith("kind:")), block.start)
    region, column, tail, certain = block, 0, 0, True
    for done, step in enumerate(path):
        here = _Step(number, done, region, tail, certain)
        if isinstance(step, int):
            found = _item(lines, region, step)
            if found is None:
                return here
            inside, (starts, chosen, region, column) = region, found
            certain &= _counted(text, inside, starts, chosen, number)
            number, tail = chosen, column
            continue
        keys = _keys(lines, region, step, column)
        if not keys:
            return here
        certain &= len(keys) == 1 and _always(text, region, number, keys[0][0], column)
        number, tail = keys[0]
        region = _below(lines, region, number, column)
        column = next((_indent(lines[n]) for n in region if not _SKIPPED.match(lines[n])), column + 1)
    return _Step(number, len(path), region, tail, certain)


def _always(text: Blocks, region: range, above: int, number: int, column: int) -> bool:
    """Whether a key that the object has was written by its line, which may stand in an `if`: nothing else could."""
    return text.stacks[number] == text.stacks[above] or not any(
        text.makes(line) and _writes_at(text, line) in (None, column)
        for line in region
        if text.lines[line].lstrip().startswith("{{") or _NAMES_A_KEY.search(text.lines[line])
    )


def _writes_at(text: Blocks, line: int) -> int | None:
    """The column in which a line may have a key; None for an action that does not say it."""
    words = text.lines[line].lstrip(" -")
    return text.column(line) if words.startswith("{{") else len(text.lines[line]) - len(words)


def _counted(text: Blocks, region: range, starts: Sequence[int], chosen: int, above: int) -> bool:
    """Whether an item of a list is surely the one in its place: nothing before it may be left out or come in."""
    dash = _indent(text.lines[chosen])
    return all(text.stacks[start] == text.stacks[above] for start in starts if start <= chosen) and not any(
        text.makes(line) and ((column := text.column(line)) is None or column <= dash)
        for line in range(region.start, chosen)
        if text.lines[line].lstrip().startswith("{{")
    )


def _keys(lines: list[str], region: range, step: str, column: int) -> list[tuple[int, int]]:
    """The lines that have the key in a column, and where on each its value begins."""
    return [
        (number, match.end())
        for number in region
        if len(lines[number]) <= _LONGEST and (match := _KEY.match(lines[number])) is not None
        if match["key"] == step and len(match["indent"]) == column
    ]


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


def _item(lines: list[str], region: range, index: int) -> tuple[list[int], int, range, int] | None:
    """An item of a list: every item's line, its own, its lines, and the column of its keys. One item in a loop is
    every item.
    """
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
    return starts, chosen, range(chosen, end), len(text) - len(text.lstrip()[2:].lstrip())


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
