"""What tenants' apps bring against what their tenant has: namespaces, kinds and quota."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from gitops_layout.agents.context import DeclaredTenant
from gitops_layout.agents.delivery import Delivery
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.k8s.pods import pod_spec
from gitops_layout.k8s.quantity import quantity
from gitops_layout.k8s.scope import builtin_scope
from gitops_layout.model import Affected, Hit, Location
from gitops_layout.render.rendered import RenderedObject

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

_BALANCERS, _NODE_PORTS = "services.loadbalancers", "services.nodeports"
_SERVICES: dict[str, Fraction | None] = {_BALANCERS: Fraction(0), _NODE_PORTS: Fraction(0)}
"""What the ResourceQuota that the scaffolder makes gives a namespace of ways in from outside."""


def out_of_bounds(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Objects of a tenant's apps outside its namespaces or of kinds that are not its own, and pods that together ask
    for more than its quota. Tenants are those of the spec, their apps those in this repository; a tenant's own
    repository is all its own.
    """
    granted = _granted(graph) if graph.declared.tenants else {}
    rendered = {(d.kind, d.namespace, d.name) for d in graph.deliveries if graph.rendered[d.id].objects}
    for tenant in graph.declared.tenants:
        asked: dict[tuple[str, str], dict[str, Fraction]] = {}
        seen: set[tuple[str, str, str, str]] = set()
        brought = list(_brought(graph, tenant))
        least = _least_pods(brought)
        for delivery, item in brought:
            if what := _foreign(delivery, item, tenant):
                yield _hit(item, delivery, tenant, what, item.origin(("metadata", "name")))
                continue
            if (item.ref.kind, item.ref.namespace, item.ref.name) not in rendered and (
                aim := _aimed(item, tenant)
            ):
                what = (
                    f"what {item.ref.kind} {item.ref.name} delivers to namespace {aim}, which is not its own"
                )
                yield _hit(item, delivery, tenant, what, item.origin(("spec", "targetNamespace")))
            namespace = item.ref.namespace or delivery.target_namespace or ""
            # A tenant's own repository names no clusters, and environments apart may share a namespace's name.
            place = delivery.cluster or delivery.environment or ""
            key = (place, namespace, item.ref.kind, item.ref.name)
            if key not in seen:
                seen.add(key)
                total = asked.setdefault((place, namespace), {})
                wanted = least.get((delivery.id, item.ref.namespace, item.ref.kind, item.ref.name), 0)
                yield from _beyond(delivery, item, tenant, total, max(_pods(item.data), wanted))
                if tenant.quota:
                    yield from _exposed(delivery, item, tenant, total, granted.get(namespace, _SERVICES))


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


def _aimed(item: RenderedObject, tenant: DeclaredTenant) -> str | None:
    """The namespace, not the tenant's, to which an agent's object sends all that it delivers."""
    namespace = at(item.data, "spec", "targetNamespace")
    agent = item.ref.group in ("helm.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io")
    return str(namespace) if agent and namespace and namespace not in tenant.namespaces else None


def _beyond(
    delivery: Delivery,
    item: RenderedObject,
    tenant: DeclaredTenant,
    total: dict[str, Fraction],
    pods: int,
) -> Iterator[Hit]:
    """Hits where an object's `pods` bring the sum of a namespace over the quota, each resource once."""
    found = pod_spec(dict(item.data))
    if item.ref.kind == "PodTemplate" or found is None:
        return
    spec, path = found
    count = Fraction(pods)
    asks = {("", "pods"): count, **{key: count * _asked(spec, *key) for key in _DEFAULT}}
    for (part, name), amount in asks.items():
        limit = quantity(tenant.quota.get(name))
        if _exceeds(total, part + name, amount, limit):
            words = f"{tenant.quota[name]} {name}" + (" in limits" if part == "limits" else "")
            yield _too_much(delivery, item, tenant, words, item.origin(path))


def _exposed(
    delivery: Delivery,
    item: RenderedObject,
    tenant: DeclaredTenant,
    total: dict[str, Fraction],
    granted: Mapping[str, Fraction | None],
) -> Iterator[Hit]:
    """One hit where a Service brings the load balancers or node ports of a namespace over what its quota gives."""
    over = [
        (name, granted[name])
        for name, amount in _ways_in(item).items()
        if _exceeds(total, name, Fraction(amount), granted[name])
    ]
    for name, limit in over[:1]:
        yield _too_much(delivery, item, tenant, f"{limit} {name}", item.origin(("spec", "type")))


