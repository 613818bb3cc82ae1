"""Single changes of a YAML document as replacements of text: formatting and comments stay as they are.

Each is tried on the text and read again before it counts: what would not give exactly the data that was meant is no
edit. Nothing here guesses; whoever gets None leaves the change to people.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from gitops_layout.source.reader import read
from gitops_layout.source.typing import plain

if TYPE_CHECKING:
    from gitops_layout.model import Path
    from gitops_layout.source.document import Document, Node

__all__ = ["Do", "Replacement", "edit"]

Do = Literal["remove", "replace", "rename", "set"]
Replacement = tuple[int, int, str]
"""Code points `start` to `end` (exclusive) of the file's text, and what takes their place."""

_ABSENT = object()
_HEAVIEST = 200_000
"""Values of a document, aliases counted as what they stand for, that are still copied to try an edit."""


def edit(document: Document, do: Do, path: Path, value: Any = None) -> Replacement | None:
    """The replacement that removes the key or item at `path`, writes another scalar there, calls its key otherwise,
    or sets it whether it is there or not; None where that cannot be done without touching anything else.
    """
    if document.node.weight > _HEAVIEST:
        return None
    wanted = _changed(document.data, do, path, value)
    if wanted is _ABSENT or not path:
        return None
    if do == "remove":
        made = _removed(document, path)
    elif do == "rename":
        made = _renamed(document, path, str(value))
    elif _exists(document, path):
        made = _replaced(document, path, value)
    else:
        made = _inserted(document, path, value) if do == "set" else None
    return made if made is not None and _holds(document, made, wanted) else None


def _holds(document: Document, made: Replacement, wanted: Any) -> bool:
    start, end, text = made
    whole = document.source.text
    stream = read(f"{whole[:start]}{text}{whole[end:]}", document.file)
    if stream.problems or len(stream.documents) <= document.index:
        return False
    return json.dumps(stream.documents[document.index].data, default=str) == json.dumps(wanted, default=str)


def _changed(data: Any, do: Do, path: Path, value: Any) -> Any:
    """The data as it is meant to be afterwards; `_ABSENT` where the change means nothing."""
    tree = _copied(data)
    target = tree
    for depth, step in enumerate(path[:-1]):
        below = _child(target, step)
        if below is None and do == "set" and isinstance(target, dict):
            target[step] = below = {}
        if not isinstance(below, dict | list):
            return _ABSENT
        if do == "remove" and len(below) == 1 and isinstance(below, dict) and depth > 0:
            return _changed(data, do, path[: depth + 1], value)
        target = below
    last = path[-1] if path else ""
    if do == "set" and isinstance(target, dict):
        target[last] = value
        return tree
    if _child(target, last, _ABSENT) is _ABSENT:
        return _ABSENT
    if do == "remove":
        del target[last]
    elif do == "replace":
        target[last] = value
    elif isinstance(target, dict) and value not in target:
        items = [(value if key == last else key, item) for key, item in target.items()]
        target.clear()
        target.update(items)
    else:
        return _ABSENT
    return tree


def _copied(data: Any) -> Any:
    """A copy in which nothing is shared: an edit at an anchor also changes what its aliases say, and must be seen to."""
    if isinstance(data, dict):
        return {key: _copied(item) for key, item in data.items()}
    return [_copied(item) for item in data] if isinstance(data, list) else data


def _child(data: Any, step: str | int, default: Any = None) -> Any:
    if isinstance(data, dict):
        return data.get(step, default)
    if isinstance(data, list) and isinstance(step, int) and 0 <= step < len(data):
        return data[step]
    return default


def _exists(document: Document, path: Path) -> bool:
    data = document.data
    for step in path:
        data = _child(data, step, _ABSENT)
    return data is not _ABSENT


def _at(document: Document, path: Path) -> Node | None:
    node: Node | None = document.node
    for step in path:
        node = node.child(step) if node is not None else None
    return node


def _replaced(document: Document, path: Path, value: Any) -> Replacement | None:
    node = _at(document, path)
    if node is None or node.items is not None:
        return None
    text = document.source.text
    span = document.span(path)
    if span.start == span.end:  # nothing stands there: after the colon
        return span.start, span.end, f" {_scalar(value)}"
    old = text[span.start : span.end]
    if isinstance(value, str) and old[:1] in ("'", '"') and old[:1] not in value and "\\" not in value:
        return span.start, span.end, f"{old[0]}{value}{old[0]}"
    return span.start, span.end, _scalar(value)


