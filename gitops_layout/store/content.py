"""Bytes by their SHA-256, in the user's cache: written once, verified whenever they are read.

A file gets its name only when it is whole, so a run that is killed leaves at most an unnamed file in
`incoming/`, and two runs that bring the same thing both end with it. Nobody holds a lock.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
import time
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from gitops_layout.system import cache_dir
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_BYTES", "Incoming", "TooLargeError", "get", "incoming", "is_sha256", "put", "scratch"]

MAX_BYTES = 256 * 2**20
"""Larger artifacts are refused: charts are limited to 100 MiB by Helm itself, manifests stay far below."""

_LEFT_BEHIND = 24 * 3600.0
"""Seconds after which a file in `incoming/` belongs to nobody: no download may take nearly as long."""

_CHUNK = 2**20


class TooLargeError(Exception):
    """More came than anybody may send."""


def is_sha256(text: str) -> bool:
    """Whether it is a digest as this store names them: 64 lower-case hexadecimal digits."""
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None


@dataclass(slots=True)
class Incoming:
    """A file on its way into the store; `sha256` is that of what has been written so far."""

    stream: IO[bytes]
    limit: int
    size: int = 0
    _hash: hashlib._Hash = field(default_factory=hashlib.sha256)

    def write(self, data: bytes) -> None:
        """Add to the end. Raises TooLargeError beyond the limit."""
        self.size += len(data)
        if self.size > self.limit:
            raise TooLargeError(f"larger than {self.limit // 2**20} MiB")
        self._hash.update(data)
        self.stream.write(data)

    @property
    def sha256(self) -> str:
        """The digest, 64 hexadecimal digits."""
        return self._hash.hexdigest()

    def keep(self) -> str:
        """Give the file its name in the store, and return that: its digest."""
        self.stream.flush()
        place = _place(self.sha256)
        place.parent.mkdir(parents=True, exist_ok=True)
        Path(self.stream.name).replace(place)
        return self.sha256


@contextmanager
def incoming(*, limit: int = MAX_BYTES) -> Iterator[Incoming]:
    """Write a new artifact piece by piece; without `keep` nothing stays."""
    with tempfile.NamedTemporaryFile(dir=scratch(), delete=False) as stream:
        try:
            yield Incoming(stream, limit)
        finally:
            with contextlib.suppress(FileNotFoundError):  # kept: it has its name now
                os.unlink(stream.name)  # noqa: PTH108  a Path would be made for this alone


def put(content: bytes) -> str:
    """Store bytes; returns their digest."""
    with incoming() as file:
        file.write(content)
        return file.keep()


def get(sha256: str) -> Path | None:
    """The file with this digest; None where the store has none, or one that is no longer what it was."""
    place = _place(sha256)
    try:
        with place.open("rb") as stream:
            actual = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None
    return place if actual == sha256 else None


def _place(sha256: str) -> Path:
    if not is_sha256(sha256):
        raise ValueError(f"not a SHA-256: {sha256!r}")
    return cache_dir("store") / "sha256" / sha256[:2] / sha256


def scratch() -> Path:
    """The folder of unfinished files, on the same file system as the store; yesterday's are removed."""
    folder = cache_dir("store", "incoming")
    oldest = time.time() - _LEFT_BEHIND
    for entry in os.scandir(folder):
        with contextlib.suppress(OSError):
            if entry.stat(follow_symlinks=False).st_mtime < oldest:
                _remove(Path(entry.path))
    return folder


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        import shutil

        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink()
