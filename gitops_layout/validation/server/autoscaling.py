"""HorizontalPodAutoscalers, both versions.

Source: k8s.io/kubernetes 1.36, pkg/apis/autoscaling/validation/validation.go; table rows name the Go function.
"""

from __future__ import annotations

from collections.abc import Iterator

from gitops_layout.k8s import formats
from gitops_layout.validation.server.checks import (
    above,
    at_least,
    between,
    choice,
    named,
    not_negative_quantity,
    option,
    positive_quantity,
    required,
)
from gitops_layout.validation.server.cursor import At, Refusal, Row, evaluate, find, shown
from gitops_layout.validation.server.resources import container_resource

__all__ = ["horizontal_pod_autoscaler"]

_SOURCES = {
    "Object": "object",
    "External": "external",
    "Pods": "pods",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}
_RULES = ("spec.behavior.scaleUp", "spec.behavior.scaleDown")


def _reference(prefix: str) -> tuple[Row, ...]:
    return (
        ("ValidateCrossVersionObjectReference", f"{prefix}.kind", named(formats.path_segment)),
        ("ValidateCrossVersionObjectReference", f"{prefix}.name", named(formats.path_segment)),
    )


_AUTOSCALER: tuple[Row, ...] = (
    # Scaling to zero is an alpha feature, off by default.
    ("validateHorizontalPodAutoscalerSpec", "spec.minReplicas", at_least(1)),
    ("validateHorizontalPodAutoscalerSpec", "spec!.maxReplicas", required),
    ("validateHorizontalPodAutoscalerSpec", "spec.maxReplicas", at_least(1)),
    *_reference("spec!.scaleTargetRef!"),
    ("v1", "spec.targetCPUUtilizationPercentage", above(0)),
)
_BEHAVIOR: tuple[Row, ...] = (
    ("validateScalingRules", "stabilizationWindowSeconds", between(0, 3600)),
    ("validateScalingRules", "selectPolicy", choice("Max", "Min", "Disabled")),
    ("validateScalingRules", "tolerance", not_negative_quantity),
    ("validateScalingPolicy", "policies[].type", choice("Pods", "Percent")),
    ("validateScalingPolicy", "policies[].value", required),
    ("validateScalingPolicy", "policies[].value", above(0)),
    ("validateScalingPolicy", "policies[].periodSeconds", required),
    ("validateScalingPolicy", "policies[].periodSeconds", between(1, 1800)),
)
_TARGET: tuple[Row, ...] = (
    ("validateMetricTarget", "type", choice("Utilization", "Value", "AverageValue")),
    ("validateMetricTarget", "value", positive_quantity),
    ("validateMetricTarget", "averageValue", positive_quantity),
    ("validateMetricTarget", "averageUtilization", above(0)),
)
_METRIC: tuple[Row, ...] = (
    *_reference("object.describedObject!"),
    ("validateMetricIdentifier", "object.metric!.name", named(formats.path_segment)),
    ("validateMetricIdentifier", "external.metric!.name", named(formats.path_segment)),
    ("validateMetricIdentifier", "pods.metric!.name", named(formats.path_segment)),
    ("validateResourceSource", "resource.name", required),
    ("validateContainerResourceSource", "containerResource.name", named(container_resource)),
    ("validateContainerResourceSource", "containerResource.container", named(formats.label)),
)


_SCALING = tuple(row for row in _BEHAVIOR if row[1] != "selectPolicy")


def horizontal_pod_autoscaler(at: At) -> Iterator[Refusal]:
    """ValidateHorizontalPodAutoscaler."""
    spec = at["spec"]
    yield from evaluate(_AUTOSCALER, at)
    low, high = spec["minReplicas"].number or 1, spec["maxReplicas"].number
    if high is not None and high < low:
        yield spec["maxReplicas"].refuse(f"is {high}, less than minReplicas")
    yield from _group_version(spec["scaleTargetRef"], required_group=True)
    for metric in spec["metrics"]:
        if metric.is_map:
            yield from _metric(metric)
    for path in _RULES:
        for rules in find(at, path):
            if rules.is_map:
                # Absent fields are defaulted; an empty list of policies is not absent.
                yield from evaluate(_SCALING, rules)
                yield from option("Max", "Min", "Disabled")(rules["selectPolicy"])
                if rules["policies"].value == []:
                    yield rules["policies"].refuse("must hold at least one policy")


def _group_version(at: At, *, required_group: bool) -> Iterator[Refusal]:
    """ValidateAPIVersion: the core group has nothing to scale but ReplicationControllers."""
    if not at.is_map:
        return
    text = at["apiVersion"].text
    if text.count("/") > 1 or text.startswith("/"):
        yield at["apiVersion"].refuse(f"{shown(text)} is no group and version")
    elif required_group and "/" not in text and at["kind"].text != "ReplicationController":
        yield at["apiVersion"].refuse("must name an API group, as in apps/v1")


def _metric(at: At) -> Iterator[Refusal]:
    """validateMetricSpec."""
    yield from choice(*_SOURCES)(at["type"])
    present = [name for name in _SOURCES.values() if at[name].value is not None]
    expected = _SOURCES.get(at["type"].text)
    if expected and at[expected].value is None:
        yield at[expected].refuse(f"is required with type {at['type'].text}")
    for name in present:
        if expected and name != expected:
            yield at[name].refuse(f"has no place with type {at['type'].text}")
    yield from evaluate(_METRIC, at)
    yield from _group_version(at["object"]["describedObject"], required_group=False)
    for name in present:
        if at[name].is_map:
            yield from _target(At(at[name]["target"].value or {}, at[name]["target"].path), name)


def _target(at: At, source: str) -> Iterator[Refusal]:
    yield from evaluate(_TARGET, at)
    value, average, utilization = (at[name].value for name in ("value", "averageValue", "averageUtilization"))
    if source == "pods" and average is None:
        yield at["averageValue"].refuse("is required")
    if source in ("object", "external") and value is None and average is None:
        yield at.refuse("needs value or averageValue")
    if source == "external" and value is not None and average is not None:
        yield at["value"].refuse("excludes averageValue")
    if source in ("resource", "containerResource"):
        if utilization is None and average is None:
            yield at.refuse("needs averageUtilization or averageValue")
        elif utilization is not None and average is not None:
            yield at["averageValue"].refuse("excludes averageUtilization")
