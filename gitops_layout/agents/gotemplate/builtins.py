"""The functions that Go's text/template itself brings."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote as url_quote

from gitops_layout.agents.gotemplate.errors import FunctionError
from gitops_layout.agents.gotemplate.printing import sprint, sprintf, sprintln
from gitops_layout.agents.gotemplate.quoting import to_bytes
from gitops_layout.agents.gotemplate.signature import Function, refuse
from gitops_layout.agents.gotemplate.values import MISSING, StringMap, Uint8, text_of, truth, type_name

__all__ = ["BUILTINS"]

_HTML = str.maketrans({"\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"})


def _index(item: Any, *keys: Any) -> Any:
    if item is None or item is MISSING:
        raise FunctionError("index of untyped nil")
    for key in keys:
        if item is None:
            raise FunctionError("index of nil pointer")
        if isinstance(item, str | list):
            sequence: Any = to_bytes(item) if isinstance(item, str) else item
            at = _position(key, len(sequence))
            if at == len(sequence):
                raise FunctionError(f"index out of range: {at}")
            item = Uint8(sequence[at]) if isinstance(item, str) else sequence[at]
        elif isinstance(item, dict):
            if not isinstance(key, str):
                raise FunctionError(f"value has type {type_name(key)}; should be string")
            item = item.get(key, "" if isinstance(item, StringMap) else None)
        else:
            raise FunctionError(f"can't index item of type {type_name(item)}")
    return item


def _position(key: Any, end: int) -> int:
    if key is None or key is MISSING:
        raise FunctionError("cannot index slice/array with nil")
    if not isinstance(key, int) or isinstance(key, bool):
        raise FunctionError(f"cannot index slice/array with type {type_name(key)}")
    if not 0 <= key <= end:
        raise FunctionError(f"index out of range: {int(key)}")
    return int(key)


def _len(item: Any) -> int:
    if isinstance(item, str):
        return len(to_bytes(item))
    if isinstance(item, list | dict):
        return len(item)
    raise FunctionError(f"len of type {type_name(item)}")


def _basic(value: Any) -> str:
    """Which values compare with each other."""
    match value:
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float"
        case str():
            return "string"
        case _:
            return ""


def _eq(first: Any, *others: Any) -> bool:
    if not others:
        raise FunctionError("missing argument for comparison")
    return any(_same(first, other) for other in others)


def _same(one: Any, other: Any) -> bool:
    nothing = (one is None or one is MISSING, other is None or other is MISSING)
    if any(nothing):
        return all(nothing)
    kind = _basic(one)
    if kind != _basic(other):
        raise FunctionError(f"incompatible types for comparison: {type_name(one)} and {type_name(other)}")
    if not kind:
        raise FunctionError(f"non-comparable type {type_name(other)}")
    return bool(one == other)


def _less(one: Any, other: Any) -> bool:
    kind, second = _basic(one), _basic(other)
    if not kind or not second:
        raise FunctionError("invalid type for comparison")
    if kind != second:
        raise FunctionError(f"incompatible types for comparison: {type_name(one)} and {type_name(other)}")
    if kind == "bool":
        raise FunctionError("invalid type for comparison")
    return bool(to_bytes(one) < to_bytes(other) if kind == "string" else one < other)


def _at_most(one: Any, other: Any) -> bool:
    return _less(one, other) or _same(one, other)


def _never(*_: Any) -> Any:
    raise AssertionError("and, or are evaluated by the evaluator")


def _urlquery(*values: Any) -> str:
    text = values[0] if len(values) == 1 and isinstance(values[0], str) else sprint(*values)
    return url_quote(to_bytes(text), safe="-_.~ ").replace(" ", "+")


def _html(*values: Any) -> str:
    return sprint(*values).translate(_HTML) if values else text_of("")


BUILTINS: dict[str, Function] = {
    "and": Function("vv*", _never, lazy=True),
    "or": Function("vv*", _never, lazy=True),
    "not": Function("v", lambda value: not truth(value), cheap=True),
    "index": Function("vv*", _index, cheap=True),
    "len": Function("v", _len, cheap=True),
    "eq": Function("vv*", _eq, cheap=True),
    "ne": Function("vv", lambda one, other: not _same(one, other), cheap=True),
    "lt": Function("vv", _less, cheap=True),
    "le": Function("vv", _at_most, cheap=True),
    "gt": Function("vv", lambda one, other: not _at_most(one, other), cheap=True),
    "ge": Function("vv", lambda one, other: not _less(one, other), cheap=True),
    "print": Function("a*", sprint),
    "println": Function("a*", sprintln),
    "printf": Function("sa*", sprintf),
    "html": Function("a*", _html),
    "urlquery": Function("a*", _urlquery),
    "js": refuse("js", "no manifest needs JavaScript escapes"),
    "call": refuse("call", "parameters hold no functions"),
}
