"""Flux objects → Deliveries: Kustomization, HelmRelease, and the sync that a FluxInstance sets up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from posixpath import join, normpath
from typing import Any

from gitops_layout.agents.artifacts import Artifact
from gitops_layout.agents.context import Context, at, environment_of, places, text, tier_of
from gitops_layout.agents.delivery import Delivery, Revision, Source, SyncPolicy
from gitops_layout.repo.model import Resource

__all__ = ["KUSTOMIZE_GROUP", "SOURCE_GROUP", "delivery", "is_agent", "is_source"]

KUSTOMIZE_GROUP = "kustomize.toolkit.fluxcd.io"
HELM_GROUP = "helm.toolkit.fluxcd.io"
SOURCE_GROUP = "source.toolkit.fluxcd.io"

_KUSTOMIZATION_PLACES = {
    "path": ("spec", "path"),
    "source": ("spec", "sourceRef"),
    "prune": ("spec", "prune"),
    "wait": ("spec", "wait"),
    "suspended": ("spec", "suspend"),
    "interval": ("spec", "interval"),
}
_INSTANCE_PLACES = {
    "path": ("spec", "sync", "path"),
    "url": ("spec", "sync", "url"),
    "source": ("spec", "sync"),
    "revision": ("spec", "sync", "ref"),
    "interval": ("spec", "sync", "interval"),
}
_RELEASE_PLACES = {
    "chart": ("spec", "chart", "spec", "chart"),
    "revision": ("spec", "chart", "spec", "version"),
    "source": ("spec", "chart", "spec", "sourceRef"),
    "reference": ("spec", "chartRef"),
    "suspended": ("spec", "suspend"),
    "interval": ("spec", "interval"),
}

# What we act on, and what changes nothing that we render or judge; the rest is named in `notes`.
_BUILD_FIELDS = (
    "targetNamespace",
    "namePrefix",
    "nameSuffix",
    "commonMetadata",
    "patches",
    "components",
    "images",
)
_UNDERSTOOD = {
    *_BUILD_FIELDS, "path", "sourceRef", "prune", "wait", "suspend", "interval", "dependsOn", "postBuild", "timeout",
    "retryInterval", "force", "healthChecks", "healthCheckExprs", "serviceAccountName",
    "deletionPolicy",
}  # fmt: skip

_RELEASE_UNDERSTOOD = {
    "chart", "chartRef", "commonMetadata", "dependsOn", "driftDetection", "healthCheckExprs", "install", "interval",
    "kubeConfig", "maxHistory", "persistentClient", "postRenderStrategy", "postRenderers", "releaseName", "rollback",
    "serviceAccountName", "storageNamespace", "suspend", "targetNamespace", "test", "timeout", "uninstall", "upgrade",
    "values", "valuesFrom", "waitStrategy",
}  # fmt: skip


def is_agent(resource: Resource) -> bool:
    """Whether it is an object that delivers something."""
    match resource.ref.group, resource.ref.kind:
        case ("kustomize.toolkit.fluxcd.io", "Kustomization") | ("helm.toolkit.fluxcd.io", "HelmRelease"):
            return True
        case ("fluxcd.controlplane.io", "FluxInstance"):
            return isinstance(at(resource.data, "spec", "sync"), dict)
        case _:
            return False


def is_source(resource: Resource) -> bool:
    """Whether it is an object that names where to pull from."""
    return resource.ref.group == SOURCE_GROUP


def delivery(resource: Resource, context: Context, *, cluster: str) -> Delivery:
    """What a Kustomization, a HelmRelease or a FluxInstance with a sync means."""
    if resource.ref.kind == "FluxInstance":
        return _instance(resource, context, cluster)
    if resource.ref.kind == "HelmRelease":
        return _release(resource, context, cluster)
    return _kustomization(resource, context, cluster)


def _kustomization(resource: Resource, context: Context, cluster: str) -> Delivery:
    ref, data, root = resource.ref, resource.data, resource.location
    spec = at(data, "spec") if isinstance(at(data, "spec"), dict) else {}
    namespace = ref.namespace or "flux-system"
    source = _source(context, spec.get("sourceRef"), namespace, spec.get("path"), root.file)
    environment = environment_of(context, cluster, source.path, root.file)
    depends = tuple(
        f"{item.get('namespace') or namespace}/{item['name']}"
        for item in _items(spec.get("dependsOn"))
        if isinstance(item, dict) and isinstance(item.get("name"), str)
    )
    return Delivery(
        id=f"flux:Kustomization/{namespace}/{ref.name}@{cluster}",
        agent="flux",
        kind="Kustomization",
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
            wait=spec.get("wait") is True or bool(spec.get("healthChecks")),
            suspended=spec.get("suspend") is True,
            interval=text(spec.get("interval")),
            retry=True,
        ),
        root=root,
        places=places(data, root, _KUSTOMIZATION_PLACES),
        target_namespace=text(spec.get("targetNamespace")),
        depends_on=depends,
        options={name: spec[name] for name in (*_BUILD_FIELDS, "postBuild") if name in spec},
        object=data,
        notes=tuple(f"spec.{name}" for name in spec if name not in _UNDERSTOOD),
    )


def _source(context: Context, reference: Any, namespace: str, path: Any, near: str) -> Source:
    """The source that a `sourceRef` names, and the path inside this repository where it is this one."""
    folder = _clamped(path) if isinstance(path, str) or path is None else None
    kind, name = text(at(reference, "kind")), text(at(reference, "name"))
    if not isinstance(reference, dict) or kind is None or name is None:
        return Source(None, None, folder, foreign="the sourceRef names no source")
    where = text(reference.get("namespace")) or namespace
    artifact = context.artifact(where, name, near=near) if kind == "ExternalArtifact" else None
    if artifact is not None:
        return _from_artifact(context, artifact, folder)
    return _from_source(context, (kind, where, name), folder, near)


def _from_artifact(context: Context, artifact: Artifact, folder: str | None) -> Source:
    """A path in an artifact is one in its source."""
    if artifact.source is None:
        return Source(None, None, folder, defined=artifact.location, foreign=artifact.unknown)
    inner = normpath(join(artifact.folder, folder)) if folder is not None else None
    source = _from_source(context, artifact.source, "" if inner == "." else inner, artifact.location.file)
    return replace(source, defined=source.defined or artifact.location)


def _from_source(context: Context, key: tuple[str, str, str], folder: str | None, near: str) -> Source:
    kind, where, name = key
    found = context.source(kind, where, name, near=near)
    if found is None:
        # Bootstrap makes this source in the cluster; no file defines it.
        if name == "flux-system" and kind in ("GitRepository", "OCIRepository"):
            return Source(None, None, folder, local=True)
        return Source(None, None, folder, foreign=f"no file defines {kind} {where}/{name}")
    spec = at(found.data, "spec")
    url = text(at(spec, "url"))
    revision = _revision(at(spec, "ref"))
    if url is None or kind not in ("GitRepository", "OCIRepository"):
        return Source(url, revision, folder, defined=found.location, foreign=f"{kind} is not supported yet")
    local = context.is_own(url)
    foreign = None if local else f"{kind} {where}/{name} is {url}"
    return Source(url, revision, folder, local=local, defined=found.location, foreign=foreign)


def _clamped(path: str | None) -> str:
    """A path inside the artifact: the controller never leaves its root, so `../` is cut off."""
    return normpath("/" + (path or ".")).lstrip("/")


def _revision(reference: Any) -> Revision | None:
    """Flux's own precedence: commit, digest, name (a full reference), semver, tag, branch."""
    for field, kind in (
        ("commit", "commit"), ("digest", "digest"), ("name", "branch"), ("semver", "semver"), ("tag", "tag"),
        ("branch", "branch"),
    ):  # fmt: skip
        value = text(at(reference, field))
        if value is not None:
            return Revision("tag" if value.startswith("refs/tags/") else kind, value)  # type: ignore[arg-type]
    return None


