"""Kinds that run the cluster itself: API priority, CSI nodes, nodes.

Source: k8s.io/kubernetes 1.36, pkg/apis/{flowcontrol,storage,core}/validation/validation.go; table rows
and functions name the Go function.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterator

from gitops_layout.k8s import formats
from gitops_layout.validation.server.checks import (
    at_least,
    between,
    choice,
    distinct,
    exact,
    named,
    required,
)
from gitops_layout.validation.server.cursor import At, Refusal, Row, evaluate, find, shown
from gitops_layout.validation.server.security import parsed

__all__ = ["csi_node", "flow_schema", "node", "priority_level"]

_VERBS = frozenset("get list create update delete deletecollection patch watch proxy".split())
_SUBJECTS = {"ServiceAccount": "serviceAccount", "User": "user", "Group": "group"}

_MOST_QUEUES = 10_000_000
_HASH_BITS = 60


def _everything(*groups: str) -> list[dict[str, object]]:
    resources = {
        "verbs": ["*"],
        "apiGroups": ["*"],
        "resources": ["*"],
        "namespaces": ["*"],
        "clusterScope": True,
    }
    return [
        {
            "subjects": [{"kind": "Group", "group": {"name": group}} for group in groups],
            "resourceRules": [resources],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        }
    ]


_FIXED: dict[str, dict[str, object]] = {
    "exempt": {
        "priorityLevelConfiguration": {"name": "exempt"},
        "matchingPrecedence": 1,
        "rules": _everything("system:masters"),
    },
    "catch-all": {
        "priorityLevelConfiguration": {"name": "catch-all"},
        "matchingPrecedence": 10_000,
        "distinguisherMethod": {"type": "ByUser"},
        "rules": _everything("system:unauthenticated", "system:authenticated"),
    },
}
"""Flow schemas that nobody may change (apiserver: pkg/apis/flowcontrol/bootstrap)."""
_CATCH_ALL_LEVEL = ("Limited", 5, 0, None, "Reject")


def _plain_level(spec: At) -> tuple[object, ...]:
    """What a priority level says, with the server's defaults."""
    limited = spec["limited"]
    shares, lent = limited["nominalConcurrencyShares"].value, limited["lendablePercent"].value
    borrowed, response = limited["borrowingLimitPercent"].value, limited["limitResponse"]["type"].text
    return spec["type"].text, 30 if shares is None else shares, lent or 0, borrowed, response


_FLOW: tuple[Row, ...] = (
    ("ValidateFlowSchemaSpec", "spec.matchingPrecedence", between(0, 10000)),
    ("ValidateFlowSchemaSpec", "spec!.priorityLevelConfiguration!.name", named(formats.subdomain)),
    ("ValidateFlowSchemaSpec", "spec.distinguisherMethod.type", choice("ByNamespace", "ByUser")),
    ("ValidateFlowSchemaPolicyRulesWithSubjects", "spec.rules[].subjects", required),
    ("ValidateFlowSchemaSubject", "spec.rules[].subjects[].kind", choice(*_SUBJECTS)),
    ("ValidateUserSubject", "spec.rules[].subjects[].user.name", required),
    ("ValidateGroupSubject", "spec.rules[].subjects[].group.name", required),
    ("ValidateServiceAccountSubject", "spec.rules[].subjects[].serviceAccount.name", required),
    (
        "ValidateServiceAccountSubject",
        "spec.rules[].subjects[].serviceAccount.namespace",
        named(formats.label),
    ),
    ("ValidateFlowSchemaResourcePolicyRule", "spec.rules[].resourceRules[].apiGroups", required),
    ("ValidateFlowSchemaResourcePolicyRule", "spec.rules[].resourceRules[].resources", required),
    ("ValidateFlowSchemaNonResourcePolicyRule", "spec.rules[].nonResourceRules[].nonResourceURLs", required),
)


