"""Which folders and files a git generator's patterns name.

Folders are matched by Go's path.Match, files by git's pathspecs (`git ls-files -- PATTERN`), where a `*`
crosses slashes and a folder's name means everything in it. Argo CD's opt-in "new git file globbing"
(doublestar) is not assumed. Sources: argo-cd v3.6.1 (reposerver, util/git), git 2.x pathspec and wildmatch.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

__all__ = ["PatternError", "UnsupportedPatternError", "file_matcher", "folder_matcher"]

_POSIX = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "blank": " \\t", "digit": "0-9", "lower": "a-z",
    "space": "\\s", "upper": "A-Z", "xdigit": "0-9a-fA-F", "punct": re.escape("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
}  # fmt: skip


class PatternError(ValueError):
    """A pattern that the tool refuses; its text says why."""


class UnsupportedPatternError(PatternError):
    """A pattern that the tool takes and we do not evaluate."""


@lru_cache(maxsize=256)
def folder_matcher(pattern: str) -> Callable[[str], bool]:
    """Go's path.Match: `*` and `?` stop at slashes. Raises PatternError for a malformed pattern."""
    expression = "/".join(_segment(part, "[^/]") for part in _split_segments(_pieces(pattern, git=False)))
    compiled = re.compile(f"{expression}\\Z", re.DOTALL)
    return lambda path: compiled.match(path) is not None


@lru_cache(maxsize=256)
def file_matcher(pattern: str) -> Callable[[str], bool]:
    """A git pathspec without magic. Raises PatternError for what git refuses and for magic (`:(…)`)."""
    if pattern.startswith(":"):
        raise UnsupportedPatternError("pathspec magic is not evaluated here")
    if pattern.startswith(("/", "../")) or pattern == "..":
        raise PatternError("the path leads out of the repository")
    clean = pattern.removeprefix("./").rstrip("/")
    if clean in ("", "."):
        return lambda _: True
    if not {".", "..", ""}.isdisjoint(clean.split("/")):
        raise UnsupportedPatternError("folders called . or .. or nothing are not evaluated here")
    only_folder = pattern.endswith("/")
    wild = None
    if any(char in clean for char in "*?[\\"):
        wild = _wildcards(_bytes(clean))

    def matches(path: str) -> bool:
        if path.startswith(f"{clean}/") or (path == clean and not only_folder):
            return True
        return wild is not None and not only_folder and wild.match(_bytes(path)) is not None

    return matches


def _wildcards(pattern: str) -> re.Pattern[str] | None:
    """The pattern as an expression; None for a malformed one, which to git is a name and nothing else."""
    try:
        return re.compile(f"{_segment(_pieces(pattern, git=True), '.')}\\Z", re.DOTALL)
    except UnsupportedPatternError:
        raise
    except PatternError:
        return None


def _bytes(text: str) -> str:
    """The text with one character for each of its bytes: git's wildcards know nothing else."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


_Piece = str | None
"""A regular expression for one character, or None for a star."""


def _pieces(pattern: str, *, git: bool) -> list[_Piece]:
    pieces: list[_Piece] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            if not pieces or pieces[-1] is not None:
                pieces.append(None)
        elif char == "?":
            pieces.append("." if git else "[^/]")
        elif char == "[":
            piece, at = _bracket(pattern, at, git=git)
            pieces.append(piece)
        elif char == "\\":
            if at >= len(pattern):
                raise PatternError("the pattern ends in a backslash")
            pieces.append(re.escape(pattern[at]))
            at += 1
        else:
            pieces.append(re.escape(char))
    return pieces


def _bracket(pattern: str, at: int, *, git: bool) -> tuple[str, int]:
    negated = pattern[at : at + 1] in (("!", "^") if git else ("^",)) and at < len(pattern)
    at += negated
    parts: list[str] = []
    empty = True
    while True:
        if pattern[at : at + 1] == "]" and not (empty and git):
            if empty:
                raise PatternError("an empty [] in the pattern")
            return _class("".join(parts), negated=negated), at + 1
        empty = False
        posix = re.match(r"\[:(\w+):\]", pattern[at:]) if git else None
        if posix:
            if posix[1] not in _POSIX:
                raise UnsupportedPatternError(f"[:{posix[1]}:] is not evaluated here")
            parts.append(_POSIX[posix[1]])
            at += posix.end()
            continue
        low, at = _member(pattern, at, git=git)
        high = low
        if pattern[at : at + 1] == "-" and (not git or pattern[at + 1 : at + 2] not in ("]", "")):
            high, at = _member(pattern, at + 1, git=git)
        if low <= high:
            parts.append(f"{re.escape(low)}-{re.escape(high)}")
        elif git:  # a range the wrong way round is nothing, but git has taken its first end by then
            parts.append(re.escape(low))


def _class(members: str, *, negated: bool) -> str:
    if not members:
        return r"[\s\S]" if negated else "(?!)"
    return f"[{'^' if negated else ''}{members}]"


def _member(pattern: str, at: int, *, git: bool) -> tuple[str, int]:
    char = pattern[at : at + 1]
    if char == "\\":
        at += 1
        char = pattern[at : at + 1]
    elif not git and char in ("-", "]"):
        raise PatternError("a malformed [] in the pattern")
    if not char:
        raise PatternError("a [ is not closed in the pattern")
    return char, at + 1


def _split_segments(pieces: list[_Piece]) -> list[list[_Piece]]:
    segments: list[list[_Piece]] = [[]]
    for piece in pieces:
        if piece == "/":
            segments.append([])
        else:
            segments[-1].append(piece)
    return segments


def _segment(pieces: list[_Piece], star: str) -> str:
    """One regular expression without backtracking over more than one star at a time."""
    chunks: list[str] = [""]
    for piece in pieces:
        if piece is None:
            chunks.append("")
        else:
            chunks[-1] += piece
    first, *rest = chunks
    if not rest:
        return first
    middle = "".join(f"(?>{star}*?{chunk})" for chunk in rest[:-1] if chunk)
    return f"{first}{middle}{star}*{rest[-1]}"
