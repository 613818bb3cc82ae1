"""Sprig's functions on strings, numbers and types (github.com/Masterminds/sprig/v3 v3.3.0)."""

from __future__ import annotations

import hashlib
import math
import posixpath
import re
import unicodedata
import zlib
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

from gitops_layout.agents.gotemplate import encoding
from gitops_layout.agents.gotemplate.errors import FunctionError
from gitops_layout.agents.gotemplate.quoting import from_bytes, quote, to_bytes
from gitops_layout.agents.gotemplate.regex import compile_regex, quote_meta
from gitops_layout.agents.gotemplate.signature import Function
from gitops_layout.agents.gotemplate.values import (
    MAX_SIZE,
    Int64,
    IntList,
    StringList,
    StringMap,
    kind_name,
    text_of,
    type_name,
)

__all__ = ["TEXT", "lower", "strings_of"]

_INTEGER = re.compile(
    r"[+-]?(0[xX](_?[0-9a-fA-F])+|0[oO](_?[0-7])+|0[bB](_?[01])+|0(_?[0-7])*|[1-9](_?[0-9])*)\Z"
)
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\Z")
_SPACES = "\t\n\v\f\r \u0085\u00a0"


def bounded(text: str) -> str:
    """The text, if it is not too large to go on with."""
    if len(text) > MAX_SIZE:
        raise FunctionError("the result is too large", limit=True)
    return text


def _room(size: int) -> None:
    """Refuse a result of that size before it is built."""
    if size > MAX_SIZE:
        raise FunctionError("the result is too large", limit=True)


def lower(text: str) -> str:
    """Go's strings.ToLower: one character for one."""
    return "".join(c.lower() if len(c.lower()) == 1 else c.lower()[0] for c in text)


def upper(text: str) -> str:
    """Go's strings.ToUpper: one character for one, so `ß` stays."""
    return "".join(c.upper() if len(c.upper()) == 1 else c for c in text)


def _title(text: str) -> str:
    before = " "
    parts: list[str] = []
    for char in text:
        separator = not (before == "_" or before.isalpha() or before.isdecimal())
        if not before.isascii():
            separator = before.isspace()
        big = char.title()
        parts.append(big if separator and len(big) == 1 else char)
        before = char
    return "".join(parts)


def _cut(start: int, end: int, text: str) -> str:
    data = to_bytes(text)
    if start < 0:
        start, stop = 0, end
    elif end < 0 or end > len(data):
        stop = len(data)
    else:
        stop = end
    if not 0 <= start <= stop <= len(data):
        raise FunctionError(f"slice bounds out of range [{start}:{stop}]")
    return from_bytes(data[start:stop])


def _trunc(count: int, text: str) -> str:
    data = to_bytes(text)
    if count < 0 and len(data) + count > 0:
        return from_bytes(data[len(data) + count :])
    return from_bytes(data[:count]) if 0 <= count < len(data) else text


def _repeat(count: int, text: str) -> str:
    if count < 0:
        raise FunctionError("strings: negative Repeat count")
    _room(count * len(text))
    return text * count


def _replace(old: str, new: str, text: str) -> str:
    _room(len(text) + max(0, len(new) - len(old)) * text.count(old))
    return text.replace(old, new)


def _indent(count: int, text: str) -> str:
    _room((text.count("\n") + 1) * max(count, 0))
    if count < 0:
        raise FunctionError("strings: negative Repeat count")
    pad = " " * count
    return pad + text.replace("\n", f"\n{pad}")


def strings_of(value: Any) -> list[str]:
    """Sprig's strslice: every element as text, nils left out; one value is a list of one."""
    if isinstance(value, list):
        return [text_of(item) for item in value if item is not None]
    return [] if value is None else [text_of(value)]


def _join(separator: str, value: Any) -> str:
    parts = strings_of(value)
    _room(len(separator) * len(parts) + sum(map(len, parts)))
    return separator.join(parts)


def _split(separator: str, text: str) -> list[str]:
    return text.split(separator) if separator else list(text)


def _split_n(separator: str, count: int, text: str) -> StringMap:
    if count == 0:
        return StringMap()
    if not separator:
        parts = (
            list(text)
            if count < 0
            else [*text[: count - 1], *([text[count - 1 :]] if text[count - 1 :] else [])]
        )
    else:
        parts = text.split(separator, count - 1 if count > 0 else -1)
    return _numbered(parts)


