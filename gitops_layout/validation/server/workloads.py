"""Deployments, ReplicaSets, StatefulSets, DaemonSets, ReplicationControllers, ControllerRevisions.

Source: k8s.io/kubernetes 1.36, pkg/apis/apps/validation/validation.go (ReplicationController: pkg/apis/core);
table rows name the Go function.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitops_layout.k8s import formats
from gitops_layout.validation.server.checks import at_least, int_or_percent, one_of, required, selector, valid
from gitops_layout.validation.server.claims import claim_template
from gitops_layout.validation.server.clean import Clean, content, lean
from gitops_layout.validation.server.cursor import At, Check, Refusal, Row, evaluate, shown
from gitops_layout.validation.server.pods import affordable, template

__all__ = [
    "controller_revision",
    "daemon_set",
    "deployment",
    "matches",
    "replica_set",
    "replication_controller",
    "stateful_set",
]

_NOT_NEGATIVE = at_least(0)


def _counts(function: str, *names: str) -> tuple[Row, ...]:
    return tuple((function, f"spec.{name}", _NOT_NEGATIVE) for name in names)


_DEPLOYMENT: tuple[Row, ...] = (
    *_counts(
        "ValidateDeploymentSpec",
        "replicas",
        "minReadySeconds",
        "revisionHistoryLimit",
        "progressDeadlineSeconds",
    ),
    ("ValidateDeploymentStrategy", "spec.strategy.type", one_of("Recreate", "RollingUpdate")),
)
_REPLICA_SET = _counts("ValidateReplicaSetSpec", "replicas", "minReadySeconds")
_STATEFUL_SET: tuple[Row, ...] = (
    *_counts("ValidateStatefulSetSpec", "replicas", "minReadySeconds"),
    ("ValidateStatefulSetSpec", "spec.ordinals.start", _NOT_NEGATIVE),
    ("ValidateStatefulSetSpec", "spec.podManagementPolicy", one_of("OrderedReady", "Parallel")),
    ("ValidateStatefulSetSpec", "spec.updateStrategy.type", one_of("RollingUpdate", "OnDelete")),
    ("validateRollingUpdateStatefulSet", "spec.updateStrategy.rollingUpdate.partition", _NOT_NEGATIVE),
    ("ValidateStatefulSetSpec", "spec.serviceName", valid(formats.label)),
    (
        "ValidatePersistentVolumeClaimRetentionPolicyType",
        "spec.persistentVolumeClaimRetentionPolicy.whenDeleted",
        one_of("Retain", "Delete"),
    ),
    (
        "ValidatePersistentVolumeClaimRetentionPolicyType",
        "spec.persistentVolumeClaimRetentionPolicy.whenScaled",
        one_of("Retain", "Delete"),
    ),
    ("validateVolumeClaimTemplates", "spec.volumeClaimTemplates[].spec!", claim_template),
)
_DAEMON_SET: tuple[Row, ...] = (
    *_counts("ValidateDaemonSetSpec", "minReadySeconds", "revisionHistoryLimit"),
    ("ValidateDaemonSetUpdateStrategy", "spec.updateStrategy.type", one_of("RollingUpdate", "OnDelete")),
)
_REPLICATION_CONTROLLER = _counts("ValidateReplicationControllerSpec", "replicas", "minReadySeconds")


def _once(check: Check) -> Check:
    """The check of a kind with pods; what differs between environments does not make it judge anew."""
    clean = Clean()

    def judged(at: At) -> Iterator[Refusal]:
        if not _taken(check, clean, at.value):
            yield from check(at)

    return judged


def _taken(check: Check, clean: Clean, data: Any) -> bool:
    """Whether an object is clean apart from its own metadata, which no check of these kinds looks at.

    Any number of replicas from 0 is as good as another; images and amounts as in `lean`.
    """
    match data:
        case {"spec": {"template": {"spec": dict(pod)} as template} as spec}:
            count = spec.get("replicas")
            changed = {**spec, "template": {**template, "spec": lean(pod)}}
            if type(count) is int and count >= 0:
                changed["replicas"] = 0
        case _:
            return False
    key = content(changed)
    if key not in clean:
        if any(True for _ in check(At({"spec": changed}))):
            return False
        clean.add(key)
    return affordable(pod)


@_once
def deployment(at: At) -> Iterator[Refusal]:
    """ValidateDeployment."""
    yield from evaluate(_DEPLOYMENT, at)
    yield from _long_running(at)
    spec = at["spec"]
    strategy = spec["strategy"]
    rolling = strategy["rollingUpdate"]
    if strategy["type"].text == "Recreate":
        if rolling.value is not None:
            yield rolling.refuse("is for strategy type RollingUpdate only")
    elif rolling.is_map:
        yield from _rolling(rolling, "25%", "25%", capped=("maxUnavailable",))
    deadline, ready = spec["progressDeadlineSeconds"], spec["minReadySeconds"].number or 0
    # The default of progressDeadlineSeconds is 600.
    if (600 if deadline.value is None else deadline.number or 0) <= ready:
        place = spec["minReadySeconds"] if deadline.value is None else deadline
        yield place.refuse(f"minReadySeconds ({ready}) must be less than progressDeadlineSeconds")


@_once
def replica_set(at: At) -> Iterator[Refusal]:
    """ValidateReplicaSet."""
    yield from evaluate(_REPLICA_SET, at)
    yield from _long_running(at)


@_once
def stateful_set(at: At) -> Iterator[Refusal]:
    """ValidateStatefulSet; the volumes of its claim templates exist for the mounts."""
    yield from evaluate(_STATEFUL_SET, at)
    strategy = at["spec"]["updateStrategy"]
    rolling = strategy["rollingUpdate"]
    if strategy["type"].text == "OnDelete" and rolling.value is not None:
        yield rolling.refuse("is for updateStrategy type RollingUpdate only")
    yield from _long_running(_with_claims(at))


def _with_claims(at: At) -> At:
    """The object as the server validates it: claims as volumes, no host name (volumesToAddForTemplates)."""
    spec = at["spec"]
    pod = spec["template"]["spec"]
    if not pod.is_map:
        return at
    names = [claim["metadata"]["name"].text for claim in spec["volumeClaimTemplates"]]
    claims = [
        {"name": name, "persistentVolumeClaim": {"claimName": name}} for name in dict.fromkeys(names) if name
    ]
    # Indices of findings stay true: a volume that a claim replaces makes way for it in place.
    own = [
        {"name": volume.value.get("name"), "persistentVolumeClaim": {"claimName": volume["name"].text}}
        if volume["name"].text in names and volume.is_map
        else volume.value
        for volume in pod["volumes"]
    ]
    missing = [
        claim for claim in claims if claim["name"] not in {item["name"].text for item in pod["volumes"]}
    ]
    changed = {key: value for key, value in pod.value.items() if key not in ("hostname", "subdomain")}
    changed["volumes"] = own + missing
    inner = {**spec["template"].value, "spec": changed}
    return At({**at.value, "spec": {**spec.value, "template": inner}}, at.path)


@_once
def daemon_set(at: At) -> Iterator[Refusal]:
    """ValidateDaemonSet."""
    yield from evaluate(_DAEMON_SET, at)
    yield from _long_running(at)
    strategy = at["spec"]["updateStrategy"]
    if strategy["type"].text != "OnDelete" and strategy["rollingUpdate"].is_map:
        yield from _rolling(
            strategy["rollingUpdate"], 1, 0, exclusive=True, capped=("maxUnavailable", "maxSurge")
        )


def replication_controller(at: At) -> Iterator[Refusal]:
    """ValidateReplicationController; the selector is a plain map, by default the template's labels."""
    yield from evaluate(_REPLICATION_CONTROLLER, at)
    spec = at["spec"]
    inner = spec["template"]
    labels = inner["metadata"]["labels"].value
    chosen = spec["selector"].value or labels
    if not chosen:
        yield spec["selector"].refuse("is required, or labels in the template")
    elif isinstance(chosen, dict) and not (isinstance(labels, dict) and chosen.items() <= labels.items()):
        yield spec["selector"].refuse("does not match the labels of the template")
    yield from required(inner)
    yield from template(inner)
    yield from _always(inner)


