"""File patterns against git itself, which Argo CD asks."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_layout.agents.applicationset.globs import (
    PatternError,
    UnsupportedPatternError,
    file_matcher,
)

FILES = ("a", "b/a", "b/ab/a.b", "b/b", "ab", "a-b/é", "b/*", "a.b", "b.a/a/b/a", "-", "]/b", "b/]")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for name in FILES:
        if name not in ("a", "b/b"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("")
    (root / "a").write_text("")
    (root / "b" / "b").write_text("")
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    subprocess.run(["git", "add", "--all"], cwd=root, check=True)
    return root


@settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    max_examples=int(os.environ.get("ORACLE_EXAMPLES", "150")),
)
@given(pattern=st.text(alphabet=list("aab.*?[]!^-\\/é"), min_size=1, max_size=8))
def test_any_pattern_lists_the_files_that_git_lists(tree: Path, pattern: str) -> None:
    done = subprocess.run(
        ["git", "ls-files", "-z", "--", pattern], cwd=tree, capture_output=True, check=False
    )
    theirs = sorted(done.stdout.decode().split("\0")[:-1])
    try:
        matches = file_matcher(pattern)
    except UnsupportedPatternError:
        return
    except PatternError:
        assert theirs == []
    else:
        assert sorted(name for name in FILES if matches(name)) == theirs
