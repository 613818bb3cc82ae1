"""Go's fmt: `printf` and its verbs for the types that templates have."""

from __future__ import annotations

import re
from typing import Any

from gitops_layout.agents.gotemplate.errors import FunctionError
from gitops_layout.agents.gotemplate.quoting import quote, to_bytes
from gitops_layout.agents.gotemplate.values import (
    MAX_SIZE,
    float_digits,
    float_text,
    text_of,
    type_name,
)
from gitops_layout.patterns import regexp

__all__ = ["sprint", "sprintf", "sprintln"]

_VERB = regexp(r"%([-+# 0]*)(\*|[0-9]+)?(?:\.(\*|[0-9]*))?(\[[0-9]*\])?(.)?", re.DOTALL)
_MAX_WIDTH = 10_000


def sprint(*values: Any) -> str:
    """`fmt.Sprint`: a space between two operands where neither is a string."""
    parts: list[str] = []
    for index, value in enumerate(values):
        if index and not isinstance(value, str) and not isinstance(values[index - 1], str):
            parts.append(" ")
        parts.append(text_of(value))
    return "".join(parts)


def sprintln(*values: Any) -> str:
    """`fmt.Sprintln`: spaces between all operands and a newline."""
    return " ".join(map(text_of, values)) + "\n"


def sprintf(layout: str, *values: Any) -> str:
    """`fmt.Sprintf`, its complaints (`%!d(string=x)`) included. Raises FunctionError for `*` and `[n]`."""
    used = 0

    def verb(found: re.Match[str]) -> str:
        nonlocal used
        flags, width, precision, indexed, letter = found.groups()
        if indexed or width == "*" or precision == "*":
            raise FunctionError(
                "* and [n] in a format are not evaluated here", unsupported="printf with * or [n]"
            )
        if letter is None:
            return "%!(NOVERB)"
        if letter == "%":
            return "%"
        if max(int(width or 0), int(precision or 0)) > _MAX_WIDTH:
            raise FunctionError(f"a width beyond {_MAX_WIDTH} is not evaluated here", limit=True)
        if used >= len(values):
            return f"%!{letter}(MISSING)"
        value = values[used]
        used += 1
        places = None if precision is None else int(precision or 0)
        return _formatted(letter, value, flags, int(width or 0), places)

    text = _VERB.sub(verb, layout)
    if len(text) > MAX_SIZE:
        raise FunctionError("the result is too large", limit=True)
    if used < len(values):
        extra = ", ".join("<nil>" if v is None else f"{type_name(v)}={text_of(v)}" for v in values[used:])
        text += f"%!(EXTRA {extra})"
    return text


def _formatted(letter: str, value: Any, flags: str, width: int, places: int | None) -> str:
    if value is None:
        return _padded("<nil>", flags, width) if letter == "v" else f"%!{letter}(<nil>)"
    if letter == "T":
        return _padded(type_name(value), flags, width)
    if isinstance(value, list | dict):

        def part(item: Any) -> str:
            return "<nil>" if item is None else _formatted(letter, item, flags, width, places)

        if isinstance(value, list):
            return f"[{' '.join(map(part, value))}]"
        return f"map[{' '.join(f'{part(key)}:{part(value[key])}' for key in sorted(value))}]"
    if "#" in flags or (letter == "q" and "+" in flags):
        raise FunctionError(
            "the flags # and + of this verb are not evaluated here", unsupported="printf flags"
        )
    text = _scalar(letter, value, flags, places)
    if text is None:
        return f"%!{letter}({type_name(value)}={_formatted('v', value, flags, width, places)})"
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return _padded(text, flags, width, numeric=numeric)


def _padded(text: str, flags: str, width: int, *, numeric: bool = False) -> str:
    if "-" in flags:
        return text.ljust(width)
    if "0" not in flags or width <= len(text):
        return text.rjust(width)
    if numeric and text[:1] in "+- ":
        return text[0] + text[1:].rjust(width - 1, "0")
    return text.rjust(width, "0")


def _scalar(letter: str, value: Any, flags: str, places: int | None) -> str | None:
    """One value without its padding; None where the verb does not fit it."""
    match value:
        case str():
            return _string(letter, value, places)
        case bool():
            return text_of(value) if letter in "tv" else None
        case int():
            text = _integer(letter, int(value), places)
        case float():
            text = _float(letter, value, places)
        case _:
            return text_of(value)
    if text is not None and text[:1] != "-" and letter not in "qc":
        return ("+" if "+" in flags else " " if " " in flags else "") + text
    return text


def _string(letter: str, value: str, places: int | None) -> str | None:
    cut = value if places is None else value[:places]
    if letter in "sv":
        return cut
    if letter == "q":
        return quote(cut)
    if letter in "xX":
        data = to_bytes(value)[:places].hex()
        return data.upper() if letter == "X" else data
    return None


def _integer(letter: str, value: int, places: int | None) -> str | None:
    bases = {"d": "d", "v": "d", "x": "x", "X": "X", "o": "o", "b": "b"}
    if letter in bases:
        if places == 0 and value == 0:
            return ""
        digits = format(abs(value), bases[letter]).rjust(places or 0, "0")
        return f"-{digits}" if value < 0 else digits
    if letter == "c" and 0 <= value <= 0x10FFFF:
        return chr(value)
    if letter == "U" or letter in "qO":
        raise FunctionError(f"%{letter} of a number is not evaluated here", unsupported=f"printf %{letter}")
    return None


def _float(letter: str, value: float, places: int | None) -> str | None:
    match letter:
        case "v" | "g" if places is None:
            return float_text(value)
        case "f" | "F":
            return f"{value:.{6 if places is None else places}f}"
        case "e" | "E":
            if places is None:
                places = 6
            return f"{value:.{places}{letter}}"
        case "g" | "G" | "v":
            if places is None:
                return float_text(value).upper()
            return _shortened(value, max(places, 1), letter)
        case "b" | "x" | "X":
            raise FunctionError(
                f"%{letter} of a float is not evaluated here", unsupported=f"printf %{letter}"
            )
        case _:
            return None


def _shortened(value: float, places: int, letter: str) -> str:
    """`%.3g`: that many digits; an exponent where it is below -4 or not below the digits there are."""
    rounded = float(f"{value:.{places - 1}e}")
    _, digits, exponent = float_digits(rounded)
    limit = len(digits) if places > len(digits) and len(digits) >= exponent + 1 else places
    text = float_text(rounded, limit=limit)
    return text.upper() if letter == "G" else text
