"""Two processes that read the YAML of a tree: one from the front, this one from the back, until they meet.

Plain data comes over, with the content that it was made of, so each file is read once; a file that the other did not
read, or not plainly, is read here as ever.
"""

from __future__ import annotations

import contextlib
import marshal
import os
from typing import TYPE_CHECKING, Any

from gitops_layout.repo.contents import ROOM, content_digest
from gitops_layout.repo.model import MAX_BYTES, UnreadableError
from gitops_layout.system import Fork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gitops_layout.repo.contents import Contents
    from gitops_layout.repo.model import Repo

__all__ = ["read_by_two"]

_WORTH = 2_000
"""Manifests below which one process has read them before two have agreed."""
_CHUNK = 128
"""Files that are brought at once: some three milliseconds of reading."""


def read_by_two(repo: Repo, contents: Contents, meanwhile: Callable[[], object]) -> None:
    """Have `contents`, and the stream and the objects of every manifest in `repo`, where a second process is worth it;
    there nothing of the tree has been read before. `meanwhile` is what this process has to do anyway: the other reads
    during that.
    """
    if len(repo.entries) < _WORTH or len(repo.manifests) < _WORTH or (os.cpu_count() or 1) < 2:
        return
    chunks = [repo.manifests[start : start + _CHUNK] for start in range(0, len(repo.manifests), _CHUNK)]
    try:
        other = Fork(_read(repo, chunks))
    except OSError:
        return
    try:
        meanwhile()
        _meet(other, chunks, repo, contents)
    finally:
        other.end()


def _meet(other: Fork, chunks: Sequence[Sequence[str]], repo: Repo, contents: Contents) -> None:
    first, last = 0, len(chunks)
    while first < last:
        for piece in other.arrived():
            _take(repo, contents, chunks[first], piece)
            first += 1
        if first < last:
            last -= 1
            for path in chunks[last]:
                contents.hashed(path)
                repo.objects(path)


def _read(repo: Repo, chunks: Sequence[Sequence[str]]) -> Iterator[bytes]:
    from gitops_layout.source.reader import (
        plainly,
    )  # by who reads: a run that finds its result in the cache does not

    room = ROOM
    for files in chunks:
        rows: list[tuple[bytes, bytes, list[Any] | None] | None] = []
        for path in files:
            row = None
            if repo.entries[path].size <= MAX_BYTES:
                with contextlib.suppress(UnreadableError):
                    content = repo.content(path)
                    room -= len(content)
                    if room >= 0:  # else it would be read again there, and might be another by then
                        row = content, content_digest(content), plainly(content)
            rows.append(row)
        yield marshal.dumps(rows)


def _take(repo: Repo, contents: Contents, files: Sequence[str], piece: bytes) -> None:
    from gitops_layout.source.reader import read

    for path, row in zip(files, marshal.loads(piece), strict=True):
        if row is not None:
            content, found, plain = row
            if contents.keep(path, content, found) and plain is not None:
                repo.give(path, read(content, path, plain=plain))
                repo.objects(path)
