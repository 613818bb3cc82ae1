"""What a YAML file holds, and where: its documents, their nodes, and what is wrong with it."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import field
from typing import TYPE_CHECKING, Any

from gitops_layout.model import Span
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitops_layout.model import Path

__all__ = ["Document", "Doubt", "Duplicate", "Node", "Stream", "SyntaxProblem", "Text"]


class Node:
    """Where a value stands: code point offsets `start` to `end`, and its children's nodes.

    `keys` holds a mapping's key nodes; `items` is a dict for a mapping, a list for a sequence, None
    for a scalar. An alias is a node of its own with the children of its anchor.
    """

    __slots__ = ("end", "items", "keys", "start", "weight")

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end
        self.items: dict[str, Node] | list[Node] | None = None
        self.keys: dict[str, Node] | None = None
        self.weight = 1

    def child(self, step: str | int) -> Node | None:
        """The node below a mapping's key or a list's index."""
        if isinstance(self.items, dict):
            return self.items.get(step) if isinstance(step, str) else None
        if isinstance(self.items, list) and isinstance(step, int) and 0 <= step < len(self.items):
            return self.items[step]
        return None


@dataclass(frozen=True, slots=True)
class SyntaxProblem:
    """Why a document cannot be read; 1-based line and column.

    `bound` says that a limit was met: reading on would cost memory out of all proportion.
    """

    message: str
    line: int
    column: int
    bound: bool = False


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A mapping key that stands twice: the last one wins, as in kubectl; kustomize refuses it."""

    path: Path
    first: Span
    second: Span


@dataclass(frozen=True, slots=True)
class Doubt:
    """A value that kustomize writes otherwise than it stands here; only libyaml's reader looks for these."""

    path: Path
    reason: str


class Text:
    """The decoded file, its line table, and the nodes of its documents, made when they are asked for.

    Only line feeds end a line, as editors and CI count.
    """

    __slots__ = ("_make", "_nodes", "_starts", "text")

    def __init__(self, text: str, make: Callable[[Text], None]) -> None:
        """`make` reads the text again and keeps the nodes."""
        self.text = text
        self._make = make
        self._starts: list[int] = []
        self._nodes: list[Node] | None = None

    @property
    def ended(self) -> str:
        """The text with its last line ended, as kubectl does: a final `|` scalar then has a line feed."""
        return self.text if self.text.endswith("\n") or not self.text else self.text + "\n"

    def keep(self, nodes: list[Node]) -> None:
        """Remember the nodes of the documents, for who has made them anyway."""
        self._nodes = nodes

    def node(self, index: int) -> Node:
        """Where the document with this index stands, and everything in it."""
        if self._nodes is None:
            self._make(self)
        nodes: list[Node] = self._nodes or []
        return nodes[index]

    def _lines(self) -> list[int]:
        if not self._starts:
            starts, found = [0], self.text.find("\n")
            while found >= 0:
                starts.append(found + 1)
                found = self.text.find("\n", found + 1)
            self._starts = starts
        return self._starts

    def position(self, offset: int) -> tuple[int, int]:
        starts = self._lines()
        line = bisect_right(starts, offset)
        return line, offset - starts[line - 1] + 1

    def span(self, start: int, end: int) -> Span:
        trimmed = start + len(self.text[start:end].rstrip())
        line, column = self.position(start)
        end_line, end_column = self.position(trimmed)
        return Span(line, column, end_line, end_column, start, trimmed)


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One document of a file: plain `data`, the `node` tree of the same shape, keys that stand twice, and those
    that were no texts before kubectl made texts of them: kustomize takes none.

    `disputed` says that kubectl and kustomize type some scalar or key differently, as far as libyaml read it;
    `settled` that the doubts are: `data` has what kustomize writes.
    """

    file: str
    index: int
    data: Any
    source: Text = field(repr=False)
    duplicates: tuple[Duplicate, ...] = ()
    untexts: tuple[Path, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    disputed: bool = False
    settled: bool = False

    @property
    def node(self) -> Node:
        """Where the document and all its parts stand."""
        return self.source.node(self.index)

    def span(self, path: Path, *, key: bool = False) -> Span:
        """Where the value (or with `key` the key) at `path` stands.

        Where the path is absent, its nearest existing ancestor: never fails.
        """
        node, found_key = self.node, None
        for step in path:
            name = self._key(node, step)
            below = node.child(name)
            if below is None:
                break
            found_key = node.keys[name] if node.keys is not None and isinstance(name, str) else None
            node = below
        else:
            if key and found_key is not None:
                node = found_key
        return self.source.span(node.start, node.end)

    def find(self, path: Path) -> Node | None:
        """Where the value at `path` stands; None where there is none."""
        node: Node | None = self.node
        for step in path:
            node = node.child(self._key(node, step)) if node is not None else None
        return node

    def has(self, path: Path) -> bool:
        """Whether there is a value at `path`."""
        return self.find(path) is not None

    def _key(self, node: Node, step: str | int) -> str | int:
        """The key that is meant: `y` is true to kubectl, whose name for it is in the tree, and to kustomize itself."""
        if node.keys is None or not isinstance(step, str) or step in node.keys:
            return step
        text, width = self.source.text, len(step)
        for name, key in node.keys.items():
            if key.end - key.start == width and text.startswith(step, key.start):
                return name
        return step


@dataclass(frozen=True, slots=True)
class Stream:
    """A file as read: its text without BOM, its documents, and what is wrong.

    Documents ahead of a syntax error are kept. Empty documents (comments only) are left out; a
    document's `index` counts only those that hold something.
    """

    file: str
    text: str
    documents: tuple[Document, ...]
    problems: tuple[SyntaxProblem, ...]
