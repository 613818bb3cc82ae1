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
    """A place whose path goes on inside a text, as the text's place and the span in it; the whole text where it cannot be
    followed (behind an anchor or a tag).

    That a text holds YAML is `known`, or asked of the field's name.
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
    if not rest:
        return place
    text = at(document.data, outer)
    if source[span.start : span.start + 1] == "|":
        inner = _inner(source, span, text, rest)
    else:
        found = _followed(source, span, text, rest)
        if found is None:
            return place
        inner = document.source.span(*found)
    return Location(where.file, outer, where.document, span=inner)


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


def _followed(source: str, span: Span, text: str, rest: Path) -> tuple[int, int] | None:
    """Start and end in the source of what stands at a path of the YAML in a text that is written in quotes, plainly or
    folded.
    """
    stripped = text.strip()
    document = next((d for d in _parsed(stripped).documents if d.index == rest[0]), None)
    places = _places(source, span.start, span.end, text)
    if document is None or places is None:
        return None
    inner, skipped = document.span(rest[1:]), len(text) - len(text.lstrip())
    return places[inner.start + skipped][0], places[max(inner.end - 1, inner.start) + skipped][1]


_WHITE = " \t\r\n"
_ESCAPES = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "0": "\0",
    "e": "\x1b",
    "b": "\b",
    "a": "\a",
    "f": "\f",
    "v": "\v",
}
_HEX = {"x": 2, "u": 4, "U": 8}


@lru_cache(maxsize=64)
def _places(source: str, start: int, end: int, text: str) -> list[tuple[int, int]] | None:
    """Start and end in the source of what each character of a text is written with; None where they do not fit.

    What is not white stands in the source in the same order; how the rest is folded need not be known.
    """
    style = source[start : start + 1]
    at = source.find("\n", start, end) if style == ">" else start + (style in ("'", '"'))
    places: list[tuple[int, int]] = []
    for character in text:
        white = character in _WHITE
        at = _past_folds(source, at, end, style, blanks=not white)
        meant, width = _meant(source, at, style)
        if meant != character or at >= end:
            if not white:
                return None
            width = 0
        places.append((at, at + width))
        at += width
    return places


def _past_folds(source: str, at: int, end: int, style: str, *, blanks: bool) -> int:
    """Behind the ends of lines that mean nothing, and all `blanks` as well where one is not looked for."""
    while at < end:
        if style == '"' and source.startswith("\\\n", at):
            at += 2
            while at < end and source[at] in _WHITE:
                at += 1
        elif blanks and source[at] in _WHITE:
            at += 1
        else:
            break
    return at


def _meant(source: str, at: int, style: str) -> tuple[str, int]:
    """The character that stands at a place of a scalar of some style, and how much of the source it takes."""
    one = source[at : at + 1]
    if style == "'" and one == "'":
        return one, 2
    if style != '"' or one != "\\":
        return one, 1
    kind = source[at + 1 : at + 2]
    if kind in _HEX:
        digits = source[at + 2 : at + 2 + _HEX[kind]]
        return chr(int(digits, 16)), 2 + len(digits)
    return _ESCAPES.get(kind, kind), 2
