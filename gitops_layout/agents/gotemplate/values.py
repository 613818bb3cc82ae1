"""Go's values in Python's clothes: which type a value has, how `%v` prints it, when it is true.

What comes from JSON is str, bool, float (Go has no integers there), None, dict and list. A Python int
is Go's `int`; the small classes below are the other types that template functions tell apart.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from gitops_layout.agents.gotemplate.errors import FunctionError

__all__ = [
    "MAX_SIZE",
    "MISSING",
    "UNORDERED",
    "Int64",
    "IntList",
    "Missing",
    "NilList",
    "StringList",
    "StringMap",
    "Uint8",
    "UnorderedKeys",
    "float_digits",
    "float_text",
    "from_api",
    "from_json",
    "kind_name",
    "measure",
    "text_of",
    "truth",
    "type_name",
]

MAX_SIZE = 1 << 20
"""The most characters a text, and the most values a nested value, may have: an API server takes no more."""


class Missing:
    """The type of MISSING."""

    def __repr__(self) -> str:
        return "<no value>"


MISSING: Final = Missing()
"""Go's invalid reflect.Value: what an absent key yields. A JSON null is None and is not the same."""


class Int64(int):
    """Go's int64: what sprig's arithmetic returns, and what a parameter of type int refuses."""


class Uint8(int):
    """A byte of a string, as `index "abc" 0` yields it."""


class StringMap(dict[str, str]):
    """Go's map[string]string: labels, annotations, `values`, and what `split` returns."""


class StringList(list[str]):
    """Go's []string: path segments, and what `splitList` returns."""


class UnorderedKeys(StringList):
    """Several keys of a map as `keys` returns them: Go shuffles them, so their order must not show."""


UNORDERED: Final = "Go returns the keys of a map in random order; sort them with sortAlpha"


class IntList(list[int]):
    """Go's []int: what `until` returns."""


class NilList(list[Any]):
    """A nil []interface {}: empty, and JSON's null."""


def from_json(value: Any) -> Any:
    """A value as Go's encoding/json decodes it into an empty interface: every number is a float64."""
    match value:
        case bool() | str() | None:
            return value
        case int():
            return float(value)
        case dict():
            return {str(key): from_json(item) for key, item in value.items()}
        case list():
            return [from_json(item) for item in value]
        case _:
            return value


def from_api(value: Any) -> Any:
    """A value as Kubernetes decodes JSON into an empty interface: whole numbers are int64."""
    match value:
        case bool():
            return value
        case int():
            return Int64(value) if -(2**63) <= value < 2**63 else float(value)
        case dict():
            return {str(key): from_api(item) for key, item in value.items()}
        case list():
            return [from_api(item) for item in value]
        case _:
            return value


_TYPES: dict[type, tuple[str, str]] = {
    str: ("string", "string"),
    bool: ("bool", "bool"),
    int: ("int", "int"),
    Int64: ("int64", "int64"),
    Uint8: ("uint8", "uint8"),
    float: ("float64", "float64"),
    dict: ("map[string]interface {}", "map"),
    StringMap: ("map[string]string", "map"),
    list: ("[]interface {}", "slice"),
    NilList: ("[]interface {}", "slice"),
    StringList: ("[]string", "slice"),
    UnorderedKeys: ("[]string", "slice"),
    IntList: ("[]int", "slice"),
}


def type_name(value: Any) -> str:
    """Go's name of a value's type, as `%T` prints it."""
    return _TYPES.get(type(value), ("<nil>", "invalid"))[0]


def kind_name(value: Any) -> str:
    """Go's name of a value's kind."""
    return _TYPES.get(type(value), ("<nil>", "invalid"))[1]


def truth(value: Any) -> bool:
    """What `if` and `not` take a value for: zero, empty and nil are false."""
    return value is not MISSING and bool(value)


def float_digits(value: float) -> tuple[str, str, int]:
    """Sign, shortest digits and decimal exponent of the first digit: 1250.0 is ("", "125", 3)."""
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    text = "".join(map(str, digits))
    stripped = text.rstrip("0") or "0"
    assert isinstance(exponent, int)  # finite: JSON has no infinities
    return "-" if sign else "", stripped, 0 if stripped == "0" else len(text) - 1 + exponent


def float_text(value: float, *, limit: int = 6) -> str:
    """Go's `strconv.FormatFloat(value, 'g', -1, 64)`: an exponent below -4 or from `limit` on is written."""
    if value != value or value in (float("inf"), float("-inf")):
        return "NaN" if value != value else ("+Inf" if value > 0 else "-Inf")
    sign, digits, exponent = float_digits(value)
    if exponent < -4 or exponent >= limit:
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{fraction}e{exponent:+03d}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole, rest = digits[: exponent + 1].ljust(exponent + 1, "0"), digits[exponent + 1 :]
    return f"{sign}{whole}.{rest}" if rest else f"{sign}{whole}"


def text_of(value: Any) -> str:
    """A value as `%v` prints it; nil is `<nil>`, an absent one `<no value>`."""
    match value:
        case str():
            return value
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case int():
            return str(int(value))
        case float():
            return float_text(value)
        case list():
            return f"[{' '.join(text_of(item) for item in value)}]"
        case dict():
            return f"map[{' '.join(f'{key}:{text_of(value[key])}' for key in sorted(value))}]"
        case _:
            return "<no value>"


def measure(value: Any, *, limit: int = MAX_SIZE) -> int:
    """How much a value holds (values and characters), shared parts counted each time.

    Raises FunctionError beyond `limit`, so whoever measures first may then walk it: templates can
    build lists that hold themselves.
    """
    total = 0
    waiting = [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        total += 1
        if isinstance(item, str):
            total += len(item)
        elif isinstance(item, dict):
            total += sum(map(len, item))
            waiting += [(child, depth + 1) for child in item.values()]
        elif isinstance(item, list):
            waiting += [(child, depth + 1) for child in item]
        if total + len(waiting) > limit or depth > 100:
            raise FunctionError("the value is too large or too deep", limit=True)
    return total
