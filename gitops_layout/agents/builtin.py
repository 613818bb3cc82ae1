"""Deliveries without an agent object: kustomize roots, and folders of plain manifests (DESIGN, decision 8)."""

from __future__ import annotations

from gitops_layout.agents.context import Context, environment_of, tier_of
from gitops_layout.agents.delivery import Delivery, Source, SyncPolicy
from gitops_layout.model import Location

__all__ = ["directory", "kustomize_root"]


def kustomize_root(folder: str, file: str, context: Context, *, live: bool) -> Delivery:
    """A kustomization that no other one includes."""
    environment = environment_of(context, "", folder)
    return Delivery(
        id=f"kustomize:Kustomization//{folder or '.'}@",
        agent="kustomize",
        kind="Kustomization",
        namespace="",
        name=folder or ".",
        cluster="",
        environment=environment,
        tier=tier_of(context, environment),
        source=Source(None, None, folder, local=True),
        renderer="kustomize",
        sync=SyncPolicy(),
        root=Location(file),
        live=live,
    )


def directory(folder: str, files: tuple[str, ...], context: Context) -> Delivery:
    """The manifests that stand directly in a folder without a kustomization; `files` are theirs."""
    environment = environment_of(context, "", folder)
    return Delivery(
        id=f"plain:Directory//{folder or '.'}@",
        agent="plain",
        kind="Directory",
        namespace="",
        name=folder or ".",
        cluster="",
        environment=environment,
        tier=tier_of(context, environment),
        source=Source(None, None, folder, local=True),
        renderer="directory",
        sync=SyncPolicy(),
        root=Location(files[0]),
        options={"files": files},
    )
