"""Marks in a chart's templates: comments by which helm's output tells which line of which template printed what.

A mark stands at the beginning of a line of the output, so only where a template certainly begins one. What is printed
after it, and before another one, was printed by what a run of the template can reach from there without passing
another mark. Where a helper's text is not merely printed but looked at (in an `if`, in a variable, in a function that
puts lines into another order), it gets no marks: they would change what the chart does.

Facts: text/template (trims, what `else` and `range` lead to).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from hashlib import sha256
from typing import Literal

from gitops_layout.helm.actions import placed
from gitops_layout.helm.actions import word as word_of
from gitops_layout.helm.uses import ALL, EVERY, Unit, Uses
from gitops_layout.patterns import regexp
from gitops_layout.values import dataclass

__all__ = ["Mark", "Marks", "marked"]

_FARTHEST = 500
"""Pieces of a template that one mark may stand for."""
_BLANKS = " \t\r\n"
_PRINTED = "\0"
"""Stands for what an action prints, in a line that is looked at for its form."""

_OPENING = ("if", "with", "range", "define", "block")
_DEFINES = regexp(r"(?:define|block)\s+\"((?:\\.|[^\"\\])*)\"")
_BEGINS_A_LINE = regexp(r"(?:nindent\s+\d+\s.*|.*\|\s*nindent\s+\d+)", re.DOTALL)

_INDENT = regexp(r"[ \t]*(?:-[ \t]+)*")
_ENTRY = regexp(
    r"[ \t]*(?:-(?:\s|$)|(?:- +)*(?:\"[^\"]*\"|'[^']*'|[^\s#\"'\[\]{},|>-][^#]*?|-[^\s-][^#]*?)\s*:(?:\s|$))"
)
"""A key or an item."""
_PRINTS_ONLY = regexp(rf"\s*{_PRINTED}[\s{_PRINTED}]*(?:#.*)?")
_TEXT_FOLLOWS = regexp(rf"(?:^|:|-)[ \t]+(?:[!&]\S*[ \t]+)*[|>][-+\d]{{0,2}}[\s{_PRINTED}]*(?:#.*)?$")
_QUOTED = regexp(r"(?:[:-][ \t]+|^[ \t]*)([\"'])")


@dataclass(frozen=True, slots=True)
class Mark:
    """A line of a template, the column at which its output begins, and the lines that may print after the mark and
    before another one; None where these cannot be told.
    """

    place: str
    line: int
    column: int
    lines: frozenset[int] | None


@dataclass(frozen=True, slots=True)
class Marks:
    """A chart's templates with marks: their texts by place, and which mark each sign in the output is."""

    texts: Mapping[str, bytes]
    signs: Mapping[str, Mark]
    prefix: str


@dataclass(slots=True)
class _Piece:
    """A part of a template: what it prints on which lines, and where it leads; a `mark` below line 0 only ends what
    another stands for.
    """

    kind: Literal["text", "prints", "silent", "mark"]
    line: int
    word: str = ""
    leads: tuple[int, ...] = ()
    sign: str = ""
    column: int = 0


@dataclass(slots=True)
class _Walk:
    """One file on its way through: its pieces, what is put in, and the blocks that are open."""

    place: str
    text: str
    number: int
    prefix: str
    spared: frozenset[Unit]
    pieces: list[_Piece] = field(default_factory=list)
    put: list[tuple[int, str]] = field(default_factory=list)


def marked(
    texts: Mapping[str, str],
    uses: Uses,
    *,
    bare: frozenset[str] = frozenset(),
    helpers: bool = True,
) -> Marks:
    """Put marks into the templates, texts by their place in the chart; none into `bare` ones, nor into `helpers` if
    these are not wanted. Helpers and files at whose text their `uses` look have none.
    """
    digest = sha256(
        "\0".join(part for item in sorted(texts.items()) for part in item).encode(errors="replace")
    )
    prefix = f"#@{digest.hexdigest()[:12]}:"
    spared = uses.looked_at()
    signs: dict[str, Mark] = {}
    made: dict[str, bytes] = {}
    for number, (place, text) in enumerate(sorted(texts.items())):
        if place in bare or {ALL, (place, "")} & spared:
            continue
        walk = _Walk(place, text, number, prefix, spared if helpers else spared | {EVERY})
        _walk(walk)
        for index, piece in enumerate(walk.pieces):
            if piece.kind == "mark" and piece.line >= 0:
                signs[piece.sign] = Mark(place, piece.line, piece.column, _reached(walk.pieces, index))
        if walk.put:
            made[place] = _with(text, walk.put).encode(errors="replace")
    return Marks(made, signs, prefix)


