"""Everything that is applied, looked up by kind: what deliveries bring, and the agents' own objects that nobody brings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gitops_layout.agents.delivery import Delivery
from gitops_layout.checks.once import once
from gitops_layout.graph.model import Graph
from gitops_layout.model import Affected, Location, ObjectRef, Path
from gitops_layout.values import dataclass

__all__ = ["Applied", "applied"]


@dataclass(frozen=True, slots=True)
class Applied:
    """An object on a cluster, the delivery that brings it (an agent's root object: its own), and its places."""

    ref: ObjectRef
    data: Mapping[str, Any]
    delivery: Delivery
    origin: Callable[[Path], Location]

    @property
    def affected(self) -> Affected:
        """Where a finding about it shows."""
        return Affected(self.ref, self.delivery.id, self.delivery.environment, self.delivery.cluster)

    @property
    def namespace(self) -> str:
        """Where it ends up, as far as that is known."""
        return self.ref.namespace or self.delivery.target_namespace or ""


_Index = Mapping[tuple[str, str], list[Applied]]


def applied(graph: Graph, group: str, *kinds: str) -> Iterator[Applied]:
    """The applied objects of these kinds of one API group; the rules of one run share the index."""
    index = _index(graph)
    for kind in kinds:
        yield from index.get((group, kind), ())


@once
def _index(graph: Graph) -> _Index:
    found: dict[tuple[str, str], list[Applied]] = {}
    brought: set[int] = set()
    for delivery in graph.deliveries:
        rendered = graph.rendered.get(delivery.id)
        for item in rendered.objects if rendered is not None else ():
            brought.add(id(item.data))
            key = (item.ref.group, item.ref.kind)
            found.setdefault(key, []).append(Applied(item.ref, item.data, delivery, item.origin))
    for delivery in graph.deliveries:
        version, kind = delivery.object.get("apiVersion"), delivery.object.get("kind")
        if not isinstance(version, str) or not isinstance(kind, str) or id(delivery.object) in brought:
            continue
        if delivery.origin is None:
            ref = ObjectRef(version, kind, delivery.namespace, delivery.name)
            found.setdefault((ref.group, kind), []).append(
                Applied(ref, delivery.object, delivery, _below(delivery.root))
            )
    _add_sources(graph, found)
    return found


def _add_sources(graph: Graph, found: dict[tuple[str, str], list[Applied]]) -> None:
    """Sources that deliveries name and nobody brings: somebody applied them by hand."""
    users = {d.source.defined: d for d in graph.deliveries if d.source.defined is not None and d.live}
    known = {
        item.origin(())
        for items in found.values()
        for item in items
        if items[0].ref.group.startswith("source.")
    }
    if users.keys() <= known:
        return
    for resource in graph.repo.resources:
        user = users.get(resource.location)
        if user is not None and resource.location not in known:
            item = Applied(resource.ref, resource.data, user, _below(resource.location))
            found.setdefault((resource.ref.group, resource.ref.kind), []).append(item)


def _below(root: Location) -> Callable[[Path], Location]:
    return lambda path: root.at(*path)
