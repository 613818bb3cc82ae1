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

Do = Literal["remove", "replace", "rename", "set", "add", "wrap", "single", "nest"]
Replacement = tuple[int, int, str]
"""Code points `start` to `end` (exclusive) of the file's text, and what takes their place."""

_ABSENT = object()
_HEAVIEST = 200_000
"""Values of a document, aliases counted as what they stand for, that are still copied to try an edit."""


def edit(document: Document, do: Do, path: Path, value: Any = None) -> Replacement | None:
    """The replacement that makes the change `do` (see model.Change) at `path`; None where that cannot be done without
    touching anything else.
    """
    if document.node.weight > _HEAVIEST:
        return None
    path = _with_emptied(document.data, path) if do == "remove" else path
    wanted = _changed(document.data, do, path, value)
    if wanted is _ABSENT or not path:
        return None
    made: Replacement | None
    if do == "remove":
        made = _removed(document, path)
    elif do == "rename":
        made = _renamed(document, path, str(value))
    elif do == "wrap":
        made = _wrapped(document, path, str(value))
    elif do == "nest":
        made = _nested(document, path, *value)
    elif do == "single":
        made = _first_of_two(document, path)
    elif do == "add":
        made = (
            _appended(document, path, value)
            if _exists(document, path)
            else _inserted(document, path, [value])
        )
    elif _exists(document, path):
        made = _replaced(document, path, value)
    else:
        made = _inserted(document, path, value) if do == "set" else None
    return made if made is not None and _holds(document, made, wanted, ordered=do != "single") else None


def _holds(document: Document, made: Replacement, wanted: Any, *, ordered: bool) -> bool:
    start, end, text = made
    whole = document.source.text
    stream = read(f"{whole[:start]}{text}{whole[end:]}", document.file)
    if stream.problems or len(stream.documents) <= document.index:
        return False
    found, meant = (
        json.dumps(data, default=str, sort_keys=not ordered)
        for data in (stream.documents[document.index].data, wanted)
    )
    return found == meant


def _changed(data: Any, do: Do, path: Path, value: Any) -> Any:
    """The data as it is meant to be afterwards; `_ABSENT` where the change means nothing."""
    tree = _copied(data)
    target = tree
    for step in path[:-1]:
        below = _child(target, step)
        if below is None and do in ("set", "add") and isinstance(target, dict):
            target[step] = below = {}
        if not isinstance(below, dict | list):
            return _ABSENT
        target = below
    return tree if path and _put(target, do, path[-1], value) else _ABSENT


def _put(target: Any, do: Do, last: str | int, value: Any) -> bool:
    """Make the change in the mapping or list that it belongs to; False where it means nothing there."""
    match do, target:
        case "set", dict():
            target[last] = value
        case "add", dict():
            listed = target.setdefault(last, [])
            if not isinstance(listed, list):
                return False
            listed.append(value)
        case _ if _child(target, last, _ABSENT) is _ABSENT:
            return False
        case "single", _:
            pass  # the last one wins already
        case "remove", _:
            del target[last]
        case "replace", _:
            target[last] = value
        case "wrap", _:
            target[last] = {value: target[last]}
        case "nest", dict():
            name, beside, below = value
            _rekeyed(target, last, name, [{**beside, below: target[last]}])
        case "rename", dict() if value not in target:
            _rekeyed(target, last, value, target[last])
        case _:
            return False
    return True


def _rekeyed(target: dict[Any, Any], old: str | int, new: str, value: Any) -> None:
    """Another key and value in the place of one."""
    items = [(new, value) if key == old else (key, item) for key, item in target.items()]
    target.clear()
    target.update(items)


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


def _with_emptied(data: Any, path: Path) -> Path:
    """The path of what goes with `path`: of the maps and lists that hold nothing else, those at the top aside."""
    sizes = []
    for step in path[:-1]:
        data = _child(data, step)
        sizes.append(len(data) if isinstance(data, dict | list) else 0)
    end = len(path)
    while end > 2 and sizes[end - 2] == 1:
        end -= 1
    return path[:end]


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


