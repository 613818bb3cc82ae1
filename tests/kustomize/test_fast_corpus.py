"""Every kustomization root of real repositories builds as kubectl builds it, or is declined."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools.kustomizations import compare

CORPUS = os.environ.get("GITOPS_LAYOUT_CORPUS")


def _repositories() -> list[Path]:
    folder = Path(CORPUS) if CORPUS else None
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder else []


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS, reason="GITOPS_LAYOUT_CORPUS names no folder of repositories")
@pytest.mark.parametrize("path", _repositories(), ids=lambda path: path.name)
def test_every_root_builds_as_kubectl_builds_it_or_is_declined(path: Path):
    assert compare(path).wrong == {}
