"""The decisions that need no cluster."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from gitops_layout.k8s.mask import mask_text, secret_values
from gitops_layout.k8s.scope import builtin_scope
from gitops_layout.model import Location
from gitops_layout.reconcile.desired import DesiredObject, validate
from gitops_layout.reconcile.fields import same_quantity
from gitops_layout.reconcile.health import Status, health
from gitops_layout.reconcile.inventory import PART_OF, Inventory
from gitops_layout.reconcile.plan import Conflict, conflicts, is_legacy
from tests.kubectl import KUBECTL

if TYPE_CHECKING:
    from tests.reconcile.support import Bench


def obj(
    api_version: str, kind: str, name: str | None, namespace: str | None = None, **more: Any
) -> dict[str, Any]:
    metadata = {key: value for key, value in (("name", name), ("namespace", namespace)) if value}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **more}


def test_every_problem_of_a_set_is_found_with_both_places() -> None:
    here = [Location(f"{letter}.yaml") for letter in "abcdefg"]
    sops = {"sops": {"mac": "ENC[AES256_GCM,…]"}, "stringData": {"k": "ENC[…]"}}
    manifests = [
        obj("v1", "ConfigMap", "twice", "shop"),
        obj("v1", "ConfigMap", "twice", "shop"),
        obj("v1", "ConfigMap", None, "shop"),
        obj("example.invalid/v1", "Widget", "w", "shop"),
        obj("v1", "Secret", "s", "shop", **sops),
        obj("v1", "ConfigMap", "homeless"),
        obj("apps/v1", "Deployment", "fine", "shop"),
    ]

    checked = validate(DesiredObject(data, place) for data, place in zip(manifests, here, strict=True))

    assert [(problem.message, problem.location) for problem in checked.problems] == [
        ("declared twice", here[1]),
        ("ConfigMap has no metadata.name", here[2]),
        ("no CRD in the set or the cluster defines Widget (example.invalid/v1)", here[3]),
        ("Secret/s is encrypted with SOPS: the ciphertext would be applied", here[4]),
        ("has no namespace, and the environment names none", here[5]),
    ]
    assert checked.problems[0].related == here[0]


@pytest.mark.parametrize(
    ("metadata", "fault"),
    [
        ({"name": "../../nodes/n"}, "metadata.name '../../nodes/n' is no name"),
        ({"name": ".."}, "metadata.name '..' is no name"),
        ({"name": "a%2fb"}, "metadata.name 'a%2fb' is no name"),
        ({"name": "a", "namespace": "x/secrets"}, "metadata.namespace 'x/secrets' is no name"),
        ({"name": "a", "namespace": 7}, "metadata.namespace 7 is no name"),
        ({"name": "a", "labels": ["b"]}, "metadata.labels is not a map"),
        ({"name": 7}, "ConfigMap has no metadata.name"),
        ("text", "ConfigMap has no metadata.name"),
    ],
)
def test_hostile_metadata_never_becomes_a_request(metadata: object, fault: str) -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}

    checked = validate([DesiredObject(manifest)], namespace="shop")

    assert checked.objects == ()
    assert [problem.message for problem in checked.problems] == [fault]


def test_one_object_in_two_versions_is_declared_twice() -> None:
    both = [
        obj("policy/v1", "PodDisruptionBudget", "p", "a"),
        obj("policy/v1beta1", "PodDisruptionBudget", "p", "a"),
    ]

    assert [problem.message for problem in validate(map(DesiredObject, both)).problems] == ["declared twice"]


def test_apply_order_and_scope_follow_the_set_itself() -> None:
    crd = obj("apiextensions.k8s.io/v1", "CustomResourceDefinition", "zones.example.invalid")
    crd["spec"] = {"group": "example.invalid", "names": {"kind": "Zone"}, "scope": "Cluster"}
    manifests = [
        obj("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "hook"),
        obj("example.invalid/v1", "Zone", "z", "ignored-namespace"),
        obj("apps/v1", "Deployment", "web"),
        obj("v1", "Namespace", "shop"),
        crd,
    ]

    checked = validate(map(DesiredObject, manifests), namespace="shop")

    assert checked.problems == ()
    assert [(item.ref.kind, item.ref.namespace) for item in checked.objects] == [
        ("CustomResourceDefinition", ""),
        ("Namespace", ""),
        ("Deployment", "shop"),
        ("Zone", ""),
        ("ValidatingWebhookConfiguration", ""),
    ]


@pytest.mark.controlplane
def test_the_scope_table_says_what_the_api_server_says(at: Bench) -> None:
    known = {
        (group, kind): resource.namespaced
        for (group, version, kind), resource in at.cluster._served().items()
        if version and not group.endswith(".invalid")
    }

    assert {pair: builtin_scope(*pair) for pair in known} == known


@pytest.mark.controlplane
def test_the_inventory_id_is_the_one_that_kubectl_computes(at: Bench) -> None:
    home = obj("v1", "Namespace", at.namespace)
    subprocess.run(
        [
            KUBECTL,
            "apply",
            "--server-side",
            "--prune",
            "--applyset",
            f"configmaps/{Inventory(at.namespace, '').ref.name}",
            "--namespace",
            "default",
            "--kubeconfig",
            str(at.plane.kubeconfig),
            "-f",
            "-",
        ],
        input=json.dumps(home).encode(),
        env={**os.environ, "KUBECTL_APPLYSET": "true"},
        check=True,
        capture_output=True,
    )

    live = at.get("v1", "Namespace", at.namespace, namespace="")

    assert live is not None
    assert live["metadata"]["labels"][PART_OF] == Inventory(at.namespace, "").id


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("1000m", "1", True),
        (1, "1", True),
        ("1Gi", "1024Mi", True),
        ("0.5", "500m", True),
        ("1e3", "1k", True),
        ("1G", "1Gi", False),
        ("1M", "1m", False),
        ("one", "one ", False),
    ],
)
def test_quantities_are_compared_as_amounts(left: object, right: object, same: bool) -> None:
    assert same_quantity(left, right) is same


def test_only_client_side_kubectl_may_be_overruled() -> None:
    def cause(message: str) -> dict[str, str]:
        return {"reason": "FieldManagerConflict", "field": ".spec.replicas", "message": message}

    found = conflicts(
        [
            cause('conflict with "kubectl-edit" using apps/v1 at 2026-11-24T10:00:00Z'),
            cause('conflict with "kubectl"'),
            cause('conflict with "kube-controller-manager" with subresource "scale" using apps/v1'),
        ]
    )

    assert found[0] == Conflict("kubectl-edit", "spec.replicas", update=True)
    assert [is_legacy(conflict) for conflict in found] == [True, False, False]


def test_a_message_about_a_secret_keeps_its_names_and_loses_its_values() -> None:
    secret = obj("v1", "Secret", "db", "shop", data={"password": "aHVudGVyMg=="})
    said = (
        'Secret "db" is invalid: data[password]: Invalid value: "hunter2-longer": got aHVudGVyMg== or hunter2'
    )

    shown = mask_text(said, secret_values([secret]), about=secret)

    assert shown == 'Secret "db" is invalid: data[password]: Invalid value: "***": got ***'
    assert mask_text("denied: hunter2 is weak", secret_values([secret])) == "denied: *** is weak"


ROLLED_OUT = {
    "observedGeneration": 2,
    "replicas": 2,
    "updatedReplicas": 2,
    "readyReplicas": 2,
    "availableReplicas": 2,
    "conditions": [
        {"type": "Available", "status": "True"},
        {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
    ],
}
READY = {"conditions": [{"type": "Ready", "status": "True"}]}


@pytest.mark.parametrize(
    ("kind", "spec", "status", "expected", "reason"),
    [
        ("apps/v1/Deployment", {"replicas": 2, "progressDeadlineSeconds": 600}, ROLLED_OUT, "Current", ""),
        ("apps/v1/Deployment", {"replicas": 3}, ROLLED_OUT, "InProgress", "2/3 created"),
        ("apps/v1/Deployment", {"replicas": 2}, ROLLED_OUT | {"observedGeneration": 1}, "InProgress", "not yet observed"),
        ("apps/v1/Deployment", {"replicas": 2}, ROLLED_OUT | {"replicas": 3}, "InProgress", "1 old pods"),
        ("apps/v1/Deployment", {"replicas": 2}, {}, "InProgress", "not yet observed"),
        (
            "apps/v1/Deployment",
            {"replicas": 2},
            {"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]},
            "Failed",
            "ProgressDeadlineExceeded",
        ),
        ("apps/v1/StatefulSet", {"updateStrategy": {"type": "OnDelete"}}, {}, "Current", ""),
        (
            "apps/v1/StatefulSet",
            {"replicas": 1},
            {"observedGeneration": 2, "replicas": 1, "readyReplicas": 1, "currentReplicas": 1, "currentRevision": "a", "updateRevision": "b"},
            "InProgress",
            "revision",
        ),
        (
            "apps/v1/DaemonSet",
            {},
            {"observedGeneration": 2, "desiredNumberScheduled": 2, "currentNumberScheduled": 2, "updatedNumberScheduled": 1},
            "InProgress",
            "1/2 updated",
        ),
        ("batch/v1/Job", {}, {"startTime": "2026-11-24T10:00:00Z"}, "Current", ""),
        ("batch/v1/Job", {}, {"conditions": [{"type": "Failed", "status": "True", "message": "backoff"}]}, "Failed", "backoff"),
        ("v1/Pod", {}, {"phase": "Running", **READY}, "Current", ""),
        (
            "v1/Pod",
            {},
            {"phase": "Running", "containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]},
            "Failed",
            "crash looping",
        ),
        ("v1/PersistentVolumeClaim", {}, {"phase": "Pending"}, "InProgress", "Pending"),
        ("v1/Service", {"type": "LoadBalancer", "clusterIP": "10.0.0.1"}, {}, "Current", ""),
        ("v1/ConfigMap", {}, {}, "Current", ""),
        (
            "apiextensions.k8s.io/v1/CustomResourceDefinition",
            {},
            {"conditions": [{"type": "NamesAccepted", "status": "False", "message": "taken"}]},
            "Failed",
            "taken",
        ),
        ("example.invalid/v1/Widget", {}, {}, "Current", ""),
        ("example.invalid/v1/Widget", {}, {"conditions": [{"type": "Ready", "status": "False", "reason": "Later"}]}, "InProgress", "Later"),
        ("example.invalid/v1/Widget", {}, {"conditions": [{"type": "Stalled", "status": "True", "reason": "Broken"}]}, "Failed", "Broken"),
    ],
)  # fmt: skip
def test_health_follows_kstatus(
    kind: str, spec: dict[str, Any], status: dict[str, Any], expected: str, reason: str
) -> None:
    api_version, _, name = kind.rpartition("/")
    live = {
        "apiVersion": api_version,
        "kind": name,
        "metadata": {"generation": 2},
        "spec": spec,
        "status": status,
    }

    found = health(live)

    assert found.status == expected
    assert reason in found.reason


def test_what_is_being_deleted_is_terminating_whatever_it_says() -> None:
    live = obj("v1", "Pod", "p", status={"phase": "Running", **READY})
    live["metadata"]["deletionTimestamp"] = "2026-11-24T10:00:00Z"

    assert health(live).status is Status.TERMINATING
    assert health(None).status is Status.NOT_FOUND
