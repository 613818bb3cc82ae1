"""Inline ignores: `# gitops-layout: ignore[V001] reason until=2027-01-31`, on the line or the line above."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from datetime import date
from typing import TYPE_CHECKING

from gitops_layout.model import Location, Span
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import is_yaml
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitops_layout.repo.model import Repo
    from gitops_layout.source.document import Node, Stream

__all__ = ["Inline", "by_line", "inline_ignores"]

_MARK = regexp(r"(?:^|(?<=\s))#[ \t]*gitops-layout:[ \t]*ignore\[([^\]\n]*)\][ \t]*([^\n]*)", re.MULTILINE)
_UNTIL = regexp(r"(?:^|\s)until=(\S+)")
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
    lines = stream.text.split("\n")
    targets = _targets(lines)
    hidden = _Scalars(stream)
    offset = 0
    for number, line in enumerate(lines, 1):
        match = _MARK.search(line) if _WORD in line else None
        if match is not None and not hidden.holds(offset + match.start()):
            words = match[2].partition("#")[0]
            until, bad = _until(words)
            yield Inline(
                Location(path, span=_span(number, match, offset)),
                targets[number - 1],
                tuple(word for word in re.split(r"[,\s]+", match[1]) if word),
                _UNTIL.sub("", words).strip(),
                until,
                bad,
            )
        offset += len(line) + 1


def _span(line: int, match: re.Match[str], offset: int) -> Span:
    start, end = match.start(), match.start() + len(match[0].rstrip())
    return Span(line, start + 1, line, end + 1, offset + start, offset + end)


def _until(rest: str) -> tuple[date | None, str | None]:
    found = _UNTIL.search(rest)
    if found is None:
        return None, None
    try:
        return date.fromisoformat(found[1]), None
    except ValueError:
        return None, found[1]


def _targets(lines: list[str]) -> list[int]:
    """For each line the one that a comment on it speaks of: itself, or the next that holds more than a comment."""
    targets = [0] * len(lines)
    following = len(lines)
    for number in range(len(lines), 0, -1):
        words = lines[number - 1].strip()
        if words and not words.startswith("#"):
            following = number
        targets[number - 1] = following
    return targets


class _Scalars:
    """The stretches of a file that are values of several lines: what looks like a comment there is none."""

    def __init__(self, stream: Stream) -> None:
        found = sorted({pair for d in stream.documents for pair in _long_scalars(stream.text, d.node)})
        self._starts = [start for start, _ in found]
        self._ends = [end for _, end in found]

    def holds(self, offset: int) -> bool:
        """Whether a place in the file lies inside such a value."""
        before = bisect_left(self._starts, offset) - 1
        return before >= 0 and offset < self._ends[before]


def _long_scalars(text: str, node: Node) -> Iterator[tuple[int, int]]:
    if node.items is not None:
        for child in node.items.values() if isinstance(node.items, dict) else node.items:
            yield from _long_scalars(text, child)
    elif "\n" in text[node.start : node.end]:
        yield node.start, node.start + len(_block(text, node))


def _block(text: str, node: Node) -> str:
    """The text of a value of several lines; libyaml counts the comments behind a block scalar to it."""
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
