"""What the API server's own Go code refuses of built-in kinds, beyond every schema.

Pure and total: any value of any type is judged without failing. What a field's type says is the
schemas' business, as are unknown fields; here are names, enumerations, ranges, required values and the
relations inside one object. The facts are those of k8s.io/kubernetes 1.36.3, with its feature gates at
their defaults; each entry names the Go function that it follows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from itertools import islice
from typing import Any

from gitops_layout.validation.server.clean import Clean, content
from gitops_layout.validation.server.cursor import At, Refusal
from gitops_layout.validation.server.lists import PODS, repeated
from gitops_layout.validation.server.metadata import metadata
from gitops_layout.validation.server.shape import constants
from gitops_layout.values import dataclass

__all__ = ["LIMIT", "Refusal", "Shaped", "refusals", "shaped"]

LIMIT = 100
"""At most this many refusals of one object: a hostile one could have millions."""

_KINDS: dict[tuple[str, str], str] = {
    (group, kind): function
    for group, kinds in {
        "": {
            "Binding": "pods.binding",
            "ConfigMap": "config.config_map",
            "Endpoints": "services.endpoints",
            "Event": "events.event",
            "LimitRange": "config.limit_range",
            "Namespace": "config.namespace",
            "Node": "cluster.node",
            "PersistentVolume": "storage.persistent_volume",
            "PersistentVolumeClaim": "storage.persistent_volume_claim",
            "Pod": "pods.bare_pod",
            "PodTemplate": "pods.pod_template",
            "ReplicationController": "workloads.replication_controller",
            "ResourceQuota": "config.resource_quota",
            "Secret": "config.secret",
            "Service": "services.service",
        },
        "admissionregistration.k8s.io": {
            "MutatingAdmissionPolicy": "admission.admission_policy",
            "MutatingAdmissionPolicyBinding": "admission.policy_binding",
            "MutatingWebhookConfiguration": "admission.webhooks",
            "ValidatingAdmissionPolicy": "admission.admission_policy",
            "ValidatingAdmissionPolicyBinding": "admission.policy_binding",
            "ValidatingWebhookConfiguration": "admission.webhooks",
        },
        "apiextensions.k8s.io": {"CustomResourceDefinition": "crds.custom_resource_definition"},
        "apiregistration.k8s.io": {"APIService": "policy.api_service"},
        "apps": {
            "ControllerRevision": "workloads.controller_revision",
            "DaemonSet": "workloads.daemon_set",
            "Deployment": "workloads.deployment",
            "ReplicaSet": "workloads.replica_set",
            "StatefulSet": "workloads.stateful_set",
        },
        "authentication.k8s.io": {
            "TokenReview": "reviews.token",
        },
        "authorization.k8s.io": {
            "LocalSubjectAccessReview": "reviews.access",
            "SelfSubjectAccessReview": "reviews.access",
            "SelfSubjectRulesReview": "reviews.rules",
            "SubjectAccessReview": "reviews.access",
        },
        "autoscaling": {"HorizontalPodAutoscaler": "autoscaling.horizontal_pod_autoscaler"},
        "batch": {"CronJob": "batch.cron_job", "Job": "batch.job"},
        "certificates.k8s.io": {"CertificateSigningRequest": "certificates.signing_request"},
        "coordination.k8s.io": {"Lease": "policy.lease"},
        "discovery.k8s.io": {"EndpointSlice": "services.endpoint_slice"},
        "events.k8s.io": {"Event": "events.event"},
        "flowcontrol.apiserver.k8s.io": {
            "FlowSchema": "cluster.flow_schema",
            "PriorityLevelConfiguration": "cluster.priority_level",
        },
        "networking.k8s.io": {
            "IPAddress": "networking.ip_address",
            "Ingress": "networking.ingress",
            "IngressClass": "networking.ingress_class",
            "NetworkPolicy": "networking.network_policy",
            "ServiceCIDR": "networking.service_cidr",
        },
        "node.k8s.io": {"RuntimeClass": "policy.runtime_class"},
        "policy": {"PodDisruptionBudget": "policy.pod_disruption_budget"},
        "rbac.authorization.k8s.io": {
            "ClusterRole": "rbac.cluster_role",
            "ClusterRoleBinding": "rbac.cluster_role_binding",
            "Role": "rbac.role",
            "RoleBinding": "rbac.role_binding",
        },
        "resource.k8s.io": {
            "DeviceClass": "devices.device_class",
            "ResourceClaim": "devices.resource_claim",
            "ResourceClaimTemplate": "devices.resource_claim_template",
            "ResourceSlice": "devices.resource_slice",
        },
        "scheduling.k8s.io": {"PriorityClass": "policy.priority_class"},
        "storage.k8s.io": {
            "CSIDriver": "storage.csi_driver",
            "CSINode": "cluster.csi_node",
            "CSIStorageCapacity": "storage.csi_storage_capacity",
            "StorageClass": "storage.storage_class",
            "VolumeAttachment": "storage.volume_attachment",
            "VolumeAttributesClass": "storage.volume_attributes_class",
        },
    }.items()
    for kind, function in kinds.items()
}

_VERSIONS = ("v1", "v2")
"""Older versions have other shapes, and no server that we speak of serves them."""


_NAMING = ("autoscaling", "batch", "networking", "pods", "rbac", "services", "workloads")
_NAMING_KINDS = ("config.config_map", "config.limit_range", "config.namespace", "config.resource_quota")
"""Where nothing is decoded or compiled that a name could be part of."""


@dataclass(frozen=True, slots=True)
class Shaped:
    """What the shape of a kind's objects depends on: where their pods are, and the words that are nobody's name."""

    pod: tuple[str, ...] | None
    words: frozenset[str]


def shaped(group: str, version: str, kind: str) -> Shaped | None:
    """How to make the shape of a built-in kind's objects; None where another name could change a verdict."""
    name = _KINDS.get((group, kind)) if version in _VERSIONS else None
    if name is not None:
        if name.partition(".")[0] not in _NAMING and name not in _NAMING_KINDS:
            return None
        _function(name)
    modules = [module for module in sys.modules if module.startswith(__name__)]
    return Shaped(PODS.get((group, kind)), frozenset().union(*map(constants, modules)))


