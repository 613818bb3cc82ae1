"""Edits of gitops.yaml that touch nothing else in it: comments, order and quoting stay."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from gitops_layout.errors import UserError
from gitops_layout.scaffold.structure import dump, load
from gitops_layout.source.document import Document, Node
from gitops_layout.source.reader import read
from gitops_layout.source.typing import NotJsonError, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitops_layout.model import Path

__all__ = ["append", "assign", "remove", "replace"]


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


def append(content: bytes, path: Path, item: object) -> bytes:
    """Add `item` at the end of the list at `path`, which may be absent or empty.

    A list in block style gets new lines and nothing else changes; any other is written anew with the
    file's own indentation. Raises UserError when the file cannot be edited safely.
    """
    item = _plain(item)
    document = _document(content)
    node = _at(document.node, path)
    if node is not None and isinstance(node.items, list) and node.items:
        text = _inserted(document, node, path, item)
        if text is not None:
            return text
    tree = _tree(content)
    parent = _parent(tree, path)
    items = parent.get(path[-1])
    if isinstance(items, CommentedSeq) and items:
        items.append(item)
    else:
        parent[path[-1]] = CommentedSeq([item])
    return dump(tree, like=content)


def assign(content: bytes, values: Mapping[Path, object]) -> bytes:
    """Set the value at each path, creating the maps on the way."""
    tree = _tree(content)
    for path, value in values.items():
        _parent(tree, path)[path[-1]] = _plain(value)
    return dump(tree, like=content)


def _inserted(document: Document, node: Node, path: Path, item: object) -> bytes | None:
    """The text with a block list's new item in lines of its own; None for lists in flow style."""
    text = document.source.text
    if text[node.start] != "-":
        return None
    items = node.items if isinstance(node.items, list) else []
    last = document.span((*path, len(items) - 1))
    indent = " " * (document.span(path).column - 1)
    lines = text.splitlines(keepends=True)
    newline = "\r\n" if lines[0].endswith("\r\n") else "\n"
    if not lines[last.end_line - 1].endswith("\n"):
        lines[last.end_line - 1] += newline
    lines[last.end_line : last.end_line] = [f"{indent}{line}{newline}" for line in _block(item)]
    new = "".join(lines)
    stream = read(new, document.file)
    expected = [*_value(document.data, path), item]
    if stream.problems or _value(stream.documents[0].data, path) != expected:
        return None
    return new.encode()


def _block(item: object) -> list[str]:
    """`- name: web` and what follows it, unindented."""
    stream = io.StringIO()
    writer = YAML()
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.width = 10_000
    writer.dump([item], stream)
    return [line[2:] for line in stream.getvalue().splitlines()]


def _document(content: bytes) -> Document:
    stream = read(content, "gitops.yaml")
    if stream.problems or len(stream.documents) != 1:
        raise UserError("gitops.yaml cannot be edited: it is not one YAML document")
    return stream.documents[0]


def _tree(content: bytes) -> CommentedMap:
    tree = load(content)
    if not isinstance(tree, CommentedMap):
        raise UserError(
            "gitops.yaml cannot be edited without losing something: it uses anchors or unusual scalars",
            "make this change by hand, then run gitops-layout scaffold",
        )
    return tree


def _parent(tree: CommentedMap, path: Path) -> Any:
    for step in path[:-1]:
        if isinstance(step, int):
            tree = tree[step]
            continue
        if not isinstance(tree.get(step), CommentedMap | CommentedSeq):
            tree[step] = CommentedMap()
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


def remove(content: bytes, path: Path) -> bytes:
    """Take what is at `path` out of its list or map; a list in block style loses just the item's lines.

    Comments right above an item go with it, but for the first one: there they may speak of the list.
    """
    document = _document(content)
    *parent, index = path
    items = _value(document.data, tuple(parent))
    text = _without(document, path) if isinstance(index, int) and len(items) > 1 else None
    if text is not None:
        return text
    tree = _tree(content)
    target: Any = tree
    for step in parent:
        target = target[step]
    del target[index]
    return dump(tree, like=content)


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
        raise UserError(
            "gitops.yaml cannot be edited safely", "make this change by hand, then run gitops-layout scaffold"
        )
    return text.encode()


def _without(document: Document, path: Path) -> bytes | None:
    """The text without the lines of a block list's item; None where it does not stand in lines of its own."""
    *parent, index = path
    node = _at(document.node, tuple(parent))
    assert isinstance(index, int)
    text = document.source.text
    if node is None or text[node.start] != "-":
        return None
    lines = text.splitlines(keepends=True)
    first, last = document.span(path).line, document.span(path).end_line
    while first > 1 and index > 0 and lines[first - 2].lstrip().startswith("#"):
        first -= 1
    del lines[first - 1 : last]
    new = "".join(lines)
    stream = read(new, document.file)
    expected = [
        item for position, item in enumerate(_value(document.data, tuple(parent))) if position != index
    ]
    if stream.problems or _value(stream.documents[0].data, tuple(parent)) != expected:
        return None
    return new.encode()