def _wrapped(document: Document, path: Path, key: str) -> Replacement | None:
    """`key: ` before a scalar, in braces where it stands among others in one line."""
    node, parent = _at(document, path), _at(document, path[:-1])
    if node is None or parent is None or node.items is not None or not isinstance(path[-1], int):
        return None
    text = document.source.text
    span = document.span(path)
    if text[span.start : span.start + 1] in ("|", ">"):
        return None  # its lines would have to be moved
    if text[parent.start : parent.start + 1] == "[":
        return span.start, span.end, f"{{{_scalar(key)}: {text[span.start : span.end]}}}"
    return span.start, span.start, f"{_scalar(key)}: "


def _nested(
    document: Document, path: Path, name: str, beside: dict[str | int, Any], below: str
) -> Replacement | None:
    """The mapping under a key moved into the only item of a list under another one."""
    parent = _at(document, path[:-1])
    key = parent.keys.get(str(path[-1])) if parent is not None and parent.keys is not None else None
    if key is None:
        return None
    text = document.source.text
    span = document.span(path)
    written = text[span.start : span.end]
    if written.startswith("{"):
        fields = _flow(beside)[1:-1]
        return key.start, span.end, f"{_scalar(name)}: [{{{fields}, {_scalar(below)}: {written}}}]"
    first, start = text.find("\n", key.start), text.rfind("\n", 0, key.start) + 1
    indent = " " * (key.start - start)
    if not 0 <= first < span.start or text[start : key.start].strip():
        return None
    newline = "\r\n" if text[first - 1] == "\r" else "\n"
    head = text[key.start : first].rstrip("\r").partition(":")[2]
    lines = [f"{_scalar(name)}:{head}"]
    lines += [
        f"{indent}  {'-' if n == 0 else ' '} {line}" for n, line in enumerate(_block({**beside, below: {}}))
    ]
    lines[-1] = lines[-1].removesuffix(" {}")
    lines += [f"    {line}" if line.strip() else line for line in text[first + 1 : span.end].splitlines()]
    return key.start, span.end, newline.join(lines)


def _first_of_two(document: Document, path: Path) -> Replacement | None:
    """The lines of the first of two keys of one name, of a mapping whose keys have lines of their own."""
    twice = next((twice for twice in document.duplicates if twice.path == path), None)
    if twice is None:
        return None
    text = document.source.text
    start = text.rfind("\n", 0, twice.first.start) + 1
    if text[start : twice.first.start].strip():
        return None
    indent = twice.first.start - start
    end = text.find("\n", twice.first.start) + 1
    while end and end < twice.second.start:
        line = text[end : text.find("\n", end)]
        depth = len(line) - len(line.lstrip())
        item = depth == indent and line.lstrip().startswith("- ")
        if line.strip() and not item and depth <= indent:
            break
        end = text.find("\n", end) + 1
    return (start, end, "") if end else None


def _appended(document: Document, path: Path, value: Any) -> Replacement | None:
    """An item at the end of a list, written as the others are."""
    node = _at(document, path)
    if node is None or not isinstance(node.items, list):
        return None
    text = document.source.text
    span = document.span(path)
    if text[span.start : span.start + 1] == "[":
        body = text[span.start + 1 : span.end - 1]
        place = span.end - 1 - (len(body) - len(body.rstrip().removesuffix(",")))
        return place, span.end - 1, f"{', ' if body.strip() else ''}{_flow(value)}"
    if not node.items:
        return None
    first = node.items[0].start
    dash = text[text.rfind("\n", 0, first) + 1 : first]
    if dash.strip() != "-":
        return None
    end = text.find("\n", span.end)
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = f"{dash}{_item(value, len(dash), newline)}"
    return (
        (end + 1, end + 1, f"{lines}{newline}") if end >= 0 else (len(text), len(text), f"{newline}{lines}")
    )


def _item(value: Any, indent: int, newline: str) -> str:
    """What stands behind a list's dash."""
    if isinstance(value, dict):
        return f"{newline}{' ' * indent}".join(_block(value))
    return _scalar(value)


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
        elif isinstance(value, list) and value:
            lines.append(f"{'  ' * depth}{_scalar(key)}:")
            for item in value:
                lines.append(f"{'  ' * depth}  - {_item(item, 2 * depth + 4, chr(10))}")
        else:
            lines.append(f"{'  ' * depth}{_scalar(key)}: {_scalar(value)}")
    return lines


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return _scalar(value)
