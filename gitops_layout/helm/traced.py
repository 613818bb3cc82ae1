"""Which line of which template printed a value: seen in a second render, of templates with marks.

That render is believed object by object, where it made the same as the real one. Where it did not, some marks are
left out and it is made again; what differs still has no lines.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from posixpath import basename, join
from typing import Any

from gitops_layout.helm.chart import Chart
from gitops_layout.helm.marks import Mark, Marks, marked
from gitops_layout.helm.template import Again, Printed, Template
from gitops_layout.helm.uses import Uses
from gitops_layout.model import Path
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo
from gitops_layout.source.document import Document, Node
from gitops_layout.values import dataclass

__all__ = ["Seen", "Traced", "template_file", "templates", "traced"]

_TRIES = 4
"""Renders with marks, fewer of them each time."""
_TEMPLATE = regexp(r"(?:charts/[^/]+/)*templates/.+")


@dataclass(frozen=True, slots=True)
class _Output:
    """What helm printed with marks: its lines, where documents begin, and where marks stand (None for those that only end
    another)."""

    lines: list[str]
    begins: list[int]
    at: list[int]
    marks: list[Mark | None]
    sign: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Seen:
    """Where a value stands in the output: its `line` and `column` there, the `mark` above, the lines from which
    the mark's own output goes (`first` to before `stop`). All count from 0.
    """

    line: int
    column: int
    mark: Mark
    first: int
    stop: int


@dataclass(frozen=True, slots=True)
class Traced:
    """One object in the output with marks."""

    output: _Output
    document: Document
    within: Path

    def see(self, path: Path) -> Seen | None:
        """Where the value at `path` was printed; for an absent one, what is nearest above it. None where no mark tells."""
        offset = _offset(self.document, self.within, path)
        line, column = (number - 1 for number in self.document.source.position(offset))
        index = bisect_left(self.output.at, line) - 1
        before = bisect_left(self.output.begins, line)
        if index < 0 or (before and self.output.at[index] < self.output.begins[before - 1]):
            return None
        mark = self.output.marks[index]
        if mark is None:
            return None
        lines, first = self.output.lines, self.output.at[index] + 1
        while first < line and not lines[first].strip():
            first += 1
        after = bisect_left(self.output.begins, first)
        stops = (*self.output.at[index + 1 : index + 2], *self.output.begins[after : after + 1], len(lines))
        return Seen(line, column, mark, first, min(stops))

    def printed(self, line: int) -> str:
        """A line of the output."""
        return self.output.lines[line]

    def unmarked(self, text: str) -> str:
        """A text of the output without the marks on lines of their own in it."""
        return self.output.sign.sub("", text)

    def below(self, path: Path, seen: Seen, first: int) -> Path | None:
        """What part of a path stands from the line `first` on: items of a list are counted from there. None if nothing does."""
        node: Node | None = self.document.node
        steps = (*self.within, *path)
        for depth, step in enumerate(steps):
            if node is None:
                return None
            below = node.child(step)
            key = node.keys.get(step) if node.keys is not None and isinstance(step, str) else None
            at = key if key is not None else below
            if at is None:
                return None
            if first <= self._line(at) < seen.stop:
                if isinstance(step, int) and isinstance(node.items, list):
                    step -= bisect_left(node.items, first, hi=step, key=self._line)
                return (step, *steps[depth + 1 :])
            node = below
        return None

    def _line(self, node: Node) -> int:
        return self.document.source.position(node.start)[0] - 1


def templates(repo: Repo, chart: Chart) -> dict[str, str]:
    """The texts of the templates that lie in the repository, by their place in the chart."""
    found = {
        place: repo.text(file)
        for place, file in chart.files.items()
        if _TEMPLATE.fullmatch(place) and basename(place) != "NOTES.txt"
    }
    return {place: text for place, text in found.items() if text and "\ufffd" not in text}


def traced(
    repo: Repo,
    chart: Chart,
    texts: Mapping[str, str],
    uses: Uses,
    objects: Sequence[Template],
    again: Again,
) -> Mapping[int, Traced]:
    """The objects in a render with marks, by their number, as far as it made the same objects."""
    found: dict[int, Traced] = {}
    bare: frozenset[str] = frozenset()
    for attempt in range(_TRIES):
        marks = marked(texts, uses, bare=bare, helpers=not attempt)
        if not marks.texts:
            break
        printed = again(marks.texts)
        found = {**dict(_equal(objects, printed, marks)), **found}
        lost = {item.source for number, item in enumerate(objects) if number not in found}
        blamed = {file for source in lost if (file := template_file(repo, chart, source)) is not None}
        if not blamed:
            break
        if printed.problem is not None:
            blamed = {printed.problem.location.file}
        if attempt:
            bare |= {place for place in texts if chart.files[place] in blamed}
    return found


def template_file(repo: Repo, chart: Chart, source: str) -> str | None:
    """The file of the repository that a template is, by the name that helm prints; None where it stands in an archive."""
    found = chart.source(source)
    if found is None or found[0].place in repo.entries:
        return None
    return repo.resolve(join(found[0].place, found[1]))


def _equal(objects: Sequence[Template], printed: Printed, marks: Marks) -> Iterator[tuple[int, Traced]]:
    """The objects that came out as they are, those of one template compared in their order."""
    real: dict[str, list[int]] = {}
    for number, item in enumerate(objects):
        real.setdefault(item.source, []).append(number)
    again: dict[str, list[tuple[Template, Document]]] = {}
    for item, document in printed.objects:
        again.setdefault(item.source, []).append((item, document))
    if not printed.objects:
        return
    output = _output(printed.objects[0][1].source.text, marks)
    for source, numbers in real.items():
        others = again.get(source, [])
        if len(others) != len(numbers):
            continue
        for number, (item, document) in zip(numbers, others, strict=True):
            same = item.within == objects[number].within
            if same and _same(objects[number].data, item.data, marks.prefix, output.sign):
                yield number, Traced(output, document, item.within)


def _same(real: Any, again: Any, prefix: str, sign: re.Pattern[str]) -> bool:
    """Whether an object has the same form; its texts may differ as sums of what is included do, but hold no marks other than
    on lines of their own.
    """
    match real, again:
        case dict(), dict():
            return list(real) == list(again) and all(
                _same(real[key], again[key], prefix, sign) for key in real
            )
        case list(), list():
            return len(real) == len(again) and all(
                _same(one, other, prefix, sign) for one, other in zip(real, again, strict=True)
            )
        case str(), str() if prefix in again:
            return bool(sign.sub("", again) == real)
    return not isinstance(real, dict | list) and not isinstance(again, dict | list)


def _output(text: str, marks: Marks) -> _Output:
    lines = text.split("\n")
    sign = re.compile(rf"{marks.prefix}\d+:\d+;")
    at, found = [], []
    for number, line in enumerate(lines):
        if marks.prefix in line and (signs := sign.findall(line)):
            at.append(number)
            found.append(marks.signs.get(signs[-1]))
    begins = [number for number, line in enumerate(lines) if line.startswith("---")]
    alone = re.compile(rf"(?m)^[ \t]*{marks.prefix}\d+:\d+;[ \t]*(?:\n|\Z)")
    return _Output(lines, begins, at, found, alone)


def _offset(document: Document, within: Path, path: Path) -> int:
    """Where a value begins, or the key of what is no scalar; for an object, its kind."""
    node, start = document.node, document.node.start
    for step in (*within, *path):
        below = node.child(step)
        if below is None:
            return start
        key = node.keys.get(step) if node.keys is not None and isinstance(step, str) else None
        scalar = below.items is None and below.end > below.start
        start = key.start if key is not None and not scalar else below.start
        node = below
    if not path and node.keys is not None and "kind" in node.keys:
        return node.keys["kind"].start
    return start
