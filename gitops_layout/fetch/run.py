"""Fetch everything that is wanted: several at a time, each bounded in time, all problems together.

What the lock names and the store holds is not asked for again, so a second run needs no network. What
the lock names and the store lacks is brought as the lock has it, or it is an error. Only `update`
resolves anew, and only `check` asks for everything and brings nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field, replace
from pathlib import Path
from typing import Literal

import httpx2

from gitops_layout.errors import UserError
from gitops_layout.fetch import bases, git, helm, oci
from gitops_layout.fetch.http import client
from gitops_layout.fetch.model import FetchError, Found, Outcome, Want
from gitops_layout.fetch.wants import dependencies, is_variable
from gitops_layout.kustomize.mount import remote_bases
from gitops_layout.kustomize.walk import walk
from gitops_layout.repo.unpacked import from_unpacked
from gitops_layout.store.archive import RefusedError, tree
from gitops_layout.store.content import TooLargeError, get
from gitops_layout.store.lock import LOCK, Entry, Lock, Reference, dump
from gitops_layout.system import write_named
from gitops_layout.values import dataclass

__all__ = ["TIMEOUT", "Mode", "fetch", "locked", "save"]

Mode = Literal["fetch", "update", "check"]

TIMEOUT = 120.0
"""Seconds that one reference may take, its download included."""

_PARALLEL = 8
_MAX_DEPTH = 10
_MAX_REFERENCES = 5_000
"""Bases that name bases: beyond these bounds they are not followed, and that is said."""


def fetch(
    wants: Sequence[Want], lock: Lock, *, mode: Mode = "fetch", timeout: float = TIMEOUT
) -> tuple[Outcome, ...]:
    """Bring what is wanted (in mode `check`: only look), and what the brought bases want in turn.

    Never raises for what a source does or does not do: that is an outcome.
    """
    return tuple(asyncio.run(_fetch(wants, lock, mode, timeout)))


async def _fetch(wants: Sequence[Want], lock: Lock, mode: Mode, timeout: float) -> list[Outcome]:
    outcomes: list[Outcome] = []
    seen: set[Reference] = set()
    waiting = list(wants)
    # A git command that hangs holds a thread until its own time limit: others must not wait for it.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2 * _PARALLEL))
    async with client() as http:
        run = _Run(http, lock, mode, timeout)
        for _ in range(_MAX_DEPTH):
            seen.update(want.reference for want in waiting)
            done = await asyncio.gather(*(run.one(want) for want in waiting))
            outcomes += done
            nested = [want for outcome in done for want in _nested(outcome)]
            first = {want.reference: want for want in reversed(nested) if want.reference not in seen}
            waiting = list(first.values())
            if not waiting or len(seen) + len(waiting) > _MAX_REFERENCES:
                break
    why = f"a base of a base, more than {_MAX_DEPTH} deep or one of more than {_MAX_REFERENCES:,}"
    return [*outcomes, *(Outcome(want, "failed", why) for want in waiting)]


def locked(outcomes: Collection[Outcome], lock: Lock, *, complete: bool) -> tuple[Entry, ...]:
    """The entries of the new lock.

    Once everything that is wanted is known (`complete`), what nobody wants any more goes, unless a
    failure may hide who wants it.
    """
    found = {outcome.entry.reference: outcome.entry for outcome in outcomes if outcome.entry is not None}
    if complete and not any(outcome.status in ("failed", "moved") for outcome in outcomes):
        return tuple(found.values())
    return tuple(({entry.reference: entry for entry in lock.entries} | found).values())


def _nested(outcome: Outcome) -> Iterator[Want]:
    """What a tree in the store refers to in turn; the place stays that in the repository."""
    entry, here = outcome.entry, outcome.want.location
    if entry is None or entry.path is None or entry.reference.kind == "helm-chart":
        return
    try:
        root = tree(entry.sha256)
    except RefusedError:
        root = None
    if root is None:
        return
    repo = from_unpacked(root)
    for folder in (entry.path,) if entry.reference.kind == "kustomize-base" else outcome.want.paths:
        for kustomization in walk(repo, folder).kustomizations:
            for text, _ in remote_bases(repo, kustomization):
                yield Want(Reference("kustomize-base", text), here, text)
        if repo.is_file(f"{folder}/Chart.yaml".lstrip("/")):
            yield from (replace(want, location=here) for want in dependencies(repo, folder))


@dataclass(slots=True)
class _Run:
    """One run: its client, and what several references share (a chart repository's index)."""

    http: httpx2.AsyncClient
    lock: Lock
    mode: Mode
    timeout: float
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_PARALLEL))
    indexes: dict[str, asyncio.Task[helm.Index]] = field(default_factory=dict)

    async def one(self, want: Want) -> Outcome:
        """What comes of one want; never raises for what the source does."""
        entry = self.lock.by_reference.get(want.reference)
        try:
            async with self.slots, asyncio.timeout(self.timeout):
                return await self._one(want, entry)
        except TimeoutError:
            why = f"no answer within {self.timeout:g} s"
        except (FetchError, TooLargeError, RefusedError) as error:
            why = str(error)
        except UserError as error:
            why = error.message
        except OSError as error:
            why = f"cannot be stored: {error}"
        except ValueError as error:  # a URL that a server made up
            why = f"not understood: {error}"
        return Outcome(want, "failed", why, entry)

    async def _one(self, want: Want, entry: Entry | None) -> Outcome:
        here = entry is not None and await asyncio.to_thread(get, entry.sha256) is not None
        if self.mode == "fetch" and here:
            return Outcome(want, "kept", entry=entry)
        found = await self._resolve(want)
        if self.mode == "check":
            return await self._checked(want, entry, found, here=here)
        if entry is None:
            brought = await found.bring()
            return Outcome(want, "fetched", entry=found.entry(want.reference, brought))
        if self.mode == "update":
            return await self._update(want, entry, found, here=here)
        return await self._restore(want, entry, found)

    async def _restore(self, want: Want, entry: Entry, found: Found) -> Outcome:
        """Bring again exactly what the lock names."""
        if not found.agrees(entry):
            found = await self._as_locked(want, entry, found)
            if not found.agrees(entry):
                return _moved(want, entry, found.identity)
        brought = await found.bring()
        if brought.sha256 != entry.sha256:
            return _moved(want, entry, f"sha256:{brought.sha256}")
        return Outcome(want, "fetched", entry=entry)

    async def _update(self, want: Want, entry: Entry, found: Found, *, here: bool) -> Outcome:
        certain = bool(found.commit or found.digest or found.sha256)
        if here and certain and found.agrees(entry):
            return Outcome(want, "kept", entry=entry)
        new = found.entry(want.reference, await found.bring())
        if new == entry:
            return Outcome(want, "kept" if here else "fetched", entry=entry)
        return Outcome(want, "updated", f"was {_identity(entry)}", new)

    async def _checked(self, want: Want, entry: Entry | None, found: Found, *, here: bool) -> Outcome:
        if entry is None:
            return Outcome(want, "missing", "not in the lock")
        if found.agrees(entry):
            why = "in the lock, but not in the store"
            return Outcome(want, "kept" if here else "missing", "" if here else why, entry)
        then = await self._as_locked(want, entry, found)
        if not then.agrees(entry):
            return _moved(want, entry, then.identity)
        return Outcome(want, "newer", f"the lock has {_identity(entry)}, now it is {found.identity}", entry)

    async def _as_locked(self, want: Want, entry: Entry, found: Found) -> Found:
        """What the source now has by the name that the lock resolved to: a branch or range, `found` anew, may rightly
        lead elsewhere, but the version or tag that it led to stays what it is. A tag that is gone from there has not
        moved: its commit or digest is asked for.
        """
        if not found.floating or (found.version and found.version == entry.version):
            return found
        if not entry.version:
            return await self._resolve(want, entry)
        try:
            return await self._resolve(want, replace(entry, commit="", digest=""))
        except FetchError:
            if not (entry.commit or entry.digest):
                raise
            return await self._resolve(want, replace(entry, version=""))

    async def _resolve(self, want: Want, pinned: Entry | None = None) -> Found:
        """Ask the source what the reference is now, or with `pinned` for just what that says: its version, if it has
        one, else its commit or digest.
        """
        reference, url = want.reference, want.url
        if is_variable(want):
            raise FetchError("holds a variable that only the cluster knows")
        match reference.kind:
            case "kustomize-base":
                exact = "" if pinned is None else pinned.version or pinned.commit
                return await bases.resolve(self.http, url, exact=exact, timeout=self.timeout)
            case "git-source":
                asked = _pinned(reference, pinned, "tag", "commit")
                return await git.resolve(url, asked.asked, asked.value, timeout=self.timeout)
            case "oci-artifact":
                return await oci.artifact(self.http, url, _pinned(reference, pinned, "tag", "digest"))
        if url.startswith("oci://") or "://" not in url:
            return await helm.from_registry(self.http, url, _pinned(reference, pinned, "tag", "digest"))
        if not url.startswith(("https://", "http://")):
            raise FetchError("charts are fetched from https://, http:// and oci:// only")
        index = await self._index(url)
        return helm.from_index(self.http, index, _pinned(reference, pinned, "version", "digest"))

    async def _index(self, url: str) -> helm.Index:
        """The index of a chart repository, read once; a reference that gives up does not end it for others."""
        if url not in self.indexes:
            self.indexes[url] = asyncio.create_task(helm.read_index(self.http, url))
        return await asyncio.shield(self.indexes[url])


