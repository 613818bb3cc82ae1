"""A cluster for one agent: a control plane with the real definitions, and what people do to it by hand."""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from gitops_layout.model import ObjectRef
from gitops_layout.reconcile.cluster import ApiError, Cluster
from tools.controlplane import assets, start, tool
from tools.controlplane.run import CONTEXT, _die_with_parent, _free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

Data = dict[str, Any]
_Found = TypeVar("_Found")

PATIENCE_SECONDS = 240.0
"""How long anything may take that an agent does; on a busy machine all of it takes long."""


@dataclass
class Live:
    """One running cluster, and a client of it that is an administrator and no agent."""

    directory: Path
    kubeconfig: Path
    cluster: Cluster

    def apply(self, objects: Iterable[Data]) -> None:
        """Server-side apply with strict validation, as `kubectl apply --server-side --force-conflicts`."""
        for data in objects:
            self.cluster.apply(data, force=True)

    def install(self, objects: Iterable[Data]) -> None:
        """Apply an agent's own objects: definitions first, and wait until the server serves them."""
        todo = sorted(objects, key=lambda data: data["kind"] not in ("CustomResourceDefinition", "Namespace"))
        for data in todo:
            self.cluster.apply(data, force=True)
        names = [data["metadata"]["name"] for data in todo if data["kind"] == "CustomResourceDefinition"]
        self.wait(f"{len(names)} definitions", lambda: all(map(self._established, names)) or None)
        kinds = [data["spec"] for data in todo if data["kind"] == "CustomResourceDefinition"]
        self.wait("their kinds in discovery", lambda: all(map(self._served, kinds)) or None)

    def _served(self, definition: Data) -> bool:
        """Whether discovery names the kind, which comes a moment after the definition is established."""
        version = next(item["name"] for item in definition["versions"] if item["served"])
        self.cluster.forget_types()
        return (
            self.cluster.resource(f"{definition['group']}/{version}", definition["names"]["kind"]) is not None
        )

    def _established(self, name: str) -> bool:
        found = self.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", name)
        return found is not None and condition(found, "Established")[0] == "True"

    def get(self, api_version: str, kind: str, name: str, namespace: str = "") -> Data | None:
        return self.cluster.get(ObjectRef(api_version, kind, namespace, name))

    def list(self, api_version: str, kind: str, namespace: str = "") -> list[Data]:
        resource = self.cluster.resource(api_version, kind)
        return [] if resource is None else self.cluster.list_objects(resource, namespace=namespace)

    def path(self, data: Data) -> str:
        resource = self.cluster.resource(data["apiVersion"], data["kind"])
        assert resource is not None, data["kind"]
        return resource.path(data["metadata"].get("namespace", ""), data["metadata"]["name"])

    def patch(self, data: Data, change: Data, *, manager: str = "somebody", subresource: str = "") -> None:
        """Change an object as another client would, under that client's manager name."""
        response = self.cluster._http.patch(
            self.path(data) + subresource,
            params={"fieldManager": manager},
            content=json.dumps(change),
            headers={"Content-Type": "application/merge-patch+json"},
        )
        if response.status_code >= 400:
            raise ApiError(response.status_code, response.json())

    def delete(self, data: Data) -> None:
        self.cluster.request("DELETE", self.path(data))

    def wait(self, what: str, look: Callable[[], _Found | None]) -> _Found:
        """What `look` gives once it gives something; what it saw last stands in the failure."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            trouble = ""
            try:
                if (found := look()) is not None:
                    return found
            except NotYetError as error:
                trouble = str(error)
            if time.monotonic() > deadline:
                pytest.fail(f"not within {PATIENCE_SECONDS:.0f} s: {what}\n{trouble}", pytrace=False)
            time.sleep(0.25)

    def token(self, namespace: str, account: str) -> Path:
        """A kubeconfig with which a program is a service account, with that account's rights only."""
        answer = self.cluster.request(
            "POST",
            f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token",
            body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
        )
        config = json.loads(self.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": answer["status"]["token"]}
        path = self.directory / f"{account}.kubeconfig"
        path.write_text(json.dumps(config))
        return path


class NotYetError(Exception):
    """What is still missing, for the message should it never come."""


def condition(data: Data, kind: str) -> tuple[str, str]:
    """Status and message of one condition of an object, empty where it has none."""
    for entry in data.get("status", {}).get("conditions") or ():  # null while a definition is young
        if entry["type"] == kind:
            return entry["status"], entry.get("message", "")
    return "", ""


_NOTED = (
    "deployment.kubernetes.io/revision",
    "reconcile.fluxcd.io/requestedAt",
    "argocd.argoproj.io/refresh",
    "argocd.argoproj.io/application-set-refresh",
)


def desired(data: Data) -> str:
    """All of a live object that somebody wanted, as text: not what the server and controllers note down."""
    metadata = data["metadata"]
    annotations = {
        key: value
        for key, value in metadata.get("annotations", {}).items()
        # The first counts up with every rollout, back or forth; the others are wishes to hurry.
        if key not in _NOTED
    }
    noted = {"metadata", "status", "operation"}
    rest = {key: value for key, value in data.items() if key not in noted}
    return json.dumps(
        rest | {"labels": metadata.get("labels", {}), "annotations": annotations}, sort_keys=True
    )


@contextmanager
def running(directory: Path) -> Iterator[Live]:
    """A control plane with controllers of its own in `directory`, or a skipped test."""
    require_control_plane()
    with start(directory, controllers=True) as plane:
        if not plane.controllers:
            missing("controlplane", "the control plane has no controllers: run `make controlplane`")
        with Cluster(CONTEXT, plane.kubeconfig) as cluster:
            yield Live(directory, plane.kubeconfig, cluster)


def require_control_plane() -> None:
    """Skip the test where none is built, unless this run must not skip it."""
    if assets() is None:
        missing("controlplane", "there is no control plane: run `make controlplane`")


def missing(needed: str, reason: str) -> None:
    """Skip the test, unless this run must not skip what needs it."""
    if needed in os.environ.get("GITOPS_LAYOUT_REQUIRE", "").split(","):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def program(name: str) -> Path:
    """An agent's program as `make agent-programs` builds it, or a skipped test."""
    found = tool(name)
    if found is None:
        missing("agents", f"{name} is not built: run `make agent-programs`")
        raise AssertionError  # not reached
    return found


@contextmanager
def daemon(
    directory: Path, name: str, command: list[str | Path], env: Mapping[str, str] | None = None
) -> Iterator[Path]:
    """Run a program until the end of the block; the path of what it prints."""
    log = directory / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=None if env is None else {**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent(),
        )
    try:
        yield log
        code = process.poll()
        assert code is None, f"{name} ended with {code}:\n{log.read_text(errors='replace')[-2000:]}"
    finally:
        process.kill()
        process.wait()


def ports(count: int) -> list[int]:
    """Free ports on loopback, all different."""
    return _free_ports(count)
