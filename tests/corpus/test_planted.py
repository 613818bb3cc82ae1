"""Mistakes planted in public repositories are found on their lines, and nothing else is said of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools.planted import REPOSITORIES, outcomes

CORPUS = os.environ.get("GITOPS_LAYOUT_CORPUS")


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS, reason="GITOPS_LAYOUT_CORPUS names no folder of repositories")
@pytest.mark.parametrize("repository", REPOSITORIES)
def test_a_mistake_planted_in_a_real_repository_is_found_on_its_line(repository: str) -> None:
    assert CORPUS is not None
    if not (Path(CORPUS) / repository.replace("/", "__")).is_dir():
        pytest.skip(f"{repository} is not there")
    made = list(outcomes(repository, CORPUS))
    assert len(made) >= 15
    assert [(one.mistake.rule, one.place) for one in made if not one.found] == []
    assert [(one.mistake.rule, one.place, one.noise) for one in made if one.noise] == []
