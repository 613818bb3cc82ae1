"""What a graph names that lies outside. Pure: which of it is there is not asked here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from posixpath import join, normpath
from typing import Any, get_args

from gitops_layout.agents import argocd
from gitops_layout.agents.context import normal_url
from gitops_layout.agents.delivery import Assembled, Delivery, Revision, Source
from gitops_layout.agents.fluxsource import BUCKET
from gitops_layout.fetch.model import Want
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.helm import chart as charts
from gitops_layout.kustomize.model import FILE_NAMES, Kustomization, find, mappings
from gitops_layout.kustomize.mount import remote_bases
from gitops_layout.model import Location, Path, UncheckedClass
from gitops_layout.render.foreign import tree_reference
from gitops_layout.repo.model import Repo
from gitops_layout.store.lock import Asked, Kind, Reference

__all__ = ["declared_as", "dependencies", "is_variable", "wants"]

_LEVELS = 3
_VARIABLES = ("${", "{{", "<<")
_ASKED: tuple[Asked, ...] = get_args(Asked)


def wants(graph: Graph) -> tuple[Want, ...]:
    """Every remote chart, artifact, base and source that a live delivery names, each reference once.

    In order of file and place; what nothing reaches is not wanted.
    """
    own = _own_urls(graph)
    live = [delivery for delivery in graph.deliveries if delivery.live]
    found = [want for delivery in live for want in _of_delivery(graph.repo, delivery, own)]
    found += _of_sets(graph, live, own)
    read = {file for delivery in live for file in graph.rendered[delivery.id].files}
    folders = sorted(file.rpartition("/")[0] for file in read if file.rpartition("/")[2] in FILE_NAMES)
    for folder in dict.fromkeys(folders):
        kustomization = find(graph.repo, folder)
        if isinstance(kustomization, Kustomization):
            found += [
                _want("kustomize-base", text, place)
                for text, place in remote_bases(graph.repo, kustomization)
            ]
            found += _inflated(kustomization, graph.repo)
    first: dict[Reference, Want] = {}
    for want in sorted(found, key=_order):
        known = first.setdefault(want.reference, want)
        paths = tuple(dict.fromkeys((*known.paths, *want.paths)))
        first[want.reference] = replace(known, paths=paths)
    return tuple(first.values())


def _of_sets(graph: Graph, live: Sequence[Delivery], own: AbstractSet[str]) -> Iterator[Want]:
    """The repositories that git generators of live ApplicationSets look at."""
    found = {
        resource.location: (resource.data, resource.location)
        for resource in graph.repo.resources
        if resource.ref.kind == "ApplicationSet" and graph.is_live(resource.file)
    }
    for delivery in live:
        for item in graph.rendered[delivery.id].objects:
            if item.ref.kind == "ApplicationSet":
                found[item.origin(())] = (item.data, item.origin(()))
    for data, place in found.values():
        for path, spec in _git_generators(at(data, "spec", "generators"), ("spec", "generators")):
            url, revision = spec.get("repoURL"), spec.get("revision")
            if isinstance(url, str) and url and "{{" not in url and normal_url(url) not in own:
                named = Revision("branch", revision) if isinstance(revision, str) and revision else None
                yield Want(tree_reference(url, named), place.at(*path, "repoURL"), url)


def _git_generators(listed: Any, path: Path, depth: int = 0) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The git generators of a list of generators, those inside a matrix or a merge included (Argo CD takes three levels)."""
    for index, entry in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(at(entry, "git"), dict):
            yield (*path, index, "git"), entry["git"]
        for kind in ("matrix", "merge") if depth < _LEVELS else ():
            inner = (*path, index, kind, "generators")
            yield from _git_generators(at(entry, kind, "generators"), inner, depth + 1)


def declared_as(reference: Reference) -> Iterator[tuple[str, str]]:
    """What a declaration under `external` may call it: its kind there, with its name and with its URL."""
    kind = {"helm-chart": "chart", "kustomize-base": "base"}.get(reference.kind, "source")
    yield kind, reference.name or reference.url.rpartition("/")[2]
    yield kind, reference.url


def is_variable(want: Want) -> bool:
    """Whether only the cluster knows what it names, so that it cannot be fetched."""
    texts = (want.url, want.reference.name, want.reference.value)
    return any(mark in text for mark in _VARIABLES for text in texts)


def _inflated(kustomization: Kustomization, repo: Repo) -> Iterator[Want]:
    """The charts that a kustomization has inflated, as far as they do not stand in its chart home."""
    home = at(kustomization.data, "helmGlobals", "chartHome")
    for entry, index in mappings(kustomization.data, "helmCharts"):
        url, name, version = entry.get("repo"), entry.get("name"), entry.get("version")
        if not isinstance(url, str) or not url or not isinstance(name, str) or not name:
            continue
        named = version if isinstance(version, str) and version else None
        parts = (f"{name}-{named}", name) if named else (name,)
        folder = join(kustomization.folder, home if isinstance(home, str) and home else "charts", *parts)
        if not repo.is_folder(folder):
            revision = Revision("version", named) if named else None
            place = kustomization.location.at("helmCharts", index)
            yield _want("helm-chart", url, place, name, revision)


