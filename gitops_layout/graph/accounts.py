"""Every YAML file accounted for: delivered, set aside for a reason, or not seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from posixpath import basename, dirname, join

from gitops_layout.agents import argocd, flux
from gitops_layout.agents.delivery import Delivery
from gitops_layout.graph.formless import is_of_tools
from gitops_layout.graph.model import Graph
from gitops_layout.graph.parked import switched_off
from gitops_layout.graph.texts import texts
from gitops_layout.kustomize.model import FILE_NAMES
from gitops_layout.model import ObjectRef, UncheckedClass
from gitops_layout.patterns import regexp
from gitops_layout.render.directory import left_out
from gitops_layout.repo.model import Resource, folders_above, is_template, is_yaml
from gitops_layout.values import dataclass

__all__ = ["Account", "State", "accounts", "is_set_aside"]


class State(StrEnum):
    """What becomes of a file."""

    DELIVERED = "delivered"
    UNREACHED = "unreached"
    OFF = "switched off"
    ASIDE = "set aside"
    TOOL = "not a manifest"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True)
class Account:
    """A file, what becomes of it, and why we say so."""

    file: str
    state: State
    why: str


_ASIDE = regexp(
    r"(^|/)(\.?archive[sd]?|_archive|attic|bak|backup|bootstrap|demo|deprecated|disabled|docs?|examples?|fixtures?"
    r"|hack|old|samples?|scripts?|templates?|tests?|testdata|tools?|wip)(/|$)"
)


def is_set_aside(file: str) -> bool:
    """Whether a file lies in a folder whose name says that nobody is to deliver it."""
    return _ASIDE.search(dirname(file)) is not None


def accounts(graph: Graph) -> Iterator[Account]:
    """One account a YAML file, in path order; of a chart's templates and subcharts with what becomes of the chart."""
    read = {file: rendered.delivery for rendered in graph.rendered.values() for file in rendered.files}
    plain = texts(graph.repo)
    broken = {file: problem.message for file, problem in graph.repo.unparsable if file not in plain}
    failed = {entry.location.file: entry.why for entry in graph.unchecked if entry.location is not None}
    objects = {resource.file for resource in graph.repo.resources}
    refused = {
        entry.location.file
        for entry in graph.unchecked
        if entry.location is not None and entry.kind is UncheckedClass.BROKEN
    } - {delivery.root.file for delivery in graph.deliveries}
    stages = {environment.name for environment in graph.environments}
    off = dict(switched_off(graph.repo))
    parts = {
        delivery.root.file: f"{delivery.kind} {delivery.name}"
        for delivery in graph.deliveries
        if not delivery.live and _is_part(delivery)
    }
    unbuilt = dict(_unbuilt(graph))
    directories = _directories(graph)
    manifests, files = frozenset(graph.repo.manifests), graph.repo.files
    for file in (file for file in files if is_yaml(file) and graph.repo.entries[file].target is None):
        if file not in manifests and file not in read:
            chart = next(folder for folder in graph.repo.charts if file.startswith(join(folder, "")))
            yield Account(
                file, State.UNREACHED, f"of chart {chart or '.'}, and no release seen here takes it"
            )
        elif file in broken and not graph.is_live(file) and is_of_tools(graph.repo, file):
            what = (
                "a template that some tool fills in" if is_template(graph.repo, file) else "some tool's JSON"
            )
            yield Account(file, State.TOOL, what)
        elif file in broken and (graph.is_live(file) or not _is_hidden(file)):
            yield Account(file, State.UNCHECKED, broken[file])
        elif graph.is_live(file) and file in refused and file not in read:
            yield Account(file, State.UNCHECKED, failed[file])
        elif graph.is_live(file):
            yield Account(
                file, State.DELIVERED, f"read by {read[file]}" if file in read else "an agent's object"
            )
        elif file in off:
            yield Account(file, State.OFF, f"commented out in {off[file]}")
        elif file in read:
            yield Account(file, State.UNREACHED, f"read by {read[file]}, which no agent reaches")
        elif file in parts:
            why = f"a part of {parts[file]}, and no kustomization names it as a patch"
            yield Account(file, State.UNREACHED, why)
        else:
            why_failed = failed.get(file) or _below(file, unbuilt)
            why = _left_out(graph, file, directories) or "no agent object and no kustomization names it"
            yield _rest(file, file in objects, why_failed, _chart_of(graph, file), stages, why)


