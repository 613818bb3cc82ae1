"""Checks of rights: who may do what beyond its own place."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.agents.context import text
from gitops_layout.checks.delivered import Item, delivered
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.k8s.pods import containers, pod_spec
from gitops_layout.model import Hit, Path, Related

__all__ = ["argocd_open", "privileged_by_overlay", "store_missing", "tenant_escape"]

_RBAC = "rbac.authorization.k8s.io"


def argocd_open(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Argo CD's settings that make everybody an administrator, or give rights to whoever comes."""
    maps = [i for i in delivered(graph).of("", "ConfigMap") if i.ref.name in ("argocd-cm", "argocd-rbac-cm")]
    default = {text(at(i.data, "data", "policy.default")) for i in maps if i.ref.name == "argocd-rbac-cm"}
    for item in maps:
        data = at(item.data, "data")
        for key, value in data.items() if isinstance(data, dict) else ():
            if key == "policy.default" and value == "role:admin" and item.ref.name == "argocd-rbac-cm":
                words = "whoever logs in is an administrator of Argo CD"
            elif key == "users.anonymous.enabled" and value == "true" and any(default):
                words = f"whoever reaches Argo CD has {next(filter(None, default))} without logging in"
            else:
                continue
            place = item.object.origin(("data", key))
            yield Hit(place, {"problem": words, "subject": key}, item.named(place), item.affected)


def tenant_escape(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Bindings that give a tenant rights in another tenant's namespace, or in all of them."""
    owners = {
        namespace: tenant.name
        for tenant in graph.tenants
        if tenant.reason in ("spec", "flux")
        for namespace in tenant.namespaces
    }
    if not owners:
        return
    for item in delivered(graph).of(_RBAC, "RoleBinding", "ClusterRoleBinding"):
        subjects = item.data.get("subjects")
        for index, subject in enumerate(subjects if isinstance(subjects, list) else ()):
            own = owners.get(text(at(subject, "namespace")) or "")
            if own is None or at(subject, "kind") != "ServiceAccount":
                continue
            other = owners.get(item.namespace)
            role = text(at(item.data, "roleRef", "name"))
            if item.ref.kind == "ClusterRoleBinding" and own in _labels(item.data):
                continue  # whoever set up the tenant says that these are its rights
            if item.ref.kind == "RoleBinding" and other not in (None, own):
                words = f"rights in namespace {item.namespace} of tenant {other}"
            elif item.ref.kind == "ClusterRoleBinding" and role == "cluster-admin":
                words = "every right in every namespace"
            else:
                continue
            place = item.object.origin(("subjects", index))
            values = {"tenant": own, "binding": item.ref.name, "rights": words, "subject": own}
            yield Hit(place, values, item.named(place), item.affected)


def _labels(data: dict[str, Any]) -> Iterator[object]:
    labels = at(data, "metadata", "labels")
    return iter(labels.values() if isinstance(labels, dict) else ())


_POD = {"hostNetwork": True, "hostPID": True, "hostIPC": True}
_CONTEXT = {
    "privileged": True,
    "allowPrivilegeEscalation": True,
    "runAsNonRoot": False,
    "readOnlyRootFilesystem": False,
}
_DEFAULT = frozenset({"allowPrivilegeEscalation", "runAsNonRoot", "readOnlyRootFilesystem"})
"""What Kubernetes does by itself: a patch that says so gives a right only where the manifest had taken it."""


def privileged_by_overlay(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Rights that a patch gives to pods which their own manifest does not."""
    for item in delivered(graph).of("apps", "Deployment", "StatefulSet"):
        yield from _raised(item)
    for item in delivered(graph).of("batch", "Job", "CronJob"):
        yield from _raised(item)


def _raised(item: Item) -> Iterator[Hit]:
    rights = list(_rights(item.data))
    home = (
        item.object.origin(("metadata", "name")).file if rights else ""
    )  # asked of few: a chart is rendered for it
    for path in rights:
        place = item.object.origin(path)
        if place.file == home or place.path[-1:] != path[-1:]:
            continue
        if path[-1] in _DEFAULT and not any(before.file == home for before in item.object.earlier(path)):
            continue
        values = {
            "field": str(path[-1]),
            "value": str(path[-1] not in ("runAsNonRoot", "readOnlyRootFilesystem")).lower(),
            "kind": item.ref.kind,
            "name": item.ref.name,
            "subject": str(path[-1]),
        }
        yield Hit(place, values, item.named(place), item.affected)


def _rights(data: dict[str, Any]) -> Iterator[Path]:
    found = pod_spec(data)
    if found is None:
        return
    spec, path = found
    yield from ((*path, name) for name, bad in _POD.items() if spec.get(name) is bad)
    contexts = [(spec, path), *((c.data, c.path) for c in containers(data))]
    for holder, where in contexts:
        context = holder.get("securityContext")
        for name, bad in _CONTEXT.items():
            if isinstance(context, dict) and context.get(name) is bad:
                yield (*where, "securityContext", name)


def store_missing(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """ExternalSecrets whose store nobody delivers, where the cluster's stores are delivered."""
    group = "external-secrets.io"
    here = delivered(graph)
    stores = [*here.of(group, "SecretStore", "ClusterSecretStore")]
    written = {
        (r.ref.kind, r.ref.name)
        for r in graph.repo.resources
        if r.ref.kind in ("SecretStore", "ClusterSecretStore")
    }
    for item in here.of(group, "ExternalSecret", "ClusterExternalSecret"):
        base: Path = ("spec", "externalSecretSpec") if item.ref.kind == "ClusterExternalSecret" else ("spec",)
        path: Path = (*base, "secretStoreRef")
        kind, name = text(at(item.data, *path, "kind")) or "SecretStore", text(at(item.data, *path, "name"))
        if name is None or any(sign in name for sign in "${<"):
            continue
        known = [s for s in stores if s.delivery.cluster == item.delivery.cluster and s.ref.kind == kind]
        loose = item.delivery.agent == "helm"  # where such a chart goes is not known
        namesakes = [s for s in stores if s.delivery.cluster == item.delivery.cluster and s.ref.name == name]
        namesakes = [s for s in namesakes if s.ref.kind != "SecretStore" or s.namespace == item.namespace]
        if any(s.ref.kind == kind for s in namesakes):
            continue
        if loose or (kind, name) in written or not (known or namesakes):
            continue
        names = sorted({s.ref.name for s in known})
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5) or (names if len(names) == 1 else [])
        hint = f' (did you mean "{near[0]}"?)' if near else ""
        if namesakes:
            known, near, hint = namesakes, [name], f" (there is a {namesakes[0].ref.kind} of that name)"
        related = tuple(
            Related(s.object.origin(("metadata", "name")), f"the {s.ref.kind} {s.ref.name}")
            for s in known
            if s.ref.name in near
        )[:1]
        place = item.object.origin((*path, "name"))
        yield Hit(place, {"kind": kind, "name": name, "hint": hint, "subject": name}, related, item.affected)
