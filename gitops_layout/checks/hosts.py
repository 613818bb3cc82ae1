"""Hosts of Ingresses: those that a certificate is for, against those that are served."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.checks.delivered import delivered
from gitops_layout.checks.objectlist import values_at
from gitops_layout.checks.podvalues import values_of_charts
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.model import Hit, Path

__all__ = ["certificate_for_another"]

_DEPTH = 40
_Odd = tuple[Path, str, str]
"""Where a host stands under `tls`, the host, and one that is served without a certificate."""


def certificate_for_another(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Hosts under `tls` that no rule serves where a rule's host is in no `tls`, in Ingresses and in charts' values."""
    for item in delivered(graph).of("networking.k8s.io", "Ingress"):
        spec = item.data.get("spec")
        for path, host, served in (
            _odd(spec, list(values_at(spec, "rules[].host"))) if isinstance(spec, dict) else ()
        ):
            values = {"host": host, "served": served, "subject": host}
            yield Hit(item.object.origin(("spec", *path)), values, (), item.affected)
    for place, data in values_of_charts(graph.repo):
        for path, host, served in _in_values(data, ()):
            yield Hit(place.at(*path), {"host": host, "served": served, "subject": host})


def _in_values(data: Any, path: Path) -> Iterator[_Odd]:
    if len(path) > _DEPTH:
        return
    if isinstance(data, dict) and isinstance(data.get("tls"), list) and isinstance(data.get("hosts"), list):
        hosts = [*values_at(data, "hosts[].host"), *values_at(data, "hosts[]")]
        for below, host, served in _odd(data, hosts):
            yield (*path, *below), host, served
    for step, value in (
        data.items() if isinstance(data, dict) else enumerate(data if isinstance(data, list) else ())
    ):
        if isinstance(value, dict | list):
            yield from _in_values(value, (*path, step))


def _odd(data: Mapping[str, Any], hosts: list[tuple[Any, Path]]) -> Iterator[_Odd]:
    served = [host for host, _ in hosts if isinstance(host, str) and host]
    secured = [
        (host, path) for host, path in values_at(data, "tls[].hosts[]") if isinstance(host, str) and host
    ]
    if any(
        not isinstance(hosts_, list) or not hosts_
        for hosts_ in (at(t, "hosts") for t in _listed(data.get("tls")))
    ):
        return  # one without hosts is for all of them
    open_ = [host for host in served if not any(_covers(name, host) for name, _ in secured)]
    for name, path in secured if open_ else ():
        if not any(_covers(name, host) or _covers(host, name) for host in served):
            yield path, name, open_[0]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _covers(name: str, host: str) -> bool:
    """Whether a certificate for `name` is good for `host`."""
    return name == host or (name.startswith("*.") and host.partition(".")[2] == name[2:])
