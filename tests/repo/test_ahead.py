"""Reading in two processes: the repository is the same as when one has read it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from gitops_layout.repo import ahead
from gitops_layout.repo.ahead import Ahead
from gitops_layout.repo.load import from_work_tree, listed

if TYPE_CHECKING:
    from pathlib import Path

    from gitops_layout.repo.model import Repo

_ODD = {
    "broken.yaml": b"kind: [",
    "latin.yaml": b"name: caf\xe9\n",
    "twice.yaml": b"a: 1\na: 2\n",
    "anchors.yaml": b"a: &x {b: 1}\nc: *x\n",
    "bom.yaml": b"\xef\xbb\xbfkind: A\n---\nkind: B",
    "nothing.yaml": b"# only words\n",
    "types.yaml": b"a: yes\nb: 0o17\nc: 1.5\nd: null\ne: 12345678901234567890\n",
}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Many files in many chunks, odd ones among them."""
    monkeypatch.setattr(ahead, "_WORTH", 10)
    monkeypatch.setattr(ahead, "_CHUNK", 8)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    for number in range(300):
        (tmp_path / f"{number:03}.yaml").write_text(
            f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: n{number}}}\n"
        )
    for name, content in _ODD.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def read(repo: Repo) -> dict[str, object]:
    streams = {path: repo.stream(path) for path in repo.manifests}
    return {
        path: (
            stream.text,
            stream.problems,
            [(d.data, d.index, d.duplicates, d.span(())) for d in stream.documents],
        )
        for path, stream in streams.items()
    }


def meeting(root: Path, *, wait: bool) -> Repo:
    """The tree read by both; with `wait` the other process has done all before this one begins."""
    listing = listed(root)
    both = Ahead(listing)
    both.start()
    assert both._process is not None
    if wait:
        os.waitid(os.P_PID, both._process.child, os.WEXITED | os.WNOWAIT)
    repo = from_work_tree(listing)
    both.fill(repo, {})
    return repo


@pytest.mark.parametrize("wait", [True, False])
def test_two_processes_read_what_one_reads(tree: Path, *, wait: bool) -> None:
    assert read(meeting(tree, wait=wait)) == read(from_work_tree(tree))


def test_the_other_process_reads_what_lies_line_by_line(tree: Path) -> None:
    taken: list[str] = []
    listing = listed(tree)
    both = Ahead(listing)
    both.start()
    assert both._process is not None
    os.waitid(os.P_PID, both._process.child, os.WEXITED | os.WNOWAIT)
    repo = from_work_tree(listing)
    repo.__dict__["give"] = lambda path, _stream: taken.append(path)
    both.fill(repo, {})
    assert set(listing.entries) - set(taken) == {"broken.yaml", "latin.yaml", "twice.yaml", "anchors.yaml"}


def test_a_file_that_changed_in_between_is_read_again(tree: Path) -> None:
    listing = listed(tree)
    both = Ahead(listing)
    both.start()
    assert both._process is not None
    os.waitid(os.P_PID, both._process.child, os.WEXITED | os.WNOWAIT)
    (tree / "000.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new}\n")
    repo = from_work_tree(listing)
    both.fill(repo, {})
    assert repo.documents("000.yaml")[0].data["metadata"]["name"] == "new"


def test_a_process_that_dies_leaves_its_files_to_the_other(tree: Path) -> None:
    listing = listed(tree)
    both = Ahead(listing)
    both.start()
    assert both._process is not None
    os.kill(both._process.child, signal.SIGKILL)
    repo = from_work_tree(listing)
    both.fill(repo, {})
    assert read(repo) == read(from_work_tree(tree))
    both.end()  # once more does nothing
