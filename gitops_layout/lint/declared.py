"""Environments and clusters of the config that stand for nothing here: a slip in a glob takes the tier from what it meant."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import TYPE_CHECKING

from gitops_layout.agents.context import is_below
from gitops_layout.model import Hit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gitops_layout.config import Cluster, Environment
    from gitops_layout.graph.model import Graph
    from gitops_layout.lint.policy import Policy
    from gitops_layout.model import Location

__all__ = ["unmatched"]

_RULE = "C006"
_GENERATORS = ("ApplicationSet/", "ResourceSet/")
"""What makes deliveries: one that was not seen whole may deliver to anything."""


def unmatched(graph: Graph, policy: Policy) -> Iterator[tuple[str, Hit]]:
    """A hit for each path, destination and server that matches nothing, and for each name that nothing here has."""
    if not (policy.environments or policy.clusters):
        return
    paths = _paths(graph)
    for environment in policy.environments:
        yield from _of_environment(graph, environment, paths)
    for cluster in policy.clusters:
        yield from _of_cluster(graph, cluster, paths)


def _paths(graph: Graph) -> list[str]:
    """Everything that a glob may mean: files, folders, and what is delivered from other repositories."""
    elsewhere = {d.source.path for d in graph.deliveries if not d.source.local and d.source.path}
    return [*graph.repo.folders, *graph.repo.files, *sorted(elsewhere)]


def _of_environment(
    graph: Graph, environment: Environment, paths: Iterable[str]
) -> Iterator[tuple[str, Hit]]:
    place, owner = environment.location, f"environment {environment.name}"
    yield from _globs(place, owner, environment.paths, paths)
    if _is_partly_seen(graph):
        return
    clusters = {delivery.cluster for delivery in graph.deliveries}
    clusters |= {name for each in graph.clusters for name in (each.name, each.server) if name}
    for index, glob in enumerate(environment.destinations):
        if not any(fnmatch(cluster, glob) for cluster in clusters):
            yield _hit(place.at("destinations", index), f'no cluster of {owner} is called "{glob}"')
    named = environment.paths or environment.destinations
    if not named and all(delivery.environment != environment.name for delivery in graph.deliveries):
        yield _hit(place.at("name"), f"nothing here is delivered to {owner}")


def _of_cluster(graph: Graph, cluster: Cluster, paths: Iterable[str]) -> Iterator[tuple[str, Hit]]:
    place, owner = cluster.location, f"cluster {cluster.name}"
    yield from _globs(place, owner, cluster.paths, paths)
    if _is_partly_seen(graph) or cluster.paths or _asks_for_clusters(graph):
        return
    if all(cluster.name not in (delivery.cluster, delivery.home) for delivery in graph.deliveries):
        field = "name" if cluster.server is None else "server"
        yield _hit(place.at(field), f"nothing here is delivered to {owner}")


def _globs(
    place: Location, owner: str, globs: Iterable[str], paths: Iterable[str]
) -> Iterator[tuple[str, Hit]]:
    for index, glob in enumerate(globs):
        if not any(is_below(path, glob) for path in paths):
            yield _hit(place.at("paths", index), f'no path here matches "{glob}" of {owner}')


def _hit(place: Location, what: str) -> tuple[str, Hit]:
    return _RULE, Hit(place, {"what": what, "subject": what})


def _is_partly_seen(graph: Graph) -> bool:
    """Whether there may be deliveries, to whatever clusters, that were not seen, or whose agents are elsewhere."""
    if graph.declared.external_agent or graph.hidden:
        return True
    if not any(delivery.agent in ("flux", "argocd") for delivery in graph.deliveries):
        return True
    failed = (d for d in graph.deliveries if d.live and graph.rendered[d.id].failure is not None)
    subjects = (entry.subject or ("", "") for entry in graph.unchecked)
    return any(delivery.renderer != "chart" for delivery in failed) or any(
        kind == "kind" and name.startswith(_GENERATORS) for kind, name in subjects
    )


def _asks_for_clusters(graph: Graph) -> bool:
    """Whether an ApplicationSet takes the clusters that are declared."""
    return any(resource.ref.kind == "ApplicationSet" for resource in graph.repo.resources)
