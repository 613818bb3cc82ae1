"""Quantities: `100m`, `2Gi`, `1e3` (apimachinery: pkg/api/resource/quantity.go, ParseQuantity)."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from gitops_layout.patterns import regexp

__all__ = ["canonical", "quantity"]

_FORM = regexp(r"([+-]?)([0-9]+\.?[0-9]*|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?", re.ASCII)
_SCALE = {
    "": Fraction(1),
    **{unit: Fraction(1, 1000**power) for power, unit in enumerate("mun", 1)},
    **{unit: Fraction(1000**power) for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Fraction(1024**power) for power, unit in enumerate("KMGTPE", 1)},
}
_DIGITS = 400
_EXPONENT = 40


def quantity(value: object) -> Fraction | None:
    """The exact amount that a string or number says; None where it is no quantity.

    Exponents beyond what the server can hold (it caps at 2^63) are cut: only their order matters.
    """
    if value == {}:
        return Fraction(0)  # a null in a map of quantities
    text = str(value).strip()
    found = _FORM.fullmatch(text) if len(text) <= _DIGITS and not isinstance(value, bool) else None
    if found is None:
        return None
    sign, digits, unit = found.groups()
    number = Fraction(digits if digits[-1] != "." else digits[:-1])
    if unit is not None and unit not in _SCALE:
        exponent = max(-_EXPONENT, min(_EXPONENT, int(unit[1:])))
        number *= Fraction(10) ** exponent
    else:
        number *= _SCALE[unit or ""]
    return -number if sign == "-" else number


def canonical(text: str) -> str:
    """A quantity as the server writes it: `1024Mi` as `1Gi`, `0.1` as `100m`; what is none stays (Quantity.String)."""
    amount = quantity(text)
    if amount is None:
        return text
    sign, amount = "-" if amount < 0 else "", abs(amount)
    if text.endswith("i") and amount.denominator == 1 and amount >= 1024:
        number, power = int(amount), 0
        while number % 1024 == 0 and power < 6:
            number, power = number // 1024, power + 1
        return f"{sign}{number}{('', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei')[power]}"
    exponent = next(
        (each for each in range(18, -12, -3) if (amount / Fraction(10) ** each).denominator == 1), -9
    )
    number = math.ceil(amount / Fraction(10) ** exponent)
    if re.search("[eE][+-]?[0-9]+$", text):
        return f"{sign}{number}e{exponent}" if exponent else f"{sign}{number}"
    return f"{sign}{number}{_DECIMAL[exponent]}" if number else "0"


_DECIMAL = {-9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}
