"""Glob patterns as Argo CD reads them (github.com/gobwas/glob v1.0.0), in linear time.

`*` is any text without a separator, `**` any text, `?` one character that is no separator, `[a-z]` and
`[!a-z]` one of or none of these, `{a,b}` one of several patterns, a backslash takes the next character
as it is. Without separators `*` crosses everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

__all__ = ["alternatives", "matches"]

MAX_ALTERNATIVES = 100
MAX_LENGTH = 2_000

_STAR, _ALL, _ONE = "*", "**", "?"
_Step = str | tuple[str, frozenset[str] | str]


def matches(pattern: str, text: str, separators: str = "") -> bool:
    """Whether the whole text matches; a pattern that cannot be read matches nothing."""
    return any(_matches(steps, text, separators) for steps in _compiled(pattern))


@lru_cache(maxsize=1_000)
def _compiled(pattern: str) -> tuple[tuple[_Step, ...], ...]:
    if len(pattern) > MAX_LENGTH:
        return ()
    try:
        return tuple(tuple(_steps(alternative)) for alternative in alternatives(pattern))
    except ValueError:
        return ()


def alternatives(pattern: str) -> list[str]:
    """The patterns without braces that one with braces stands for. Raises ValueError for too many."""
    done: list[str] = []
    waiting = [pattern]
    while waiting:
        if len(done) + len(waiting) > MAX_ALTERNATIVES:
            raise ValueError("too many alternatives")
        text = waiting.pop()
        found = _braces(text)
        if found is None:
            done.append(text)
        else:
            start, commas, end = found
            bounds = [start, *commas, end]
            parts = [text[a + 1 : b] for a, b in pairwise(bounds)]
            waiting += [text[:start] + part + text[end + 1 :] for part in parts]
    return done


def _braces(text: str) -> tuple[int, list[int], int] | None:
    """The first outermost `{…}`: where it opens, its commas, where it closes. Raises ValueError if it does not."""
    commas: list[int] = []
    start, depth, index = -1, 0, 0
    while index < len(text):
        sign = text[index]
        if sign == "\\":
            index += 1
        elif sign == "{":
            start = index if depth == 0 else start
            depth += 1
        elif sign == "}" and depth:
            depth -= 1
            if depth == 0:
                return start, commas, index
        elif sign == "," and depth == 1:
            commas.append(index)
        index += 1
    if depth:
        raise ValueError("a brace is not closed")
    return None


def _steps(pattern: str) -> list[_Step]:
    found: list[_Step] = []
    index = 0
    while index < len(pattern):
        sign = pattern[index]
        if sign == "\\" and index + 1 < len(pattern):
            index += 1
            found.append(("is", pattern[index]))
        elif sign == "*":
            both = pattern.startswith("**", index)
            found.append(_ALL if both else _STAR)
            index += 1 if both else 0
        elif sign == "?":
            found.append(_ONE)
        elif sign == "[":
            end = pattern.find("]", index + 2)
            if end < 0:
                raise ValueError("a bracket is not closed")
            found.append(_class(pattern[index + 1 : end]))
            index = end
        else:
            found.append(("is", sign))
        index += 1
    return found


def _class(text: str) -> _Step:
    negated, body = text.startswith("!"), text.removeprefix("!")
    if len(body) == 3 and body[1] == "-":
        if body[0] > body[2]:
            raise ValueError("a range runs backwards")
        return ("out of" if negated else "in", body[0] + body[2])
    return ("none of" if negated else "one of", frozenset(body))


def _matches(steps: Sequence[_Step], text: str, separators: str) -> bool:
    states = _beyond(steps, {0})
    for sign in text:
        taken: set[int] = set()
        for state in states:
            if state == len(steps):
                continue
            step = steps[state]
            if step == _ALL or (step == _STAR and sign not in separators):
                taken.add(state)
            elif step not in (_ALL, _STAR) and _takes(step, sign, separators):
                taken.add(state + 1)
        states = _beyond(steps, taken)
        if not states:
            return False
    return len(steps) in states


def _takes(step: _Step, sign: str, separators: str) -> bool:
    match step:
        case str():
            return sign not in separators
        case ("is", str(one)):
            return sign == one
        case ("in", str(ends)):
            return ends[0] <= sign <= ends[1]
        case ("out of", str(ends)):
            return not ends[0] <= sign <= ends[1]
        case ("one of", signs):
            return sign in signs
        case (_, signs):
            return sign not in signs


def _beyond(steps: Sequence[_Step], states: set[int]) -> set[int]:
    """The states and those behind stars, which also stand for nothing."""
    found = set(states)
    for state in states:
        while state < len(steps) and steps[state] in (_STAR, _ALL):
            state += 1
            found.add(state)
    return found
