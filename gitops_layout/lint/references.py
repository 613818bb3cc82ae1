"""Reference rules: rows of an edge table, followed over all objects of a cluster.

Precision comes first: a name that is filled in later is not judged, and an object in a file that no
successful build reads counts as present on every cluster, since somebody may apply it by hand or the
build that reads it is the one that failed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gitops_layout.lint.facts import values_at
from gitops_layout.model import Affected, Hit, ObjectRef
from gitops_layout.rules.model import kind_matches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gitops_layout.graph.model import Graph
    from gitops_layout.model import Location, Path
    from gitops_layout.rules.model import Row, Rule

__all__ = ["World", "hits"]

_OPEN_NAME = re.compile(r"\$\{|\{\{|<<|<[A-Z_]+>")
"""Filled in later: Flux substitution, templates, ResourceSet inputs, placeholders."""


@dataclass(frozen=True, slots=True)
class _Object:
    ref: ObjectRef
    data: dict[str, Any]
    place: Callable[[Path], Location]
    affected: Affected
    namespace: str
    loose: bool = False
    """Nothing brings it, so on which cluster it would end up is a guess."""


@dataclass(slots=True)
class _Cluster:
    """The objects that deliveries bring to one cluster, by apiVersion and kind."""

    objects: dict[tuple[str, str], list[_Object]] = field(default_factory=lambda: defaultdict(list))


class World:
    """All objects, by the cluster they end up on."""

    def __init__(self, graph: Graph) -> None:
        self.clusters: dict[str, _Cluster] = defaultdict(_Cluster)
        rendered: set[str] = set()
        for delivery in graph.deliveries:
            result = graph.rendered.get(delivery.id)
            cluster = self.clusters[delivery.cluster]
            if result is None or result.failure is not None:
                continue
            for item in result.objects:
                affected = Affected(item.ref, delivery.id, delivery.environment, delivery.cluster)
                namespace = item.ref.namespace or delivery.target_namespace or ""
                found = _Object(item.ref, item.data, item.origin, affected, namespace)
                cluster.objects[item.ref.api_version, item.ref.kind].append(found)
            rendered |= result.files
        self.ambient = _Cluster()
        roots = {delivery.root.file: delivery for delivery in graph.deliveries}
        for resource in graph.repo.resources:
            if resource.file in rendered:
                continue
            owner = roots.get(resource.file)
            affected = Affected(resource.ref, None, *((owner.environment, owner.cluster) if owner else ()))
            place: Callable[[Path], Location] = lambda path, here=resource.location: here.at(*path)  # type: ignore[misc]  # noqa: E731
            found = _Object(resource.ref, resource.data, place, affected, resource.ref.namespace)
            self.ambient.objects[resource.ref.api_version, resource.ref.kind].append(found)
            if owner is not None and owner.root.path == resource.location.path:
                objects = self.clusters[owner.cluster].objects
                objects[resource.ref.api_version, resource.ref.kind].append(replace(found, loose=True))

    def of_kind(self, cluster: _Cluster, kinds: tuple[str, ...]) -> Iterator[_Object]:
        """The objects of a cluster whose kind is one of `kinds`."""
        for (version, kind), objects in cluster.objects.items():
            if kind_matches(kinds, ObjectRef(version, kind, "", "")):
                yield from objects


def hits(rule: Rule, world: World) -> Iterator[Hit]:
    """Every reference of the rule's rows that leads nowhere."""
    for row in rule.references:
        targets = {name: _Targets(row, world, cluster) for name, cluster in world.clusters.items()}
        for name, cluster in world.clusters.items():
            for start in world.of_kind(cluster, row.start):
                reachable = tuple(targets.values()) if start.loose else (targets[name],)
                for value, path in values_at(start.data, row.path):
                    yield from _follow(row, start, value, path, reachable)


class _Targets:
    """What a row's references can lead to on one cluster: names by kind, and wildcards."""

    def __init__(self, row: Row, world: World, cluster: _Cluster) -> None:
        self.row = row
        self.names: set[tuple[str, str, str]] = set()
        self.any_namespace: set[tuple[str, str]] = set()
        self.open = False
        here = world.clusters.values() if row.where == "any" else (cluster,)
        places = (*here, world.ambient)
        for target in (o for place in places for o in world.of_kind(place, row.to)):
            self.names.add((target.ref.kind, target.namespace, target.ref.name))
            self.any_namespace.add((target.ref.kind, target.ref.name))
            self.open = self.open or _OPEN_NAME.search(target.ref.name) is not None or not target.ref.name
        self.produced: set[str] = set()
        for producer in row.producers:
            for maker in (o for place in places for o in world.of_kind(place, (producer.kind,))):
                self._produce(maker, producer.name)

    def _produce(self, maker: _Object, name: str) -> None:
        if name == "*":
            self.open = True
            return
        for value, _ in values_at(maker.data, name):
            if isinstance(value, str):
                self.produced.add(value)
                self.open = self.open or _OPEN_NAME.search(value) is not None

    def has(self, kind: str | None, namespace: str, name: str) -> bool:
        if self.open or name in self.produced or name in self.row.given:
            return True
        kinds = (kind,) if kind is not None else {known for known, _ in self.any_namespace}
        if self.row.where != "namespace" or not namespace:
            return any((known, name) in self.any_namespace for known in kinds)
        return any((known, where, name) in self.names for known in kinds for where in (namespace, ""))


def _follow(
    row: Row, start: _Object, value: Any, path: Path, reachable: tuple[_Targets, ...]
) -> Iterator[Hit]:
    match value:
        case str(name):
            kind, namespace, where = None, start.namespace, path
        case {"name": str(name)} if value.get("optional") is not True:
            kind = value.get("kind")
            namespace = value.get("namespace") or start.namespace
            where = (*path, "name")
        case _:
            return
    wanted = [pattern.rpartition("/")[2] for pattern in row.to]
    if not name or _OPEN_NAME.search(f"{name}{namespace}{kind}") or (kind is not None and kind not in wanted):
        return
    if not any(targets.has(kind, namespace, name) for targets in reachable):
        shown = kind or " or ".join(wanted)
        facts = {
            "kind": shown,
            "name": name,
            "namespace": namespace,
            "subject": name,
            "from": str(start.ref.kind),
        }
        yield Hit(start.place(where), facts, affected=start.affected)
