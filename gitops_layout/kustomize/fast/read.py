"""Resource and patch files as kustomize reads them, each read once.

kustomize types scalars by other rules than kubectl, splits documents by lines, and refuses some of
what kubectl takes; where a file's text could mean two things, it is read again by kustomize's rules
or declined.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field, replace
from functools import lru_cache
from typing import Any

from gitops_layout.kustomize.fast.declined import DeclinedError, decline, refuse
from gitops_layout.kustomize.fast.folded import refolded
from gitops_layout.kustomize.fast.item import Item, check_key, plain_text
from gitops_layout.kustomize.fast.marks import ABSENT, Mark, at
from gitops_layout.kustomize.fast.oddities import check_oddities
from gitops_layout.kustomize.fast.tables import Rules, list_rules
from gitops_layout.model import Location, Path, Span
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import MAX_BYTES, Repo
from gitops_layout.source.document import Document, Node, Stream
from gitops_layout.source.reader import has_surrogates, read
from gitops_layout.source.typing import NotJsonError, plain
from gitops_layout.values import dataclass

__all__ = ["NO_YAML", "Reader", "kustomized", "objects", "without_added_newline"]

NO_YAML = "(?i)yaml|json|invalid character"
"""What kustomize says of a file that is none."""

MAX_NAME = 600
"""Characters of a name that patterns are tried on; Kubernetes takes 253, and variables may stand in it."""

# Scalars and keys that kubectl takes for booleans and kustomize for texts, and merge keys.
_DISPUTED = regexp(
    r"(?:^|[\s\[{,:])(?:y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF)[ \t]*(?:$|[,\]}:#\r\x85\u2028\u2029])|<<",
    re.MULTILINE,
)
# Numbers that may lie between 2^63 and 2^64, which kubectl takes for floats and kustomize for integers.
_LARGE = regexp(
    r"(?<=[ \[,:{])[-+]?(?:[\d_]{18,}|0[xXoObB][\da-fA-F_]{15,}|[\d_.]{1,40}[eE]\+?\d{1,3})(?=[\s,\]}]|\Z)"
)
_DATE = regexp(r"\d{4}-\d\d?-\d\d?")
_ONLY_DATE = regexp(r"(\d{4})-(\d\d)-(\d\d)\Z")
_TIME = regexp(r"\d{4}-\d\d?-\d\d?([Tt ]|\Z)")
_DIRECTIVE = regexp(r"^%|[\r\x85\u2028\u2029]%", re.MULTILINE)
_SEPARATOR = regexp(r"\n---(?![ \t]*(#.*)?(\n|\Z)).")
# A mapping in a comment may be a schema to a strategic merge. Behind a plain value it is harmless:
# Flux's markers for image automation stand there.
_FIELD_COMMENT = regexp(r"(?<!#)#++[ \t]*+\{[ \t]*+\"")
_MARKER = regexp(
    r"""[ \t]*(- +)*([\w.$/-]+: +)?["']?[\w.$/][^#\n]*[ \t]#+[ \t]*\{[ \t]*"\$imagepolicy\"[^\n]*"""
)
_FOLDED = regexp(r"[:\-][ \t]+([&!]\S+[ \t]+)*>[+\-0-9]*[ \t]*(#.*)?\r?$", re.MULTILINE)
# What a folded text that kustomize writes out does not come back from as it was.
_UNSTABLE = regexp(r"\n[ \t]|\A\s|\n\n\n|\n\n\Z")
# Integers that are written otherwise than in their digits, and some that are none.
_UNUSUAL = regexp(r"(?<![\w.+-])(?:\+\d|-0|[-+]?(?:0[\d_xXoObB]|\d[\d_]*[._eE]|\.\d))[\w.+-]*")
_KEPT = regexp(r"[|>][1-9]?\+")
_MANY_DIGITS = regexp(r"\d[\d_]{14}|0x|[eE]\d")
# Annotations in which kustomize keeps its own notes.
_OWN_ANNOTATIONS = regexp(
    r"internal\.config\.kubernetes\.io/|config\.kubernetes\.io/(index|path|origin)\Z|config\.k8s\.io/id\Z"
    r"|alpha\.config\.kubernetes\.io/transformations\Z"
)


