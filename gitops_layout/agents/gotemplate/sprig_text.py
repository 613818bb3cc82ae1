"""Sprig's functions on strings, expressions, paths and types (github.com/Masterminds/sprig/v3 v3.3.0)."""

from __future__ import annotations

import hashlib
import posixpath
import unicodedata
import zlib
from collections.abc import Callable
from typing import Any

from gitops_layout.agents.gotemplate import encoding
from gitops_layout.agents.gotemplate.errors import FunctionError
from gitops_layout.agents.gotemplate.quoting import from_bytes, quote, to_bytes
from gitops_layout.agents.gotemplate.regex import compile_regex, quote_meta
from gitops_layout.agents.gotemplate.signature import Function
from gitops_layout.agents.gotemplate.values import (
    MAX_SIZE,
    StringList,
    StringMap,
    kind_name,
    text_of,
    type_name,
)

__all__ = ["TEXT", "lower", "strings_of"]

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
        return len(compile_regex(expression).program) * len(text) // 4
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
    "typeOf": Function("a", type_name),
    "typeIs": Function("sa", lambda name, value: name == type_name(value)),
    "typeIsLike": Function("sa", lambda name, value: type_name(value) in (name, f"*{name}")),
    "kindOf": Function("a", kind_name),
    "kindIs": Function("sa", lambda name, value: name == kind_name(value)),
}
