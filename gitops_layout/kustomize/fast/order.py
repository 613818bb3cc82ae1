"""The order in which kustomize writes objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from gitops_layout.kustomize.fast.item import Item
from gitops_layout.kustomize.fast.tables import group_version

__all__ = ["in_legacy_order", "in_order", "kind_rank"]

# Source: kustomize api v0.21.1, SortOrderTransformer: the default of `kubectl kustomize`.
_FIRST = """Namespace ResourceQuota StorageClass CustomResourceDefinition ServiceAccount PodSecurityPolicy Role
ClusterRole RoleBinding ClusterRoleBinding ConfigMap Secret Endpoints Service LimitRange PriorityClass
PersistentVolume PersistentVolumeClaim Deployment StatefulSet CronJob PodDisruptionBudget""".split()
_LAST = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]


def _ranks(first: Sequence[str], last: Sequence[str]) -> Mapping[str, int]:
    ranks = {kind: index - len(first) for index, kind in enumerate(first)}
    return ranks | {kind: index + 1 for index, kind in enumerate(last)}


_RANKS = _ranks(_FIRST, _LAST)


def kind_rank(kind: str) -> int:
    """Where kustomize puts a kind: below 0 what comes first, above 0 what comes last."""
    return _RANKS.get(kind, 0)


def in_legacy_order(items: list[Item]) -> list[Item]:
    """By kind's rank, then group, version, kind, namespace and name as kustomize spells them."""
    return sorted(items, key=partial(_key, _RANKS))


def in_order(items: list[Item], first: Sequence[str], last: Sequence[str]) -> list[Item]:
    """The same with other kinds first and last."""
    return sorted(items, key=partial(_key, _ranks(first, last)))


def _key(ranks: Mapping[str, int], item: Item) -> tuple[int, str, str]:
    group, version = group_version(item.api_version)
    kind = item.kind
    # Kinds called Namespace sort the other way round where one of them is the core one.
    core = "" if kind == "Namespace" and not group else "~G"
    sort_kind = "_".join((group or core, version or "~V", kind or "~K"))
    spelled = ".".join((kind, version or "[noVer]", group or "[noGrp]"))
    place = "|".join((spelled, item.namespace or "~X", item.name or "~N"))
    return ranks.get(kind, 0), sort_kind, place
