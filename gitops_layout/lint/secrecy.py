"""Source lines as they may be printed: no line shows a Secret's value, whatever rule points at it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gitops_layout.k8s.mask import MASK, is_secret
from gitops_layout.repo.model import is_yaml

if TYPE_CHECKING:
    from gitops_layout.model import Location, Span
    from gitops_layout.repo.model import Repo

__all__ = ["Excerpts", "masked"]

_SAYS_SECRET = re.compile(r"kind[\"']?\s*:\s*[\"']?Secret\b|secretGenerator")
_ENTRY = re.compile(r"(\s*(?:- )*)([\w.\-/\"']+\s*:)(\s+)(\S.*)$")
_ASSIGNMENT = re.compile(r"(\s*(?:- )+[\"']?[\w.\-]+=)(.+)$")
_HEADER = re.compile(r"[|>][-+0-9]*\s*(#.*)?$")
_MAX_WIDTH = 500


def masked(line: str) -> str:
    """A line with its value hidden; keys and the head of a block stay."""
    if entry := _ENTRY.match(line):
        value = entry[4] if _HEADER.match(entry[4]) else MASK
        return f"{entry[1]}{entry[2]}{entry[3]}{value}"
    if assignment := _ASSIGNMENT.match(line):
        return f"{assignment[1]}{MASK}"
    words = line.strip()
    indent = line[: len(line) - len(line.lstrip())]
    return line if not words or words.endswith(":") else f"{indent}{MASK}"


class Excerpts:
    """Looks up source lines; remembers where a file keeps secrets."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._lines: dict[str, list[str]] = {}
        self._secret: dict[str, list[tuple[int, int]]] = {}
        for resource in repo.resources:
            if is_secret(resource.data):
                for section in ("data", "stringData"):
                    if section in resource.data:
                        self._hide(resource.file, repo.span(resource.location.at(section)))
            elif isinstance(resource.data.get("secretGenerator"), list):
                self._hide(resource.file, repo.span(resource.location.at("secretGenerator")))

    def _hide(self, file: str, span: Span) -> None:
        self._secret.setdefault(file, []).append((span.line, span.end_line))

    def line(self, location: Location, span: Span, *, secret: bool) -> str | None:
        """The first line of a place, without its end; None where there is none to show."""
        file = location.file
        if file not in self._lines:
            text = self._repo.stream(file).text if is_yaml(file) else self._repo.text(file)
            self._lines[file] = text.split("\n")
        lines = self._lines[file]
        if not 0 < span.line <= len(lines):
            return None
        line = lines[span.line - 1].rstrip("\r")[:_MAX_WIDTH]
        hidden = secret or any(first <= span.line <= last for first, last in self._secret.get(file, ()))
        if not hidden and self._unread(file, span.line):
            return None
        return masked(line) if hidden else line

    def _unread(self, file: str, line: int) -> bool:
        """Whether the line lies where the file could not be read, and might be a Secret's."""
        if not is_yaml(file):
            return False
        stream = self._repo.stream(file)
        if not stream.problems and stream.documents:
            return _generator_without_kind(stream.documents[0].data) and self._in_generator(file, line)
        return _SAYS_SECRET.search(stream.text) is not None

    def _in_generator(self, file: str, line: int) -> bool:
        spans = (
            d.span(("secretGenerator",)) for d in self._repo.documents(file) if d.has(("secretGenerator",))
        )
        return any(span.line <= line <= span.end_line for span in spans)


def _generator_without_kind(data: object) -> bool:
    return isinstance(data, dict) and "secretGenerator" in data