def flow_schema(at: At) -> Iterator[Refusal]:
    """ValidateFlowSchema."""
    yield from evaluate(_FLOW, at)
    fixed = _FIXED.get(at["metadata"]["name"].text)
    if fixed is not None and at["spec"].value != fixed:
        yield at["spec"].refuse(f"of the schema {at['metadata']['name'].text} is fixed, and differs from it")
    if at["spec"]["matchingPrecedence"].number == 1 and at["metadata"]["name"].text != "exempt":
        yield at["spec"]["matchingPrecedence"].refuse("1 belongs to the schema exempt")
    for rule in at["spec"]["rules"]:
        if not rule.is_map:
            continue
        if not rule["resourceRules"] and not rule["nonResourceRules"]:
            yield rule.refuse("needs resourceRules or nonResourceRules")
        for subject in rule["subjects"]:
            expected = _SUBJECTS.get(subject["kind"].text)
            if expected and subject[expected].value is None:
                yield subject[expected].refuse(f"is required with kind {subject['kind'].text}")
            for name in _SUBJECTS.values():
                if expected and name != expected and subject[name].value is not None:
                    yield subject[name].refuse(f"has no place with kind {subject['kind'].text}")
        for kind in ("resourceRules", "nonResourceRules"):
            for item in rule[kind]:
                yield from _flow_rule(item, resources=kind == "resourceRules")


def _flow_rule(at: At, *, resources: bool) -> Iterator[Refusal]:
    if not at.is_map:
        return
    yield from required(at["verbs"])
    for name in ("verbs", "apiGroups", "resources", "namespaces", "nonResourceURLs"):
        if "*" in at[name].texts and len(at[name].texts) > 1:
            yield at[name].refuse("'*' excludes others")
    if "*" not in at["verbs"].texts:
        for verb in at["verbs"]:
            yield from choice(*sorted(_VERBS))(verb)
    if resources and not at["namespaces"] and not at["clusterScope"].is_true:
        yield at["namespaces"].refuse("is required, or clusterScope: true")
    for url in at["nonResourceURLs"] if "*" not in at["nonResourceURLs"].texts else ():
        if fault := _url_path(url.text):
            yield url.refuse(f"{shown(url.text)} {fault}")
    for namespace in at["namespaces"] if "*" not in at["namespaces"].texts else ():
        yield from named(formats.label)(namespace)


def _url_path(text: str) -> str | None:
    """ValidateNonResourceURLPath."""
    if not text.startswith("/"):
        return "must start with '/'"
    if " " in text or "//" in text:
        return "must not contain blanks or two slashes in a row"
    if "*" in text and (text.count("*") > 1 or not text.endswith("/*")):
        return "may have '*' only as its last segment"
    return None


_LEVEL: tuple[Row, ...] = (
    ("ValidatePriorityLevelConfigurationSpec", "spec!.type", choice("Exempt", "Limited")),
    ("ValidateLimitedPriorityLevelConfiguration", "spec.limited.nominalConcurrencyShares", at_least(0)),
    ("ValidateLimitedPriorityLevelConfiguration", "spec.limited.lendablePercent", between(0, 100)),
    ("ValidateLimitedPriorityLevelConfiguration", "spec.limited.borrowingLimitPercent", at_least(0)),
    ("ValidateLimitResponse", "spec.limited.limitResponse!.type", choice("Queue", "Reject")),
    (
        "ValidatePriorityLevelQueuingConfiguration",
        "spec.limited.limitResponse.queuing.queueLengthLimit",
        at_least(0),
    ),
    ("ValidatePriorityLevelQueuingConfiguration", "spec.limited.limitResponse.queuing.queues", at_least(0)),
    ("ValidatePriorityLevelQueuingConfiguration", "spec.limited.limitResponse.queuing.handSize", at_least(0)),
    ("ValidateExemptPriorityLevelConfiguration", "spec.exempt.nominalConcurrencyShares", at_least(0)),
    ("ValidateExemptPriorityLevelConfiguration", "spec.exempt.lendablePercent", between(0, 100)),
)


def priority_level(at: At) -> Iterator[Refusal]:
    """ValidatePriorityLevelConfiguration."""
    yield from evaluate(_LEVEL, at)
    spec = at["spec"]
    kind, response = spec["type"], spec["limited"]["limitResponse"]
    if at["metadata"]["name"].text == "catch-all" and _plain_level(spec) != _CATCH_ALL_LEVEL:
        yield spec.refuse("of the level catch-all is fixed, and differs from it")
    if kind.text and (kind.text == "Exempt") != (at["metadata"]["name"].text == "exempt"):
        yield kind.refuse("Exempt is for the level exempt, and for no other")
    if kind.text == "Limited":
        if not spec["limited"].is_map:
            yield spec["limited"].refuse("is required with type Limited")
        if spec["exempt"].value is not None:
            yield spec["exempt"].refuse("has no place with type Limited")
    elif kind.text == "Exempt" and spec["limited"].value is not None:
        yield spec["limited"].refuse("has no place with type Exempt")
    yield from _queuing(response)


