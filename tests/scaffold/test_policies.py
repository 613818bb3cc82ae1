"""The generated policies in a real API server: they take the generated apps, and refuse worse ones."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.kubectl import KUBECTL
from tests.scaffold.specs import PLATFORM, spec
from tests.scaffold.trees import build, write

if TYPE_CHECKING:
    from tools.controlplane import ControlPlane

_PATIENCE = 60  # seconds until the server has learnt of its policies


def _kubectl(plane: ControlPlane, *arguments: str, given: object = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [KUBECTL, "--kubeconfig", str(plane.kubeconfig), *arguments],
        input=None if given is None else json.dumps(given),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _all(objects: list[dict[str, Any]]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "List", "items": objects}


def _worse(objects: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """The Deployment among them with other fields of its container."""
    [found] = (item for item in objects if item["kind"] == "Deployment")
    copy: dict[str, Any] = json.loads(json.dumps(found))
    copy["spec"]["template"]["spec"]["containers"][0].update(changes)
    return copy


def test_the_api_server_takes_the_apps_and_refuses_what_the_policies_name(
    cluster: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    app = {"name": namespace, "image": "ghcr.io/acme/web:1.4.0", "environments": ["prod"]}
    tenants = [{"name": f"{namespace}-t", "environments": ["prod"]}]
    write(
        spec("argocd", **{**PLATFORM, "tenants": tenants, "apps": [app], "features": {"policy": "vap"}}),
        tmp_path,
    )
    policies = build(tmp_path / "policies/envs/prod")
    objects = build(tmp_path / f"apps/{namespace}/envs/prod")
    tenant = build(tmp_path / f"tenants/{namespace}-t/envs/prod")
    try:
        assert _kubectl(cluster, "apply", "-f", "-", given=_all(policies)).returncode == 0
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "out", "namespace": f"{namespace}-t"},
        }
        service["spec"] = {"type": "NodePort", "ports": [{"port": 80}]}
        done = _kubectl(cluster, "apply", "-f", "-", given=_all([*tenant, *objects]))
        assert done.returncode == 0, done.stderr
        [home] = (item for item in tenant if item["kind"] == "Namespace")
        loose = {**home, "metadata": {**home["metadata"], "labels": {}}}
        for bad, words in (
            (_worse(objects, image="ghcr.io/acme/web:stable"), "name no version but a channel"),
            (_worse(objects, image="ghcr.io/acme/web"), "these images name no version"),
            (_worse(objects, resources={}), "need requests for cpu and memory"),
            (_worse(objects, securityContext={"privileged": True}), "are privileged"),
            (service, "is of type ClusterIP"),
            (loose, "keeps its labels"),
        ):
            assert words in _refused(cluster, bad)
    finally:
        _kubectl(cluster, "delete", "--ignore-not-found", "--wait=false", "-f", "-", given=_all(policies))
        _kubectl(cluster, "delete", "namespace", namespace, f"{namespace}-t", "--wait=false")


def _refused(cluster: ControlPlane, item: dict[str, Any]) -> str:
    """What the server says against an object; it is asked until it does.

    A controller that writes to the object between kubectl's read and its write makes a conflict, which is
    no verdict.
    """
    end = time.monotonic() + _PATIENCE
    while True:
        done = _kubectl(cluster, "replace", "--dry-run=server", "-f", "-", given=item)
        if "NotFound" in done.stderr:
            done = _kubectl(cluster, "create", "--dry-run=server", "-f", "-", given=item)
        judged = done.returncode != 0 and "(Conflict)" not in done.stderr
        if judged or time.monotonic() > end:
            return done.stderr
        time.sleep(0.5)
