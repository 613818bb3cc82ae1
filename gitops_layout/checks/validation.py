"""Checks of delivered objects against schemas, and of their API versions against Kubernetes' releases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from gitops_layout.checks.once import once
from gitops_layout.fields import dotted
from gitops_layout.graph.model import Graph
from gitops_layout.model import Change, Hit, Location, Path, Related
from gitops_layout.validation import bundle
from gitops_layout.validation.check import Violation
from gitops_layout.validation.installed import installed
from gitops_layout.validation.judged import judged, targets
from gitops_layout.validation.subject import Subject
from gitops_layout.validation.versions import at_least, lifecycle

__all__ = [
    "api_deprecated",
    "api_removed",
    "cel_violation",
    "integer_wraps",
    "other_release",
    "schema_violation",
    "unknown_field",
]

_NAME = ("metadata", "name")
_AGENTS = ("argoproj.io", "fluxcd.io", "fluxcd.controlplane.io")
"""How the API groups of agents end."""
_SUPPORTED = 3
"""Minor versions of Kubernetes that its project supports at a time."""


def schema_violation(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Values that an object's schema refuses."""
    yield from _violations(graph, "schema", "missing")


def unknown_field(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Fields that an object's schema does not have."""
    yield from _violations(graph, "unknown")


def other_release(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Fields and words that the packed release of a project does not have, where the repository installs one itself: the
    agents, or with `agents: false` all others, whose releases follow each other faster.
    """
    for subject in judged(graph).everything:
        if subject.verdict.violations and _is_agents(subject) == params["agents"]:
            for violation in subject.verdict.violations:
                if _kind(graph, subject, violation) == "newer":
                    yield _violation(subject, violation)


def _operators(violation: Violation) -> bool:
    """Whether it is a source of events that the Flux operator adds to the definition of alerts."""
    return (
        violation.path[-1:] == ("kind",)
        and "eventSources" in violation.path
        and any(kind in violation.got for kind in ("FluxInstance", "ResourceSet"))
    )


def integer_wraps(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Integers that a server-side apply takes and cuts."""
    yield from _violations(graph, "wraps")


def cel_violation(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Values that a rule of the CustomResourceDefinition refuses."""
    yield from _violations(graph, "cel")


def _violations(graph: Graph, *kinds: str) -> Iterator[Hit]:
    for subject in judged(graph).everything:
        for violation in subject.verdict.violations:
            if _kind(graph, subject, violation) in kinds:
                yield _violation(subject, violation)


def _kind(graph: Graph, subject: Subject, violation: Violation) -> str | None:
    """What a violation is: where nothing here installs the project, its packed release is the one to judge by."""
    if violation.kind != "newer":
        return violation.kind
    if _operators(violation):
        return None
    field = "unknown field" in violation.message
    if subject.ref.group in _installed(graph) or (field and not _is_agents(subject) and _has_agents(graph)):
        return "newer"
    return "unknown" if field else "schema"


def _is_agents(subject: Subject) -> bool:
    return subject.ref.group.endswith(_AGENTS)


@once
def _has_agents(graph: Graph) -> bool:
    """Whether there is a cluster with more on it than is here: the definitions of other projects may be newer there."""
    return any(delivery.agent in ("flux", "argocd") for delivery in graph.deliveries)


_installed = once(installed)


def _violation(subject: Subject, violation: Violation) -> Hit:
    place = subject.origin(violation.path)
    field_itself = violation.kind == "unknown" or "unknown field" in violation.message
    in_patch = _is_of_patch(place.path)
    elsewhere = place.span is None and not in_patch and place.path[-1:] != violation.path[-1:]
    if field_itself and elsewhere:  # a variable wrote the value: the field is not there
        place = subject.origin(violation.path[:-1]).at(*violation.path[-1:])
    if field_itself and in_patch and place.span is None and place.path[-1] == "value":
        place = replace(place, path=(*place.path[:-1], "path"))
    whole = field_itself or (violation.path[-1:] == place.path[-1:] and not violation.got)
    if whole and place.path and violation.path and place.path[-1] == violation.path[-1]:
        place = replace(place, key=isinstance(place.path[-1], str))
    problem = violation.message
    if violation.near:
        problem += f' (did you mean "{violation.near[0]}"?)'
    if violation.versions:
        problem += f" (Kubernetes {', '.join(violation.versions)})"
    parent = violation.path[:-1] if field_itself else violation.path
    field = dotted(parent)
    where = f"{subject.ref.kind}: {field}" if parent else subject.ref.kind
    values = {
        "problem": problem,
        "field": field,
        "where": where,
        "kind": subject.ref.kind,
        "api": subject.ref.api_version,
        "expected": violation.expected,
        "subject": f"{dotted(violation.path)}: {violation.message}",
    }
    named = violation.kind == "unknown" and violation.near and place.path[-1:] == violation.path[-1:]
    meant = (Change("rename", replace(place, key=False), violation.near[0]),) if named else ()
    return Hit(place, values, _related(subject, place), subject.affected, meant)


def _is_of_patch(path: Path) -> bool:
    """Whether a place is an operation of a JSON patch in a file of its own, or a patch written as a text."""
    return path[-1:] == ("patch",) or (len(path) == 2 and path[1] == "value" and isinstance(path[0], int))


def _related(subject: Subject, place: Location) -> tuple[Related, ...]:
    """The object, where an overlay or patch in another file is to blame."""
    name = subject.origin(_NAME)
    if name.file == place.file:
        return ()
    return (Related(name, f"in {subject.ref.kind} {subject.ref.name}"),)


_Said = tuple[str, str, str]
"""The state of an API version, what to do, and the version to use instead, if there is one."""


def api_removed(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Objects of API versions that a targeted Kubernetes does not serve."""
    yield from _of_versions(graph, _removed)


def api_deprecated(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Objects of API versions that a targeted Kubernetes serves for the time being."""
    yield from _of_versions(graph, _deprecated)
    for subject in judged(graph).everything:
        if not subject.verdict.known and lifecycle(subject.ref.api_version, subject.ref.kind) is None:
            yield from _gone_from_flux(subject)


def _of_versions(graph: Graph, say: Callable[[Graph, Subject], _Said | None]) -> Iterator[Hit]:
    """What is to be said of the objects' API versions: the same of all objects of a kind in one place."""
    known: dict[tuple[str, str, str | None, str | None], _Said | None] = {}
    for subject in judged(graph).everything:
        ref, affected = subject.ref, subject.affected
        key = (ref.api_version, ref.kind, affected.cluster, affected.environment)
        if key not in known:
            known[key] = say(graph, subject)
        said = known[key]
        if said is not None:
            state, act, instead = said
            yield _about_version(subject, {"state": state}, act, instead)


def _removed(graph: Graph, subject: Subject) -> _Said | None:
    ref = subject.ref
    versions, enough = _asked(graph, subject)
    life = lifecycle(ref.api_version, ref.kind)
    removed = life.removed if life is not None else None
    if life is not None and removed is not None:
        if not enough(at_least(version, removed) for version in versions):
            return None
        return f"is gone since Kubernetes {removed}", _instead(life.replacement), life.replacement
    group, _, version = ref.api_version.rpartition("/")
    serving = bundle.served(group, version, ref.kind)
    lacking = [name for name in versions if name not in serving]
    if not serving or not enough(name in lacking for name in versions):
        return None
    state = f"is not in Kubernetes {', '.join(lacking)}; {serving[0]} to {serving[-1]} have it"
    return state, "use an API version that your clusters serve", ""


def _deprecated(graph: Graph, subject: Subject) -> _Said | None:
    life = lifecycle(subject.ref.api_version, subject.ref.kind)
    if life is None:
        return None
    versions, enough = _asked(graph, subject)
    if not enough(at_least(version, life.deprecated) for version in versions):
        return None
    state = f"is deprecated since Kubernetes {life.deprecated}"
    if life.removed is not None:
        if enough(at_least(version, life.removed) for version in versions):
            return None
        state += f" and gone from {life.removed} on"
    return state, _instead(life.replacement), life.replacement


def _gone_from_flux(subject: Subject) -> Iterator[Hit]:
    """An object of Flux in a version that the packed release does not serve any more. Which release a cluster runs is
    seldom known, so it is told as what the next upgrade takes away. No schema is known for such a version, unless the
    repository brings the definition.
    """
    ref = subject.ref
    if not ref.group.endswith(".toolkit.fluxcd.io"):
        return
    serving = [home for home in bundle.homes(ref.kind) if home.startswith(f"{ref.group}/")]
    if serving and ref.api_version not in serving:
        group, _, version = serving[-1].rpartition("/")
        packed = bundle.find(group, version, ref.kind, kubernetes=bundle.VERSIONS[-1])
        release = packed.release if packed is not None else "Flux"
        state = f"is no longer in {release}"
        yield _about_version(subject, {"state": state}, f"use {serving[-1]}", serving[-1])


def _asked(graph: Graph, subject: Subject) -> tuple[tuple[str, ...], Callable[[Iterable[bool]], bool]]:
    """The Kubernetes versions to judge by, and how many of them must agree.

    Any of those that somebody named counts. Where nobody did, all that are supported must: what the newest one
    deprecates may be the only version that a cluster of today serves.
    """
    if graph.target.kubernetes or graph.target.clusters:
        return targets(graph, subject.affected.cluster, subject.affected.environment), any
    return bundle.VERSIONS[-_SUPPORTED:], all


def _instead(replacement: str) -> str:
    return f"use {replacement}" if replacement else "there is no replacement: remove it"


_SAME_SHAPE = frozenset(
    {
        "ClusterRole", "ClusterRoleBinding", "ControllerRevision", "CronJob", "DaemonSet", "Deployment", "GitRepository",
        "HelmChart", "HelmRepository", "Kustomization", "Lease", "NetworkPolicy", "PodDisruptionBudget", "PriorityClass",
        "Receiver", "ReplicaSet", "Role", "RoleBinding", "RuntimeClass", "StatefulSet",
    }
)  # fmt: skip
"""Kinds whose fields the next version has all: only the version has to be written anew."""


def _about_version(subject: Subject, values: Mapping[str, str], act: str, instead: str = "") -> Hit:
    place: Location = subject.origin(("apiVersion",))
    path: Path = ("apiVersion",)
    named = {"api": subject.ref.api_version, "kind": subject.ref.kind, "act": act, "subject": dotted(path)}
    same = subject.ref.kind in _SAME_SHAPE or subject.ref.api_version == "autoscaling/v2beta2"
    newer = (Change("replace", place, instead),) if same and instead and " " not in instead else ()
    return Hit(place, {**values, **named}, _related(subject, place), subject.affected, newer)
