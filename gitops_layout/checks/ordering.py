"""Checks of what has to be on a cluster before something else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from posixpath import normpath
from typing import Any

from gitops_layout.agents.context import text
from gitops_layout.agents.delivery import Delivery
from gitops_layout.checks.delivered import Item, affected, delivered, place, places
from gitops_layout.checks.mending import add
from gitops_layout.checks.near import with_article
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.model import Change, Hit, Path, Related

__all__ = ["definition_later", "path_form", "quantity"]

Params = Mapping[str, Any]


def definition_later(graph: Graph, params: Params) -> Iterator[Hit]:
    """Kustomizations whose custom resources are defined by another one that nothing makes them wait for."""
    here = delivered(graph)
    defined: dict[tuple[str, str, str], list[Item]] = defaultdict(list)
    for crd in here.of("apiextensions.k8s.io", "CustomResourceDefinition"):
        group, kind = text(at(crd.data, "spec", "group")), text(at(crd.data, "spec", "names", "kind"))
        if group and kind:
            defined[crd.delivery.cluster, group, kind].append(crd)
    if not defined:
        return
    order = _Order(graph, here)
    seen: set[tuple[str, str]] = set()
    for (group, kind), items in here.kinds.items():
        for item in items:
            crds = defined.get((item.delivery.cluster, group, kind))
            if not crds or item.delivery.kind != "Kustomization" or item.delivery.agent != "flux":
                continue
            owners = {crd.delivery.id for crd in crds}
            first = crds[0].delivery
            if owners & order.before(item.delivery) or (item.delivery.id, first.id) in seen or not first.live:
                continue
            seen.add((item.delivery.id, first.id))
            names = ("spec", "dependsOn") if item.delivery.depends_on else ("metadata", "name")
            owner = f"{first.kind} {first.namespace}/{first.name}"  # the same on every cluster
            values = {
                "name": item.delivery.name,
                "what": with_article(kind),
                "owner": first.name,
                "subject": owner,
            }
            related = (
                Related(item.object.origin(("kind",)), with_article(kind)),
                Related(crds[0].object.origin(("metadata", "name")), "its definition"),
            )
            entry = {"name": first.name}
            if first.namespace != item.delivery.namespace:
                entry["namespace"] = first.namespace
            same = first.kind == item.delivery.kind and first.agent == "flux"
            wait = ("spec", "dependsOn")
            changes = add(places(item.delivery), item.delivery.object, wait, entry) if same else ()
            yield Hit(place(item.delivery, *names), values, related, affected(item.delivery), changes)


class _Order:
    """Which deliveries are on a cluster before a given one: itself, what brings it, and what these depend on."""

    def __init__(self, graph: Graph, here: Any) -> None:
        self.known = {(d.kind, d.home, f"{d.namespace}/{d.name}"): d for d in graph.deliveries}
        self.parents: dict[tuple[str, str, str], list[Delivery]] = defaultdict(list)
        for item in here.of("kustomize.toolkit.fluxcd.io", "Kustomization"):
            namespace = item.namespace or "flux-system"
            key = ("Kustomization", item.delivery.cluster, f"{namespace}/{item.ref.name}")
            self.parents[key].append(item.delivery)
        self.memo: dict[str, frozenset[str]] = {}

    def before(self, delivery: Delivery) -> frozenset[str]:
        """The ids of those deliveries."""
        if delivery.id not in self.memo:
            found: set[str] = set()
            waiting = [delivery]
            while waiting:
                one = waiting.pop()
                if one.id in found:
                    continue
                found.add(one.id)
                needed = (self.known.get((one.kind, one.home, name)) for name in one.depends_on)
                waiting += [other for other in needed if other is not None]
                waiting += self.parents.get((one.kind, one.home, f"{one.namespace}/{one.name}"), ())
            self.memo[delivery.id] = frozenset(found)
        return self.memo[delivery.id]


def path_form(graph: Graph, params: Params) -> Iterator[Hit]:
    """Paths that the agent refuses by their form alone."""
    for delivery in graph.deliveries:
        if delivery.agent == "argocd":
            sources = at(delivery.object, "spec", "sources")
            listed: list[Path] = [("spec", "source", "path")]
            listed += [
                ("spec", "sources", n, "path")
                for n in range(len(sources) if isinstance(sources, list) else 0)
            ]
        elif delivery.agent == "flux" and delivery.kind == "Kustomization":
            listed = [("spec", "path")]
        else:
            continue
        for where in listed:
            written = text(at(delivery.object, *where))
            problem = written and _problem(graph, delivery, written)
            if problem:
                values = {"name": delivery.name, "path": written, "problem": problem, "subject": written}
                right = normpath(str(written).replace("\\", "/").lstrip("/"))
                changes = (Change("replace", place(delivery, *where), right),)
                folder = graph.repo.is_folder(right)
                yield Hit(place(delivery, *where), values, (), affected(delivery), changes if folder else ())


def _problem(graph: Graph, delivery: Delivery, path: str) -> str:
    if any(sign in path for sign in ("{{", "${")):
        return ""
    if "\\" in path:
        return "has a backslash, which no agent takes for a separator"
    if delivery.agent == "argocd" and path.startswith("/"):
        return "is absolute"
    if delivery.agent == "argocd" and normpath(path).startswith(".."):
        return "leads out of the repository"
    clean = normpath(path.lstrip("/"))
    return (
        "is a file; the agent wants a folder" if delivery.source.local and clean in graph.repo.entries else ""
    )


_SUSPICIOUS = {"memory": ("m",), "ephemeral-storage": ("m",), "cpu": ("Ki", "Mi", "Gi", "M", "G")}


def quantity(graph: Graph, params: Params) -> Iterator[Hit]:
    """Quantities with the other resource's unit: thousandths of a byte, mebibytes of processors."""
    from gitops_layout.k8s.pods import containers

    here = delivered(graph)
    kinds = [("apps", "Deployment", "StatefulSet", "DaemonSet"), ("batch", "Job", "CronJob"), ("", "Pod")]
    for item in (item for group, *names in kinds for item in here.of(group, *names)):
        for container in containers(item.data):
            for part in ("requests", "limits"):
                given = at(container.data, "resources", part)
                for name, value in given.items() if isinstance(given, dict) else ():
                    if isinstance(value, str) and value.endswith(_SUSPICIOUS.get(name, ("\0",))):
                        where = item.object.origin((*container.path, "resources", part, name))
                        shown = {"name": str(container.data.get("name")), "resource": name, "value": value}
                        unit = "thousandths of a byte" if name != "cpu" else "millions of processors"
                        meant = {"m": "Mi", "Mi": "m"}.get(value.lstrip("0123456789."))
                        number = value[: -len(value.lstrip("0123456789.")) or None]
                        changes = (Change("replace", where, f"{number}{meant}"),) if meant else ()
                        values = {**shown, "unit": unit, "subject": value}
                        yield Hit(where, values, item.named(where), item.affected, changes)
