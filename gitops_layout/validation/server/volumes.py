"""Volumes of pods and the sources that persistent volumes share with them.

Source: k8s.io/kubernetes 1.36, pkg/apis/core/validation/validation.go; table rows name the Go function.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gitops_layout.k8s import formats
from gitops_layout.patterns import regexp
from gitops_layout.validation.server.checks import (
    between,
    labels,
    named,
    not_negative_quantity,
    one_of,
    required,
    valid,
)
from gitops_layout.validation.server.claims import claim_template
from gitops_layout.validation.server.containers import object_field, resource_field
from gitops_layout.validation.server.cursor import At, Check, Refusal, Row, evaluate, find, shown
from gitops_layout.validation.server.metadata import annotation_map

__all__ = ["SHARED", "VOLUME_TYPES", "shared_relations", "volumes"]


_MODE = between(0, 0o777)
_TOKEN_SECONDS = between(600, 2**32)
_FIELD_PATHS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.labels",
    "metadata.annotations",
    "metadata.uid",
)
_IQN = regexp(r"iqn\.\d{4}-\d{2}\.[A-Za-z0-9.-]+(?::[^,;*&$|\s]+)?", re.ASCII)
_PARTITION = between(0, 255)


def _initiator(text: str) -> str | None:
    if text.startswith("iqn"):
        good = re.search(r"iqn\.\d{4}-\d{2}\.([A-Za-z0-9.-]+)(:[^,;*&$|\s]+)$", text, re.ASCII)
    elif text.startswith("eui"):
        good = re.fullmatch(r"eui.[A-Za-z0-9]{16}", text)
    else:
        good = re.fullmatch(r"naa.[A-Za-z0-9]{32}", text)
    return None if good else "must be an iqn, eui or naa name"


def _absolute(text: str) -> str | None:
    return None if text.startswith("/") else "must be an absolute path"


def _descending(text: str) -> str | None:
    return "must be a relative path" if text.startswith("/") else formats.has_backstep(text)


def _no_slash(text: str) -> str | None:
    return "must not contain '/'" if "/" in text else None


def _under(prefix: str, rows: tuple[tuple[str, str, Check], ...]) -> tuple[Row, ...]:
    return tuple((function, f"{prefix}.{path}", check) for function, path, check in rows)


SHARED: tuple[Row, ...] = (
    ("validateHostPathVolumeSource", "hostPath.path", named(formats.has_backstep)),
    (
        "validateHostPathType",
        "hostPath.type",
        one_of(
            "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"
        ),
    ),
    ("validateGCEPersistentDiskVolumeSource", "gcePersistentDisk.pdName", required),
    ("validateGCEPersistentDiskVolumeSource", "gcePersistentDisk.partition", _PARTITION),
    ("validateAWSElasticBlockStoreVolumeSource", "awsElasticBlockStore.volumeID", required),
    ("validateAWSElasticBlockStoreVolumeSource", "awsElasticBlockStore.partition", _PARTITION),
    ("validateNFSVolumeSource", "nfs.server", required),
    ("validateNFSVolumeSource", "nfs.path", named(_absolute)),
    ("validateISCSIVolumeSource", "iscsi.targetPortal", required),
    ("validateISCSIVolumeSource", "iscsi.iqn", named(_initiator)),
    ("validateISCSIVolumeSource", "iscsi.initiatorName", valid(_initiator)),
    ("validateISCSIVolumeSource", "iscsi.lun", _PARTITION),
    ("validateGlusterfsVolumeSource", "glusterfs.endpoints", required),
    ("validateGlusterfsVolumeSource", "glusterfs.path", required),
    ("validateRBDVolumeSource", "rbd.monitors", required),
    ("validateRBDVolumeSource", "rbd.image", required),
    ("validateCinderVolumeSource", "cinder.volumeID", required),
    ("validateCephFSVolumeSource", "cephfs.monitors", required),
    ("validateQuobyteVolumeSource", "quobyte.registry", required),
    ("validateQuobyteVolumeSource", "quobyte.volume", required),
    ("validateFlockerVolumeSource", "flocker.datasetName", valid(_no_slash)),
    ("validateFlexVolumeSource", "flexVolume.driver", required),
    ("validateAzureFile", "azureFile.secretName", required),
    ("validateAzureFile", "azureFile.shareName", required),
    ("validateAzureDisk", "azureDisk.diskName", required),
    ("validateAzureDisk", "azureDisk.diskURI", required),
    ("validateAzureDisk", "azureDisk.cachingMode", one_of("None", "ReadOnly", "ReadWrite")),
    ("validateAzureDisk", "azureDisk.kind", one_of("Shared", "Dedicated", "Managed")),
    ("validateVsphereVolumeSource", "vsphereVolume.volumePath", required),
    ("validatePhotonPersistentDiskVolumeSource", "photonPersistentDisk.pdID", required),
    ("validatePortworxVolumeSource", "portworxVolume.volumeID", required),
    ("validateScaleIOVolumeSource", "scaleIO.gateway", required),
    ("validateScaleIOVolumeSource", "scaleIO.system", required),
    ("validateScaleIOVolumeSource", "scaleIO.volumeName", required),
    ("validateStorageOSVolumeSource", "storageos.volumeName", named(formats.label)),
    ("ValidateCSIDriverName", "csi.driver", named(formats.driver)),
)
"""What volumes of pods and persistent volumes have in common."""

VOLUME_TYPES = tuple(
    "emptyDir hostPath gitRepo gcePersistentDisk awsElasticBlockStore secret nfs iscsi glusterfs flocker"
    " persistentVolumeClaim rbd cinder cephfs quobyte downwardAPI fc flexVolume configMap azureFile"
    " vsphereVolume photonPersistentDisk portworxVolume azureDisk storageos projected scaleIO csi ephemeral"
    " image".split()
)
_ITEMS: tuple[Row, ...] = (
    ("validateKeyToPath", "items[].key", required),
    ("validateKeyToPath", "items[].path", named(formats.local_path)),
    ("validateKeyToPath", "items[].mode", _MODE),
)
_DOWNWARD: tuple[Row, ...] = (
    ("validateDownwardAPIVolumeFile", "items[].path", named(formats.local_path)),
    ("validateDownwardAPIVolumeFile", "items[].mode", _MODE),
)
_TOKEN: tuple[Row, ...] = (
    ("validateProjectionSources", "expirationSeconds", _TOKEN_SECONDS),
    ("validateProjectionSources", "path", named(formats.local_path)),
)
_POD: tuple[Row, ...] = (
    ("ValidateVolumes", "name", named(formats.label)),
    *SHARED,
    ("validateVolumeSource", "emptyDir.sizeLimit", not_negative_quantity),
    ("validateGitRepoVolumeSource", "gitRepo.repository", required),
    ("validateGitRepoVolumeSource", "gitRepo.directory", valid(_descending)),
    ("validateSecretVolumeSource", "secret.secretName", required),
    ("validateSecretVolumeSource", "secret.defaultMode", _MODE),
    *_under("secret", _ITEMS),
    ("validateConfigMapVolumeSource", "configMap.name", required),
    ("validateConfigMapVolumeSource", "configMap.defaultMode", _MODE),
    *_under("configMap", _ITEMS),
    ("validatePersistentClaimVolumeSource", "persistentVolumeClaim.claimName", required),
    ("validateDownwardAPIVolumeSource", "downwardAPI.defaultMode", _MODE),
    *_under("downwardAPI", _DOWNWARD),
    ("validateProjectedVolumeSource", "projected.defaultMode", _MODE),
    ("validateProjectionSources", "projected.sources[].secret.name", required),
    ("validateProjectionSources", "projected.sources[].configMap.name", required),
    *_under("projected.sources[].secret", _ITEMS),
    *_under("projected.sources[].configMap", _ITEMS),
    *_under("projected.sources[].downwardAPI", _DOWNWARD),
    *_under("projected.sources[].serviceAccountToken", _TOKEN),
    ("validateCSIVolumeSource", "csi.nodePublishSecretRef.name", named(formats.subdomain)),
    ("validateCinderVolumeSource", "cinder.secretRef.name", required),
    ("validateEphemeralVolumeSource", "ephemeral.volumeClaimTemplate", required),
    ("ValidateTemplateObjectMeta", "ephemeral.volumeClaimTemplate.metadata.labels", labels),
    ("ValidateTemplateObjectMeta", "ephemeral.volumeClaimTemplate.metadata.annotations", annotation_map),
    ("validatePullPolicy", "image.pullPolicy", one_of("Always", "IfNotPresent", "Never")),
)
_PROJECTED = ("secret", "configMap", "downwardAPI", "serviceAccountToken")
"""Trust bundles and pod certificates are dropped by default: features that are off."""


def volumes(at: At, owner: str, *, bare: bool) -> tuple[dict[str, At], list[Refusal]]:
    """The usable volumes of a pod by name, and what is wrong with the others (ValidateVolumes).

    `owner` is the pod's own name, empty in templates; `bare` tells a Pod from a template. A faulty volume is missing for the mounts, too.
    """
    usable: dict[str, At] = {}
    refusals: list[Refusal] = []
    for volume in at:
        if not volume.is_map:
            continue
        faults = list(_volume(volume, owner, bare=bare))
        name = volume["name"].text
        if name in usable:
            faults.append(volume["name"].refuse(f"{shown(name)} is the name of another volume"))
        elif name:
            usable[name] = volume
        refusals += faults
    return usable, refusals


def _volume(at: At, owner: str, *, bare: bool) -> Iterator[Refusal]:
    types = [name for name in VOLUME_TYPES if at[name].value is not None]
    for extra in types[1:]:
        yield at[extra].refuse(f"excludes {types[0]}: a volume has one type")
    yield from evaluate(_POD, at)
    yield from shared_relations(at)
    if bare and at["image"].is_map:
        yield from required(at["image"]["reference"])
    for path in ("downwardAPI.items[]", "projected.sources[].downwardAPI.items[]"):
        for item in find(at, path):
            yield from _downward(item)
    if at["projected"].is_map:
        yield from _projection(at["projected"])
    template = at["ephemeral"]["volumeClaimTemplate"]
    if template.is_map:
        yield from claim_template(At(template["spec"].value or {}, template["spec"].path))
        for name, value in template["metadata"].pairs:
            if name not in ("labels", "annotations", "creationTimestamp") and not value.empty:
                yield value.refuse("cannot be set in the template of a claim")
    claim = f"{owner}-{at['name'].text}"
    if owner and at["ephemeral"].is_map and (fault := formats.subdomain(claim)):
        yield at["name"].refuse(f"its claim {shown(claim)} {fault}")


def shared_relations(at: At) -> Iterator[Refusal]:
    """Relations inside the types that pods and persistent volumes share."""
    fc, iscsi, flocker = at["fc"], at["iscsi"], at["flocker"]
    if fc.is_map:
        wwns, ids = fc["targetWWNs"], fc["wwids"]
        if bool(wwns) == bool(ids):
            yield wwns.refuse("either targetWWNs or wwids is required, not both")
        if wwns and fc["lun"].value is None:
            yield fc["lun"].refuse("is required with targetWWNs")
        if wwns:
            yield from _PARTITION(fc["lun"])
    if iscsi["secretRef"].value is None and (
        iscsi["chapAuthDiscovery"].is_true or iscsi["chapAuthSession"].is_true
    ):
        yield iscsi["secretRef"].refuse("is required with CHAP")
    if at["scaleIO"].is_map and at["scaleIO"]["secretRef"].value is None:
        yield at["scaleIO"]["secretRef"].refuse("is required")
    if flocker.is_map and bool(flocker["datasetName"].text) == bool(flocker["datasetUUID"].text):
        yield flocker.refuse("needs one of datasetName and datasetUUID")
    for key, value in at["flexVolume"]["options"].pairs:
        if f".{key.partition('/')[0].lower()}".endswith((".kubernetes.io", ".k8s.io")):
            yield value.refuse("options of kubernetes.io and k8s.io are reserved")
    for pair in at["quobyte"]["registry"].text.split(",") if at["quobyte"]["registry"].text else ():
        if not re.fullmatch(r"(?:[^:\[\]]*|\[[^\[\]]*\]):[^:\[\]]*", pair):
            yield at["quobyte"]["registry"].refuse("must be host:port pairs with commas between them")


def _downward(at: At) -> Iterator[Refusal]:
    if not at.is_map:
        return
    field, resource = at["fieldRef"], at["resourceFieldRef"]
    if field.is_map == resource.is_map:
        yield at.refuse("needs either fieldRef or resourceFieldRef")
    yield from object_field(field, _FIELD_PATHS)
    if not field.is_map:
        yield from resource_field(resource, volume=True)


def _projection(at: At) -> Iterator[Refusal]:
    """validateProjectionSources: one type a source, no two files at one path."""
    paths: set[str] = set()
    for source in at["sources"]:
        kinds = [name for name in _PROJECTED if source[name].value is not None]
        for extra in kinds[1:]:
            yield source[extra].refuse(f"excludes {kinds[0]}: a source has one type")
        places = [
            place
            for kind in ("secret", "configMap", "downwardAPI")
            for place in find(source, f"{kind}.items[].path")
        ]
        for place in places:
            if place.text and place.text in paths:
                yield place.refuse(f"{shown(place.text)} is the path of another file")
            paths.add(place.text)
