"""Places inside YAML that stands as text inside a kustomization (inline patches)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from gitops_layout.kustomize.fast.marks import ABSENT, at
from gitops_layout.model import Location, Path, Span
from gitops_layout.repo.model import Repo
from gitops_layout.source.document import Stream
from gitops_layout.source.reader import read

__all__ = ["inside_text"]


def inside_text(repo: Repo, where: Location, *, known: bool = False) -> Location:
    """A place whose path goes on inside a text, as the text's place and the lines in it.

    Only a literal block (`|`) keeps its lines apart; inside other texts the whole text is the place. That a text holds
    YAML is `known`, or asked of the field's name.
    """
    if where.span is not None or not where.path:
        return where
    outer = _text_path(repo, where, known=known)
    if outer is None:
        return where
    rest = where.path[len(outer) :]
    place = Location(where.file, outer, where.document)
    document = next(d for d in repo.documents(where.file) if d.index == where.document)
    span = document.span(outer)
    source = document.source.text
    if source[span.start : span.start + 1] != "|" or not rest:
        return place
    return Location(
        where.file, outer, where.document, span=_inner(source, span, at(document.data, outer), rest)
    )


# Fields of kustomizations and of plugins' configurations that hold YAML as text.
_TEXTS = frozenset(
    ("patches", "patchesStrategicMerge", "patchesJson6902", "generators", "transformers", "validators",
     "patch", "jsonOp", "paths")
)  # fmt: skip


def _text_path(repo: Repo, where: Location, *, known: bool) -> Path | None:
    """The path of the text that `where` leads into, if it does."""
    if where.file not in repo.entries or not isinstance(where.path[0], str):
        return None
    if not known and where.path[0] not in _TEXTS:
        return None
    document = next((d for d in repo.documents(where.file) if d.index == where.document), None)
    data: Any = document.data if document is not None else None
    for index, step in enumerate(where.path):
        data = at(data, (step,))
        if data is ABSENT:
            return None
        if isinstance(data, str):
            return where.path[: index + 1] if index + 1 < len(where.path) else None
    return None


@lru_cache(maxsize=256)
def _parsed(text: str) -> Stream:
    return read(text, "")


def _inner(source: str, span: Span, text: str, rest: Path) -> Span:
    stripped = text.strip()
    skipped = text[: len(text) - len(text.lstrip())].count("\n")
    documents = _parsed(stripped).documents
    document = next((d for d in documents if d.index == rest[0]), None)
    if document is None:
        return span
    inner = document.span(rest[1:])
    lines = source.split("\n")
    first = span.line + skipped  # the block's first line follows its header
    while first < len(lines) and not lines[first].strip():
        first += 1
    indent = len(lines[first]) - len(lines[first].lstrip()) if first < len(lines) else 0
    line, end_line = first + inner.line, first + inner.end_line
    start = sum(len(text) + 1 for text in lines[: line - 1]) + indent + inner.column - 1
    end = sum(len(text) + 1 for text in lines[: end_line - 1]) + indent + inner.end_column - 1
    return Span(line, inner.column + indent, end_line, inner.end_column + indent, start, end)
