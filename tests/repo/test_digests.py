"""What is remembered of a tree from run to run, and what runs side by side do to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitops_layout.repo import digests
from gitops_layout.repo.contents import Contents
from gitops_layout.repo.digests import State, state
from gitops_layout.repo.load import listed
from gitops_layout.store.cache import Cache

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def looked(root: Path, cache: Cache) -> State:
    """What a run learns of the tree, not yet written."""
    return state(Contents(listed(root)), cache, b"this tool", lambda: None)


def test_a_tree_is_said_to_follow_another_only_with_all_that_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long run ends after a short one that began later: what is known of the files is then of the second's tree, and
    the last tree is the first's.
    """
    monkeypatch.setattr(digests, "FRESH_NS", 0)
    root, file = tmp_path / "tree", tmp_path / "cache"
    root.mkdir()
    for number in range(300):  # enough for two records
        (root / f"{number}.yaml").write_text("a: b\n")
    first = Cache(file)
    looked(root, first)
    first.close()

    long = Cache(file)
    (root / "1.yaml").write_text("a: long\n")
    before = looked(root, long)
    for number in range(2, 20):  # in both records
        (root / f"{number}.yaml").write_text("a: short\n")
    short = Cache(file)
    looked(root, short)
    short.close()
    long.close()

    (root / "99.yaml").write_text("a: last\n")
    last = Cache(file)
    found = looked(root, last)
    last.close()
    edited = {f"{number}.yaml" for number in (*range(2, 20), 99)}
    assert all(edited <= changed for tree, changed in found.before if tree == before.tree)

    (root / "99.yaml").write_text("a: at last\n")
    assert [changed for _, changed in looked(root, Cache(file)).before] == [{"99.yaml"}]
