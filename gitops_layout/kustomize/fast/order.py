"""The order in which kustomize writes objects."""

from __future__ import annotations

from gitops_layout.kustomize.fast.item import Item
from gitops_layout.kustomize.fast.tables import group_version

__all__ = ["in_legacy_order", "kind_rank"]

# Source: kustomize api v0.21.1, SortOrderTransformer: the default of `kubectl kustomize`.
_FIRST = """Namespace ResourceQuota StorageClass CustomResourceDefinition ServiceAccount PodSecurityPolicy Role
ClusterRole RoleBinding ClusterRoleBinding ConfigMap Secret Endpoints Service LimitRange PriorityClass
PersistentVolume PersistentVolumeClaim Deployment StatefulSet CronJob PodDisruptionBudget""".split()
_LAST = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]
_RANKS = {kind: index - len(_FIRST) for index, kind in enumerate(_FIRST)} | {
    kind: index + 1 for index, kind in enumerate(_LAST)
}


def kind_rank(kind: str) -> int:
    """Where kustomize puts a kind: below 0 what comes first, above 0 what comes last."""
    return _RANKS.get(kind, 0)


def in_legacy_order(items: list[Item]) -> list[Item]:
    """By kind's rank, then group, version, kind, namespace and name as kustomize spells them."""
    return sorted(items, key=_key)


def _key(item: Item) -> tuple[int, str, str]:
    group, version = group_version(item.api_version)
    kind = item.kind
    # Kinds called Namespace sort the other way round where one of them is the core one.
    core = "" if kind == "Namespace" and not group else "~G"
    sort_kind = "_".join((group or core, version or "~V", kind or "~K"))
    spelled = ".".join((kind, version or "[noVer]", group or "[noGrp]"))
    place = "|".join((spelled, item.namespace or "~X", item.name or "~N"))
    return kind_rank(kind), sort_kind, place
