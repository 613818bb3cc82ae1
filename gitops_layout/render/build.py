"""Delivery → Rendered: the build (kustomize or a plain folder), then the agent's own steps."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from posixpath import basename
from typing import Any

from gitops_layout.agents.context import at
from gitops_layout.agents.delivery import Delivery
from gitops_layout.k8s.scope import builtin_scope
from gitops_layout.kustomize.exact import Build, Built, build_all
from gitops_layout.kustomize.model import BuildClass, Closure, Kustomization, Problem, find, walk
from gitops_layout.model import Location, ObjectRef, Path, Unchecked, UncheckedClass
from gitops_layout.render.origins import Tracer
from gitops_layout.render.overrides import generated, overridden
from gitops_layout.render.rendered import Rendered, RenderedObject
from gitops_layout.render.substitute import substitute
from gitops_layout.repo.model import Repo, is_yaml, object_ref

__all__ = ["Renders"]


@dataclass(slots=True)
class _Wanted:
    delivery: Delivery
    build: Build
    key: str


class Renders:
    """Renders deliveries of one repository; equal builds are done once, however many deliveries share them."""

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self._built: dict[str, Built] = {}
        self._closures: dict[str, Closure] = {}

    def __call__(self, deliveries: Sequence[Delivery]) -> Mapping[str, Rendered]:
        """Each delivery's objects, by its id; a delivery that cannot be rendered says why."""
        done: dict[str, Rendered] = {}
        wanted: list[_Wanted] = []
        for delivery in deliveries:
            failure = _cannot(delivery)
            if failure is not None:
                done[delivery.id] = Rendered(delivery.id, failure=failure)
            elif delivery.renderer == "directory":
                done[delivery.id] = _directory(self.repo, delivery)
            else:
                wanted.append(self._want(delivery))
        missing = {item.key: item.build for item in wanted if item.key not in self._built}
        self._built |= build_all(self.repo, missing)
        for item in wanted:
            done[item.delivery.id] = _finish(self.repo, item, self._built[item.key])
        return done

    def reads(self, delivery: Delivery) -> frozenset[str]:
        """The files that a delivery's build reads, found without building."""
        if _cannot(delivery) is not None:
            return frozenset()
        if delivery.renderer == "directory":
            return frozenset(delivery.options.get("files") or _directory_files(self.repo, delivery))
        return self._want(delivery).build.closure.files & self.repo.entries.keys()

    def _want(self, delivery: Delivery) -> _Wanted:
        repo = self.repo
        folder = repo.resolve(delivery.source.path or "")
        folder = delivery.source.path or "" if folder is None else folder
        own, overrides = find(repo, folder), {}
        if own is None and delivery.agent == "flux" and folder in repo.folders:
            own = generated(repo, folder)
            overrides[own.file] = json.dumps(own.data, ensure_ascii=False).encode()
        if isinstance(own, Kustomization) and delivery.options:
            changed = overridden(repo, delivery, own)
            if changed is not None:
                overrides[own.file] = changed
        key = f"{folder}\0{sorted(overrides.items())!r}"
        if key not in self._closures:
            self._closures[key] = walk(repo.over(overrides) if overrides else repo, folder)
        restricted = delivery.agent == "argocd"
        build = Build(self._closures[key], restricted, tuple(sorted(overrides.items())))
        return _Wanted(delivery, build, f"{key}\0{restricted}")