def controller_revision(at: At) -> Iterator[Refusal]:
    """ValidateControllerRevisionCreate."""
    yield from _NOT_NEGATIVE(at["revision"])
    if not at["data"].is_map:
        yield at["data"].refuse("is required, and must be an object")


def _long_running(at: At) -> Iterator[Refusal]:
    """What the four kinds with a selector and pods that run forever share."""
    spec = At({}, at["spec"].path) if at["spec"].value is None else at["spec"]
    if not spec.is_map:
        return
    chosen, inner = spec["selector"], spec["template"]
    if chosen.value is None or (
        chosen.is_map and not (chosen["matchLabels"].value or chosen["matchExpressions"])
    ):
        yield chosen.refuse("is required and must choose something")
    yield from selector(chosen)
    if chosen.is_map and not matches(chosen, inner["metadata"]["labels"]):
        yield chosen.refuse("does not match the labels of the template")
    yield from template(At({}, inner.path) if inner.value is None else inner)
    yield from _always(inner)


def _always(inner: At) -> Iterator[Refusal]:
    policy, deadline = inner["spec"]["restartPolicy"], inner["spec"]["activeDeadlineSeconds"]
    if policy.text in ("OnFailure", "Never"):
        yield policy.refuse(f"is {shown(policy.text)}, expected Always in this kind")
    if deadline.value is not None:
        yield deadline.refuse("has no place in this kind")


