"""Kustomize's remote references: a folder of a git repository, or one file behind a URL.

Source of fact: kustomize's api/internal/git/repospec.go and api/internal/loader (5.x): `//`, `.git` and
`_git/` end the repository's part of a URL, else its first two path segments are the repository; the
revision is `?ref=` or `?version=`.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from posixpath import normpath
from urllib.parse import parse_qs

import httpx2

from gitops_layout.fetch import git
from gitops_layout.fetch.http import get
from gitops_layout.fetch.model import Brought, FetchError, Found
from gitops_layout.patterns import regexp
from gitops_layout.source.reader import read
from gitops_layout.store.archive import RefusedError, tree
from gitops_layout.store.content import put
from gitops_layout.values import dataclass

__all__ = ["GitBase", "git_base", "resolve"]

_MAX_FILE = 16 * 2**20
_SCHEME = regexp(r"(ssh|https?|file)://", re.IGNORECASE)
_USER = regexp(r"[A-Za-z][A-Za-z0-9-]*@")
_REF_NAMES = ("ref", "version")


@dataclass(frozen=True, slots=True)
class GitBase:
    """A remote reference as git understands it: `ref` "" is the default branch, `path` "" the top.

    `explicit` says that the text can mean nothing else: it marks where the repository ends, or names no
    web page.
    """

    url: str
    ref: str
    path: str
    explicit: bool


def git_base(text: str) -> GitBase | None:
    """What a remote reference means as a git repository; None where it cannot be one."""
    rest, _, query = text.partition("?")
    values = parse_qs(query)
    ref = next((values[name][0] for name in _REF_NAMES if values.get(name)), "")
    split = _split_host(rest[5:] if rest[:5].lower() == "git::" else rest)
    if split is None:
        return None
    host, rest = split
    marked = _split_marked(rest)
    repository, path = marked or _split_default(rest)
    path = normpath(path.strip("/")) if path.strip("/") else ""
    if not repository or path.startswith("../") or path == "..":
        return None
    web = host.startswith(("http://", "https://"))
    explicit = marked is not None or not web or (bool(ref) and not rest.endswith((".yaml", ".yml", ".json")))
    return GitBase(host + repository, ref, "" if path == "." else path, explicit)


def _split_host(text: str) -> tuple[str, str] | None:
    """The text up to the path of the repository, and that path."""
    found = _SCHEME.match(text)
    scheme = found[0].lower() if found else ""
    text = text[found.end() :] if found else text
    found = _USER.match(text)
    user = found[0] if found else ""
    text = text[len(user) :]
    github = text.lower().startswith(("github.com/", "github.com:"))
    scp = not scheme and (bool(user) or github)
    if scheme == "file://" or (not scheme and not scp):
        return None
    slash = text.find("/")
    colon = text.find(":") if scp else -1
    end = colon if colon > 0 and (slash < 0 or colon < slash) else slash
    if end <= 0:
        return None
    host, rest = text[: end + 1], text[end + 1 :]
    if github:
        return (f"{user}github.com:" if scheme == "ssh://" or user else "https://github.com/"), rest
    return f"{scheme}{user}{host}", rest


def _split_marked(text: str) -> tuple[str, str] | None:
    if "_git/" in text:
        before, _, after = text.partition("_git/")
        name, _, path = after.partition("/")
        return f"{before}_git/{name}", path
    if "//" in text:
        before, _, path = text.partition("//")
        return before, path
    if ".git" in text:
        before, _, path = text.partition(".git")
        return f"{before}.git", path
    return None


def _split_default(text: str) -> tuple[str, str]:
    parts = text.split("/")
    return ("/".join(parts[:2]), "/".join(parts[2:])) if len(parts) > 1 and parts[1] else ("", "")


async def resolve(http: httpx2.AsyncClient, text: str, *, exact: str = "", timeout: float) -> Found:
    """What a remote reference is now: as kustomize tries it, a file where a URL can be one, else git.

    An `exact` tag or commit overrules the revision in the text. Raises FetchError.
    """
    base = git_base(text)
    why = "kustomize knows no such reference"
    web = text.lower().startswith(("http://", "https://"))
    if web and not exact and (base is None or not base.explicit):
        content, why = await _manifest(http, text)
        if content is not None:
            sha256 = put(content)

            async def kept() -> Brought:
                return Brought(sha256, None)

            return Found(kept, sha256=sha256)
    if base is None:
        raise FetchError(f"{text}: {why}")
    ref = exact or base.ref
    found = await git.resolve(base.url, "branch" if ref else "", ref, order=git.TAGS_FIRST, timeout=timeout)

    async def bring() -> Brought:
        brought = await found.bring()
        await asyncio.to_thread(_check_folder, brought.sha256, base)
        return Brought(brought.sha256, base.path)

    return replace(found, bring=bring)


async def _manifest(http: httpx2.AsyncClient, url: str) -> tuple[bytes | None, str]:
    """The file behind a URL if it holds Kubernetes objects, else why not."""
    answer = await get(http, url, limit=_MAX_FILE)
    if answer.status != 200:
        return None, str(answer.status)
    stream = read(answer.content, "remote")
    objects = [document.data for document in stream.documents if isinstance(document.data, dict)]
    if stream.problems or not objects or not all("kind" in data for data in objects):
        return None, "holds no Kubernetes objects"
    return answer.content, ""


def _check_folder(sha256: str, base: GitBase) -> None:
    try:
        root = tree(sha256)
    except RefusedError as error:
        raise FetchError(f"{base.url} is refused: {error}") from None
    if (
        root is None
        or not (root / base.path).resolve().is_relative_to(root.resolve())
        or not (root / base.path).is_dir()
    ):
        raise FetchError(f"{base.url} has no folder {base.path}")
