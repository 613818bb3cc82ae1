"""Files that kustomizations name for something else than resources: what looks like an object there is none."""

from __future__ import annotations

from posixpath import join
from typing import Literal

from gitops_layout.kustomize.model import FILE_NAMES, Kustomization, find, references
from gitops_layout.repo.model import Repo

__all__ = ["named"]


def named(repo: Repo, *kinds: Literal["patch", "input", "config", "plugin"]) -> frozenset[str]:
    """The files of the repository that its kustomizations name as one of `kinds`."""
    found: set[str] = set()
    for folder, names in repo.folders.items():
        if not any(name in names for name in FILE_NAMES):
            continue
        kustomization = find(repo, folder)
        if not isinstance(kustomization, Kustomization):
            continue
        for reference in references(kustomization):
            if reference.kind in kinds:
                real = repo.resolve(join(folder, reference.target))
                if real is not None and real in repo.entries:
                    found.add(real)
    return frozenset(found)
