"""Ports that are named on one side and have to be there on the other: of Services by routes, of pods by Services and
probes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.agents.context import text
from gitops_layout.checks.delivered import Item, delivered, metadata
from gitops_layout.checks.near import near_name
from gitops_layout.checks.objectlist import values_at
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.k8s.pods import containers, pod_spec
from gitops_layout.model import Hit, Path, Related
from gitops_layout.patterns import regexp

__all__ = ["named_port_missing", "route_port_missing"]

Params = Mapping[str, Any]
_GATEWAY = "gateway.networking.k8s.io"
_ROUTES = ("HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute", "UDPRoute")
_PODS = (("", "Pod"), ("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "DaemonSet"), ("batch", "Job"),
         ("batch", "CronJob"), ("argoproj.io", "Rollout"))  # fmt: skip
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_NO_PORT = "use-annotation"
"""What the AWS controller and Argo Rollouts have people write: an annotation of the Ingress says where it sends."""
_EXACT = ("traefik", "alb", "gce", "cilium", "contour")
"""Classes whose controllers look for a Service's `port` and `name` alone; that of ingress-nginx takes `targetPort`, too."""
_INJECTED = ("http-envoy", "linkerd-", "dapr-", "kuma-")
"""How the ports of sidecars are called that the server puts into pods, mostly since a namespace asks for it."""
_INJECTING = regexp(r"inject|^dapr\.io/enabled$|^istio\.io/rev$")
_OFF = ("false", "disabled", "disable", "no")
_LOOSE = "helm"
"""Charts that nobody installs: with which values they would be is not known, and so neither which parts are on."""

_Backend = tuple[str, str, str | int, Path]
"""Namespace, Service, port, and where the port is written."""


def route_port_missing(graph: Graph, params: Params) -> Iterator[Hit]:
    """Ports of Services that Ingresses and routes send to and that the Services do not have."""
    here = delivered(graph)
    routes = [(item, _of_ingress) for item in here.of("networking.k8s.io", "Ingress")]
    routes += [(item, _of_route) for item in here.of(_GATEWAY, *_ROUTES)]
    routes += [(item, _of_traefik) for group in ("traefik.io", "traefik.containo.us")
               for item in here.of(group, "IngressRoute", "IngressRouteTCP", "IngressRouteUDP")]  # fmt: skip
    if not routes:
        return
    services: dict[tuple[str, str, str], list[Item]] = defaultdict(list)
    for service in here.of("", "Service"):
        services[service.meets, service.namespace, service.ref.name].append(service)
    for item, backends in routes:
        if item.delivery.agent == _LOOSE:
            continue
        for namespace, name, port, path in backends(item):
            found = services.get((item.meets, namespace, name), [])
            known = [ports for service in found if (ports := _ports(service)) is not None]
            if not found or len(known) < len(found) or any(port in ports for ports in known):
                continue
            if backends is _of_ingress and _takes_target(item, port, found):
                continue
            has = [each for ports in known for each in ports]
            yield _hit(item, path, port, f"Service {name}", has, found[0])


def _takes_target(ingress: Item, port: str | int, services: list[Item]) -> bool:
    """Whether the port is one of the pods' that the Services send to, and the controller may be one that takes it."""
    named = text(at(ingress.data, "spec", "ingressClassName"))
    named = named or text(metadata(ingress.data, "annotations").get("kubernetes.io/ingress.class"))
    if named and named.startswith(_EXACT):
        return False
    targets = [
        str(target) for item in services for target, _ in values_at(item.data, "spec.ports[].targetPort")
    ]
    return str(port) in targets or not all(map(_is_known, targets))


def _of_ingress(item: Item) -> Iterator[_Backend]:
    for where in ("spec.defaultBackend.service", "spec.rules[].http.paths[].backend.service"):
        for service, path in values_at(item.data, where):
            for field in ("name", "number"):
                port, name = at(service, "port", field), text(at(service, "name"))
                if name and _is_known(port) and port != _NO_PORT:
                    yield item.namespace, name, port, (*path, "port", field)


def _of_route(item: Item) -> Iterator[_Backend]:
    for backend, path in values_at(item.data, "spec.rules[].backendRefs[]"):
        name, port = text(at(backend, "name")), at(backend, "port")
        if (
            name
            and isinstance(port, int)
            and at(backend, "kind") in (None, "Service")
            and not at(backend, "group")
        ):
            yield text(at(backend, "namespace")) or item.namespace, name, port, (*path, "port")


def _of_traefik(item: Item) -> Iterator[_Backend]:
    for backend, path in values_at(item.data, "spec.routes[].services[]"):
        name, port = text(at(backend, "name")), at(backend, "port")
        if name and _is_known(port) and at(backend, "kind") in (None, "Service"):
            yield text(at(backend, "namespace")) or item.namespace, name, port, (*path, "port")


