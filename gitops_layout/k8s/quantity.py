"""Quantities: `100m`, `2Gi`, `1e3` (apimachinery: pkg/api/resource/quantity.go, ParseQuantity)."""

from __future__ import annotations

import re
from fractions import Fraction

from gitops_layout.patterns import regexp

__all__ = ["quantity"]

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