def _numbered(parts: list[str]) -> StringMap:
    return StringMap({f"_{index}": part for index, part in enumerate(parts)})


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
    _room(abs(stop - start) // abs(step))
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


def _cat(*values: Any) -> str:
    return " ".join(text_of(value) for value in values if value is not None)


def _quoted(*values: Any) -> str:
    return " ".join(quote(text_of(value)) for value in values if value is not None)


def _squoted(*values: Any) -> str:
    return " ".join(f"'{text_of(value)}'" for value in values if value is not None)


def _nospace(text: str) -> str:
    return "".join(c for c in text if not (c in _SPACES or unicodedata.category(c) in ("Zs", "Zl", "Zp")))


def _work(expression: str, text: str, *_: Any) -> int:
    """What matching may take, in steps of the evaluator."""
    try:
        return len(compile_regex(expression).program) * len(text) // 16
    except FunctionError:
        return 0  # the call itself will say what is wrong


def _match(expression: str, text: str) -> bool:
    try:
        return compile_regex(expression).search(text) is not None
    except FunctionError as error:
        if error.limit or error.unsupported:
            raise
        return False  # sprig drops the error


def _find(expression: str, text: str) -> str:
    found = compile_regex(expression).search(text)
    return "" if found is None else text[found[0] : found[1]]


def _find_all(expression: str, text: str, count: int) -> StringList:
    return StringList(text[m[0] : m[1]] for m in compile_regex(expression).matches(text, count))


def _regex_replace(*, literal: bool) -> Callable[[str, str, str], str]:
    return lambda expression, text, new: bounded(
        compile_regex(expression).replace(text, new, literal=literal)
    )


def _regex_split(expression: str, text: str, count: int) -> StringList:
    compiled = compile_regex(expression)
    return StringList([""] if expression and not text and count else compiled.split(text, count))


def _base(path: str) -> str:
    stripped = path.rstrip("/")
    return stripped.rpartition("/")[2] if stripped else ("/" if path else ".")


def _clean(path: str) -> str:
    cleaned = posixpath.normpath(path) if path else "."
    return cleaned[1:] if cleaned.startswith("//") else cleaned


def _extension(path: str) -> str:
    _, dot, extension = path.rpartition("/")[2].rpartition(".")
    return dot + extension if dot else ""


def _digest(name: str) -> Callable[[str], str]:
    return lambda text: hashlib.new(name, to_bytes(text)).hexdigest()


_PATHS: dict[str, Function] = {
    "base": Function("s", _base),
    "dir": Function("s", lambda path: _clean(path[: path.rfind("/") + 1])),
    "clean": Function("s", _clean),
    "ext": Function("s", _extension),
    "isAbs": Function("s", lambda path: path.startswith("/")),
}
_REGEX: dict[str, Function] = {
    "regexFindAll": Function("ssi", _find_all, cost=_work),
    "regexFind": Function("ss", _find, cost=_work),
    "regexReplaceAll": Function("sss", _regex_replace(literal=False), cost=_work),
    "regexReplaceAllLiteral": Function("sss", _regex_replace(literal=True), cost=_work),
    "regexSplit": Function("ssi", _regex_split, cost=_work),
}

TEXT: dict[str, Function] = {
    **_PATHS,
    **{f"os{name[0].upper()}{name[1:]}": function for name, function in _PATHS.items()},
    **_REGEX,
    **{f"must{name[0].upper()}{name[1:]}": function for name, function in _REGEX.items()},
    "regexMatch": Function("ss", _match, cost=_work),
    "mustRegexMatch": Function(
        "ss", lambda expression, text: compile_regex(expression).search(text) is not None, cost=_work
    ),
    "regexQuoteMeta": Function("s", quote_meta),
    "hello": Function("", lambda: "Hello!"),
    "trunc": Function("is", _trunc),
    "trim": Function("s", lambda text: text.strip()),
    "upper": Function("s", upper),
    "lower": Function("s", lower),
    "title": Function("s", _title),
    "substr": Function("iis", _cut),
    "repeat": Function("is", _repeat),
    "trimall": Function("ss", lambda cut, text: text.strip(cut) if cut else text),
    "trimAll": Function("ss", lambda cut, text: text.strip(cut) if cut else text),
    "trimSuffix": Function("ss", lambda end, text: text.removesuffix(end)),
    "trimPrefix": Function("ss", lambda start, text: text.removeprefix(start)),
    "nospace": Function("s", _nospace),
    "contains": Function("ss", lambda part, text: part in text),
    "hasPrefix": Function("ss", lambda start, text: text.startswith(start)),
    "hasSuffix": Function("ss", lambda end, text: text.endswith(end)),
    "quote": Function("a*", _quoted),
    "squote": Function("a*", _squoted),
    "cat": Function("a*", _cat),
    "indent": Function("is", _indent),
    "nindent": Function("is", lambda count, text: "\n" + _indent(count, text)),
    "replace": Function("sss", _replace),
    "plural": Function("ssi", lambda one, many, count: one if count == 1 else many),
    "sha1sum": Function("s", _digest("sha1")),
    "sha256sum": Function("s", _digest("sha256")),
    "sha512sum": Function("s", _digest("sha512")),
    "adler32sum": Function("s", lambda text: str(zlib.adler32(to_bytes(text)))),
    "toString": Function("a", text_of),
    "split": Function("ss", lambda separator, text: _numbered(_split(separator, text))),
    "splitList": Function("ss", lambda separator, text: StringList(_split(separator, text))),
    "splitn": Function("sis", _split_n),
    "toStrings": Function("a", lambda value: StringList(strings_of(value))),
    "join": Function("sa", _join),
    "sortAlpha": Function("a", lambda value: StringList(sorted(strings_of(value), key=to_bytes))),
    "b64enc": Function("s", encoding.base64_encode),
    "b64dec": Function("s", encoding.base64_decode),
    "b32enc": Function("s", encoding.base32_encode),
    "b32dec": Function("s", encoding.base32_decode),
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
    "typeOf": Function("a", type_name),
    "typeIs": Function("sa", lambda name, value: name == type_name(value)),
    "typeIsLike": Function("sa", lambda name, value: type_name(value) in (name, f"*{name}")),
    "kindOf": Function("a", kind_name),
    "kindIs": Function("sa", lambda name, value: name == kind_name(value)),
}
