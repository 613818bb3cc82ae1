"""Image automation and notification of Flux: what names what, and who writes where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gitops_layout.checks.near import near_name
from gitops_layout.graph.model import Graph
from gitops_layout.model import Affected, Hit

if TYPE_CHECKING:
    from gitops_layout.graph.automation import Automation, Marker, Reference, Update

__all__ = [
    "marker_outside_path",
    "marker_unknown_policy",
    "policies_elsewhere",
    "reference_missing",
    "selects_nothing",
]

Params = Mapping[str, Any]

_KINDS = ("ImageUpdateAutomation", "ImagePolicy", "Alert", "Receiver")


def _known(graph: Graph) -> Automation | None:
    """All of it; None where no object of image automation or notification stands in the repository."""
    present = any(resource.ref.kind in _KINDS for resource in graph.repo.resources) or any(
        item.ref.kind in _KINDS for rendered in graph.rendered.values() for item in rendered.objects
    )
    if not present:
        return None
    from gitops_layout.graph.automation import automation

    return automation(graph)


def _open(*names: str) -> bool:
    return any("${" in name or "<<" in name or "{{" in name for name in names)


def reference_missing(graph: Graph, params: Params) -> Iterator[Hit]:
    """References of the kinds `from` to nothing on their cluster; unknown ones are not told."""
    known = _known(graph)
    for reference in known.references if known is not None else ():
        near = near_name(reference.name, reference.beside) if reference.found is None else None
        if (reference.found is False or near) and reference.object.kind in params["from"]:
            if reference.kind == "GitRepository" and reference.object.kind == "ImageUpdateAutomation":
                continue  # the source may be made by bootstrap
            if not _open(reference.name, reference.namespace):
                yield _reference(reference)


def _reference(reference: Reference) -> Hit:
    named = f"{reference.kind} {reference.name}" if reference.name != "*" else f"any {reference.kind}"
    values = {
        "from": reference.object.kind,
        "source": reference.object.name,
        "named": named,
        "namespace": reference.namespace,
        "subject": named,
    }
    return Hit(reference.location, values, affected=Affected(reference.object, cluster=reference.cluster))


def marker_unknown_policy(graph: Graph, params: Params) -> Iterator[Hit]:
    """Markers of live files that name an ImagePolicy which no cluster has, unless what was not seen may bring it."""
    known = _known(graph)
    if known is None or not known.updates:
        return
    missing = [
        marker
        for marker in known.markers
        if not marker.policies
        and graph.is_live(marker.location.file)
        and not _open(marker.name, marker.namespace)
    ]
    if not missing:
        return
    policies = _policies(graph)
    unseen = _unseen_namespaces(graph)
    for marker in missing:
        beside = (name for _, namespace, name in policies if namespace in ("", marker.namespace))
        if not unseen.intersection((marker.namespace, None)) or near_name(marker.name, beside):
            yield _marker(marker, named=f"{marker.namespace}:{marker.name}")


def _policies(graph: Graph) -> list[tuple[str, str, str]]:
    """Cluster, namespace and name of every ImagePolicy that is delivered."""
    return [
        (delivery.cluster, item.ref.namespace, item.ref.name)
        for delivery in graph.deliveries
        for item in graph.rendered[delivery.id].objects
        if item.ref.kind == "ImagePolicy" and item.ref.group == "image.toolkit.fluxcd.io"
    ]


def _unseen_namespaces(graph: Graph) -> set[str | None]:
    """Where there may be more than we see; None is everywhere. A chart mostly brings things to its own namespace."""
    failed = [d for d in graph.deliveries if d.live and graph.rendered[d.id].failure is not None]
    return {
        (delivery.target_namespace or delivery.namespace)
        if delivery.renderer == "chart" and "flux" not in f"{delivery.name} {delivery.source.chart}"
        else None
        for delivery in failed
    }


def marker_outside_path(graph: Graph, params: Params) -> Iterator[Hit]:
    """Markers whose policy exists and whose file no automation of this repository writes to."""
    known = _known(graph)
    if known is None or not any(update.own for update in known.updates):
        return
    if any(update.own is None for update in known.updates):
        return
    for marker in known.markers:
        idle = marker.policies and not marker.updates and marker.part is not None
        if idle and graph.is_live(marker.location.file):
            yield _marker(marker, named=f"{marker.namespace}:{marker.name}")


def _marker(marker: Marker, *, named: str) -> Hit:
    return Hit(marker.location, {"policy": named, "file": marker.location.file, "subject": named})


def selects_nothing(graph: Graph, params: Params) -> Iterator[Hit]:
    """Automations whose selector takes no policy of their namespace, which has some."""
    yield from (_update(update) for update in _idle(graph) if update.selector is not None)


def policies_elsewhere(graph: Graph, params: Params) -> Iterator[Hit]:
    """Automations in a namespace without any policy, while the cluster has policies in others."""
    yield from (_update(update) for update in _idle(graph) if update.selector is None)


def _idle(graph: Graph) -> Iterator[Update]:
    """Automations that act on no policy of a cluster that has some."""
    known = _known(graph)
    if known is None or not known.updates:
        return
    unseen = {
        d.cluster
        for d in graph.deliveries
        if d.live and (graph.rendered[d.id].failure or graph.rendered[d.id].unseen)
    }
    policies = _policies(graph)
    for update in known.updates:
        here = {namespace for cluster, namespace, _ in policies if cluster == update.cluster}
        if update.cluster in unseen or not here or "" in here:
            continue
        takes_none = update.namespace not in here or (
            update.selector is not None and not _taken(graph, update)
        )
        if takes_none:
            yield update


def _taken(graph: Graph, update: Update) -> bool:
    from gitops_layout.agents.applicationset.model import StopError
    from gitops_layout.agents.applicationset.selector import selects

    try:
        test = selects(update.selector, ())
    except StopError:
        return True
    return any(
        test(labels if isinstance(labels, dict) else {})
        for delivery in graph.deliveries
        if delivery.cluster == update.cluster
        for item in graph.rendered[delivery.id].objects
        if item.ref.kind == "ImagePolicy" and item.ref.namespace in ("", update.namespace)
        for labels in (item.data.get("metadata", {}).get("labels"),)
    )


def _update(update: Update) -> Hit:
    values = {
        "source": update.object.name,
        "namespace": update.namespace,
        "subject": update.object.name,
    }
    return Hit(
        update.location.at("metadata", "name"),
        values,
        affected=Affected(update.object, cluster=update.cluster),
    )
