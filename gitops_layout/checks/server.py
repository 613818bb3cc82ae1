"""Checks of delivered objects against what the API server's own code refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from gitops_layout.agents.fluxoperator import COPY_FROM
from gitops_layout.checks.delivered import metadata
from gitops_layout.checks.once import once
from gitops_layout.fields import at, dotted
from gitops_layout.graph.model import Graph
from gitops_layout.graph.tokens import is_filled_later
from gitops_layout.k8s.plugins import filled_in
from gitops_layout.kustomize.model import GROUP as KUSTOMIZE
from gitops_layout.model import Hit, Location, Path, Related
from gitops_layout.patterns import regexp
from gitops_layout.validation.check import as_stored
from gitops_layout.validation.judged import judged
from gitops_layout.validation.server import Refusal, refusals
from gitops_layout.validation.subject import Subject
from gitops_layout.validation.unread import is_hole

__all__ = ["metadata_invalid", "server_refuses"]

_LATER = regexp(r"\$\{[^{}]*\}|\{\{|ENC\[|<[A-Z][A-Z0-9_]+>| \$[A-Z][A-Z0-9_]+\Z")
"""What somebody fills in before the server sees it: variables, templates, secrets of SOPS."""


def metadata_invalid(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Names, labels, annotations, owners and finalizers that the server refuses."""
    yield from _hits(graph, metadata=True)


def server_refuses(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Everything else that the server refuses although the schema allows it."""
    yield from _hits(graph, metadata=False)


def _hits(graph: Graph, *, metadata: bool) -> Iterator[Hit]:
    for subject, refusal in _refused(graph):
        if (refusal.path[:1] == ("metadata",)) == metadata:
            yield _hit(subject, refusal)


@once
def _refused(graph: Graph) -> tuple[tuple[Subject, Refusal], ...]:
    """What the server refuses of a graph's objects; both rules of one run share it."""
    return tuple(_find(graph))


def _find(graph: Graph) -> Iterator[tuple[Subject, Refusal]]:
    guessed = {delivery.id for delivery in graph.deliveries if delivery.agent == "helm"}
    for subject in judged(graph).everything:
        unread = subject.affected.delivery is None and not subject.live
        if unread and not subject.verdict.known:
            continue
        if subject.ref.api_version.startswith(KUSTOMIZE):
            continue  # no server has it: what delivers it is told as such
        known: set[Path] = set()
        data = subject.data
        if subject.verdict.violations:  # of few
            known = {v.path for v in subject.verdict.violations if v.kind != "wraps"}
            data = as_stored(data, subject.verdict)
        shape = subject.shape if data is subject.data else None
        for refusal in refusals(data, apply=subject.applied, shape=shape):
            path = refusal.path
            # A value of the wrong type, or a missing one, is the schema's finding already.
            if path in known or (path[:-1] in known and at(subject.data, *path) is None):
                continue
            if _gated(subject, path) or _copied(subject, path):
                continue
            if subject.affected.delivery in guessed and at(subject.data, *path) in (None, ""):
                continue  # whoever installs the chart may give what is missing
            if unread and is_hole(at(subject.data, *path)):
                continue
            about = _text(subject.data, path)
            later = _LATER.search(about) or filled_in(subject.data, about)
            if not later and not is_filled_later(graph, subject.affected.delivery, about):
                yield subject, refusal


def _gated(subject: Subject, path: Path) -> bool:
    """Whether a feature gate that people do switch on makes the server take it: scaling to zero, by what is not the
    pods' own.
    """
    to_zero = path == ("spec", "minReplicas") and at(subject.data, *path) == 0
    metrics = at(subject.data, "spec", "metrics")
    outside = any(
        isinstance(metric, dict) and metric.get("type") in ("Object", "External")
        for metric in (metrics if isinstance(metrics, list) else ())
    )
    return to_zero and outside and subject.ref.kind == "HorizontalPodAutoscaler"


def _copied(subject: Subject, path: Path) -> bool:
    """Whether it is about data that the Flux operator copies from another object before it applies this one."""
    return path[:1] in (("data",), ("stringData",)) and COPY_FROM in metadata(subject.data, "annotations")


def _hit(subject: Subject, refusal: Refusal) -> Hit:
    place = _patched(subject, refusal) or subject.origin(refusal.path)
    # A whole object or list is shown by its key: its value may be a hundred lines.
    if (
        place.path
        and isinstance(place.path[-1], str)
        and not isinstance(at(subject.data, *refusal.path), str | int)
    ):
        place = replace(place, key=True)
    name = subject.origin(("metadata", "name"))
    related = () if name.file == place.file else (Related(name, f"in {subject.ref.kind} {subject.ref.name}"),)
    field = dotted(refusal.path)
    values = {
        "problem": refusal.message,
        "field": field,
        "where": f"{subject.ref.kind}: {field}" if refusal.path else subject.ref.kind,
        "kind": subject.ref.kind,
        "api": subject.ref.api_version,
        "subject": f"{field}: {refusal.message}",
    }
    return Hit(place, values, related, subject.affected)


def _patched(subject: Subject, refusal: Refusal) -> Location | None:
    """Where a patch makes a container privileged that its manifest keeps from raising its rights: one of both has to go,
    and the patch came later.
    """
    if refusal.path[-1:] != ("allowPrivilegeEscalation",):
        return None
    privileged: Path = (*refusal.path[:-1], "privileged")
    if at(subject.data, *privileged) is not True:
        return None
    place, home = subject.origin(privileged), subject.origin(("metadata", "name"))
    return place if place.file != home.file and place.path[-1:] == privileged[-1:] else None


def _text(data: Any, path: Path) -> str:
    """The strings that the refusal may be about: the value, and the key where that is a map's."""
    value = at(data, *path)
    return f"{path[-1] if path else ''} {value if isinstance(value, str) else ''}"
