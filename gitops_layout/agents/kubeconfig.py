"""The cluster that a Flux object's `spec.kubeConfig` names, as far as the repository tells."""

from __future__ import annotations

from typing import Any

from gitops_layout.agents.context import Context, text
from gitops_layout.fields import at

__all__ = ["PROVIDERS", "remote_cluster"]

PROVIDERS = frozenset({"aws", "azure", "gcp", "generic"})
"""What `data.provider` of a ConfigMap for `configMapRef` may be."""

_NAMELESS = frozenset({"cluster", "kubeconfig", "kube-config", "remote", "target"})
"""Names of credentials that every namespace may have for a cluster of its own."""


def remote_cluster(context: Context, spec: Any, *, namespace: str, near: str, cluster: str) -> str | None:
    """The other cluster that an object is applied to; None where it is its own.

    A ConfigMap of the repository names it by address or by its name at the cloud. A Secret's content is
    hidden, so its name has to do, without the word `kubeconfig` that people put before or after it; where
    that names nothing, as in a hub with a namespace a cluster, the namespace does.
    """
    given = at(spec, "kubeConfig")
    if not isinstance(given, dict):
        return None
    name = text(at(given, "configMapRef", "name"))
    if name is not None:
        found = context.source("ConfigMap", namespace, name, near=near, cluster=cluster)
        named = _of_config_map(context, found.data) if found is not None else None
        return named or _bare(name, namespace)
    name = text(at(given, "secretRef", "name"))
    return _bare(name, namespace) if name is not None else None


def _of_config_map(context: Context, data: Any) -> str | None:
    address, resource = text(at(data, "data", "address")), text(at(data, "data", "cluster"))
    for declared in context.declared.clusters:
        if address is not None and declared.server == address:
            return declared.name
    return resource.rstrip("/").rpartition("/")[2] if resource else address


def _bare(name: str, namespace: str) -> str:
    for mark in ("-kubeconfig", "-kube-config"):
        name = name.removesuffix(mark).removeprefix(f"{mark[1:]}-")
    return namespace if name in _NAMELESS else name