def _cannot(delivery: Delivery) -> Unchecked | None:
    """Why a delivery is not even tried."""
    what, source = f"delivery {delivery.id}", delivery.source
    external = UncheckedClass.EXTERNAL
    if delivery.renderer == "chart":
        name = source.chart or source.path or "?"
        where = f" of {source.url}" if source.url else ""
        why = f"chart {name}{where} is not rendered: helm is not supported yet"
        return Unchecked(what, external, why, delivery.place("chart", "path"), ("chart", name), delivery.id)
    if not source.local:
        why = source.foreign or "its source is not this repository"
        subject = ("source", source.url) if source.url else None
        return Unchecked(what, external, why, delivery.place("source", "url"), subject, delivery.id)
    if source.path is not None and "${" in source.path:
        why = f"path {source.path} holds a variable"
        return Unchecked(what, external, why, delivery.place("path"), None, delivery.id)
    if delivery.renderer == "none":
        return Unchecked(
            what, external, "a config management plugin renders it", delivery.root, None, delivery.id
        )
    return None


def _finish(repo: Repo, wanted: _Wanted, built: Built) -> Rendered:
    delivery, closure = wanted.delivery, wanted.build.closure
    if built.problem is not None:
        problem = built.problem
        if problem.location.file not in repo.entries or (wanted.build.overrides and not closure.problems):
            # What kustomize refused is what the agent wrote into the kustomization, or its own file.
            problem = replace(problem, location=delivery.place("path"))
        failure = problem.unchecked(f"delivery {delivery.id}", delivery.id)
        return Rendered(delivery.id, files=closure.files & repo.entries.keys(), failure=failure)
    tracer = Tracer(repo, closure, _fallback(repo, delivery, closure.kustomizations))
    return Rendered(
        delivery.id,
        tuple(_object(delivery, data, tracer) for data in _substituted(delivery, built.objects)),
        closure.files & repo.entries.keys(),
    )


def _fallback(repo: Repo, delivery: Delivery, kustomizations: Sequence[Kustomization]) -> Location:
    return next((k.location for k in kustomizations if k.file in repo.entries), delivery.place("path"))


def _object(delivery: Delivery, data: dict[str, Any], tracer: Tracer) -> RenderedObject:
    data = _namespaced(delivery, data)
    return RenderedObject(_ref(data), data, tracer.origin(data))


def _ref(data: dict[str, Any]) -> ObjectRef:
    return object_ref(data, str(data.get("apiVersion", "")), str(data.get("kind", "")))


def _namespaced(delivery: Delivery, data: dict[str, Any]) -> dict[str, Any]:
    """Argo CD applies a namespaced object without a namespace to the destination's."""
    if delivery.agent != "argocd" or not delivery.target_namespace or at(data, "metadata", "namespace"):
        return data
    group = str(data.get("apiVersion", "")).rpartition("/")[0]
    if builtin_scope(group, str(data.get("kind"))) is not True or not isinstance(data.get("metadata"), dict):
        return data
    return {**data, "metadata": {**data["metadata"], "namespace": delivery.target_namespace}}


def _substituted(delivery: Delivery, objects: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Flux substitutes only where `postBuild` is set."""
    post_build = delivery.options.get("postBuild")
    if delivery.agent != "flux" or not isinstance(post_build, dict):
        return list(objects)
    given = post_build.get("substitute")
    variables = {key: str(value) for key, value in given.items()} if isinstance(given, dict) else {}
    return [substitute(data, variables).data for data in objects]


def _directory(repo: Repo, delivery: Delivery) -> Rendered:
    """A folder of plain manifests: Argo CD's directory source, or a folder nobody delivers."""
    files = delivery.options.get("files") or _directory_files(repo, delivery)
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
    objects = []
    for resource in repo.resources:
        if resource.file in wanted:
            data = _namespaced(delivery, resource.data)
            objects.append(RenderedObject(_ref(data), data, _identity(resource.location)))
    return Rendered(delivery.id, tuple(objects), frozenset(wanted))


def _identity(root: Location) -> Callable[[Path], Location]:
    return lambda path: root.at(*path)


def _directory_files(repo: Repo, delivery: Delivery) -> tuple[str, ...]:
    """The files that Argo CD reads: direct children, or all below with `recurse`; include and exclude globs."""
    folder = repo.resolve(delivery.source.path or "") or ""
    options = delivery.options.get("directory") or {}
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
