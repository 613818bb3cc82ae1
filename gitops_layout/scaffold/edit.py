"""Edits of gitops.yaml as changes of its text: what is not meant stays as it is, byte for byte.

Items follow the style of their list: lines of their own, flow style in one line or each on its own, JSON in JSON. Each
edit is read again before it counts. What no span of text can carry is written anew from its structure, save for JSON.
"""

from __future__ import annotations

import io
import json
import re
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from gitops_layout.errors import UserError
from gitops_layout.patterns import regexp
from gitops_layout.scaffold.structure import dump, load
from gitops_layout.source.edits import edit
from gitops_layout.source.reader import read
from gitops_layout.source.typing import NotJsonError, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitops_layout.model import Path
    from gitops_layout.source.document import Document, Node

__all__ = ["append", "assign", "remove", "replace"]

_BY_HAND = "make this change by hand, then run gitops-layout scaffold"
_BOM = b"\xef\xbb\xbf"
_COMMENT = regexp(r"(?:^|\s)#", re.MULTILINE)
_ALWAYS = ("apps",)
"""The list that gitops.yaml has even where nothing is in it: a new one says `apps: []`, for people to find the place."""


def append(content: bytes, path: Path, item: object) -> bytes:
    """Add `item` at the end of the list at `path`, which may be absent or empty.

    Nothing else changes but a comma. Raises UserError when the file cannot be edited safely.
    """
    document = _document(content)
    node = _at(document.node, path)
    text = document.source.text
    wanted = deepcopy(document.data)
    held = _parent(wanted, path)
    held[path[-1]] = [*(held.get(path[-1]) or []), item]
    if node is not None and isinstance(node.items, list):
        if text[node.start] == "-":
            new = _below(document, node, path, item)
        elif node.items:
            new = _beside(document, node, path, item)
        else:
            new = _first(document, path, item)
    elif node is None and (above := _at(document.node, path[:-1])) is not None:
        new = _new_key(document, above, path, item)
    else:
        new = None
    if (made := _checked(content, document, new, wanted)) is not None:
        return made
    tree = _tree(content)
    _parent(tree, path)[path[-1]] = CommentedSeq([*(_plain(_value(wanted, path)))])
    return _anew(tree, content)


def assign(content: bytes, values: Mapping[Path, object]) -> bytes:
    """Set the value at each path, creating the maps on the way. JSON is written anew, as JSON."""
    if _is_json(text := content.decode("utf-8-sig", errors="replace")):
        data = json.loads(text)
        for path, value in values.items():
            _parent(data, path)[path[-1]] = value
        return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode()
    for path, value in values.items():
        content = _assigned(content, path, value)
    return content


def _assigned(content: bytes, path: Path, value: object) -> bytes:
    document = _document(content)
    if isinstance(value, str | bool | int) and (made := edit(document, "set", path, value)) is not None:
        start, end, new = made
        text = document.source.text
        return _bytes(content, f"{text[:start]}{new}{text[end:]}")
    tree = _tree(content)
    _parent(tree, path)[path[-1]] = _plain(value)
    return _anew(tree, content)


def remove(content: bytes, path: Path) -> bytes:
    """Take what is at `path` out of its list or map, with the comments right above it.

    A list directly below `spec:` that is left with nothing goes too, where it had lines of its own; that of the apps
    stays, as `[]`. Raises UserError when the file cannot be edited safely.
    """
    document = _document(content)
    parent = path[:-1]
    node, text = _at(document.node, parent), document.source.text
    wanted = deepcopy(document.data)
    held = _value(wanted, parent)
    del held[path[-1]]
    if node is None:
        raise UserError("gitops.yaml cannot be edited safely", _BY_HAND)
    emptied = not held and len(parent) > 1 and isinstance(held, list)
    flow = text[node.start] in "[{"
    if (
        emptied
        and len(parent) == 2
        and parent[-1] not in _ALWAYS
        and (not flow or _in_flow(document, parent))
    ):
        return remove(content, parent)
    if flow:
        new = _out_of_flow(document, node, path)
    elif emptied:
        new = _emptied(document, parent)
    else:
        new = _out_of_lines(document, node, path)
    if (made := _checked(content, document, new, wanted)) is not None:
        return made
    tree = _tree(content)
    del _value(tree, parent)[path[-1]]
    return _anew(tree, content, gone=_around(document, node, path))


