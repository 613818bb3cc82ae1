"""Object metadata: names for each kind, labels, annotations, owners, finalizers.

Sources: apimachinery, pkg/api/validation/objectmeta.go (ValidateObjectMetaAccessor); the name functions
of each kind in pkg/apis/*/validation/validation.go of k8s.io/kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from gitops_layout.k8s import formats
from gitops_layout.k8s.scope import builtin_scope
from gitops_layout.validation.server.checks import labels, required
from gitops_layout.validation.server.clean import Clean, content
from gitops_layout.validation.server.cursor import At, Check, Refusal, shown

__all__ = ["STAMPS", "annotation_map", "metadata"]

_ANNOTATIONS_LIMIT = 256 * 1024
_STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")
_ORPHAN, _FOREGROUND = "orphan", "foregroundDeletion"


def _ip_name(text: str) -> str | None:
    return formats.address(text) or formats.canonical(text)


_NAMES: dict[tuple[str, str], Callable[[str], str | None]] = {
    ("", "Namespace"): formats.label,
    ("", "Service"): formats.label,  # since 1.34 (RelaxedServiceNameValidation)
    ("apps", "StatefulSet"): formats.label,
    ("coordination.k8s.io", "LeaseCandidate"): formats.config_key,
    ("networking.k8s.io", "IPAddress"): _ip_name,
    **dict.fromkeys(
        [
            ("", "Event"),
            ("certificates.k8s.io", "ClusterTrustBundle"),
            ("policy", "PodDisruptionBudget"),
            ("rbac.authorization.k8s.io", "ClusterRole"),
            ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
            ("rbac.authorization.k8s.io", "Role"),
            ("rbac.authorization.k8s.io", "RoleBinding"),
        ],
        formats.path_segment,
    ),
    ("certificates.k8s.io", "CertificateSigningRequest"): formats.path_segment,
}

STAMPS = ("creationTimestamp", "deletionTimestamp")
_OPENSHIFT = frozenset(
    f"{name}.openshift.io"
    for name in (
        "apps",
        "authorization",
        "build",
        "image",
        "oauth",
        "project",
        "route",
        "security",
        "template",
        "user",
    )
)
"""Groups of OpenShift's own API servers, which ask of each kind's names what they like (`label_sync`, `jane@acme`)."""

_NAMESPACE, _OWN_NAME = ("", "Namespace"), "kubernetes.io/metadata.name"
"""The label of namespaces that the server writes itself, whatever stands there."""
_GENERIC = (
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "coordination.k8s.io",
    "policy",
)
"""Built-in groups that know no standard finalizers (they use the generic validation, as custom kinds do)."""


_GENERATED = (
    ("", "LimitRange"),
    ("authentication.k8s.io", "SelfSubjectReview"),
    ("authentication.k8s.io", "TokenReview"),
)
"""Kinds whose missing name the server makes up on create, or does not look at."""
_ANONYMOUS = frozenset(
    {"LocalSubjectAccessReview", "SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"}
)
"""Kinds whose metadata nobody looks at, or that may have none."""


_LATE = frozenset({("", "ReplicationController"), ("resource.k8s.io", "DeviceClass")})
"""Kinds whose generateName is judged by what it makes only (ValidateObjectMetaWithOpts)."""


def metadata(group: str, kind: str, at: At, *, apply: bool) -> Iterator[Refusal]:
    """What is wrong with `metadata`; `at` is the whole object."""
    meta = at["metadata"]
    if meta.value is not None and not meta.is_map:
        return
    form = formats.path_segment if group in _OPENSHIFT else _NAMES.get((group, kind), formats.subdomain)
    if meta.is_map and _taken(form, meta.value):
        return
    if group == "authorization.k8s.io" and kind in _ANONYMOUS:
        return
    namespaced = builtin_scope(group, kind)
    named = apply or (group, kind) not in _GENERATED
    late = (group, kind) in _LATE
    yield from _name(form, meta, apply=apply, named=named, late=late)
    if namespaced is not False and (fault := formats.label(meta["namespace"].text or "default")):
        yield meta["namespace"].refuse(f"{shown(meta['namespace'].text)} {fault}")
    yield from (
        fault
        for fault in labels(meta["labels"])
        if (group, kind) != _NAMESPACE or fault.path[-1] != _OWN_NAME
    )
    yield from annotation_map(meta["annotations"])
    yield from _owners(meta["ownerReferences"])
    yield from _finalizers(meta["finalizers"], standard=namespaced is not None and group not in _GENERIC)
    # Of what is applied, the server reads the times of custom kinds from what it stored.
    for name in () if apply and namespaced is None else STAMPS:
        if meta[name].text and not formats.is_time(meta[name].text):
            yield meta[name].refuse(f"{shown(meta[name].text)} is no time such as 2026-01-31T12:00:00Z")
    revision = meta["resourceVersion"].text
    if apply and revision and not (revision.isascii() and revision.isdigit()):
        yield meta["resourceVersion"].refuse(
            f"{shown(revision)} is no number, and nothing that a manifest knows"
        )
    if apply and meta["managedFields"].value is not None:
        yield meta["managedFields"].refuse("must be absent in what is applied")
    if (meta["generation"].number or 0) < 0:
        yield meta["generation"].refuse("must not be negative")


_labels, _annotations = Clean(), Clean()


def _taken(form: Callable[[str], str | None], meta: dict[str, Any]) -> bool:
    """Whether there is nothing but a good name, namespace, labels and annotations, as in most objects."""
    for key, value in meta.items():
        if key == "name":
            good = isinstance(value, str) and value != "" and _good(form, value)
        elif key == "namespace":
            good = isinstance(value, str) and value != "" and _good(formats.label, value)
        elif key == "labels":
            good = _all_good(value, labels, _labels)
        elif key == "annotations":
            good = _all_good(value, annotation_map, _annotations)
        else:
            good = False
        if not good:
            return False
    return "name" in meta


@lru_cache(maxsize=1024)
def _good(form: Callable[[str], str | None], text: str) -> bool:
    return not (formats.path_segment(text) or form(text))


def _all_good(value: Any, check: Check, clean: Clean) -> bool:
    key = content(value)
    if key in clean:
        return True
    if any(True for _ in check(At(value))):
        return False
    clean.add(key)
    return True


def _name(
    form: Callable[[str], str | None], meta: At, *, apply: bool, named: bool, late: bool
) -> Iterator[Refusal]:
    name, generated = meta["name"], meta["generateName"]
    if named and name.empty and (apply or generated.empty):
        yield name.refuse("is required")
    if name.text and (fault := formats.path_segment(name.text) or form(name.text)):
        yield name.refuse(f"{shown(name.text)} {fault}")
    # A prefix may end in what the random suffix completes (NameIsDNSSubdomain, prefix=true).
    prefix = generated.text[:-1] + "a" if generated.text.endswith("-") else generated.text
    form = formats.path_segment if late and name.text else form
    if prefix and (fault := form(prefix)):
        yield generated.refuse(f"{shown(generated.text)} {fault}")


def annotation_map(at: At) -> Iterator[Refusal]:
    """Keys in any case, and the size of all together (ValidateAnnotations)."""
    total = 0
    for key, value in at.pairs:
        total += len(key.encode("utf-8", "replace")) + len(value.text.encode("utf-8", "replace"))
        if fault := formats.qualified(key.lower()):
            yield value.refuse(f"annotation key {shown(key)} {fault}")
    if total > _ANNOTATIONS_LIMIT:
        yield at.refuse(f"has {total} bytes, at most {_ANNOTATIONS_LIMIT} are allowed")


def _owners(at: At) -> Iterator[Refusal]:
    controllers = 0
    for owner in at:
        if not owner.is_map:
            continue
        for name in ("apiVersion", "kind", "name", "uid"):
            yield from required(owner[name])
        if (owner["apiVersion"].value, owner["kind"].value) == ("v1", "Event"):
            yield owner.refuse("an Event owns nothing")
        controllers += owner["controller"].is_true
    if controllers > 1:
        yield at.refuse(f"{controllers} owners are marked as controller, at most one may be")


def _finalizers(at: At, *, standard: bool) -> Iterator[Refusal]:
    for item in at:
        if not isinstance(item.value, str):
            continue
        if fault := formats.qualified(item.value):
            yield item.refuse(f"{shown(item.value)} {fault}")
        elif standard and "/" not in item.value and item.value not in _STANDARD_FINALIZERS:
            yield item.refuse(f"{shown(item.value)} must have a domain, as in example.com/name")
    if {_ORPHAN, _FOREGROUND} <= set(at.texts):
        yield at.refuse(f"{_ORPHAN} and {_FOREGROUND} exclude each other")
