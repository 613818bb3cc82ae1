"""Is a live object what it should be? The rules of kstatus (cli-utils), as pure functions."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Health", "Status", "health"]


class Status(StrEnum):
    """kstatus's states."""

    CURRENT = "Current"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    TERMINATING = "Terminating"
    NOT_FOUND = "NotFound"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Health:
    """A state, and the fact behind it when it is not Current."""

    status: Status
    reason: str = ""


_CURRENT = Health(Status.CURRENT)
_Object = dict[str, Any]


def health(live: Mapping[str, Any] | None) -> Health:
    """The health of an object as the API server shows it; None means that it is not there."""
    if live is None:
        return Health(Status.NOT_FOUND, "is not there")
    data = dict(live)
    if data["metadata"].get("deletionTimestamp"):
        return Health(Status.TERMINATING, "is being deleted")
    status = _map(data.get("status"))
    generation, observed = data["metadata"].get("generation"), status.get("observedGeneration")
    if generation is not None and observed is not None and observed != generation:
        return _progress(f"generation {generation} is not yet observed (at {observed})")
    conditions = _conditions(status)
    if conditions.get("Stalled", {}).get("status") == "True":
        return _failed(conditions["Stalled"], "is stalled")
    if conditions.get("Reconciling", {}).get("status") == "True":
        return _progress(_text(conditions["Reconciling"], "is reconciling"))
    group = str(data.get("apiVersion", "")).rpartition("/")[0]
    rule = _RULES.get((group, str(data.get("kind"))), _custom)
    return rule(_map(data.get("spec")), status)


def _deployment(spec: _Object, status: _Object) -> Health:
    conditions = _conditions(status)
    progressing = conditions.get("Progressing", {})
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return _failed(progressing, "progress deadline exceeded")
    if "observedGeneration" not in status:
        return _progress("is not yet observed")
    wanted = _count(spec, "replicas", 1)
    for field, word in (("replicas", "created"), ("updatedReplicas", "updated")):
        if _count(status, field) < wanted:
            return _progress(f"{_count(status, field)}/{wanted} {word}")
    if (extra := _count(status, "replicas") - _count(status, "updatedReplicas")) > 0:
        return _progress(f"{extra} old pods are still there")
    for field, word in (("availableReplicas", "available"), ("readyReplicas", "ready")):
        if _count(status, field) < wanted:
            return _progress(f"{_count(status, field)}/{wanted} {word}")
    has_deadline = spec.get("progressDeadlineSeconds") not in (None, 2**31 - 1)
    if has_deadline and not spec.get("paused") and progressing.get("reason") != "NewReplicaSetAvailable":
        return _progress("the new ReplicaSet is not available yet")
    if conditions.get("Available", {}).get("status") != "True":
        return _progress("is not available")
    return _CURRENT


def _stateful_set(spec: _Object, status: _Object) -> Health:
    strategy = _map(spec.get("updateStrategy"))
    if strategy.get("type") == "OnDelete":
        return _CURRENT
    if "observedGeneration" not in status:
        return _progress("is not yet observed")
    wanted = _count(spec, "replicas", 1)
    for field, word in (("replicas", "created"), ("readyReplicas", "ready")):
        if _count(status, field) < wanted:
            return _progress(f"{_count(status, field)}/{wanted} {word}")
    if (extra := _count(status, "replicas") - wanted) > 0:
        return _progress(f"{extra} pods too many")
    partition = _count(_map(strategy.get("rollingUpdate")), "partition")
    if partition:
        updated = _count(status, "updatedReplicas")
        return (
            _CURRENT
            if updated >= wanted - partition
            else _progress(f"{updated}/{wanted - partition} updated")
        )
    if _count(status, "currentReplicas") < wanted:
        return _progress(f"{_count(status, 'currentReplicas')}/{wanted} updated")
    if status.get("currentRevision") != status.get("updateRevision"):
        return _progress("the new revision is not complete")
    return _CURRENT


def _daemon_set(_spec: _Object, status: _Object) -> Health:
    if "observedGeneration" not in status:
        return _progress("is not yet observed")
    wanted = _count(status, "desiredNumberScheduled")
    for field, word in (
        ("currentNumberScheduled", "scheduled"),
        ("updatedNumberScheduled", "updated"),
        ("numberAvailable", "available"),
        ("numberReady", "ready"),
    ):
        if _count(status, field) < wanted:
            return _progress(f"{_count(status, field)}/{wanted} {word}")
    return _CURRENT


