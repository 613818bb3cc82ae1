"""Fields that the API server refuses to change once an object exists.

From the validation code of Kubernetes 1.36 (pkg/apis/*/validation). Changing one takes a new object,
which is why a diff calls it "recreated" and a reconcile reports it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitops_layout.model import Path

__all__ = ["immutable_paths", "may_be_recreated"]

_PATHS: dict[tuple[str, str], tuple[Path, ...]] = {
    ("", "PersistentVolumeClaim"): (
        ("spec", "accessModes"),
        ("spec", "selector"),
        ("spec", "storageClassName"),
        ("spec", "volumeMode"),
        ("spec", "volumeName"),
    ),
    ("", "PersistentVolume"): (("spec", "volumeMode"), ("spec", "nodeAffinity")),
    ("", "Secret"): (("type",),),
    ("", "Service"): (("spec", "clusterIP"), ("spec", "clusterIPs")),
    ("apps", "DaemonSet"): (("spec", "selector"),),
    ("apps", "Deployment"): (("spec", "selector"),),
    ("apps", "ReplicaSet"): (("spec", "selector"),),
    ("apps", "StatefulSet"): (
        ("spec", "podManagementPolicy"),
        ("spec", "selector"),
        ("spec", "serviceName"),
        ("spec", "volumeClaimTemplates"),
    ),
    ("batch", "Job"): (
        ("spec", "completionMode"),
        ("spec", "podFailurePolicy"),
        ("spec", "selector"),
        ("spec", "template"),
    ),
    ("networking.k8s.io", "IngressClass"): (("spec", "controller"),),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): (("roleRef",),),
    ("rbac.authorization.k8s.io", "RoleBinding"): (("roleRef",),),
    ("scheduling.k8s.io", "PriorityClass"): (("value",), ("preemptionPolicy",)),
    ("storage.k8s.io", "StorageClass"): (
        ("parameters",),
        ("provisioner",),
        ("reclaimPolicy",),
        ("volumeBindingMode",),
    ),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): (("spec", "group"), ("spec", "scope")),
}
_NEVER_RECREATED = frozenset(
    ("PersistentVolumeClaim", "PersistentVolume", "StatefulSet", "Namespace", "CustomResourceDefinition")
)


def immutable_paths(group: str, kind: str) -> tuple[Path, ...]:
    """Paths that cannot change on a live object; ConfigMaps and Secrets marked `immutable` apart."""
    return _PATHS.get((group, kind), ())


def may_be_recreated(kind: str) -> bool:
    """Whether deleting and creating again loses nothing but the running Pods."""
    return kind not in _NEVER_RECREATED
