"""API versions that Kubernetes gives up: since when deprecated, since when gone, and what takes over.

Sources: the lifecycle functions of the module k8s.io/api v0.37 (`zz_generated.prerelease-lifecycle.go`), and for what
that module no longer holds the Kubernetes page "Deprecated API Migration Guide".
"""

from __future__ import annotations

from gitops_layout.values import dataclass

__all__ = ["Lifecycle", "at_least", "lifecycle"]


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """Kubernetes versions as `1.22`; `removed` is None where no release is named, `replacement` is empty or
    an apiVersion, with the kind behind it where that changes."""

    deprecated: str
    removed: str | None
    replacement: str


_ROWS = """
admissionregistration.k8s.io/v1alpha1 MutatingAdmissionPolicy,MutatingAdmissionPolicyBinding 1.35 1.38 admissionregistration.k8s.io/v1beta1
admissionregistration.k8s.io/v1alpha1 ValidatingAdmissionPolicy,ValidatingAdmissionPolicyBinding 1.29 1.32 admissionregistration.k8s.io/v1
admissionregistration.k8s.io/v1beta1 MutatingAdmissionPolicy,MutatingAdmissionPolicyBinding 1.37 1.40 admissionregistration.k8s.io/v1
admissionregistration.k8s.io/v1beta1 MutatingWebhookConfiguration,ValidatingWebhookConfiguration 1.16 1.22 admissionregistration.k8s.io/v1
admissionregistration.k8s.io/v1beta1 ValidatingAdmissionPolicy,ValidatingAdmissionPolicyBinding 1.31 1.34 admissionregistration.k8s.io/v1
apiextensions.k8s.io/v1beta1 CustomResourceDefinition 1.16 1.22 apiextensions.k8s.io/v1
apiregistration.k8s.io/v1beta1 APIService 1.19 1.22 apiregistration.k8s.io/v1
apps/v1beta1 ControllerRevision,Deployment,StatefulSet 1.8 1.16 apps/v1
apps/v1beta2 ControllerRevision,DaemonSet,Deployment,ReplicaSet,StatefulSet 1.9 1.16 apps/v1
autoscaling/v2beta1 HorizontalPodAutoscaler 1.22 1.25 autoscaling/v2
autoscaling/v2beta2 HorizontalPodAutoscaler 1.23 1.26 autoscaling/v2
batch/v1beta1 CronJob 1.21 1.25 batch/v1
certificates.k8s.io/v1alpha1 ClusterTrustBundle 1.34 1.37 certificates.k8s.io/v1beta1
certificates.k8s.io/v1beta1 CertificateSigningRequest 1.19 1.22 certificates.k8s.io/v1
certificates.k8s.io/v1beta1 ClusterTrustBundle,PodCertificateRequest 1.37 1.40 certificates.k8s.io/v1
coordination.k8s.io/v1alpha2 LeaseCandidate 1.35 1.38 coordination.k8s.io/v1beta1
coordination.k8s.io/v1beta1 Lease 1.19 1.22 coordination.k8s.io/v1
discovery.k8s.io/v1beta1 EndpointSlice 1.21 1.25 discovery.k8s.io/v1
events.k8s.io/v1beta1 Event 1.22 1.25 events.k8s.io/v1
extensions/v1beta1 DaemonSet,Deployment,ReplicaSet 1.8 1.16 apps/v1
extensions/v1beta1 Ingress 1.14 1.22 networking.k8s.io/v1
extensions/v1beta1 NetworkPolicy 1.9 1.16 networking.k8s.io/v1
extensions/v1beta1 PodSecurityPolicy 1.10 1.16 -
flowcontrol.apiserver.k8s.io/v1beta1 FlowSchema,PriorityLevelConfiguration 1.23 1.26 flowcontrol.apiserver.k8s.io/v1
flowcontrol.apiserver.k8s.io/v1beta2 FlowSchema,PriorityLevelConfiguration 1.26 1.29 flowcontrol.apiserver.k8s.io/v1
flowcontrol.apiserver.k8s.io/v1beta3 FlowSchema,PriorityLevelConfiguration 1.29 1.32 flowcontrol.apiserver.k8s.io/v1
networking.k8s.io/v1beta1 Ingress,IngressClass 1.19 1.22 networking.k8s.io/v1
networking.k8s.io/v1beta1 IPAddress,ServiceCIDR 1.34 1.37 networking.k8s.io/v1
node.k8s.io/v1beta1 RuntimeClass 1.22 1.25 node.k8s.io/v1
policy/v1beta1 PodDisruptionBudget 1.21 1.25 policy/v1
policy/v1beta1 PodSecurityPolicy 1.21 1.25 -
rbac.authorization.k8s.io/v1beta1 ClusterRole,ClusterRoleBinding,Role,RoleBinding 1.17 1.22 rbac.authorization.k8s.io/v1
resource.k8s.io/v1beta1 DeviceClass,ResourceClaim,ResourceClaimTemplate,ResourceSlice 1.35 1.38 resource.k8s.io/v1
resource.k8s.io/v1beta2 DeviceClass,ResourceClaim,ResourceClaimTemplate,ResourceSlice 1.36 1.39 resource.k8s.io/v1
resource.k8s.io/v1alpha3 DeviceTaintRule 1.36 1.39 resource.k8s.io/v1beta2
scheduling.k8s.io/v1beta1 PriorityClass 1.14 1.22 scheduling.k8s.io/v1
storage.k8s.io/v1alpha1 CSIStorageCapacity,VolumeAttachment 1.21 1.24 storage.k8s.io/v1
storage.k8s.io/v1alpha1 VolumeAttributesClass 1.32 1.35 storage.k8s.io/v1
storage.k8s.io/v1beta1 CSIDriver,StorageClass,VolumeAttachment 1.19 1.22 storage.k8s.io/v1
storage.k8s.io/v1beta1 CSINode 1.17 1.22 storage.k8s.io/v1
storage.k8s.io/v1beta1 CSIStorageCapacity 1.24 1.27 storage.k8s.io/v1
storage.k8s.io/v1beta1 VolumeAttributesClass 1.34 1.37 storage.k8s.io/v1
storagemigration.k8s.io/v1beta1 StorageVersionMigration 1.37 1.40 storagemigration.k8s.io/v1
v1 ComponentStatus 1.19 - -
v1 Endpoints 1.33 - discovery.k8s.io/v1 EndpointSlice
"""


def _table() -> dict[tuple[str, str], Lifecycle]:
    found = {}
    for row in _ROWS.strip().splitlines():
        api, kinds, deprecated, removed, *replacement = row.split()
        words = " ".join(replacement)
        for kind in kinds.split(","):
            found[api, kind] = Lifecycle(
                deprecated, None if removed == "-" else removed, "" if words == "-" else words
            )
    return found


_TABLE = _table()


def lifecycle(api_version: str, kind: str) -> Lifecycle | None:
    """What is to become of a kind under an apiVersion; None for what stays."""
    return _TABLE.get((api_version, kind))


def at_least(version: str, other: str) -> bool:
    """Whether Kubernetes `version` is `other` or newer."""
    return _numbers(version) >= _numbers(other)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
