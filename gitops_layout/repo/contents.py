"""What was read of a work tree: each file once, with its digest."""

from __future__ import annotations

from dataclasses import field, replace
from hashlib import blake2b
from typing import TYPE_CHECKING

from gitops_layout.repo.load import from_work_tree
from gitops_layout.repo.model import MAX_BYTES, UnreadableError
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from gitops_layout.repo.load import Listing
    from gitops_layout.repo.model import Repo

__all__ = ["ROOM", "Contents", "content_digest"]

ROOM = 64 * 2**20
"""Bytes of contents that are kept for whoever parses them."""


def content_digest(content: bytes) -> bytes:
    """16 bytes that stand for a file's content."""
    return blake2b(content, digest_size=16).digest()


@dataclass(slots=True)
class Contents:
    """The contents of a listing's files that were read, up to a limit, and the digests of these. `read` are all files
    that were, whether or not they are kept.
    """

    listing: Listing
    kept: dict[str, bytes] = field(default_factory=dict)
    digests: dict[str, bytes] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    room: int = ROOM
    _repo: Repo | None = None

    def repo(self) -> Repo:
        """The work tree, which does not read again what is kept or will be."""
        if self._repo is None:
            tree = from_work_tree(self.listing)

            def content(path: str, kept: dict[str, bytes] = self.kept) -> bytes:
                if path in kept:
                    return kept[path]
                self.read.add(path)
                return tree.content(path)

            self._repo = replace(tree, content=content)
        return self._repo

    def unsure(self) -> set[str]:
        """Files whose content was asked for and is not kept: who asks twice may be told two things."""
        return self.read - self.kept.keys()

    def keep(self, path: str, content: bytes, found: bytes) -> bool:
        """Keep what somebody read of a file, with its digest, where there is room."""
        if len(content) > self.room:
            return False
        self.room -= len(content)
        self.kept[path] = content
        self.digests[path] = found
        return True

    def hashed(self, path: str) -> bytes:
        """The digest of a file, read now unless it was before."""
        known = self.digests.get(path)
        if known is not None:
            return known
        entry = self.listing.entries[path]
        if entry.size > MAX_BYTES:  # never read whole: its signature has to do
            return content_digest(f"large {entry.signature}".encode())
        try:
            content = self.repo().content(path)
        except UnreadableError as error:
            return content_digest(f"unreadable: {error.why}".encode())
        found = content_digest(content)
        self.keep(path, content, found)
        return found
