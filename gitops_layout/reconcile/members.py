"""Read an inventory's live members from the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitops_layout.model import ObjectRef
from gitops_layout.reconcile import inventory as inventories
from gitops_layout.reconcile.cluster import ApiError
from gitops_layout.reconcile.desired import Key, Problem, key
from gitops_layout.reconcile.inventory import PART_OF

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitops_layout.reconcile.cluster import Cluster, Resource
    from gitops_layout.reconcile.inventory import Inventory
    from gitops_layout.reconcile.probe import Parallel

__all__ = ["environment_of", "list_members", "ref_of"]


def list_members(
    cluster: Cluster, inventory: Inventory, versions: Mapping[tuple[str, str], str], *, parallel: Parallel
) -> tuple[dict[Key, dict[str, Any]], list[Problem]]:
    """All live members by one LIST a kind, and what could not be listed.

    `versions` gives the API version to read a (group, kind) in, that of its manifests; other kinds
    come in the version the server prefers. A kind that is no longer served has no objects either.
    """

    def fetch(pair: tuple[str, str]) -> list[dict[str, Any]] | ApiError:
        group, kind = pair
        resource = cluster.resource(versions[pair], kind) if pair in versions else None
        resource = resource or cluster.preferred(group, kind)
        if resource is None or not resource.listable:
            return []
        try:
            return _list(cluster, resource, inventory)
        except ApiError as error:
            return error

    found: dict[Key, dict[str, Any]] = {}
    problems: list[Problem] = []
    for listed in parallel(fetch, sorted(inventory.kinds)):
        if isinstance(listed, ApiError):
            problems.append(Problem(f"cannot read the live objects: {listed.message}"))
        else:
            found |= {key(ref_of(live)): live for live in listed}
    return found, problems


def _list(cluster: Cluster, resource: Resource, inventory: Inventory) -> list[dict[str, Any]]:
    selector = f"{PART_OF}={inventory.id}"
    try:
        return cluster.list_objects(resource, selector=selector)
    except ApiError as error:
        if error.code != 403 or not resource.namespaced:
            raise
    # A tenant's credentials reach its own namespaces only.
    return [
        live
        for namespace in sorted(inventory.namespaces)
        for live in cluster.list_objects(resource, namespace=namespace, selector=selector)
    ]


def environment_of(cluster: Cluster, inventory_id: str) -> str | None:
    """The environment whose inventory has this id, None when it is not one of ours."""
    resource = cluster.resource("v1", "ConfigMap")
    if resource is None:
        return None
    home = inventories.parent_of("").namespace
    parents = cluster.list_objects(resource, namespace=home, selector=f"{inventories.ID}={inventory_id}")
    return next((inventories.environment_in(parent) for parent in parents), None)


def ref_of(live: Mapping[str, Any]) -> ObjectRef:
    """A live object's identity, in the version it was read in."""
    metadata = live["metadata"]
    return ObjectRef(live["apiVersion"], live["kind"], metadata.get("namespace", ""), metadata["name"])
