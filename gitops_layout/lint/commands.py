"""Objects that people make by a command which the repository's scripts and pages tell them."""

from __future__ import annotations

import re
from posixpath import basename
from typing import TYPE_CHECKING

from gitops_layout.checks.once import once
from gitops_layout.patterns import regexp

if TYPE_CHECKING:
    from gitops_layout.repo.model import Repo

__all__ = ["made_by_command"]

_TOLD = regexp(r"\.(?:sh|bash|md|adoc|txt|mk|just)$|^(?:Makefile|justfile|Justfile|Taskfile\.ya?ml)$")
_CREATING = regexp(r"create|--from-(?:literal|file|env-file)", re.IGNORECASE)
_WORD = regexp(r"[a-z0-9][a-z0-9.-]*")


@once
def made_by_command(repo: Repo) -> frozenset[str]:
    """The words of every line that creates something, and of the line behind it, where the command is continued."""
    words: set[str] = set()
    for path in repo.files:
        if not _TOLD.search(basename(path)) or repo.entries[path].target is not None:
            continue
        before = False
        for line in repo.text(path).split("\n"):
            creating = _CREATING.search(line) is not None
            if creating or before:
                words.update(_WORD.findall(line))
            before = creating and (line.rstrip().endswith(("\\", ":")) or "create" in line)
    return frozenset(words)