@dataclass(slots=True)
class Reader:
    """A repository's files on their way into builds; what was read is kept for the next build.

    `rules` say how lists are merged.
    """

    repo: Repo
    rules: Rules = field(default_factory=list_rules)
    _objects: dict[str, tuple[Item, ...]] = field(default_factory=dict)
    _documents: dict[str, tuple[Document, ...]] = field(default_factory=dict)
    _unusual: dict[str, frozenset[int]] = field(default_factory=dict)

    def items(self, path: str) -> tuple[Item, ...]:
        """The objects of a resource file; they are shared, so copy before writing."""
        if path not in self._objects:
            self._objects[path] = tuple(objects(self.documents(path), Location(path)))
        return self._objects[path]

    def loosely(self, path: str) -> tuple[Item, ...]:
        """The same as far as they can be read; a trace need not be sure."""
        try:
            return self.items(path)
        except DeclinedError:
            stream = read(self.repo.text(path), path, mode="kustomize")
            return tuple(_loose(stream.documents, Location(path)))

    def documents(self, path: str) -> tuple[Document, ...]:
        """A file's documents, scalars typed by kustomize's rules."""
        if path not in self._documents:
            stream = self.repo.stream(path)
            if stream.problems:
                problem = stream.problems[0]
                if self.repo.entries[path].size > MAX_BYTES:
                    decline(f"the file is {problem.message}", Location(path))
                span = Span(problem.line, problem.column, problem.line, problem.column + 1, 0, 0)
                refuse(
                    f"it is no YAML: {problem.message}", Location(path, span=span), "correct it", said=NO_YAML
                )
            if path.endswith(".json") and has_surrogates(self.repo.text(path)):
                why = "it escapes a character in two halves, which kustomize's YAML reader does not take"
                refuse(why, Location(path), "write the character itself", said="yaml: ")
            self._documents[path] = kustomized(stream, Location(path))
        return self._documents[path]

    def bare_null(self, where: Location) -> bool:
        """Whether the null at a place is written as nothing at all (`key:`), which a merge drops."""
        found = self._node(where)
        if found is None:
            decline("a null of unknown spelling is merged", where)
        return found[0].start == found[0].end

    def first_character(self, where: Location) -> str:
        """The first character of the value at a place, which tells its style; "" where it is unknown."""
        found = self._node(where)
        return found[1].source.text[found[0].start : found[0].start + 1] if found is not None else ""

    def spelling(self, where: Location) -> str:
        """The value at a place as it is written; "" where it is unknown."""
        found = self._node(where)
        return found[1].source.text[found[0].start : found[0].end] if found is not None else ""

    def unusual(self, path: str) -> frozenset[int]:
        """The integers that a file spells in an unusual way somewhere."""
        if path not in self._unusual:
            known = path in self.repo.entries
            self._unusual[path] = _unusual(self.repo.text(path)) if known else frozenset()
        return self._unusual[path]

    def _node(self, where: Location) -> tuple[Node, Document] | None:
        document = next((d for d in self.repo.documents(where.file) if d.index == where.document), None)
        node = document.find(where.path) if document is not None else None
        return (node, document) if node is not None and document is not None else None


def _unusual(text: str) -> frozenset[int]:
    found: set[int] = set()
    for word in _UNUSUAL.findall(text):
        try:
            value = plain(word, "kustomize")
        except NotJsonError:
            continue
        if isinstance(value, int):
            found.add(value)
    return frozenset(found)


@lru_cache(maxsize=4)  # asked twice in a row
def _many_digits(text: str) -> bool:
    return _MANY_DIGITS.search(text) is not None