def _replica_set(spec: _Object, status: _Object) -> Health:
    failure = _conditions(status).get("ReplicaFailure", {})
    if failure.get("status") == "True":
        return _progress(_text(failure, "cannot create pods"))
    wanted = _count(spec, "replicas", 1)
    for field, word in (
        ("fullyLabeledReplicas", "labelled"),
        ("availableReplicas", "available"),
        ("readyReplicas", "ready"),
    ):
        if _count(status, field) < wanted:
            return _progress(f"{_count(status, field)}/{wanted} {word}")
    return _CURRENT


def _job(_spec: _Object, status: _Object) -> Health:
    conditions = _conditions(status)
    if conditions.get("Failed", {}).get("status") == "True":
        return _failed(conditions["Failed"], "failed")
    if any(conditions.get(name, {}).get("status") == "True" for name in ("Complete", "Suspended")):
        return _CURRENT
    return _CURRENT if status.get("startTime") else _progress("has not started")


def _pod(_spec: _Object, status: _Object) -> Health:
    conditions, phase = _conditions(status), status.get("phase")
    if phase in ("Succeeded", "Failed"):  # it ran to its end; whether that is good is its owner's business
        return _CURRENT
    for container in status.get("containerStatuses") or ():
        waiting = _map(_map(container.get("state")).get("waiting"))
        if waiting.get("reason") == "CrashLoopBackOff":
            return Health(Status.FAILED, f"container {container.get('name')} is crash looping")
    if phase == "Running" and conditions.get("Ready", {}).get("status") == "True":
        return _CURRENT
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("reason") == "Unschedulable":
        return _progress(_text(scheduled, "cannot be scheduled"))
    return _progress(f"is {phase or 'not yet seen by a kubelet'}")


def _crd(_spec: _Object, status: _Object) -> Health:
    conditions = _conditions(status)
    names, established = conditions.get("NamesAccepted", {}), conditions.get("Established", {})
    if names.get("status") == "False":
        return _failed(names, "its names are taken")
    if established.get("status") == "True":
        return _CURRENT
    if established.get("status") == "False" and established.get("reason") != "Installing":
        return _failed(established, "is not established")
    return _progress("is not established")


def _claim(_spec: _Object, status: _Object) -> Health:
    phase = status.get("phase")
    return _CURRENT if phase == "Bound" else _progress(f"is {phase or 'not yet seen'}")


def _service(spec: _Object, _status: _Object) -> Health:
    if spec.get("type") == "LoadBalancer" and not spec.get("clusterIP"):
        return _progress("has no cluster IP")
    return _CURRENT


def _namespace(_spec: _Object, status: _Object) -> Health:
    return _progress("is being deleted") if status.get("phase") == "Terminating" else _CURRENT


def _always(_spec: _Object, _status: _Object) -> Health:
    return _CURRENT


def _custom(_spec: _Object, status: _Object) -> Health:
    ready = _conditions(status).get("Ready")
    if ready is None or ready.get("status") == "True":
        return _CURRENT
    return _progress(_text(ready, "is not ready"))


_RULES: dict[tuple[str, str], Callable[[_Object, _Object], Health]] = {
    ("", "Namespace"): _namespace,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Pod"): _pod,
    ("", "Service"): _service,
    ("", "ConfigMap"): _always,
    ("", "Secret"): _always,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _crd,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _replica_set,
    ("apps", "StatefulSet"): _stateful_set,
    ("batch", "CronJob"): _always,
    ("batch", "Job"): _job,
    ("policy", "PodDisruptionBudget"): _always,
}


def _map(value: object) -> _Object:
    return value if isinstance(value, dict) else {}


def _conditions(status: _Object) -> dict[str, _Object]:
    found = status.get("conditions")
    items = found if isinstance(found, list) else []
    return {str(item.get("type")): item for item in items if isinstance(item, dict)}


def _count(source: _Object, field: str, default: int = 0) -> int:
    value = source.get(field)
    return value if isinstance(value, int) else default


def _progress(reason: str) -> Health:
    return Health(Status.IN_PROGRESS, reason)


def _failed(condition: _Object, otherwise: str) -> Health:
    return Health(Status.FAILED, _text(condition, otherwise))


def _text(condition: _Object, otherwise: str) -> str:
    return str(condition.get("message") or condition.get("reason") or otherwise)
