"""The cache of results: safe under what happens to files, and never a reason to fail."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from gitops_layout.store import cache
from gitops_layout.store.cache import Cache


def kept(file: Path, **entries: bytes) -> None:
    base = Cache(file)
    for key, value in entries.items():
        base.put(key.encode(), value)
    base.close()


def found(file: Path, key: str) -> bytes | None:
    base = Cache(file)
    try:
        return base.get(key.encode())
    finally:
        base.close()


def test_what_one_run_keeps_the_next_one_finds(tmp_path: Path):
    kept(tmp_path / "c", a=b"1", b=b"2" * 100_000)
    assert found(tmp_path / "c", "a") == b"1"
    assert found(tmp_path / "c", "b") == b"2" * 100_000
    assert found(tmp_path / "c", "z") is None


def test_a_value_that_is_not_what_was_kept_is_not_found_and_heals(tmp_path: Path):
    kept(tmp_path / "c", a=b"1", b=b"2")
    with sqlite3.connect(tmp_path / "c") as base:
        base.execute("UPDATE entries SET value = x'3333' WHERE key = CAST('a' AS BLOB)")
    assert found(tmp_path / "c", "a") is None
    assert found(tmp_path / "c", "b") == b"2"
    base = Cache(tmp_path / "c")
    assert base.known([b"a", b"b"]) == {b"b"}
    base.close()


def test_a_value_moved_to_another_key_is_not_found(tmp_path: Path):
    kept(tmp_path / "c", a=b"1", b=b"2")
    with sqlite3.connect(tmp_path / "c") as base:
        base.execute("DELETE FROM entries WHERE key = CAST('a' AS BLOB)")
        base.execute("UPDATE entries SET key = CAST('a' AS BLOB)")
    assert found(tmp_path / "c", "a") is None


@pytest.mark.parametrize("left", [0, 1, 100, 4096, 5000, 20_000])
def test_a_truncated_file_is_built_anew(tmp_path: Path, left: int):
    file = tmp_path / "c"
    kept(file, **{f"k{n}": bytes([n]) * 1000 for n in range(100)})
    file.write_bytes(file.read_bytes()[:left])
    assert found(file, "k7") in (None, b"\7" * 1000)
    kept(file, a=b"1")
    kept(file, a=b"1")
    assert found(file, "a") == b"1"


def test_a_file_that_is_no_database_is_built_anew(tmp_path: Path):
    (tmp_path / "c").write_bytes(b"\x80\x04N." * 3000)
    kept(tmp_path / "c", a=b"1")
    assert found(tmp_path / "c", "a") == b"1"


def test_a_file_of_which_sqlite_says_no_text_is_built_anew(tmp_path: Path):
    kept(tmp_path / "c", a=b"1")
    content = (tmp_path / "c").read_bytes()
    assert b"CREATE TABLE entries" in content
    (tmp_path / "c").write_bytes(
        content.replace(b"CREATE TABLE entries", b"CREATE \xff\xfe\xfd\xfc\xfb entries")
    )
    assert found(tmp_path / "c", "a") is None
    kept(tmp_path / "c", a=b"2")
    assert found(tmp_path / "c", "a") == b"2"


def test_a_database_of_another_form_is_built_anew(tmp_path: Path):
    with sqlite3.connect(tmp_path / "c") as base:
        base.execute("CREATE TABLE entries (key)")
    kept(tmp_path / "c", a=b"1")
    assert found(tmp_path / "c", "a") == b"1"


def test_a_locked_file_is_done_without(tmp_path: Path):
    kept(tmp_path / "c", a=b"1")
    holder = sqlite3.connect(tmp_path / "c", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    kept(tmp_path / "c", b=b"2")  # ends, and soon
    assert found(tmp_path / "c", "a") == b"1"
    holder.execute("ROLLBACK")
    holder.close()
    assert found(tmp_path / "c", "b") is None


def test_it_stays_within_its_size_and_keeps_what_was_used_last(tmp_path: Path):
    for n in range(20):
        base = Cache(tmp_path / "c", limit=10_000)
        base._today = n
        base.get(b"k0")
        base.put(f"k{n}".encode(), bytes([n]) * 1000)
        base.close()
    assert cache.info(tmp_path / "c").bytes <= 10_000
    assert found(tmp_path / "c", "k0") == bytes(1000)
    assert found(tmp_path / "c", "k19") == b"\x13" * 1000
    assert found(tmp_path / "c", "k3") is None


WRITER = """
import sys
from pathlib import Path
from gitops_layout.store.cache import Cache
for n in range(int(sys.argv[2])):
    base = Cache(Path(sys.argv[1]))
    for key in range(20):
        base.put(b"%d" % key, b"%d" % key * 5000)
    base.close()
    print(n, flush=True)
"""


def test_runs_side_by_side_and_killed_ones_leave_it_sound(tmp_path: Path):
    file = tmp_path / "c"
    command = [sys.executable, "-c", WRITER, str(file)]
    steady = [subprocess.Popen([*command, "30"], stdout=subprocess.DEVNULL) for _ in range(2)]
    for _ in range(3):
        victim = subprocess.Popen([*command, "1000"], stdout=subprocess.PIPE)
        assert victim.stdout is not None
        victim.stdout.readline()
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        victim.stdout.close()
    assert [process.wait() for process in steady] == [0, 0]
    assert [found(file, str(n)) for n in range(20)] == [b"%d" % n * 5000 for n in range(20)]
    assert sqlite3.connect(file).execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_its_folder_is_the_users_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GITOPS_LAYOUT_CACHE", str(tmp_path))
    (tmp_path / "results").mkdir(mode=0o777)
    (tmp_path / "results").chmod(0o777)
    place = cache.place()
    assert place is not None
    assert place.parent.stat().st_mode & 0o777 == 0o700


def test_a_link_in_its_place_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GITOPS_LAYOUT_CACHE", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "home" / "results").symlink_to(tmp_path / "elsewhere")
    assert cache.place() is None


def test_without_a_folder_there_is_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GITOPS_LAYOUT_CACHE", str(tmp_path / "file" / "below"))
    assert cache.place() is None
    base = Cache(cache.place())
    base.put(b"a", b"1")
    assert base.get(b"a") is None
    base.close()


def test_cleaning_removes_everything(tmp_path: Path):
    kept(tmp_path / "c", a=b"1")
    assert cache.clean(tmp_path / "c") > 0
    assert os.listdir(tmp_path) == []
    assert found(tmp_path / "c", "a") is None
