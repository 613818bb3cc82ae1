"""Requests in the shape of objects: who am I, and may I.

Source: k8s.io/kubernetes 1.36, pkg/apis/authorization/validation/validation.go and the storages in
pkg/registry/{authentication,authorization}. Servers keep none of them, and none can be applied.
"""

from __future__ import annotations

from collections.abc import Iterator

from gitops_layout.k8s import formats
from gitops_layout.validation.server.cursor import At, Refusal

__all__ = ["access", "rules", "token"]


def token(at: At) -> Iterator[Refusal]:
    """Create of the storage of TokenReview."""
    if not at["spec"]["token"].text:
        yield at["spec"]["token"].refuse("is required")


def rules(at: At) -> Iterator[Refusal]:
    """Create of the storage of SelfSubjectRulesReview."""
    if not at["spec"]["namespace"].text:
        yield at["spec"]["namespace"].refuse("is required")


def access(at: At) -> Iterator[Refusal]:
    """ValidateSubjectAccessReview, ValidateSelfSubjectAccessReview, ValidateLocalSubjectAccessReview."""
    spec, kind = at["spec"], at["kind"].text
    resource, other = spec["resourceAttributes"], spec["nonResourceAttributes"]
    if (resource.value is None) == (other.value is None):
        yield spec.refuse("needs either resourceAttributes or nonResourceAttributes")
    if kind != "SelfSubjectAccessReview" and not spec["user"].text and not (spec["groups"] or spec["group"]):
        yield spec["user"].refuse("is required, or groups")
    allowed = ("namespace", "managedFields") if kind == "LocalSubjectAccessReview" else ("managedFields",)
    for key, value in at["metadata"].pairs:
        if key not in allowed and not value.empty and value.value != 0:
            yield value.refuse(f"has no place in a {kind}")
    if kind == "LocalSubjectAccessReview":
        namespace = at["metadata"]["namespace"].text or "default"
        if resource.value is not None and resource["namespace"].text != namespace:
            yield resource["namespace"].refuse("must be the namespace of the review")
        if other.value is not None:
            yield other.refuse("has no place in a LocalSubjectAccessReview")
    yield from _requirements(resource["fieldSelector"], label=False)
    yield from _requirements(resource["labelSelector"], label=True)


def _requirements(at: At, *, label: bool) -> Iterator[Refusal]:
    """validateFieldSelectorAttributes, validateLabelSelectorAttributes."""
    if not at.is_map:
        return
    if bool(at["rawSelector"].text) == bool(at["requirements"]):
        yield at.refuse("needs either requirements or rawSelector")
    for item in at["requirements"]:
        key, operator, values = item["key"], item["operator"].text, item["values"]
        if label and (fault := formats.qualified(key.text)):
            yield key.refuse(fault)
        elif not key.text:
            yield key.refuse("is required")
        if operator in ("In", "NotIn") and not values:
            yield values.refuse(f"is required with operator {operator}")
        elif operator in ("Exists", "DoesNotExist") and values:
            yield values.refuse(f"must be empty with operator {operator}")
        for value in values if label else ():
            if fault := formats.label_value(value.text):
                yield value.refuse(fault)