def kustomized(stream: Stream, where: Location) -> tuple[Document, ...]:
    """A stream's documents with what kustomize reads differently; what it refuses is declined."""
    text, documents = stream.text, stream.documents
    disputed = _DISPUTED.search(text) or any(document.disputed for document in documents)
    if disputed or (_many_digits(text) and _LARGE.search(text)):
        again = read(text, stream.file, mode="kustomize")
        if again.problems:
            decline(again.problems[0].message, where)
        documents = again.documents
    if not where.path and any(document.doubts for document in documents):
        documents = tuple(_settled(d, text, last=d is documents[-1]) for d in documents)
    _check_documents(documents, where)
    if documents is not stream.documents:
        _check_keys(stream.documents, where)
    if "%" in text and _DIRECTIVE.search(text):
        decline("a directive ahead of a document, which kustomize splits from it", where)
    check_oddities(text, documents, where)
    if "\n---" in text and _SEPARATOR.search(text.replace("\r\n", "\n")):
        decline("a document separator is followed by text", where)
    if "#" in text and _FIELD_COMMENT.search(text):
        _check_comments(text, where)
    if ">" in text and _FOLDED.search(text):
        _check_folded(documents, text)
    if "#" in text and _KEPT.search(text):
        _check_kept(documents, text)
    if documents and not text.endswith("\n"):
        documents = (*documents[:-1], without_added_newline(documents[-1], text))
    if _DATE.search(text):
        documents = tuple(_with_timestamps(document, text) for document in documents)
    return documents


def _check_keys(documents: tuple[Document, ...], where: Location) -> None:
    """Places are told by kubectl's names for keys: two of kustomize's may not be one of these."""
    for document in documents:
        if document.duplicates:
            place = _place(where, document, document.duplicates[0].path)
            decline("two keys are one to kubectl", place)


def _check_documents(documents: tuple[Document, ...], where: Location) -> None:
    for document in documents:
        if document.duplicates:
            place = _place(where, document, document.duplicates[0].path)
            refuse("a key stands twice", place, "keep one of them", said="already (defined|set)")
        if document.untexts:
            place = _place(where, document, document.untexts[0])
            refuse(
                f"the key {document.untexts[0][-1]} is no text",
                place,
                "put it in quotes",
                said=r"map\[interface",
            )
        if document.doubts and not document.settled:
            decline(document.doubts[0].reason, _place(where, document, document.doubts[0].path))


def _check_comments(text: str, where: Location) -> None:
    for line in text.split("\n"):
        bare = line.strip()
        harmless = (
            not _FIELD_COMMENT.match(bare) if bare.startswith("#") else _MARKER.fullmatch(line.rstrip("\r"))
        )
        if not harmless and _FIELD_COMMENT.search(line):
            decline("a comment holds a mapping, which kustomize may take for a schema", where)


def _settled(document: Document, text: str, *, last: bool) -> Document:
    """A document whose doubts are folded texts in a ConfigMap's data with these as kustomize writes them; else itself."""
    data = document.data
    if not isinstance(data, dict) or data.get("kind") != "ConfigMap":
        return document
    if last and not text.endswith("\n"):
        data = without_added_newline(document, text).data
    for doubt in document.doubts:
        node = document.find(doubt.path)
        if node is None or len(doubt.path) != 2 or doubt.path[0] != "data":
            return document
        new = refolded(at(data, doubt.path), text, node.start)
        if new is None:
            return document
        data = _set(data, list(doubt.path), new)
    return replace(document, data=data, settled=True)


def _check_folded(documents: tuple[Document, ...], text: str) -> None:
    for document in documents:
        if document.settled:
            continue
        for path, node, value in _leaves(document.data, document.node, ()):
            if (
                isinstance(value, str)
                and text[node.start : node.start + 1] == ">"
                and _UNSTABLE.search(value)
            ):
                decline("a folded text that kustomize changes", Location(document.file, path, document.index))


def _check_kept(documents: tuple[Document, ...], text: str) -> None:
    for document in documents:
        for path, node, value in _leaves(document.data, document.node, ()):
            if isinstance(value, str) and value[-1:] == "\n" and text[node.end :].lstrip().startswith("#"):
                place = Location(document.file, path, document.index)
                decline(
                    "a comment behind a text that keeps its empty lines, to which kustomize adds one", place
                )


