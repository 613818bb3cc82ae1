"""Where pods may run: affinity, tolerations, spreading.

Source: k8s.io/kubernetes 1.36, pkg/apis/core/validation/validation.go; functions name the Go function
that they follow.
"""

from __future__ import annotations

from collections.abc import Iterator

from gitops_layout.k8s import formats
from gitops_layout.validation.server.checks import (
    above,
    between,
    choice,
    distinct,
    named,
    one_of,
    required,
    selector,
    valid,
)
from gitops_layout.validation.server.cursor import At, Refusal, Row, evaluate, find, shown

__all__ = ["affinity", "node_selector", "spreading", "tolerations"]

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"

_TERM: tuple[Row, ...] = (
    ("ValidatePodAffinityTermSelector", "labelSelector", selector),
    ("ValidatePodAffinityTermSelector", "namespaceSelector", selector),
    ("validatePodAffinityTerm", "namespaces[]", valid(formats.label)),
    ("validatePodAffinityTerm", "topologyKey", named(formats.qualified)),
)
_SPREAD: tuple[Row, ...] = (
    ("validateTopologySpreadConstraints", "maxSkew", required),
    ("validateTopologySpreadConstraints", "maxSkew", above(0)),
    ("ValidateTopologyKey", "topologyKey", required),
    ("ValidateWhenUnsatisfiable", "whenUnsatisfiable", choice("DoNotSchedule", "ScheduleAnyway")),
    ("validateMinDomains", "minDomains", above(0)),
    ("validateNodeInclusionPolicy", "nodeAffinityPolicy", one_of("Honor", "Ignore")),
    ("validateNodeInclusionPolicy", "nodeTaintsPolicy", one_of("Honor", "Ignore")),
    ("validateTopologySpreadConstraints", "labelSelector", selector),
)


def tolerations(at: At) -> Iterator[Refusal]:
    """ValidateTolerations."""
    for item in at:
        if not item.is_map:
            continue
        key, operator, effect = item["key"], item["operator"], item["effect"]
        yield from valid(formats.qualified)(key)
        if not key.text and operator.text != "Exists":
            yield operator.refuse("must be Exists where there is no key")
        if item["tolerationSeconds"] and effect.text != "NoExecute":
            yield effect.refuse("must be NoExecute with tolerationSeconds")
        # Lt and Gt are an alpha feature, off by default.
        yield from one_of("Equal", "Exists")(operator)
        if operator.text == "Exists" and item["value"].text:
            yield item["value"].refuse("must be empty with operator Exists")
        elif operator.text in ("", "Equal") and (fault := formats.label_value(item["value"].text)):
            yield item["value"].refuse(f"{shown(item['value'].text)} {fault}")
        yield from one_of("NoSchedule", "PreferNoSchedule", "NoExecute")(effect)


def affinity(at: At) -> Iterator[Refusal]:
    """validateAffinity."""
    node = at["nodeAffinity"]
    if node[_REQUIRED].is_map:
        yield from node_selector(node[_REQUIRED])
    for term in node[_PREFERRED]:
        yield from required(term["weight"])
        yield from between(1, 100)(term["weight"])
        yield from _node_term(term["preference"], strict=False)
    for name in ("podAffinity", "podAntiAffinity"):
        for term in at[name][_REQUIRED]:
            yield from _pod_term(term)
        for term in at[name][_PREFERRED]:
            yield from required(term["weight"])
            yield from between(1, 100)(term["weight"])
            yield from _pod_term(At(term["podAffinityTerm"].value or {}, term["podAffinityTerm"].path))


def node_selector(at: At) -> Iterator[Refusal]:
    """ValidateNodeSelector."""
    if not at["nodeSelectorTerms"]:
        yield at["nodeSelectorTerms"].refuse("is required, with at least one term")
    for term in at["nodeSelectorTerms"]:
        yield from _node_term(term, strict=True)


def _node_term(at: At, *, strict: bool) -> Iterator[Refusal]:
    """ValidateNodeSelectorTerm; values of preferred terms are not judged."""
    for item in at["matchExpressions"]:
        if item.is_map:
            yield from _node_expression(item, strict=strict)
    for item in at["matchFields"]:
        if not item.is_map:
            continue
        yield from choice("In", "NotIn")(item["operator"])
        if len(item["values"].texts) != 1:
            yield item["values"].refuse("must hold exactly one name")
        if item["key"].text != "metadata.name":
            yield item["key"].refuse("must be metadata.name")
        for value in item["values"]:
            yield from valid(formats.subdomain)(value)


def _node_expression(at: At, *, strict: bool) -> Iterator[Refusal]:
    """ValidateNodeSelectorRequirement."""
    operator, values = at["operator"], at["values"]
    yield from choice("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")(operator)
    match operator.text:
        case "In" | "NotIn" if not values:
            yield values.refuse(f"is required with operator {operator.text}")
        case "Exists" | "DoesNotExist" if values:
            yield values.refuse(f"must be empty with operator {operator.text}")
        case "Gt" | "Lt" if len(values.texts) != 1:
            yield values.refuse(f"must hold one number with operator {operator.text}")
    yield from named(formats.qualified)(at["key"])
    for value in values if strict else ():
        yield from valid(formats.label_value)(value)


def _pod_term(at: At) -> Iterator[Refusal]:
    if at.is_map:
        yield from evaluate(_TERM, at)
        yield from _label_keys(at)


def _label_keys(at: At) -> Iterator[Refusal]:
    """validateLabelKeys, ValidateMatchLabelKeysAndMismatchLabelKeys."""
    matched, mismatched = at["matchLabelKeys"], at["mismatchLabelKeys"]
    for keys in (matched, mismatched):
        if keys and not at["labelSelector"].is_map:
            yield keys.refuse("needs labelSelector")
        for key in keys:
            yield from valid(formats.qualified)(key)
    used = (
        set(at["labelSelector"]["matchLabels"].value or ())
        if at["labelSelector"]["matchLabels"].is_map
        else set()
    )
    expressions = [key.text for key in find(at["labelSelector"], "matchExpressions[].key")]
    for key in matched:
        if key.text in mismatched.texts:
            yield key.refuse(f"{shown(key.text)} is among mismatchLabelKeys, too")
        if key.text in used and key.text in expressions:
            yield key.refuse(f"{shown(key.text)} is chosen by labelSelector, too")


def spreading(at: At) -> Iterator[Refusal]:
    """validateTopologySpreadConstraints."""
    yield from distinct("topologyKey", "whenUnsatisfiable")(at)
    for item in at:
        if not item.is_map:
            continue
        yield from evaluate(_SPREAD, item)
        yield from _label_keys(item)
        if item["minDomains"] and item["whenUnsatisfiable"].text == "ScheduleAnyway":
            yield item["minDomains"].refuse("is for whenUnsatisfiable: DoNotSchedule only")