def matches(chosen: At, labels: At) -> bool:
    """Whether a LabelSelector, as far as it is sound, chooses these labels; broken parts are found elsewhere."""
    have = {key: value.text for key, value in labels.pairs}
    if any(have.get(key) != value.text for key, value in chosen["matchLabels"].pairs):
        return False
    for item in chosen["matchExpressions"]:
        key, values = item["key"].text, item["values"].texts
        match item["operator"].text:
            case "In" if have.get(key) not in values:
                return False
            case "NotIn" if key in have and have[key] in values:
                return False
            case "Exists" if key not in have:
                return False
            case "DoesNotExist" if key in have:
                return False
    return True


def _rolling(
    at: At, unavailable: object, surge: object, *, exclusive: bool = False, capped: tuple[str, ...]
) -> Iterator[Refusal]:
    """Both numbers of a rolling update; `exclusive` where only one may be more than 0 (DaemonSet)."""
    for name in ("maxUnavailable", "maxSurge"):
        yield from int_or_percent(at[name])
        if name in capped:
            yield from at_most_all(at[name])
    values = [_amount(at["maxUnavailable"], unavailable), _amount(at["maxSurge"], surge)]
    if not any(values):
        yield at["maxUnavailable"].refuse("cannot be 0 together with maxSurge")
    if exclusive and all(values):
        yield at["maxSurge"].refuse("excludes maxUnavailable: one of them must be 0")


def _amount(at: At, default: object) -> int:
    value = default if at.value is None else at.value
    if isinstance(value, str):
        digits = value.removesuffix("%")
        return int(digits[:9]) if digits.isascii() and digits.isdigit() else 0
    return value if isinstance(value, int) else 0


def at_most_all(at: At) -> Iterator[Refusal]:
    """IsNotMoreThan100Percent."""
    if at.text.endswith("%") and _amount(at, 0) > 100:
        yield at.refuse(f"is {at.text[:20]}, expected at most 100%")
