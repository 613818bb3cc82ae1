"""Checks of a change: what it does to objects that run. Silent without a revision to compare with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.checks.once import once
from gitops_layout.diff import Effect, What, compare, effects
from gitops_layout.graph.model import Graph
from gitops_layout.model import Affected, Hit, Location

__all__ = ["dangerous_removal", "immutable_field", "ownership_move"]

_HOLDS = {"Namespace", "CustomResourceDefinition", "PersistentVolumeClaim", "StatefulSet", "PersistentVolume"}


def immutable_field(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Fields that no live object may change."""
    for effect in _effects(graph):
        if effect.what not in (What.REFUSED, What.RECREATED):
            continue
        item = next((i for i in graph.rendered[effect.delivery].objects if i.ref == effect.ref), None)
        if item is not None:
            yield _hit(graph, effect, item.origin(effect.path))


def dangerous_removal(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Objects that hold others, or data, and that the agent deletes."""
    for effect in _effects(graph):
        if effect.what is What.PRUNED and effect.ref.kind in _HOLDS:
            yield _hit(graph, effect, _deliverer(graph, effect.delivery))


def ownership_move(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Objects that go from one pruning owner to another: the first may delete what the second has just applied."""
    pruning = {d.id for d in (graph.before.deliveries if graph.before else ()) if d.sync.prune}
    for effect in _effects(graph):
        if effect.what is What.MOVED and effect.delivery in pruning:
            item = next(i for i in graph.rendered[effect.to or ""].objects if _same(i.ref, effect.ref))
            yield _hit(graph, effect, item.origin(("metadata", "name")))


def _same(one: Any, other: Any) -> bool:
    return (one.group, one.kind, one.namespace, one.name) == (
        other.group,
        other.kind,
        other.namespace,
        other.name,
    )


@once
def _effects(graph: Graph) -> tuple[Effect, ...]:
    return tuple(effects(compare(graph.before, graph))) if graph.before is not None else ()


def _hit(graph: Graph, effect: Effect, place: Location) -> Hit:
    known = (*graph.deliveries, *(graph.before.deliveries if graph.before else ()))
    delivery = next((d for d in known if d.id == effect.delivery), None)
    affected = Affected(
        effect.ref,
        effect.delivery,
        delivery.environment if delivery else None,
        delivery.cluster if delivery else None,
    )
    values = {"object": str(effect.ref), "why": effect.why, "to": effect.to or "", "subject": str(effect.ref)}
    return Hit(place, {**values, "delivery": effect.delivery}, affected=affected)


def _deliverer(graph: Graph, name: str) -> Location:
    """Where an object left from: its delivery, or whoever brought that, or else the nearest file that is still there."""
    now = {delivery.id: delivery for delivery in graph.deliveries}
    before = {delivery.id: delivery for delivery in graph.before.deliveries} if graph.before else {}
    here: str | None = name
    for _ in range(len(before)):
        if here in now:
            return now[here].place("path")
        gone = before.get(here or "")
        here = _parent(graph, gone.kind, gone.namespace, gone.name) if gone is not None else None
        if here is None:
            break
    folder = before[name].root.file.rpartition("/")[0] if name in before else ""
    while True:
        found = next((file for file in graph.repo.under(folder) if file in graph.live or not folder), None)
        if found is not None or not folder:
            return Location(found or next(iter(graph.repo.files), ""))
        folder = folder.rpartition("/")[0]


def _parent(graph: Graph, kind: str, namespace: str, name: str) -> str | None:
    for delivery, rendered in (graph.before.rendered if graph.before else {}).items():
        if any(
            (i.ref.kind, i.ref.namespace, i.ref.name) == (kind, namespace, name) for i in rendered.objects
        ):
            return delivery
    return None
