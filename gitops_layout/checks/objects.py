"""Checks across the objects of a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.agents.delivery import Delivery
from gitops_layout.checks.flux import sync_path
from gitops_layout.graph.model import Graph
from gitops_layout.model import Affected, Hit, Location, ObjectRef, Related
from gitops_layout.render.rendered import RenderedObject

__all__ = ["duplicate_object", "repeated_object"]

_AGENTS = frozenset({"argoproj.io", "kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io"})
_Owned = tuple[Delivery, RenderedObject]
_MERGED = {"kustomize.toolkit.fluxcd.io/ssa": ("merge", "ifnotpresent", "ignore")}


def duplicate_object(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Objects that two deliveries of one cluster both own.

    Agents' deliveries only: overlays that no agent pulls are alternatives, not companions. Nor are two roots that
    somebody applies by hand, when each brings agents' objects of its own under the same names: they bootstrap two
    clusters, whatever folder they lie in. What comes twice because a sync object delivers another cluster's folder is
    told there.
    """
    found = list(_twice(graph))
    top = _tops(graph) if found else {}
    astray = {hit.affected.delivery for hit in sync_path(graph, params)} if found else set()
    found = [pair for pair in found if astray.isdisjoint((top[pair[0][0].id], top[pair[1][0].id]))]
    alternatives = {
        frozenset((top[first[0].id], top[second[0].id]))
        for first, second in found
        if second[1].ref.group in _AGENTS and _name(first[1]) != _name(second[1])
        if {first[0].id, second[0].id} == {top[first[0].id], top[second[0].id]}
    }
    shared: dict[tuple[str, str], list[Hit]] = {}
    for first, second in found:
        if frozenset((top[first[0].id], top[second[0].id])) in alternatives:
            continue
        if _name(first[1]) == _name(second[1]):
            shared.setdefault((first[0].id, second[0].id), []).append(_hit(first, second))
        else:
            yield _hit(first, second)
    for hits in shared.values():
        yield from _once(hits)


def _once(hits: list[Hit]) -> Iterator[Hit]:
    """What two deliveries read from the same files is one mistake: a base that both of them list."""
    more = f" and {len(hits) - 1} more" if len(hits) > 1 else ""
    values = {**hits[0].values, "object": f"{hits[0].values['object']}{more}"}
    for hit in hits:
        yield Hit(hits[0].location, values, hits[0].related, hit.affected)


def _twice(graph: Graph) -> Iterator[tuple[_Owned, _Owned]]:
    """Each object that has an owner already, after that owner."""
    owners: dict[tuple[str, str, str, str, str], _Owned] = {}
    for delivery in graph.deliveries:
        if delivery.agent not in ("flux", "argocd") or not delivery.live:
            continue
        for item in graph.rendered[delivery.id].objects:
            namespace = item.ref.namespace or delivery.target_namespace or ""
            key = (delivery.cluster, item.ref.group, item.ref.kind, namespace, item.ref.name)
            if _is_merged(item):
                continue
            if key not in owners:
                owners[key] = delivery, item
            elif owners[key][0].id != delivery.id:
                yield owners[key], (delivery, item)


def _tops(graph: Graph) -> dict[str, str]:
    """Each delivery's id → the id of the delivery that nothing delivers and that brings it in the end."""
    above = {
        id(item.data): delivery.id
        for delivery in graph.deliveries
        for item in graph.rendered[delivery.id].objects
        if item.ref.group in _AGENTS
    }
    parents = {delivery.id: above.get(id(delivery.object)) for delivery in graph.deliveries}
    tops = {}
    for identity in parents:
        top, seen = identity, {identity}
        while (parent := parents.get(top)) is not None and parent not in seen:
            top = parent
            seen.add(parent)
        tops[identity] = top
    return tops


def _name(item: RenderedObject) -> Location:
    return item.origin(("metadata", "name"))


def repeated_object(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Objects that one Application brings more than once: Argo CD applies the last."""
    for delivery in graph.deliveries:
        rendered = graph.rendered[delivery.id]
        if not rendered.repeated:
            continue
        kept = {
            (item.ref.group, item.ref.kind, item.ref.namespace, item.ref.name): item
            for item in rendered.objects
        }
        for item in rendered.repeated:
            last = kept[item.ref.group, item.ref.kind, item.ref.namespace, item.ref.name]
            ref = ObjectRef(item.ref.api_version, item.ref.kind, item.ref.namespace, item.ref.name)
            values = {"object": str(ref), "delivery": delivery.name, "subject": str(ref)}
            related = (Related(last.origin(("metadata", "name")), "this one is applied"),)
            affected = Affected(ref, delivery.id, delivery.environment, delivery.cluster)
            yield Hit(item.origin(("metadata", "name")), values, related, affected)


def _hit(first: _Owned, second: _Owned) -> Hit:
    (owner, kept), (delivery, item) = first, second
    place, other = _name(item), _name(kept)
    same = other == place
    caption = f"delivered by {owner.id}"
    related = [Related(owner.root if same else other, caption)]
    if same:
        related.append(Related(delivery.root, f"delivered by {delivery.id}"))
    ref = ObjectRef(item.ref.api_version, item.ref.kind, item.ref.namespace, item.ref.name)
    values = {
        "object": str(ref),
        "first": owner.id,
        "second": delivery.id,
        "cluster": delivery.cluster,
        "subject": str(ref),
    }
    affected = Affected(ref, delivery.id, delivery.environment, delivery.cluster)
    return Hit(place, values, tuple(related), affected)


def _is_merged(item: RenderedObject) -> bool:
    """Whether the agent was told to share the object with another owner."""
    metadata = item.data.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if not isinstance(annotations, dict):
        return False
    return any(str(annotations.get(name, "")).lower() in words for name, words in _MERGED.items())
