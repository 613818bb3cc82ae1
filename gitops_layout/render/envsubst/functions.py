"""What each operator does to a value. Go's strings are bytes: so are lengths, positions and patterns here."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gitops_layout.patterns import regexp
from gitops_layout.render.envsubst.errors import ExpansionError, Reason
from gitops_layout.render.envsubst.pattern import prefix

__all__ = ["apply"]

_INTEGER = regexp(r"[+-]?[0-9]+")
_INT64 = range(-(2**63), 2**63)


def apply(operator: str, value: str, arguments: Sequence[str], limit: int) -> str:
    """The result for a value ("" where it is unset); none is longer than about `limit` characters.

    Raises ExpansionError for what would be, for patterns that cost too much, and where Go would crash.
    """
    match operator:
        case "," | "^" | ",," | "^^":
            return _cased(operator, value)
        case "#" if not arguments:
            return str(len(_bytes(value)))
        case "#" | "##":
            return _text(_without(_bytes(value), _bytes(arguments[0]), longest=operator == "##"))
        case "%" | "%%":
            turned = _without(_turned(value), _turned(arguments[0]), longest=operator == "%%")
            return _turned(_text(turned)).decode("utf-8", "surrogateescape")
        case ":":
            return _text(_substring(_bytes(value), arguments))
        case "/" | "//" | "/#" | "/%":
            return _replaced(operator, value, arguments, limit)
        case _:
            return value or "".join(arguments)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _runes(text: str) -> str:
    """The text as Go's runes: a byte that is no UTF-8 becomes the replacement character."""
    return re.sub("[\udc80-\udcff]", "\ufffd", text)


def _cased(operator: str, value: str) -> str:
    change = _lower if operator[0] == "," else _upper
    if len(operator) == 2:
        return "".join(map(change, _runes(value)))
    return change(_runes(value[:1])) + value[1:]


def _upper(char: str) -> str:
    """One character for one, as Go does it: `ß` stays."""
    return char.upper() if len(char.upper()) == 1 else char.title() if len(char.title()) == 1 else char


def _lower(char: str) -> str:
    return char.lower()[:1]


def _turned(text: str) -> bytes:
    return _runes(text)[::-1].encode()


def _without(value: bytes, pattern: bytes, *, longest: bool) -> bytes:
    length = prefix(pattern, value, longest=longest)
    return value[length:]


def _substring(value: bytes, arguments: Sequence[str]) -> bytes:
    """From a position, and of a length; a number that is none leaves the value as it is."""
    position = _number(arguments[0])
    if position is None:
        return value
    start = max(len(value) + position, 0) if position < 0 else position
    if len(arguments) == 1:
        return value[start:]
    length = _number(arguments[1])
    if length is None:
        return value
    if length < 0:
        return value[start : max(len(value) + length, start)]
    if start + length not in _INT64:
        raise ExpansionError(Reason.RANGE)
    return value[start : start + length]


def _number(text: str) -> int | None:
    if not _INTEGER.fullmatch(text) or len(text) > 40:
        return None
    number = int(text)
    return number if number in _INT64 else None


def _replaced(operator: str, value: str, arguments: Sequence[str], limit: int) -> str:
    old, new = arguments[0], arguments[1] if len(arguments) > 1 else ""
    match operator:
        case "/":
            return value.replace(old, new, 1)
        case "//":
            if value.count(old) * len(new) > limit:
                raise ExpansionError(Reason.SIZE)
            return value.replace(old, new)
        case "/#" if len(arguments) == 2 and value.startswith(old):
            return new + value[len(old) :]
        case "/%" if len(arguments) == 2 and value.endswith(old):
            return value[: len(value) - len(old)] + new
        case _:
            return value
