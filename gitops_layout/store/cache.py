"""Results of earlier runs, in one SQLite file of the user's cache folder: bytes by a key of bytes.

Nothing depends on it but speed. A file that is locked, unwritable, truncated or not ours is left alone or
built anew, and the run goes on without. Values are data for `json`, never code; each row carries a checksum
over key and value, so what a crash or a stranger left there is not taken for a result.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import threading
import time
from typing import TYPE_CHECKING

from gitops_layout.system import private_dir
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["FILE", "MAX_BYTES", "Cache", "Info", "clean", "digest", "info", "place"]

FILE = "results.sqlite3"
FORM = 1
"""Of the table; another number in the file means that it is built anew."""

MAX_BYTES = 256 * 2**20
"""Of values. Beyond, what was not used for longest is dropped until a quarter is free."""

_PATIENCE = 0.25
"""Seconds to wait for another run that writes; then this one does without."""

_FAILURES = (sqlite3.Error, UnicodeDecodeError)
"""What reading and writing may end in: of damaged bytes SQLite says something that is no text."""

_DAY = 24 * 3600
_SUM = 16
_AT_ONCE = 500


def digest(*parts: bytes) -> bytes:
    """A key for parts of any length: 20 bytes that no other parts have."""
    hashed = hashlib.blake2b(digest_size=20)
    for part in parts:
        hashed.update(len(part).to_bytes(8, "little"))
        hashed.update(part)
    return hashed.digest()


def _sum(key: bytes, value: bytes) -> bytes:
    return hashlib.blake2b(value, digest_size=_SUM, key=key[:64]).digest()


class Cache:
    """An open cache. What is put is written by `close`, in one transaction, so a killed run leaves nothing
    behind and a reader sees all of a run's entries or none.
    """

    def __init__(self, file: Path | None, *, limit: int = MAX_BYTES) -> None:
        """`file` None is a cache that has nothing and keeps nothing."""
        self._file = file
        self._limit = limit
        self._new: dict[bytes, bytes] = {}
        self._read: list[bytes] = []
        self._bad: set[bytes] = set()
        self._today = int(time.time() // _DAY)
        self._lock = threading.Lock()
        self._base: sqlite3.Connection | None = _opened(file) if file is not None else None

    @property
    def usable(self) -> bool:
        """Whether there is any point in asking it."""
        return self._base is not None

    def get(self, key: bytes) -> bytes | None:
        """The value of a key; None where there is none to trust."""
        return self.many((key,)).get(key)

    def many(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """The values of those keys that have one; several threads may ask."""
        with self._lock:
            return self._many(keys)

    def _many(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        wanted = list(dict.fromkeys(keys))
        found = {key: self._new[key] for key in wanted if key in self._new}
        with self._guarded() as base:
            for first in range(0, len(wanted) if base is not None else 0, _AT_ONCE):
                some = wanted[first : first + _AT_ONCE]
                marks = ",".join("?" * len(some))
                assert base is not None
                rows = base.execute(f"SELECT key, used, sum, value FROM entries WHERE key IN ({marks})", some)
                for key, used, checksum, value in rows:
                    if key in found:
                        continue
                    if not isinstance(value, bytes) or checksum != _sum(key, value):
                        self._bad.add(key)
                        continue
                    found[key] = value
                    if used != self._today:
                        self._read.append(key)
        return found

    def known(self, keys: Iterable[bytes]) -> set[bytes]:
        """Those of the keys that have a value, without reading it: for what need not be written twice."""
        wanted = list(dict.fromkeys(keys))
        found: set[bytes] = set()
        with self._guarded() as base:
            for first in range(0, len(wanted) if base is not None else 0, _AT_ONCE):
                some = wanted[first : first + _AT_ONCE]
                marks = ",".join("?" * len(some))
                assert base is not None
                for key, used in base.execute(f"SELECT key, used FROM entries WHERE key IN ({marks})", some):
                    found.add(key)
                    if used != self._today:
                        self._read.append(key)
        return found - self._bad

    def put(self, key: bytes, value: bytes) -> None:
        """Keep a value; one that is larger than a quarter of the whole is not."""
        if self._base is not None and len(value) <= self._limit // 4:
            self._new[key] = value

    def close(self) -> None:
        """Write what is new, drop what is too much."""
        with self._guarded() as base:
            if base is not None and (self._new or self._read or self._bad):
                self._write(base)
        if self._base is not None:
            with contextlib.suppress(*_FAILURES):
                self._base.close()
        self._base = None
        self._new = {}

    def _write(self, base: sqlite3.Connection) -> None:
        rows = [(k, self._today, len(v), _sum(k, v), v) for k, v in self._new.items()]
        base.execute("BEGIN IMMEDIATE")
        try:
            base.executemany("DELETE FROM entries WHERE key = ?", [(key,) for key in self._bad])
            base.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?)", rows)
            base.executemany(
                "UPDATE entries SET used = ? WHERE key = ?", [(self._today, k) for k in self._read]
            )
            (total,) = base.execute("SELECT coalesce(sum(size), 0) FROM entries").fetchone()
            if total > self._limit:
                base.execute(
                    "DELETE FROM entries WHERE rowid IN (SELECT rowid FROM (SELECT rowid, sum(size) OVER"
                    " (ORDER BY used DESC, rowid DESC) AS kept FROM entries) WHERE kept > ?)",
                    (self._limit * 3 // 4,),
                )
            base.execute("COMMIT")
        except _FAILURES:
            if base.in_transaction:
                base.execute("ROLLBACK")
            raise
        if total > self._limit:
            base.execute("PRAGMA incremental_vacuum").fetchall()

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[sqlite3.Connection | None]:
        """The open file; whatever goes wrong with it, the run goes on without."""
        try:
            yield self._base
        except _FAILURES as error:
            self._give_up(broken=not _passes(error))

    def _give_up(self, *, broken: bool) -> None:
        if self._base is not None:
            with contextlib.suppress(*_FAILURES):
                self._base.close()
        self._base = None
        if broken and self._file is not None:
            _remove(self._file)


def _opened(file: Path) -> sqlite3.Connection | None:
    for _ in range(2):
        base: sqlite3.Connection | None = None
        try:
            base = sqlite3.connect(file, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
            _prepare(base)
        except _FAILURES as error:
            if base is not None:
                base.close()
            if _passes(error):
                return None
            _remove(file)  # not a database, or one that is damaged
            continue
        return base
    return None


_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_INTERRUPT,
    }
)


def _passes(error: Exception) -> bool:
    """Whether the file is as it should be, only out of reach for now: locked, full, read-only."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return code & 0xFF in _PASSING


