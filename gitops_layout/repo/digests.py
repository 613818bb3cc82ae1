"""The content of a work tree as one digest, with each file read once and not again while it stays as it is.

What a file's signature (size, times, inode) was when its content was hashed is kept in the cache. A file
that changed within the last two seconds may change once more without a new signature, so its signature is
never relied on: it is read again.
"""

from __future__ import annotations

import json
import os
import time
from array import array
from hashlib import blake2b
from itertools import chain
from typing import TYPE_CHECKING
from zlib import crc32

from gitops_layout.repo.contents import content_digest
from gitops_layout.store.cache import digest
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gitops_layout.repo.contents import Contents
    from gitops_layout.repo.load import Listing
    from gitops_layout.store.cache import Cache

__all__ = ["State", "state", "unchanged"]

FRESH_NS = 2_000_000_000
"""A file that changed so short a time before we looked may do so again within one tick of its clock."""

Signature = tuple[int, int, int, int]
_MASK = 2**64 - 1

_STEPS = 32
"""Changes of a tree that are remembered one after the other: what was known before them still helps."""

_MOST = 500
"""Files that may change in one such step; more is another tree."""


@dataclass(frozen=True, slots=True)
class State:
    """What a tree holds: `tree` is the digest of all paths and contents. `before` are trees that this one followed, nearest
    first, each with the files that differ since; only files whose content changed, so with the same paths.
    """

    tree: bytes
    before: tuple[tuple[bytes, frozenset[str]], ...] = ()


def state(contents: Contents, cache: Cache, tool: bytes, unknown: Callable[[], object]) -> State:
    """The state of a listed work tree; what was learnt about it goes into the cache. `unknown` is called before anything
    is read, where nothing is known of the tree.
    """
    listing = contents.listing
    root = listing.root.encode(errors="surrogateescape")
    last = digest(b"last", tool, root)
    if cache.get(last) is None:
        unknown()
    fresh = _fresh(contents, time.time_ns())
    names = "\0".join(listing.entries).encode(errors="surrogateescape")
    marks = _marks(listing, fresh)
    quick = digest(b"signatures", tool, root, names, marks)
    known = cache.get(quick)
    if known is None:
        known = _by_contents(contents, cache, tool, (fresh, marks), last)
        cache.put(quick, known)
    return State(known, _before(cache, tool, known))


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


def _fresh(contents: Contents, now: int) -> dict[str, bytes]:
    """Digests of the files that changed just now (or, by their clock, later)."""
    limit = now - FRESH_NS
    return {
        path: contents.hashed(path)
        for path, entry in contents.listing.entries.items()
        if entry.signature is not None and (entry.signature[1] >= limit or entry.signature[2] >= limit)
    }


def _packed(signature: Signature) -> bytes:
    """32 bytes for a signature, whatever a file system puts into it."""
    return b"".join((part & _MASK).to_bytes(8, "little") for part in signature)


def _marks(listing: Listing, fresh: Mapping[str, bytes]) -> bytes:
    """32 bytes a file, in the listing's order: of a plain one its signature, of a link its target, of one that is not to
    be relied on its content.
    """
    none = (0, 0, 0, 0)
    signatures = [entry.signature or none for entry in listing.entries.values()]
    odd = [
        (n, path, entry)
        for n, (path, entry) in enumerate(listing.entries.items())
        if entry.signature is None or path in fresh
    ]
    try:
        marks = array("q", chain.from_iterable(signatures)).tobytes()
    except OverflowError:
        marks = b"".join(map(_packed, signatures))
    if not odd:
        return marks
    parts = bytearray(marks)
    for n, path, entry in odd:
        text = f"link {entry.target}" if entry.signature is None else f"fresh {fresh[path].hex()}"
        parts[n * 32 : n * 32 + 32] = blake2b(text.encode(errors="surrogateescape"), digest_size=32).digest()
    return bytes(parts)


@dataclass(frozen=True, slots=True)
class _Bucket:
    """A part of the files, the same ones as long as no file comes or goes: `marks` and `digests` are 32 and 16 bytes a
    file, in the order of `paths`.
    """

    paths: tuple[str, ...]
    marks: bytes
    digests: bytes

    def row(self, number: int) -> tuple[bytes, bytes]:
        return self.marks[number * 32 : number * 32 + 32], self.digests[number * 16 : number * 16 + 16]

    def sum(self) -> bytes:
        """Stands for the names and contents of its files."""
        return digest("\0".join(self.paths).encode(errors="surrogateescape"), self.digests)


