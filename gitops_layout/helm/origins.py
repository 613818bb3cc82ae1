"""Which line wrote a value of a rendered chart: the template's, as a render with marks shows it, and the values that it
names.

A value stands in the release's values only where nothing else can have written it: its template's line prints it from one
`.Values.…` (or with others), what that holds makes the value, and the last of the layers that sets this is a text of
the repository. Everything else stands on the template's line where one is known to have printed it, else in its file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache, partial
from posixpath import basename
from typing import Any

from gitops_layout.fields import at
from gitops_layout.helm.blocks import Blocks, Source, pieces
from gitops_layout.helm.brought import libraries
from gitops_layout.helm.chart import Chart
from gitops_layout.helm.template import Again, Template
from gitops_layout.helm.traced import Seen, Traced, template_file, templates, traced
from gitops_layout.helm.uses import Uses
from gitops_layout.helm.writes import written_keys
from gitops_layout.model import Location, Path, Span
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo
from gitops_layout.values import dataclass

__all__ = ["Origins", "Writers", "Written", "last_written"]

_ABSENT = object()
_REPLACED = object()
_LITERAL = regexp(r"([\"'])(.*)\1|([^\"'\[\]{}&*!|>%@`]*)", re.DOTALL)
_COMMENT = regexp(r"(?:^|\s)#")
_DECLARES = ("Chart.yaml", "requirements.yaml")
_MOST = 4
"""Actions on a line; the values of longer ones are not looked for."""
_KEY_ALONE = regexp(r"\s*(?:- +)*[^\s:]+:\s*")


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


class Origins:
    """Finds origins in one chart; `written` are the release's values, later ones over earlier ones.

    `objects` are what the real render made, which `again` does once more when the first origin is asked for. `fallback` is
    the place of what no file of the repository explains.
    """

    def __init__(
        self,
        repo: Repo,
        chart: Chart,
        written: tuple[Written, ...],
        fallback: Location,
        objects: Sequence[Template],
        again: Again,
    ) -> None:
        self.repo = repo
        self.chart = chart
        self.written = written
        self.fallback = fallback
        self.objects = objects
        self.again = again
        self._files: dict[str, Blocks] = {}
        self._definitions: dict[int, int | None] = {}

    def __iter__(self) -> Iterator[Writers]:
        """The look-up for each of the objects: the places that wrote a value, that of its last part first."""
        of = lru_cache(1)(self._of)  # whoever asks for the last writer asks for those before it next
        return (partial(of, number) for number in range(len(self.objects)))

    @cached_property
    def _texts(self) -> Mapping[str, str]:
        return templates(self.repo, self.chart)

    @cached_property
    def _traced(self) -> Mapping[int, Traced]:
        return traced(self.repo, self.chart, self._texts, self._uses, self.objects, self.again)

    @cached_property
    def _uses(self) -> Uses:
        values = [text for item in self.written for text in _strings(item.data) if "{{" in text]
        files = {file for place, file in self.chart.files.items() if place not in self._texts}
        others = [self.repo.text(file) for file in files if b"{{" in self.repo.content(file)]
        return Uses.of(self._texts, libraries(self.repo, self.chart), values + others)

    @cached_property
    def _changed(self) -> frozenset[str] | None:
        """The keys that templates that run write into some mapping; None if that may be any, or values are taken from
        dependencies.
        """
        asked = [self.chart.files[place] for place in self.chart.files if basename(place) in _DECLARES]
        if any("import-values" in self.repo.text(file) for file in asked if file in self.repo.entries):
            return None
        return written_keys(self._uses.actions.get(unit, ()) for unit in self._uses.run())

    def _of(self, number: int, path: Path) -> tuple[Location, ...]:
        item = self.objects[number]
        found = self.chart.source(item.source)
        if found is None:
            return (self.fallback,)
        source, inside = found
        if source.place in self.repo.entries:
            return (Location(source.place),)
        file = template_file(self.repo, self.chart, item.source)
        if file is None:
            return (self.fallback,)
        if inside.startswith("crds/"):
            return (self._definition(number, file, path),)
        object_ = self._traced.get(number)
        seen = object_.see(path) if object_ is not None else None
        if object_ is None or seen is None:
            return (Location(file),)
        own = self.chart.files[seen.mark.place]
        text = self._text(own)
        value = at(item.data, *path, absent=_ABSENT)
        asked = own == file and self._changed is not None and path not in item.doubled
        if asked and isinstance(value, str | int | float):
            sources = _block_sources(text, object_, seen, path) or _line_sources(text, object_, seen)
            places = self._claimed(sources, value, source.values)
            if places:
                return places
        alone = seen.mark.lines == frozenset((seen.mark.line,))
        surely = alone or (seen.line == seen.first and _has_text(text, seen))
        if not surely or (_differs(object_, path, value) and not _acts(text, seen)):
            return (Location(file),)
        return (_line(text, own, seen.mark.line),)

    def _definition(self, number: int, file: str, path: Path) -> Location:
        """A place in a file that helm prints as it stands."""
        if number not in self._definitions:
            item = self.objects[number]
            before = sum(other.source == item.source for other in self.objects[:number])
            here = [document for document in self.repo.documents(file) if document.data is not None]
            same = item.within == () and before < len(here) and here[before].data == item.data
            self._definitions[number] = here[before].index if same else None
        document = self._definitions[number]
        return Location(file) if document is None else Location(file, path, document)

    def _text(self, file: str) -> Blocks:
        if file not in self._files:
            self._files[file] = Blocks.of(self.repo.text(file))
        return self._files[file]

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
        if not (self._changed or frozenset()).isdisjoint(path):
            return None, None
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
        there = at(document.data, *place.path, absent=_ABSENT)
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


def _strings(data: Any) -> Iterator[str]:
    match data:
        case dict():
            for item in data.values():
                yield from _strings(item)
        case list():
            for item in data:
                yield from _strings(item)
        case str():
            yield data


def _differs(object_: Traced, path: Path, value: Any) -> bool:
    """Whether a scalar came out otherwise than in the real render, as a sum of a text with marks does."""
    again = at(object_.document.data, *object_.within, *path, absent=_ABSENT)
    if isinstance(again, str) and isinstance(value, str):
        return bool(object_.unmarked(again).rstrip("\n") != value.rstrip("\n"))
    return not isinstance(again, dict | list) and bool(again != value)


def _acts(text: Blocks, seen: Seen) -> bool:
    """Whether a mark's line prints anything but its own text."""
    return any(isinstance(part, Source) for part in pieces(text, seen.mark.line))


