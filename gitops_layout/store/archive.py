"""Unpack archives that strangers packed: nothing outside the target is written, and costs are bounded.

Refused are absolute names and names with `..`, hard links, devices, pipes, sparse files, links that
could lead out, names that pass through a link, and more files or bytes than any chart or source has.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from gitops_layout.store.content import get, scratch
from gitops_layout.system import cache_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_FILES", "MAX_UNPACKED", "RefusedError", "files", "leads_out", "tree", "unpack"]

MAX_FILES = 50_000
MAX_UNPACKED = 512 * 2**20
"""Bytes; Helm allows 100 MiB for a chart, the largest repositories of manifests that we met hold 150."""

_MAX_HEADER = 2**20
"""Bytes that one read of the tar reader may take: its extended headers name their own length."""
_CHUNK = 64 * 2**10
_GZIP = b"\x1f\x8b"


class RefusedError(Exception):
    """An archive that is broken or does what no honest one does; the message says which and where."""


def tree(sha256: str) -> Path | None:
    """The folder with the unpacked archive of that digest, unpacked at most once.

    None where the store lacks the archive. Raises RefusedError for one that cannot be unpacked.
    """
    source = get(sha256)
    if source is None:
        return None
    place = cache_dir("store", "trees") / sha256
    if place.is_dir():
        return place
    with tempfile.TemporaryDirectory(dir=scratch(), ignore_cleanup_errors=True) as temporary:
        target = Path(temporary, "tree")
        with source.open("rb") as stream:
            unpack(stream, target)
        # Another run may have been faster: its folder is as good as ours.
        with contextlib.suppress(OSError):
            target.rename(place)
    return place


def unpack(source: IO[bytes], target: Path) -> None:
    """Unpack a tar or tar.gz into `target`, a folder that is made here. Raises RefusedError."""
    try:
        with tempfile.TemporaryFile(dir=target.parent) as plain:
            _decompress(source, plain)
            with tarfile.open(fileobj=cast("IO[bytes]", _Wary(plain)), mode="r:") as archive:
                target.mkdir()
                _extract(archive, target)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError, OverflowError) as error:
        raise RefusedError(f"not a readable tar archive: {error}") from None


def files(source: IO[bytes], *, limit: int) -> Iterator[tuple[str, bytes]]:
    """The files of a tar.gz one by one, in memory: names and contents, `limit` bytes of them at most.

    Links and what else is no file or folder are refused as Flux refuses them. Raises RefusedError.
    """
    size = 0
    try:
        with gzip.GzipFile(fileobj=source) as plain:
            stream = cast("IO[bytes]", _Counted(plain, limit))
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                for member, parts in _members(archive):
                    if member.issym() or "\\" in member.name:
                        raise RefusedError(f"{member.name!r} is a link, or its name has a backslash")
                    size += member.size
                    if size > limit:
                        raise RefusedError(f"unpacks to more than {limit // 2**20} MiB")
                    content = archive.extractfile(member)
                    if content is not None:
                        yield "/".join(parts), content.read()
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError, OverflowError) as error:
        raise RefusedError(f"not a readable tar.gz: {error}") from None


class _Counted:
    """A stream that ends with an error once it has given much more than what may be unpacked from it."""

    def __init__(self, stream: gzip.GzipFile, limit: int) -> None:
        self._stream, self._left, self._limit = stream, 2 * limit + _MAX_HEADER, limit

    def read(self, size: int) -> bytes:
        chunk = self._stream.read(size)
        self._left -= len(chunk)
        if self._left < 0:
            raise RefusedError(f"unpacks to more than {self._limit // 2**20} MiB")
        return chunk


def _decompress(source: IO[bytes], target: IO[bytes]) -> None:
    start = source.read(2)
    source.seek(0)
    stream = cast("IO[bytes]", gzip.GzipFile(fileobj=source)) if start == _GZIP else source
    size = 0
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
        if size > MAX_UNPACKED:
            raise RefusedError(f"unpacks to more than {MAX_UNPACKED // 2**20} MiB")
        target.write(chunk)
    target.seek(0)


class _Wary:
    """A file whose reader may not ask for much at once."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.seek = stream.seek
        self.tell = stream.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MAX_HEADER:
            raise RefusedError("an archive header of more than 1 MiB")
        return self._stream.read(size)


def _extract(archive: tarfile.TarFile, target: Path) -> None:
    links: dict[tuple[str, ...], str] = {}
    size = 0
    for member, parts in _members(archive):
        if member.issym():
            links[parts] = member.linkname
        elif member.isdir():
            _folder(target, parts, member.name)
        else:
            _folder(target, parts[:-1], member.name)
            size += _file(archive, member, target.joinpath(*parts), MAX_UNPACKED - size)
    # Last, so that no file is written through one.
    for parts, link in links.items():
        _link(target, parts, link)


def _members(archive: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, tuple[str, ...]]]:
    for count, member in enumerate(archive):
        if count >= MAX_FILES:
            raise RefusedError(f"more than {MAX_FILES:,} files")
        parts = tuple(part for part in member.name.split("/") if part not in ("", "."))
        if member.name.startswith("/") or ".." in parts or "\x00" in member.name:
            raise RefusedError(f"{member.name!r} leads out of the archive")
        if member.issparse() or not (member.isfile() or member.isdir() or member.issym()):
            raise RefusedError(f"{member.name!r} is neither file, folder nor symbolic link")
        if parts:
            yield member, parts


def _folder(target: Path, parts: tuple[str, ...], name: str) -> None:
    try:
        target.joinpath(*parts).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RefusedError(f"{name!r} cannot be written: {error.strerror}") from None


def _file(archive: tarfile.TarFile, member: tarfile.TarInfo, place: Path, limit: int) -> int:
    source = archive.extractfile(member)
    size = 0
    try:
        with place.open("wb") as stream:
            while source is not None and (chunk := source.read(_CHUNK)):
                size += len(chunk)
                if size > limit:
                    raise RefusedError(f"unpacks to more than {MAX_UNPACKED // 2**20} MiB")
                stream.write(chunk)
        place.chmod(0o755 if member.mode & 0o100 else 0o644)
    except OSError as error:
        raise RefusedError(f"{member.name!r} cannot be written: {error.strerror}") from None
    return size


def leads_out(parts: tuple[str, ...], link: str) -> bool:
    """Whether a link at the path `parts` could lead out of the tree.

    Allowed are some `..` from its own folder and then only steps downwards: a `..` behind a name is not,
    for that name may be a link itself, and then its parent is elsewhere.
    """
    steps = [step for step in link.split("/") if step not in ("", ".")]
    upwards = next((index for index, step in enumerate(steps) if step != ".."), len(steps))
    return link.startswith("/") or upwards > len(parts) - 1 or ".." in steps[upwards:] or "\x00" in link


def _link(target: Path, parts: tuple[str, ...], link: str) -> None:
    if leads_out(parts, link):
        raise RefusedError(f"link {'/'.join(parts)!r} to {link!r} could lead out of the archive")
    folder = target
    for part in parts[:-1]:
        folder = folder / part
        if folder.is_symlink():
            raise RefusedError(f"link {'/'.join(parts)!r} lies behind another link")
    _folder(target, parts[:-1], "/".join(parts))
    try:
        os.symlink(link, target.joinpath(*parts))  # noqa: PTH211  the text of the link, as packed
    except OSError as error:
        raise RefusedError(f"link {'/'.join(parts)!r} cannot be made: {error.strerror}") from None
