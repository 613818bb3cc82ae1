"""Go's regular expressions, in time linear in the text: a Pike machine that keeps RE2's preferences.

Python's `re` has another syntax and can take exponential time, and templates come from strangers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Literal

from gitops_layout.agents.gotemplate.errors import FunctionError
from gitops_layout.agents.gotemplate.regex_syntax import PERL, Parser, Part, Test
from gitops_layout.patterns import regexp
from gitops_layout.values import dataclass

__all__ = ["Regex", "compile_regex", "quote_meta", "searcher"]

_MAX_PROGRAM = 20_000
_MAX_STEPS = 2_000_000

Kind = Literal["test", "split", "jump", "save", "assert", "match"]


@dataclass(slots=True)
class _Step:
    """One instruction: what it does, its test or name, and where it leads (`first` is preferred)."""

    kind: Kind
    test: Test | None = None
    what: str = ""
    first: int = 0
    second: int = 0


def _emit(part: Part, program: list[_Step]) -> None:
    """Append the instructions of a part; each falls through to what follows."""
    if len(program) > _MAX_PROGRAM:
        raise FunctionError("the expression is too large", limit=True)
    match part.kind:
        case "test" | "assert":
            kind: Kind = "test" if part.kind == "test" else "assert"
            program.append(_Step(kind, part.test, part.what, first=len(program) + 1))
        case "all":
            for inner in part.parts:
                _emit(inner, program)
        case "group":
            program.append(_Step("save", second=2 * part.low, first=len(program) + 1))
            _emit(part.parts[0], program)
            program.append(_Step("save", second=2 * part.low + 1, first=len(program) + 1))
        case "any":
            _emit_any(part, program)
        case "repeat":
            _emit_repeat(part, program)


def _emit_any(part: Part, program: list[_Step]) -> None:
    ends: list[_Step] = []
    for inner in part.parts[:-1]:
        split = _Step("split", first=len(program) + 1)
        program.append(split)
        _emit(inner, program)
        end = _Step("jump")
        program.append(end)
        ends.append(end)
        split.second = len(program)
    _emit(part.parts[-1], program)
    for end in ends:
        end.first = len(program)


def _emit_repeat(part: Part, program: list[_Step]) -> None:
    inner = part.parts[0]
    for _ in range(part.low):
        _emit(inner, program)
    splits: list[_Step] = []

    def optional() -> int:
        start = len(program)
        split = _Step("split")
        splits.append(split)
        program.append(split)
        _emit(inner, program)
        setattr(split, "first" if part.greedy else "second", start + 1)
        return start

    if part.high is None:
        start = optional()
        program.append(_Step("jump", first=start))
    else:
        for _ in range(part.high - part.low):
            optional()
    for split in splits:
        setattr(split, "second" if part.greedy else "first", len(program))


Saved = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Regex:
    """A compiled expression. Matching raises FunctionError when it would take too many steps."""

    program: tuple[_Step, ...]
    names: tuple[str, ...]

    def search(self, text: str, start: int = 0) -> Saved | None:
        """Start and end of the leftmost match from `start` on and of its groups, -1 where unset."""
        return _search(self.program, 2 * len(self.names), text, start)

    def matches(self, text: str, limit: int = -1) -> Iterator[Saved]:
        """Matches one after the other, as Go's FindAll takes them; at most `limit` unless negative."""
        position, last_end, count = 0, -1, 0
        while count != limit and position <= len(text):
            found = self.search(text, position)
            if found is None:
                return
            if found[1] == position:
                accept = found[0] != last_end
                position += 1
            else:
                accept, position = True, found[1]
            last_end = found[1]
            if accept:
                count += 1
                yield found

    def split(self, text: str, limit: int) -> list[str]:
        """Go's Regexp.Split."""
        if limit == 0:
            return []
        parts: list[str] = []
        begin = end = 0
        for found in self.matches(text, limit):
            if limit > 0 and len(parts) == limit - 1:
                break
            end = found[0]
            if found[1]:
                parts.append(text[begin:end])
            begin = found[1]
        if end != len(text):
            parts.append(text[begin:])
        return parts

    def replace(self, text: str, template: str, *, literal: bool) -> str:
        """Every match replaced; `$1`, `${name}` in the template stand for groups unless `literal`."""
        parts: list[str] = []
        position = 0
        for found in self.matches(text):
            parts.append(text[position : found[0]])
            parts.append(template if literal else self._expand(template, text, found))
            position = found[1]
        return "".join((*parts, text[position:]))

    def _expand(self, template: str, text: str, found: Saved) -> str:
        parts: list[str] = []
        before, dollar, rest = template.partition("$")
        parts.append(before)
        while dollar:
            if rest.startswith("$"):
                parts.append("$")
                rest = rest[1:]
            else:
                name, remaining = _reference(rest)
                if name:
                    parts.append(self._group(name, text, found))
                else:
                    parts.append("$")
                rest = remaining
            before, dollar, rest = rest.partition("$")
            parts.append(before)
        return "".join(parts)

    def _group(self, name: str, text: str, found: Saved) -> str:
        if name.isdigit():
            number = int(name) if len(name) < 9 else len(self.names)
        else:
            number = self.names.index(name) if name in self.names[1:] else len(self.names)
        if number >= len(self.names) or found[2 * number] < 0:
            return ""
        return text[found[2 * number] : found[2 * number + 1]]