def _is_known(port: Any) -> bool:
    return isinstance(port, int) or (isinstance(port, str) and port != "" and not set("${<") & set(port))


def _ports(service: Item) -> list[str | int] | None:
    """The numbers and names of a Service's ports; None where they are not all known, or it is only another name for a
    host, which controllers ask at any port.
    """
    if at(service.data, "spec", "type") == "ExternalName":
        return None
    ports = [port for port, _ in values_at(service.data, "spec.ports[]")]
    found = [value for port in ports for value in (at(port, "port"), at(port, "name")) if value is not None]
    return found if ports and all(_is_known(value) for value in found) else None


def named_port_missing(graph: Graph, params: Params) -> Iterator[Hit]:
    """Names of ports that probes and Services use and no container has."""
    here = delivered(graph)
    pods = [item for group, kind in _PODS for item in here.of(group, kind)]
    for item in pods:
        yield from _probes(item)
    by_place: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in pods:
        by_place[item.meets, item.namespace].append(item)
    injected = {
        (item.meets, item.ref.name) for item in here.of("", "Namespace") if _asks_for_sidecars(item.data)
    }
    for service in here.of("", "Service"):
        where = (service.meets, service.namespace)
        if service.delivery.agent == _LOOSE or where in injected:
            continue
        yield from _targets(service, by_place.get(where, []))


def _probes(item: Item) -> Iterator[Hit]:
    for container in containers(item.data):
        names = [name for port, _ in values_at(container.data, "ports[]") if (name := text(at(port, "name")))]
        for probe in _PROBES:
            for action in ("httpGet", "tcpSocket"):
                port = at(container.data, probe, action, "port")
                if isinstance(port, str) and _is_known(port) and not port.isdigit() and port not in names:
                    what = f"container {at(container.data, 'name')} has none of that name"
                    yield _hit(item, (*container.path, probe, action, "port"), port, what, names, None)


def _targets(service: Item, pods: list[Item]) -> Iterator[Hit]:
    selector = at(service.data, "spec", "selector")
    if not isinstance(selector, dict) or not selector or at(service.data, "spec", "clusterIP") == "None":
        return  # DNS names all pods of a headless Service, whatever their ports
    chosen = [item for item in pods if selector.items() <= _labels(item.data).items()]
    if not chosen or any(_asks_for_sidecars(_template(item.data)) for item in chosen):
        return  # pods of a chart or of an operator, or with containers that the server puts in
    ports = {
        str(at(port, "name"))
        for item in chosen
        for container in containers(item.data)
        for port, _ in values_at(container.data, "ports[]")
        if at(port, "name")
    }
    if any(set("${<") & set(port) for port in ports):
        return
    for port, path in values_at(service.data, "spec.ports[].targetPort"):
        given = isinstance(port, str) and not port.isdigit() and not port.startswith(_INJECTED)
        if given and _is_known(port) and port not in ports:
            what = f"no container of {chosen[0].ref.kind} {chosen[0].ref.name} has it"
            yield _hit(service, path, port, what, sorted(ports), chosen[0])


def _template(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The pod of an object, or its template: what has `metadata` and a pod's `spec`."""
    found = pod_spec(dict(data))
    template = at(data, *found[1][:-1]) if found is not None else None
    return template if isinstance(template, dict) else {}


def _labels(data: Mapping[str, Any]) -> Mapping[str, Any]:
    return metadata(_template(data), "labels")


def _asks_for_sidecars(data: Mapping[str, Any]) -> bool:
    """Whether labels or annotations have the server put containers into the pods, which nobody here has written."""
    return any(
        _INJECTING.search(str(key)) and str(value).lower() not in _OFF
        for field in ("labels", "annotations")
        for key, value in metadata(data, field).items()
    )


def _hit(item: Item, path: Path, port: str | int, what: str, has: list[Any], other: Item | None) -> Hit:
    names = [str(each) for each in has if isinstance(each, str)]
    near = near_name(port, names) if isinstance(port, str) else None
    listed = ", ".join(dict.fromkeys(str(each) for each in has))
    told = (
        f'did you mean "{near}"?' if near is not None else f"known: {listed}" if listed else "it names none"
    )
    values = {
        "from": item.ref.kind, "source": item.ref.name, "port": port, "what": what, "has": told, "subject": str(port),
    }  # fmt: skip
    related: tuple[Related, ...] = ()
    if other is not None:
        place = other.object.origin(("metadata", "name"))
        related = (Related(place, f"{other.ref.kind} {other.ref.name}"),)
    return Hit(item.object.origin(path), values, related, item.affected)
