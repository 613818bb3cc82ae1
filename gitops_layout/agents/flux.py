"""Flux objects → Deliveries: Kustomizations here (kustomize-controller v1.9), the other kinds in modules of their own."""

from __future__ import annotations

from gitops_layout.agents import fluxoperator
from gitops_layout.agents.context import Context, environment_of, places, speaking, text, tier_of
from gitops_layout.agents.delivery import Delivery, Source, SyncPolicy
from gitops_layout.agents.fluxolder import is_older, unknown_fields
from gitops_layout.agents.fluxoperator import BUILD_FIELDS
from gitops_layout.agents.fluxrelease import dependencies, release
from gitops_layout.agents.fluxsource import Seeker
from gitops_layout.agents.kubeconfig import PROVIDERS, remote_cluster
from gitops_layout.fields import at
from gitops_layout.repo.model import Resource

__all__ = ["KUSTOMIZE_GROUP", "SOURCE_GROUP", "delivery", "is_agent", "is_partial", "is_source", "source_of"]

KUSTOMIZE_GROUP = "kustomize.toolkit.fluxcd.io"
SOURCE_GROUP = "source.toolkit.fluxcd.io"

_KUSTOMIZATION_PLACES = {
    "path": ("spec", "path"),
    "source": ("spec", "sourceRef"),
    "prune": ("spec", "prune"),
    "wait": ("spec", "wait"),
    "suspended": ("spec", "suspend"),
    "interval": ("spec", "interval"),
    "destination": ("spec", "kubeConfig"),
}

# What we act on, and what changes nothing that we render or judge; the rest is named in `notes`.
_UNDERSTOOD = {
    *BUILD_FIELDS, "path", "sourceRef", "prune", "wait", "suspend", "interval", "dependsOn", "postBuild", "timeout",
    "retryInterval", "force", "healthChecks", "healthCheckExprs", "serviceAccountName", "deletionPolicy",
    "kubeConfig", "decryption", "ignore", "ignoreMissingComponents", "validation", "buildMetadata",
}  # fmt: skip

_OLD_PATCHES = ("patchesStrategicMerge", "patchesJson6902")


def is_agent(resource: Resource) -> bool:
    """Whether it is an object that delivers something."""
    match resource.ref.group, resource.ref.kind:
        case ("kustomize.toolkit.fluxcd.io", "Kustomization") | ("helm.toolkit.fluxcd.io", "HelmRelease"):
            return True
        case ("fluxcd.controlplane.io", "FluxInstance"):
            return isinstance(at(resource.data, "spec", "sync"), dict)
        case ("fluxcd.controlplane.io", "ResourceSet"):
            return True
        case _:
            return False


def is_partial(resource: Resource) -> bool:
    """Whether a Kustomization or a HelmRelease lacks what the API requires of it, so that only a patch makes it whole."""
    if resource.ref.kind == "Kustomization" and is_agent(resource):
        return at(resource.data, "spec", "sourceRef") is None
    if resource.ref.kind != "HelmRelease" or not is_agent(resource):
        return False
    spec = at(resource.data, "spec")
    return at(spec, "chartRef") is None and at(spec, "chart", "spec", "chart") is None


def is_source(resource: Resource) -> bool:
    """Whether other Flux objects look it up: where to pull from, a ResourceSet's inputs, a way to a cluster."""
    kind, group = resource.ref.kind, resource.ref.group
    if kind == "ConfigMap" and not group:
        provider = at(resource.data, "data", "provider")
        return isinstance(provider, str) and provider in PROVIDERS
    provides = kind == "ResourceSetInputProvider" and group == "fluxcd.controlplane.io"
    return provides or group == "source.toolkit.fluxcd.io"


def source_of(resource: Resource, context: Context) -> Source | None:
    """The source that a Kustomization names; None for other kinds. It is what `delivery` says, without the rest."""
    spec = at(resource.data, "spec")
    if resource.ref.kind != "Kustomization" or not isinstance(spec, dict):
        return None
    seeker = Seeker(context, "", resource.ref.namespace or "flux-system", resource.file)
    return seeker.tree(spec.get("sourceRef"), spec.get("path"))


def delivery(resource: Resource, context: Context, *, cluster: str) -> Delivery:
    """What a Kustomization, a HelmRelease, a ResourceSet or a FluxInstance with a sync means."""
    match resource.ref.kind:
        case "FluxInstance":
            return fluxoperator.instance(resource, context, cluster=cluster)
        case "HelmRelease":
            return release(resource, context, cluster=cluster)
        case "ResourceSet":
            namespace = resource.ref.namespace or "flux-system"
            providers = context.sources_of(
                "ResourceSetInputProvider", namespace, near=resource.file, cluster=cluster
            )
            return fluxoperator.resource_set(resource, context, providers, cluster=cluster)
        case _:
            return _kustomization(resource, context, cluster)


def _kustomization(resource: Resource, context: Context, cluster: str) -> Delivery:
    ref, data, root = resource.ref, resource.data, resource.location
    spec = at(data, "spec") if isinstance(at(data, "spec"), dict) else {}
    namespace = ref.namespace or "flux-system"
    source = Seeker(context, cluster, namespace, root.file).tree(spec.get("sourceRef"), spec.get("path"))
    remote = remote_cluster(context, spec, namespace=namespace, near=root.file, cluster=cluster)
    environment = environment_of(context, remote or cluster, *speaking(source, root.file))
    # Later APIs dropped these two, and a cluster that has only those prunes them.
    older = is_older(ref.api_version)
    old = _OLD_PATCHES if older else ()
    unknown = [("spec", name) for name in spec if name not in _UNDERSTOOD and name not in old]
    return Delivery(
        id=f"flux:Kustomization/{namespace}/{ref.name}@{cluster}",
        agent="flux",
        kind="Kustomization",
        namespace=namespace,
        name=ref.name,
        cluster=remote or cluster,
        environment=environment,
        tier=tier_of(context, environment),
        source=source,
        renderer="kustomize",
        sync=SyncPolicy(
            prune=spec["prune"] is True if "prune" in spec else None,
            self_heal=True,
            wait=spec.get("wait") is True or bool(spec.get("healthChecks")),
            suspended=spec.get("suspend") is True,
            interval=text(spec.get("interval")),
            retry=True,
        ),
        root=root,
        places=places(data, root, _KUSTOMIZATION_PLACES),
        target_namespace=text(spec.get("targetNamespace")),
        depends_on=dependencies(spec, namespace),
        options={
            name: spec[name]
            for name in (*BUILD_FIELDS, *old, "ignoreMissingComponents", "buildMetadata", "postBuild")
            if name in spec
        },
        object=data,
        notes=(*unknown, *(unknown_fields("Kustomization", spec) if older else ())),
        origin=resource.origin,
        agent_cluster=cluster if remote else None,
    )