def _with_data(document: Document, data: Any) -> Document:
    return replace(document, data=data)


def without_added_newline(document: Document, text: str) -> Document:
    """Our reader ends the last line of a file; kustomize does not, which shows in a final block scalar."""
    if "|" not in text and ">" not in text:
        return document
    path: list[str | int] = []
    node, data = document.node, document.data
    while node.items:
        step, node = (
            max(node.items.items(), key=lambda pair: pair[1].start)
            if isinstance(node.items, dict)
            else (len(node.items) - 1, node.items[-1])
        )
        path.append(step)
        data = data[step]
    first = text[node.start : node.start + 1]
    if not isinstance(data, str) or first not in ("|", ">", "&", "!"):
        return document
    begin = text.rfind("\n") + 1
    if not text[begin:].strip():
        decline("blanks behind a text end the file", Location(document.file, tuple(path), document.index))
    if node.end <= begin:
        return document  # a comment or a separator behind the text ends the file
    if first in ("&", "!") and data.endswith("\n"):
        decline("a text behind an anchor or a tag ends the file", Location(document.file, tuple(path)))
    return _with_data(document, _set(document.data, path, data.removesuffix("\n")))


def _with_timestamps(document: Document, text: str) -> Document:
    """kustomize reads an unquoted date as a time and writes it out in full."""
    data = document.data
    for path, node, value in _leaves(document.data, document.node, ()):
        first = text[node.start : node.start + 1]
        if isinstance(value, str) and _TIME.match(value) and first not in ("'", '"', "|", ">"):
            parts = _ONLY_DATE.match(value) if first.isdigit() else None  # else an anchor, an alias or a tag
            if parts is None or not (1 <= int(parts[2]) <= 12 and 1 <= int(parts[3]) <= 28):
                decline("an unquoted time is read differently by each tool", Location(document.file, path))
            data = _set(data, list(path), f"{value}T00:00:00Z")
    return document if data is document.data else _with_data(document, data)


def _leaves(data: Any, node: Node, path: Path) -> Iterator[tuple[Path, Node, Any]]:
    if isinstance(data, dict) and isinstance(node.items, dict):
        for key, value in data.items():
            yield from _leaves(value, node.items[key], (*path, key))
    elif isinstance(data, list) and isinstance(node.items, list):
        for index, value in enumerate(data):
            yield from _leaves(value, node.items[index], (*path, index))
    else:
        yield path, node, data


def _set(data: Any, path: list[str | int], value: Any) -> Any:
    if not path:
        return value
    changed: Any = dict(data) if isinstance(data, dict) else list(data)
    changed[path[0]] = _set(data[path[0]], path[1:], value)
    return changed


def objects(documents: tuple[Document, ...], where: Location, *, patch: bool = False) -> Iterator[Item]:
    """The objects of some documents, lists opened; what is no object is declined.

    In a `patch`, annotations that are null stay so: they take annotations away.
    """
    queue: list[tuple[Any, Document, Path]] = [(document.data, document, ()) for document in documents]
    # A file that is one List is opened in place; other lists' items come after everything else.
    if (
        len(queue) == 1
        and isinstance(queue[0][0], dict)
        and queue[0][0].get("kind") in ("List", "ResourceList")
    ):
        queue = list(_opened(*queue[0]))
    large: dict[int, bool] = {}  # by source: a dump of CRDs has a hundred documents in a text of megabytes
    while queue:
        data, document, path = queue.pop(0)
        place = _place(where, document, path)
        if data is None or data == {}:
            continue
        if isinstance(data, dict) and str(data.get("kind")).endswith("List"):
            if "items" in data:
                queue.extend(_opened(data, document, path))
                continue
            decline("a list without items", place)
        item = Item(_checked(data, document, path, place, patch=patch), Mark(place))
        source = document.source
        if id(source) not in large:
            large[id(source)] = _many_digits(source.text)
        item.large = large[id(source)]
        item.folded = document.settled
        if patch:
            item.unusual = _unusual(source.text)
        item.spelled = item.data["metadata"].get("annotations") is not data["metadata"].get("annotations")
        yield item


