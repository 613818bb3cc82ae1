"""The largest repositories of the open corpus: ours from files to objects with origins, and kustomize's library on the same
roots.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from posixpath import basename

from gitops_layout.kustomize.model import FILE_NAMES
from gitops_layout.repo.load import listed
from tools.bench.linking import Whole, whole
from tools.bench.others import Library

__all__ = ["Row", "folders", "largest"]

COUNT = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One repository: ours whole, its kustomize roots that both build, and the library's seconds for them."""

    name: str
    ours: Whole
    roots: int
    library: float


def largest(library: Library) -> Iterator[Row]:
    """The repositories with the most kustomizations below GITOPS_LAYOUT_CORPUS; none where that is not set."""
    for folder in folders():
        ours = whole(folder, strict=False)
        seconds, built = library([folder / root for root in ours.roots])
        yield Row(folder.name.replace("__", "/"), ours, built, seconds)


def folders() -> list[Path]:
    """Where these repositories are; nothing where GITOPS_LAYOUT_CORPUS is not set."""
    corpus = os.environ.get("GITOPS_LAYOUT_CORPUS")
    if not corpus:
        return []
    sizes = {
        folder: sum(basename(path) in FILE_NAMES for path in listed(folder).entries)
        for folder in sorted(Path(corpus).iterdir())
        if folder.is_dir()
    }
    return sorted(sizes, key=lambda folder: -sizes[folder])[:COUNT]
