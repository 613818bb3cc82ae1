"""How we reach an API server: credentials, discovery, and what is worth a second try."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from gitops_layout.errors import UserError
from gitops_layout.reconcile import cluster as module
from gitops_layout.reconcile.cluster import ApiError, Cluster
from tools.controlplane.run import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.reconcile.support import Bench


def kubeconfig(path: Path, server: str, user: dict[str, Any], **cluster: Any) -> Path:
    content = {
        "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "there", "context": {"cluster": "c", "user": "u"}}],
    }
    path.write_text(json.dumps(content))
    return path


def whoami(cluster: Cluster) -> str:
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = cluster.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=review)
    return str(answer["status"]["userInfo"]["username"])


@pytest.mark.controlplane
def test_a_credential_plugin_is_asked_again_when_its_token_is_refused(at: Bench, tmp_path: Path) -> None:
    account = "/api/v1/namespaces/default/serviceaccounts"
    body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": at.namespace}}
    at.other.request("POST", account, body=body)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = at.other.request("POST", f"{account}/{at.namespace}/token", body=request)["status"]["token"]
    plugin = tmp_path / "plugin"
    # The first token is stale; later ones are good. What it was told and how often goes to a log.
    plugin.write_text(
        "#!/bin/sh\n"
        f'echo "$KUBERNETES_EXEC_INFO" >> {tmp_path}/log\n'
        f"if [ $(wc -l < {tmp_path}/log) = 1 ]; then token=stale; else token={token}; fi\n"
        """printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}' $token\n"""
    )
    plugin.chmod(0o755)
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(plugin),
            "interactiveMode": "Never",
        }
    }
    config = kubeconfig(
        tmp_path / "config",
        at.plane.server,
        user,
        **{"certificate-authority": str(at.plane.directory / "pki/ca.crt")},
    )

    with Cluster("there", config) as cluster:
        names = [whoami(cluster), whoami(cluster)]

    assert names == [f"system:serviceaccount:default:{at.namespace}"] * 2
    told = (tmp_path / "log").read_text().splitlines()
    assert len(told) == 2
    assert json.loads(told[0])["apiVersion"] == "client.authentication.k8s.io/v1"


@pytest.mark.controlplane
def test_several_kubeconfigs_are_one_and_relative_paths_are_each_files_own(
    at: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pki = at.plane.directory / "pki"
    (tmp_path / "pki").symlink_to(pki)
    user = {"client-certificate": "pki/admin.crt", "client-key": "pki/admin.key"}
    ca = {"certificate-authority": "pki/ca.crt", "tls-server-name": "kubernetes"}
    mine = kubeconfig(tmp_path / "config", at.plane.server, user, **ca)
    monkeypatch.setenv("KUBECONFIG", f"{at.plane.kubeconfig}:{mine}")

    with Cluster("there") as second, Cluster(CONTEXT) as first:
        assert whoami(second) == whoami(first) == "admin"
    with pytest.raises(UserError, match=f"there are: {CONTEXT}, there"):
        Cluster("nowhere")

    kubeconfig(mine, at.plane.server, user, **ca | {"tls-server-name": "somebody.else"})
    with Cluster("there") as impostor, pytest.raises(UserError, match="cannot be reached"):
        whoami(impostor)


@pytest.mark.controlplane
def test_discovery_without_the_aggregated_form_finds_the_same(
    at: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    aggregated = at.cluster._served()
    monkeypatch.setattr(module, "_AGGREGATED", "application/json")
    at.cluster.forget_types()

    assert at.cluster._served() == aggregated


class Moody(BaseHTTPRequestHandler):
    """A server that answers from a script: status codes, and 0 for hanging up."""

    script: ClassVar[list[int]] = []
    times: ClassVar[list[float]] = []

    def do_GET(self) -> None:
        self.times.append(time.monotonic())
        code = self.script.pop(0)
        if not code:
            self.connection.close()
            return
        body = json.dumps({"kind": "Status", "message": "no", "reason": "Whatever"}).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if code == 429:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def moody(tmp_path: Path) -> Iterator[Cluster]:
    Moody.times.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Moody) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        config = kubeconfig(tmp_path / "config", f"http://127.0.0.1:{server.server_port}", {"token": "t"})
        with Cluster("there", config) as cluster:
            yield cluster
        server.shutdown()
        thread.join()


def test_overload_and_lost_connections_are_tried_again_at_the_servers_pace(moody: Cluster) -> None:
    Moody.script[:] = [429, 503, 0, 200]

    moody.request("GET", "/")

    assert Moody.script == []
    assert Moody.times[1] - Moody.times[0] >= 1  # Retry-After, not our own shorter pause


@pytest.mark.parametrize("code", [401, 403, 404, 409, 422])
def test_a_refusal_is_not_argued_with(moody: Cluster, code: int) -> None:
    Moody.script[:] = [code, 200]

    with pytest.raises(ApiError) as refused:
        moody.request("GET", "/")

    assert refused.value.code == code
    assert Moody.script == [200]


def test_a_server_that_was_never_there_is_not_waited_for(tmp_path: Path) -> None:
    config = kubeconfig(tmp_path / "config", "http://127.0.0.1:1", {"token": "t"})
    started = time.monotonic()

    with Cluster("there", config) as cluster, pytest.raises(UserError, match="cannot be reached"):
        cluster.request("GET", "/")

    assert time.monotonic() - started < 30
