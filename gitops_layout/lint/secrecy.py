"""Source lines as they may be printed: no line shows a Secret's value, whatever rule points at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitops_layout.k8s.mask import MASK, is_secret
from gitops_layout.passwords import without_passwords
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import is_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitops_layout.model import Location, Path, Span
    from gitops_layout.repo.model import Repo

__all__ = ["Excerpts", "masked"]

_SAYS_SECRET = regexp(r"kind[\"']?\s*:\s*[\"']?Secret\b|secretGenerator")
_ENTRY = regexp(r"(\s*(?:- )*)([\w.\-/\"']+\s*:)(\s+)(\S.*)$")
_ASSIGNMENT = regexp(r"(\s*(?:- )+[\"']?[\w.\-]+=)(.+)$")
_HEADER = regexp(r"[|>][-+0-9]*\s*(#.*)?$")
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
        self._secret: dict[str, list[Span]] = {}

    def line(self, location: Location, span: Span, *, secret: bool) -> str | None:
        """The first line of a place, without its end; None where there is none to show."""
        file = location.file
        if file not in self._lines:
            text = self._repo.stream(file).text if is_yaml(file) else self._repo.text(file)
            self._lines[file] = text.split("\n")
            self._secret[file] = list(_secret_spans(self._repo, file)) if is_yaml(file) else []
        lines = self._lines[file]
        if not 0 < span.line <= len(lines):
            return None
        line = lines[span.line - 1].rstrip("\r")
        if secret or any(hidden.line <= span.line <= hidden.end_line for hidden in self._secret[file]):
            return masked(line[:_MAX_WIDTH])
        return None if self._unread(file) else without_passwords(line)[:_MAX_WIDTH]

    def _unread(self, file: str) -> bool:
        """Whether the file could not be read whole, and the rest of it might be a Secret's."""
        stream = self._repo.stream(file) if is_yaml(file) else None
        return stream is not None and bool(stream.problems) and _SAYS_SECRET.search(stream.text) is not None


def _secret_spans(repo: Repo, file: str) -> Iterator[Span]:
    """Where a file keeps the values of Secrets, those inside Lists and kustomizations included."""
    for document in repo.documents(file):
        waiting: list[tuple[Any, Path]] = [(document.data, ())]
        while waiting:
            data, path = waiting.pop()
            if not isinstance(data, dict):
                continue
            if is_secret(data):
                yield from (document.span((*path, s)) for s in ("data", "stringData") if s in data)
            items = data.get("items")
            waiting += [
                (item, (*path, "items", n)) for n, item in enumerate(items if isinstance(items, list) else ())
            ]
            generators = data.get("secretGenerator")
            for n, generator in enumerate(generators if isinstance(generators, list) else ()):
                if isinstance(generator, dict) and "literals" in generator:
                    yield document.span((*path, "secretGenerator", n, "literals"))
