"""A build that cannot be made, made without what keeps it from being made, so that the rest can still be judged."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from posixpath import dirname, join
from typing import TYPE_CHECKING, Any

from gitops_layout.kustomize.manifests import no_manifests
from gitops_layout.kustomize.model import BuildClass, Closure, Problem, references
from gitops_layout.kustomize.walk import walk
from gitops_layout.source.reader import read

if TYPE_CHECKING:
    from gitops_layout.model import Location, Path
    from gitops_layout.repo.model import Repo

__all__ = ["holds", "without"]

_LISTS = frozenset({"resources", "components", "bases", "crds", "generators", "helmCharts"})
_GENERATORS = frozenset({"configMapGenerator", "secretGenerator"})
_NOTHING = b"commonLabels: {nothing: here}"
"""A kustomization that adds nothing; kustomize refuses one without fields."""
_CLASSES = frozenset(
    {
        BuildClass.REMOTE,
        BuildClass.HELM,
        BuildClass.PLUGIN,
        BuildClass.MISSING,
        BuildClass.UNREADABLE,
        BuildClass.WRONG_KIND,
        BuildClass.NO_MANIFEST,
    }
)


def without(repo: Repo, closure: Closure, problems: Sequence[Problem]) -> Mapping[str, bytes] | None:
    """The closure's kustomizations without the entries that the problems are about, to be written over the files.

    A patch or a transformer that is left out would leave objects as nobody applies them: where a problem is about one,
    all that its kustomization brings is left out. None where that is the root.
    """
    doomed: dict[str, set[Path]] = defaultdict(set)
    files = {kustomization.file for kustomization in closure.kustomizations}
    changed = {}
    if any(_is_about_files(repo, files, problem.location) for problem in problems):
        problems = [*(list(no_manifests(repo, closure, unparsable=True)) or problems)]
    for problem in problems:
        file = problem.location.file
        if problem.kind is BuildClass.EMPTY:
            changed[file] = _NOTHING
            continue
        entries = [problem.location] if file in files else _naming(repo, closure, file)
        found = {(place.file, _entry(place.path)) for place in entries if problem.kind in _CLASSES}
        if not found or any(entry is None for _, entry in found):
            lost = {place.file for place in entries} or {file}
            if not lost <= files - _of(closure, closure.root):
                return None
            changed |= dict.fromkeys(
                lost, _NOTHING
            )  # with a patch that is left out goes all that it may change
            continue
        for where, entry in found:
            doomed[where].add(entry or ())
    for file, paths in doomed.items():
        if file in changed:
            continue
        data = read(repo.content(file), file, mode="kustomize").documents[0].data
        for path in sorted(paths, key=lambda path: path[-1], reverse=True):
            _drop(data, path)
        changed[file] = json.dumps(data, ensure_ascii=False).encode()
    return changed


def holds(repo: Repo, closure: Closure, problem: Problem) -> bool:
    """Whether a problem stands for itself: in a kustomization below which nothing is missing."""
    file = problem.location.file
    files = {kustomization.file for kustomization in closure.kustomizations}
    places = {file} if file in files else {place.file for place in _naming(repo, closure, file)}
    return bool(places) and not any(walk(repo, dirname(place)).problems for place in places)


def _of(closure: Closure, folder: str) -> set[str]:
    return {kustomization.file for kustomization in closure.kustomizations if kustomization.folder == folder}


def _is_about_files(repo: Repo, kustomizations: AbstractSet[str], place: Location) -> bool:
    """Whether a problem may be that files are no manifests: it stands on a whole kustomization, or on what is no YAML."""
    return place.path == () and (place.file in kustomizations or bool(repo.stream(place.file).problems))


def _naming(repo: Repo, closure: Closure, file: str) -> list[Location]:
    """The entries that name a file which cannot be read."""
    return [
        reference.location
        for kustomization in closure.kustomizations
        for reference in references(kustomization)
        if repo.resolve(join(kustomization.folder, reference.target)) == file
    ]


def _entry(path: Path) -> Path | None:
    match path:
        case (str(name), int(), *_) if name in _LISTS:
            return path[:2]
        case (str(name), int(), "files" | "envs", int(), *_) if name in _GENERATORS:
            return path[:4]
    return None


def _drop(data: Any, path: Path) -> None:
    """Take the entry away; charts that could not be inflated are gone already."""
    *above, last = path
    for step in above:
        if step == "helmCharts" and step not in data:
            return
        data = data[step]
    del data[last]
