"""Every kustomization root of real repositories builds as kubectl builds it, or is declined."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from gitops_layout.kustomize.exact import Build, build_all
from gitops_layout.kustomize.fast import Bases, Declined, build
from gitops_layout.kustomize.model import FILE_NAMES
from gitops_layout.kustomize.walk import walk
from gitops_layout.repo.load import from_work_tree
from tests.kustomize.oracle import differences

CORPUS = os.environ.get("GITOPS_LAYOUT_CORPUS")


def _repositories() -> list[Path]:
    folder = Path(CORPUS) if CORPUS else None
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder else []


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS, reason="GITOPS_LAYOUT_CORPUS names no folder of repositories")
@pytest.mark.parametrize("path", _repositories(), ids=lambda path: path.name)
def test_every_root_builds_as_kubectl_builds_it_or_is_declined(path: Path):
    repo = from_work_tree(path)
    closures = {
        folder: walk(repo, folder)
        for folder, names in repo.folders.items()
        if any(name in names for name in FILE_NAMES)
    }
    inner = {k.folder for c in closures.values() for k in c.kustomizations[1:]}
    roots = {f: c for f, c in closures.items() if not c.problems and f not in inner}
    bases = Bases(repo)
    ours = {folder: build(repo, closure, bases=bases) for folder, closure in roots.items()}
    theirs = build_all(repo, {folder: Build(closure) for folder, closure in roots.items()})
    counted: Counter[str] = Counter()
    wrong = {}
    for folder, result in ours.items():
        if isinstance(result, Declined):
            counted["declined" if theirs[folder].problem is None else "refused by both"] += 1
            continue
        counted["taken"] += 1
        found = differences(result, theirs[folder])
        if found:
            wrong[folder] = found
    print(f"\n{path.name}: {dict(counted)}")
    assert not wrong