def _reference(rest: str) -> tuple[str, str]:
    """The name after a `$` (longest run of word characters, or in braces) and what follows it."""
    braced = rest.startswith("{")
    body = rest[1:] if braced else rest
    size = next((i for i, c in enumerate(body) if not (c == "_" or c.isalnum())), len(body))
    if size == 0 or (braced and body[size : size + 1] != "}"):
        return "", rest
    return body[:size], body[size + braced :]


def _search(program: tuple[_Step, ...], slots: int, text: str, start: int) -> Saved | None:
    steps = 0
    found: Saved | None = None
    threads: list[tuple[int, Saved]] = []
    for position in range(start, len(text) + 1):
        seen: set[int] = set()
        ready: list[tuple[int, Saved]] = []
        if found is None:
            threads.append((0, (-1,) * slots))
        for state, saved in threads:
            steps += _follow(program, state, (saved, position, text), seen, ready)
        if steps > _MAX_STEPS:
            raise FunctionError("the expression takes too long on this text", limit=True)
        threads = []
        char = text[position : position + 1]
        for state, saved in ready:
            step = program[state]
            if step.kind == "match":
                found = (saved[0], position, *saved[2:])
                break
            if char and step.test is not None and step.test(char):
                threads.append((step.first, saved))
        if found is not None and not threads:
            break
    return found


def _follow(
    program: tuple[_Step, ...],
    state: int,
    here: tuple[Saved, int, str],
    seen: set[int],
    ready: list[tuple[int, Saved]],
) -> int:
    """Go on from `state` without reading a character; add where it stops to `ready`, best first."""
    saved, position, text = here
    waiting = [(state, saved)]
    steps = 0
    while waiting:
        state, saved = waiting.pop()
        if state in seen:
            continue
        seen.add(state)
        steps += 1
        if state == 0:
            saved = (position, *saved[1:]) if saved[0] < 0 else saved
        step = program[state]
        match step.kind:
            case "jump":
                waiting.append((step.first, saved))
            case "split":
                waiting += [(step.second, saved), (step.first, saved)]
            case "save":
                changed = (*saved[: step.second], position, *saved[step.second + 1 :])
                waiting.append((step.first, changed))
            case "assert":
                if _holds(step.what, text, position):
                    waiting.append((step.first, saved))
            case _:
                ready.append((state, saved))
    return steps + 1


def _holds(what: str, text: str, position: int) -> bool:
    match what:
        case "start":
            return position == 0
        case "end":
            return position == len(text)
        case "line-start":
            return position == 0 or text[position - 1] == "\n"
        case "line-end":
            return position == len(text) or text[position] == "\n"
        case _:
            word = PERL["w"]
            before = position > 0 and word(text[position - 1])
            after = position < len(text) and word(text[position])
            return (before != after) == (what == "word")


@lru_cache(maxsize=128)
def compile_regex(text: str) -> Regex:
    """A Go regular expression. Raises FunctionError where Go refuses it, or where we lack something."""
    parser = Parser(text)
    program: list[_Step] = [_Step("jump", first=1)]
    _emit(parser.whole(), program)
    program.append(_Step("match"))
    return Regex(tuple(program), tuple(parser.names))


_ALIKE = regexp(r"(?:[\w/ ,@:=~-]\??|\\[./-]|\.[*+]?|[\^$]|\[[\w.-]+\][*+?]?|[()|](?![*+?{]))*+\Z")
"""What means the same in Python, and repeats no group."""
_MAX_REPETITIONS = 2
_MAX_TEXT = 256


@lru_cache(maxsize=1024)
def searcher(expression: str) -> Callable[[str], bool]:
    """Whether a Go expression is found in a text: by Python's far quicker engine where that says the same soon.

    Raises FunctionError as `compile_regex` does; a text that would take too many steps does not match.
    """
    exact = compile_regex(expression)
    repetitions = expression.count("*") + expression.count("+")
    quick = re.compile(expression) if _ALIKE.match(expression) and repetitions <= _MAX_REPETITIONS else None

    def found(text: str) -> bool:
        if quick is not None and len(text) <= _MAX_TEXT and "\n" not in text:
            return quick.search(text) is not None
        try:
            return exact.search(text) is not None
        except FunctionError:
            return False

    return found


def quote_meta(text: str) -> str:
    """The text with every character escaped that means something in an expression."""
    return "".join(f"\\{c}" if c in r"\.+*?()|[]{}^$" else c for c in text)