def _loose(documents: tuple[Document, ...], where: Location) -> Iterator[Item]:
    for document in documents:
        listed: list[tuple[Any, Document, Path]] = [(document.data, document, ())]
        if isinstance(document.data, dict) and isinstance(document.data.get("items"), list):
            listed = list(_opened(document.data, document, ()))
        for data, _, path in listed:
            match data:
                case {"kind": str(), "metadata": {"name": str()}}:
                    yield Item(data, Mark(_place(where, document, path)))


def _place(where: Location, document: Document, path: Path) -> Location:
    """Inside a kustomization's text, the step after the text is the number of its document."""
    if where.path:
        return Location(where.file, (*where.path, document.index, *path), where.document)
    return Location(where.file, path, document.index)


def _opened(data: dict[str, Any], document: Document, path: Path) -> Iterator[tuple[Any, Document, Path]]:
    items = data.get("items")
    if items is None:
        return
    if not isinstance(items, list):
        decline("a list whose items are no list", Location(document.file, path, document.index))
    for index, value in enumerate(items):
        yield value, document, (*path, "items", index)


def _checked(data: Any, document: Document, path: Path, place: Location, *, patch: bool) -> dict[str, Any]:
    """The object, its annotations as texts; declined where kustomize needs more of an object."""
    if not isinstance(data, dict):
        decline("not a Kubernetes object", place)
    metadata = data.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(data.get("kind"), str) or not data["kind"]:
        decline("an object needs a kind and metadata", place)
    if not isinstance(data.get("apiVersion", ""), str):
        decline("apiVersion is not a text", place.at("apiVersion"))
    for name in ("name", "namespace"):
        value = metadata.get(name, "")
        if not isinstance(value, str) or not (plain_text(value) or not value) or "," in value:
            if name == "namespace" and value is None:
                continue
            decline(f"metadata.{name} is not plain text", place.at("metadata", name))
    if not metadata.get("name"):
        refuse("an object needs a name", place, "give it metadata.name", said="missing metadata.name")
    identity = (data["kind"], data.get("apiVersion", ""), metadata["name"], metadata.get("namespace") or "")
    if any(len(text) > MAX_NAME for text in identity):
        decline(f"a name of more than {MAX_NAME} characters", place)
    if not isinstance(metadata.get("labels", {}), dict | None):
        decline("labels are no mapping", place.at("metadata", "labels"))
    annotations = metadata.get("annotations")
    if not annotations:
        return data
    if not isinstance(annotations, dict):
        decline("annotations are no mapping", place.at("metadata", "annotations"))
    texts = _annotations(annotations, document, path, place, patch=patch)
    return {**data, "metadata": {**metadata, "annotations": texts}} if texts is not annotations else data


def _annotations(
    annotations: dict[str, Any], document: Document, path: Path, place: Location, *, patch: bool
) -> dict[str, Any]:
    """Annotations as kustomize writes them: all texts."""
    texts = {}
    for key, value in annotations.items():
        if _OWN_ANNOTATIONS.match(key):
            decline("an annotation that kustomize uses itself", place.at("metadata", "annotations", key))
        check_key(key, place.at("metadata", "annotations", key))
        keep = (isinstance(value, str) and not value.endswith("T00:00:00Z")) or (patch and value is None)
        texts[key] = value if keep else _spelled(document, (*path, "metadata", "annotations", key))
    return annotations if all(texts[key] is value for key, value in annotations.items()) else texts


def _spelled(document: Document, path: Path) -> str:
    """A scalar as it is written: what kustomize makes of an annotation that is no text."""
    node = document.find(path)
    value = at(document.data, path)
    if node is None or isinstance(value, dict | list) or value is ABSENT:
        decline("an annotation is no text", Location(document.file, path, document.index))
    text = document.source.text[node.start : node.end]
    if text and text[0] in "*&!\"'|>":
        decline("an annotation of unknown spelling", Location(document.file, path, document.index))
    return text
