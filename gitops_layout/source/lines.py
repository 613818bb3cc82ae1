"""Plain block YAML read line by line: the common form of a manifest, five times as fast as by events.

Where every line is a comment, a key with a short value or a list item, one pattern a line tells all. It
*declines rather than guesses*: anchors, tags, escapes, values of several lines, keys that
stand twice, and whatever else the pattern does not know are left to libyaml. Both read the same data,
which the tests compare over everything they can find.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gitops_layout.patterns import regexp
from gitops_layout.source.typing import NotJsonError, plain, plain_key, text_key

if TYPE_CHECKING:
    from gitops_layout.source.typing import Mode

__all__ = ["by_lines"]

_MAX_LEVELS = 60
"""Deeper nesting is declined: libyaml's reader holds the limit, in its own words."""

_MAX_FLOWS = 20
"""The same for lists and mappings on one line."""

# Tabs, carriage returns, other control characters, and what libyaml takes for a line's end or refuses.
_UNUSUAL = regexp("[^\n -~\xa0-\u2027\u202a-\ud7ff]")

_QUOTED = r"\"[^\"\\]*\"|'[^']*'"
_FLOW_ITEM = regexp(
    rf"""
    (?:(?P<key>[A-Za-z_][\w./-]{{0,250}}+):\ ++)?
    (?:(?P<plain>[A-Za-z0-9_./][\w./+=@-]*+(?:\ [\w./+=@-]++)*+)|(?P<quoted>{_QUOTED})|(?P<open>[\[{{]))
    """,
    re.VERBOSE,
)
_LINE = regexp(
    rf"""
    (?P<indent>\ *+)
    (?P<dash>-(?=\ |\Z)\ *+)?
    (?:
        (?P<key>[A-Za-z0-9_./][\w./-]{{0,250}}+|"[^"\\]{{1,250}}"|'[^']{{1,250}}')
        :(?=\ |\Z)\ *+
    )?
    (?:
        (?P<plain>
            (?:[A-Za-z0-9_./$~+()^;=<\\]|-(?=[^ ]))
            (?:[^ :]++|:(?!\ |\Z)|\ ++(?!\Z|\#))*+
        )
      | (?P<quoted>{_QUOTED})
      | (?P<flow>[\[{{].*)
      | (?P<block>[|>]-?)
    )?
    \ *(?:(?<![^\ ])\#.*)?
    """,
    re.VERBOSE,
)
_REST = regexp(r" *(?:(?<= )#.*)?")
_FOLDS = regexp(r"(?<=[^\n])\n(\n*)(?=[^\n])")

_VALUE, _WAITS, _FLOW, _BLOCK, _NOTHING, _SEPARATOR = range(6)
"""What a line holds: a scalar, nothing yet, a flow collection, the head of a literal or folded text,
at most a comment, the end of a document."""


class _DeclinedError(Exception):
    pass


def by_lines(text: str, mode: Mode) -> list[Any] | None:
    """The data of every document that holds something, as libyaml's reader has it; None where that has to read.

    `text` ends with a line feed. Nothing is said of positions: a text that is read so has no fault.
    """
    if _UNUSUAL.search(text):
        return None
    try:
        return _documents(text.split("\n"), mode)
    except (_DeclinedError, NotJsonError):
        return None


@lru_cache(maxsize=16384)  # manifests repeat themselves: most lines were seen before
def _line(line: str, mode: Mode) -> tuple[int, int, str | None, int, Any]:
    """A line's column, the width of its dash with the blanks behind (0: none), its key, and what it holds."""
    found = _LINE.fullmatch(line)
    if found is None:
        raise _DeclinedError
    indent, dash, name, scalar, quoted, flow, block = found.groups()
    key: str | None = None
    if name is not None:
        key = name[1:-1] if name[0] in "\"'" else plain_key(name, mode)
        if key is None or key == "<<" or not (name[0] in "\"'" or text_key(name)):
            raise _DeclinedError
    holds: tuple[int, Any] = (_WAITS, None)
    if scalar is not None:
        holds = (_VALUE, plain(scalar, mode))
    elif quoted is not None:
        holds = (_VALUE, quoted[1:-1])
    elif flow is not None:
        value, end = _flow(flow, 0, mode)
        if not _REST.fullmatch(flow, end):
            raise _DeclinedError
        holds = (_FLOW, value)
    elif block is not None:
        holds = (_BLOCK, block)
    if key is None and dash is None:
        if holds[0] == _WAITS:
            holds = (_NOTHING, None)
        elif scalar == "---" and not indent:
            holds = (_SEPARATOR, None)
        else:
            raise _DeclinedError
    return len(indent), len(dash or ""), key, *holds


