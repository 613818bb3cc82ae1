"""Git sources: what a reference names, and its tree as an archive with the same bytes everywhere.

Only https, http, ssh and git:// are contacted: never a file, an external helper or a submodule. The
archive is written by us and not by `git archive`, which obeys attributes that an agent's checkout does
not know (`export-ignore`), and whose bytes are nobody's promise.
"""

from __future__ import annotations

import asyncio
import io
import os
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, cast

from gitops_layout.config import did_you_mean
from gitops_layout.fetch.model import Brought, FetchError, Found, none_fits
from gitops_layout.passwords import without_passwords
from gitops_layout.patterns import regexp
from gitops_layout.semver import newest
from gitops_layout.store.archive import MAX_FILES, MAX_UNPACKED, leads_out
from gitops_layout.store.content import incoming, scratch
from gitops_layout.store.lock import Asked
from gitops_layout.system import Completed, git
from gitops_layout.values import dataclass

__all__ = ["HEADS_FIRST", "TAGS_FIRST", "resolve"]

HEADS_FIRST = ("refs/heads/", "refs/tags/")
"""Where a bare name is looked up by Flux and Argo CD."""
TAGS_FIRST = ("refs/tags/", "refs/heads/")
"""Where kustomize's `git fetch origin NAME` looks it up."""