def _with(text: str, put: list[tuple[int, str]]) -> str:
    parts: list[str] = []
    end = 0
    for at, what in put:
        parts += (text[end:at], what)
        end = at
    return "".join([*parts, text[end:]])


def _walk(walk: _Walk) -> None:
    """Go through a file once: note its pieces, and put a mark wherever a line of the output certainly begins."""
    text, shapes = walk.text, _shapes(walk.text)
    starts = [0, *(found.end() for found in re.finditer("\n", text))]
    form = [not hidden and _has_form(shape) for hidden, shape in zip(_inside(shapes), shapes, strict=True)]
    listed = list(placed(text))
    written = _written(text, listed)
    here = _Here(walk, starts, form)
    branches: list[tuple[bool, bool, list[bool], str, int]] = []
    cut = False
    for number, (start, end, action) in enumerate((*listed, (len(text), len(text), ""))):
        left, right = _trims(text, start, end)
        here.prints_text(start, cut=cut, trimmed=left)
        if start == len(text):
            break
        word = word_of(action)
        if word == "prints" and action is not None:
            here.prints_action(action, left=left, shape=shapes[here.line])
        else:
            here.add(_Piece("prints" if word == "block" else "silent", here.line, word=word))
        if word in _OPENING:
            branches.append((here.wanted, here.fresh, [], word, len(walk.put)))
            here.fresh = word in ("define", "block") or (here.fresh and word != "range")
            if word in ("define", "block"):
                name = _DEFINES.match(action or "")
                unit = ("", name[1] if name is not None else "")
                here.wanted = word == "define" and number in written and not {unit, EVERY} & walk.spared
        elif word == "else" and branches:
            branches[-1][2].append(here.fresh)
            here.fresh = branches[-1][1]
        elif word == "end" and branches:
            wanted, before, ends, opened, put = branches.pop()
            if opened in ("define", "block"):
                if len(walk.put) > put:
                    here.ends(left)
                here.wanted, here.fresh = wanted, before
            else:
                here.fresh = before and here.fresh and all(ends)
        elif word in ("break", "continue"):
            here.fresh = False
        here.line, here.at, cut = here.line + text.count("\n", start, end), end, right
    if walk.put:
        here.ends(left=False)
    _lead(walk.pieces)


@dataclass(slots=True)
class _Here:
    """Where a walk is: at which place and line of the text, and whether the output is at the beginning of one.

    `wanted` says whether there may be marks, `done` is the last line that has one.
    """

    walk: _Walk
    starts: list[int]
    form: list[bool]
    at: int = 0
    line: int = 0
    fresh: bool = True
    wanted: bool = True
    done: int = -1

    def add(self, piece: _Piece) -> None:
        self.walk.pieces.append(piece)

    def sign(self, before: str, after: str, *, dash: bool = False, line: int | None = None) -> None:
        """Put a mark here."""
        sign = f"{self.walk.prefix}{self.walk.number}:{len(self.walk.put)};"
        where = self.line if line is None else line
        self.add(_Piece("mark", where, sign=sign, column=self.at - self.starts[self.line]))
        self.walk.put.append((self.at, "{{" + ("- " if dash else " ") + f'"{before}{sign}{after}" }}}}'))
        self.done = where

    def ends(self, left: bool) -> None:
        """What is printed from here on is somebody else's."""
        self.sign("" if self.fresh else "\\n", "\\n" if self.fresh else "", dash=left, line=-1)

    def prints_text(self, stop: int, *, cut: bool, trimmed: bool) -> None:
        """The text up to an action, without the blanks that it or the one before takes away."""
        text = self.walk.text
        raw = text[self.at : stop]
        last = self.at + len(raw.rstrip(_BLANKS)) if trimmed else stop
        first = min(self.at + len(raw) - len(raw.lstrip(_BLANKS)), last) if cut else self.at
        first = max(first, self.at)
        self.line += text.count("\n", self.at, first)
        self.at = first
        while self.at < last:
            newline = text.find("\n", self.at, last)
            upto = last if newline < 0 else newline + 1
            if self.fresh and self._may():
                self.sign("", "\\n")
            piece = text[self.at : upto]
            if self.fresh and piece.rstrip() == "---":
                self.add(_Piece("mark", -1))  # no mark is asked about what another document holds
            elif piece.strip() and not (self.fresh and piece.lstrip().startswith("#")):
                self.add(_Piece("text", self.line))
            self.fresh = newline >= 0
            self.line += newline >= 0
            self.at = upto
        self.line += text.count("\n", self.at, stop)
        self.at = stop

    def prints_action(self, action: str, *, left: bool, shape: str) -> None:
        """What an action prints; that begins a line if it says so."""
        if self._may():
            if self.fresh:
                self.sign("", "\\n")
            elif _BEGINS_A_LINE.fullmatch(action) and not _TEXT_FOLLOWS.search(shape):
                self.sign("\\n", "", dash=left)
        self.add(_Piece("prints", self.line))
        self.fresh = False

    def _may(self) -> bool:
        return self.wanted and self.form[self.line] and self.done != self.line


