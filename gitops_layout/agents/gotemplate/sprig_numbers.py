"""Sprig's functions on numbers (github.com/Masterminds/sprig/v3 v3.3.0, spf13/cast v1.7.1)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

from gitops_layout.agents.gotemplate.errors import FunctionError
from gitops_layout.agents.gotemplate.signature import Function
from gitops_layout.agents.gotemplate.values import MAX_SIZE, Int64, IntList, text_of
from gitops_layout.patterns import regexp

__all__ = ["NUMBERS", "to_int"]

_INTEGER = regexp(
    r"[+-]?(0[xX](_?[0-9a-fA-F])+|0[oO](_?[0-7])+|0[bB](_?[01])+|0(_?[0-7])*|[1-9](_?[0-9])*)\Z"
)
_FLOAT = regexp(r"[+-]?([0-9]++\.?[0-9]*+|\.[0-9]++)([eE][+-]?[0-9]+)?\Z")


def _wrap64(value: int) -> Int64:
    return Int64((value + 2**63) % 2**64 - 2**63)


def to_int(value: Any) -> int:
    """spf13/cast's ToInt64 (v1.7.1): what is no number is 0, a fraction is cut off."""
    match value:
        case bool() | int():
            return int(value)
        case float():
            return int(value) if math.isfinite(value) and abs(value) < 2**63 else -(2**63)
        case str():
            return _int_of_text(value)
        case _:
            return 0


def _int_of_text(text: str) -> int:
    whole, point, zeros = text.partition(".")
    if point and whole and zeros and not zeros.strip("0"):
        text = whole
    if not _INTEGER.match(text):
        return 0
    digits = text.replace("_", "")
    plain = digits.lstrip("+-")
    value = int(digits, 8) if len(plain) > 1 and plain[0] == "0" and plain.isdigit() else int(digits, 0)
    return value if -(2**63) <= value < 2**63 else 0


def to_float(value: Any) -> float:
    """spf13/cast's ToFloat64: what is no number is 0."""
    match value:
        case bool() | int() | float():
            return float(value)
        case str() if _FLOAT.match(value):
            return float(value)
        case _:
            return 0.0


def _arithmetic(do: Callable[[int, int], int]) -> Callable[..., Int64]:
    def fold(*values: Any) -> Int64:
        total = to_int(values[0])
        for value in values[1:]:
            total = _wrap64(do(total, to_int(value)))
        return _wrap64(total)

    return fold


def _div(one: int, other: int) -> int:
    if other == 0:
        raise FunctionError("runtime error: integer divide by zero")
    quotient = abs(one) // abs(other)
    return quotient if (one < 0) == (other < 0) else -quotient


def _decimals(do: Callable[[Decimal, Decimal], Decimal]) -> Callable[..., float]:
    """Arithmetic of floats as shopspring/decimal does it: exact in decimal, division to 16 places."""

    def fold(*values: Any) -> float:
        with localcontext() as context:
            context.prec = 400
            total = Decimal(repr(to_float(values[0])))
            for value in values[1:]:
                total = do(total, Decimal(repr(to_float(value))))
            return float(total) + 0.0  # decimals know no negative zero

    return fold


def _decimal_div(one: Decimal, other: Decimal) -> Decimal:
    if not other:
        raise FunctionError("decimal division by 0")
    return (one / other).quantize(Decimal(10) ** -16, ROUND_HALF_UP)


def _round(value: Any, places: int, *rounding: float) -> float:
    limit = rounding[0] if rounding else 0.5
    power = math.pow(10, places) if abs(places) < 300 else math.inf
    digit = power * to_float(value)
    if not math.isfinite(digit) or not power:
        raise FunctionError("the number of places is out of range", limit=True)
    return (math.ceil(digit) if math.modf(digit)[0] >= limit else math.floor(digit)) / power


def _until(start: int, stop: int, step: int) -> IntList:
    if (stop < start and step >= 0) or (stop >= start and step <= 0):
        return IntList()
    if abs(stop - start) // abs(step) > MAX_SIZE:
        raise FunctionError("the result is too large", limit=True)
    return IntList(range(start, stop, step))


def _seq(*bounds: int) -> str:
    match bounds:
        case (end,):
            start, step, end = 1, -1 if end < 1 else 1, end
        case (start, end):
            step = -1 if end < start else 1
        case (start, step, end):
            if end < start and step > 0:
                return ""
            return " ".join(map(str, _until(start, end + (-1 if end < start else 1), step)))
        case _:
            return ""
    return " ".join(map(str, _until(start, end + step, step)))


def _octal(value: Any) -> Int64:
    text = text_of(value)
    valid = re.fullmatch(r"[+-]?[0-7]+", text) is not None
    number = int(text, 8) if valid else 0
    return Int64(number if -(2**63) <= number < 2**63 else 0)


NUMBERS: dict[str, Function] = {
    "atoi": Function("s", lambda text: int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else 0),
    "int64": Function("a", lambda value: Int64(to_int(value))),
    "int": Function("a", to_int),
    "float64": Function("a", to_float),
    "toDecimal": Function("a", _octal),
    "seq": Function("i*", _seq),
    "until": Function("i", lambda count: _until(0, count, -1 if count < 0 else 1)),
    "untilStep": Function("iii", _until),
    "add1": Function("a", lambda value: _wrap64(to_int(value) + 1)),
    "add": Function("a*", lambda *values: _arithmetic(int.__add__)(0, *values)),
    "sub": Function("aa", _arithmetic(int.__sub__)),
    "div": Function("aa", _arithmetic(_div)),
    "mod": Function("aa", _arithmetic(lambda one, other: one - other * _div(one, other))),
    "mul": Function("aa*", _arithmetic(int.__mul__)),
    "max": Function("aa*", _arithmetic(max)),
    "biggest": Function("aa*", _arithmetic(max)),
    "min": Function("aa*", _arithmetic(min)),
    "maxf": Function("aa*", lambda *values: max(map(to_float, values))),
    "minf": Function("aa*", lambda *values: min(map(to_float, values))),
    "add1f": Function("a", lambda value: _decimals(Decimal.__add__)(value, 1)),
    "addf": Function("a*", lambda *values: _decimals(Decimal.__add__)(0, *values)),
    "subf": Function("aa*", _decimals(Decimal.__sub__)),
    "mulf": Function("aa*", _decimals(Decimal.__mul__)),
    "divf": Function("aa*", _decimals(_decimal_div)),
    "ceil": Function("a", lambda value: float(math.ceil(to_float(value)))),
    "floor": Function("a", lambda value: float(math.floor(to_float(value)))),
    "round": Function("aif*", _round),
}
