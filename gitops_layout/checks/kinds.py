"""API groups and the kinds that they have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.checks.applied import applied
from gitops_layout.checks.delivered import delivered
from gitops_layout.checks.near import near_name
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.k8s.scope import builtin_kinds
from gitops_layout.model import Hit
from gitops_layout.validation.versions import lifecycle

__all__ = ["group_with_version", "health_check_kind"]

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


def health_check_kind(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Health checks of Kustomizations that wait for a kind which its group does not have."""
    known = {**builtin_kinds(), **_FLUX}
    for item in applied(graph, "kustomize.toolkit.fluxcd.io", "Kustomization"):
        listed = at(item.data, "spec", "healthChecks")
        for index, entry in enumerate(listed if isinstance(listed, list) else ()):
            api, kind = at(entry, "apiVersion"), at(entry, "kind")
            if not isinstance(api, str) or not isinstance(kind, str):
                continue
            there = known.get(api.rpartition("/")[0])
            if there is None or kind in there or lifecycle(api, kind) is not None:
                continue
            homes = sorted(group for group, kinds in known.items() if kind in kinds)
            near = near_name(kind, there) if not homes else None
            hint = f' (did you mean "{near}"?)' if near else ""
            hint = f"; {kind} is of {homes[0] or 'v1'}" if homes else hint
            place = item.origin(("spec", "healthChecks", index, "apiVersion" if homes else "kind"))
            yield Hit(place, {"api": api, "kind": kind, "hint": hint, "subject": kind}, (), item.affected)


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
