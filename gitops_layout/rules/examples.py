"""The body of a rule file: its words, and the fenced examples that are its tests."""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING

from gitops_layout.errors import UserError
from gitops_layout.patterns import regexp
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitops_layout.rules.model import Rule

__all__ = ["DEFAULT_FILE", "Example", "body", "examples", "with_console"]

DEFAULT_FILE = "manifest.yaml"
"""The name of an example's file whose fence has no `file=`."""

_FENCE = regexp(r"(`{3,})\s*(\S*)\s*(.*?)\s*$")
_EXPECT = regexp(r"#\s*expect:\s*([A-Z0-9, ]+)")


@dataclass(slots=True)
class Example:
    """Files that must give findings exactly on their marked lines (`bad`) or none (`good`).

    `was` holds files as they were before a change, those that are not in it being the same; empty where no change is
    judged. `links` are symbolic links, path → target; `tags` the files that a tag holds. `expected` holds (file, line, rule id). `console` is the
    printed output, None where the example
    shows none; `start` and `end` are 0-based line numbers of its body, `after` is the line after the
    example's last fence.
    """

    bad: bool
    line: int
    files: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    was: dict[str, str] = field(default_factory=dict)
    tags: dict[str, list[str]] = field(default_factory=dict)
    expected: set[tuple[str, int, str]] = field(default_factory=set)
    console: str | None = None
    start: int = 0
    end: int = 0
    after: int = 0


def body(rule: Rule) -> str:
    """The Markdown below the front matter."""
    return rule.text.removeprefix("\ufeff").split("\n---", 1)[1].partition("\n")[2].strip() + "\n"


@dataclass(frozen=True, slots=True)
class _Fence:
    language: str
    words: tuple[str, ...]
    first: int
    last: int
    lines: tuple[str, ...]


def _fences(lines: list[str]) -> Iterator[_Fence]:
    at = 0
    while at < len(lines):
        opening = _FENCE.match(lines[at])
        at += 1
        if opening is None:
            continue
        start = at
        while at < len(lines) and not re.fullmatch(rf"{opening[1]}`*\s*", lines[at]):
            at += 1
        yield _Fence(opening[2], tuple(opening[3].split()), start, at, tuple(lines[start:at]))
        at += 1


def examples(rule: Rule) -> tuple[Example, ...]:
    """The rule's examples in order.

    A fence with `file=PATH` that follows another one, with nothing but blank lines between, adds a file
    to the same example.
    Raises UserError unless there are one bad and two good ones at least.
    """
    lines = rule.text.splitlines()
    found: list[Example] = []
    previous_end = -1
    for fence in _fences(lines):
        adjacent = bool(found) and not any(line.strip() for line in lines[previous_end + 1 : fence.first - 1])
        if fence.language == "console" and adjacent:
            found[-1].console = "".join(f"{line}\n" for line in fence.lines)
            found[-1].start, found[-1].end = fence.first, fence.last
            previous_end = -1
        elif verdict := next((word for word in fence.words if word in ("bad", "good")), None):
            name = next((word[5:] for word in fence.words if word.startswith("file=")), None)
            goes_on = adjacent and previous_end >= 0 and found[-1].bad == (verdict == "bad")
            earlier = "was" in fence.words
            if not goes_on or (not earlier and (name is None or name in found[-1].files)):
                found.append(Example(verdict == "bad", fence.first))
            _add_file(found[-1], fence, name or DEFAULT_FILE, earlier=earlier)
            previous_end = fence.last
        else:
            previous_end = -1
    bad = sum(example.bad for example in found)
    if bad < 1 or len(found) - bad < 2:
        raise UserError(
            f"{rule.file}: has {bad} bad and {len(found) - bad} good examples",
            "show at least one ```yaml bad fence and two ```yaml good ones",
        )
    return tuple(found)


def _add_file(example: Example, fence: _Fence, name: str, *, earlier: bool) -> None:
    files = example.was if earlier else example.files
    link = next((word[5:] for word in fence.words if word.startswith("link=")), None)
    tag = next((word[4:] for word in fence.words if word.startswith("tag=")), None)
    if tag is not None:
        example.tags.setdefault(tag, []).append(name)
    elif link is not None:
        example.links[name] = link
    else:
        files[name] = "".join(f"{line}\n" for line in fence.lines)
    example.after = fence.last + 1
    for number, line in enumerate(fence.lines, 1):
        if marks := _EXPECT.search(line):
            example.expected |= {(name, number, mark) for mark in re.findall(r"[A-Z]+\d+", marks[1])}


def with_console(rule: Rule, outputs: dict[int, str]) -> str:
    """The rule file's text with the printed outputs replaced or added; keys are indices of examples."""
    lines = rule.text.splitlines()
    for index, example in reversed(list(enumerate(examples(rule)))):
        if index not in outputs:
            continue
        fresh = outputs[index].splitlines()
        if example.console is not None:
            lines[example.start : example.end] = fresh
        else:
            lines[example.after : example.after] = ["", "```console", *fresh, "```"]
    return "\n".join(lines) + "\n"
