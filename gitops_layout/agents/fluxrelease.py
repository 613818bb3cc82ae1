"""HelmReleases → Deliveries (helm-controller v1.6: helm.toolkit.fluxcd.io/v2 and older)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitops_layout.agents.context import Context, environment_of, places, text, tier_of
from gitops_layout.agents.delivery import Delivery, SyncPolicy
from gitops_layout.agents.fluxolder import is_older, unknown_fields
from gitops_layout.agents.fluxsource import Seeker
from gitops_layout.agents.kubeconfig import remote_cluster
from gitops_layout.fields import at
from gitops_layout.model import Path
from gitops_layout.repo.model import Resource

__all__ = ["HELM_GROUP", "dependencies", "release"]

HELM_GROUP = "helm.toolkit.fluxcd.io"

_PLACES = {
    "chart": ("spec", "chart", "spec", "chart"),
    "revision": ("spec", "chart", "spec", "version"),
    "source": ("spec", "chart", "spec", "sourceRef"),
    "reference": ("spec", "chartRef"),
    "suspended": ("spec", "suspend"),
    "interval": ("spec", "interval"),
    "self_heal": ("spec", "driftDetection", "mode"),
    "destination": ("spec", "kubeConfig"),
}

_UNDERSTOOD = {
    "chart", "chartRef", "commonMetadata", "dependsOn", "driftDetection", "healthCheckExprs", "install", "interval",
    "kubeConfig", "maxHistory", "persistentClient", "postRenderStrategy", "postRenderers", "releaseName", "rollback",
    "serviceAccountName", "storageNamespace", "suspend", "targetNamespace", "test", "timeout", "uninstall", "upgrade",
    "values", "valuesFrom", "waitStrategy",
}  # fmt: skip
_UNDERSTOOD_CHART = {
    "chart", "version", "sourceRef", "interval", "reconcileStrategy", "valuesFiles", "valuesFile",
    "ignoreMissingValuesFiles", "verify",
}  # fmt: skip


def release(resource: Resource, context: Context, *, cluster: str) -> Delivery:
    """What a HelmRelease means."""
    ref, data, root = resource.ref, resource.data, resource.location
    spec: Mapping[str, Any] = at(data, "spec") if isinstance(at(data, "spec"), dict) else {}
    namespace = ref.namespace or "default"
    remote = remote_cluster(context, spec, namespace=namespace, near=root.file, cluster=cluster)
    environment = environment_of(context, remote or cluster, root.file)
    source, chart = Seeker(context, cluster, namespace, root.file).chart(spec)
    return Delivery(
        id=f"flux:HelmRelease/{namespace}/{ref.name}@{cluster}",
        agent="flux",
        kind="HelmRelease",
        namespace=namespace,
        name=ref.name,
        cluster=remote or cluster,
        environment=environment,
        tier=tier_of(context, environment),
        source=source,
        renderer="chart",
        sync=SyncPolicy(
            prune=True,
            self_heal=at(spec, "driftDetection", "mode") == "enabled",
            wait=at(spec, "install", "disableWait") is not True,
            suspended=spec.get("suspend") is True,
            interval=text(spec.get("interval")),
            retry=_retries(spec),
        ),
        root=root,
        places=places(data, root, _PLACES),
        target_namespace=text(spec.get("targetNamespace")),
        depends_on=dependencies(spec, namespace),
        options={"chart": chart},
        object=data,
        origin=resource.origin,
        notes=_notes(spec, chart, older=is_older(ref.api_version)),
        agent_cluster=cluster if remote else None,
    )


def dependencies(spec: Mapping[str, Any], namespace: str) -> tuple[str, ...]:
    """The `namespace/name` of what `dependsOn` names, an object of the same kind each."""
    listed = spec.get("dependsOn")
    return tuple(
        f"{text(item.get('namespace')) or namespace}/{item['name']}"
        for item in (listed if isinstance(listed, list) else ())
        if isinstance(item, dict) and text(item.get("name"))
    )


def _retries(spec: Mapping[str, Any]) -> bool:
    """Whether a failed upgrade is tried again: by its strategy, or as often as its remediation says."""
    if at(spec, "upgrade", "strategy", "name") == "RetryOnFailure":
        return True
    count = at(spec, "upgrade", "remediation", "retries")
    return isinstance(count, int) and count != 0


def _notes(spec: Mapping[str, Any], chart: Mapping[str, Any], *, older: bool) -> tuple[Path, ...]:
    unknown: list[Path] = [("spec", name) for name in spec if name not in _UNDERSTOOD]
    if "chartRef" not in spec:
        unknown += [("spec", "chart", "spec", name) for name in chart if name not in _UNDERSTOOD_CHART]
    renderers = spec.get("postRenderers")
    for index, item in enumerate(renderers if isinstance(renderers, list) else ()):
        others = [name for name in item if name != "kustomize"] if isinstance(item, dict) else []
        unknown += [("spec", "postRenderers", index, name) for name in others]
    deeper = unknown_fields("HelmRelease", spec) if older else ()
    return tuple(dict.fromkeys((*unknown, *deeper)))
