"""A second process that reads YAML from the front while this one is still busy, then from the back, until they meet.

Only plain data comes over, with the digest of the content it was made of: what this process knows of a file decides,
and a file that the other did not read, or read otherwise, is read here as ever.
"""

from __future__ import annotations

import contextlib
import marshal
import os
from typing import TYPE_CHECKING, Any

from gitops_layout.repo.digests import content_digest
from gitops_layout.repo.load import from_work_tree
from gitops_layout.repo.model import MAX_BYTES, UnreadableError
from gitops_layout.system import Fork

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gitops_layout.repo.load import Listing
    from gitops_layout.repo.model import Repo

__all__ = ["Ahead"]

_WORTH = 2_000
"""Manifests below which one process has read them before two have agreed."""
_CHUNK = 128
"""Files that are brought at once: some three milliseconds of reading."""


class Ahead:
    """Another process that reads the manifests of a listing, once it is started and where that is worth it."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._chunks: list[Sequence[str]] = []
        self._process: Fork | None = None

    def start(self) -> None:
        """Start reading; where there can be no other process, nothing happens."""
        files = len(self._listing.entries) >= _WORTH and from_work_tree(self._listing).manifests
        if not files or len(files) < _WORTH or (os.cpu_count() or 1) < 2:
            return
        self._chunks = [files[start : start + _CHUNK] for start in range(0, len(files), _CHUNK)]
        with contextlib.suppress(OSError):
            self._process = Fork(_read(self._listing, self._chunks))

    def fill(self, repo: Repo, digests: Mapping[str, bytes]) -> None:
        """Have the stream of every manifest in `repo`, by the other process or by this one; the other has ended then.

        `digests` are those of contents that `repo` has read already.
        """
        if self._process is None:
            return
        first, last = 0, len(self._chunks)
        while first < last:
            for piece in self._process.arrived():
                _take(repo, self._chunks[first], piece, digests)
                first += 1
            if first < last:
                last -= 1
                for path in self._chunks[last]:
                    repo.stream(path)
        self.end()

    def end(self) -> None:
        """Whatever it has not read yet is left to this process."""
        if self._process is not None:
            self._process.end()
            self._process = None


def _read(listing: Listing, chunks: Sequence[Sequence[str]]) -> Iterator[bytes]:
    from gitops_layout.source.reader import (
        plainly,
    )  # by who reads: a run that finds its result in the cache does not

    content_of = from_work_tree(listing).content
    for files in chunks:
        rows: list[tuple[bytes, list[Any] | None]] = []
        for path in files:
            row: tuple[bytes, list[Any] | None] = (b"", None)
            if listing.entries[path].size <= MAX_BYTES:
                with contextlib.suppress(UnreadableError):
                    content = content_of(path)
                    row = content_digest(content), plainly(content)
            rows.append(row)
        yield marshal.dumps(rows)


def _take(repo: Repo, files: Sequence[str], piece: bytes, digests: Mapping[str, bytes]) -> None:
    from gitops_layout.source.reader import read

    for path, (digest, plain) in zip(files, marshal.loads(piece), strict=True):
        if plain is not None:
            with contextlib.suppress(UnreadableError):
                content = repo.content(path)
                if (digests.get(path) or content_digest(content)) == digest:
                    repo.give(path, read(content, path, plain=plain))
