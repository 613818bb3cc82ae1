"""What kustomize's YAML library refuses or loses where ours reads it: an escape, some texts, empty documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gitops_layout.kustomize.fast.declined import decline, refuse
from gitops_layout.model import Location, Path
from gitops_layout.patterns import regexp
from gitops_layout.source.document import Document, Node

__all__ = ["check_empty_start", "check_oddities", "check_text"]

# What may be one of these; the most of what it finds is none, and costs a walk.
_MAYBE = regexp(
    r"""\\[/NLP]|\\[xuU]0*85|\\[uU]0*202[89]|[\x85\u2028\u2029]|["'](?:\t|\\[\ttxuU])|[|>][+-]?[1-9]|\n +\t"""
)
# Tags that change what a value is: of bytes the library keeps the letters, of `!` nothing. It starts with the mark
# itself, which few files hold and a search finds at once.
_TAG = regexp(r"!(?<![^\s\[{,:]!)(?:[!<]\S*(?:binary|%)|(?=[\s,\]}]|\Z))")
_TAGGED = regexp(r"(?:&\S+\s+)?!(?:[!<]\S*(?:binary|%)|(?=[\s,\]}]|\Z))")
# Behind anchors and tags.
_SLASH = regexp(r'(?:[&!]\S*+\s++)*+"(?:[^"\\]|\\[^/])*+\\/', re.DOTALL)
_BREAKS = ("\x85", "\u2028", "\u2029")


def check_oddities(
    text: str, documents: tuple[Document, ...], where: Location, *, escapes: bool = True
) -> None:
    """Decline a file's `text` whose documents hold such a text; without `escapes`, JSON's own are fine."""
    maybe = _MAYBE.search(text)
    if not maybe and not ("!" in text and _TAG.search(text)):
        return
    if maybe and escapes and "<<" in text and "\\/" in text:
        decline("a merge key may leave out what kustomize's YAML refuses", where)
    for document in documents:
        for path, node, value in _texts(document.data, document.node, ()):
            place = Location(where.file, path, document.index) if not where.path else where
            if escapes and _SLASH.match(text, node.start, node.end):
                refuse(
                    "kustomize's YAML has no escape \\/",
                    place,
                    "write / without the backslash",
                    said="unknown escape character",
                )
            if _TAGGED.match(text, node.start):
                decline("a tag that kustomize keeps or loses", place)
            head = text[node.start : text.find("\n", node.start)]
            if isinstance(value, str) and value[:1] == "\t" and ("|" in head or ">" in head):
                decline("a block that begins with a tab, which kustomize may write and not read again", place)
            check_text(value, place)


def check_text(value: Any, where: Location) -> None:
    """Decline a text that kustomize writes so that it cannot read it again, or reads another."""
    if not isinstance(value, str):
        return
    if value[:1] == "\t" and "\n" in value:
        decline("lines that begin with a tab, which kustomize may write and not read again", where)
    if not value.isascii() and any(character in value for character in _BREAKS):
        decline("a line's end of Unicode's, which kustomize may lose", where)


def _texts(data: Any, node: Node, path: Path) -> Iterator[tuple[Path, Node, Any]]:
    """Every plain value and key with where it stands."""
    if isinstance(data, dict) and isinstance(node.items, dict):
        for key, value in data.items():
            if node.keys is not None and key in node.keys:
                yield (*path, key), node.keys[key], key
            if key in node.items:
                yield from _texts(value, node.items[key], (*path, key))
    elif isinstance(data, list) and isinstance(node.items, list):
        for index, (value, below) in enumerate(zip(data, node.items, strict=False)):
            yield from _texts(value, below, (*path, index))
    else:
        yield path, node, data


def check_empty_start(text: str, where: Location) -> None:
    """Decline a file in which kustomize may find an empty document first, and look no further."""
    if text.startswith("---") + text.count("\n---") > 1:
        decline("several documents, of which kustomize reads the first even if it is empty", where)
