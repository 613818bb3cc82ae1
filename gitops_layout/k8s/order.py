"""The order in which kinds are applied (and, reversed, deleted).

The same order as Flux's kustomize-controller keeps: what others need first, admission webhooks last,
since a webhook whose backend is not up yet refuses everything applied after it.
"""

from __future__ import annotations

__all__ = ["apply_rank", "is_definition"]

_FIRST = (
    "CustomResourceDefinition",
    "Namespace",
    "ClusterRole",
    "*Class",
    "ClusterRoleBinding",
    "ResourceQuota",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ConfigMap",
    "Secret",
    "Service",
    "LimitRange",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
)
_LAST = (
    "APIService",
    "ValidatingAdmissionPolicy",
    "MutatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "MutatingAdmissionPolicyBinding",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
)
_RANKS = {kind: rank for rank, kind in enumerate(_FIRST)} | {
    kind: len(_FIRST) + 1 + rank for rank, kind in enumerate(_LAST)
}
_CLASSES = frozenset(
    ("PriorityClass", "RuntimeClass", "StorageClass", "IngressClass", "GatewayClass", "VolumeSnapshotClass",
     "VolumeAttributesClass", "DeviceClass", "ClusterClass")
)  # fmt: skip
_DEFINITIONS = frozenset(("CustomResourceDefinition", "Namespace", "ClusterRole"))


def apply_rank(kind: str) -> int:
    """Lower ranks are applied first; kinds that nothing is known about come in between."""
    return _RANKS["*Class"] if kind in _CLASSES else _RANKS.get(kind, len(_FIRST))


def is_definition(kind: str) -> bool:
    """Whether other objects of the same set cannot even be validated before this one is there."""
    return kind in _DEFINITIONS