def replace(content: bytes, values: Mapping[Path, str]) -> bytes:
    """Write other words in the place of scalars, and change nothing else.

    Raises UserError when the file cannot be edited safely.
    """
    document = _document(content)
    text = document.source.text
    spans = {path: document.span(path) for path in values}
    for path, span in sorted(spans.items(), key=lambda pair: -pair[1].start):
        quote = text[span.start] if text[span.start] in "\"'" else ""
        text = f"{text[: span.start]}{quote}{values[path]}{quote}{text[span.end :]}"
    stream = read(text, document.file)
    if stream.problems or any(_value(stream.documents[0].data, path) != new for path, new in values.items()):
        raise UserError("gitops.yaml cannot be edited safely", _BY_HAND)
    return _bytes(content, text)


def _anew(tree: CommentedMap, content: bytes, *, gone: str = "") -> bytes:
    """The file written from its structure, where that loses no comment but those in `gone`."""
    made = dump(tree, like=content)
    before, after, beside = (len(_COMMENT.findall(text)) for text in (content.decode(), made.decode(), gone))
    if after < before - beside:
        raise UserError("gitops.yaml cannot be edited without losing a comment", _BY_HAND)
    return made


def _around(document: Document, node: Node, path: Path) -> str:
    """An item's text from the end of the one before it to the end of its line: comments in there may be of it."""
    text, start = document.source.text, node.start
    for step in node.items if isinstance(node.items, dict) else range(len(node.items or [])):
        if step == path[-1]:
            break
        start = document.span((*path[:-1], step)).end
    end = document.span(path).end
    return text[start:end] + text[end:].partition("\n")[0]


def _below(document: Document, node: Node, path: Path, item: object) -> str | None:
    """An item in lines of its own behind those of the last one, in braces where that is."""
    text = document.source.text
    assert isinstance(node.items, list)
    indent = " " * (document.span(path).column - 1)
    braces = text[node.items[-1].start] == "{"
    lines = [f"- {_flow(item)}"] if braces else _block(item)
    place = document.span((*path, len(node.items) - 1)).end
    while (line := _below_it(text, place)) and _is_comment(text, line, deeper=len(indent)):
        place = line  # it speaks of the last item
    return _with_lines(text, place, indent, lines)


def _beside(document: Document, node: Node, path: Path, item: object) -> str:
    """An item of a list in flow style behind the last one: in its line, or in one of its own where that has one."""
    text = document.source.text
    assert isinstance(node.items, list)
    last = document.span((*path, len(node.items) - 1))
    written = _flow(item, json_too=_is_json(text))
    rest = text[last.end :].partition("\n")[0].rstrip("\r")
    if (indent := _own_line(text, node.start, last.start)) is None:
        return f"{text[: last.end]}, {written}{text[last.end :]}"
    end, comma = last.end + len(rest), "" if rest.lstrip().startswith(",") else ","
    if "]" in rest.partition("#")[0]:  # the bracket ends the last item's line
        rest, end = "", last.end
    after = "," if not comma else ""  # where the others end in commas, so does this one
    return f"{text[: last.end]}{comma}{rest}{_newline(text)}{indent}{written}{after}{text[end:]}"


def _first(document: Document, path: Path, item: object) -> str | None:
    """The first item of `[]`: inside the brackets, or, for apps, in lines of their own in the place of these."""
    text = document.source.text
    span, key = document.span(path), document.span(path, key=True)
    if path[-1] in _ALWAYS and text[key.end : span.end] == ": []":
        rest = text[span.end :].partition("\n")[0].rstrip("\r")
        head = f"{text[: key.end]}:{rest}"
        indent = " " * (key.column + 1)
        return _with_lines(f"{head}{text[span.end + len(rest) :]}", len(head), indent, _block(item))
    return f"{text[: span.start]}[{_flow(item, json_too=_is_json(text))}]{text[span.end :]}"


