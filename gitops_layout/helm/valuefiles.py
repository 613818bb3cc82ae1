"""The value files that an Argo CD Application names, as its repo-server finds them.

Facts: argo-cd v3.5 and v3.6, reposerver/repository (getResolvedValueFiles) and util/io/path: relative to the chart, from
the repository's root with a leading `/`, or in another source with `$name/`; patterns may hold `**` and
expand in lexical order, without files that are listed by name as well; each file counts once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from posixpath import join, normpath
from typing import Any

from gitops_layout.helm.chart import Problem
from gitops_layout.model import Location, UncheckedClass
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo
from gitops_layout.values import dataclass

__all__ = ["Found", "Ref", "Refs", "ValueFiles", "resolved", "value_files"]


@dataclass(frozen=True, slots=True)
class Ref:
    """Another source of an Application, by its `url`: its files are those of `repo`, None where they are not here.

    A place in one of them is in the file that `prefix` and its path name; without a prefix, where the file is named. The
    source is the folder `top` of the `repo`.
    """

    url: str
    repo: Repo | None
    prefix: str | None = None
    top: str = ""


Refs = Mapping[str, Ref]
"""The names of an Application's other sources, `$` included."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file of `repo`: `location` is where a place in it stands, and `where` the entry that names it."""

    repo: Repo
    path: str
    where: Location
    ref: Ref | None = None

    @property
    def location(self) -> Location:
        """The file as a place; of a repository that is not this one the entry that names it."""
        if self.ref is None:
            return Location(self.path)
        return self.where if self.ref.prefix is None else Location(self.ref.prefix + self.path)

    def at(self, path: str) -> Found:
        """Another file beside it, named by the same entry."""
        return replace(self, path=path)


_SCHEME = regexp(r"[a-zA-Z][a-zA-Z0-9+.-]*:")


@dataclass(frozen=True, slots=True)
class ValueFiles:
    """Files in helm's order (later ones win)."""

    files: tuple[Found, ...] = ()
    problem: Problem | None = None


def value_files(
    repo: Repo,
    folder: str,
    listed: Sequence[Any],
    *,
    here: Location,
    ignore_missing: bool,
    refs: Refs,
    chart: Ref | None = None,
) -> ValueFiles:
    """The files behind `valueFiles` of the chart in `folder`, or of a `chart` from outside; `here` is the place of the
    list.
    """
    names = [(text, here.at(index)) for index, text in enumerate(listed) if isinstance(text, str)]
    named: list[tuple[str, Found]] = []
    for text, where in names:
        one = resolved(repo, folder, text, where, refs, chart)
        if isinstance(one, Problem):
            return ValueFiles(problem=one)
        named.append((text, one))
    explicit = {(id(one.repo), one.path) for _, one in named if not _is_glob(one.path)}
    found: dict[tuple[int, str], Found] = {}
    for text, one in named:
        listed_too = {path for tree, path in explicit if tree == id(one.repo)}
        matches = _expand(one.repo, one.path, listed_too) if _is_glob(one.path) else [one.path]
        if not matches and not ignore_missing:
            return ValueFiles(problem=Problem(f"value files {text}: none exists", one.where))
        for match in matches:
            if one.repo.is_file(match):
                found.setdefault((id(one.repo), match), one.at(match))
            elif not ignore_missing:
                why = f"value file {text} does not exist ({match})"
                return ValueFiles(problem=Problem(why, one.where))
    return ValueFiles(tuple(found.values()))


def resolved(
    repo: Repo, folder: str, text: str, where: Location, refs: Refs, chart: Ref | None = None
) -> Found | Problem:
    """The file that a value file's name means, of the chart's `repo`, of a `chart` from outside or of another source; it need
    not exist.
    """
    if _SCHEME.match(text):
        why = f"value file {text} is remote; nothing is fetched"
        return Problem(why, where, UncheckedClass.EXTERNAL, ("source", text))
    first, _, rest = text.partition("/")
    ref = refs.get(first) or chart
    if ref is not None:
        if ref.repo is None:
            why = f"value file {text} is in another repository, {ref.url}"
            return Problem(why, where, UncheckedClass.EXTERNAL, ("source", ref.url))
        repo = ref.repo
    inner = text if first not in refs else f"/{rest}"
    folder = "" if chart is not None else folder
    path = normpath(inner.lstrip("/") if inner.startswith("/") else join(folder, inner))
    if path.startswith("../") or path in ("..", "."):
        return Problem(f"value file {text} leads out of the repository", where)
    return Found(repo, join(ref.top, path) if ref is not None else path, where, ref)


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
