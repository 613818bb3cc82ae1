"""Two graphs compared, delivery by delivery. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitops_layout.diff.objects import ObjectChange, object_changes
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gitops_layout.agents.delivery import Delivery
    from gitops_layout.graph.model import Graph
    from gitops_layout.model import ObjectRef, Unchecked

__all__ = ["DeliveryDiff", "compare"]


@dataclass(frozen=True, slots=True)
class DeliveryDiff:
    """What a delivery brings now and did not, or the other way round.

    `before` or `after` is None where there is no such delivery on that side; `unseen` says why a side
    could not be rendered: its objects are then not known to have come or gone, and `objects` is empty.
    """

    id: str
    before: Delivery | None
    after: Delivery | None
    objects: tuple[ObjectChange, ...]
    unseen: tuple[Unchecked, ...] = ()


def compare(before: Graph, after: Graph, *, environment: str | None = None) -> Iterator[DeliveryDiff]:
    """The live deliveries that differ, in order of id; of one environment only, where one is named."""
    old = {delivery.id: delivery for delivery in before.deliveries if delivery.live}
    new = {delivery.id: delivery for delivery in after.deliveries if delivery.live}
    for name in sorted({*old, *new}):
        sides = [side for side in (old.get(name), new.get(name)) if side is not None]
        if environment is not None and all(side.environment != environment for side in sides):
            continue
        failures = [_failure(graph, name) for graph in (before, after)]
        unseen = tuple(dict.fromkeys(failure for failure in failures if failure is not None))
        objects = () if unseen else tuple(object_changes(_objects(before, name), _objects(after, name)))
        if objects or (unseen and failures[0] != failures[1]) or (name in old) != (name in new):
            yield DeliveryDiff(name, old.get(name), new.get(name), objects, unseen)


def _failure(graph: Graph, name: str) -> Unchecked | None:
    rendered = graph.rendered.get(name)
    return rendered.failure if rendered is not None else None


def _objects(graph: Graph, name: str) -> Iterable[tuple[ObjectRef, Mapping[str, object]]]:
    rendered = graph.rendered.get(name)
    return ((item.ref, item.data) for item in rendered.objects) if rendered is not None else ()
