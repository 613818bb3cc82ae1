"""What the API server fills in before admission policies see an object, for the fields that policies speak of most."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from gitops_layout.k8s.pods import pod_spec
from gitops_layout.k8s.quantity import canonical
from gitops_layout.k8s.scope import builtin_scope
from gitops_layout.validation.server.cursor import At

__all__ = ["defaulted"]

_METADATA = {
    "uid": "00000000-0000-0000-0000-000000000000", "creationTimestamp": "2006-01-02T15:04:05Z", "generation": 1,
    "managedFields": [],
}  # fmt: skip
_POD = {
    "restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler",
    "terminationGracePeriodSeconds": 30, "securityContext": {},
}  # fmt: skip
_CONTAINER = {
    "resources": {}, "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
}  # fmt: skip
_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_QUARTERS = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
_SINGLY = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
_PARTLY = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
_STRATEGIES = frozenset(("strategy", "updateStrategy", "rollingUpdate"))
_SPECS: dict[str, dict[str, Any]] = {
    "Deployment": {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600, "strategy": _QUARTERS},
    "StatefulSet": {
        "replicas": 1, "revisionHistoryLimit": 10, "podManagementPolicy": "OrderedReady", "updateStrategy": _PARTLY,
    },
    "ReplicaSet": {"replicas": 1},
    "DaemonSet": {"revisionHistoryLimit": 10, "updateStrategy": _SINGLY},
    "Job": {"backoffLimit": 6, "completions": 1, "parallelism": 1, "completionMode": "NonIndexed", "suspend": False},
    "CronJob": {"concurrencyPolicy": "Allow", "suspend": False, "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1},
    "Service": {"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster"},
}  # fmt: skip


def defaulted(data: dict[str, Any], namespace: str) -> dict[str, Any]:
    """A copy of an object with what the server fills in, where policies are likely to look."""
    result = copy.deepcopy(data)
    if isinstance(result.get("metadata"), dict):
        _fill(result["metadata"], {**_METADATA, **({"namespace": namespace} if namespace else {})})
    spec = result.get("spec")
    if isinstance(spec, dict) and builtin_scope(
        str(data.get("apiVersion")).rpartition("/")[0], str(data.get("kind"))
    ):
        _fill(spec, _SPECS.get(str(data.get("kind")), {}))
        if data.get("kind") in _SPECS:
            _fill(result, {"status": {}})
    found = pod_spec(result)
    if found is not None:
        _fill(found[0], _POD)
        for kind in ("containers", "initContainers"):
            for container in At(found[0])[kind]:
                if container.is_map and container.value:
                    _probed(container)
                    _fill(container.value, {**_CONTAINER, "imagePullPolicy": _pull(container["image"].text)})
                    for port in container["ports"]:
                        if port.is_map and port.value:
                            _fill(port.value, {"protocol": "TCP"})
    return result


def _probed(container: At) -> None:
    """Its probes with their defaults, and its amounts as the server writes them."""
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container[name]
        if probe.is_map and probe.value:
            _fill(probe.value, _PROBE)
            if probe["httpGet"].is_map and probe["httpGet"].value:
                _fill(probe["httpGet"].value, {"path": "/", "scheme": "HTTP"})
    for name in ("requests", "limits"):
        amounts = container["resources"][name]
        for resource, amount in (amounts.value if amounts.is_map else {}).items():
            if isinstance(amount, str | int | float) and not isinstance(amount, bool):
                amounts.value[resource] = canonical(str(amount))


def _pull(image: str) -> str:
    tag = image.rpartition("/")[2].partition("@")[0].partition(":")[2]
    return "Always" if tag == "latest" or (not tag and "@" not in image) else "IfNotPresent"


def _fill(target: dict[str, Any], defaults: Mapping[str, Any]) -> None:
    for key, value in defaults.items():
        given = target.get(key)
        if given is None:
            target[key] = copy.deepcopy(value)
        elif key in _STRATEGIES and isinstance(given, dict) and given.get("type") in (None, "RollingUpdate"):
            _fill(given, value)