def _new_key(document: Document, above: Node, path: Path, item: object) -> str | None:
    """A key with its first item, behind the last one of its map."""
    if not isinstance(above.items, dict) or not above.items:
        return None
    text = document.source.text
    last = document.span((*path[:-1], next(reversed(above.items))))
    if text[above.start] != "{":
        indent = " " * (document.span((*path[:-1], next(iter(above.items))), key=True).column - 1)
        lines = [f"{path[-1]}:", *(f"  {line}" for line in _block(item))]
        return _with_lines(text, last.end, indent, lines)
    as_json = _is_json(text)
    key = json.dumps(path[-1]) if as_json else str(path[-1])
    start = document.span((*path[:-1], next(reversed(above.items))), key=True).start
    own = _own_line(text, above.start, start)
    gap = " " if own is None else f"{_newline(text)}{own}"
    return f"{text[: last.end]},{gap}{key}: [{_flow(item, json_too=as_json)}]{text[last.end :]}"


def _with_lines(text: str, place: int, indent: str, lines: list[str]) -> str:
    """The text with more lines behind the one in which `place` is."""
    newline = _newline(text)
    end = text.find("\n", place)
    added = newline.join(f"{indent}{line}" for line in lines)
    return f"{text}{newline}{added}" if end < 0 else f"{text[: end + 1]}{added}{newline}{text[end + 1 :]}"


def _below_it(text: str, place: int) -> int:
    """Where the line begins that follows the one with `place` in it; 0 where none does."""
    return text.find("\n", place) + 1


def _is_comment(text: str, line: int, *, deeper: int) -> bool:
    """Whether the line that begins at `line` is a comment with more blanks before it than `deeper`."""
    blanks = len(text[line:].partition("\n")[0]) - len(text[line:].partition("\n")[0].lstrip(" "))
    return blanks > deeper and text[line + blanks : line + blanks + 1] == "#"


def _out_of_lines(document: Document, node: Node, path: Path) -> str | None:
    """The text without the lines of an item or key, nor the comments right above these."""
    text, step = document.source.text, path[-1]
    key = node.keys.get(step) if node.keys is not None and isinstance(step, str) else None
    start = key.start if key is not None else document.span(path).start
    end = max(document.span(path).end, key.end if key is not None else 0)
    line = text.rfind("\n", 0, start) + 1
    if text[line:start].strip() not in ("", "-") or (key is not None and text[line:start].strip()):
        return _first_key(text, node, start)
    own = start - line - len(text[line:start].lstrip())
    while line > node.start or (line and key is None):
        above = text.rfind("\n", 0, line - 1) + 1
        if not text[above:line].lstrip().startswith("#") or _is_comment(text, above, deeper=own):
            break  # one that stands further in speaks of what is above it
        line = above
    below = text.find("\n", end)
    if below < 0:  # the last line, which does not end: nor does the one above it then
        return text[: line - 1].removesuffix("\r") if line else None
    return text[:line] + text[below + 1 :]


def _first_key(text: str, node: Node, start: int) -> str | None:
    """The text without the first key of an item, beside the dash: the second one takes its place."""
    keys = sorted(key.start for key in (node.keys or {}).values())
    return f"{text[:start]}{text[keys[1] :]}" if len(keys) > 1 and keys[0] == start else None


def _emptied(document: Document, parent: Path) -> str | None:
    """The text with `[]` in the place of a list's lines."""
    text, node = document.source.text, _at(document.node, parent)
    key = document.span(parent, key=True)
    line_end = text.find("\n", key.end)
    if node is None or text[node.start] != "-" or not 0 <= line_end < node.start:
        return None
    rest = text[key.end : line_end].rstrip("\r").partition(":")[2]
    end = document.span(parent).end
    line = text.find("\n", end)
    tail = "" if line < 0 else text[line - 1 if text[line - 1] == "\r" else line :]
    return f"{text[: key.end]}: []{rest}{tail}"


