"""Fields of the older Flux APIs below the first level: no schema of these versions judges them, so they are watched here.

Facts: helm-controller api/v2beta1 and v2beta2, kustomize-controller api/v1beta1 and v1beta2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.model import Path

__all__ = ["is_older", "unknown_fields"]

Fields = Mapping[str, Any]
"""What a mapping, or each of a list of mappings, may have: the fields of each field, None where anything goes."""


def _fields(plain: str, **below: Fields) -> Fields:
    return {**dict.fromkeys(plain.split()), **below}


_NAMED = _fields("name")
_REFERENCE = _fields("apiVersion kind name namespace")
_SELECTOR = _fields("group version kind name namespace labelSelector annotationSelector")
_PATCHES = _fields("patch", target=_SELECTOR)
_IMAGES = _fields("name newName newTag digest")
_KUBE_CONFIG = _fields("", secretRef=_fields("name key"), configMapRef=_NAMED)
_META = _fields("labels annotations")
_WAITING = "timeout disableWait disableWaitForJobs disableHooks"
_INSTALLING = f"{_WAITING} disableOpenAPIValidation disableSchemaValidation disableTakeOwnership crds"
_RETRYING = "retries ignoreTestFailures remediateLastFailure"

_KNOWN: Mapping[str, Fields] = {
    "HelmRelease": {
        "chart": _fields(
            "",
            metadata=_META,
            spec=_fields(
                "chart version interval reconcileStrategy valuesFiles valuesFile ignoreMissingValuesFiles",
                sourceRef=_REFERENCE,
                verify=_fields("provider", secretRef=_NAMED),
            ),
        ),
        "chartRef": _REFERENCE,
        "kubeConfig": _KUBE_CONFIG,
        "dependsOn": _fields("name namespace"),
        "driftDetection": _fields("mode", ignore=_fields("paths", target=_SELECTOR)),
        "install": _fields(f"{_INSTALLING} replace skipCRDs createNamespace", remediation=_fields(_RETRYING)),
        "upgrade": _fields(
            f"{_INSTALLING} force preserveValues cleanupOnFail", remediation=_fields(f"{_RETRYING} strategy")
        ),
        "test": _fields("enable timeout ignoreFailures", filters=_fields("name exclude")),
        "rollback": _fields(f"{_WAITING} recreate force cleanupOnFail"),
        "uninstall": _fields(f"{_WAITING} keepHistory deletionPropagation"),
        "valuesFrom": _fields("kind name valuesKey targetPath optional"),
        "postRenderers": _fields(
            "",
            kustomize=_fields(
                "patchesStrategicMerge", patches=_PATCHES, patchesJson6902=_PATCHES, images=_IMAGES
            ),
        ),
    },
    "Kustomization": {
        "sourceRef": _REFERENCE,
        "kubeConfig": _KUBE_CONFIG,
        "dependsOn": _fields("name namespace"),
        "decryption": _fields("provider", secretRef=_NAMED),
        "healthChecks": _REFERENCE,
        "commonMetadata": _META,
        "patches": _PATCHES,
        "patchesJson6902": _PATCHES,
        "images": _IMAGES,
        "postBuild": _fields("substitute", substituteFrom=_fields("kind name optional")),
    },
}


def is_older(api_version: str) -> bool:
    """Whether it is a version of Flux' APIs before the first stable one: `…/v2beta1`, `…/v1beta2`."""
    return "beta" in api_version.rpartition("/")[2]


def unknown_fields(kind: str, spec: Mapping[str, Any]) -> Iterator[Path]:
    """The fields below those of `spec` that no older API of a HelmRelease or a Kustomization has."""
    for name, known in _KNOWN[kind].items():
        if name in spec:
            yield from _beyond(spec[name], known, ("spec", name))


def _beyond(value: Any, known: Fields, path: Path) -> Iterator[Path]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict):
                yield from _beyond(item, known, (*path, index))
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name not in known:
                yield (*path, name)
            elif known[name] is not None:
                yield from _beyond(inner, known[name], (*path, name))
