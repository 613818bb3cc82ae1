"""Argo CD's own notifications controller, at work with the generated triggers and templates."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.argocd import argocd
from tests.e2e.repository import scaffolded
from tests.fetch.support import answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.controlplane, pytest.mark.agents]

_Told = tuple[str, str | None, dict[str, Any]]
"""Path, authorization and body of a request."""
_GITHUB, _API = "https://github.com/acme/platform.git", "https://api.github.com"


@contextmanager
def _listening() -> Iterator[tuple[str, list[_Told]]]:
    """The URL of a server that takes everything, and what it was told."""
    told: list[_Told] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.append((self.path, self.headers.get("Authorization"), body))
            answer(self, 201, b"{}")

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", told
    finally:
        server.shutdown()
        server.server_close()


def test_a_commit_is_told_what_became_of_it_in_the_cluster(tmp_path: Path) -> None:
    with _listening() as (url, told), argocd(tmp_path) as agent:
        repository = scaffolded(tmp_path, "argocd", "told")
        # The spec wants a host that it knows; what is pulled from and told is on loopback.
        for path in sorted((repository.folder / "clusters").rglob("*.yaml")):
            text = path.read_text().replace(_GITHUB, agent.url("platform")).replace(_API, url)
            path.write_text(text)
        head = repository.push("Pull from here")
        secret = {"chat-webhook": f"{url}/chat", "commit-status-token": "a-token"}
        name = {"name": "argocd-notifications-secret", "namespace": "argocd"}
        agent.live.apply([{"apiVersion": "v1", "kind": "Secret", "metadata": name, "stringData": secret}])
        agent.bootstrap(repository, "eu")
        agent.settle({agent.url("platform"): head})
        agent.notify()

        wanted = {"state": "success", "context": "argocd/eu/web-prod"}
        at = f"/repos/acme/platform/statuses/{head}"
        agent.live.wait("the status of the commit", lambda: (at, "Bearer a-token", wanted) in told or None)
        assert not [path for path, _, _ in told if path == "/chat"]  # nothing has failed