_sound: tuple[set[bytes], set[bytes]] = (set(), set())
"""Shapes of which nothing was refused, as a create and as an apply."""
_MOST = 200_000


def refusals(data: object, *, apply: bool, shape: bytes | None = None) -> Iterator[Refusal]:
    """What a server would refuse of one object beyond its schema, as a create or as a server-side apply.

    Of kinds that are not built in, only metadata is judged. Never raises; at most LIMIT refusals. With the `shape`
    of an object, what was found sound once is not judged again.
    """
    if not isinstance(data, dict) or shape in _sound[apply]:
        return
    sound = True
    for refusal in islice(_refusals(At(data), apply=apply), LIMIT):
        sound = False
        yield refusal
    if sound and shape is not None:
        if len(_sound[apply]) > _MOST:
            _sound[apply].clear()
        _sound[apply].add(shape)


def _refusals(at: At, *, apply: bool) -> Iterator[Refusal]:
    group, _, version = at["apiVersion"].text.rpartition("/")
    kind = at["kind"].text
    yield from metadata(group, kind, at, apply=apply)
    if (
        (name := _KINDS.get((group, kind))) is not None
        and version in _VERSIONS
        and not _taken(name, at.value)
    ):
        yield from _function(name)(at)
    if apply:
        yield from repeated(group, kind, at)


_SEEN: dict[str, tuple[str, ...]] = {
    "config.config_map": (),
    "config.secret": ("annotations",),
    "crds.custom_resource_definition": ("name", "annotations"),
    "networking.ingress": ("annotations",),
    "networking.network_policy": (),
    "services.service": ("annotations",),
}
"""What the checks of a kind see of `metadata`: the rest of it differs between environments and changes nothing."""
_clean: dict[str, Clean] = {name: Clean() for name in _SEEN}


def _taken(name: str, data: dict[str, Any]) -> bool:
    """Whether nothing that matters tells an object from one in which nothing was wrong."""
    if name not in _SEEN:
        return False
    rest = {key: value for key, value in data.items() if key != "metadata"}
    match data.get("metadata"):
        case dict(meta):
            rest["metadata"] = {key: meta[key] for key in _SEEN[name] if key in meta}
    key, clean = content(rest), _clean[name]
    if key in clean:
        return True
    if any(True for _ in _function(name)(At(rest))):
        return False
    clean.add(key)
    return True


@cache
def _function(name: str) -> Callable[[At], Iterator[Refusal]]:
    """The function of a kind; its module is imported when its first object is met."""
    module, _, function = name.partition(".")
    found: Callable[[At], Iterator[Refusal]] = getattr(import_module(f"{__name__}.{module}"), function)
    return found