def _prepare(base: sqlite3.Connection) -> None:
    base.execute("PRAGMA trusted_schema = OFF")
    base.execute("PRAGMA synchronous = NORMAL")
    base.execute("PRAGMA mmap_size = 0")  # a file that another run truncates must not end this one
    (form,) = base.execute("PRAGMA user_version").fetchone()
    if form == FORM:
        return
    if form != 0 or base.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
        raise sqlite3.DatabaseError("of another form")
    base.execute("PRAGMA auto_vacuum = INCREMENTAL")
    base.execute("PRAGMA journal_mode = WAL").fetchall()
    base.execute("PRAGMA journal_size_limit = 8388608").fetchall()
    base.execute("BEGIN IMMEDIATE")
    base.execute(
        "CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, used INTEGER NOT NULL,"
        " size INTEGER NOT NULL, sum BLOB NOT NULL, value BLOB NOT NULL)"
    )
    base.execute("CREATE INDEX IF NOT EXISTS by_use ON entries (used, size)")
    base.execute(f"PRAGMA user_version = {FORM}")
    base.execute("COMMIT")


def _remove(file: Path) -> None:
    # The journal first: a new file must never meet the journal of an old one.
    for name in (f"{file}-wal", f"{file}-shm", str(file)):
        with contextlib.suppress(OSError):
            os.unlink(name)  # noqa: PTH108  text, not a Path


def place() -> Path | None:
    """Where the results lie; None where no folder is the user's alone."""
    folder = private_dir("results")
    return folder / FILE if folder is not None else None


@dataclass(frozen=True, slots=True)
class Info:
    """What is kept: the file, its size on disk, how many entries of how many bytes, and the limit of those."""

    file: Path
    on_disk: int
    entries: int
    bytes: int
    limit: int = MAX_BYTES


def info(file: Path) -> Info:
    """What a cache file holds; nothing where there is none or it cannot be read."""
    on_disk = sum(part.stat().st_size for part in _parts(file))
    entries = total = 0
    base = _opened(file) if on_disk else None
    if base is not None:
        with contextlib.suppress(*_FAILURES):
            entries, total = base.execute("SELECT count(*), coalesce(sum(size), 0) FROM entries").fetchone()
        base.close()
    return Info(file, on_disk, entries, total)


def clean(file: Path) -> int:
    """Remove everything; returns the bytes that this freed. A run that is under way goes on with its own."""
    freed = sum(part.stat().st_size for part in _parts(file))
    _remove(file)
    return freed


def _parts(file: Path) -> list[Path]:
    return [part for end in ("", "-wal", "-shm") if (part := file.with_name(file.name + end)).is_file()]
