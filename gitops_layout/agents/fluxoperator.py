"""The Flux operator's objects → Deliveries: the sync of a FluxInstance, and ResourceSets (flux-operator v0.59)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from posixpath import join
from typing import Any

from gitops_layout.agents.context import Context, environment_of, places, speaking, text, tier_of
from gitops_layout.agents.delivery import Delivery, Source, SyncPolicy
from gitops_layout.agents.fluxinstance import synced
from gitops_layout.agents.fluxsource import BUCKET, clamped, left_out, revision_of
from gitops_layout.fields import at
from gitops_layout.repo.model import Resource

__all__ = ["BUILD_FIELDS", "COPY_FROM", "GROUP", "RECONCILE", "instance", "resource_set"]

GROUP = "fluxcd.controlplane.io"
RECONCILE = f"{GROUP}/reconcile"
COPY_FROM = f"{GROUP}/copyFrom"
"""Annotation of a ConfigMap or Secret of a ResourceSet: whose data the operator copies into it."""

BUILD_FIELDS = (
    "targetNamespace",
    "namePrefix",
    "nameSuffix",
    "commonMetadata",
    "patches",
    "components",
    "images",
)
"""The fields of a Kustomization that the controller writes into the build."""

_INSTANCE_PLACES = {
    "path": ("spec", "sync", "path"),
    "url": ("spec", "sync", "url"),
    "source": ("spec", "sync"),
    "revision": ("spec", "sync", "ref"),
    "interval": ("spec", "sync", "interval"),
}
_INSTANCE_UNDERSTOOD = {
    "cluster", "commonMetadata", "components", "distribution", "kustomize", "migrateResources", "sharding", "storage",
    "sync", "wait",
}  # fmt: skip
_SET_PLACES = {
    "source": ("spec", "resources"),
    "interval": ("metadata", "annotations", f"{GROUP}/reconcileEvery"),
    "suspended": ("metadata", "annotations", RECONCILE),
    "wait": ("spec", "wait"),
}
_SET_UNDERSTOOD = {
    "commonMetadata", "dependsOn", "inputStrategy", "inputs", "inputsFrom", "resources", "resourcesTemplate",
    "serviceAccountName", "steps", "wait",
}  # fmt: skip


def instance(resource: Resource, context: Context, *, cluster: str) -> Delivery:
    """The operator makes a source and a Kustomization of the same name from `spec.sync`; it prunes and heals.

    The controllers themselves come from the distribution's artifact, outside the repository.
    """
    ref, data, root = resource.ref, resource.data, resource.location
    namespace = ref.namespace or "flux-system"
    made = synced(data, namespace)
    spec = made.kustomization
    folder = clamped(text(spec.get("path")))
    source = _source(made.source, folder, context)
    environment = environment_of(context, cluster, *speaking(source, root.file))
    unknown = [name for name in at(data, "spec") if name not in _INSTANCE_UNDERSTOOD]
    return Delivery(
        id=f"flux:FluxInstance/{namespace}/{ref.name}@{cluster}",
        agent="flux",
        kind="FluxInstance",
        namespace=namespace,
        name=ref.name,
        cluster=cluster,
        environment=environment,
        tier=tier_of(context, environment),
        source=source,
        renderer="kustomize",
        sync=SyncPolicy(
            prune=spec.get("prune") is True,
            self_heal=True,
            wait=spec.get("wait") is True,
            suspended=_is_disabled(data),
            interval=text(at(data, "spec", "sync", "interval")),
            retry=True,
        ),
        root=root,
        places=places(data, root, _INSTANCE_PLACES),
        target_namespace=text(spec.get("targetNamespace")),
        options={name: spec[name] for name in (*BUILD_FIELDS, "postBuild") if name in spec},
        object=data,
        origin=resource.origin,
        notes=(*(("spec", name) for name in unknown), *made.unknown),
    )


def _source(spec: Mapping[str, Any], folder: str, context: Context) -> Source:
    bucket, endpoint = text(spec.get("bucketName")), text(spec.get("endpoint"))
    if "bucketName" in spec:
        url = f"{BUCKET}{endpoint}/{bucket}" if endpoint and bucket else endpoint
        return Source(url, None, folder, foreign=f"the sync is from the bucket {bucket} at {endpoint}")
    url = text(spec.get("url"))
    top = "" if url is None else context.here(url)
    foreign = f"the sync is from {url}" if top is None else None
    folder = join(top, folder).rstrip("/") if top else folder
    ignore, sparse = left_out(spec)
    revision, local = revision_of(spec.get("ref")), top is not None
    return Source(
        url, revision, folder, local=local, foreign=foreign, ignore=ignore, sparse=sparse, top=top or ""
    )


def resource_set(
    resource: Resource, context: Context, providers: Sequence[Resource], *, cluster: str
) -> Delivery:
    """A ResourceSet delivers what its templates make; `providers` are the input providers of its namespace."""
    ref, data, root = resource.ref, resource.data, resource.location
    spec: Mapping[str, Any] = at(data, "spec") if isinstance(at(data, "spec"), dict) else {}
    namespace = ref.namespace or "flux-system"
    environment = environment_of(context, cluster, root.file)
    return Delivery(
        id=f"flux:ResourceSet/{namespace}/{ref.name}@{cluster}",
        agent="flux",
        kind="ResourceSet",
        namespace=namespace,
        name=ref.name,
        cluster=cluster,
        environment=environment,
        tier=tier_of(context, environment),
        source=Source(None, None, local=True),
        renderer="template",
        sync=SyncPolicy(
            prune=True,
            self_heal=True,
            wait=spec.get("wait") is True,
            suspended=_is_disabled(data),
            interval=text(at(data, "metadata", "annotations", f"{GROUP}/reconcileEvery")) or "60m",
            retry=True,
        ),
        root=root,
        places=places(data, root, _SET_PLACES),
        depends_on=_needed(spec),
        options={
            "providers": tuple(providers),
            **({"commonMetadata": spec["commonMetadata"]} if "commonMetadata" in spec else {}),
        },
        object=data,
        origin=resource.origin,
        notes=tuple(("spec", name) for name in spec if name not in _SET_UNDERSTOOD),
    )


def _needed(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """`kind/namespace/name` of what has to be there first, whatever it is."""
    listed = spec.get("dependsOn")
    return tuple(
        f"{item['kind']}/{text(item.get('namespace')) or ''}/{item['name']}"
        for item in (listed if isinstance(listed, list) else ())
        if isinstance(item, dict) and text(item.get("kind")) and text(item.get("name"))
    )


def _is_disabled(data: Mapping[str, Any]) -> bool:
    mark = at(data, "metadata", "annotations", RECONCILE)
    return isinstance(mark, str) and mark.lower() == "disabled"
