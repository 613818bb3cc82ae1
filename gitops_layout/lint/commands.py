"""Objects that people make by a command which the repository's scripts and pages tell them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gitops_layout.checks.instructions import instructions
from gitops_layout.checks.once import once
from gitops_layout.patterns import regexp

if TYPE_CHECKING:
    from gitops_layout.repo.model import Repo

__all__ = ["made_by_command"]

_CREATING = regexp(r"create|--from-(?:literal|file|env-file)", re.IGNORECASE)
_APPLIED = regexp(r"apply\b.*-f +-|<<")
_NAME = regexp(r"\bname\"?\s*[:=]")
_OBJECTS = regexp(r"kubernetes_|kubectl_manifest|\bkind\b\"?\s*[:=]")
"""A Terraform file that makes objects of Kubernetes."""
_WORD = regexp(r"[a-z0-9][a-z0-9.-]*")


@once
def made_by_command(repo: Repo) -> frozenset[str]:
    """The words of every line that creates something, and of the line behind it, where the command is continued; those
    beside a `name` in scripts that apply what they write themselves, and in Terraform files that make objects.
    """
    words: set[str] = set()
    for path in instructions(repo):
        text = repo.text(path)
        applied = _APPLIED.search(text) is not None
        before = False
        for line in text.split("\n"):
            creating = _CREATING.search(line) is not None
            if creating or before or (applied and _NAME.search(line)):
                words.update(_WORD.findall(line))
            before = creating and (line.rstrip().endswith(("\\", ":")) or "create" in line)
    for path in repo.files:
        if path.endswith((".tf", ".tofu")) and repo.entries[path].target is None:
            text = repo.text(path)
            if _OBJECTS.search(text):
                words.update(_WORD.findall(text))
    return frozenset(words)
