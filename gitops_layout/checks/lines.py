"""The line of a long text that a finding is about: a script or a configuration inside a manifest."""

from __future__ import annotations

import re
from dataclasses import replace

from gitops_layout.graph.model import Graph
from gitops_layout.model import Location, Span

__all__ = ["line_with", "span_of"]


def line_with(graph: Graph, place: Location, wanted: re.Pattern[str]) -> Location:
    """The first match of `wanted` in the lines that the value at `place` is written on; of a file as a whole in all of
    its lines. The place itself where nothing matches, or where it is one line.
    """
    repo = graph.repo
    if place.span is not None or place.file not in repo.entries:
        return place
    lines = repo.text(place.file).split("\n")
    first, last = 1, len(lines)
    if place.path:
        here = repo.span(replace(place, key=False))
        first, last = here.line, min(here.end_line, last)
        if place.key:
            first = min(first, repo.span(place).line)
    for number in range(first, last + 1) if first < last else ():
        found = wanted.search(lines[number - 1])
        if found is not None:
            span = Span(number, found.start() + 1, number, found.end() + 1, 0, 0)
            return Location(place.file, span=span)
    return place


def span_of(text: str, start: int, end: int) -> Span:
    """The span between two code point offsets of one line of a file's text."""
    line = text.count("\n", 0, start) + 1
    column = start - text.rfind("\n", 0, start)
    return Span(line, column, line, column + end - start, start, end)
