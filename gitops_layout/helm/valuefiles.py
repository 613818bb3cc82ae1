"""The value files that an Argo CD Application names, as its repo-server finds them.

Facts: argo-cd v3.5 and v3.6, reposerver/repository (getResolvedValueFiles) and util/io/path: relative to the chart, from
the repository's root with a leading `/`, or in another source with `$name/`; patterns may hold `**` and
expand in lexical order, without files that are listed by name as well; each file counts once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from posixpath import join, normpath
from typing import Any

from gitops_layout.helm.chart import Problem
from gitops_layout.model import Location, UncheckedClass
from gitops_layout.repo.model import Repo

__all__ = ["Refs", "ValueFiles", "resolved", "value_files"]

Refs = Mapping[str, str | None]
"""The names of an Application's other sources, to their URL where they are another repository."""

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")


@dataclass(frozen=True, slots=True)
class ValueFiles:
    """Files of the repository in helm's order (later ones win), each with the entry that names it."""

    files: tuple[tuple[str, Location], ...] = ()
    problem: Problem | None = None


def value_files(
    repo: Repo, folder: str, listed: Sequence[Any], *, here: Location, ignore_missing: bool, refs: Refs
) -> ValueFiles:
    """The files behind `valueFiles` of the chart in `folder`; `here` is the place of the list."""
    names = [(text, here.at(index)) for index, text in enumerate(listed) if isinstance(text, str)]
    paths: list[tuple[str, str, Location]] = []
    for text, where in names:
        path = resolved(folder, text, where, refs)
        if isinstance(path, Problem):
            return ValueFiles(problem=path)
        paths.append((text, path, where))
    explicit = {path for _, path, _ in paths if not _is_glob(path)}
    found: dict[str, Location] = {}
    for text, path, where in paths:
        matches = _expand(repo, path, explicit) if _is_glob(path) else [path]
        if not matches and not ignore_missing:
            return ValueFiles(problem=Problem(f"value files {text}: none exists", where))
        for match in matches:
            if repo.is_file(match):
                found.setdefault(match, where)
            elif not ignore_missing:
                return ValueFiles(problem=Problem(f"value file {text} does not exist ({match})", where))
    return ValueFiles(tuple(found.items()))


def resolved(folder: str, text: str, where: Location, refs: Refs) -> str | Problem:
    """The path in the repository that a value file's name means; it need not exist."""
    if _SCHEME.match(text):
        why = f"value file {text} is remote; nothing is fetched"
        return Problem(why, where, UncheckedClass.EXTERNAL, ("source", text))
    first, _, rest = text.partition("/")
    if first in refs:
        url = refs[first]
        if url is not None:
            why = f"value file {text} is in another repository, {url}"
            return Problem(why, where, UncheckedClass.EXTERNAL, ("source", url))
        text = f"/{rest}"
    path = normpath(text.lstrip("/") if text.startswith("/") else join(folder, text))
    if path.startswith("../") or path in ("..", "."):
        return Problem(f"value file {text} leads out of the repository", where)
    return path


def _is_glob(path: str) -> bool:
    return any(sign in path for sign in "*?[")


def _expand(repo: Repo, pattern: str, explicit: Collection[str]) -> list[str]:
    patterns = [alternative.split("/") for alternative in _alternatives(pattern)]
    found = [
        path
        for path in repo.files
        if path not in explicit
        and any(_matches(parts, path.split("/")) for parts in patterns)
        and repo.is_file(path)
    ]
    return sorted(found, key=lambda path: path.split("/"))


def _alternatives(pattern: str) -> list[str]:
    """The patterns that `{a,b}` stands for; more than a hundred are not tried."""
    done: list[str] = []
    waiting = [pattern]
    while waiting and len(done) + len(waiting) <= 100:
        text = waiting.pop()
        match = re.search(r"\{([^{}]*)\}", text)
        if match is None:
            done.append(text)
        else:
            waiting += [text[: match.start()] + part + text[match.end() :] for part in match[1].split(",")]
    return done


def _matches(pattern: Sequence[str], parts: Sequence[str]) -> bool:
    """Whether a path matches, part by part: `**` stands for any number of folders, also none."""
    states = _skipping(pattern, {0})
    for part in parts:
        taken = {
            state if pattern[state] == "**" else state + 1
            for state in states
            if state < len(pattern) and (pattern[state] == "**" or fnmatchcase(part, pattern[state]))
        }
        states = _skipping(pattern, taken)
    return len(pattern) in states


def _skipping(pattern: Sequence[str], states: set[int]) -> set[int]:
    found = set(states)
    for state in states:
        while state < len(pattern) and pattern[state] == "**":
            state += 1
            found.add(state)
    return found
