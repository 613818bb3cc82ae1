"""Deliveries without an agent object: kustomize roots, folders of plain manifests, and charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from gitops_layout.agents.context import Context, DeclaredDelivery, environment_of, tier_of
from gitops_layout.agents.delivery import Agent, Delivery, Renderer, Source, SyncPolicy
from gitops_layout.model import Location

__all__ = ["chart", "declared", "directory", "kustomize_root"]


def declared(roots: Sequence[Delivery], context: Context) -> list[Delivery]:
    """The roots as the spec delivers them where our own reconciler is the agent: each once a cluster.

    A root that the spec does not know stays as it is, and reaches no cluster.
    """
    nobody: list[DeclaredDelivery | None] = [None]
    told: dict[str, list[DeclaredDelivery | None]] = {}
    for entry in context.declared.deliveries:
        told.setdefault(entry.folder, []).append(entry)
    if not told:
        return list(roots)
    return [
        replace(
            root,
            id=f"{root.id}{entry.cluster}",
            cluster=entry.cluster,
            environment=entry.environment,
            tier=tier_of(context, entry.environment),
            sync=SyncPolicy(prune=True, self_heal=True, wait=True),
        )
        if entry is not None
        else replace(root, live=False)
        for root in roots
        for entry in (told.get(root.source.path or "") or nobody)
    ]


def kustomize_root(folder: str, file: str, context: Context, *, live: bool) -> Delivery:
    """A kustomization that no other one includes."""
    return _delivery("kustomize", "Kustomization", folder, Location(file), context, live=live)


def directory(folder: str, files: tuple[str, ...], context: Context) -> Delivery:
    """The manifests that stand directly in a folder without a kustomization; `files` are theirs."""
    found = _delivery("plain", "Directory", folder, Location(files[0]), context, live=True)
    return replace(found, options={"files": files})


def chart(folder: str, root: Location, context: Context) -> Delivery:
    """A chart that nobody installs; what it makes with its own values is no cluster's."""
    return _delivery("helm", "Chart", folder, root, context, live=False)


_RENDERERS: Mapping[Agent, Renderer] = {"kustomize": "kustomize", "plain": "directory", "helm": "chart"}


def _delivery(
    agent: Agent, kind: str, folder: str, root: Location, context: Context, *, live: bool
) -> Delivery:
    environment = environment_of(context, "", folder)
    return Delivery(
        id=f"{agent}:{kind}//{folder or '.'}@",
        agent=agent,
        kind=kind,
        namespace="",
        name=folder or ".",
        cluster="",
        environment=environment,
        tier=tier_of(context, environment),
        source=Source(None, None, folder, local=True),
        renderer=_RENDERERS[agent],
        sync=SyncPolicy(),
        root=root,
        live=live,
    )