def _instance(resource: Resource, context: Context, cluster: str) -> Delivery:
    """The operator makes a source and a Kustomization of the same name from `spec.sync`; it prunes and heals."""
    ref, data, root = resource.ref, resource.data, resource.location
    sync = at(data, "spec", "sync")
    namespace = ref.namespace or "flux-system"
    url, reference = text(sync.get("url")), text(sync.get("ref"))
    folder = _clamped(text(sync.get("path")))
    tagged = sync.get("kind") == "OCIRepository" or (reference or "").startswith("refs/tags/")
    local = url is None or context.is_own(url)
    environment = environment_of(context, cluster, folder, root.file)
    return Delivery(
        id=f"flux:FluxInstance/{namespace}/{ref.name}@{cluster}",
        agent="flux",
        kind="FluxInstance",
        namespace=namespace,
        name=ref.name,
        cluster=cluster,
        environment=environment,
        tier=tier_of(context, environment),
        source=Source(
            url,
            Revision("tag" if tagged else "branch", reference) if reference else None,
            folder,
            local=local,
            foreign=None if local else f"the sync is from {url}",
        ),
        renderer="kustomize",
        sync=SyncPolicy(
            prune=True, self_heal=True, wait=False, interval=text(sync.get("interval")), retry=True
        ),
        root=root,
        places=places(data, root, _INSTANCE_PLACES),
        object=data,
    )


