"""Which members of the inventory may be deleted, and what protects the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitops_layout.reconcile.fields import own_entry

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from gitops_layout.model import ObjectRef

__all__ = ["CRITICAL", "protection", "refusal"]

CRITICAL = frozenset(("Namespace", "CustomResourceDefinition", "PersistentVolume", "PersistentVolumeClaim"))
"""Kinds whose deletion takes data or other objects along; they need `--prune-critical`."""

_SYSTEM_NAMESPACES = frozenset(("default", "kube-system", "kube-public", "kube-node-lease"))
_MANY = 10

# Annotation, the value (or comma-separated part) that says "do not delete".
_KEEP = (
    ("gitops-layout/prune", "disabled"),
    ("kustomize.toolkit.fluxcd.io/prune", "disabled"),
    ("argocd.argoproj.io/sync-options", "Prune=false"),
    ("argocd.argoproj.io/sync-options", "Delete=false"),
    ("helm.sh/resource-policy", "keep"),
    ("config.kubernetes.io/deletion", "detach"),
    ("client.lifecycle.config.k8s.io/deletion", "detach"),
)


def protection(
    live: Mapping[str, Any],
    ref: ObjectRef,
    *,
    applied_uids: Collection[str],
    used_namespaces: Collection[str],
    critical: bool,
) -> str | None:
    """Why a member that nobody declares any more must stay, None when it may be deleted.

    `applied_uids` are those of the objects just applied: the same object may be listed a second time
    under another API group. `used_namespaces` are those of desired objects.
    """
    metadata = live["metadata"]
    if metadata["uid"] in applied_uids:
        return "is the same object as a declared one, under another API group"
    if metadata.get("ownerReferences"):
        owner = metadata["ownerReferences"][0]
        return f"belongs to {owner.get('kind')}/{owner.get('name')}, which copied our label to it"
    if own_entry(live) is None:
        return "carries our label, but was never applied by us"
    annotations = metadata.get("annotations") or {}
    for name, keep in _KEEP:
        if keep.lower() in (part.strip().lower() for part in annotations.get(name, "").split(",")):
            return f"is protected by {name}: {annotations[name]}"
    if ref.kind == "Namespace" and not ref.group:
        if ref.name in _SYSTEM_NAMESPACES:
            return "is one of Kubernetes' own namespaces"
        if ref.name in used_namespaces:
            return "still holds declared objects"
    if ref.kind in CRITICAL and not critical:
        return f"deleting a {ref.kind} needs --prune-critical"
    return None


def refusal(members: int, doomed: int, desired: int, *, confirmed: bool) -> str | None:
    """Why a whole prune is refused, None when it may go ahead.

    `members` are all live objects of the inventory, `doomed` those that nothing protects.
    """
    if doomed == 0 or confirmed:
        return None
    if desired == 0:
        return f"nothing is declared any more: deleting all {doomed} objects needs --confirm-prune"
    if doomed > _MANY and doomed * 2 > members:
        return f"{doomed} of {members} objects would be deleted: more than half needs --confirm-prune"
    return None
