"""YAML by libyaml's events: whatever a file may hold, with the place of every key and value.

Anchors may be redefined and duplicate keys are kept and reported, as go-yaml does; what go-yaml refuses, and
what could exhaust memory (alias bombs, recursion, endless nesting), is a SyntaxProblem with its line.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

import yaml
from yaml._yaml import CParser

from gitops_layout.patterns import regexp
from gitops_layout.source.document import Document, Doubt, Duplicate, Node, SyntaxProblem, Text
from gitops_layout.source.typing import NotJsonError, plain, plain_key, text_key

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from gitops_layout.model import Path
    from gitops_layout.source.typing import Mode, Scalar

__all__ = ["by_events", "too_deep"]

MAX_DEPTH = 200
"""Deeper nesting is refused: no manifest comes near, and every walk below may then recurse."""
MAX_VALUES = 2_000_000
"""Values a document may have once its aliases are expanded; the largest CRD dumps hold 150,000."""

# What a folded text that kustomize writes out does not come back from as it was.
_UNSTABLE = regexp(r"\n[ \t]|\A\s|\n\n\n|\n\n\Z")

_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels, which is not read here: write it flatter"


class _RefusedError(Exception):
    def __init__(self, message: str, offset: int, *, bound: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.bound = bound


def by_events(source: Text, file: str, mode: Mode) -> tuple[tuple[Document, ...], tuple[SyntaxProblem, ...]]:
    """The documents of a text up to the first fault, which is the problem."""
    documents: list[Document] = []
    try:
        documents.extend(_documents(source, file, mode))
    except _StoppedError as stop:
        return tuple(stop.documents), (stop.problem,)
    return tuple(documents), ()


class _StoppedError(Exception):
    def __init__(self, documents: list[Document], problem: SyntaxProblem) -> None:
        super().__init__(problem.message)
        self.documents = documents
        self.problem = problem


def _documents(source: Text, file: str, mode: Mode) -> Iterator[Document]:
    """Every document that holds something, up to the first error (raised as _StoppedError with those before)."""
    done: list[Document] = []
    nodes: list[Node] = []
    source.keep(nodes)
    try:
        builder = _Builder(source, source.ended, mode)
        while True:
            built = builder.document()
            if built is None:
                break
            data, node = built
            if data is None and node.start == node.end:
                continue
            done.append(builder.made(file, len(done), data))
            nodes.append(node)
    except _RefusedError as refused:
        line, column = source.position(min(refused.offset, len(source.text)))
        raise _StoppedError(done, SyntaxProblem(refused.message, line, column, refused.bound)) from None
    except yaml.MarkedYAMLError as error:
        mark = _mark(error)
        words = " ".join(part for part in (error.context, error.problem) if part)
        offset = mark.index if mark is not None else 0
        line, column = source.position(min(offset, len(source.text)))
        deep = "maximum nesting depth" in words  # libyaml's own bound comes before ours where it looks ahead
        words = _TOO_DEEP if deep else words or "not YAML"
        raise _StoppedError(done, SyntaxProblem(words, line, column, deep)) from None
    except yaml.reader.ReaderError as error:
        raise _StoppedError(done, _unreadable(source, error)) from None
    except yaml.YAMLError as error:
        raise _StoppedError(done, SyntaxProblem(str(error), 1, 1)) from None
    yield from done


_BEGUN = {
    "while scanning a simple key": ("could not find expected ':'",),
    "while scanning a quoted scalar": (
        "found unexpected end of stream",
        "found unexpected document indicator",
    ),
}
"""Errors that libyaml notices behind what it was reading: the mistake is where that begins."""


def _mark(error: yaml.MarkedYAMLError) -> yaml.Mark | None:
    begun = error.problem in _BEGUN.get(error.context or "", ())
    return (begun and error.context_mark) or error.problem_mark or error.context_mark


def _unreadable(source: Text, error: yaml.reader.ReaderError) -> SyntaxProblem:
    """A control character: libyaml counts its place in bytes, so look for it ourselves."""
    for offset, character in enumerate(source.text):
        if (character < " " and character not in "\t\n\r") or character in "\x7f\ufffe\uffff":
            line, column = source.position(offset)
            return SyntaxProblem(f"control character U+{ord(character):04X} is not allowed", line, column)
    return SyntaxProblem(f"unreadable character: {error.reason}", 1, 1)


class _Builder:
    """Events into data and nodes, one document at a time. Recursion is bounded by MAX_DEPTH."""

    def __init__(self, source: Text, text: str, mode: Mode) -> None:
        self.source = source
        self.mode: Mode = mode
        self.parser = CParser(text)
        event = self.parser.get_event()
        while not isinstance(event, yaml.StreamStartEvent):
            event = self.parser.get_event()

    def document(self) -> tuple[Any, Node] | None:
        """The next document's data and node; None at the end of the file."""
        event: Any = self.parser.get_event()
        if isinstance(event, yaml.StreamEndEvent) or event is None:
            return None
        if getattr(event, "version", None) not in (None, (1, 1)):
            raise _RefusedError("found incompatible YAML document", event.start_mark.index)
        self.anchors: dict[str, tuple[Any, Node]] = {}
        self.open: set[str] = set()
        self.duplicates: list[Duplicate] = []
        self.untexts: list[Path] = []
        self.doubts: list[Doubt] = []
        self.disputed = False
        self.flows = self.empties = 0
        self.total = self.aliased = 0
        value, node = self.value(self.parser.get_event(), 0, ())
        self.parser.get_event()  # the document's end
        return value, node

    def made(self, file: str, index: int, data: Any) -> Document:
        """The document that was read last, and what there is to say about it."""
        found = tuple(self.duplicates), tuple(self.untexts), tuple(self.doubts)
        return Document(file, index, data, self.source, *found, self.disputed)

    def value(self, event: Any, depth: int, path: Path) -> tuple[Any, Node]:
        kind = type(event)
        self.total += 1
        if kind is yaml.ScalarEvent:
            node = Node(event.start_mark.index, event.end_mark.index)
            data: Any = self.scalar(event)
            if not event.value or event.style == ">":
                self.doubt(event, path)
        elif kind is yaml.MappingStartEvent:
            return self.mapping(event, depth + 1, path)
        elif kind is yaml.SequenceStartEvent:
            return self.sequence(event, depth + 1, path)
        else:
            if self.flows and self.empties:
                self.doubts.append(Doubt(path, "an empty value may come into a flow mapping or list"))
            return self.alias(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = (data, node)
        return data, node

    def doubt(self, event: Any, path: Path) -> None:
        """Note a scalar that kustomize's writer changes: an empty one between braces, and some folded texts."""
        if event.style == ">":
            if _UNSTABLE.search(event.value):
                self.doubts.append(Doubt(path, "a folded text that kustomize changes"))
        elif not event.style:
            self.empties += 1
            if self.flows:
                self.doubts.append(
                    Doubt(path, "kustomize makes a text of an empty value in a flow mapping or list")
                )

    def alias(self, event: Any) -> tuple[Any, Node]:
        name, start = event.anchor, event.start_mark.index
        if name in self.open:
            raise _RefusedError(f"anchor '{name}' contains itself", start)
        if name not in self.anchors:
            raise _RefusedError(f"unknown anchor '{name}' referenced", start)
        data, origin = self.anchors[name]
        node = Node(start, event.end_mark.index)
        node.items, node.keys, node.weight = origin.items, origin.keys, origin.weight + 1
        self.total += origin.weight
        self.aliased += origin.weight
        if self.aliased > 100 and self.total > 1_000 and self.aliased > self.total * _alias_share(self.total):
            raise _RefusedError("aliases expand to too many values for a text so short", start, bound=True)
        return data, node

    def enter(self, event: Any, depth: int) -> Node:
        start = event.start_mark.index
        if depth > MAX_DEPTH:
            raise _RefusedError(_TOO_DEEP, start, bound=True)
        if event.anchor is not None:
            self.open.add(event.anchor)
        self.flows += bool(event.flow_style)
        return Node(start, start)

    def leave(self, event: Any, data: Any, node: Node) -> None:
        self.flows -= bool(event.flow_style)
        if node.weight > MAX_VALUES:
            why = f"aliases expand to more than {MAX_VALUES} values"
            raise _RefusedError(why, node.start, bound=True)
        if event.anchor is not None:
            self.open.discard(event.anchor)
            self.anchors[event.anchor] = (data, node)

    def sequence(self, event: Any, depth: int, path: Path) -> tuple[list[Any], Node]:
        node = self.enter(event, depth)
        data: list[Any] = []
        items: list[Node] = []
        get: Callable[[], Any] = self.parser.get_event
        child = get()
        while type(child) is not yaml.SequenceEndEvent:
            value, at = self.value(child, depth, (*path, len(data)))
            data.append(value)
            items.append(at)
            node.weight += at.weight
            child = get()
        node.items = items
        node.end = _end(child) if event.flow_style else (items[-1].end if items else node.start)
        self.leave(event, data, node)
        return data, node

    def mapping(self, event: Any, depth: int, path: Path) -> tuple[dict[str, Any], Node]:
        node = self.enter(event, depth)
        data: dict[str, Any] = {}
        items: dict[str, Node] = {}
        keys: dict[str, Node] = {}
        merges: list[tuple[Any, Node]] = []
        own: set[str] = set()
        get: Callable[[], Any] = self.parser.get_event
        end = node.start
        while not isinstance(child := get(), yaml.MappingEndEvent):
            name, key = self.key(child)
            if getattr(child, "style", None) in ("|", ">"):
                self.doubts.append(Doubt((*path, name), "a key is written as a block of lines"))
            value, at = self.value(get(), depth, (*path, name))
            end = max(at.end, key.end)
            self.total += 1
            node.weight += at.weight + 1
            if name == "<<" and self.is_merge(child):
                if self.mode == "kubectl":
                    self.merge(data, items, keys, value, at)
                else:
                    merges.append((value, at))
                continue
            if not _is_text(child, name):
                self.untexts.append((*path, name))
            if name in own:
                first, second = (self.source.span(k.start, k.end) for k in (keys[name], key))
                self.duplicates.append(Duplicate((*path, name), first, second))
            own.add(name)
            data[name], items[name], keys[name] = value, at, key
        for value, at in merges:
            self.merge(data, items, keys, value, at, kept=own)
        node.items, node.keys = items, keys
        node.end = _end(child) if event.flow_style else end
        self.leave(event, data, node)
        return data, node

    def key(self, event: Any) -> tuple[str, Node]:
        kind, start = type(event), event.start_mark.index
        if kind is yaml.ScalarEvent:
            node = Node(start, event.end_mark.index)
            if event.tag is None and not event.style:
                name = self.plain_key(event)
            else:
                name = _key_name(self.scalar(event), start)
            if event.anchor is not None:
                self.anchors[event.anchor] = (name, node)
            return name, node
        if kind is yaml.AliasEvent:
            value, node = self.alias(event)
            return _key_name(value, start), node
        self.skip()
        raise _RefusedError("a mapping or list cannot be a key", start)

    def skip(self) -> None:
        """Pass the rest of a mapping or list, for a bound that it does not keep is said rather than what it is."""
        depth = 1
        while depth:
            event: Any = self.parser.get_event()
            depth += _deeper(event)
            if depth > MAX_DEPTH:
                raise _RefusedError(_TOO_DEEP, event.start_mark.index, bound=True)

    def plain_key(self, event: Any) -> str:
        try:
            name = plain_key(event.value, self.mode)
            self.disputed = self.disputed or name != event.value
        except NotJsonError:
            raise _RefusedError(f"{event.value} has no form in JSON", event.start_mark.index) from None
        if name is None:
            raise _RefusedError("null cannot be a key", event.start_mark.index)
        return name

    @staticmethod
    def is_merge(event: Any) -> bool:
        return type(event) is yaml.ScalarEvent and not event.style and event.tag in (None, "!!merge")

    def merge(
        self,
        data: dict[str, Any],
        items: dict[str, Node],
        keys: dict[str, Node],
        value: Any,
        at: Node,
        kept: Collection[str] = (),
    ) -> None:
        """Write a merge key's pairs into the mapping; of several sources the first one wins.

        go-yaml v2 (kubectl) writes them where they stand, over the keys above; v3 (kustomize) lets the
        mapping's `kept` own keys win wherever they stand.
        """
        if isinstance(value, list) and isinstance(at.items, list):
            for part, part_at in zip(reversed(value), reversed(at.items), strict=True):
                if not isinstance(part, dict):
                    raise _RefusedError("map merge requires map or sequence of maps as the value", at.start)
                self.merge(data, items, keys, part, part_at, kept)
            return
        if not isinstance(value, dict) or not isinstance(at.items, dict) or at.keys is None:
            raise _RefusedError("map merge requires map or sequence of maps as the value", at.start)
        for name, item in value.items():
            if name not in kept:
                data[name], items[name], keys[name] = item, at.items[name], at.keys[name]

    def scalar(self, event: Any) -> Scalar:
        text: str = event.value
        tag: str | None = event.tag
        if tag is None:
            if event.style:
                return text
            try:
                value = plain(text, self.mode)
                if type(value) is not str and not self.disputed:
                    other = plain(text, "kustomize")
                    self.disputed = type(other) is not type(value) or other != value
                return value
            except NotJsonError:
                raise _RefusedError(f"{text} has no form in JSON", event.start_mark.index) from None
        if not tag.startswith("tag:yaml.org,2002:"):
            return text  # a local tag says nothing to go-yaml: `!foo bar` is the string
        return self.tagged(tag.removeprefix("tag:yaml.org,2002:"), event)

    def tagged(self, tag: str, event: Any) -> Scalar:
        text: str = event.value
        if tag == "str":
            return text
        if tag == "binary":
            try:
                return base64.b64decode(text, validate=False).decode("utf-8", errors="replace")
            except binascii.Error:
                raise _RefusedError(
                    "!!binary value contains invalid base64 data", event.start_mark.index
                ) from None
        self.disputed = True
        value = plain(text, self.mode)
        wanted = {"int": int, "float": float, "bool": bool, "null": type(None)}.get(tag)
        if tag == "float" and isinstance(value, int) and not isinstance(value, bool):
            return value
        if wanted is not None and type(value) is not wanted:
            raise _RefusedError(f"cannot decode {text!r} as a !!{tag}", event.start_mark.index)
        return value


def _deeper(event: Any) -> int:
    """The levels that an event opens or closes."""
    if isinstance(event, yaml.CollectionStartEvent):
        return 1
    return -1 if isinstance(event, yaml.CollectionEndEvent) else 0


def too_deep(content: bytes) -> SyntaxProblem | None:
    """The place in a file, too large to be read, where it nests too deeply; None where it does not, or is no YAML."""
    depth = 0
    try:
        parser = CParser(content)
        event: Any = parser.get_event()
        while event is not None:
            depth += _deeper(event)
            if depth > MAX_DEPTH:
                line, column = event.start_mark.line + 1, event.start_mark.column + 1
                return SyntaxProblem(_TOO_DEEP, line, column, bound=True)
            event = parser.get_event()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        if mark is not None and "maximum nesting depth" in str(error):
            return SyntaxProblem(_TOO_DEEP, mark.line + 1, mark.column + 1, bound=True)
    return None


def _alias_share(total: int) -> float:
    """The share of a document's values that may come from aliases: go-yaml's own measure against bombs."""
    return 0.99 - 0.89 * min(max((total - 400_000) / 3_600_000, 0), 1)


def _end(event: Any) -> int:
    """Where an event ends; libyaml's own marks are always there."""
    offset: int = event.end_mark.index
    return offset


def _is_text(event: Any, name: str) -> bool:
    """Whether a key is surely a text by itself."""
    if type(event) is not yaml.ScalarEvent or event.tag not in (None, "!", "tag:yaml.org,2002:str"):
        return False
    return name != "<<" if event.style or event.tag else text_key(event.value)


def _key_name(value: Any, offset: int) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case None:
            raise _RefusedError("null cannot be a key", offset)
        case _:
            raise _RefusedError("a mapping or list cannot be a key", offset)