_ALLOWED = (
    "-c", "protocol.allow=never",
    "-c", "protocol.https.allow=always",
    "-c", "protocol.http.allow=always",
    "-c", "protocol.ssh.allow=always",
    "-c", "protocol.git.allow=always",
)  # fmt: skip
_COMMIT = regexp(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_BATCH = 32 * 2**20
"""Bytes of blobs that are in memory at a time, unless one alone is larger."""


@dataclass(frozen=True, slots=True)
class _Blob:
    path: str
    oid: str
    size: int
    mode: str


async def resolve(
    url: str, asked: Asked, value: str, *, order: tuple[str, ...] = HEADS_FIRST, timeout: float
) -> Found:
    """What a reference of the repository at `url` is now. Raises FetchError."""
    if _COMMIT.fullmatch(value):
        return _found(url, value, value, "", floating=False, timeout=timeout)
    refs = await asyncio.to_thread(_refs, url, value, timeout)
    if not value:
        name = "HEAD"
    elif asked == "semver":
        name = _range(refs, value, url)
    else:
        places = ("refs/tags/",) if asked == "tag" else order
        names = (value, *(f"{place}{value}" for place in places))
        name = next((name for name in names if name in refs), "")
        name = name or _range(refs, value, url)
    if name not in refs:
        raise FetchError(f"{url} has no {name}")
    tag = name.removeprefix("refs/tags/") if name.startswith("refs/tags/") else ""
    floating = not tag or tag != value
    return _found(url, refs[name], name, tag, floating=floating, timeout=timeout)


def _found(url: str, commit: str, name: str, tag: str, *, floating: bool, timeout: float) -> Found:
    async def bring() -> Brought:
        return Brought(await asyncio.to_thread(_bring, url, commit, name, timeout))

    return Found(bring, version=tag, commit=commit, floating=floating)


def _range(refs: Mapping[str, str], asked: str, url: str) -> str:
    tags = [name.removeprefix("refs/tags/") for name in refs if name.startswith("refs/tags/")]
    try:
        tag = newest(tags, asked)
    except ValueError:
        hint = did_you_mean(asked, {name.split("/", 2)[2] for name in refs if name.count("/") > 1})
        raise FetchError(f"{url} has no branch, tag or commit {asked!r}{hint}") from None
    if tag is None:
        raise none_fits(url, tags, asked)
    return f"refs/tags/{tag}"


def _run(folder: Path, url: str, *arguments: str, timeout: float) -> Completed:
    """git with only the protocols that we allow. Raises FetchError when it does not end in time."""
    done = git(folder, *_ALLOWED, *arguments, timeout=timeout)
    if done.code is None:
        raise FetchError(f"{url}: no answer within {timeout:.0f} s")
    return done


def _failure(url: str, done: Completed) -> FetchError:
    lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
    words = next(
        (line for line in lines if line.startswith(("fatal:", "ERROR:"))), lines[0] if lines else "git failed"
    )
    # What git shows may be a URL of the user's own configuration, with a token in it.
    words = without_passwords(words.removeprefix("fatal: "))[:300]
    return FetchError(f"{url}: {words}")


def _refs(url: str, value: str, timeout: float) -> dict[str, str]:
    """Branches, tags and HEAD with the commits that they mean."""
    wanted = ["HEAD", "refs/heads/*", "refs/tags/*", *([value] if value.startswith("refs/") else [])]
    done = _run(Path(scratch()), url, "ls-remote", "--quiet", "--", url, *wanted, timeout=timeout)
    if done.code != 0:
        raise _failure(url, done)
    rows = [row.split("\t", 1) for row in done.stdout.decode(errors="replace").splitlines() if "\t" in row]
    refs = {name: commit for commit, name in rows if not name.endswith("^{}")}
    return refs | {name.removesuffix("^{}"): commit for commit, name in rows if name.endswith("^{}")}


def _bring(url: str, commit: str, name: str, timeout: float) -> str:
    with tempfile.TemporaryDirectory(dir=scratch(), ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        _run(folder, url, "init", "--quiet", "--bare", "--template=", timeout=timeout)
        _obtain(folder, url, commit, name, timeout)
        return _pack(folder, _blobs(folder, url, commit, timeout), url, timeout)


def _obtain(folder: Path, url: str, commit: str, name: str, timeout: float) -> None:
    """The commit alone; all branches and tags where the server does not give it out by its id."""
    fetch = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-auto-gc")
    everything = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
    done = Completed(1, b"", "")
    for depth, wanted in (("--depth=1", (name,)), ("--depth=1", (commit,)), ("--no-depth", everything)):
        options = () if depth == "--no-depth" else (depth,)
        done = _run(folder, url, *fetch, *options, "--", url, *wanted, timeout=timeout)
        if _run(folder, url, "cat-file", "-e", f"{commit}^{{commit}}", timeout=timeout).code == 0:
            return
    if done.code != 0:
        raise _failure(url, done)
    raise FetchError(f"{url} has no commit {commit}")


def _blobs(folder: Path, url: str, commit: str, timeout: float) -> list[_Blob]:
    done = _run(folder, url, "ls-tree", "-r", "-z", "--long", "--full-tree", commit, timeout=timeout)
    if done.code != 0:
        raise _failure(url, done)
    blobs = []
    for row in done.stdout.split(b"\0"):
        if not row:
            continue
        meta, path = row.split(b"\t", 1)
        mode, kind, oid, size = meta.decode().split()
        if kind == "blob":  # a submodule is another repository
            blobs.append(_Blob(os.fsdecode(path), oid, int(size), mode))
    if len(blobs) > MAX_FILES or sum(blob.size for blob in blobs) > MAX_UNPACKED:
        limits = f"{MAX_FILES:,} files or {MAX_UNPACKED // 2**20} MiB"
        raise FetchError(f"{url} holds more than {limits}")
    return blobs


def _pack(folder: Path, blobs: list[_Blob], url: str, timeout: float) -> str:
    """Write the tree as a tar in git's order, without times and owners; returns its SHA-256."""
    with incoming(limit=2 * MAX_UNPACKED) as file:
        with tarfile.open(fileobj=cast("IO[bytes]", file), mode="w|", format=tarfile.PAX_FORMAT) as archive:
            for batch in _batches(blobs):
                asked = "".join(f"{blob.oid}\n" for blob in batch).encode()
                out = git(folder, "cat-file", "--batch", stdin=asked, timeout=timeout).stdout
                for blob, content in zip(batch, _contents(out), strict=False):
                    if len(content) != blob.size:
                        raise FetchError(f"{url}: {blob.path} is incomplete")
                    _add(archive, blob, content)
        return file.keep()


def _batches(blobs: list[_Blob]) -> Iterator[list[_Blob]]:
    batch: list[_Blob] = []
    size = 0
    for blob in blobs:
        if batch and size + blob.size > _BATCH:
            yield batch
            batch, size = [], 0
        batch.append(blob)
        size += blob.size
    if batch:
        yield batch


def _contents(out: bytes) -> Iterator[bytes]:
    """The contents in the answer of `cat-file --batch`; a blob that is missing is empty."""
    at = 0
    while at < len(out):
        end = out.index(b"\n", at)
        fields = out[at:end].split()
        at = end + 1
        size = int(fields[2]) if len(fields) == 3 else 0
        yield out[at : at + size]
        at += size + 1 if len(fields) == 3 else 0


def _add(archive: tarfile.TarFile, blob: _Blob, content: bytes) -> None:
    member = tarfile.TarInfo(blob.path)
    if blob.mode == "120000":
        member.type, member.linkname = tarfile.SYMTYPE, os.fsdecode(content)
        # No agent follows a link out of a source: for all that can be rendered it is not there.
        if not leads_out(tuple(blob.path.split("/")), member.linkname):
            archive.addfile(member)
        return
    member.size = len(content)
    member.mode = 0o755 if blob.mode == "100755" else 0o644
    archive.addfile(member, io.BytesIO(content))
