"""What was brought from outside: artifacts by digest, and the lock that says which are meant.

Everything here reads the lock and the user's cache, and never the network; only `fetch` adds to either.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, get_args

from gitops_layout.store.archive import RefusedError, tree
from gitops_layout.store.content import get
from gitops_layout.store.lock import LOCK, Asked, Lock, Reference, read
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LOCK", "Fetched", "fetched"]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What `fetch` has brought for one repository, by its lock.

    Each look-up gives None where the lock has no such reference, or the store lacks its content or
    refuses to unpack it: then the thing is not checked, and `gitops-layout fetch` brings it or says why.
    """

    lock: Lock
    _trees: dict[str, Path | None] = field(default_factory=dict, repr=False, compare=False)

    def tree(self, reference: Reference) -> Path | None:
        """The folder that the reference means, unpacked."""
        entry = self.lock.by_reference.get(reference)
        root = self._unpacked(entry.sha256) if entry is not None and entry.path is not None else None
        if entry is None or entry.path is None or root is None:
            return None
        place = (root / entry.path).resolve()
        return place if place.is_relative_to(root.resolve()) and place.is_dir() else None

    def _unpacked(self, sha256: str) -> Path | None:
        """An archive's tree; verified once for all deliveries that read it."""
        if sha256 not in self._trees:
            try:
                self._trees[sha256] = tree(sha256)
            except RefusedError:
                self._trees[sha256] = None
        return self._trees[sha256]

    def chart(self, url: str, name: str, version: str, tags: str = "") -> Path | None:
        """The archive (`.tgz`) of a chart: `version` is a version or range, a tag or a digest as written,
        or "" where there is none; `tags` is the expression that the tags it is chosen from match.

        An OCI URL may be the chart's own (Flux `chartRef`, whatever `name` says) or that of the
        repository above it.
        """
        known = ("version", "tag", "semver", "digest") if version else ("",)
        for named in (name, ""):
            for asked in known:
                reference = Reference("helm-chart", url, named, _asked(asked), version, tags)
                entry = self.lock.by_reference.get(reference)
                if entry is not None:
                    return get(entry.sha256)
        return None

    def base(self, text: str) -> tuple[Path, str | None] | None:
        """What a kustomization's remote reference means: a tree and the folder in it, or for a raw URL
        that file and None.
        """
        entry = self.lock.by_reference.get(Reference("kustomize-base", text))
        if entry is None:
            return None
        root = get(entry.sha256) if entry.path is None else self._unpacked(entry.sha256)
        return (root, entry.path) if root is not None else None


def _asked(name: str) -> Asked:
    known: tuple[Asked, ...] = get_args(Asked)
    return next((asked for asked in known if asked == name), "")


def fetched(lock: bytes | None, file: str = LOCK) -> Fetched:
    """What the lock file's bytes stand for; without one, nothing.

    Raises UserError for a lock that cannot be read.
    """
    return Fetched(read(lock, file) if lock is not None else Lock())
