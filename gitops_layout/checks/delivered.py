"""What deliveries bring, looked up by kind: made once a graph, shared by all checks, and only when one asks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from gitops_layout.agents.delivery import Delivery
from gitops_layout.checks.once import once
from gitops_layout.graph.model import Graph
from gitops_layout.model import Affected, Location, ObjectRef, Path, Related
from gitops_layout.render.rendered import RenderedObject
from gitops_layout.values import dataclass

__all__ = ["Delivered", "Item", "affected", "delivered", "inside", "meeting", "metadata", "place", "places"]


@dataclass(frozen=True, slots=True)
class Item:
    """One delivered object; `namespace` is where it ends up, empty when cluster-scoped or unknown."""

    delivery: Delivery
    object: RenderedObject
    namespace: str

    @property
    def ref(self) -> ObjectRef:
        """The object's identity as it is written."""
        return self.object.ref

    @property
    def data(self) -> dict[str, Any]:
        """The object itself, shared: never write into it."""
        return self.object.data

    @property
    def meets(self) -> str:
        """What is the same for all objects that it meets on a server."""
        return meeting(self.delivery)

    @property
    def affected(self) -> Affected:
        """Where a finding about it shows."""
        return Affected(self.ref, self.delivery.id, self.delivery.environment, self.delivery.cluster)

    def named(self, location: Location) -> tuple[Related, ...]:
        """The object's name as the other end, where the finding stands in another file."""
        name = self.object.origin(("metadata", "name"))
        return () if name.file == location.file else (Related(name, f"in {self.ref.kind} {self.ref.name}"),)


class Delivered:
    """The objects of a graph's deliveries in their order, by (group, kind)."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        kinds: dict[tuple[str, str], list[Item]] = defaultdict(list)
        for delivery in graph.deliveries:
            target = delivery.target_namespace or ""
            for item in graph.rendered[delivery.id].objects:
                ref = item.ref
                kinds[ref.group, ref.kind].append(Item(delivery, item, ref.namespace or target))
        self.kinds: Mapping[tuple[str, str], Sequence[Item]] = kinds

    def of(self, group: str, *kinds: str) -> Iterator[Item]:
        """Every object of these kinds of one group."""
        for kind in kinds:
            yield from self.kinds.get((group, kind), ())

    def __iter__(self) -> Iterator[Item]:
        return (item for items in self.kinds.values() for item in items)

    @cached_property
    def annotated(self) -> Mapping[str, Sequence[Item]]:
        """Objects by the domain (what stands before the slash) of their annotations and labels."""
        found: dict[str, dict[int, Item]] = defaultdict(dict)
        for item in self:
            for field in ("annotations", "labels"):
                for key in metadata(item.data, field):
                    if "/" in key:
                        found[key.partition("/")[0]][id(item)] = item
        return {domain: tuple(items.values()) for domain, items in found.items()}


def meeting(delivery: Delivery) -> str:
    """The cluster of what an agent delivers; what none does may be anybody's example, and meets only what comes with it."""
    return delivery.cluster if delivery.live and delivery.cluster else delivery.id


@once
def delivered(graph: Graph) -> Delivered:
    """The graph's objects by kind; all checks of one run share them."""
    return Delivered(graph)


def metadata(data: Mapping[str, Any], field: str) -> dict[str, Any]:
    """An object's `annotations` or `labels`; empty where there are none."""
    inside = data.get("metadata")
    found = inside.get(field) if isinstance(inside, dict) else None
    return found if isinstance(found, dict) else {}


def place(delivery: Delivery, *path: str | int) -> Location:
    """Where a field of the agent object stands: where its render has it from, else in the object's file."""
    return delivery.origin(path) if delivery.origin is not None else delivery.root.at(*path)


def places(delivery: Delivery) -> Callable[[Path], Location]:
    """Where each field of the agent object stands."""
    return lambda path: place(delivery, *path)


def affected(delivery: Delivery) -> Affected:
    """Where a finding about an agent object shows."""
    version, kind = delivery.object.get("apiVersion"), delivery.object.get("kind")
    known = isinstance(version, str) and isinstance(kind, str)
    ref = ObjectRef(str(version), str(kind), delivery.namespace, delivery.name) if known else None
    return Affected(ref, delivery.id, delivery.environment, delivery.cluster)


def inside(data: Any, path: Path) -> bool:
    """Whether the value at `path` is written."""
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return False
    return True
