"""Claims for storage: the spec that PersistentVolumeClaims, their templates and ephemeral volumes share.

Source: k8s.io/kubernetes 1.36, pkg/apis/core/validation/validation.go (ValidatePersistentVolumeClaimSpec).
"""

from __future__ import annotations

from collections.abc import Iterator

from gitops_layout.k8s import formats
from gitops_layout.validation.server.checks import (
    any_quantity,
    choice,
    option,
    positive_quantity,
    required,
    selector,
    valid,
)
from gitops_layout.validation.server.cursor import At, Refusal, Row, evaluate

__all__ = ["access_modes", "claim_spec", "claim_template"]

_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")

_TABLE: tuple[Row, ...] = (
    ("ValidatePersistentVolumeClaimSpec", "selector", selector),
    ("ValidatePersistentVolumeClaimSpec", "storageClassName", valid(formats.subdomain)),
    ("ValidatePersistentVolumeClaimSpec", "volumeMode", option("Block", "Filesystem")),
    ("ValidatePersistentVolumeClaimSpec", "volumeAttributesClassName", valid(formats.subdomain)),
    ("ValidatePersistentVolumeClaimSpec", "resources!.requests!.storage", required),
    ("ValidatePersistentVolumeClaimSpec", "resources!.requests!.storage", positive_quantity),
    # Other amounts are only decoded.
    ("Quantity", "resources.limits{}", any_quantity),
    ("Quantity", "resources.requests{}", any_quantity),
)


def access_modes(at: At) -> Iterator[Refusal]:
    """At least one, known ones, and ReadWriteOncePod alone."""
    yield from required(at)
    for mode in at:
        yield from choice(*_MODES)(mode)
    if "ReadWriteOncePod" in at.texts and {*at.texts} & {*_MODES[:3]}:
        yield at.refuse("ReadWriteOncePod excludes other modes")


def claim_spec(at: At) -> Iterator[Refusal]:
    """The spec of a claim; `at` is the spec."""
    source, reference = at["dataSource"], at["dataSourceRef"]
    if not _kept(source):
        source = At(None, source.path)
    if reference["namespace"].text:
        reference = At(None, reference.path)  # an alpha feature: without it the server drops the reference
    yield from _claim(at, source, reference)


def claim_template(at: At) -> Iterator[Refusal]:
    """The spec of a claim that something else makes; here nothing is dropped."""
    yield from _claim(at, at["dataSource"], at["dataSourceRef"])


def _claim(at: At, source: At, reference: At) -> Iterator[Refusal]:
    if not at.is_map:
        return
    yield from access_modes(at["accessModes"])
    yield from evaluate(_TABLE, at)
    if source.is_map and reference["namespace"].text:
        yield source.refuse("excludes dataSourceRef.namespace")
        return
    for each in (source, reference):
        if not each.is_map:
            continue
        yield from required(each["name"])
        yield from required(each["kind"])
        yield from valid(formats.subdomain)(each["apiGroup"])
        if not each["apiGroup"].text and each["kind"].text not in ("", "PersistentVolumeClaim"):
            yield each["kind"].refuse("must be PersistentVolumeClaim where apiGroup is empty")
    names = ("apiGroup", "kind", "name")
    if (
        source.is_map
        and reference.is_map
        and any(source[name].value != reference[name].value for name in names)
    ):
        yield source.refuse("differs from dataSourceRef")


def _kept(source: At) -> bool:
    """The server drops what is neither a claim nor a snapshot (EnforceDataSourceBackwardsCompatibility)."""
    group, kind = source["apiGroup"].text, source["kind"].text
    return (group, kind) in (("", "PersistentVolumeClaim"), ("snapshot.storage.k8s.io", "VolumeSnapshot"))
