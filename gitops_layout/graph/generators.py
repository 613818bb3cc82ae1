"""Objects that stand for others: ApplicationSets become the Applications that Argo CD would make of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from gitops_layout.agents import argocd
from gitops_layout.agents.applicationset import Cluster, World, cluster_of_secret, expand
from gitops_layout.agents.context import Declared, DeclaredCluster
from gitops_layout.model import Unchecked
from gitops_layout.repo.model import Repo, Resource, object_ref

__all__ = ["clusters_of", "expanded", "is_generator", "world_of"]


def is_generator(resource: Resource) -> bool:
    """Whether it is an ApplicationSet."""
    return resource.ref.group == argocd.GROUP and resource.ref.kind == "ApplicationSet"


def clusters_of(objects: Iterable[Resource]) -> tuple[DeclaredCluster, ...]:
    """The clusters that Secrets in the repository register with Argo CD."""
    found = (cluster_of_secret(resource.data) for resource in objects if resource.ref.kind == "Secret")
    return tuple(
        DeclaredCluster(cluster.name, server=cluster.server) for cluster in found if cluster is not None
    )


def world_of(
    repo: Repo, declared: Declared, objects: Sequence[Resource], is_own: Callable[[str], bool]
) -> World:
    """What generators can look at. Clusters are unknown where neither a Secret nor spec or config names one."""
    registered = [cluster_of_secret(resource.data) for resource in objects if resource.ref.kind == "Secret"]
    known = {cluster.name: cluster for cluster in registered if cluster is not None}
    for cluster in declared.clusters:
        if cluster.server is not None:
            known.setdefault(cluster.name, Cluster(cluster.name, cluster.server))
    return World(repo, is_own, tuple(known.values()) or None)


def expanded(resource: Resource, world: World) -> tuple[list[Resource], list[Unchecked]]:
    """An ApplicationSet's Applications, placed at its template, and what keeps it from being seen whole."""
    expansion = expand(resource.data, world)
    place = resource.location.at("spec", "template")
    applications = [
        Resource(object_ref(made.data, "argoproj.io/v1alpha1", "Application"), made.data, place)
        for made in expansion.applications
    ]
    what = f"ApplicationSet {resource.ref.namespace}/{resource.ref.name}"
    unseen = [
        Unchecked(what, kind, problem.why, resource.location.at(*problem.path), ("kind", "ApplicationSet"))
        for problem in expansion.problems
        if (kind := problem.unchecked) is not None
    ]
    return applications, unseen
