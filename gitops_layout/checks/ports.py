"""Ports that are named on one side and have to be there on the other: of Services by routes, of pods by Services and
probes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.agents.context import at, text
from gitops_layout.checks.delivered import Item, delivered
from gitops_layout.checks.near import near_name
from gitops_layout.checks.objectlist import values_at
from gitops_layout.graph.model import Graph
from gitops_layout.k8s.pods import containers, pod_spec
from gitops_layout.model import Hit, Path, Related

__all__ = ["named_port_missing", "route_port_missing"]

Params = Mapping[str, Any]
_GATEWAY = "gateway.networking.k8s.io"
_ROUTES = ("HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute", "UDPRoute")
_PODS = (("", "Pod"), ("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "DaemonSet"), ("batch", "Job"),
         ("batch", "CronJob"), ("argoproj.io", "Rollout"))  # fmt: skip
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
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
        services[service.delivery.cluster, service.namespace, service.ref.name].append(service)
    for item, backends in routes:
        if item.delivery.agent == _LOOSE:
            continue
        for namespace, name, port, path in backends(item):
            found = services.get((item.delivery.cluster, namespace, name), [])
            known = [ports for service in found if (ports := _ports(service)) is not None]
            if not found or len(known) < len(found) or any(port in ports for ports in known):
                continue
            has = [each for ports in known for each in ports]
            yield _hit(item, path, port, f"Service {name}", has, found[0])


def _of_ingress(item: Item) -> Iterator[_Backend]:
    for where in ("spec.defaultBackend.service", "spec.rules[].http.paths[].backend.service"):
        for service, path in values_at(item.data, where):
            for field in ("name", "number"):
                port, name = at(service, "port", field), text(at(service, "name"))
                if name and _is_known(port):
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
    """The numbers and names of a Service's ports; None where they are not all known."""
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
        by_place[item.delivery.cluster, item.namespace].append(item)
    for service in here.of("", "Service"):
        if service.delivery.agent == _LOOSE:
            continue
        yield from _targets(service, by_place.get((service.delivery.cluster, service.namespace), []))


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
    if not isinstance(selector, dict) or not selector:
        return
    chosen = [item for item in pods if selector.items() <= _labels(item.data).items()]
    if not chosen:
        return  # pods of a chart, or of an operator
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
        if isinstance(port, str) and _is_known(port) and not port.isdigit() and port not in ports:
            what = f"no container of {chosen[0].ref.kind} {chosen[0].ref.name} has it"
            yield _hit(service, path, port, what, sorted(ports), chosen[0])


def _labels(data: Mapping[str, Any]) -> Mapping[str, Any]:
    found = pod_spec(dict(data))
    labels = at(data, *found[1][:-1], "metadata", "labels") if found is not None else None
    return labels if isinstance(labels, dict) else {}


def _hit(item: Item, path: Path, port: str | int, what: str, has: list[Any], other: Item | None) -> Hit:
    names = [str(each) for each in has if isinstance(each, str)]
    near = near_name(port, names) if isinstance(port, str) else None
    listed = ", ".join(dict.fromkeys(str(each) for each in has))
    told = (
        f'did you mean "{near}"?' if near is not None else f"known: {listed}" if listed else "it names none"
    )
    values = {
        "from": item.ref.kind, "source": item.ref.name, "port": port, "what": what, "has": told, "subject": f"{what} {port}",
    }  # fmt: skip
    related: tuple[Related, ...] = ()
    if other is not None:
        place = other.object.origin(("metadata", "name"))
        related = (Related(place, f"{other.ref.kind} {other.ref.name}"),)
    return Hit(item.object.origin(path), values, related, item.affected)