def _queuing(response: At) -> Iterator[Refusal]:
    """ValidateLimitResponse, ValidatePriorityLevelQueuingConfiguration."""
    queuing = response["queuing"]
    if response["type"].text == "Reject" and queuing.value is not None:
        yield queuing.refuse("has no place with type Reject")
    elif response["type"].text == "Queue":
        hand, queues = queuing["handSize"].number or 8, queuing["queues"].number or 64
        if not queuing.is_map:
            yield queuing.refuse("is required with type Queue")
        elif queues > _MOST_QUEUES:
            yield queuing["queues"].refuse(f"is {queues}, expected at most {_MOST_QUEUES}")
        elif hand > queues:
            yield queuing["handSize"].refuse("must not be more than queues")
        elif hand > 0 and queues > 0 and math.ceil(math.log2(queues) * hand) > _HASH_BITS:
            yield queuing["handSize"].refuse(
                f"{hand} of {queues} queues need a hash of more than {_HASH_BITS} bits"
            )


_NODE: tuple[Row, ...] = (
    ("ValidateCSIDriverName", "spec.drivers[].name", named(formats.driver)),
    ("validateCSINodeDrivers", "spec.drivers", distinct("name")),
    ("validateCSINodeDriverNodeID", "spec.drivers[].nodeID", required),
    ("validateCSINodeDriverAllocatable", "spec.drivers[].allocatable.count", at_least(0)),
    ("validateCSINodeDriver", "spec.drivers[].topologyKeys[]", exact(formats.qualified)),
)


def csi_node(at: At) -> Iterator[Refusal]:
    """ValidateCSINode."""
    yield from evaluate(_NODE, at)
    for driver in find(at, "spec.drivers[]"):
        if len(driver["nodeID"].text) > 256:
            yield driver["nodeID"].refuse("must have at most 256 characters")
        if len(set(driver["topologyKeys"].texts)) != len(driver["topologyKeys"].texts):
            yield driver["topologyKeys"].refuse("repeats a key")


def _avoided(note: At) -> Iterator[Refusal]:
    """ValidateAvoidPodsInNodeAnnotations."""
    if not note.text:
        return
    value = parsed(note.text)
    if not isinstance(value, dict | None):
        yield note.refuse("is no object in JSON")
        return
    for entry in At(value)["preferAvoidPods"]:
        if not entry["podSignature"]["podController"].is_map:
            yield note.refuse("needs a podController for each entry")


_TAINTS: tuple[Row, ...] = (
    ("validateNodeTaints", "spec.taints[].key", named(formats.qualified)),
    ("validateNodeTaints", "spec.taints[].value", exact(formats.label_value)),
    ("validateTaintEffect", "spec.taints[].effect", choice("NoSchedule", "PreferNoSchedule", "NoExecute")),
    ("validateNodeTaints", "spec.taints", distinct("key", "effect")),
)


def node(at: At) -> Iterator[Refusal]:
    """ValidateNode; the first of podCIDRs is podCIDR, where that is given."""
    yield from evaluate(_TAINTS, at)
    one, several = at["spec"]["podCIDR"], at["spec"]["podCIDRs"]
    ranges = [*several]
    if one.text and (not ranges or ranges[0].text != one.text):
        ranges = [one]
    for item in ranges:
        if fault := formats.network(item.text):
            yield item.refuse(f"{shown(item.text)} {fault}")
    yield from _avoided(at["metadata"]["annotations"]["scheduler.alpha.kubernetes.io/preferAvoidPods"])
    if len(ranges) > 1 and all(formats.is_cidr(item.text) for item in ranges):
        families = [ipaddress.ip_network(item.text).version for item in ranges]
        if len(families) != len(set(families)):
            yield several.refuse("may hold one network of each family")
