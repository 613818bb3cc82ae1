"""Inline ignores: `# gitops-layout: ignore[V001] reason until=2027-01-31`, on the line or the line above."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from gitops_layout.model import Location, Span
from gitops_layout.repo.model import is_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitops_layout.repo.model import Repo
    from gitops_layout.source.reader import Node, Stream

__all__ = ["Inline", "by_line", "inline_ignores"]

_MARK = re.compile(
    r"(?:^|(?<=\s))#[ \t]*gitops-layout:[ \t]*ignore\[([^\]\n]*)\][ \t]*([^\n]*)", re.MULTILINE
)
_UNTIL = re.compile(r"(?:^|\s)until=(\S+)")
_WORD = "gitops-layout:"


@dataclass(frozen=True, slots=True)
class Inline:
    """One comment: the `words` between its brackets, and the `line` whose findings it silences.

    `until` is None without a date; `bad_date` holds what should have been one.
    """

    location: Location
    line: int
    words: tuple[str, ...]
    reason: str
    until: date | None
    bad_date: str | None = None


def inline_ignores(repo: Repo) -> Iterator[Inline]:
    """Every ignore in the YAML files, in order; one inside a text value is no comment."""
    for path in repo.files:
        if is_yaml(path) and repo.entries[path].target is None:
            stream = repo.stream(path)
            if _WORD in stream.text:
                yield from _in_file(path, stream)


def _in_file(path: str, stream: Stream) -> Iterator[Inline]:
    text = stream.text
    lines = text.split("\n")
    scalars = _scalars(stream)
    for match in _MARK.finditer(text):
        start, end = match.start(), match.start() + len(match[0].rstrip())
        if any(begin < start < stop for begin, stop in scalars):
            continue
        line = text.count("\n", 0, start) + 1
        column = start - (text.rfind("\n", 0, start) + 1) + 1
        span = Span(line, column, line, column + end - start, start, end)
        words = match[2].partition("#")[0]
        until, bad = _until(words)
        yield Inline(
            Location(path, span=span),
            _target(lines, line),
            tuple(word for word in re.split(r"[,\s]+", match[1]) if word),
            _UNTIL.sub("", words).strip(),
            until,
            bad,
        )


def _until(rest: str) -> tuple[date | None, str | None]:
    found = _UNTIL.search(rest)
    if found is None:
        return None, None
    try:
        return date.fromisoformat(found[1]), None
    except ValueError:
        return None, found[1]


def _target(lines: list[str], line: int) -> int:
    """The line a comment speaks of: its own, or the next one that holds more than a comment."""
    if not lines[line - 1].lstrip().startswith("#"):
        return line
    for number in range(line, len(lines)):
        words = lines[number].strip()
        if words and not words.startswith("#"):
            return number + 1
    return line


def _scalars(stream: Stream) -> list[tuple[int, int]]:
    """The stretches of the file that are values of several lines."""
    found: list[tuple[int, int]] = []

    def walk(node: Node, depth: int = 0) -> None:
        if node.items is None:
            if "\n" in stream.text[node.start : node.end]:
                # A block scalar's end mark includes the comments that follow it at a lesser indent.
                found.append((node.start, node.start + len(_block(stream.text, node))))
            return
        for child in node.items.values() if isinstance(node.items, dict) else node.items:
            walk(child, depth + 1)

    for document in stream.documents:
        walk(document.node)
    return found


def _block(text: str, node: Node) -> str:
    """The text of a value of several lines without trailing comment lines at a lesser indent."""
    lines = text[node.start : node.end].split("\n")
    indents = [len(line) - len(line.lstrip()) for line in lines[1:] if line.strip()]
    if lines[0][:1] not in ("|", ">") or not indents:
        return text[node.start : node.end]
    while len(lines) > 1 and (not lines[-1].strip() or len(lines[-1]) - len(lines[-1].lstrip()) < indents[0]):
        lines.pop()
    return "\n".join(lines)


def by_line(ignores: list[Inline]) -> dict[tuple[str, int], list[Inline]]:
    """The ignores of each file and line that they silence."""
    found: dict[tuple[str, int], list[Inline]] = defaultdict(list)
    for ignore in ignores:
        found[ignore.location.file, ignore.line].append(ignore)
    return found
