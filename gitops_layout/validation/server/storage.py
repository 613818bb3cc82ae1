"""PersistentVolumes and claims, StorageClasses, CSI objects.

Source: k8s.io/kubernetes 1.36, pkg/apis/core/validation/validation.go (ValidatePersistentVolumeSpec) and
pkg/apis/storage/validation/validation.go; table rows name the Go function.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from gitops_layout.k8s import formats
from gitops_layout.validation.server.checks import (
    any_quantity,
    at_least,
    between,
    choice,
    distinct,
    exact,
    named,
    not_negative_quantity,
    one_of,
    option,
    positive_quantity,
    required,
    selector,
    valid,
)
from gitops_layout.validation.server.claims import access_modes, claim_spec
from gitops_layout.validation.server.cursor import At, Refusal, Row, evaluate, find
from gitops_layout.validation.server.scheduling import node_selector
from gitops_layout.validation.server.volumes import SHARED, shared_relations

__all__ = [
    "csi_driver",
    "csi_storage_capacity",
    "persistent_volume",
    "persistent_volume_claim",
    "storage_class",
    "volume_attachment",
    "volume_attributes_class",
]

_SOURCES = (
    "hostPath gcePersistentDisk awsElasticBlockStore glusterfs flocker nfs rbd quobyte cephfs iscsi cinder fc"
    " flexVolume azureFile vsphereVolume photonPersistentDisk portworxVolume azureDisk scaleIO local storageos"
    " csi".split()
)
_SECRETS = (
    "controllerPublishSecretRef",
    "controllerExpandSecretRef",
    "nodePublishSecretRef",
    "nodeExpandSecretRef",
)

_VOLUME: tuple[Row, ...] = (
    *((function, f"spec.{path}", check) for function, path, check in SHARED),
    ("ValidatePersistentVolumeSpec", "spec!.capacity!.storage", required),
    ("ValidatePersistentVolumeSpec", "spec.capacity.storage", positive_quantity),
    (
        "ValidatePersistentVolumeSpec",
        "spec.persistentVolumeReclaimPolicy",
        one_of("Delete", "Recycle", "Retain"),
    ),
    ("ValidatePersistentVolumeSpec", "spec.volumeMode", option("Block", "Filesystem")),
    ("ValidatePersistentVolumeSpec", "spec.storageClassName", valid(formats.subdomain)),
    ("validateLocalVolumeSource", "spec.local.path", named(formats.has_backstep)),
    ("validateCSIPersistentVolumeSource", "spec.csi.volumeHandle", required),
    *(("validatePVSecretReference", f"spec.csi.{name}.name", named(formats.subdomain)) for name in _SECRETS),
    *(("validatePVSecretReference", f"spec.csi.{name}.namespace", named(formats.label)) for name in _SECRETS),
    ("validateCinderPersistentVolumeSource", "spec.cinder.secretRef.name", required),
    ("validateCinderPersistentVolumeSource", "spec.cinder.secretRef.namespace", required),
)


def persistent_volume(at: At) -> Iterator[Refusal]:
    """ValidatePersistentVolume."""
    spec = At({}, at["spec"].path) if at["spec"].value is None else at["spec"]
    if not spec.is_map:
        return
    yield from access_modes(spec["accessModes"])
    yield from evaluate(_VOLUME, At({**at.value, "spec": spec.value}, at.path))
    yield from shared_relations(spec)
    for name, value in spec["capacity"].pairs:
        if name != "storage":
            yield value.refuse("only storage can be the capacity of a volume")
    yield from _one_type(spec)
    affinity = spec["nodeAffinity"]
    if affinity.is_map:
        if not affinity["required"].is_map:
            yield affinity["required"].refuse("is required")
        else:
            yield from node_selector(affinity["required"])
    elif spec["local"].is_map:
        yield affinity.refuse("is required for a local volume")
    path = spec["hostPath"]["path"].text
    if path and posixpath.normpath(path) == "/" and spec["persistentVolumeReclaimPolicy"].text == "Recycle":
        yield spec["persistentVolumeReclaimPolicy"].refuse("must not be Recycle for the host's root")
    attributes = spec["volumeAttributesClassName"]
    if attributes.value is not None:
        yield from named(formats.subdomain)(attributes)
        if not spec["csi"].is_map:
            yield attributes.refuse("needs a volume of type csi")


def _one_type(spec: At) -> Iterator[Refusal]:
    sources = [name for name in _SOURCES if spec[name].value is not None]
    if not sources:
        yield spec.refuse("needs a volume type")
    # The server counts a flexVolume, and does not ask what stands beside it already.
    for extra in (name for name in sources[1:] if name != "flexVolume"):
        yield spec[extra].refuse(f"excludes {sources[0]}: a volume has one type")


def persistent_volume_claim(at: At) -> Iterator[Refusal]:
    """ValidatePersistentVolumeClaim."""
    yield from claim_spec(At({}, at["spec"].path) if at["spec"].value is None else at["spec"])


def _provisioner(text: str) -> str | None:
    return formats.qualified(text.lower())


_CLASS: tuple[Row, ...] = (
    ("validateProvisioner", "provisioner", named(_provisioner)),
    ("validateReclaimPolicy", "reclaimPolicy", one_of("Delete", "Retain")),
    ("validateVolumeBindingMode", "volumeBindingMode", option("Immediate", "WaitForFirstConsumer")),
    ("ValidateTopologySelectorTerm", "allowedTopologies[].matchLabelExpressions", distinct("key")),
    (
        "validateTopologySelectorLabelRequirement",
        "allowedTopologies[].matchLabelExpressions[].key",
        named(formats.qualified),
    ),
    (
        "validateTopologySelectorLabelRequirement",
        "allowedTopologies[].matchLabelExpressions[].values",
        required,
    ),
)


def storage_class(at: At) -> Iterator[Refusal]:
    """ValidateStorageClass."""
    yield from evaluate(_CLASS, at)
    yield from _parameters(at["parameters"])
    terms: list[object] = []
    for term in at["allowedTopologies"]:
        # To the server a term without expressions equals one that is not there.
        if term.value in terms or not term["matchLabelExpressions"]:
            yield term.refuse("repeats another term or is empty")
        terms.append(term.value)
    for values in find(at, "allowedTopologies[].matchLabelExpressions[].values"):
        if len(set(values.texts)) != len(values.texts):
            yield values.refuse("repeats a value")


def _parameters(at: At) -> Iterator[Refusal]:
    pairs = list(at.pairs)
    if len(pairs) > 512 or sum(len(key) + len(value.text) for key, value in pairs) > 256 * 1024:
        yield at.refuse("must hold at most 512 parameters of 256 KiB in all")
    for key, value in pairs:
        if not key:
            yield value.refuse("must have a name")


def volume_attributes_class(at: At) -> Iterator[Refusal]:
    """ValidateVolumeAttributesClass."""
    yield from named(_provisioner)(at["driverName"])
    if not at["parameters"].value:
        yield at["parameters"].refuse("is required, with at least one parameter")
    yield from _parameters(at["parameters"])


_DRIVER: tuple[Row, ...] = (
    ("validateFSGroupPolicy", "spec.fsGroupPolicy", option("ReadWriteOnceWithFSType", "File", "None")),
    ("validateNodeAllocatableUpdatePeriodSeconds", "spec.nodeAllocatableUpdatePeriodSeconds", at_least(10)),
    ("validateTokenRequests", "spec.tokenRequests[].expirationSeconds", between(600, 2**32)),
    ("validateVolumeLifecycleModes", "spec.volumeLifecycleModes[]", choice("Persistent", "Ephemeral")),
)


def csi_driver(at: At) -> Iterator[Refusal]:
    """ValidateCSIDriver."""
    yield from evaluate(_DRIVER, at)
    requests = at["spec"]["tokenRequests"]
    audiences = [item["audience"].text for item in requests if item.is_map]
    if len(set(audiences)) != len(audiences):
        yield requests.refuse("repeats an audience")
    if at["spec"]["serviceAccountTokenInSecrets"].value is not None and not requests:
        yield at["spec"]["serviceAccountTokenInSecrets"].refuse("needs tokenRequests")


def csi_storage_capacity(at: At) -> Iterator[Refusal]:
    """ValidateCSIStorageCapacity."""
    yield from selector(at["nodeTopology"])
    yield from named(formats.subdomain)(at["storageClassName"])
    yield from not_negative_quantity(at["capacity"])
    yield from any_quantity(at["maximumVolumeSize"])


_ATTACHMENT: tuple[Row, ...] = (
    ("validateVolumeAttachmentSpec", "spec!.attacher", named(formats.driver)),
    ("validateVolumeAttachmentSpec", "spec!.nodeName", named(formats.subdomain)),
    ("ValidateVolumeAttachment", "spec.source.persistentVolumeName", exact(formats.subdomain)),
)


_INLINE: tuple[Row, ...] = (
    *SHARED,
    ("ValidatePersistentVolumeSpec", "persistentVolumeReclaimPolicy", one_of("Retain")),
    ("ValidatePersistentVolumeSpec", "volumeMode", option("Block", "Filesystem")),
    ("validateCSIPersistentVolumeSource", "csi.volumeHandle", required),
)


def volume_attachment(at: At) -> Iterator[Refusal]:
    """ValidateVolumeAttachment."""
    yield from evaluate(_ATTACHMENT, at)
    source = at["spec"]["source"]
    if (source["inlineVolumeSpec"].value is None) == (source["persistentVolumeName"].value is None):
        yield source.refuse("needs either persistentVolumeName or inlineVolumeSpec")
    elif source["inlineVolumeSpec"].is_map:
        yield from _inline(source["inlineVolumeSpec"])


def _inline(inline: At) -> Iterator[Refusal]:
    """ValidatePersistentVolumeSpec for a volume that no object stands for."""
    yield from access_modes(inline["accessModes"])
    yield from required(inline["csi"])
    yield from evaluate(_INLINE, inline)
    yield from _one_type(inline)
    for name in ("claimRef", "capacity", "nodeAffinity", "storageClassName"):
        if not inline[name].empty:
            yield inline[name].refuse("has no place in an inline volume")
