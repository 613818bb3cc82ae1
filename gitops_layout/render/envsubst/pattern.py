"""The envsubst module's shell patterns (`*`, `?`, `[…]`, `\\c`), on bytes, with a bound on their cost.

It tries every prefix of a value with a matcher that is Go's `path.Match` with a `*` that takes slashes too:
a pattern that is malformed counts as such only where the matcher comes to the malformed part.
"""

from __future__ import annotations

from gitops_layout.render.envsubst.errors import ExpansionError, Reason

__all__ = ["prefix"]

MAX_STEPS = 1_000_000
"""Comparisons for one value; a second's work at most. Values are names and versions, not novels."""

_SPECIAL = frozenset(b"*?[\\")
_INVALID = (0xFFFD, 1)


class _MalformedError(Exception):
    """A pattern that the matcher cannot read on."""


class _Budget:
    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_STEPS

    def spend(self, copied: int = 0) -> None:
        self.left -= 1 + copied // 4096
        if self.left < 0:
            raise ExpansionError(Reason.COST)


def prefix(pattern: bytes, value: bytes, *, longest: bool) -> int:
    """How many bytes of the value's start the pattern matches: the fewest (but one), or the most; 0 for none."""
    if _SPECIAL.isdisjoint(pattern):
        return len(pattern) if value.startswith(pattern) else 0
    found, budget = 0, _Budget()
    try:
        for length in range(len(value), 0, -1):
            budget.spend(length)
            if _matches(pattern, value[:length], budget):
                found = length
                if longest:
                    break
    except _MalformedError:
        return 0
    return found


def _matches(pattern: bytes, name: bytes, budget: _Budget) -> bool:
    while pattern:
        star, chunk, pattern = _chunk(pattern)
        if star and not chunk:
            return True
        rest = _step(chunk, name, budget)
        if rest is None or not (not rest or pattern):
            rest = _later(chunk, name, bool(pattern), budget) if star else None
        if rest is None:
            return False
        name = rest
    return not name


def _later(chunk: bytes, name: bytes, more: bool, budget: _Budget) -> bytes | None:
    """What is left where the chunk matches further on; where it is the last one, nothing may be."""
    for skipped in range(1, len(name) + 1):
        budget.spend(len(name) - skipped)
        rest = _step(chunk, name[skipped:], budget)
        if rest is not None and (more or not rest):
            return rest
    return None


def _chunk(pattern: bytes) -> tuple[bool, bytes, bytes]:
    """Leading stars, then everything up to the next star that stands in no class; and the rest."""
    body = pattern.lstrip(b"*")
    at, within = 0, False
    while at < len(body):
        char = body[at : at + 1]
        if char == b"\\":
            at += 1
        elif char == b"[":
            within = True
        elif char == b"]":
            within = False
        elif char == b"*" and not within:
            break
        at += 1
    return len(body) < len(pattern), body[:at], body[at:]


def _step(chunk: bytes, name: bytes, budget: _Budget) -> bytes | None:
    """What of `name` is left behind a chunk without stars, None where it does not match."""
    while chunk:
        budget.spend()
        if not name:
            return None
        match chunk[:1]:
            case b"[":
                rune, width = _rune(name)
                name = name[width:]
                inside, chunk = _class(chunk[1:], rune)
                if not inside:
                    return None
                continue
            case b"?":
                name, chunk = name[_rune(name)[1] :], chunk[1:]
                continue
            case b"\\":
                chunk = chunk[1:]
                if not chunk:
                    raise _MalformedError
        if chunk[0] != name[0]:
            return None
        name, chunk = name[1:], chunk[1:]
    return name


def _class(chunk: bytes, rune: int) -> tuple[bool, bytes]:
    """Whether a class takes a character, and the pattern behind the class."""
    negated = chunk[:1] == b"^"
    chunk, found, first = chunk[negated:], False, True
    while first or chunk[:1] != b"]":
        first = False
        low, chunk = _bound(chunk)
        high = low
        if chunk[:1] == b"-":
            high, chunk = _bound(chunk[1:])
        found = found or low <= rune <= high
    return found != negated, chunk[1:]


def _bound(chunk: bytes) -> tuple[int, bytes]:
    """One end of a range; a class may not end behind it."""
    if chunk[:1] in (b"", b"-", b"]"):
        raise _MalformedError
    if chunk[:1] == b"\\":
        chunk = chunk[1:]
        if not chunk:
            raise _MalformedError
    rune, width = _rune(chunk)
    if (rune, width) == _INVALID or len(chunk) == width:
        raise _MalformedError
    return rune, chunk[width:]


def _rune(data: bytes) -> tuple[int, int]:
    """The first character's code point and width; a byte that starts none is U+FFFD, one wide."""
    lead = data[0]
    if lead < 0x80:
        return lead, 1
    width = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    try:
        return ord(data[:width].decode()), width
    except (UnicodeDecodeError, TypeError):
        return _INVALID
