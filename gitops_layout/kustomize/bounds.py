"""What is not given to kustomize: YAML whose nesting or aliases take it time and memory out of all proportion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitops_layout.kustomize.model import mappings, strings
from gitops_layout.model import Location, Path, Span
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import MAX_BYTES, Repo, UnreadableError
from gitops_layout.source.document import SyntaxProblem
from gitops_layout.source.reader import read

__all__ = ["file_bound", "text_bounds"]

_INLINE = ("patchesStrategicMerge", "generators", "transformers", "validators")
MAX_OPENED = 100
"""Lists and mappings that a text may open before its nesting is looked at."""

# Texts without any of these nest less deeply than the bound and have no aliases; most have none.
_SUSPICIOUS = regexp(r" {100}|(?:[?\-:\[{][ \t]*+){30}|[ \n\[{,:][&*]")


def file_bound(repo: Repo, file: str) -> tuple[SyntaxProblem, Location] | None:
    """The bound that a file does not keep, and where. One that is too large to be read here is asked for its nesting."""
    problem = next((problem for problem in repo.stream(file).problems if problem.bound), None)
    if repo.entries[file].size > MAX_BYTES:
        from gitops_layout.source.events import too_deep

        try:
            problem = too_deep(repo.content(file))
        except UnreadableError:
            return None
    if problem is None:
        return None
    span = Span(problem.line, problem.column, problem.line, problem.column + 1, 0, 0)
    return problem, Location(file, span=span)


def text_bounds(data: Any, here: Location) -> Iterator[tuple[SyntaxProblem, Location]]:
    """The same for the texts of a kustomization that are YAML of their own."""
    for path, text in _texts(data):
        if text.count("[") + text.count("{") > MAX_OPENED or _SUSPICIOUS.search(text):
            problems = read(text, here.file).problems
            yield from ((problem, here.at(*path)) for problem in problems if problem.bound)


def _texts(data: Any) -> Iterator[tuple[Path, str]]:
    for name in _INLINE:
        for text, index in strings(data, name):
            yield (name, index), text
    for name in ("patches", "patchesJson6902"):
        for item, index in mappings(data, name):
            if isinstance(item.get("patch"), str):
                yield (name, index, "patch"), item["patch"]