def _encoded(bucket: _Bucket) -> bytes:
    names = "\0".join(bucket.paths).encode(errors="surrogateescape")
    return b"".join((len(names).to_bytes(8, "little"), names, bucket.marks, bucket.digests))


def _decoded(value: bytes) -> _Bucket:
    size = int.from_bytes(value[:8], "little") + 8
    names = value[8:size].decode(errors="surrogateescape")
    paths = tuple(names.split("\0")) if names else ()
    end = size + 32 * len(paths)
    return _Bucket(paths, value[size:end], value[end:])


def _by_contents(
    contents: Contents, cache: Cache, tool: bytes, now: tuple[dict[str, bytes], bytes], last: bytes
) -> bytes:
    """The tree's digest from those of its files; those whose signature is known are not read. `now` are the digests of
    fresh files, and all files' marks.
    """
    fresh, marks = now
    listing = contents.listing
    root = listing.root.encode(errors="surrogateescape")
    parts = _parts(listing)
    names = [digest(b"bucket", tool, root, bytes((len(parts), number))) for number in range(len(parts))]
    known = cache.many((*names, last))
    changed: list[str] | None = []
    sums: list[bytes] = []
    then: list[bytes] = []
    for name, part in zip(names, parts, strict=True):
        old = _decoded(known[name]) if name in known else _Bucket((), b"", b"")
        own = b"".join([marks[n * 32 : n * 32 + 32] for n in part.values()])
        new = _bucket(contents, tuple(part), own, old, fresh)
        sums.append(new.sum())
        then.append(sums[-1] if new is old else old.sum())
        if new != old:
            cache.put(name, _encoded(new))
            changed = _changed(old, new, changed)
    tree = digest(b"tree", *sums)
    before = known.get(last)
    # Of two runs at a time each writes the records that it saw change, and the later one says which tree was the last.
    together = before == digest(b"tree", *then)
    edited = together and changed is not None and len(changed) <= _MOST
    if before is not None and before != tree and edited and _are_files(listing, changed or ()):
        step = {"from": before.hex(), "changed": sorted(changed or ())}
        cache.put(digest(b"step", tool, tree), json.dumps(step).encode())
    if before != tree:
        cache.put(last, tree)
    return tree


def _are_files(listing: Listing, paths: Iterable[str]) -> bool:
    return all(listing.entries[path].target is None for path in paths)


def _parts(listing: Listing) -> list[dict[str, int]]:
    """The files with their numbers, in parts by their names, so that an edit touches the record of one part alone."""
    count = 1 << min(6, (len(listing.entries) // 256).bit_length())
    parts: list[dict[str, int]] = [{} for _ in range(count)]
    for number, path in enumerate(listing.entries):
        parts[crc32(path.encode(errors="surrogateescape")) % count][path] = number
    return parts


def _bucket(
    contents: Contents, paths: tuple[str, ...], marks: bytes, old: _Bucket, fresh: dict[str, bytes]
) -> _Bucket:
    entries = contents.listing.entries
    if marks == old.marks and paths == old.paths:
        return old
    known = {path: old.row(number) for number, path in enumerate(old.paths)}
    digests = []
    for number, path in enumerate(paths):
        mark, content = known.get(path, (b"", b""))
        if mark != marks[number * 32 : number * 32 + 32]:
            target = entries[path].target
            if target is not None:
                content = content_digest(f"link {target}".encode(errors="surrogateescape"))
            else:
                content = fresh.get(path) or contents.hashed(path)
        digests.append(content)
    return _Bucket(paths, marks, b"".join(digests))


def _changed(old: _Bucket, new: _Bucket, so_far: list[str] | None) -> list[str] | None:
    """The files whose contents differ; None where files came or went."""
    if so_far is None or old.paths != new.paths:
        return None
    return so_far + [
        path for number, path in enumerate(new.paths) if old.row(number)[1] != new.row(number)[1]
    ]


def unchanged(listing: Listing, paths: Iterable[str]) -> bool:
    """Whether listed files still have their signatures: what was read in between is what was meant."""
    prefix = f"{listing.root}/"
    for path in paths:
        entry = listing.entries[path]
        if entry.signature is not None:
            try:
                status = os.lstat(prefix + path)
            except OSError:
                return False
            if (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino) != entry.signature:
                return False
    return True
