"""API groups and the kinds that they have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.agents.context import at
from gitops_layout.checks.delivered import delivered
from gitops_layout.checks.near import near_name
from gitops_layout.graph.model import Graph
from gitops_layout.k8s.scope import builtin_kinds
from gitops_layout.model import Hit
from gitops_layout.validation.versions import lifecycle

__all__ = ["group_with_version", "kind_not_in_group"]

_FLUX = {
    "kustomize.toolkit.fluxcd.io": frozenset({"Kustomization"}),
    "helm.toolkit.fluxcd.io": frozenset({"HelmRelease"}),
    "source.toolkit.fluxcd.io": frozenset(
        {"GitRepository", "HelmRepository", "HelmChart", "OCIRepository", "Bucket", "ExternalArtifact"}
    ),
    "image.toolkit.fluxcd.io": frozenset({"ImageRepository", "ImagePolicy", "ImageUpdateAutomation"}),
    "notification.toolkit.fluxcd.io": frozenset({"Provider", "Alert", "Receiver"}),
}
"""All kinds that a group of Flux has, or has had."""
_LEFT = frozenset({"Eviction", "Binding", "Scale", "List", "TokenRequest", "PodExecOptions"})


def kind_not_in_group(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Objects of a group that is known and has no such kind, in any version."""
    known = {**builtin_kinds(), **_FLUX}
    own = {
        (str(at(crd.data, "spec", "group")), str(at(crd.data, "spec", "names", "kind")))
        for crd in delivered(graph).of("apiextensions.k8s.io", "CustomResourceDefinition")
    }
    own |= {
        (str(at(resource.data, "spec", "group")), str(at(resource.data, "spec", "names", "kind")))
        for resource in graph.repo.resources
        if resource.ref.kind == "CustomResourceDefinition"
    }
    for (group, kind), items in delivered(graph).kinds.items():
        there = known.get(group)
        if there is None or kind in there or (group, kind) in own or kind in _LEFT or kind.endswith("List"):
            continue
        versions = {item.ref.api_version for item in items}
        if any(lifecycle(version, kind) is not None for version in versions):
            continue
        homes = sorted(other for other, kinds in known.items() if kind in kinds and other != group)
        near = near_name(kind, there)
        hint = f"; {kind} is of {homes[0] or 'v1'}" if homes else f' (did you mean "{near}"?)' if near else ""
        for item in items:
            wrong = ("apiVersion",) if homes else ("kind",)
            place = item.object.origin(wrong)
            values = {"api": item.ref.api_version, "kind": kind, "hint": hint, "subject": kind}
            yield Hit(place, values, item.named(place), item.affected)


def group_with_version(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """API groups in rights and references that are written with a version: they match nothing."""
    rbac = "rbac.authorization.k8s.io"
    for item in delivered(graph).of(rbac, "Role", "ClusterRole"):
        rules = item.data.get("rules")
        for index, rule in enumerate(rules if isinstance(rules, list) else ()):
            groups = at(rule, "apiGroups")
            for n, group in enumerate(groups if isinstance(groups, list) else ()):
                if isinstance(group, str) and ("/" in group or group == "v1"):
                    place = item.object.origin(("rules", index, "apiGroups", n))
                    yield _hit(item, place, group)


def _hit(item: Any, place: Any, group: str) -> Hit:
    meant = "" if group == "v1" else group.partition("/")[0]
    values = {"kind": item.ref.kind, "name": item.ref.name, "group": group, "meant": meant, "subject": group}
    return Hit(place, values, item.named(place), item.affected)
