"""A client's-eye view of the control plane: run the reconciler, look at the cluster, read the audit log."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitops_layout.model import Location, ObjectRef
from gitops_layout.reconcile.apply import Options, reconcile
from gitops_layout.reconcile.cluster import Cluster
from gitops_layout.reconcile.desired import DesiredObject
from gitops_layout.reconcile.events import Acted, Trouble, record, text
from gitops_layout.reconcile.kubeconfig import USER_AGENT
from gitops_layout.reconcile.plan import Verb, short
from tools.controlplane.run import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitops_layout.reconcile.events import Event, Summary
    from tools.controlplane import ControlPlane

Data = dict[str, Any]


@dataclass
class Ran:
    """One run: its events, its summary, and what the user would have seen."""

    summary: Summary
    events: list[Event]
    shown: str

    def verbs(self, *, but: Verb | None = Verb.UNCHANGED) -> dict[str, Verb]:
        acted = [event.action for event in self.events if isinstance(event, Acted)]
        return {short(action.ref): action.verb for action in acted if action.verb is not but}

    @property
    def problems(self) -> list[str]:
        return [event.problem.message for event in self.events if isinstance(event, Trouble)]


@dataclass
class Bench:
    """The reconciler on a namespace of its own, and a client that is not the reconciler."""

    plane: ControlPlane
    namespace: str
    cluster: Cluster
    other: Cluster
    _ignored: int = 0

    def run(self, objects: Iterable[Data], **options: Any) -> Ran:
        events: list[Event] = []
        # Without controllers no Deployment ever becomes ready, and no namespace goes away.
        defaults = {"timeout": 20.0, "wait": self.plane.controllers}
        chosen = Options(self.namespace, source="here", namespace=self.namespace, **{**defaults, **options})
        inputs = [DesiredObject(data) for data in objects]
        summary = reconcile(self.cluster, inputs, options=chosen, emit=events.append)
        lines = [text(event, place=_place, verbose=True) or "" for event in events]
        lines += [json.dumps(record(event, place=_place)) for event in events]
        return Ran(summary, events, "\n".join(lines))

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Data | None:
        where = self.namespace if namespace is None else namespace
        return self.other.get(ObjectRef(api_version, kind, where, name))

    def patch(self, path: str, body: Data, *, manager: str, content: str = "merge-patch") -> None:
        """Change an object as another client would, under that client's manager name."""
        response = self.other._http.patch(
            path,
            params={"fieldManager": manager, **({"force": "true"} if content == "apply-patch" else {})},
            content=json.dumps(body),
            headers={
                "Content-Type": f"application/{content}+{'yaml' if content == 'apply-patch' else 'json'}"
            },
        )
        assert response.status_code < 300, response.text

    def core(self, plural: str, name: str) -> str:
        return f"/api/v1/namespaces/{self.namespace}/{plural}/{name}"

    def requests(self) -> list[tuple[str, str]]:
        """Verb and URI of all requests of this test's runs that were not dry runs, from the audit log."""
        # A request of another client comes back in the log only after everything before it.
        mark = uuid.uuid4().hex
        self.other.request("GET", "/version", parameters={"mark": mark})
        deadline = time.monotonic() + 60
        while mark not in (log := self.plane.audit_log.read_text()):
            assert time.monotonic() < deadline, "the audit log lags behind"
            time.sleep(0.02)
        events = [
            json.loads(line) for line in log.splitlines() if USER_AGENT in line and "dryRun" not in line
        ]
        ours = [event for event in events if event["userAgent"] == USER_AGENT]
        return [(event["verb"], event["requestURI"]) for event in ours][self._ignored :]

    def writes(self) -> list[str]:
        """The objects of our mutating requests so far, in order."""
        return [
            uri.partition("?")[0] for verb, uri in self.requests() if verb not in ("get", "list", "watch")
        ]


def _place(location: Location) -> tuple[str, int]:
    return location.file, 1


def bench(plane: ControlPlane, namespace: str) -> Bench:
    other = Cluster(CONTEXT, plane.kubeconfig)
    other._http.headers["User-Agent"] = "somebody-else"
    workbench = Bench(plane, namespace, Cluster(CONTEXT, plane.kubeconfig), other)
    workbench._ignored = len(workbench.requests())  # those of earlier tests
    return workbench


def config_map(name: str, data: dict[str, str] | None = None, **metadata: Any) -> Data:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **metadata},
        "data": data or {"a": "1"},
    }


def namespace_of(name: str) -> Data:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def deployment(name: str, *, image: str = "example.invalid/web:1", replicas: int = 2) -> Data:
    labels = {"app": name}
    container = {
        "name": "web",
        "image": image,
        "ports": [{"containerPort": 80}],
        "resources": {"requests": {"cpu": "1000m", "memory": "64Mi"}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def crd(kind: str, group: str) -> Data:
    plural = f"{kind.lower()}s"
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {"size": {"type": "integer"}, "tier": {"type": "string", "default": "low"}},
            }
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }
