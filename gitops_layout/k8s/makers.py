"""Whose objects bring forth which others at run time, so that these need no file of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["makers", "of_agents", "programs"]

_FLUX = "source.toolkit.fluxcd.io"
_ROOT = ("fluxcd.controlplane.io/FluxInstance", "spec.sync.name|metadata.namespace", "spec.sync.kind")

_MAKERS = {
    "v1/Secret": (
        ("external-secrets.io/ExternalSecret", "spec.target.name|metadata.name"),
        (
            "external-secrets.io/ClusterExternalSecret",
            "spec.externalSecretSpec.target.name|spec.externalSecretName|metadata.name",
        ),
        ("kubernetes-client.io/ExternalSecret", "metadata.name"),
        ("bitnami.com/SealedSecret", "spec.template.metadata.name|metadata.name"),
        ("cert-manager.io/Certificate", "spec.secretName"),
        ("networking.k8s.io/Ingress", "spec.tls[].secretName"),
        ("gateway.networking.k8s.io/Gateway", "spec.listeners[].tls.certificateRefs[].name"),
        ("secrets-store.csi.x-k8s.io/SecretProviderClass", "spec.secretObjects[].secretName"),
        ("isindir.github.com/SopsSecret", "spec.secretTemplates[].name"),
        ("kyverno.io/ClusterPolicy", "spec.rules[].generate.name"),
    ),
    "v1/ConfigMap": (
        ("trust.cert-manager.io/Bundle", "*"),
        ("kyverno.io/ClusterPolicy", "spec.rules[].generate.name"),
    ),
    "v1/PersistentVolumeClaim": (("cdi.kubevirt.io/DataVolume", "metadata.name"),),
    "v1/Service": (
        ("serving.knative.dev/Service", "metadata.name"),
        ("monitoring.coreos.com/Prometheus", "=prometheus-operated"),
        ("monitoring.coreos.com/PrometheusAgent", "=prometheus-agent-operated"),
        ("monitoring.coreos.com/Alertmanager", "=alertmanager-operated"),
        ("monitoring.coreos.com/ThanosRuler", "=thanos-ruler-operated"),
        ("ceph.rook.io/CephCluster", "=rook-ceph-mgr"),
        ("ceph.rook.io/CephCluster", "=rook-ceph-mgr-dashboard"),
        ("minio.min.io/Tenant", "=minio"),
    ),
    f"{_FLUX}/ExternalArtifact": (
        ("source.extensions.fluxcd.io/ArtifactGenerator", "spec.artifacts[].name"),
    ),
    f"{_FLUX}/GitRepository": (_ROOT,),
    f"{_FLUX}/OCIRepository": (_ROOT,),
    f"{_FLUX}/Bucket": (_ROOT,),
    "kustomize.toolkit.fluxcd.io/Kustomization": (_ROOT,),
}
"""By the kind that is brought: the kinds that do, where the name stands in their objects, or which it always is, and where
the kind does if they choose it.
"""


_OF_AGENTS = {
    "Service": frozenset(
        {
            "argocd-applicationset-controller",
            "argocd-dex-server",
            "argocd-metrics",
            "argocd-notifications-controller-metrics",
            "argocd-repo-server",
            "argocd-server",
            "argocd-server-metrics",
            "notification-controller",
            "source-controller",
            "webhook-receiver",
        }
    )
}
"""What the agents' own installations bring that others refer to, by kind."""


def of_agents(kind: str | None, name: str) -> bool:
    """Whether an object comes with an agent, whose installation need not be in the repository."""
    return name in _OF_AGENTS.get(kind or "", ())


_PROGRAMS = {("Secret", "argocd-redis"): ("redis-initial-password",)}
"""What a program makes without being told the name, by the words of its command: Argo CD's password of Redis, which an
initContainer of its own manifests makes (cmd/argocd/commands/admin/redis_initial_password.go).
"""


def programs(kind: str | None, name: str) -> tuple[str, ...]:
    """The commands that make an object of this name, wherever a container runs one."""
    return _PROGRAMS.get((kind or "", name), ())


def makers(kinds: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """What brings objects of the `kinds` (`group/Kind`) into its own namespace: a kind, and the path of the name in its
    objects, or of the first of several joined by `|`; `*` stands for any name, and `=NAME` for this one. Third, if
    they choose the kind that they bring, its path.
    """
    yield "fluxcd.controlplane.io/ResourceSet", "*"
    for kind in kinds:
        yield from _MAKERS.get(kind, ())
