"""The content of a work tree as one digest, with each file read once and not again while it stays as it is.

What a file's signature (size, times, inode) was when its content was hashed is kept in the cache. A file
that changed within the last two seconds may change once more without a new signature, so its signature is
never relied on: it is read again.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from gitops_layout.repo.load import from_work_tree
from gitops_layout.repo.model import MAX_BYTES, UnreadableError
from gitops_layout.store.cache import digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitops_layout.repo.load import Listing
    from gitops_layout.store.cache import Cache

__all__ = ["State", "state", "unchanged"]

FRESH_NS = 2_000_000_000
"""A file that changed so short a time before we looked may do so again within one tick of its clock."""

_KEPT = 64 * 2**20
"""Bytes of contents that are handed on to whoever parses them."""

_STEPS = 32
"""Changes of a tree that are remembered one after the other: what was known before them still helps."""

_MOST = 500
"""Files that may change in one such step; more is another tree."""


@dataclass(frozen=True, slots=True)
class State:
    """What a tree holds. `tree` is the digest of all paths and contents; `contents` are those that had to be
    read. `before` are trees that this one followed, nearest first, each with the files that differ since;
    only files whose content changed, so with the same paths.
    """

    tree: bytes
    contents: dict[str, bytes] = field(default_factory=dict)
    before: tuple[tuple[bytes, frozenset[str]], ...] = ()


def state(listing: Listing, cache: Cache, tool: bytes) -> State:
    """The state of a listed work tree; what was learnt about it goes into the cache."""
    root = listing.root.encode(errors="surrogateescape")
    contents: dict[str, bytes] = {}
    read = _hashing(listing, contents)
    fresh = _fresh(listing, time.time_ns(), read)
    quick = digest(b"signatures", tool, root, _signatures(listing, fresh))
    known = cache.get(quick)
    if known is None:
        known = _by_contents(listing, cache, tool, fresh, read)
        cache.put(quick, known)
    return State(known, contents, _before(cache, tool, known))


def _before(cache: Cache, tool: bytes, tree: bytes) -> tuple[tuple[bytes, frozenset[str]], ...]:
    """The chain of trees that led here; it ends where nobody was looking."""
    found: list[tuple[bytes, frozenset[str]]] = []
    changed: frozenset[str] = frozenset()
    here = tree
    for _ in range(_STEPS):
        step = cache.get(digest(b"step", tool, here))
        if step is None:
            break
        data = json.loads(step)
        here, changed = bytes.fromhex(data["from"]), changed | frozenset(data["changed"])
        if any(here == other for other, _ in found) or here == tree:
            break
        found.append((here, changed))
    return tuple(found)


def _hashing(listing: Listing, contents: dict[str, bytes]) -> Callable[[str], str]:
    """Read a file and give its digest; contents are kept up to a limit."""
    read = from_work_tree(listing).content
    room = _KEPT

    def hashed(path: str) -> str:
        nonlocal room
        entry = listing.entries[path]
        if entry.size > MAX_BYTES:  # never read whole: its signature has to do
            return f"large {entry.signature}"
        try:
            content = read(path)
        except UnreadableError as error:
            return f"unreadable: {error.why}"
        if len(content) <= room:
            room -= len(content)
            contents[path] = content
        return blake2b(content, digest_size=16).hexdigest()

    return hashed


def _fresh(listing: Listing, now: int, read: Callable[[str], str]) -> dict[str, str]:
    """Digests of the files that changed just now (or, by their clock, later)."""
    limit = now - FRESH_NS
    return {
        path: read(path)
        for path, entry in listing.entries.items()
        if entry.signature is not None and (entry.signature[1] >= limit or entry.signature[2] >= limit)
    }


def _signatures(listing: Listing, fresh: dict[str, str]) -> bytes:
    rows = [
        (path, fresh.get(path) or entry.signature if entry.target is None else entry.target)
        for path, entry in listing.entries.items()
    ]
    return repr(rows).encode(errors="surrogateescape")


def _by_contents(
    listing: Listing, cache: Cache, tool: bytes, fresh: dict[str, str], read: Callable[[str], str]
) -> bytes:
    """The tree's digest from those of its files; those whose signature is known are not read."""
    key = digest(b"files", tool, listing.root.encode(errors="surrogateescape"))
    value = cache.get(key)
    old: dict[str, Any] = json.loads(value) if value is not None else {"tree": "", "files": {}}
    files: dict[str, list[Any]] = old["files"]
    table: dict[str, list[Any]] = {}
    for path, entry in listing.entries.items():
        before = files.get(path)
        if entry.target is not None:
            table[path] = [None, f"link {entry.target}"]
        elif path in fresh:
            table[path] = [None, fresh[path]]
        elif before is not None and before[0] == list(entry.signature or ()):
            table[path] = before
        else:
            table[path] = [entry.signature, read(path)]
    tree = digest(repr([(path, row[1]) for path, row in table.items()]).encode(errors="surrogateescape"))
    cache.put(key, json.dumps({"tree": tree.hex(), "files": table}).encode())
    if table.keys() == files.keys() and tree.hex() != old["tree"]:
        changed = [path for path, row in table.items() if row[1] != files[path][1]]
        if len(changed) <= _MOST and all(listing.entries[path].target is None for path in changed):
            step = {"from": old["tree"], "changed": changed}
            cache.put(digest(b"step", tool, tree), json.dumps(step).encode())
    return tree


def unchanged(listing: Listing) -> bool:
    """Whether the listed files still have their signatures: what was read in between is what was meant."""
    prefix = f"{listing.root}/"
    for path, entry in listing.entries.items():
        if entry.signature is not None:
            try:
                status = os.lstat(prefix + path)
            except OSError:
                return False
            if (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino) != entry.signature:
                return False
    return True
