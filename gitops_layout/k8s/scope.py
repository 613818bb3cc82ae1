"""Which kinds live in a namespace and which belong to the whole cluster.

The built-in table is what the discovery of Kubernetes 1.36 says for every group that the API server
itself serves; whatever else there is comes from CRDs in the set or from the cluster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "agent_kind",
    "builtin_groups",
    "builtin_kinds",
    "builtin_scope",
    "companion_kind",
    "crd_scopes",
    "is_crd",
    "known_scope",
]

_CLUSTER = {
    "": "Namespace Node PersistentVolume ComponentStatus",
    "admissionregistration.k8s.io": "MutatingAdmissionPolicy MutatingAdmissionPolicyBinding"
    " MutatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding"
    " ValidatingWebhookConfiguration",
    "apiextensions.k8s.io": "CustomResourceDefinition",
    "apiregistration.k8s.io": "APIService",
    "authentication.k8s.io": "SelfSubjectReview TokenReview",
    "authorization.k8s.io": "SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview",
    "certificates.k8s.io": "CertificateSigningRequest ClusterTrustBundle",
    "flowcontrol.apiserver.k8s.io": "FlowSchema PriorityLevelConfiguration",
    "networking.k8s.io": "IngressClass IPAddress ServiceCIDR",
    "node.k8s.io": "RuntimeClass",
    "rbac.authorization.k8s.io": "ClusterRole ClusterRoleBinding",
    "resource.k8s.io": "DeviceClass DeviceTaintRule ResourceSlice",
    "scheduling.k8s.io": "PriorityClass",
    "storage.k8s.io": "CSIDriver CSINode StorageClass VolumeAttachment VolumeAttributesClass",
    "storagemigration.k8s.io": "StorageVersionMigration",
}
_NAMESPACED = {
    "": "ConfigMap Endpoints Event LimitRange PersistentVolumeClaim Pod PodTemplate"
    " ReplicationController ResourceQuota Secret Service ServiceAccount Binding",
    "apps": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
    "authorization.k8s.io": "LocalSubjectAccessReview",
    "autoscaling": "HorizontalPodAutoscaler",
    "batch": "CronJob Job",
    "certificates.k8s.io": "PodCertificateRequest",
    "coordination.k8s.io": "Lease LeaseCandidate",
    "discovery.k8s.io": "EndpointSlice",
    "events.k8s.io": "Event",
    "networking.k8s.io": "Ingress NetworkPolicy",
    "policy": "PodDisruptionBudget",
    "rbac.authorization.k8s.io": "Role RoleBinding",
    "resource.k8s.io": "ResourceClaim ResourceClaimTemplate",
    "scheduling.k8s.io": "PodGroup Workload",
    "storage.k8s.io": "CSIStorageCapacity",
}
_BUILTIN: dict[tuple[str, str], bool] = {
    (group, kind): namespaced
    for namespaced, table in ((False, _CLUSTER), (True, _NAMESPACED))
    for group, kinds in table.items()
    for kind in kinds.split()
}


def builtin_scope(group: str, kind: str) -> bool | None:
    """True when objects of this built-in kind have a namespace; None for a kind that is not built in."""
    return _BUILTIN.get((group, kind))


_FLUX = (
    "fluxcd.controlplane.io",
    "helm.toolkit.fluxcd.io",
    "image.toolkit.fluxcd.io",
    "kustomize.toolkit.fluxcd.io",
    "notification.toolkit.fluxcd.io",
    "source.extensions.fluxcd.io",
    "source.toolkit.fluxcd.io",
)


_COMPANIONS = {
    "acme.cert-manager.io": "Challenge Order",
    "apps.openshift.io": "DeploymentConfig",
    "argoproj.io": "AnalysisRun AnalysisTemplate CronWorkflow Experiment Rollout Workflow WorkflowEventBinding"
    " WorkflowTemplate",
    "bitnami.com": "SealedSecret",
    "build.openshift.io": "Build BuildConfig",
    "cert-manager.io": "Certificate CertificateRequest Issuer",
    "external-secrets.io": "ExternalSecret PushSecret SecretStore",
    "gateway.networking.k8s.io": "BackendTLSPolicy GRPCRoute Gateway HTTPRoute ListenerSet ReferenceGrant TCPRoute"
    " TLSRoute UDPRoute",
    "generators.external-secrets.io": "ACRAccessToken CloudsmithAccessToken ECRAuthorizationToken Fake GCRAccessToken"
    " GithubAccessToken Grafana MFA Password QuayAccessToken SSHKey STSSessionToken UUID VaultDynamicSecret Webhook",
    "image.openshift.io": "ImageStream ImageStreamTag",
    "kafka.strimzi.io": "Kafka KafkaBridge KafkaConnect KafkaConnector KafkaMirrorMaker2 KafkaNodePool KafkaRebalance"
    " KafkaTopic KafkaUser",
    "keda.sh": "ScaledJob ScaledObject TriggerAuthentication",
    "kyverno.io": "CleanupPolicy Policy PolicyException",
    "monitoring.coreos.com": "Alertmanager AlertmanagerConfig PodMonitor Probe Prometheus PrometheusAgent"
    " PrometheusRule ScrapeConfig ServiceMonitor ThanosRuler",
    "operators.coreos.com": "CatalogSource ClusterServiceVersion InstallPlan OperatorCondition OperatorGroup Subscription",
    "route.openshift.io": "Route",
    "traefik.io": "IngressRoute IngressRouteTCP IngressRouteUDP Middleware MiddlewareTCP ServersTransport TLSOption"
    " TLSStore TraefikService",
}
_NAMESPACED_COMPANIONS = frozenset(
    (group, kind) for group, kinds in _COMPANIONS.items() for kind in kinds.split()
)


def companion_kind(group: str, kind: str) -> bool:
    """Whether it is a kind of the agents' usual companions that lives in a namespace: most by the definitions of the releases
    that are packed (`tools/schemas.py`), the rest by what OpenShift, OLM, Strimzi and Traefik document.
    """
    return (group, kind) in _NAMESPACED_COMPANIONS


def agent_kind(group: str, kind: str) -> bool:
    """Whether it is a kind of Flux or of Argo CD itself: all of these live in a namespace."""
    return group in _FLUX or (
        group == "argoproj.io" and kind in ("Application", "ApplicationSet", "AppProject")
    )


_CLUSTER_COMPANIONS = {
    "argoproj.io": "ClusterAnalysisTemplate ClusterWorkflowTemplate",
    "cert-manager.io": "ClusterIssuer",
    "cilium.io": "CiliumBGPAdvertisement CiliumBGPClusterConfig CiliumBGPNodeConfigOverride CiliumBGPPeerConfig"
    " CiliumCIDRGroup CiliumClusterwideEnvoyConfig CiliumClusterwideNetworkPolicy CiliumEgressGatewayPolicy"
    " CiliumL2AnnouncementPolicy CiliumLoadBalancerIPPool CiliumPodIPPool",
    "eventing.keda.sh": "ClusterCloudEventSource",
    "external-secrets.io": "ClusterExternalSecret ClusterPushSecret ClusterSecretStore",
    "gateway.networking.k8s.io": "GatewayClass",
    "generators.external-secrets.io": "ClusterGenerator",
    "groupsnapshot.storage.k8s.io": "VolumeGroupSnapshotClass VolumeGroupSnapshotContent",
    "keda.sh": "ClusterTriggerAuthentication",
    "kyverno.io": "ClusterCleanupPolicy ClusterPolicy GlobalContextEntry",
    "policies.kyverno.io": "DeletingPolicy GeneratingPolicy ImageValidatingPolicy MutatingPolicy ValidatingPolicy",
    "postgresql.cnpg.io": "ClusterImageCatalog",
    "snapshot.storage.k8s.io": "VolumeSnapshotClass VolumeSnapshotContent",
    "trust.cert-manager.io": "Bundle",
}
_OF_THE_CLUSTER = frozenset(
    (group, kind) for group, kinds in _CLUSTER_COMPANIONS.items() for kind in kinds.split()
)


def known_scope(group: str, kind: str) -> bool | None:
    """True when objects of the kind have a namespace, as far as it is known without its CRD: of built-in kinds, of the
    agents', and of their usual companions'; None for others.
    """
    if agent_kind(group, kind) or companion_kind(group, kind):
        return True
    return False if (group, kind) in _OF_THE_CLUSTER else builtin_scope(group, kind)


def builtin_groups(kind: str) -> frozenset[str]:
    """The built-in API groups that have a kind of this name ("" is the core group)."""
    return frozenset(group for group, known in _BUILTIN if known == kind)


def builtin_kinds() -> dict[str, frozenset[str]]:
    """The kinds of each built-in API group ("" is the core group)."""
    groups = {group for group, _ in _BUILTIN}
    return {group: frozenset(kind for owner, kind in _BUILTIN if owner == group) for group in groups}


def is_crd(data: Mapping[str, Any]) -> bool:
    """Whether an object is a CustomResourceDefinition."""
    return data.get("kind") == "CustomResourceDefinition" and str(data.get("apiVersion", "")).startswith(
        "apiextensions.k8s.io/"
    )


def crd_scopes(objects: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], bool]:
    """What the CRDs among `objects` define: (group, kind) to whether it is namespaced.

    A CRD too broken to say so is left out; validation names its fault.
    """
    scopes: dict[tuple[str, str], bool] = {}
    for data in objects:
        if not is_crd(data):
            continue
        match data.get("spec"):
            case {
                "group": str(group),
                "names": {"kind": str(kind)},
                "scope": "Namespaced" | "Cluster" as scope,
            }:
                scopes[group, kind] = scope == "Namespaced"
    return scopes
