"""Folders of plain manifests: Argo CD's directory source, or a folder nobody delivers.

Facts: argo-cd v3.6.1, reposerver/repository (findManifests).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from posixpath import basename
from typing import Any

from gitops_layout.agents.argocd.globs import matches
from gitops_layout.agents.delivery import Delivery
from gitops_layout.kustomize.model import BuildClass, Problem
from gitops_layout.model import Location, Path, Unchecked, UncheckedClass
from gitops_layout.render.lookup import Lookup
from gitops_layout.render.rendered import Made, Rendered
from gitops_layout.render.steps import finished
from gitops_layout.repo.model import Repo, is_yaml

__all__ = ["directory", "directory_files", "excludes", "left_out", "passed_over"]

_EXTENSIONS = (".yaml", ".yml", ".json", ".jsonnet")
_SKIPPED = "+argocd:skip-file-rendering"
_MANIFEST = ("apiVersion:", "kind:", "metadata:")


def directory(repo: Repo, delivery: Delivery, lookup: Lookup) -> Rendered:
    """The objects of the files that the delivery reads; one unreadable manifest fails it."""
    folder = delivery.source.path or ""
    if not repo.is_folder(folder):
        problem = Problem(BuildClass.MISSING, f"path {folder} does not exist", delivery.place("path"))
        return Rendered(delivery.id, failure=problem.unchecked(f"delivery {delivery.id}", delivery.id))
    files = delivery.options.get("files") or directory_files(repo, delivery)
    read = frozenset(files)
    strict = delivery.agent == "argocd"
    for file in files:
        failure = _unreadable(repo, delivery, file) if strict or repo.stream(file).problems else None
        if failure is not None:
            return Rendered(delivery.id, files=read, failure=failure)
    objects = [
        Made(resource.data, _identity(resource.location), ref=resource.ref)
        for file in files
        if not file.endswith(".jsonnet")
        for resource in repo.objects(file)
    ]
    rendered = finished(delivery, objects, read, lookup)
    unseen = tuple(_jsonnet(delivery, file) for file in files if file.endswith(".jsonnet"))
    return replace(rendered, unseen=(*rendered.unseen, *unseen)) if unseen else rendered


def _unreadable(repo: Repo, delivery: Delivery, file: str) -> Unchecked | None:
    """What fails the delivery; a file without any object that looks like no manifest is passed over."""
    problems = () if file.endswith(".jsonnet") else repo.stream(file).problems
    if delivery.agent == "argocd" and passed_over(repo, file):
        return None
    if not problems:
        return _no_object(repo, delivery, file)
    why = f"{file}:{problems[0].line}:{problems[0].column}: {problems[0].message}"
    problem = Problem(BuildClass.NO_MANIFEST, why, Location(file))
    return problem.unchecked(f"delivery {delivery.id}", delivery.id)


def _no_object(repo: Repo, delivery: Delivery, file: str) -> Unchecked | None:
    """A document without `kind`: Argo CD refuses the file in which one follows an object, or that looks like a manifest."""
    if delivery.agent != "argocd" or not is_yaml(file):
        return None
    for document in repo.documents(file):
        data = document.data
        if data is not None and not (isinstance(data, dict) and isinstance(data.get("kind"), str)):
            place = Location(file, (), document.index)
            problem = Problem(BuildClass.NO_MANIFEST, f"a document of {file} has no kind", place)
            return problem.unchecked(f"delivery {delivery.id}", delivery.id)
    return None


def passed_over(repo: Repo, file: str) -> bool:
    """Whether Argo CD takes a YAML file that begins with no object for somebody else's: it has not all words of one."""
    first = next((document.data for document in repo.documents(file) if document.data is not None), None)
    begun = isinstance(first, dict) and isinstance(first.get("kind"), str)
    return not (begun or file.endswith(".json") or all(word in repo.stream(file).text for word in _MANIFEST))


def _jsonnet(delivery: Delivery, file: str) -> Unchecked:
    why = "jsonnet is a program, and is not evaluated"
    what = f"objects of {file}"
    return Unchecked(what, UncheckedClass.EXTERNAL, why, Location(file), ("kind", "jsonnet"), delivery.id)


def _identity(root: Location) -> Callable[[Path], Location]:
    return lambda path: root.at(*path)


def directory_files(repo: Repo, delivery: Delivery) -> tuple[str, ...]:
    """The files that Argo CD reads, in its order: direct children, or all below with `recurse`; `include`
    and `exclude` are globs of paths below the folder, in which `*` crosses folders.
    """
    folder = repo.resolve(delivery.source.path or "")
    if folder is None:
        return ()
    given = delivery.options.get("directory")
    options: Mapping[str, Any] = given if isinstance(given, dict) else {}
    found = sorted(_candidates(repo, folder, options), key=lambda path: path.split("/"))
    return tuple(file for file in found if not _skipped(repo, file))


def left_out(repo: Repo, delivery: Delivery, file: str) -> str | None:
    """Why Argo CD does not read a file below the folder that it reads, in words that follow the delivery's name."""
    folder = repo.resolve(delivery.source.path or "") or ""
    given = delivery.options.get("directory")
    options: Mapping[str, Any] = given if isinstance(given, dict) else {}
    below = file.removeprefix(f"{folder}/" if folder else "")
    if "/" in below and options.get("recurse") is not True:
        return "does not recurse into this folder"
    if excludes(options, below):
        return "leaves it out: directory.exclude names it"
    if (include := _glob(options, "include")) and not matches(include, below):
        return "leaves it out: directory.include does not name it"
    return f"leaves it out: {_SKIPPED} stands in it" if _skipped(repo, file) else None


def excludes(options: Mapping[str, Any], below: str) -> bool:
    """Whether `directory.exclude` names a path below the folder."""
    exclude = _glob(options, "exclude")
    return bool(exclude) and matches(exclude, below)


def _skipped(repo: Repo, file: str) -> bool:
    text = repo.stream(file).text if is_yaml(file) else repo.text(file)
    return _SKIPPED in text


def _candidates(repo: Repo, folder: str, options: Mapping[str, Any]) -> Iterator[str]:
    prefix = f"{folder}/" if folder else ""
    if options.get("recurse") is True:
        paths = repo.under(folder)
    else:
        paths = (prefix + name for name in repo.folders.get(folder, ()))
    any_name = options.get("disableExtensionFilter") is True
    include = _glob(options, "include")
    for path in paths:
        if not any_name and not basename(path).endswith(_EXTENSIONS):
            continue
        below = path.removeprefix(prefix)
        if excludes(options, below) or (include and not matches(include, below)):
            continue
        real = repo.resolve(path)  # a link counts as the file that it leads to
        if real is not None and real in repo.entries:
            yield real


def _glob(options: Mapping[str, Any], name: str) -> str:
    value = options.get(name)
    return value if isinstance(value, str) else ""
