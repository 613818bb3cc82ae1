"""What tenants' apps bring against what their tenant has: namespaces, kinds and quota."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from gitops_layout.agents.context import DeclaredTenant, at
from gitops_layout.agents.delivery import Delivery
from gitops_layout.graph.model import Graph
from gitops_layout.k8s.pods import pod_spec
from gitops_layout.k8s.scope import builtin_scope
from gitops_layout.model import Affected, Hit, Location
from gitops_layout.render.rendered import RenderedObject
from gitops_layout.validation.server.quantity import quantity

__all__ = ["out_of_bounds", "uncounted"]

_RIGHTS = {
    ("rbac.authorization.k8s.io", "Role"),
    ("rbac.authorization.k8s.io", "RoleBinding"),
    ("", "ResourceQuota"),
    ("", "LimitRange"),
}
"""Kinds in a tenant's namespace that are the platform's: rights and limits."""
_DEFAULT = {("requests", "cpu"): "50m", ("requests", "memory"): "64Mi", ("limits", "memory"): "256Mi"}
"""What the LimitRange that the scaffolder makes gives a container that asks for nothing: all that its quota counts."""


def out_of_bounds(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Objects of a tenant's apps outside its namespaces or of kinds that are not its own, and pods that together ask
    for more than its quota. Tenants are those of the spec, their apps those in this repository; a tenant's own
    repository is all its own.
    """
    for tenant in graph.declared.tenants:
        asked: dict[tuple[str, str], dict[str, Fraction]] = {}
        seen: set[tuple[str, str, str, str]] = set()
        brought = list(_brought(graph, tenant))
        least = _least_pods(brought)
        for delivery, item in brought:
            if what := _foreign(delivery, item, tenant):
                yield _hit(item, delivery, tenant, what, item.origin(("metadata", "name")))
                continue
            namespace = item.ref.namespace or delivery.target_namespace or ""
            # A tenant's own repository names no clusters, and environments apart may share a namespace's name.
            place = delivery.cluster or delivery.environment or ""
            key = (place, namespace, item.ref.kind, item.ref.name)
            if key not in seen:
                seen.add(key)
                total = asked.setdefault((place, namespace), {})
                wanted = least.get((delivery.id, item.ref.namespace, item.ref.kind, item.ref.name), 0)
                yield from _beyond(delivery, item, tenant, total, max(_pods(item.data), wanted))


def uncounted(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """DaemonSets of a tenant with a quota: how many pods they are is said by the cluster's nodes, which nothing here tells."""
    for tenant in graph.declared.tenants:
        for delivery, item in _brought(graph, tenant) if tenant.quota else ():
            if (item.ref.group, item.ref.kind) == ("apps", "DaemonSet") and not _foreign(
                delivery, item, tenant
            ):
                place = item.origin(("kind",))
                values = {"tenant": tenant.name, "name": item.ref.name, "subject": item.ref.name}
                affected = Affected(item.ref, delivery.id, delivery.environment, delivery.cluster)
                yield Hit(place, values, (), affected)


def _brought(graph: Graph, tenant: DeclaredTenant) -> Iterator[tuple[Delivery, RenderedObject]]:
    for delivery in graph.deliveries:
        paths = [part.source.path for part in (delivery, *delivery.parts) if part.source.local]
        paths.append(delivery.root.file)  # a release of the tenant's is written in its app's folder
        if any(f"{path}/".startswith(tenant.folders) for path in paths if path):
            for item in graph.rendered[delivery.id].objects:
                yield delivery, item


def _least_pods(
    brought: Sequence[tuple[Delivery, RenderedObject]],
) -> dict[tuple[str, str, str, str], int]:
    """How many pods an autoscaler brings a workload to at least, by delivery, namespace, kind and name."""
    found = {}
    for delivery, item in brought:
        if item.ref.kind == "HorizontalPodAutoscaler":
            match item.data:
                case {"spec": {"minReplicas": int(least), "scaleTargetRef": {"kind": kind, "name": name}}}:
                    found[delivery.id, item.ref.namespace, str(kind), str(name)] = least
    return found


def _foreign(delivery: Delivery, item: RenderedObject, tenant: DeclaredTenant) -> str | None:
    """Why an object is not the tenant's to bring; None where it is."""
    kind = item.ref.kind
    if builtin_scope(item.ref.group, kind) is False:
        return f"{kind} {item.ref.name}, a kind of the whole cluster"
    if (item.ref.group, kind) in _RIGHTS:
        return f"{kind} {item.ref.name}, which is the platform's to give"
    namespace = item.ref.namespace or delivery.target_namespace
    if namespace and namespace not in tenant.namespaces:
        return f"{kind} {item.ref.name} to namespace {namespace}, which is not its own"
    # Argo CD's destination names one, and so may the platform that delivers a repository without clusters.
    placed = delivery.agent == "argocd" or not delivery.cluster
    if not namespace and not placed and builtin_scope(item.ref.group, kind):
        return f"{kind} {item.ref.name} without a namespace, which would be nobody's"
    return None


def _beyond(
    delivery: Delivery,
    item: RenderedObject,
    tenant: DeclaredTenant,
    total: dict[str, Fraction],
    pods: int,
) -> Iterator[Hit]:
    """Hits where an object's `pods` bring the sum of a namespace over the quota, each resource once."""
    found = pod_spec(dict(item.data))
    if found is None:
        return
    spec, path = found
    count = Fraction(pods)
    asks = {("", "pods"): count, **{key: count * _asked(spec, *key) for key in _DEFAULT}}
    for (part, name), amount in asks.items():
        limit, before = quantity(tenant.quota.get(name)), total.get(part + name, Fraction(0))
        total[part + name] = before + amount
        if limit is not None and before <= limit < total[part + name]:
            words = f"{tenant.quota[name]} {name}" + (" in limits" if part == "limits" else "")
            namespace = item.ref.namespace or delivery.target_namespace
            where = f"namespace {namespace}" if namespace else "one namespace"
            what = f"more than its quota of {words} to {where}, with {item.ref.kind} {item.ref.name}"
            yield _hit(item, delivery, tenant, what, item.origin(path))


def _pods(data: Mapping[str, Any]) -> int:
    match data:
        case (
            {"spec": {"replicas": int(count)}}
            | {"spec": {"parallelism": int(count)}}
            | {"spec": {"jobTemplate": {"spec": {"parallelism": int(count)}}}}
        ):
            return max(count, 0)
        case _:
            return 1


def _asked(spec: Mapping[str, Any], part: str, name: str) -> Fraction:
    """What one pod has among its requests or limits: its containers together, or the greediest of those that run first.

    Who only sets a limit requests that.
    """

    def of(container: Any) -> Fraction:
        asked = at(container, "resources", part, name)
        asked = at(container, "resources", "limits", name) if asked is None else asked
        found = quantity(_DEFAULT[part, name] if asked is None else asked)
        return found if found is not None else Fraction(0)

    lists = [spec.get("containers"), spec.get("initContainers")]
    running, first = ([of(item) for item in one] if isinstance(one, list) else [] for one in lists)
    return max(sum(running, Fraction(0)), max(first, default=Fraction(0)))


def _hit(item: RenderedObject, delivery: Delivery, tenant: DeclaredTenant, what: str, place: Location) -> Hit:
    affected = Affected(item.ref, delivery.id, delivery.environment, delivery.cluster)
    values = {"tenant": tenant.name, "what": what, "subject": f"{tenant.name}: {what}"}
    return Hit(place, values, (), affected)