def _scalar(value: Any) -> str:
    """A value in one line: plain where that reads back as the same string."""
    simple = isinstance(value, str) and bool(value) and value == value.strip() and value.isprintable()
    if simple and plain(value, "kubectl") == value and not set(value) & set("{}[],&*#?|<>=!%@`\"'\\:"):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def _renamed(document: Document, path: Path, name: str) -> Replacement | None:
    parent, last = _at(document, path[:-1]), path[-1]
    key = parent.keys.get(last) if parent is not None and parent.keys and isinstance(last, str) else None
    if key is None:
        return None
    old = document.source.text[key.start : key.end].rstrip()
    quote = old[0] if old[:1] in ("'", '"') else ""
    return key.start, key.start + len(old), f"{quote}{name}{quote}" if quote else _scalar(name)


def _removed(document: Document, path: Path) -> Replacement | None:
    """What stands at `path`, and the maps that would be left empty by its going."""
    for depth in range(1, len(path) - 1):
        above = _at(document, path[: depth + 1])
        if above is not None and isinstance(above.items, dict) and len(above.items) == 1:
            return _removed(document, path[: depth + 1])
    parent, node = _at(document, path[:-1]), _at(document, path)
    if parent is None or node is None:
        return None
    text = document.source.text
    key = parent.keys.get(str(path[-1])) if parent.keys is not None else None
    start = key.start if key is not None else node.start
    if text[parent.start : parent.start + 1] in ("{", "["):
        return _out_of_flow(document, parent, path, start)
    line = text.rfind("\n", 0, start) + 1
    before = text[line:start].strip()
    if before and not (key is None and before == "-"):
        return None  # the first key of a list's item: its dash stays
    last = max(node.end, key.end if key is not None else 0)
    stop = start + len(text[start:last].rstrip())
    end = text.find("\n", stop)
    return line, len(text) if end < 0 else end + 1, ""


def _out_of_flow(document: Document, parent: Node, path: Path, start: int) -> Replacement | None:
    text = document.source.text
    span = document.span(path)
    rest = text[span.end :]
    gap = len(rest) - len(rest.lstrip(" "))
    if rest[gap : gap + 1] == ",":
        after = rest[gap + 1 :]
        return start, span.end + gap + 1 + len(after) - len(after.lstrip(" ")), ""
    head = text[parent.start : start].rstrip()
    return (parent.start + len(head) - 1, span.end, "") if head.endswith(",") else (start, span.end, "")


def _inserted(document: Document, path: Path, value: Any) -> Replacement | None:
    """New keys at the end of the deepest map that is there."""
    depth = next(n for n in range(len(path)) if not _exists(document, path[: n + 1]))
    node = _at(document, path[:depth])
    if node is None:
        return None
    nested = value
    for step in reversed(path[depth:]):
        nested = {step: nested}
    text = document.source.text
    span = document.span(path[:depth])
    if text[span.start : span.start + 1] == "{":
        body = text[span.start + 1 : span.end - 1]
        return (
            span.end - 1 - (len(body) - len(body.rstrip())),
            span.end - 1,
            f"{', ' if body.strip() else ''}{_flow(nested)[1:-1]}",
        )
    if isinstance(node.items, dict) and node.items and node.keys:
        first = document.span((*path[:depth], next(iter(node.items))), key=True)
        return _lines_after(text, span.end, nested, first.column - 1)
    if node.items is None and depth > 0 and document.span(path[:depth]).start == span.end:
        key = document.span(path[:depth], key=True)
        return _lines_after(text, key.end, nested, key.column + 1)
    return None


def _lines_after(text: str, place: int, nested: dict[str | int, Any], indent: int) -> Replacement:
    end = text.find("\n", place)
    ended = end >= 0
    at = end + 1 if ended else len(text)
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = "".join(f"{' ' * indent}{line}{newline}" for line in _block(nested))
    return at, at, lines if ended else f"{newline}{lines}".removesuffix(newline)


def _block(data: dict[str | int, Any], depth: int = 0) -> list[str]:
    lines = []
    for key, value in data.items():
        if isinstance(value, dict) and value:
            lines += [f"{'  ' * depth}{_scalar(key)}:", *_block(value, depth + 1)]
        else:
            lines.append(f"{'  ' * depth}{_scalar(key)}: {_scalar(value)}")
    return lines


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    return _scalar(value)
