"""Checks of delivered objects against what admission refuses: pod security and policies of the repository."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from gitops_layout.fields import at, dotted
from gitops_layout.graph.model import Graph
from gitops_layout.k8s.pods import pod_spec
from gitops_layout.model import Hit, Path, Related
from gitops_layout.validation.judged import judged, targets
from gitops_layout.validation.namespaces import Namespace, Namespaces
from gitops_layout.validation.podsecurity import Level, breaches, enforced
from gitops_layout.validation.subject import Subject

__all__ = ["admission_policy", "pod_security"]

_NAME = ("metadata", "name")
_MAKE_PODS = frozenset({"", "apps", "batch", "argoproj.io"})
"""Groups whose kinds make pods as their templates say."""


def pod_security(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Pods, and templates of pods, that the labels of their namespace forbid."""
    subjects = judged(graph).subjects
    namespaces = Namespaces(graph, subjects)
    for subject in subjects:
        found = pod_spec(subject.data) if subject.ref.group in _MAKE_PODS else None
        namespace = namespaces.of(subject) if found is not None else None
        level = enforced(namespace.labels) if namespace is not None else None
        if found is None or namespace is None or level is None or subject.ref.kind == "PodTemplate":
            continue
        yield from _forbidden(
            subject,
            *found,
            namespace,
            level,
            newest=targets(graph, subject.affected.cluster, subject.affected.environment)[-1],
        )


def admission_policy(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Objects that a ValidatingAdmissionPolicy of the repository denies."""
    for denial in judged(graph).denials:
        subject, policy = denial.subject, denial.policy
        values = {
            "kind": subject.ref.kind,
            "name": subject.ref.name,
            "policy": policy.ref.name,
            "problem": denial.message,
            "subject": f"{policy.ref.name}: {denial.message}",
        }
        related = Related(policy.origin(("metadata", "name")), f"policy {policy.ref.name}")
        yield Hit(subject.origin(_NAME), values, (related,), subject.affected)


def _forbidden(
    subject: Subject, spec: dict[str, Any], path: Path, namespace: Namespace, level: Level, *, newest: str
) -> Iterator[Hit]:
    metadata = at(subject.data, *path[:-1], "metadata", "annotations")
    annotations = metadata if isinstance(metadata, dict) else {}
    for breach in breaches(level, spec, annotations, kubernetes=newest):
        field = (*path, *breach.path)
        place = subject.origin(field)
        if (
            isinstance(at(subject.data, *field), dict | list)
            and place.path
            and isinstance(place.path[-1], str)
        ):
            place = replace(place, key=True)
        kind = subject.ref.kind
        values = {
            "kind": kind,
            "name": subject.ref.name,
            "level": str(level),
            "control": breach.control,
            "problem": breach.message,
            "outcome": "is refused" if kind == "Pod" else "is taken, and all of its pods are refused",
            "subject": f"{level} {breach.control}: {dotted(field)}",
        }
        related = Related(namespace.place, f"enforces {level}")
        yield Hit(place, values, (related,), subject.affected)