def _ways_in(item: RenderedObject) -> dict[str, int]:
    """What a Service takes of a quota (kubernetes: pkg/quota/v1/evaluator/core/services.go, Usage)."""
    match item.data:
        case {"apiVersion": "v1", "kind": "Service", "spec": {"type": str(kind), **spec}}:
            listed = spec.get("ports")
            ports = listed if isinstance(listed, list) else []
        case _:
            return {}
    if kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False:
        ports = [port for port in ports if at(port, "nodePort")]
    if kind not in ("LoadBalancer", "NodePort"):
        return {}
    return {_BALANCERS: int(kind == "LoadBalancer"), _NODE_PORTS: len(ports)}


def _granted(graph: Graph) -> dict[str, dict[str, Fraction | None]]:
    """How many load balancers and node ports the ResourceQuotas of this repository give each namespace; None for as
    many as one likes. Where clusters differ, the most counts.
    """
    found: dict[str, list[Any]] = {}
    for rendered in graph.rendered.values():
        for item in rendered.objects:
            if (item.ref.group, item.ref.kind) == ("", "ResourceQuota"):
                found.setdefault(item.ref.namespace or "", []).append(at(item.data, "spec", "hard"))
    return {
        namespace: {name: max(_amounts(hard, name), default=None) for name in _SERVICES}
        for namespace, hard in found.items()
    }


def _amounts(hard: Sequence[Any], name: str) -> list[Fraction]:
    return [limit for one in hard if (limit := quantity(at(one, name))) is not None]


def _exceeds(total: dict[str, Fraction], key: str, amount: Fraction, limit: Fraction | None) -> bool:
    """Whether the amount, which is added to the total, is what brings it over the limit."""
    before = total.get(key, Fraction(0))
    total[key] = before + amount
    return limit is not None and before <= limit < total[key]


def _too_much(
    delivery: Delivery, item: RenderedObject, tenant: DeclaredTenant, words: str, place: Location
) -> Hit:
    namespace = item.ref.namespace or delivery.target_namespace
    where = f"namespace {namespace}" if namespace else "one namespace"
    what = f"more than its quota of {words} to {where}, with {item.ref.kind} {item.ref.name}"
    return _hit(item, delivery, tenant, what, place)


def _pods(data: Mapping[str, Any]) -> int:
    """How many pods an object has at a time; of a Job no more than it is to complete."""
    match data:
        case {"kind": "CronJob", "spec": {"jobTemplate": {"spec": dict(spec)}}} | {"spec": dict(spec)}:
            counts = [spec.get(name) for name in ("replicas", "parallelism")]
            count = next((one for one in counts if isinstance(one, int)), 1)
            completions = spec.get("completions")
            return max(min(count, completions) if isinstance(completions, int) else count, 0)
        case _:
            return 1


def _asked(spec: Mapping[str, Any], part: str, name: str) -> Fraction:
    """What one pod has among its requests or limits, with what its runtime class adds.

    What it says of all its containers together counts; else the sum of these and of those that run beside them from
    the start, or what is needed while the greediest of the others starts, as the server reckons (component-helpers:
    resource/helpers.go, PodRequests and PodLimits). Who only sets a limit requests that.
    """

    def of(container: Any) -> Fraction:
        asked = at(container, "resources", part, name)
        asked = at(container, "resources", "limits", name) if asked is None else asked
        found = quantity(_DEFAULT[part, name] if asked is None else asked)
        return found if found is not None else Fraction(0)

    lists = [spec.get("containers"), spec.get("initContainers")]
    running, first = (one if isinstance(one, list) else [] for one in lists)
    beside = most = Fraction(0)
    for container in first:
        most = max(most, beside + of(container))
        if at(container, "restartPolicy") == "Always":
            beside += of(container)
    own = quantity(at(spec, "resources", part, name))
    whole = own if own is not None else max(sum(map(of, running), beside), most)
    extra = quantity(at(spec, "overhead", name)) or Fraction(0)
    return whole + extra if whole or part == "requests" else whole


def _hit(item: RenderedObject, delivery: Delivery, tenant: DeclaredTenant, what: str, place: Location) -> Hit:
    affected = Affected(item.ref, delivery.id, delivery.environment, delivery.cluster)
    values = {"tenant": tenant.name, "what": what, "subject": f"{tenant.name}: {what}"}
    return Hit(place, values, (), affected)
