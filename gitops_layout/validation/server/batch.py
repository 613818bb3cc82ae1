"""Jobs and CronJobs.

Source: k8s.io/kubernetes 1.36, pkg/apis/batch/validation/validation.go; table rows name the Go function.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gitops_layout.k8s import formats
from gitops_layout.validation.server.checks import (
    at_least,
    choice,
    named,
    one_of,
    option,
    selector,
    size,
    valid,
)
from gitops_layout.validation.server.cron import schedule
from gitops_layout.validation.server.cursor import At, Refusal, Row, evaluate, find, shown
from gitops_layout.validation.server.pods import template
from gitops_layout.validation.server.workloads import matches
from gitops_layout.validation.server.zones import zone

__all__ = ["cron_job", "job"]

_MANY = 100_000
_CRON_NAME = 52
_NAMES = ("batch.kubernetes.io/job-name", "job-name")
_UIDS = ("batch.kubernetes.io/controller-uid", "controller-uid")

_SPEC: tuple[Row, ...] = (
    *(
        ("validateJobSpec", name, at_least(0))
        for name in (
            "parallelism",
            "completions",
            "activeDeadlineSeconds",
            "backoffLimit",
            "ttlSecondsAfterFinished",
            "backoffLimitPerIndex",
            "maxFailedIndexes",
        )
    ),
    ("validateJobSpec", "managedBy", valid(formats.domain_path)),
    ("validateJobSpec", "completionMode", option("NonIndexed", "Indexed")),
    ("validatePodReplacementPolicy", "podReplacementPolicy", option("Failed", "TerminatingOrFailed")),
    ("validatePodFailurePolicy", "podFailurePolicy.rules", size(20)),
    (
        "validatePodFailurePolicyRule",
        "podFailurePolicy.rules[].action",
        choice("Count", "FailIndex", "FailJob", "Ignore"),
    ),
    (
        "validatePodFailurePolicyRuleOnExitCodes",
        "podFailurePolicy.rules[].onExitCodes.operator",
        choice("In", "NotIn"),
    ),
    ("validatePodFailurePolicyRuleOnPodConditions", "podFailurePolicy.rules[].onPodConditions", size(20)),
    (
        "validatePodFailurePolicyRuleOnPodConditions",
        "podFailurePolicy.rules[].onPodConditions[].type",
        named(formats.qualified),
    ),
    (
        "validatePodFailurePolicyRuleOnPodConditions",
        "podFailurePolicy.rules[].onPodConditions[].status",
        one_of("True", "False", "Unknown"),
    ),
    ("validateSuccessPolicy", "successPolicy.rules", size(20)),
    ("validateSuccessPolicyRule", "successPolicy.rules[].succeededCount", at_least(0)),
)
_CRON: tuple[Row, ...] = (
    ("validateCronJobSpec", "spec!.schedule", named(schedule)),
    ("validateTimeZone", "spec.timeZone", valid(zone)),
    ("validateConcurrencyPolicy", "spec.concurrencyPolicy", one_of("Allow", "Forbid", "Replace")),
    ("validateCronJobSpec", "spec.startingDeadlineSeconds", at_least(0)),
    ("validateCronJobSpec", "spec.successfulJobsHistoryLimit", at_least(0)),
    ("validateCronJobSpec", "spec.failedJobsHistoryLimit", at_least(0)),
)


def job(at: At) -> Iterator[Refusal]:
    """ValidateJob; the selector and its labels are filled in unless manualSelector is true."""
    spec = At({}, at["spec"].path) if at["spec"].value is None else at["spec"]
    if not spec.is_map:
        return
    yield from _spec(spec)
    yield from selector(spec["selector"])
    if spec["manualSelector"].is_true:
        if not spec["selector"].is_map:
            yield spec["selector"].refuse("is required with manualSelector: true")
        elif not matches(spec["selector"], spec["template"]["metadata"]["labels"]):
            yield spec["selector"].refuse("does not match the labels of the template")
    else:
        yield from _generated(spec, at["metadata"]["name"].text)
    if not spec["manualSelector"].is_true and len(at["metadata"]["name"].text) > 63:
        yield at["metadata"]["name"].refuse(
            "must have at most 63 characters, as it becomes a label of its pods"
        )
    last = (spec["completions"].number or 0) - 1
    name = at["metadata"]["name"]
    if (
        spec["completionMode"].text == "Indexed"
        and last >= 0
        and name.text
        and formats.label(f"{name.text}-{last}")
    ):
        yield name.refuse(f"the host name of its last pod, {shown(f'{name.text}-{last}')}, is no DNS label")


def _generated(spec: At, name: str) -> Iterator[Refusal]:
    """validateGeneratedSelector: the server adds labels with the Job's name and uid, and selects by them."""
    have = spec["template"]["metadata"]["labels"]
    for key in _NAMES:
        if have[key].value is not None and have[key].text != name:
            yield have[key].refuse("is generated, as the name of the Job")
    for key in _UIDS:
        if have[key].value is not None:
            yield have[key].refuse("is generated, as the uid of the Job")
    own = At({**dict.fromkeys(_NAMES, name), **dict.fromkeys(_UIDS, "\0")})
    if spec["selector"].is_map and not matches(spec["selector"], own):
        yield spec["selector"].refuse("is generated, unless manualSelector is true")