def _order(want: Want) -> tuple[str, int, tuple[str, ...], Reference]:
    place = want.location
    return place.file, place.document, tuple(f"{step:>9}" for step in place.path), want.reference


def _own_urls(graph: Graph) -> frozenset[str]:
    """The URLs of this repository, as far as the graph took them for it."""
    parts = (part for delivery in graph.deliveries for part in (delivery.parts or (delivery,)))
    local = (part.source.url for part in parts if part.source.local and part.source.url is not None)
    return frozenset(normal_url(url) for url in (*graph.repo.remotes, *graph.declared.sources, *local))


def _want(kind: Kind, url: str, place: Location, name: str = "", revision: Revision | None = None) -> Want:
    asked: Asked = ""
    if revision is not None:
        asked = next((known for known in _ASKED if known == revision.kind), "")
    value = revision.name if revision is not None and asked else ""
    tags = revision.filter if revision is not None and asked else ""
    return Want(Reference(kind, url, name, asked, value, tags), place, url)


def _of_delivery(repo: Repo, delivery: Delivery, own: frozenset[str]) -> Iterator[Want]:
    source = delivery.source
    for part in delivery.parts or (delivery,):
        if part.renderer == "chart" and part.source.chart is None and part.source.local:
            yield from dependencies(repo, part.source.path or "")
    if delivery.agent == "argocd":
        yield from _of_application(delivery, own)
    elif source.assembled is not None:
        yield from _of_artifact(source.assembled)
    elif (url := _address(source)) is not None:
        place = delivery.place("url", "chart", "source")
        if source.chart is not None:
            # A chartRef names the chart by its whole URL; `source.chart` is then the object's own name.
            name = "" if _is_chart_ref(delivery) else source.chart
            yield _want("helm-chart", url, place, name, source.revision)
        else:
            paths = (source.path,) if source.path is not None else ()
            yield Want(tree_reference(url, source.revision), place, url, paths)


def _address(source: Source) -> str | None:
    """Where a source lies, if it can be brought from there: not from this repository, and not from a bucket."""
    url = source.address
    return url if url is not None and not source.local and not url.startswith(BUCKET) else None


def _of_artifact(assembled: Assembled) -> Iterator[Want]:
    """The other repositories that files of an artifact come from, or by whose folders it is made."""
    named = [(copy.source, copy.location.at("from")) for copy in assembled.copies]
    if assembled.chosen is not None:
        named.append((assembled.chosen.source, assembled.chosen.location))
    for source, place in named:
        if source.assembled is not None:
            yield from _of_artifact(source.assembled)
        elif (url := _address(source)) is not None:
            yield Want(tree_reference(url, source.revision), place, url)


def _is_chart_ref(delivery: Delivery) -> bool:
    kind: Any = at(delivery.object, "spec", "chartRef", "kind")
    return bool(kind == "OCIRepository")


def _of_application(delivery: Delivery, own: frozenset[str]) -> Iterator[Want]:
    """All sources of an Application: also those that only hold values for another one."""
    for path, row in argocd.listed(at(delivery.object, "spec")):
        yield from _of_source(row, delivery.root.at(*path), own)


def _of_source(row: Mapping[str, Any], place: Location, own: frozenset[str]) -> Iterator[Want]:
    url, chart, target = row.get("repoURL"), row.get("chart"), row.get("targetRevision")
    if not isinstance(url, str) or not url or normal_url(url) in own:
        return
    named = target if isinstance(target, str) and target else None
    if isinstance(chart, str) and chart:
        version = Revision("version", named) if named else None
        yield _want("helm-chart", url, place.at("chart"), chart, version)
        return
    revision = Revision("branch", named) if named else None
    path = row.get("path")
    paths = (normpath(f"/{path}").lstrip("/"),) if isinstance(path, str) else ()
    yield Want(tree_reference(url, revision), place.at("repoURL"), url, paths)


def dependencies(repo: Repo, folder: str) -> Iterator[Want]:
    """The dependencies of a chart in this repository that are not vendored in it."""
    asked: list[tuple[str, str, str]] = []

    def note(url: str, name: str, version: str) -> None:
        asked.append((url, name, version))

    problems = charts.walk(repo, folder, fetched=note).problems
    places = [problem.location for problem in problems if problem.kind is UncheckedClass.EXTERNAL]
    places += [Location(f"{folder}/Chart.yaml".lstrip("/"))] * len(asked)
    for (url, name, version), place in zip(asked, places, strict=False):
        yield _want("helm-chart", url, place, name, Revision("version", version) if version else None)
