"""Deliveries with several sources, rendered source by source and joined as Argo CD joins them.

Facts: argo-cd v3.6.1, controller/state.go. Argo CD renders all sources or applies nothing; we show what
those bring that can be rendered, and name the others as not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gitops_layout.agents.delivery import Delivery
from gitops_layout.model import Unchecked
from gitops_layout.render.rendered import Rendered, RenderedObject

__all__ = ["joined", "sources"]


def sources(delivery: Delivery) -> tuple[Delivery, ...]:
    """The parts that are rendered each by itself, with ids of their own; most deliveries are one."""
    if not delivery.parts:
        return (delivery,)
    count = len(delivery.parts)
    return tuple(
        replace(part, id=f"{delivery.id}, source {number} of {count}")
        for number, part in enumerate(delivery.parts, 1)
    )


def joined(delivery: Delivery, parts: Sequence[Rendered]) -> Rendered:
    """What all parts bring together. Of objects with one name the last counts, as Argo CD warns."""
    objects = [item for part in parts for item in part.objects]
    if delivery.agent != "argocd":
        return parts[0]
    kept, repeated = _last(objects)
    if len(parts) == 1:
        return parts[0] if not repeated else replace(parts[0], objects=kept, repeated=repeated)
    failures = [part.failure for part in parts if part.failure is not None]
    failed = len(failures) == len(parts)
    unseen = [entry for part in parts for entry in part.unseen] + failures[1 if failed else 0 :]
    return Rendered(
        delivery.id,
        kept,
        frozenset().union(*(part.files for part in parts)),
        _of(failures[0], delivery) if failed else None,
        tuple(_of(entry, delivery) for entry in unseen),
        next((part.declined for part in parts if part.declined is not None), None),
        repeated,
    )


def _of(entry: Unchecked, delivery: Delivery) -> Unchecked:
    return replace(entry, delivery=delivery.id)


def _last(
    objects: Sequence[RenderedObject],
) -> tuple[tuple[RenderedObject, ...], tuple[RenderedObject, ...]]:
    """The objects that count, and those that a later one of the same name replaces."""
    last: dict[tuple[str, str, str, str], int] = {}
    for index, item in enumerate(objects):
        ref = item.ref
        if ref.name:  # those with a generated name are all different
            last[ref.group, ref.kind, ref.namespace, ref.name] = index
    if len(last) == len(objects):
        return tuple(objects), ()
    counted = set(last.values())
    kept = [item for index, item in enumerate(objects) if index in counted or not item.ref.name]
    repeated = [item for index, item in enumerate(objects) if index not in counted and item.ref.name]
    return tuple(kept), tuple(repeated)
