"""Plain scalars typed as the Go tools type them.

Two modes: `kubectl` is sigs.k8s.io/yaml (YAML 1.1 with go-yaml v2's exceptions; Argo CD reads so
too), `kustomize` is the go-yaml v3 of kustomize 5.8. Measured against kubectl 1.37.1 and
kustomize 5.8.1.
"""

from __future__ import annotations

import math
import struct
from functools import lru_cache
from typing import Literal

from gitops_layout.patterns import regexp

__all__ = ["Mode", "NotJsonError", "Scalar", "float_text", "plain", "plain_key", "text_key"]

Mode = Literal["kubectl", "kustomize"]
Scalar = str | int | float | bool | None

_NULLS = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_TRUTH: dict[str, Scalar] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_OLD_TRUTH: dict[str, Scalar] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_WORDS: dict[Mode, dict[str, Scalar]] = {
    "kubectl": {**_NULLS, **_TRUTH, **_OLD_TRUTH},
    "kustomize": {**_NULLS, **_TRUTH},
}
# A number starts with one of these; everything else that is no word is a string.
_NUMERIC_START = frozenset("0123456789+-.")
_FLOAT = regexp(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_INFINITE = regexp(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")
# Behind a leading point Go's own reader decides, and takes underscores between digits only.
_LOOSE_UNDERSCORE = regexp(r"(?<![0-9])_|_(?![0-9])")
# What go-yaml v3 may take for a time.
_DATE = regexp(r"\d{4}-\d\d?-\d\d?(\Z|[Tt ])")
_INT64 = range(-(2**63), 2**63)
_FLOAT32_END = (2 - 2**-24) * 2.0**127
_GO_INTEGERS = range(-(2**63), 2**64)


class NotJsonError(ValueError):
    """A scalar that YAML has and JSON has not (`.inf`, `.nan`)."""


@lru_cache(maxsize=8192)  # repositories repeat themselves: nine of ten scalars were seen before
def plain(text: str, mode: Mode) -> Scalar:
    """The value of an unquoted, untagged scalar. Raises NotJsonError for infinities and NaN.

    Whole floats come as integers, since JSON knows no difference: to kubectl up to 2^63, to kustomize to 2^64.
    """
    value = _resolve(text, mode)
    if isinstance(value, float) and value.is_integer():
        if int(value) in _INT64 and (mode == "kubectl" or value != _INT64.start):
            return int(value)
        if mode == "kustomize" and value > 0 and int(value) in _GO_INTEGERS:
            return _written(value)
    return value


def _written(value: float) -> int:
    """A float between 2^63 and 2^64 as kustomize writes it: the fewest digits, and zeros behind them."""
    mantissa, _, exponent = f"{value!r}e0".partition("e")
    whole, _, rest = mantissa.partition(".")
    return int(f"{whole}{rest}{'0' * (int(exponent.partition('e')[0]) - len(rest))}")


@lru_cache(maxsize=8192)
def plain_key(text: str, mode: Mode) -> str | None:
    """A mapping key's name after sigs.k8s.io/yaml made a string of it; None for null.

    Raises NotJsonError for a number that it makes no string of: one between 2^63 and 2^64.
    """
    if _INFINITE.match(text):
        return text.lower().removeprefix("+")
    if _unsigned(text):
        raise NotJsonError(text)
    match _resolve(text, mode):
        case bool() as truth:
            return "true" if truth else "false"
        case float() as number:
            return float_text(number)
        case None:
            return None
        case value:
            return str(value)


@lru_cache(maxsize=8192)
def text_key(name: str) -> bool:
    """Whether a mapping's key is a text to kustomize even without quotes. It makes nothing of an object with
    another one, and writes the keys that it adds without quotes.
    """
    if not name or name == "<<" or _DATE.match(name):
        return False
    try:
        return isinstance(_resolve(name, "kustomize"), str)
    except NotJsonError:
        return False


def _unsigned(text: str) -> bool:
    """Whether go-yaml reads a uint64, beyond what an int64 holds."""
    if not text or text[0] not in _NUMERIC_START:
        return False
    digits = text.replace("_", "")
    number = _integer(digits) if digits else None
    return number is not None and number in _GO_INTEGERS and number not in _INT64


def _resolve(text: str, mode: Mode) -> Scalar:
    words = _WORDS[mode]
    if text in words:
        return words[text]
    if text[0] not in _NUMERIC_START:
        return text
    if _INFINITE.match(text):
        raise NotJsonError(text)
    if text[0] == "." and _LOOSE_UNDERSCORE.search(text):
        return text
    digits = text.replace("_", "")
    number = _integer(digits) if digits else None
    if number is None or number not in _GO_INTEGERS:
        return _real(digits, text)
    return number if number in _INT64 or mode == "kustomize" else float(number)


def _integer(digits: str) -> int | None:
    """Go's `strconv.ParseInt(s, 0, 64)`; None when it is no integer."""
    body = digits[1:] if digits[:1] in "+-" and len(digits) > 1 else digits
    try:
        if body[:1] == "0" and len(body) > 1:
            value = _prefixed(body)
        else:
            value = int(body) if body.isascii() and body.isdigit() else None
    except ValueError:
        return None
    if value is None:
        return None
    return -value if digits[0] == "-" else value


def _prefixed(body: str) -> int | None:
    base = {"x": 16, "o": 8, "b": 2}.get(body[1].lower())
    digits = body[2:] if base else body[1:]
    if not digits.isalnum():
        return None
    return int(digits, base or 8)


def _real(digits: str, text: str) -> float | str:
    if not _FLOAT.match(digits):
        return text
    value = float(digits)
    return text if math.isinf(value) else value


def float_text(value: float) -> str:
    """Go's `strconv.FormatFloat(value, 'g', -1, 32)`: the shortest text that reads as the same float32."""
    # Asked for by hand: the native format packs what is too large as infinity, the others raise.
    if abs(value) >= _FLOAT32_END:
        return "-.inf" if value < 0 else ".inf"
    wanted = struct.pack("f", value)
    shortest = next(t for p in range(17) if struct.pack("f", float(t := f"{value:.{p}e}")) == wanted)
    mantissa, _, exponent = shortest.partition("e")
    if -4 <= int(exponent) < 6:
        return f"{float(shortest):.15f}".rstrip("0").rstrip(".")
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{int(exponent):+03d}"
