"""Addresses of sources: when two are the same, and which of them are folders of this repository."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from posixpath import normpath

__all__ = ["filled", "folder_inside", "matched", "normal_url"]


def normal_url(url: str) -> str:
    """A repository URL without scheme, user, port, `.git` and case of the host: for comparing."""
    bare = url.strip().removesuffix("/").removesuffix(".git")
    bare = re.sub(r"^[a-z+]+://", "", bare)
    bare = re.sub(r"^[^/@]*@", "", bare)
    host, separator, path = bare.partition("/")
    if ":" in host:
        host, _, rest = host.partition(":")
        path = path if rest.isdigit() else f"{rest}{separator}{path}"
    return f"{host.lower()}/{path.strip('/').lower()}"


def matched(pattern: str, url: str) -> tuple[str, ...] | None:
    """What each `*` of a pattern stands for in a URL; None for one that does not match."""
    parts = "(.*)".join(re.escape(part) for part in normal_url(pattern).split("*"))
    match = re.fullmatch(parts, normal_url(url))
    return None if match is None else match.groups()


def filled(folder: str, parts: Sequence[str]) -> str:
    """A folder with each `*` in it replaced by what the URL's stands for, in order."""
    rest = iter(parts)
    return re.sub(r"\*", lambda _: next(rest, ""), folder)


def folder_inside(inside: Iterable[tuple[str, str]], url: str) -> str | None:
    """The folder that a source is by the first URL pattern that matches, "" for the root; None where none does, and where
    the URL's text would lead out of the folder that stands in front of the `*`.
    """
    for pattern, folder in inside:
        parts = matched(pattern, url)
        if parts is not None:
            fixed = folder.partition("*")[0].rpartition("/")[0] if "*" in folder else ""
            clean = normpath(filled(folder, parts))
            stays = not clean.startswith(("/", "..")) and (not fixed or f"{clean}/".startswith(f"{fixed}/"))
            return ("" if clean == "." else clean) if stays else None
    return None
