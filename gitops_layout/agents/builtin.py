"""Deliveries without an agent object: kustomize roots, and folders of plain manifests."""

from __future__ import annotations

from dataclasses import replace

from gitops_layout.agents.context import Context, environment_of, tier_of
from gitops_layout.agents.delivery import Agent, Delivery, Source, SyncPolicy
from gitops_layout.model import Location

__all__ = ["directory", "kustomize_root"]


def kustomize_root(folder: str, file: str, context: Context, *, live: bool) -> Delivery:
    """A kustomization that no other one includes."""
    return _delivery("kustomize", "Kustomization", folder, Location(file), context, live=live)


def directory(folder: str, files: tuple[str, ...], context: Context) -> Delivery:
    """The manifests that stand directly in a folder without a kustomization; `files` are theirs."""
    found = _delivery("plain", "Directory", folder, Location(files[0]), context, live=True)
    return replace(found, options={"files": files})


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
        renderer="directory" if agent == "plain" else "kustomize",
        sync=SyncPolicy(),
        root=root,
        live=live,
    )
