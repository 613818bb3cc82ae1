"""Which folder of this repository fills a folder of an artifact that Flux assembles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from posixpath import basename, commonpath, dirname, join, normpath

from gitops_layout.agents.delivery import Copied
from gitops_layout.repo.model import Repo

__all__ = ["filler", "is_glob", "pushed_from"]


def is_glob(pattern: str) -> bool:
    """Whether a copy's pattern is one, and not the name of a file or a folder."""
    return any(sign in pattern for sign in "*?[]")


def filler(repo: Repo, copies: Sequence[Copied], folder: str) -> str | None:
    """The folder here whose files lie at `folder` of the artifact, of several the last that is copied; else the one
    above all that is copied to below it. None where nothing of this repository comes to either.
    """
    below: list[str] = []
    inside: list[str] = []
    for copy in copies:
        for target, here in _moves(repo, copy) if copy.source.local and copy.strategy != "Extract" else ():
            if f"{folder}/".startswith(f"{target}/") or not target:
                rest = folder[len(target) :].lstrip("/")
                inside.append(join(here, rest) if rest else here)
            elif not folder or target.startswith(f"{folder}/"):
                below.append(here)
    exact = next((path for path in reversed(inside) if repo.is_folder(path)), None)
    if exact is not None or not below:
        return exact
    return commonpath(below)


def pushed_from(repo: Repo, paths: Sequence[str]) -> str:
    """The one top folder here that an artifact with these paths in it was made of: `flux push artifact --path`. Where they
    are here as they stand, and where no folder or several have them all, "".
    """
    named = [path for path in paths if path]
    if not named or all(repo.resolve(path) is not None for path in named):
        return ""
    tops = [
        top
        for top in repo.folders.get("", ())
        if top in repo.folders and all(repo.resolve(join(top, path)) is not None for path in named)
    ]
    return tops[0] if len(tops) == 1 else ""


def _moves(repo: Repo, copy: Copied) -> Iterator[tuple[str, str]]:
    """A folder of the artifact, and the one here that it is a copy of; both "" for a root."""
    target = _clean(copy.target)
    base = copy.source.path or "" if copy.source.assembled is not None else copy.source.top
    if not is_glob(copy.pattern):
        path = _clean(copy.pattern)
        if repo.is_folder(join(base, path)):
            yield _clean(join(target, basename(path))), _clean(join(base, path))
        else:
            inner = target if copy.target.endswith("/") or not target else dirname(target)
            yield inner, _clean(join(base, dirname(path)))
    elif copy.pattern.endswith("/**") and not is_glob(copy.pattern[:-3]):
        yield target, _clean(join(base, copy.pattern[:-3]))
    else:
        kept = _clean(copy.pattern[: _first_glob(copy.pattern)])
        yield _clean(join(target, kept)), _clean(join(base, kept))


def _first_glob(pattern: str) -> int:
    """Where the first folder begins whose name is a glob."""
    parts = pattern.split("/")
    count = next(number for number, part in enumerate(parts) if is_glob(part))
    return len("/".join(parts[:count]))


def _clean(path: str) -> str:
    clean = normpath(f"/{path}").lstrip("/")
    return "" if clean == "." else clean
