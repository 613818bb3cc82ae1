"""kustomize's own knowledge of kinds, as data (facts of kustomize v5.8.1; see `data/`)."""

from __future__ import annotations

import json
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from gitops_layout.values import dataclass

__all__ = [
    "CLUSTER_SCOPED",
    "FieldSpec",
    "ListRule",
    "Reference",
    "Rules",
    "Specs",
    "default_references",
    "default_specs",
    "group_version",
    "list_rules",
    "split_path",
]

# Source: kyaml v0.21.1, openapi.IsCertainlyClusterScoped: Kubernetes 1.21's kinds and PodSecurityPolicy.
# Kinds that came later (ValidatingAdmissionPolicy, …) count as namespaced there.
CLUSTER_SCOPED: frozenset[tuple[str, str]] = frozenset(
    (f"{group}{version}", kind)
    for group, versions, kinds in (
        ("", "v1", "ComponentStatus Namespace Node NodeProxyOptions PersistentVolume"),
        (
            "admissionregistration.k8s.io/",
            "v1 v1beta1",
            "MutatingWebhookConfiguration ValidatingWebhookConfiguration",
        ),
        ("apiextensions.k8s.io/", "v1 v1beta1", "CustomResourceDefinition"),
        ("apiregistration.k8s.io/", "v1 v1beta1", "APIService"),
        ("certificates.k8s.io/", "v1 v1beta1", "CertificateSigningRequest"),
        ("flowcontrol.apiserver.k8s.io/", "v1beta1", "FlowSchema PriorityLevelConfiguration"),
        ("networking.k8s.io/", "v1 v1beta1", "IngressClass"),
        ("node.k8s.io/", "v1 v1beta1", "RuntimeClass"),
        ("policy/", "v1beta1", "PodSecurityPolicy"),
        ("rbac.authorization.k8s.io/", "v1 v1beta1", "ClusterRole ClusterRoleBinding"),
        ("scheduling.k8s.io/", "v1 v1beta1", "PriorityClass"),
        ("storage.k8s.io/", "v1", "CSIDriver CSINode StorageClass VolumeAttachment"),
        ("storage.k8s.io/", "v1beta1", "CSIDriver CSINode StorageClass VolumeAttachment"),
    )
    for version in versions.split()
    for kind in kinds.split()
)


def group_version(api_version: str) -> tuple[str, str]:
    """An apiVersion's two halves, cut at the first slash; the core group is ""."""
    group, slash, version = api_version.partition("/")
    return (group, version) if slash else ("", api_version)


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A field of some kinds: empty `kind`, `group` and `version` stand for any; `path` in steps,
    `[]` at a step's end for a list. With `create`, what is missing appears.
    """

    kind: str
    group: str
    version: str
    path: tuple[str, ...]
    create: bool = False

    def selects(self, api_version: str, kind: str) -> bool:
        """Whether an object of this kind is meant."""
        group, version = group_version(api_version)
        return self.kind in ("", kind) and self.group in ("", group) and self.version in ("", version)


@dataclass(frozen=True, slots=True, eq=False)
class Specs:
    """The fields that a transformer writes. Compared by identity, which makes look-ups by it cheap."""

    fields: tuple[FieldSpec, ...]

    def of(self, api_version: str, kind: str) -> tuple[FieldSpec, ...]:
        """Those of one kind of objects."""
        return _selected(self, api_version, kind)


@lru_cache(maxsize=4096)
def _selected(specs: Specs, api_version: str, kind: str) -> tuple[FieldSpec, ...]:
    return tuple(spec for spec in specs.fields if spec.selects(api_version, kind))


@dataclass(frozen=True, slots=True)
class Reference:
    """A field (`spec`) that holds the name of an object of `kind`, `group`, `version` ("" for any)."""

    order: int
    kind: str
    group: str
    version: str
    spec: FieldSpec


ListRule = tuple[list[str] | None, str | None]
"""How a strategic merge treats a field: the keys of a merged list's elements (none: of plain values;
None: no such list), and the type of the elements or of the mapping ("": nothing merges below; None: what stands there may say its kind)."""


@cache
def _load(name: str) -> Any:
    return json.loads(files("gitops_layout.kustomize.fast").joinpath("data", name).read_text("utf-8"))


def split_path(path: str) -> tuple[str, ...]:
    r"""A field spec's path in steps; `\/` is a slash inside a step."""
    return tuple(step.replace("\0", "/") for step in path.replace("\\/", "\0").strip("/").split("/"))


@cache
def default_specs(name: str) -> Specs:
    """A transformer's fields: `namespace`, `commonLabels`, `templateLabels`, `labels`, `commonAnnotations`,
    `images`, `replicas`, `namePrefix`, `nameSuffix`, `varReference`.
    """
    return Specs(
        tuple(
            FieldSpec(kind, group, version, split_path(path), create)
            for kind, group, version, path, create in _load("field_specs.json").get(name, ())
        )
    )


@cache
def default_references() -> tuple[Reference, ...]:
    """Every field that names another object, in kustomize's order."""
    found: list[Reference] = []
    for (kind, group, version), rows in _load("field_specs.json")["nameReference"]:
        for row_kind, row_group, row_version, path in rows:
            spec = FieldSpec(row_kind, row_group, row_version, split_path(path))
            found.append(Reference(len(found), kind, group, version, spec))
    return tuple(found)


Rules = tuple[dict[str, str], dict[str, dict[str, ListRule]]]


@cache
def list_rules() -> Rules:
    """The types of kinds (`apiVersion kind` to a type name), and the fields of types."""
    table = _load("merge_keys.json")
    return table["kinds"], table["fields"]