def cron_job(at: At) -> Iterator[Refusal]:
    """ValidateCronJobCreate."""
    yield from evaluate(_CRON, at)
    if len(at["metadata"]["name"].text) > _CRON_NAME:
        yield at["metadata"]["name"].refuse(
            f"must have at most {_CRON_NAME} characters, as its Jobs add eleven"
        )
    zone_at = at["spec"]["timeZone"]
    if zone_at.value == "":
        yield zone_at.refuse("must not be empty")
    inner = at["spec"]["jobTemplate"]["spec"]
    spec = At({}, inner.path) if inner.value is None else inner
    if not spec.is_map:
        return
    yield from _spec(spec)
    if spec["selector"].value is not None:
        yield spec["selector"].refuse("is generated")
    if spec["manualSelector"].is_true:
        yield spec["manualSelector"].refuse("must not be true in a CronJob")


def _spec(at: At) -> Iterator[Refusal]:
    """validateJobSpec."""
    yield from evaluate(_SPEC, at)
    yield from _indexes(at)
    yield from _failure_policy(at)
    yield from _success_policy(at)
    if len(at["managedBy"].text) > 63:
        yield at["managedBy"].refuse("must have at most 63 characters")
    inner = at["template"]
    yield from template(At({}, inner.path) if inner.value is None else inner)
    policy = inner["spec"]["restartPolicy"]
    if policy.text in ("", "Always"):
        yield policy.refuse("is Always (the default), expected OnFailure or Never in a Job")
    elif policy.text == "OnFailure" and at["podFailurePolicy"].is_map:
        yield policy.refuse("must be Never with podFailurePolicy")


def _indexes(at: At) -> Iterator[Refusal]:
    completions, parallelism = at["completions"], at["parallelism"]
    per_index, failed = at["backoffLimitPerIndex"], at["maxFailedIndexes"]
    if failed.value is not None and per_index.value is None:
        yield failed.refuse("needs backoffLimitPerIndex")
    if at["completionMode"].text != "Indexed":
        for place in (per_index, failed, at["successPolicy"]):
            if place.value is not None:
                yield place.refuse("needs completionMode: Indexed")
        return
    if completions.value is None and parallelism.value is not None:  # both are 1 where neither is given
        yield completions.refuse("is required with completionMode: Indexed")
    if (parallelism.number or 0) > _MANY:
        yield parallelism.refuse(f"must be at most {_MANY} with completionMode: Indexed")
    if (failed.number or 0) > min(_MANY, _MANY if completions.number is None else completions.number):
        yield failed.refuse("must not be more than completions")
    if (completions.number or 0) > _MANY and per_index.value is not None:
        if failed.value is None:
            yield failed.refuse(f"is required with more than {_MANY} completions")
        for place in (parallelism, failed):
            if (place.number or 0) > 10_000:
                yield place.refuse(f"must be at most 10000 with more than {_MANY} completions")


def _failure_policy(at: At) -> Iterator[Refusal]:
    policy = at["podFailurePolicy"]
    if policy.is_map and at["podReplacementPolicy"].text == "TerminatingOrFailed":
        yield at["podReplacementPolicy"].refuse("must be Failed with podFailurePolicy")
    names = {
        name.text
        for kind in ("containers", "initContainers")
        for name in find(at, f"template.spec.{kind}[].name")
    }
    for rule in policy["rules"]:
        if not rule.is_map:
            continue
        codes = rule["onExitCodes"]
        if codes.is_map == bool(rule["onPodConditions"]):
            yield rule.refuse("needs either onExitCodes or onPodConditions")
        if rule["action"].text == "FailIndex" and at["backoffLimitPerIndex"].value is None:
            yield rule["action"].refuse("FailIndex needs backoffLimitPerIndex")
        if codes.is_map:
            yield from _exit_codes(codes, names)


def _exit_codes(at: At, names: set[str]) -> Iterator[Refusal]:
    name, values = at["containerName"], at["values"]
    if name.value is not None and name.text not in names:
        yield name.refuse(f"{shown(name.text)} is no container of the template")
    numbers = [value.number for value in values if value.number is not None]
    if not 0 < len(numbers) <= 255:
        yield values.refuse("must hold 1 to 255 codes")
    if at["operator"].text == "In" and 0 in numbers:
        yield values.refuse("must not hold 0 with operator In")
    if numbers != sorted(set(numbers)):
        yield values.refuse("must ascend without repeating")


def _success_policy(at: At) -> Iterator[Refusal]:
    policy, completions = at["successPolicy"], at["completions"].number
    if not policy.is_map or at["completionMode"].text != "Indexed" or completions is None:
        return
    if not policy["rules"]:
        yield policy["rules"].refuse("is required, with at least one rule")
    for rule in policy["rules"]:
        if not rule.is_map:
            continue
        count, indexes = rule["succeededCount"], rule["succeededIndexes"]
        if count.value is None and indexes.value is None:
            yield rule.refuse("needs succeededCount or succeededIndexes")
        total: int | None = completions
        if indexes.value is not None:
            total = _index_total(indexes.text[:65537], completions)
            if total is None:
                yield indexes.refuse("must be ascending numbers and ranges below completions, as in 1,3-5")
        if total is not None and (count.number or 0) > total:
            yield count.refuse(f"is {count.number}, but only {total} indexes count")


def _index_total(text: str, completions: int) -> int | None:
    """validateIndexesFormat."""
    total, last = 0, -1
    for part in text.split(",") if text else ():
        found = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", part, re.ASCII)
        if not found:
            return None
        first = int(found[1])
        end = first if found[2] is None else int(found[2])
        if first <= last or end >= completions or (found[2] is not None and first >= end):
            return None
        total, last = total + end - first + 1, end
    return total