def _flow(text: str, at: int, mode: Mode, depth: int = 0) -> tuple[list[Any] | dict[str, Any], int]:
    """The list or mapping on one line that opens at `at`, and where it ends."""
    items: list[Any] = []
    pairs: dict[str, Any] = {}
    is_map = text[at] == "{"
    close = "}" if is_map else "]"
    at = _behind_blanks(text, at + 1)
    if depth > _MAX_FLOWS:
        raise _DeclinedError
    while text[at : at + 1] != close or items:
        value: Any
        found = _FLOW_ITEM.match(text, at)
        if found is None or (found["key"] is None) == is_map:
            raise _DeclinedError
        at = found.end()
        if found["open"] is not None:
            value, at = _flow(text, at - 1, mode, depth + 1)
        else:
            value = plain(found["plain"], mode) if found["plain"] is not None else found["quoted"][1:-1]
        items.append(value)
        if is_map:
            key = plain_key(found["key"], mode)
            if key is None or key in pairs or not text_key(found["key"]):
                raise _DeclinedError
            pairs[key] = value
        at = _behind_blanks(text, at)
        if text[at : at + 1] == close:
            break
        if text[at : at + 1] != ",":
            raise _DeclinedError
        at = _behind_blanks(text, at + 1)
    return pairs if is_map else items, at + 1


def _behind_blanks(text: str, at: int) -> int:
    while text[at : at + 1] == " ":
        at += 1
    return at


def _copied(value: Any) -> Any:
    """Nothing is shared: each document has its own lists and mappings."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _documents(lines: list[str], mode: Mode) -> list[Any]:
    documents: list[Any] = []
    number, end = 0, len(lines)
    # The open mappings and lists with their columns, the innermost last; `slot` is the key or index in it
    # whose value may follow below.
    root: list[Any] = [None]
    stack: list[tuple[int, Any]] = [(-1, root)]
    slot: Any = 0
    while number < end:
        column, dash, key, kind, value = _line(lines[number], mode)
        number += 1
        if kind == _NOTHING:
            continue
        if kind == _SEPARATOR:
            documents += root
            root = [None]
            stack, slot = [(-1, root)], 0
            continue
        here, top = stack[-1]
        if column != here or dash or type(top) is not dict:  # else the next key of a mapping: most lines are
            top = _container(stack, column, slot, dash=dash > 0)
        if dash:
            slot = len(top)
            top.append(None)
            if key is not None:
                below: dict[str, Any] = {}
                top[slot] = below
                stack.append((column + dash, below))
                top = below
        if key is not None:
            if key in top:
                raise _DeclinedError
            slot = key
        if kind == _FLOW:
            value = _copied(value)
        elif kind == _BLOCK:
            value, number = _block(lines, number, stack[-1][0], value)
        top[slot] = value
        if kind != _WAITS:
            slot = None
    documents += root
    return [document for document in documents if document is not None]


def _container(stack: list[tuple[int, Any]], column: int, slot: Any, *, dash: bool) -> Any:
    """The mapping or list that a line in `column` belongs to: opened as the value of `slot`, or open already."""
    here, top = stack[-1]
    # A list may stand as far left as the key above it.
    if column > here or (dash and slot is not None and column == here and type(top) is dict):
        if slot is None or len(stack) > _MAX_LEVELS:
            raise _DeclinedError
        below: Any = [] if dash else {}
        top[slot] = below
        stack.append((column, below))
        return below
    while column < here:
        stack.pop()
        here, top = stack[-1]
    if not dash and type(top) is list and column == here:
        stack.pop()
        here, top = stack[-1]
    if column != here or type(top) is not (list if dash else dict):
        raise _DeclinedError
    return top


def _block(lines: list[str], start: int, column: int, head: str) -> tuple[str, int]:
    """The text below a key or dash in `column` with `head` (`|`, `>-`), and the number of the line behind it."""
    first = start
    while first < len(lines) and not lines[first].strip(" "):
        first += 1
    if first == len(lines):
        raise _DeclinedError
    width = len(lines[first]) - len(lines[first].lstrip(" "))
    if width <= column or any(len(line) > width for line in lines[start:first]):
        raise _DeclinedError
    prefix, number = " " * width, first
    while number < len(lines):
        line = lines[number]
        if not line.startswith(prefix) and line.strip(" "):
            break
        number += 1
    body = [line[width:] for line in lines[start:number]]
    if head[0] == ">" and any(line[:1] == " " for line in body):
        raise _DeclinedError  # lines that stand further right are not folded
    text = "\n".join(body).rstrip("\n")
    if head[0] == ">":
        text = _FOLDS.sub(lambda fold: fold[1] or " ", text)
    return (text if head[1:] else text + "\n"), number
