"""Checks across the objects of a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.agents.delivery import Delivery
from gitops_layout.graph.model import Graph
from gitops_layout.model import Affected, Hit, ObjectRef, Related
from gitops_layout.render.rendered import RenderedObject

__all__ = ["duplicate_object", "repeated_object"]

_MERGED = {"kustomize.toolkit.fluxcd.io/ssa": ("merge", "ifnotpresent", "ignore")}


def duplicate_object(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Objects that two deliveries of one cluster both own.

    Agents' deliveries only: overlays that no agent pulls are alternatives, not companions.
    """
    owners: dict[tuple[str, str, str, str, str], tuple[Delivery, RenderedObject]] = {}
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
                yield _hit(owners[key], (delivery, item))


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


def _hit(first: tuple[Delivery, RenderedObject], second: tuple[Delivery, RenderedObject]) -> Hit:
    (owner, kept), (delivery, item) = first, second
    place = item.origin(("metadata", "name"))
    other = kept.origin(("metadata", "name"))
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
