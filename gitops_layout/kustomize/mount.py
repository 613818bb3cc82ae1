"""Fetched bases put inside the private copy that kustomize builds, in place of their remote references.

The build stays offline: each remote reference becomes a path below `.gitops-layout/fetched/`, where the
files of the base lie that its own walk has proved to need. kustomize does not let a cloned base leave its
repository; nor does that walk, which sees nothing but the base's own tree.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from posixpath import join, relpath
from typing import Any

from gitops_layout.kustomize.model import BuildClass, Closure, Kustomization, Problem, is_remote, references
from gitops_layout.kustomize.walk import walk
from gitops_layout.model import Location
from gitops_layout.repo.model import Repo
from gitops_layout.repo.unpacked import from_unpacked
from gitops_layout.source.reader import read
from gitops_layout.values import dataclass

__all__ = ["Bases", "Mounted", "mount", "remote_bases"]

_PLACE = ".gitops-layout/fetched"


Bases = Callable[[str], tuple[Path, str | None] | None]
"""A remote reference as written to what was brought for it, if it was: a tree and the folder in it, or a
file and None."""


@dataclass(frozen=True, slots=True)
class Mounted:
    """Files to write over the repository's own, and bases that are there but cannot be used."""

    files: Mapping[str, bytes]
    problems: tuple[Problem, ...] = ()


@dataclass(slots=True)
class _Mount:
    bases: Bases
    files: dict[str, bytes] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    brought: dict[str, str | None] = field(default_factory=dict)


def remote_bases(repo: Repo, kustomization: Kustomization) -> Iterator[tuple[str, Location]]:
    """The remote resources and components of a kustomization, as written; what exists here is not remote."""
    for reference in references(kustomization):
        target = reference.target
        if reference.kind in ("resource", "component") and is_remote(target):
            local = repo.resolve(join(kustomization.folder, target))
            if local is None or "://" in target:
                yield target, reference.location


def mount(repo: Repo, closure: Closure, bases: Bases) -> Mounted:
    """What has to be written so that the closure's fetched bases are local; nothing where none is."""
    state = _Mount(bases)
    for kustomization in closure.kustomizations:
        _rewrite(state, repo, kustomization, "", None)
    return Mounted(state.files, tuple(state.problems))


def _rewrite(state: _Mount, repo: Repo, owner: Kustomization, prefix: str, blamed: Location | None) -> None:
    """Replace what was fetched in one kustomization, whose tree lies at `prefix` of the copy.

    `blamed` is the place of the outermost remote reference where the kustomization is itself fetched.
    """
    remote = {place: state.bases(text) for text, place in remote_bases(repo, owner)}
    found = {place: base for place, base in remote.items() if base is not None}
    if not found:
        return
    stream = read(repo.content(owner.file), owner.file, mode="kustomize")
    data: dict[str, Any] = stream.documents[0].data
    for place, base in found.items():
        name, index = place.path[:2]
        assert isinstance(name, str)
        assert isinstance(index, int)
        text = data[name][index]
        target = join(_PLACE, hashlib.sha256(text.encode()).hexdigest()[:16])
        if target not in state.brought:
            state.brought[target] = join(target, base[1] or "").rstrip("/")  # bases may name each other
            state.brought[target] = _bring(state, text, base, target, blamed or place)
        folder = state.brought[target]
        if folder is not None:
            data[name][index] = relpath(folder, join(prefix, owner.folder) or ".")
    state.files[join(prefix, owner.file)] = json.dumps(data, ensure_ascii=False).encode()


def _bring(
    state: _Mount, text: str, base: tuple[Path, str | None], target: str, place: Location
) -> str | None:
    """Add a base's files below `target`; the folder to refer to, None where it cannot be used."""
    root, folder = base
    if folder is None:
        state.files[f"{target}/resources.yaml"] = root.read_bytes()
        state.files[f"{target}/kustomization.yaml"] = b"resources: [resources.yaml]\n"
        return target
    repo = from_unpacked(root)
    closure = walk(repo, folder)
    wrong = [problem for problem in closure.problems if problem.kind is not BuildClass.REMOTE]
    why = wrong[0].why if wrong else None
    for path in sorted(closure.files) if why is None else ():
        real = repo.resolve(path)
        if real is None or real not in repo.entries:
            why = f"{path} is a link to a folder, which is not supported yet"
            break
        state.files[f"{target}/{path}"] = repo.content(real)
    if why is not None:
        state.problems.append(
            Problem(BuildClass.REMOTE, f"{text} was fetched, but {why}", place, ("base", text))
        )
        return None
    for kustomization in closure.kustomizations:
        _rewrite(state, repo, kustomization, target, place)
    return join(target, folder) if folder else target