def _out_of_flow(document: Document, node: Node, path: Path) -> str | None:
    """The text without an item or key in flow style, nor one comma beside it."""
    text = document.source.text
    spans, position = [], 0
    for step in node.items if isinstance(node.items, dict) else range(len(node.items or [])):
        span = document.span((*path[:-1], step))
        key = node.keys.get(step) if node.keys is not None and isinstance(step, str) else None
        spans.append((key.start if key is not None else span.start, span.end))
        if step == path[-1]:
            position = len(spans) - 1
    start, end = spans[position]
    if len(spans) == 1:
        return f"{text[: node.start + 1]}{text[document.span(path[:-1]).end - 1 :]}"
    rest = text[end:].partition("\n")[0]
    own = _own_line(text, node.start, start) is not None and rest.partition("#")[0].strip() in ("", ",")
    if not own and position:
        start, end = spans[position - 1][1], spans[position][1]
    elif not own:
        end = spans[1][0]
    if not own:
        return (
            None
            if "#" in text[start:end].replace(text[slice(*spans[position])], "")
            else text[:start] + text[end:]
        )
    line, below = text.rfind("\n", 0, start) + 1, end + len(rest) + 1
    while (above := text.rfind("\n", 0, line - 1) + 1) > node.start and text[above:line].lstrip().startswith(
        "#"
    ):
        line = above
    head = text[:line]
    if position == len(spans) - 1 and not rest.lstrip().startswith(","):
        before = spans[position - 1][1]
        head = head[:before] + head[before:].replace(",", "", 1)
    return head + text[below:]


def _own_line(text: str, opened: int, start: int) -> str | None:
    """The blanks before what begins its line, in a bracket that opens in an earlier one; None elsewhere."""
    before = text[text.rfind("\n", 0, start) + 1 : start]
    return before if not before.strip() and "\n" in text[opened:start] else None


def _in_flow(document: Document, path: Path) -> bool:
    above = _at(document.node, path[:-1])
    return above is not None and document.source.text[above.start] == "{"


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _checked(content: bytes, document: Document, text: str | None, wanted: Any) -> bytes | None:
    """The text as bytes, where it says what is wanted, in the same order."""
    if text is None:
        return None
    stream = read(text, document.file)
    if stream.problems or len(stream.documents) != 1 or stream.documents[0].data != wanted:
        return None
    return _bytes(content, text)


def _bytes(content: bytes, text: str) -> bytes:
    return (_BOM if content.startswith(_BOM) else b"") + text.encode()


def _flow(item: object, *, json_too: bool = False) -> str:
    """`{name: web, environments: [dev]}`, or the same as JSON."""
    if json_too:
        return json.dumps(item, ensure_ascii=False)
    stream = io.StringIO()
    writer = YAML()
    writer.default_flow_style = True
    writer.brace_single_entry_mapping_in_flow_sequence = True
    writer.width = 10_000
    writer.dump([_plain(item)], stream)
    return stream.getvalue().strip()[1:-1]


def _block(item: object) -> list[str]:
    """`- name: web` and what follows it, unindented."""
    stream = io.StringIO()
    writer = YAML()
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.width = 10_000
    writer.dump([_plain(item)], stream)
    return [line[2:] for line in stream.getvalue().splitlines()]


def _plain(value: Any) -> Any:
    """The same value, its texts in quotes where they would be read as something else: `n` and `yes` are truth values."""
    match value:
        case dict():
            return {_plain(key): _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case str():
            try:
                clear = isinstance(plain(value, "kubectl"), str)
            except NotJsonError:
                clear = False
            return value if clear or "\n" in value else DoubleQuotedScalarString(value)
        case _:
            return value


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _document(content: bytes) -> Document:
    stream = read(content, "gitops.yaml")
    if stream.problems or len(stream.documents) != 1:
        raise UserError("gitops.yaml cannot be edited: it is not one YAML document")
    return stream.documents[0]


def _tree(content: bytes) -> CommentedMap:
    if _is_json(content.decode(errors="replace")):
        raise UserError("gitops.yaml is JSON, and this change of it cannot be written as such", _BY_HAND)
    tree = load(content)
    if not isinstance(tree, CommentedMap):
        raise UserError(
            "gitops.yaml cannot be edited without losing something: it uses anchors or unusual scalars",
            _BY_HAND,
        )
    return tree


def _parent(tree: Any, path: Path) -> Any:
    """The map or list that holds the last step of a path; maps on the way there are made."""
    for step in path[:-1]:
        if isinstance(step, str) and not isinstance(tree.get(step), dict | list):
            tree[step] = CommentedMap() if isinstance(tree, CommentedMap) else {}
        tree = tree[step]
    return tree


def _at(node: Node, path: Path) -> Node | None:
    found: Node | None = node
    for step in path:
        found = found.child(step) if found is not None else None
    return found


def _value(data: Any, path: Path) -> Any:
    for step in path:
        data = data[step]
    return data
