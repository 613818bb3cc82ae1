"""What people are told to run: the scripts and pages of a repository."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import basename

from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo

__all__ = ["instructions"]

_TOLD = regexp(r"\.(?:sh|bash|md|adoc|txt|mk|just)$|^(?:Makefile|justfile|Justfile|Taskfile\.ya?ml)$")


def instructions(repo: Repo) -> Iterator[str]:
    """The files, by their names; links to others are left out."""
    yield from (
        path for path in repo.files if _TOLD.search(basename(path)) and repo.entries[path].target is None
    )
