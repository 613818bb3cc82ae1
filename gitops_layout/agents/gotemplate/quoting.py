"""Go's string literals, both ways: what a quoted constant means, and how `%q` writes a string."""

from __future__ import annotations

import re

from gitops_layout.patterns import regexp

__all__ = ["from_bytes", "quote", "to_bytes", "unquote"]

_ESCAPE = regexp(
    r"\\(?:([abfnrtv\\'\"])|([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))|(\\)", re.DOTALL
)
_NAMED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_NAMES = {value: f"\\{name}" for name, value in _NAMED.items()}


def to_bytes(text: str) -> bytes:
    """A Go string's bytes; what was no UTF-8 is kept as it was."""
    return text.encode("utf-8", "surrogateescape")


def from_bytes(data: bytes) -> str:
    """The string of some bytes, cut anywhere: stray ones survive as lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


def unquote(literal: str) -> str:
    """The value of a Go string or character literal. Raises ValueError where Go refuses it."""
    mark, body = literal[0], literal[1:-1]
    if mark == "`":
        return body.replace("\r", "")

    def value(found: re.Match[str]) -> bytes:
        named, octal, byte, short, long, stray = found.groups()
        if stray or (named in ("'", '"') and named != mark):
            raise ValueError("invalid escape")
        if named:
            return _NAMED.get(named, named).encode()
        if octal or byte:
            number = int(octal, 8) if octal else int(byte, 16)
            if number > 255:
                raise ValueError("invalid escape")
            return bytes([number])
        number = int(short or long, 16)
        if number > 0x10FFFF or 0xD800 <= number < 0xE000:
            raise ValueError("invalid escape")
        return chr(number).encode()

    parts, position = [], 0
    for found in _ESCAPE.finditer(body):
        parts += [to_bytes(body[position : found.start()]), value(found)]
        position = found.end()
    return from_bytes(b"".join((*parts, to_bytes(body[position:]))))


def quote(text: str) -> str:
    """A string as Go's `%q` writes it."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if char.isprintable():
        return char
    if char in _NAMES:
        return _NAMES[char]
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
