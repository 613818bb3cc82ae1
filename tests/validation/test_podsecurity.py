"""Pod security levels against the admission plugin of a real API server, and what a finding of them leaves alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gitops_layout.validation.podsecurity import ENFORCE, ENFORCE_VERSION, breaches, enforced
from tests.lint.support import linted
from tests.validation.server.support import Server, edited

if TYPE_CHECKING:
    from tools.controlplane import ControlPlane

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web"},
    "spec": {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "web",
                "image": "web:1",
                "ports": [{"containerPort": 80}],
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    },
}
OWN = "/spec/containers/0/securityContext"
WHOLE = "/spec/securityContext"
EDITS: list[dict[str, Any]] = [
    {},
    {"/spec/hostNetwork": True, "/spec/containers/0/ports": []},
    {"/spec/hostPID": True},
    {"/spec/hostIPC": True},
    {"/spec/containers/0/ports/0/hostPort": 80},
    {"/spec/volumes": [{"name": "a", "hostPath": {"path": "/a"}}]},
    {"/spec/volumes": [{"name": "a", "nfs": {"server": "a", "path": "/a"}}]},
    {
        "/spec/volumes": [
            {"name": "a"},
            {"name": "b", "emptyDir": {}},
            {"name": "c", "secret": {"secretName": "a"}},
        ]
    },
    {f"{OWN}/privileged": True, f"{OWN}/allowPrivilegeEscalation": True},
    {f"{OWN}/allowPrivilegeEscalation": "<delete>"},
    {f"{OWN}/capabilities/drop": ["NET_RAW"]},
    {f"{OWN}/capabilities/add": ["NET_BIND_SERVICE"]},
    {f"{OWN}/capabilities/add": ["CHOWN"]},
    {f"{OWN}/capabilities/add": ["SYS_ADMIN"]},
    {f"{OWN}/capabilities": "<delete>"},
    {f"{OWN}/procMount": "Unmasked", "/spec/hostUsers": False},
    {f"{OWN}/procMount": "Default"},
    {f"{OWN}/runAsNonRoot": False},
    {f"{OWN}/runAsNonRoot": True, f"{WHOLE}/runAsNonRoot": "<delete>"},
    {f"{WHOLE}/runAsNonRoot": "<delete>"},
    {f"{WHOLE}/runAsNonRoot": "<delete>", "/spec/hostUsers": False},
    {f"{WHOLE}/runAsNonRoot": False, f"{OWN}/runAsNonRoot": True},
    {f"{OWN}/runAsUser": 0},
    {f"{WHOLE}/runAsUser": 0},
    {f"{WHOLE}/runAsUser": 0, "/spec/hostUsers": False},
    {f"{OWN}/runAsUser": 1000},
    {f"{WHOLE}/seccompProfile": "<delete>"},
    {f"{WHOLE}/seccompProfile": "<delete>", f"{OWN}/seccompProfile": {"type": "RuntimeDefault"}},
    {f"{OWN}/seccompProfile": {"type": "Unconfined"}},
    {f"{WHOLE}/seccompProfile": {"type": "Unconfined"}},
    {f"{WHOLE}/seccompProfile": {"type": "Localhost", "localhostProfile": "a"}},
    {f"{OWN}/appArmorProfile": {"type": "Unconfined"}},
    {f"{WHOLE}/appArmorProfile": {"type": "RuntimeDefault"}},
    {f"{WHOLE}/seLinuxOptions": {"type": "container_engine_t"}},
    {f"{WHOLE}/seLinuxOptions": {"type": "spc_t"}},
    {f"{OWN}/seLinuxOptions": {"level": "s0"}},
    {f"{OWN}/seLinuxOptions": {"user": "a"}},
    {f"{WHOLE}/sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]},
    {f"{WHOLE}/sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "1"}]},
    {f"{WHOLE}/sysctls": [{"name": "net.ipv4.tcp_keepalive_time", "value": "1"}]},
    {f"{WHOLE}/sysctls": [{"name": "kernel.msgmax", "value": "1"}]},
    {"/spec/containers/0/livenessProbe": {"httpGet": {"port": 80, "host": "example.com"}}},
    {"/spec/containers/0/livenessProbe": {"httpGet": {"port": 80}}},
    {"/spec/containers/0/lifecycle": {"preStop": {"tcpSocket": {"port": 80, "host": "example.com"}}}},
    {"/spec/initContainers": [{"name": "init", "image": "init:1"}]},
    {"/spec/os": {"name": "windows"}, WHOLE: {"runAsNonRoot": True}, OWN: {"runAsNonRoot": True}},
]
LEVELS = [
    {ENFORCE: level, **({ENFORCE_VERSION: version} if version else {})}
    for level in ("baseline", "restricted", "privileged")
    for version in ("", "latest", "v1.0", "v1.18", "v1.22", "v1.24", "v1.28", "v1.33", "v1.36", "v1.99")
]


@pytest.mark.controlplane
def test_pods_are_refused_as_the_admission_plugin_refuses_them(cluster: ControlPlane) -> None:
    wrong, refused = [], 0
    with Server(cluster) as server:
        for number, labels in enumerate(LEVELS):
            name = f"pod-security-{number}"
            namespace = {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name, "labels": labels},
            }
            server._send("POST", "/api/v1/namespaces", namespace, "application/json")
            for edits in EDITS:
                pod = edited(POD, edits)
                path = f"/api/v1/namespaces/{name}/pods?dryRun=All"
                status, answer = server._send("POST", path, pod, "application/json")
                assert status in (201, 403), answer
                level = enforced(labels)
                mine = breaches(level, pod["spec"], {}, kubernetes="1.36") if level is not None else []
                refused += status == 403
                if bool(mine) != (status == 403):
                    wrong.append(f"{labels} {edits}: {answer.get('message', status)}, we say {mine}")

    assert refused > 300
    assert not wrong, "\n".join(wrong)


NAMESPACE = """\
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {pod-security.kubernetes.io/enforce: baseline}}
"""
HOST = """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {hostNetwork: true, containers: [{name: web, image: "web:1"}]}
"""
APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web, namespace: argocd}
spec:
  project: default
  source: {repoURL: https://example.com/acme/web.git, path: web, targetRevision: HEAD}
  destination: {server: https://kubernetes.default.svc, namespace: shop}
"""
MANAGED = """\
  syncPolicy:
    syncOptions: [CreateNamespace=true]
    managedNamespaceMetadata: {labels: {pod-security.kubernetes.io/enforce: baseline}}
"""
SOURCES = "sources: [https://example.com/acme/web.git]\n"


