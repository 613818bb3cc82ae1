"""The no-op check against what the API server really records."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from gitops_layout.reconcile.fields import in_sync
from gitops_layout.reconcile.inventory import PART_OF
from tests.reconcile.support import config_map, deployment, namespace_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.reconcile.support import Bench, Data

pytestmark = pytest.mark.controlplane


def everything(namespace: str) -> Iterator[Data]:
    """Objects with every kind of list the API knows: by key, by several keys, sets, and whole ones."""
    web = deployment("web")
    pod = web["spec"]["template"]["spec"]
    pod["containers"][0] |= {
        "args": ["--verbose", "--port=80"],
        "env": [
            {"name": "A", "value": "1"},
            {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        ],
        "envFrom": [{"configMapRef": {"name": "c"}}],
        "ports": [
            {"name": "http", "containerPort": 80},
            {"name": "dns", "containerPort": 53, "protocol": "UDP"},
        ],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 5},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp", "readOnly": False}],
        "securityContext": {"capabilities": {"drop": ["ALL"]}, "allowPrivilegeEscalation": False},
    }
    pod["volumes"] = [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}]
    pod["tolerations"] = [{"key": "spot", "operator": "Exists", "effect": "NoSchedule"}]
    pod["imagePullSecrets"] = [{"name": "pull"}]
    pod["topologySpreadConstraints"] = [
        {
            "maxSkew": 1,
            "topologyKey": "zone",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"app": "web"}},
        }
    ]
    yield web
    yield config_map(
        "c",
        {"a": "1", "limits": "1000m"},
        labels={"x": "y"},
        annotations={"n": "v"},
        finalizers=["t.invalid/f"],
    )
    yield {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "type": "Opaque",
        "data": {"k": "dmFsdWU="},
    }
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"app": "web"},
            "ports": [{"name": "tcp", "port": 53}, {"name": "udp", "port": 53, "protocol": "UDP"}],
        },
    }
    yield {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "deny"},
        "spec": {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {
                    "from": [{"podSelector": {"matchLabels": {"app": "web"}}}],
                    "ports": [{"port": 80, "protocol": "TCP"}],
                }
            ],
        },
    }
    yield {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "reader"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}],
    }
    yield {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "elsewhere"},
            "maxReplicas": 3,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
                }
            ],
        },
    }
    yield {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "q"},
        "spec": {"hard": {"requests.cpu": "64000m", "pods": 100}},
    }


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    match value:
        case dict() if value:
            for name, inner in value.items():
                yield from leaves(inner, (*path, name))
        case list() if value:
            for index, inner in enumerate(value):
                yield from leaves(inner, (*path, index))
        case _:
            yield path


def changed(data: Data, path: tuple[Any, ...], *, remove: bool) -> Data:
    result = copy.deepcopy(data)
    parent = result
    for step in path[:-1]:
        parent = parent[step]
    old = parent[path[-1]]
    if remove:
        del parent[path[-1]]
    else:
        parent[path[-1]] = (
            not old if isinstance(old, bool) else old + 1 if isinstance(old, int) else f"{old}x"
        )
    return result


def test_what_was_just_applied_is_in_sync_and_any_other_manifest_is_not(at: Bench) -> None:
    home = [namespace_of(at.namespace), *everything(at.namespace)]
    assert at.run(home, wait=False).summary.exit_code == 0

    for manifest in home[1:]:
        live = at.get(manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"])
        assert live is not None
        desired = copy.deepcopy(manifest)
        desired["metadata"].setdefault("labels", {})[PART_OF] = live["metadata"]["labels"][PART_OF]
        assert in_sync(desired, live), manifest["kind"]
        for path in leaves(desired):
            if path[0] in ("apiVersion", "kind") or path == ("metadata", "name"):
                continue
            assert not in_sync(changed(desired, path, remove=False), live), path
            assert not in_sync(changed(desired, path, remove=True), live), path
            # A value that somebody changed in the cluster, though the ownership still looks the same.
            if len(path) < 3 or not any(isinstance(step, int) for step in path):
                assert not in_sync(desired, changed(live, path, remove=False)), path
    at.patch(at.core("configmaps", "c"), {"metadata": {"finalizers": None}}, manager="kubectl-edit")
