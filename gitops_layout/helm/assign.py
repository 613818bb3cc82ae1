"""`path=value` as helm's `--set` reads it: what Flux does with a `targetPath`.

Facts: helm.sh/helm/v4/pkg/strvals (grammar, typing, bounds), checked against helm 4.3.1.
"""

from __future__ import annotations

from typing import Any

from gitops_layout.patterns import regexp
from gitops_layout.values import dataclass

__all__ = ["assign"]

_MAX_INDEX = 65536
_MAX_DEPTH = 30
_INTEGER = regexp(r"[+-]?[0-9]+")
_INT64 = range(-(2**63), 2**63)


def assign(values: dict[str, Any], text: str, *, strings: bool = False) -> None:
    """Write every `path=value` of the comma-separated `text` into `values`, in place.

    With `strings` a value stays text, else integers, booleans and null are recognised. Raises
    ValueError where helm refuses the text; what was written ahead of the mistake stays.
    """
    cursor = _Cursor(text, strings)
    while _key(cursor, values, 0):
        pass


@dataclass(slots=True)
class _Cursor:
    text: str
    strings: bool
    position: int = 0

    def until(self, stops: str) -> tuple[str, str | None]:
        """The text up to one of `stops` and that character, None at the end; a backslash escapes."""
        found: list[str] = []
        while (character := self.next()) is not None:
            if character in stops:
                return "".join(found), character
            if character == "\\":
                character = self.next()
                if character is None:
                    break
            found.append(character)
        return "".join(found), None

    def next(self) -> str | None:
        if self.position >= len(self.text):
            return None
        self.position += 1
        return self.text[self.position - 1]

    def peek(self) -> str | None:
        return self.text[self.position] if self.position < len(self.text) else None

    def typed(self, text: str) -> Any:
        if self.strings:
            return text
        words = {"true": True, "false": False, "null": None}
        if text.lower() in words:
            return words[text.lower()]
        if text == "0":
            return 0
        if _INTEGER.fullmatch(text) and text[0] != "0" and int(text) in _INT64:
            return int(text)
        return text


def _key(cursor: _Cursor, data: dict[str, Any], depth: int) -> bool:
    """Read one key with its value into `data`; False at the end of the text."""
    name, stop = cursor.until("=[,.")
    match stop:
        case None:
            if name:
                raise ValueError(f"key {name} has no value")
            return False
        case ",":
            raise ValueError(f"key {name} has no value")
        case "=":
            value, more = _value(cursor)
            _set(data, name, value)
            return more
        case "[":
            index, found = _index(cursor), data.get(name, [])
            if index is None:
                return False
            if not isinstance(found, list):
                raise ValueError(f"key {name} is no list")
            items, more = _item(cursor, found, index, depth)
            _set(data, name, items)
            return more
        case _:
            return _nested(cursor, data, name, depth + 1)


def _nested(cursor: _Cursor, data: dict[str, Any], name: str, depth: int) -> bool:
    if depth > _MAX_DEPTH:
        raise ValueError(f"more than {_MAX_DEPTH} levels")
    inner = data.get(name, {})
    if not isinstance(inner, dict):
        raise ValueError(f"key {name} is no map")
    more = _key(cursor, inner, depth)
    if more and not inner:
        raise ValueError(f"key {name} has no value")
    if inner:
        _set(data, name, inner)
    return more


def _set(data: dict[str, Any], name: str, value: Any) -> None:
    if name:
        data[name] = value


def _value(cursor: _Cursor) -> tuple[Any, bool]:
    """A value, a list where it starts with a brace; False where the text ends ahead of one."""
    if cursor.peek() is None:
        return "", False
    if cursor.peek() != "{":
        return cursor.typed(cursor.until(",")[0]), True
    cursor.next()
    items: list[Any] = []
    while True:
        text, stop = cursor.until(",}")
        if stop is None:
            raise ValueError("a list must end with '}'")
        items.append(cursor.typed(text))
        if stop == "}":
            if cursor.peek() == ",":
                cursor.next()
            return items, True


def _index(cursor: _Cursor) -> int | None:
    """The index up to the bracket; None where the text ends ahead of it, which helm takes for its end."""
    text, stop = cursor.until("]")
    if stop is None:
        return None
    if not _INTEGER.fullmatch(text) or not 0 <= int(text) <= _MAX_INDEX:
        raise ValueError(f"[{text} is no list index")
    return int(text)


def _item(cursor: _Cursor, items: list[Any], index: int, depth: int) -> tuple[list[Any], bool]:
    """Read the rest of a key after `[index]`; an existing list is written into, a longer one is a copy."""
    name, stop = cursor.until("[.=")
    if name:
        raise ValueError(f"unexpected {name} after a list index")
    present = items[index] if index < len(items) else None
    match stop:
        case None:
            return items, False
        case "=":
            return _put(items, index, _value(cursor)[0]), True
        case "[":
            nested, under = _index(cursor), present if present is not None else []
            if nested is None:
                return items, False
            if not isinstance(under, list):
                raise ValueError("a nested list index of what is no list")
            inner, more = _item(cursor, under, nested, depth)
            return _put(items, index, inner) if more else items, more
        case _:
            inner_map = present if isinstance(present, dict) else {}
            if index < len(items):
                items[index] = inner_map
            if not _key(cursor, inner_map, depth):
                return items, False
            return _put(items, index, inner_map), True


def _put(items: list[Any], index: int, value: Any) -> list[Any]:
    if index >= len(items):
        items = [*items, *[None] * (index + 1 - len(items))]
    items[index] = value
    return items
