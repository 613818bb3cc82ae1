"""Sprig's functions on lists and maps, defaults and JSON, and what of sprig is not evaluated offline."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from gitops_layout.agents.gotemplate.encoding import json_text, read_json
from gitops_layout.agents.gotemplate.errors import FunctionError
from gitops_layout.agents.gotemplate.mergo import merge
from gitops_layout.agents.gotemplate.signature import Function, refuse
from gitops_layout.agents.gotemplate.sprig_numbers import to_int
from gitops_layout.agents.gotemplate.values import (
    NilList,
    StringList,
    UnorderedKeys,
    kind_name,
    text_of,
    type_name,
)

__all__ = ["DATA", "UNSUPPORTED"]


def _items(value: Any, action: str) -> list[Any]:
    """The elements of a list of any type. Raises FunctionError for anything else."""
    if isinstance(value, list):
        return list(value)
    if value is None:
        raise FunctionError("runtime error: invalid memory address or nil pointer dereference")
    raise FunctionError(f"Cannot {action} type {kind_name(value)}")


def _same(one: Any, other: Any) -> bool:
    """reflect.DeepEqual: type and value."""
    if type_name(one) != type_name(other):
        return False
    if isinstance(one, NilList) != isinstance(other, NilList):
        return False
    match one:
        case list():
            return len(one) == len(other) and all(map(_same, one, other))
        case dict():
            return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
        case _:
            return bool(one == other)


def _pairs(one: Any, other: Any) -> int:
    """How many comparisons two lists take, in steps of the evaluator."""
    both = isinstance(one, list) and isinstance(other, list)
    return len(one) * len(other) // 8 if both else 0


def _without(value: Any, *omitted: Any) -> list[Any]:
    return [i for i in _items(value, "find without on") if not any(_same(i, other) for other in omitted)]


def _uniq(value: Any) -> list[Any]:
    kept: list[Any] = []
    for item in _items(value, "find uniq on"):
        if not any(_same(item, other) for other in kept):
            kept.append(item)
    return kept


def _has(needle: Any, value: Any) -> bool:
    return value is not None and any(_same(needle, item) for item in _items(value, "find has on"))


def _slice(value: Any, *bounds: Any) -> Any:
    items = _items(value, "slice")
    if not items:
        return None
    start = to_int(bounds[0]) if bounds else 0
    end = to_int(bounds[1]) if len(bounds) > 1 else len(items)
    if not 0 <= start <= end <= len(items):
        raise FunctionError("reflect.Value.Slice: slice index out of bounds")
    return type(value)(items[start:end])


def _concat(*values: Any) -> list[Any]:
    joined = [item for value in values for item in _items(value, "concat")]
    return joined or NilList()


def _first(value: Any) -> Any:
    items = _items(value, "find first on")
    return items[0] if items else None


def _last(value: Any) -> Any:
    items = _items(value, "find last on")
    return items[-1] if items else None


def _rest(value: Any) -> list[Any]:
    items = _items(value, "find rest on")
    return items[1:] if items else NilList()


def _initial(value: Any) -> list[Any]:
    items = _items(value, "find initial on")
    return items[:-1] if items else NilList()


def _chunk(size: int, value: Any) -> list[Any]:
    items = _items(value, "chunk")
    if size <= 0:
        raise FunctionError("makeslice: len out of range")
    return [items[start : start + size] for start in range(0, len(items), size)]


def _default(default: Any, *given: Any) -> Any:
    return given[0] if given and given[0] else default


def _coalesce(*values: Any) -> Any:
    return next((value for value in values if value), None)


def _from_json(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        return None  # sprig drops the error


def _must_from_json(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError as error:
        raise FunctionError(f"invalid JSON: {error}") from None


def _dict(*words: Any) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for index in range(0, len(words), 2):
        made[text_of(words[index])] = words[index + 1] if index + 1 < len(words) else ""
    return made


def _set(target: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    target[key] = value
    return target


def _unset(target: dict[str, Any], key: str) -> dict[str, Any]:
    target.pop(key, None)
    return target


def _keys(*maps: dict[str, Any]) -> StringList:
    found = [key for one in maps for key in one]
    return UnorderedKeys(found) if len(found) > 1 else StringList(found)


def _merge(override: bool) -> Any:
    def merged(target: dict[str, Any], *sources: dict[str, Any]) -> dict[str, Any]:
        for source in sources:
            merge(target, source, override=override)
        return target

    return merged


def _dig(*words: Any) -> Any:
    if len(words) < 3:
        raise FunctionError("dig needs at least three arguments")
    *path, default, found = words
    for key in path:
        if not isinstance(key, str):
            raise FunctionError(f"interface conversion: interface {{}} is {type_name(key)}, not string")
        if type(found) is not dict:
            name = "nil" if found is None else type_name(found)
            raise FunctionError(
                f"interface conversion: interface {{}} is {name}, not map[string]interface {{}}"
            )
        if key not in found:
            return default
        found = found[key]
    return found


def _fail(message: str) -> str:
    raise FunctionError(message)


_LISTS: dict[str, Function] = {
    "append": Function("aa", lambda value, item: [*_items(value, "push on"), item]),
    "push": Function("aa", lambda value, item: [*_items(value, "push on"), item]),
    "prepend": Function("aa", lambda value, item: [item, *_items(value, "prepend on")]),
    "first": Function("a", _first, cheap=True),
    "rest": Function("a", _rest, cheap=True),
    "last": Function("a", _last, cheap=True),
    "initial": Function("a", _initial, cheap=True),
    "reverse": Function("a", lambda value: _items(value, "find reverse on")[::-1]),
    "compact": Function("a", lambda value: [item for item in _items(value, "compact") if item]),
    "uniq": Function("a", _uniq, cost=lambda value: _pairs(value, value)),
    "without": Function("aa*", _without, cost=lambda value, *omitted: _pairs(value, list(omitted))),
    "has": Function("aa", _has),
    "slice": Function("aa*", _slice),
    "chunk": Function("ia", _chunk),
    "toJson": Function("a", json_text),
    "toPrettyJson": Function("a", lambda value: json_text(value, indent="  ")),
    "toRawJson": Function("a", lambda value: json_text(value, escape=False)),
    "merge": Function("dd*", _merge(override=False)),
    "mergeOverwrite": Function("dd*", _merge(override=True)),
    "deepCopy": Function("a", deepcopy),
}

DATA: dict[str, Function] = {
    **_LISTS,
    **{f"must{name[0].upper()}{name[1:]}": function for name, function in _LISTS.items()},
    "concat": Function("a*", _concat),
    "list": Function("a*", lambda *values: list(values)),
    "tuple": Function("a*", lambda *values: list(values)),
    "dict": Function("a*", _dict),
    "get": Function("ds", lambda source, key: source.get(key, ""), cheap=True),
    "set": Function("dsa", _set, cheap=True),
    "unset": Function("ds", _unset, cheap=True),
    "hasKey": Function("ds", lambda source, key: key in source, cheap=True),
    "pluck": Function("sd*", lambda key, *maps: [one[key] for one in maps if key in one], cheap=True),
    "keys": Function("d*", _keys),
    "pick": Function("ds*", lambda source, *names: {key: source[key] for key in names if key in source}),
    "omit": Function("ds*", lambda source, *names: {k: v for k, v in source.items() if k not in names}),
    "dig": Function("a*", _dig, cheap=True),
    "default": Function("aa*", _default, cheap=True),
    "empty": Function("a", lambda value: not value, cheap=True),
    "coalesce": Function("a*", _coalesce, cheap=True),
    "all": Function("a*", lambda *values: all(values), cheap=True),
    "any": Function("a*", lambda *values: any(values), cheap=True),
    "ternary": Function("aab", lambda yes, no, choice: yes if choice else no, cheap=True),
    "fromJson": Function("s", _from_json),
    "mustFromJson": Function("s", _must_from_json),
    "deepEqual": Function("aa", _same),
    "fail": Function("s", _fail),
}

_CLOCK = """
ago date date_in_zone date_modify dateInZone dateModify duration durationRound htmlDate htmlDateInZone
must_date_modify mustDateModify mustToDate now toDate unixEpoch
"""
_CHANCE = """
randAlphaNum randAlpha randAscii randNumeric randBytes randInt shuffle uuidv4 bcrypt htpasswd genPrivateKey genCA
genCAWithKey genSelfSignedCert genSelfSignedCertWithKey genSignedCert genSignedCertWithKey encryptAES
"""
_RARE = """
abbrev abbrevboth untitle initials swapcase snakecase camelcase kebabcase wrap wrapWith derivePassword
buildCustomCert decryptAES semver semverCompare urlParse urlJoin
"""

UNSUPPORTED: dict[str, Function] = {
    **{name: refuse(name, "it depends on the time") for name in _CLOCK.split()},
    **{name: refuse(name, "it draws random numbers") for name in _CHANCE.split()},
    **{name: refuse(name, "nobody was seen to use it in an ApplicationSet") for name in _RARE.split()},
    "values": refuse("values", "Go returns the values in random order"),
}
