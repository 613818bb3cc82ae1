"""Reading in two processes: the repository is the same as when one has read it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from gitops_layout.repo import ahead
from gitops_layout.repo.ahead import read_by_two
from gitops_layout.repo.contents import Contents, content_digest
from gitops_layout.repo.load import from_work_tree, listed
from gitops_layout.repo.model import Repo
from gitops_layout.system import Fork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

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


def by_two(root: Path, meanwhile: Callable[[], object] = lambda: None) -> tuple[Repo, Contents]:
    """The tree read by both."""
    contents = Contents(listed(root))
    repo = contents.repo()
    read_by_two(repo, contents, meanwhile)
    return repo, contents


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> list[Fork]:
    """The other process, once it is started."""
    started: list[Fork] = []

    def fork(pieces: Iterable[bytes]) -> Fork:
        started.append(Fork(pieces))
        return started[-1]

    monkeypatch.setattr(ahead, "Fork", fork)
    return started


def ended(other: list[Fork]) -> None:
    """Wait until the other process has done all."""
    os.waitid(os.P_PID, other[0].child, os.WEXITED | os.WNOWAIT)


@pytest.mark.parametrize("wait", [True, False])
def test_two_processes_read_what_one_reads(tree: Path, other: list[Fork], *, wait: bool) -> None:
    repo, contents = by_two(tree, (lambda: ended(other)) if wait else lambda: None)
    alone = Contents(listed(tree))
    assert other
    assert read(repo) == read(alone.repo())
    assert {path: contents.hashed(path) for path in repo.files} == {
        path: alone.hashed(path) for path in repo.files
    }


def test_the_other_process_reads_what_lies_line_by_line(
    tree: Path, other: list[Fork], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    monkeypatch.setattr(Repo, "give", lambda _repo, path, _stream: taken.append(path))
    repo, _ = by_two(tree, lambda: ended(other))
    assert set(repo.files) - set(taken) == {"broken.yaml", "latin.yaml", "twice.yaml", "anchors.yaml"}


def test_what_is_read_once_is_not_read_again_though_the_file_changes(tree: Path, other: list[Fork]) -> None:
    def meanwhile() -> None:
        ended(other)
        (tree / "000.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new}\n")

    repo, contents = by_two(tree, meanwhile)
    assert repo.documents("000.yaml")[0].data["metadata"]["name"] == "n0"
    assert repo.text("000.yaml").endswith("{name: n0}\n")
    assert contents.hashed("000.yaml") == content_digest(repo.content("000.yaml"))


def test_what_there_is_no_room_for_is_left_to_this_process(
    tree: Path, other: list[Fork], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "ROOM", 2_000)
    repo, contents = by_two(tree, lambda: ended(other))
    assert 10 < len(contents.kept) < 40
    assert read(repo) == read(from_work_tree(tree))


def test_a_process_that_dies_leaves_its_files_to_the_other(tree: Path, other: list[Fork]) -> None:
    repo, _ = by_two(tree, lambda: os.kill(other[0].child, signal.SIGKILL))
    assert read(repo) == read(from_work_tree(tree))
