"""Follow git: which commit an environment is to be brought to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from gitops_layout.errors import UserError
from gitops_layout.system import cache_dir, git
from gitops_layout.values import dataclass

__all__ = ["Follow", "Revision", "follow_path", "follow_url", "identity", "is_fast_forward"]

_FETCH_SECONDS = 120
_HEAD = "refs/gitops-layout/head"


@dataclass(frozen=True, slots=True)
class Revision:
    """A state of a repository: `commit` of the git folder `root`; None: the files below it as they are.

    `label` is what people read, `main@9f3c1e2`; `note` says what they might not expect.
    """

    root: Path
    commit: str | None
    label: str = ""
    note: str = ""


Follow = Callable[[], Revision]
"""Looks up the current revision; raises UserError when it cannot be had."""


def follow_path(path: Path, ref: str | None = None) -> Follow:
    """Follow a repository on this machine: `ref`, else what is checked out there.

    Only commits are applied, since only they can be named and returned to. Outside git, or in a
    folder inside a larger repository, the files are taken as they are.
    """

    def look() -> Revision:
        top = _top_level(path)
        if top is None:
            if ref is not None:
                raise UserError(f"{path} is no git repository and has no ref {ref}")
            return Revision(path, None)
        if Path(top).resolve() != path.resolve():
            return Revision(
                path, None, note=f"{path} is a part of the repository {top}: taking its files as they are"
            )
        wanted = ref or "HEAD"
        commit = _commit(path, wanted)
        if commit is None:
            raise UserError(f"{path} has no commit {wanted}", "commit first: only commits are applied")
        name = ref or _output(path, "rev-parse", "--abbrev-ref", "HEAD") or "HEAD"
        dirty = ref is None and _output(path, "status", "--porcelain", "--untracked-files=normal")
        return Revision(
            path, commit, f"{name}@{commit[:7]}", "uncommitted changes are not applied" if dirty else ""
        )

    return look


def follow_url(url: str, ref: str | None = None) -> Follow:
    """Follow a branch, tag or commit of a remote repository, through a bare mirror in the user's cache.

    `ref` None is the remote's default branch. Uses the user's own git credentials, never asks.
    """
    name = ref or "HEAD"
    if name.startswith("-") or url.startswith("-"):
        raise UserError(f"{name if name.startswith('-') else url} is an option, not a place in git")
    mirror = cache_dir("git") / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.git"

    def look() -> Revision:
        if not (mirror / "HEAD").is_file():
            _must(mirror.parent, f"cannot create {mirror}", "init", "--quiet", "--bare", str(mirror))
        _must(mirror, f"cannot write to {mirror}", "config", "remote.origin.url", url)
        # One ref per followed name: two runs on different branches must not overwrite each other's.
        local = f"{_HEAD}/{hashlib.sha256(name.encode()).hexdigest()[:16]}"
        fetched = f"+{name}:{local}"
        _must(
            mirror,
            f"cannot fetch {name} of {_public(url)}",
            "fetch",
            "--quiet",
            "--no-tags",
            "origin",
            fetched,
        )
        commit = _commit(mirror, local)
        if commit is None:
            raise UserError(f"{name} of {_public(url)} is no commit", exit_code=3)
        return Revision(mirror, commit, f"{name}@{commit[:7]}")

    return look


def identity(revision: Revision) -> str:
    """What stays the same for all clones of a repository: its first commit, else where it is."""
    if revision.commit is not None:
        shallow = _output(revision.root, "rev-parse", "--is-shallow-repository") == "true"
        roots = None if shallow else _output(revision.root, "rev-list", "--max-parents=0", revision.commit)
        if roots:
            return f"git:{min(roots.split())}"
        if url := _output(revision.root, "config", "remote.origin.url"):
            return _public(url)
    return f"file:{revision.root.resolve()}"


def is_fast_forward(root: Path, old: str, new: str) -> bool:
    """Whether `new` contains `old`: history was added to, not rewritten."""
    return git(root, "merge-base", "--is-ancestor", old, new).code != 1  # other codes: it cannot be told


def _top_level(path: Path) -> str | None:
    done = git(path, "rev-parse", "--show-toplevel")
    if done.code == 0:
        return done.stdout.decode(errors="replace").strip()
    if "not a git repository" not in done.stderr:
        # A repository that git will not open (another user's) must not pass for a plain folder.
        raise UserError(f"git cannot read {path}: {done.stderr.strip()}", exit_code=3)
    return None


def _commit(root: Path, ref: str) -> str | None:
    return _output(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")


def _output(root: Path, *arguments: str) -> str | None:
    done = git(root, *arguments)
    return done.stdout.decode(errors="replace").strip() if done.code == 0 else None


def _must(root: Path, problem: str, *arguments: str) -> None:
    done = git(root, *arguments, timeout=_FETCH_SECONDS)
    if done.code != 0:
        why = "it took too long" if done.code is None else done.stderr.strip()
        raise UserError(f"{problem}: {why}", exit_code=3)


def _public(url: str) -> str:
    """The URL without the credentials it may carry."""
    parts = urlsplit(url)
    if "@" not in parts.netloc or parts.scheme not in ("http", "https"):
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