def _has_form(shape: str) -> bool:
    """Whether a comment may stand before a line: it is a key or an item, or whatever an action prints."""
    return _ENTRY.match(shape) is not None or _PRINTS_ONLY.fullmatch(shape) is not None


def _written(text: str, listed: list[tuple[int, int, str | None]]) -> frozenset[int]:
    """The helpers that write keys or items, by the number of the action that begins each."""
    found: set[int] = set()
    open_: list[tuple[int, str]] = []
    for number, (start, _, action) in enumerate(listed):
        word = word_of(action)
        if word in _OPENING:
            open_.append((number, word))
        elif word == "end" and open_:
            begun, opened = open_.pop()
            body = text[listed[begun][1] : start] if opened == "define" else ""
            if any(_ENTRY.match(shape) for shape in _shapes(body)):
                found.add(begun)
    return frozenset(found)


def _trims(text: str, start: int, end: int) -> tuple[bool, bool]:
    """Whether an action takes away the blanks before it, and those after it."""
    left = text.startswith("-", start + 2) and text[start + 3 : start + 4].isspace()
    right = text.startswith("-", end - 3) and text[end - 4 : end - 3].isspace()
    return left, right


def _shapes(text: str) -> list[str]:
    """The lines of a template with a sign for what each action prints."""
    parts: list[str] = []
    end = 0
    for start, stop, action in placed(text):
        printed = _PRINTED if word_of(action) == "prints" else ""
        parts += (text[end:start], printed + "\n" * text.count("\n", start, stop))
        end = stop
    return "".join([*parts, text[end:]]).split("\n")


def _inside(shapes: list[str]) -> list[bool]:
    """Which lines stand in a text of several lines, where a comment would be a part of it."""
    found = []
    column: int | None = None
    quote = ""
    for shape in shapes:
        bare = shape.strip()
        if column is not None and bare and not bare.startswith(_PRINTED):
            out = len(shape) - len(shape.lstrip()) <= column or shape.startswith("---")
            column = None if out else column
        if quote:
            found.append(True)
            quote = "" if quote in shape else quote
            continue
        found.append(column is not None)
        if column is not None or not bare or bare.startswith("#"):
            continue
        if _TEXT_FOLLOWS.search(shape):
            begin = _INDENT.match(shape)
            column = begin.end() if begin is not None else 0
            if shape[column : column + 1] in ("|", ">"):
                column = max(shape.rfind("-", 0, column), -1)
        elif (opened := _QUOTED.search(shape)) is not None:
            rest = shape[opened.end() :].replace("\\" + opened[1], "").replace("''", "")
            quote = opened[1] if opened[1] not in rest else ""
    return found


def _lead(pieces: list[_Piece]) -> None:
    """Note for each piece what may come after it; rather too much than too little."""
    open_: list[tuple[int, list[int], list[int]]] = []
    for index, piece in enumerate(pieces):
        piece.leads = (index + 1,)
        if piece.word in _OPENING:
            open_.append((index, [], []))
        elif piece.word == "else" and open_:
            open_[-1][1].append(index)
        elif piece.word in ("break", "continue"):
            around = next(
                (jumps for begun, _, jumps in reversed(open_) if pieces[begun].word == "range"), None
            )
            if around is not None:
                around.append(index)
        elif piece.word == "end" and open_:
            start, others, jumps = open_.pop()
            word = pieces[start].word
            if word == "define":
                pieces[start].leads, piece.leads = (index + 1,), ()  # whoever asked for it goes on
                continue
            pieces[start].leads = (start + 1, *(other + 1 for other in others), index)
            for past in (*others, *jumps):  # a branch that is done goes past the others
                pieces[past].leads = (index,)
            piece.leads = (start + 1, index + 1) if word == "range" else (index + 1,)


def _reached(pieces: list[_Piece], start: int) -> frozenset[int] | None:
    """The lines that may print after a mark and before another one."""
    lines: set[int] = set()
    seen: set[int] = set()
    waiting = list(pieces[start].leads)
    while waiting:
        index = waiting.pop()
        if index in seen or index >= len(pieces):
            continue
        seen.add(index)
        if len(seen) > _FARTHEST:
            return None
        piece = pieces[index]
        if piece.kind == "mark":
            continue
        if piece.kind in ("text", "prints"):
            lines.add(piece.line)
        waiting += piece.leads
    return frozenset(lines)
