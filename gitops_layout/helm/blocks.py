"""The lines of a chart's template: in which `if`, `with` and `range` each stands, and which of the values it prints.

Facts: text/template (what `.` and `$` are), Sprig (`default` replaces what is empty).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from gitops_layout.helm.actions import placed
from gitops_layout.patterns import regexp
from gitops_layout.values import dataclass

__all__ = ["Blocks", "Source", "pieces"]

_DEEPEST = 50
"""Blocks in one another; a template with more is not looked into."""
_LONGEST = 1000
"""Longer lines print what is not looked for."""
_OPENS = ("if", "with", "range", "define", "block")
_WORD = regexp(r"(if|with|range|define|block|else|end|break|continue)\b\s*(.*)", re.DOTALL)
_SILENT = regexp(r"\$\w*\s*:?=")
_FIELD = r"\$?(?:\.[A-Za-z_]\w*)+|\."
_NAMED = regexp(_FIELD)
_TAKES = regexp(
    rf"(?:(?P<call>quote|squote|toString|toYaml|int|int64|required \"[^\"|]*\"|default \"?[\w.-]*\"?) +)?(?P<field>{_FIELD})"
)
_PASSES = regexp(r"(?P<call>quote|squote|toString|toYaml|int|int64|n?indent \d+|default [^|]+)")


@dataclass(frozen=True, slots=True)
class Block:
    """A block that is open: its word and what follows."""

    word: str
    of: str


@dataclass(frozen=True, slots=True)
class Source:
    """What an action prints: the value at `path` of the chart's values; None if that is not known. It is another if it is
    empty and there is a `default`. A `block` is YAML.
    """

    path: tuple[str | int, ...] | None
    default: bool = False
    block: bool = False


@dataclass(frozen=True, slots=True)
class Blocks:
    """A template: its lines (comments blank), where each begins in the text, the blocks open there, and the actions that
    touch each with their columns and the blocks open there (None for those of more than one line).
    """

    lines: list[str]
    starts: list[int]
    stacks: list[tuple[Block, ...]]
    actions: list[list[tuple[int, int, str | None, tuple[Block, ...]]]]

    @classmethod
    def of(cls, text: str) -> Blocks:
        """Read one template."""
        stack: tuple[Block, ...] = ()
        found, blanked, end, deepest = [], [], 0, 0
        for start, stop, action in placed(text):
            blanked.append(text[end:start])
            inside, end = text[start:stop], stop
            if action is None:
                blanked.append("".join(char if char == "\n" else " " for char in inside))
                continue
            blanked.append(inside)
            if deepest > _DEEPEST:
                continue
            stack = _after(stack, action)
            deepest = max(deepest, len(stack))
            found.append((start, stop, action, stack))
        lines = "".join([*blanked, text[end:]]).split("\n")
        starts = [0]
        for line in lines[:-1]:
            starts.append(starts[-1] + len(line) + 1)
        if deepest > _DEEPEST:
            return cls(lines, starts, [()] * len(lines), [[(0, 0, None, ())]] * len(lines))
        return cls(lines, starts, *_by_line(starts, found))


def _after(stack: tuple[Block, ...], action: str) -> tuple[Block, ...]:
    match = _WORD.match(action)
    word = match[1] if match is not None else ""
    if match is not None and word in _OPENS:
        return (*stack, Block(word, match[2].strip()))
    if word == "else":
        # `else if` asks nothing that matters here; `else with` sets a `.` that is not looked into.
        other = "with" if match is not None and match[2].startswith("with") else "else"
        return (*stack[:-1], Block(other, ""))
    return stack[:-1] if word == "end" else stack


def _by_line(
    starts: list[int], found: list[tuple[int, int, str, tuple[Block, ...]]]
) -> tuple[list[tuple[Block, ...]], list[list[tuple[int, int, str | None, tuple[Block, ...]]]]]:
    actions: list[list[tuple[int, int, str | None, tuple[Block, ...]]]] = [[] for _ in starts]
    changes: list[tuple[Block, ...] | None] = [None] * len(starts)
    for start, stop, action, stack in found:
        first, last = bisect_right(starts, start) - 1, bisect_right(starts, stop - 1) - 1
        if first == last:
            actions[first].append((start - starts[first], stop - starts[first], action, stack))
        else:
            for line in range(first, last + 1):
                actions[line].append((0, 0, None, stack))
        if last + 1 < len(starts):
            changes[last + 1] = stack
    stacks: list[tuple[Block, ...]] = []
    for change in changes:
        stacks.append(change if change is not None else stacks[-1] if stacks else ())
    return stacks, actions


def _is_silent(action: str) -> bool:
    return _WORD.match(action) is not None or _SILENT.match(action) is not None


def pieces(text: Blocks, line: int, start: int = 0) -> list[str | Source]:
    """The text of a line from a column on, and what its actions print there."""
    return list(_pieces(text, line, start)) if len(text.lines[line]) <= _LONGEST else [Source(None)]


def _pieces(text: Blocks, line: int, start: int) -> Iterator[str | Source]:
    content, end, changes = text.lines[line], start, False
    for begin, stop, action, stack in text.actions[line]:
        if action is None:
            yield Source(None)
            return
        if begin < start:
            continue
        if content[end:begin]:
            # Text between `if` and `end` on one line may not be there.
            yield Source(None) if changes and content[end:begin].strip() else content[end:begin]
        end = stop
        if not _is_silent(action):
            yield Source(None) if changes else taken(action, stack)
        elif _WORD.match(action):
            changes = True
    yield content[end:]


def taken(action: str, stack: tuple[Block, ...]) -> Source:
    """What an action prints: its field passed through functions that leave it as it is."""
    first, *others = (part.strip() for part in action.split("|"))
    match = _TAKES.fullmatch(first)
    calls = [_PASSES.fullmatch(part) for part in others]
    if match is None or None in calls:
        return Source(None)
    names = [match["call"] or "", *(call["call"] for call in calls if call is not None)]
    return Source(
        resolved(match["field"], stack),
        default=any(name.startswith("default") for name in names),
        block="toYaml" in names,
    )


def resolved(field: str, stack: tuple[Block, ...]) -> tuple[str | int, ...] | None:
    """The path in the chart's values that a field names in these blocks; None if it names something else."""
    if _NAMED.fullmatch(field) is None or any(block.word in ("define", "block") for block in stack):
        return None
    steps = [step for step in field.removeprefix("$").split(".") if step]
    if not field.startswith("$"):
        for depth in range(len(stack) - 1, -1, -1):
            block = stack[depth]
            if block.word == "range":
                return None
            if block.word == "with":
                outer = resolved(block.of, stack[:depth])
                return (*outer, *steps) if outer is not None else None
    return tuple(steps[1:]) if steps[:1] == ["Values"] else None