def _has_text(text: Blocks, seen: Seen) -> bool:
    """Whether something that a mark's line prints is always there."""
    return any(
        isinstance(part, str) and part.strip() for part in pieces(text, seen.mark.line, seen.mark.column)
    )


def _static(text: Blocks, seen: Seen) -> str:
    """The text of a mark's line before its first action."""
    line, column = seen.mark.line, seen.mark.column
    stops = [begin for begin, _, _, _ in text.actions[line] if begin >= column]
    return text.lines[line][column : min(stops, default=None)]


def _line_sources(text: Blocks, object_: Traced, seen: Seen) -> Sequence[str | Source]:
    """The parts of the scalar on a mark's line; none, if it cannot be told what the line makes."""
    alone = seen.mark.lines == frozenset((seen.mark.line,))
    before, static = object_.printed(seen.line)[: seen.column], _static(text, seen)
    if seen.line != seen.first or not static.startswith(before) or not (alone or before.strip()):
        return ()
    found: list[str | Source] = []
    for part in pieces(text, seen.mark.line, seen.mark.column + len(before)):
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


def _block_sources(text: Blocks, object_: Traced, seen: Seen, path: Path) -> Sequence[str | Source]:
    """The `toYaml` of a mark's line, if that is all that it prints besides the key above, and what a path is in there."""
    if seen.mark.lines != frozenset((seen.mark.line,)):
        return ()
    parts = [
        part
        for part in pieces(text, seen.mark.line, seen.mark.column)
        if not isinstance(part, str) or part.strip()
    ]
    match parts:
        case [Source(path=tuple(), block=True) as source]:
            first = seen.first
        case [str() as key, Source(path=tuple(), block=True) as source] if _KEY_ALONE.fullmatch(key):
            first = seen.first + 1
        case _:
            return ()
    rest = object_.below(path, seen, first)
    return [Source((*(source.path or ()), *rest), default=source.default)] if rest else ()


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _line(text: Blocks, file: str, number: int) -> Location:
    line, start = (text.lines[number], text.starts[number]) if number < len(text.lines) else ("", 0)
    first, last = _indent(line), len(line.rstrip())
    span = Span(
        number + 1, first + 1, number + 1, max(first, last) + 1, start + first, start + max(first, last)
    )
    return Location(file, span=span)
