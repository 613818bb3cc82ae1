"""What an environment of a repository desires: the reconciler's input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gitops_layout.agents import argocd
from gitops_layout.agents.delivery import Delivery
from gitops_layout.cli.loading import find_root, load
from gitops_layout.errors import UserError
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.model import Location, ObjectRef, Unchecked

__all__ = ["desired_objects"]

_AGENT_GROUPS = (".toolkit.fluxcd.io", "fluxcd.controlplane.io")
_ARGOCD_KINDS = frozenset({"Application", "ApplicationSet", "AppProject"})


def desired_objects(
    repo_path: Path, revision: str | None, environment: str
) -> tuple[list[tuple[dict[str, Any], Location | None]], list[Unchecked]]:
    """Every object that the environment's deliveries yield, with its source, and what could not be rendered.

    Agents' own objects are followed, not applied: the reconciler stands in for the agent, and creates the
    namespaces that the agent would. An object without a namespace gets the delivery's. Raises UserError for an environment that nobody delivers to.
    """
    graph = load(find_root(repo_path), revision=revision, exact=True).graph
    wanted = _of_environment(graph, environment)
    objects: list[tuple[dict[str, Any], Location | None]] = [
        (_with_namespace(item.data, delivery), item.origin(()))
        for delivery in wanted
        if graph.rendered[delivery.id].failure is None
        for item in graph.rendered[delivery.id].objects
        if not _executed(item.ref)
    ]
    objects += _namespaces(wanted, [data for data, _ in objects])
    names = {delivery.id for delivery in wanted}
    unchecked = [entry for entry in graph.unchecked if entry.delivery is None or entry.delivery in names]
    return objects, unchecked


def _of_environment(graph: Graph, environment: str) -> list[Delivery]:
    """The environment's deliveries, and those of its clusters that belong to no environment."""
    live = [delivery for delivery in graph.deliveries if delivery.live]
    own = [delivery for delivery in live if delivery.environment == environment]
    if not own:
        known = ", ".join(e.name for e in graph.environments) or "none"
        raise UserError(f"no delivery belongs to environment {environment!r}", f"known environments: {known}")
    clusters = {delivery.cluster for delivery in own if delivery.cluster}
    # Our own agent delivers the same folder to each of an environment's clusters, and this run is for one.
    own = list({d.source.path if d.agent == "kustomize" else d.id: d for d in own}.values())
    shared = [d for d in live if d.environment is None and d.cluster in clusters]
    return sorted((*own, *shared), key=lambda delivery: delivery.id)


def _namespaces(
    wanted: Sequence[Delivery], objects: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[dict[str, Any], Location | None]]:
    """Namespaces that no object of the environment is: those that a delivery has its agent create, and the agents' own,
    where something goes there.
    """
    found = {at(data, "metadata", "name") for data in objects if data.get("kind") == "Namespace"}
    used = {at(data, "metadata", "namespace") for data in objects}
    for delivery in wanted:
        home = delivery.namespace if delivery.kind in ("Kustomization", "Application") else None
        asked: dict[str | None, dict[str, Any]] = {home: {}} if home in used else {}
        metadata = at(delivery.object, "spec", "syncPolicy", "managedNamespaceMetadata")
        asked[delivery.created_namespace] = metadata if isinstance(metadata, dict) else {}
        for name, metadata in asked.items():
            if name and name not in found:
                found.add(name)
                data = {"apiVersion": "v1", "kind": "Namespace", "metadata": {**metadata, "name": name}}
                yield data, delivery.place("sync")


def _executed(ref: ObjectRef) -> bool:
    return ref.group.endswith(_AGENT_GROUPS) or (ref.group == argocd.GROUP and ref.kind in _ARGOCD_KINDS)


def _with_namespace(data: dict[str, Any], delivery: Delivery) -> dict[str, Any]:
    metadata = data.get("metadata")
    if not delivery.target_namespace or not isinstance(metadata, dict) or metadata.get("namespace"):
        return data
    from gitops_layout.k8s.scope import builtin_scope

    group = str(data.get("apiVersion", "")).rpartition("/")[0]
    if builtin_scope(group, str(data.get("kind"))) is not True:
        return data
    return {**data, "metadata": {**metadata, "namespace": delivery.target_namespace}}
