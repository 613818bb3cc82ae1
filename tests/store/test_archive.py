"""Unpacking what strangers packed."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from gitops_layout.store import archive
from gitops_layout.store.archive import RefusedError, tree, unpack
from gitops_layout.store.content import get, incoming, put


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITOPS_LAYOUT_CACHE", str(tmp_path / "cache"))


def tarred(*members: tuple[str, bytes | str], kind: bytes | None = None) -> bytes:
    """A tar of files (bytes) and symbolic links (text: the target); `kind` overrides the type of the last."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for index, (name, content) in enumerate(members):
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                content = b""
            if kind is not None and index == len(members) - 1:
                info.type, info.linkname = kind, "a"
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def unpacked(tmp_path: Path, content: bytes) -> Path:
    target = tmp_path / "out"
    unpack(io.BytesIO(content), target)
    return target


@pytest.mark.parametrize(
    ("members", "kind"),
    [
        ([("../evil", b"x")], None),
        ([("a/../../evil", b"x")], None),
        ([("/evil", b"x")], None),
        ([("a", b"x"), ("b", b"")], tarfile.LNKTYPE),
        ([("a", b"")], tarfile.FIFOTYPE),
        ([("a", b"")], tarfile.CHRTYPE),
        ([("link", "/etc/passwd")], None),
        ([("link", "../evil")], None),
        ([("a/link", "../../evil")], None),
        # Each is harmless by its text; together they would lead to the parent of the root.
        ([("q/up", ".."), ("out", "q/up/..")], None),
        # A file through a link, in either order.
        ([("link", "elsewhere"), ("link/a", b"x")], None),
        ([("link/a", b"x"), ("link", "elsewhere")], None),
    ],
)  # fmt: skip
def test_what_could_leave_the_target_is_refused(
    tmp_path: Path, members: list[tuple[str, bytes | str]], kind: bytes | None
) -> None:
    with pytest.raises(RefusedError):
        unpacked(tmp_path, tarred(*members, kind=kind))
    assert not (tmp_path / "evil").exists()


def test_files_modes_and_links_inside_come_through(tmp_path: Path) -> None:
    out = unpacked(
        tmp_path,
        gzip.compress(tarred(("./a/b.yaml", b"kind: X\n"), ("c/link", "../a"), ("d", "c/link/b.yaml"))),
    )
    assert (out / "a/b.yaml").read_bytes() == b"kind: X\n"
    assert (out / "c/link/b.yaml").read_bytes() == b"kind: X\n"
    assert (out / "d").resolve() == (out / "a/b.yaml").resolve()


def test_a_bomb_is_stopped_at_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_UNPACKED", 2**20)
    bomb = gzip.compress(tarred(("zeros", bytes(2**22))))
    assert len(bomb) < 10_000
    with pytest.raises(RefusedError, match="more than 1 MiB"):
        unpacked(tmp_path, bomb)


def test_a_header_that_claims_a_huge_length_costs_no_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 2**32
    with pytest.raises(RefusedError):
        unpacked(tmp_path, info.tobuf() + bytes(4096))


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_FILES", 3)
    with pytest.raises(RefusedError, match="more than 3 files"):
        unpacked(tmp_path, tarred(*((str(n), b"") for n in range(4))))


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>not found</html>" * 100, gzip.compress(b"x" * 5000), b"\x1f\x8bxx"],
    ids=["nothing", "a web page", "gzip of no tar", "broken gzip"],
)
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    if content:
        with pytest.raises(RefusedError):
            unpacked(tmp_path, content)
    else:
        with pytest.raises(RefusedError):
            unpacked(tmp_path, tarred(("a", b"x" * 2000))[:700])


def test_an_altered_or_truncated_artifact_is_not_found() -> None:
    digest = put(b"content")
    place = get(digest)
    assert place is not None
    assert place.read_bytes() == b"content"
    place.write_bytes(b"conten")
    assert get(digest) is None
    assert tree(digest) is None


def test_what_is_not_kept_leaves_nothing(tmp_path: Path) -> None:
    with incoming() as file:
        file.write(b"half")
    assert get(hashlib.sha256(b"half").hexdigest()) is None
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_a_tree_is_unpacked_once_and_a_refused_archive_leaves_none(tmp_path: Path) -> None:
    good, bad = put(tarred(("a", b"1"))), put(tarred(("a", b"1"), ("../b", b"2")))
    first = tree(good)
    assert first is not None
    assert (first / "a").read_bytes() == b"1"
    assert tree(good) == first
    with pytest.raises(RefusedError):
        tree(bad)
    assert [path.name for path in (tmp_path / "cache/store/trees").iterdir()] == [good]