def _unbuilt(graph: Graph) -> Iterator[tuple[str, str]]:
    """The folders here that an agent delivers by means that are not ours, and why nothing of them was seen."""
    for delivery in graph.deliveries:
        for part in delivery.parts or (delivery,):
            if (
                delivery.live
                and part.renderer == "none"
                and part.source.local
                and part.source.path is not None
            ):
                failure = graph.rendered[delivery.id].failure
                why = failure.why if failure is not None else "what renders it is not here"
                yield part.source.path, f"{why} for {delivery.id}"


def _directories(graph: Graph) -> Mapping[str, list[Delivery]]:
    """What Argo CD reads as folders of manifests, by the folder: each part with the id of its delivery."""
    found: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in graph.deliveries:
        for part in (delivery.parts or (delivery,)) if delivery.live and delivery.agent == "argocd" else ():
            if part.renderer == "directory" and part.source.local and part.source.path is not None:
                found[part.source.path].append(replace(part, id=delivery.id))
    return found


def _left_out(graph: Graph, file: str, directories: Mapping[str, list[Delivery]]) -> str | None:
    """What of an Application that reads the folder above a file leaves the file out."""
    folder = next((folder for folder in folders_above(file) if folder in directories), "")
    for delivery in directories.get(folder, ()):
        if (why := left_out(graph.repo, delivery, file)) is not None:
            return f"{delivery.id} {why}"
    return None


def _below(file: str, folders: Mapping[str, str]) -> str | None:
    """What is said of the nearest of the `folders` that a file lies in."""
    return next((folders[folder] for folder in folders_above(file) if folder in folders), None)


def _is_part(delivery: Delivery) -> bool:
    """Whether the object lacks what the API requires of it: a patch makes it whole, or it is one."""
    ref = ObjectRef(
        str(delivery.object.get("apiVersion", "")), delivery.kind, delivery.namespace, delivery.name
    )
    resource = Resource(ref, dict(delivery.object), delivery.root)
    return flux.is_partial(resource) or (argocd.is_agent(resource) and argocd.is_partial(delivery.object))


def _is_hidden(file: str) -> bool:
    return any(part.startswith(".") for part in file.split("/"))


def _chart_of(graph: Graph, file: str) -> str | None:
    """The chart whose own file it is: its `Chart.yaml`, values and the like."""
    folder = dirname(file)
    return folder if "Chart.yaml" in graph.repo.folders.get(folder, ()) else None


def _rest(
    file: str, is_object: bool, failure: str | None, chart: str | None, stages: set[str], unnamed: str
) -> Account:
    folder = _ASIDE.search("/".join(part for part in dirname(file).split("/") if part not in stages))
    hidden = next((part for part in file.split("/") if part.startswith(".")), None)
    if is_object and (folder is not None or hidden is not None):
        return Account(file, State.ASIDE, f"below {folder[2]}/" if folder is not None else f"in {hidden}")
    if failure is not None:
        return Account(file, State.UNCHECKED, failure)
    if chart is not None and not is_object:
        return Account(file, State.UNREACHED, f"of chart {chart or '.'}, and no release seen here takes it")
    if hidden is not None:
        return Account(file, State.TOOL, "in a hidden folder, or hidden itself")
    if basename(file) in FILE_NAMES:
        return Account(file, State.UNREACHED, "a kustomization that nothing includes")
    if not is_object:
        return Account(file, State.TOOL, "holds no Kubernetes object")
    return Account(file, State.UNREACHED, unnamed)
