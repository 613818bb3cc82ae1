"""Folders of plain manifests: Argo CD's directory source, or a folder nobody delivers."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatch
from posixpath import basename
from typing import Any

from gitops_layout.agents.delivery import Delivery
from gitops_layout.kustomize.model import BuildClass, Problem
from gitops_layout.model import Location, Path
from gitops_layout.render.rendered import Rendered
from gitops_layout.render.steps import Lookup, finished
from gitops_layout.repo.model import Repo, is_yaml

__all__ = ["directory", "directory_files"]


def directory(repo: Repo, delivery: Delivery, lookup: Lookup) -> Rendered:
    """The objects of the files that the delivery reads; one unreadable file fails it."""
    files = delivery.options.get("files") or directory_files(repo, delivery)
    folder = delivery.source.path or ""
    if not repo.is_folder(folder):
        problem = Problem(BuildClass.MISSING, f"path {folder} does not exist", delivery.place("path"))
        return Rendered(delivery.id, failure=problem.unchecked(f"delivery {delivery.id}", delivery.id))
    wanted = set(files)
    for file in files:
        problems = repo.stream(file).problems
        if problems:
            why = f"{file}:{problems[0].line}:{problems[0].column}: {problems[0].message}"
            failure = Problem(BuildClass.NO_MANIFEST, why, Location(file))
            return Rendered(
                delivery.id,
                files=frozenset(wanted),
                failure=failure.unchecked(f"delivery {delivery.id}", delivery.id),
            )
    objects = [
        (resource.data, _identity(resource.location))
        for resource in repo.resources
        if resource.file in wanted
    ]
    return finished(delivery, objects, frozenset(wanted), lookup)


def _identity(root: Location) -> Callable[[Path], Location]:
    return lambda path: root.at(*path)


def directory_files(repo: Repo, delivery: Delivery) -> tuple[str, ...]:
    """The files that Argo CD reads: direct children, or all below with `recurse`; include and exclude globs."""
    folder = repo.resolve(delivery.source.path or "") or ""
    given = delivery.options.get("directory")
    options = given if isinstance(given, dict) else {}
    prefix = f"{folder}/" if folder else ""
    recurse = options.get("recurse") is True
    return tuple(
        path
        for path in repo.under(folder)
        if is_yaml(path)
        and (recurse or "/" not in path[len(prefix) :])
        and _included(path[len(prefix) :], options.get("include"), options.get("exclude"))
    )


def _included(path: str, include: Any, exclude: Any) -> bool:
    if isinstance(exclude, str) and exclude and any(_globbed(path, glob) for glob in _alternatives(exclude)):
        return False
    return (
        not isinstance(include, str) or not include or any(_globbed(path, g) for g in _alternatives(include))
    )


def _globbed(path: str, glob: str) -> bool:
    return fnmatch(path, glob) or fnmatch(basename(path), glob)


def _alternatives(glob: str) -> list[str]:
    """`{a.yaml,b.yaml}` as its parts; other globs as they are."""
    if glob.startswith("{") and glob.endswith("}"):
        return [part.strip() for part in glob[1:-1].split(",")]
    return [glob]
