"""What a clone says about its tags and commits, and that it is asked nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

from gitops_layout.repo.load import from_work_tree, listed


def _git(root: Path, *arguments: str) -> str:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    return subprocess.run(
        ["git", *who, *arguments], cwd=root, check=True, capture_output=True, text=True
    ).stdout


def test_a_path_is_looked_up_at_a_tag_and_a_commit(tmp_path: Path) -> None:
    _git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "a.yaml").write_text("a: 1\n")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-qm", "one")
    before = listed(tmp_path).tags
    _git(tmp_path, "tag", "-a", "v1", "-m", "one")
    commit = _git(tmp_path, "rev-parse", "HEAD").strip()
    repo = from_work_tree(tmp_path)
    assert repo.holds_at("v1", "old") is True
    assert repo.holds_at("refs/tags/v1", "new") is False
    assert repo.holds_at(commit, "new") is False
    assert repo.holds_at("main", "new") is None, "branches move"
    assert repo.holds_at("v2", "old") is None
    assert repo.holds_at("v1\nHEAD", "old") is None
    assert listed(tmp_path).tags != before, "a result that is kept must not outlive a new tag"


def test_outside_git_nothing_is_known(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1\n")
    assert from_work_tree(tmp_path).holds_at("v1", "a.yaml") is None