def found(files: dict[str, str | bytes]) -> list[tuple[str, int]]:
    return [(f.file, f.span.line) for f in linted(files).findings if f.rule.id == "M026"]


def test_a_pod_is_judged_in_the_namespace_that_its_application_names() -> None:
    files: dict[str, str | bytes] = {
        "web/pod.yaml": HOST,
        "app.yaml": APPLICATION,
        ".gitops-layout.yaml": SOURCES,
    }

    assert found(files) == []
    assert found({**files, "web/namespace.yaml": NAMESPACE}) == [("web/pod.yaml", 4)]
    assert found({**files, "app.yaml": APPLICATION + MANAGED}) == [("web/pod.yaml", 4)]


def test_two_namespaces_of_one_name_that_disagree_judge_only_their_own_delivery() -> None:
    other = NAMESPACE.replace("baseline", "privileged")
    files: dict[str, str | bytes] = {
        "a/kustomization.yaml": "resources: [namespace.yaml]\n",
        "a/namespace.yaml": NAMESPACE,
        "b/kustomization.yaml": "resources: [namespace.yaml]\n",
        "b/namespace.yaml": other,
        "c/kustomization.yaml": "namespace: shop\nresources: [pod.yaml]\n",
        "c/pod.yaml": HOST,
    }

    assert found(files) == []
    assert found({**files, "b/namespace.yaml": NAMESPACE}) == [("c/pod.yaml", 4)]