def _pinned(
    reference: Reference,
    entry: Entry | None,
    name: Literal["tag", "version"],
    content: Literal["digest", "commit"],
) -> Reference:
    """The reference, as asking for what an entry says."""
    if entry is None:
        return reference
    if entry.version:
        return replace(reference, asked=name, value=entry.version)
    return replace(reference, asked=content, value=getattr(entry, content))


def _identity(entry: Entry) -> str:
    digest = entry.commit or entry.digest or f"sha256:{entry.sha256}"
    return f"{entry.version} {digest}".strip()


def _moved(want: Want, entry: Entry, now: str) -> Outcome:
    return Outcome(want, "moved", f"the lock has {_identity(entry)}, the source now has {now}", entry)


def save(root: Path, entries: Collection[Entry], before: bytes | None) -> bytes | None:
    """Write the lock of the repository at `root` if it changes, and return what it holds now.

    `before` is what it held when we last looked. Raises UserError when another run has changed it
    meanwhile, or when it would lie outside the repository.
    """
    file, content = root / LOCK, dump(entries)
    if content == before or (before is None and not entries):
        return before
    if not file.parent.resolve().is_relative_to(root.resolve()):
        raise UserError(f"{file.parent.name} is a link out of the repository", "make it a folder")
    now = file.read_bytes() if file.is_file() else None
    if now not in (before, content):
        raise UserError(f"{LOCK} was changed by another run meanwhile", "run fetch again", exit_code=3)
    if now != content:
        write_named(file, content)
    return content
