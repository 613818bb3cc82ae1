"""Start and stop a control plane on loopback."""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from gitops_layout.errors import UserError
from tools.controlplane import certificates
from tools.controlplane.build import assets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["CONTEXT", "ControlPlane", "start", "stop"]

CONTEXT = "loopback"
"""The context (and cluster and user) in the kubeconfig that `start` writes."""

_CONTROLLERS = ("kube-controller-manager", "kube-scheduler", "kwok")
_STATE = "control-plane.json"
_START_SECONDS = 60
_PR_SET_PDEATHSIG = 1

_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A running control plane; leaving the `with` block ends its processes.

    `audit_log` has one JSON event a line (audit.k8s.io/v1, level Metadata). `controllers` tells
    whether Deployments roll out, namespaces go away and Pods become ready.
    """

    directory: Path
    server: str
    kubeconfig: Path
    audit_log: Path
    controllers: bool
    processes: tuple[subprocess.Popen[bytes], ...]

    def stop(self) -> None:
        """End all processes and wait for them."""
        stop(self.directory)
        for process in self.processes:
            process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start(directory: Path, *, controllers: bool, detached: bool = False) -> ControlPlane:
    """Start etcd and kube-apiserver (and the controllers where their binaries are) in `directory`.

    Returns when the API server is ready and, with controllers, the node is. The processes die with
    the calling thread unless `detached`. Raises UserError when there are no binaries, or something
    does not come up within a minute; its log is `directory/<program>.log`.
    """
    folder = assets()
    if folder is None:
        raise UserError("there is no control plane to start", "build one with `make controlplane`")
    directory = directory.resolve()
    if _read_state(directory):
        raise UserError(f"a control plane already runs in {directory}")
    certificates.make(directory / "pki")
    controllers = controllers and all(os.access(folder / name, os.X_OK) for name in _CONTROLLERS)
    etcd_port, peer_port, port = _free_ports(3)
    plane = _Starting(folder, directory, f"https://127.0.0.1:{port}", detached)
    try:
        plane.run("etcd", _etcd(directory, etcd_port, peer_port))
        plane.run("kube-apiserver", _apiserver(directory, etcd_port, port))
        plane.wait("kube-apiserver", lambda: plane.call("GET", "/readyz")[0] == 200)
        if controllers:
            _start_controllers(plane)
    except BaseException:
        _end(directory, plane.pids)
        raise
    return ControlPlane(
        directory,
        plane.server,
        directory / "kubeconfig",
        directory / "audit.log",
        controllers,
        tuple(plane.processes.values()),
    )


def stop(directory: Path) -> None:
    """End what `start` left running in `directory`; nothing happens where nothing runs."""
    directory = directory.resolve()
    _end(directory, _read_state(directory))


class _Starting:
    """What the steps of `start` share: where things are, and the processes so far."""

    def __init__(self, binaries: Path, directory: Path, server: str, detached: bool) -> None:
        self.binaries, self.directory, self.server, self.detached = binaries, directory, server, detached
        self.pids: list[int] = []
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        (directory / "kubeconfig").write_text(json.dumps(_kubeconfig(directory, server), indent=1))
        self.tls = ssl.create_default_context(cafile=directory / "pki" / "ca.crt")
        self.tls.load_cert_chain(directory / "pki" / "admin.crt", directory / "pki" / "admin.key")

    def run(self, name: str, flags: Iterable[str]) -> None:
        with (self.directory / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [self.binaries / name, *flags],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=None if self.detached else _die_with_parent(),
            )
        self.processes[name] = process
        self.pids.append(process.pid)
        (self.directory / _STATE).write_text(json.dumps(self.pids))

    def call(self, method: str, path: str, body: object = None) -> tuple[int, object]:
        host, port = self.server.removeprefix("https://").split(":")
        connection = http.client.HTTPSConnection(host, int(port), context=self.tls, timeout=10)
        try:
            headers = {"Content-Type": "application/json", "User-Agent": "controlplane"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, json.loads(text) if is_json else text.decode()

    def wait(self, name: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if gone := [name for name, process in self.processes.items() if process.poll() is not None]:
                raise UserError(f"{gone[0]} ended at once", self._tail(gone[0]), exit_code=3)
            try:
                if ready():
                    return
            except OSError:
                pass  # not listening yet
            time.sleep(0.05)
        raise UserError(f"{name} was not ready within {_START_SECONDS} s", self._tail(name), exit_code=3)

    def _tail(self, name: str) -> str:
        log = self.directory / f"{name}.log"
        return f"the end of {log}:\n" + "\n".join(log.read_text(errors="replace").splitlines()[-8:])


def _etcd(directory: Path, port: int, peer_port: int) -> list[str]:
    client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer_port}"
    return [
        f"--data-dir={directory / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
    ]


def _apiserver(directory: Path, etcd_port: int, port: int) -> list[str]:
    pki = directory / "pki"
    policy = directory / "audit-policy.json"
    policy.write_text(json.dumps(_AUDIT_POLICY))
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={pki / 'server.crt'}",
        f"--tls-private-key-file={pki / 'server.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.0.0.0/24",
        f"--service-account-issuer=https://127.0.0.1:{port}/",
        f"--service-account-key-file={pki / 'sa.pub'}",
        f"--service-account-signing-key-file={pki / 'sa.key'}",
        "--disable-admission-plugins=ServiceAccount",
        "--allow-privileged=true",
        "--endpoint-reconciler-type=none",
        f"--audit-policy-file={policy}",
        f"--audit-log-path={directory / 'audit.log'}",
        "--audit-log-mode=blocking",
    ]


def _start_controllers(plane: _Starting) -> None:
    kubeconfig, pki = plane.directory / "kubeconfig", plane.directory / "pki"
    common = [f"--kubeconfig={kubeconfig}", "--leader-elect=false", "--secure-port=0"]
    plane.run(
        "kube-controller-manager",
        [
            *common,
            f"--service-account-private-key-file={pki / 'sa.key'}",
            f"--root-ca-file={pki / 'ca.crt'}",
            "--kube-api-qps=5000",
            "--kube-api-burst=10000",
            "--node-monitor-grace-period=8760h",  # nothing sends heartbeats for our node
        ],
    )
    plane.run("kube-scheduler", common)
    stages = Path(__file__).with_name("stages.yaml")
    plane.run("kwok", [f"--kubeconfig={kubeconfig}", f"--config={stages}", "--manage-all-nodes=true"])
    code, answer = plane.call("POST", "/api/v1/nodes", _NODE)
    if code != 201:
        raise UserError(f"creating the node failed: {answer}", exit_code=3)
    plane.wait("kwok", lambda: _is_ready(plane.call("GET", "/api/v1/nodes/node-1")[1]))


_NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "node-1", "labels": {"kubernetes.io/hostname": "node-1"}},
    "status": {
        "allocatable": {"cpu": "64", "memory": "256Gi", "pods": "1000"},
        "capacity": {"cpu": "64", "memory": "256Gi", "pods": "1000"},
    },
}


def _is_ready(node: object) -> bool:
    match node:
        case {"status": {"conditions": [*conditions]}, "spec": spec}:
            ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
            return ready and not (isinstance(spec, dict) and spec.get("taints"))
    return False


def _kubeconfig(directory: Path, server: str) -> dict[str, object]:
    pki = directory / "pki"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "clusters": [
            {"name": CONTEXT, "cluster": {"server": server, "certificate-authority": str(pki / "ca.crt")}}
        ],
        "users": [
            {
                "name": CONTEXT,
                "user": {"client-certificate": str(pki / "admin.crt"), "client-key": str(pki / "admin.key")},
            }
        ],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT}}],
    }


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]  # held together: all differ
    ports = [int(listener.getsockname()[1]) for listener in held]
    for listener in held:
        listener.close()
    return ports


def _die_with_parent() -> Callable[[], object] | None:
    """A hook for the child that makes Linux kill it when its parent goes, however that goes."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # loaded before the fork: nothing but the call happens after it
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _read_state(directory: Path) -> list[int]:
    """The process ids of `directory` that are still its own programs (ids are used again)."""
    try:
        pids: list[int] = json.loads((directory / _STATE).read_text())
    except FileNotFoundError:
        return []
    return [pid for pid in pids if _runs_in(directory, pid)]


def _runs_in(directory: Path, pid: int) -> bool:
    shown = subprocess.run(
        ["ps", "-ww", "-o", "stat=,command=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    return str(directory) in shown and not shown.startswith("Z")


def _end(directory: Path, pids: list[int]) -> None:
    for pid in reversed(pids):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # nothing here is worth a graceful end, which takes seconds
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and not all(_gone(directory, pid) for pid in pids):
        time.sleep(0.02)
    (directory / _STATE).unlink(missing_ok=True)


def _gone(directory: Path, pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:  # another process's child, or reaped before
        return not _runs_in(directory, pid)