def _release(resource: Resource, context: Context, cluster: str) -> Delivery:
    ref, data, root = resource.ref, resource.data, resource.location
    spec: Mapping[str, Any] = at(data, "spec") if isinstance(at(data, "spec"), dict) else {}
    namespace = ref.namespace or "default"
    environment = environment_of(context, cluster, root.file)
    source, chart = _chart(context, spec, namespace, root.file)
    return Delivery(
        id=f"flux:HelmRelease/{namespace}/{ref.name}@{cluster}",
        agent="flux",
        kind="HelmRelease",
        namespace=namespace,
        name=ref.name,
        cluster=cluster,
        environment=environment,
        tier=tier_of(context, environment),
        source=source,
        renderer="chart",
        sync=SyncPolicy(
            prune=True,
            self_heal=at(spec, "driftDetection", "mode") == "enabled",
            suspended=spec.get("suspend") is True,
            interval=text(spec.get("interval")),
        ),
        root=root,
        places=places(data, root, _RELEASE_PLACES),
        target_namespace=text(spec.get("targetNamespace")),
        options={"chart": chart},
        object=data,
        origin=resource.origin,
        notes=tuple(f"spec.{name}" for name in spec if name not in _RELEASE_UNDERSTOOD),
    )


def _chart(
    context: Context, spec: Mapping[str, Any], namespace: str, near: str
) -> tuple[Source, Mapping[str, Any]]:
    """Where the chart comes from, and the chart's own spec (a HelmChart's, given inline or by reference)."""
    reference = spec.get("chartRef")
    if not isinstance(reference, dict):
        given = at(spec, "chart", "spec")
        chart = given if isinstance(given, dict) else {}
        return _chart_source(context, chart, namespace, near), chart
    kind, name = text(reference.get("kind")) or "", text(reference.get("name")) or ""
    where = text(reference.get("namespace")) or namespace
    artifact = context.artifact(where, name, near=near) if kind == "ExternalArtifact" else None
    if artifact is not None:
        return _from_artifact(context, artifact, ""), {}
    found = context.source(kind, where, name, near=near)
    if found is None:
        return Source(None, None, None, name or None, foreign="no source names a chart"), {}
    own = at(found.data, "spec")
    if kind == "HelmChart" and isinstance(own, dict):
        source = _chart_source(context, own, where, found.file)
        return replace(source, defined=source.defined or found.location), own
    return Source(text(at(own, "url")), _revision(at(own, "ref")), None, name, defined=found.location), {}


def _chart_source(context: Context, chart: Mapping[str, Any], namespace: str, near: str) -> Source:
    """A chart's source: a folder of a Git repository (its `version` is not looked at), else a repository's chart."""
    reference, name, version = chart.get("sourceRef"), text(chart.get("chart")), text(chart.get("version"))
    kind, source = text(at(reference, "kind")) or "", text(at(reference, "name")) or ""
    where = text(at(reference, "namespace")) or namespace
    if kind in ("GitRepository", "Bucket"):
        return _from_source(context, (kind, where, source), _clamped(name), near)
    found = context.source(kind, where, source, near=near)
    url = text(at(found.data, "spec", "url")) if found is not None else None
    revision = Revision("version", version) if version is not None else None
    place = found.location if found else None
    return Source(
        url, revision, None, name or source or None, defined=place, foreign="no source names a chart"
    )


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
