"""Servers on loopback: a chart repository, a registry, and git; and the verb as a user runs it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import socket
import subprocess
import sys
import tarfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
FLUX_LAYER = "application/vnd.cncf.flux.content.v1.tar+gzip"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def archive(files: Mapping[str, str]) -> bytes:
    """A tar.gz with the same bytes every time."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return gzip.compress(buffer.getvalue(), mtime=0)


def chart(name: str, version: str, note: str = "") -> bytes:
    """A chart's archive as `helm package` makes it; `note` makes another one of the same version."""
    definition = f"apiVersion: v2\nname: {name}\nversion: {version}\ndescription: '{note}'\n"
    template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n"
    return archive({f"{name}/Chart.yaml": definition, f"{name}/templates/settings.yaml": template})


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def index(charts: Mapping[str, Mapping[str, bytes]], *, digests: bool = True) -> bytes:
    """An index.yaml in JSON (which is YAML), with relative URLs."""
    entries = {
        name: [
            {"name": name, "version": version, "urls": [f"charts/{name}-{version}.tgz"]}
            | ({"digest": sha256(content)} if digests else {})
            for version, content in versions.items()
        ]
        for name, versions in charts.items()
    }
    return json.dumps({"apiVersion": "v1", "entries": entries}).encode()


class Server:
    """An HTTP server whose `files` may change; `asked` records paths with their Authorization."""

    def __init__(self) -> None:
        self.files: dict[str, bytes | Callable[[BaseHTTPRequestHandler], None]] = {}
        self.asked: list[tuple[str, str]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append((self.path, self.headers.get("Authorization", "")))
                found = server.files.get(self.path.partition("?")[0])
                if callable(found):
                    found(self)
                else:
                    answer(self, 200 if found is not None else 404, found or b"")

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self.host = f"127.0.0.1:{self._http.server_address[1]}"
        self.url = f"http://{self.host}"

    def serve(self, charts: Mapping[str, Mapping[str, bytes]], *, digests: bool = True) -> None:
        """Become a chart repository of exactly these charts."""
        self.files = {"/index.yaml": index(charts, digests=digests)}
        for name, versions in charts.items():
            for version, content in versions.items():
                self.files[f"/charts/{name}-{version}.tgz"] = content

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


def answer(
    handler: BaseHTTPRequestHandler, status: int, content: bytes, headers: Mapping[str, str] | None = None
) -> None:
    handler.send_response(status)
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def redirect(url: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """An answer that sends the client elsewhere."""
    return lambda handler: answer(handler, 307, b"", {"Location": url})


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    try:
        yield server
    finally:
        server.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port


@contextmanager
def process(command: list[str], port: int, **options: Any) -> Iterator[None]:
    """Run a server until the end of the block, once it answers on its port."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    running = subprocess.Popen(command, **quiet, **options)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert running.poll() is None, f"{command[0]} ended"
                assert time.monotonic() < deadline, f"{command[0]} does not answer"
                time.sleep(0.05)
        yield
    finally:
        running.terminate()
        running.wait(10)


class Registry:
    """A real registry; `push` returns the manifest's digest."""

    def __init__(self, host: str) -> None:
        self.host = host

    def push(self, name: str, tag: str, content: bytes, media_type: str = CHART_LAYER) -> str:
        return self.push_layers(name, tag, {media_type: content})

    def push_layers(self, name: str, tag: str, layers: Mapping[str, bytes]) -> str:
        config = self._blob(name, b"{}")
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": config, "size": 2},
            "layers": [
                {"mediaType": kind, "digest": self._blob(name, content), "size": len(content)}
                for kind, content in layers.items()
            ],
        }
        return self._put(name, tag, manifest)

    def push_index(self, name: str, tag: str, platforms: Mapping[str, str]) -> str:
        """An index of manifests that were pushed, by their architecture."""
        rows = [
            {
                "mediaType": MANIFEST,
                "digest": digest,
                "size": 1,
                "platform": {"os": "linux", "architecture": arch},
            }
            for arch, digest in platforms.items()
        ]
        return self._put(name, tag, {"schemaVersion": 2, "mediaType": INDEX, "manifests": rows})

    def _put(self, name: str, tag: str, manifest: Mapping[str, Any]) -> str:
        body = json.dumps(manifest).encode()
        self._request("PUT", f"/v2/{name}/manifests/{tag}", body, manifest["mediaType"])
        return f"sha256:{sha256(body)}"

    def _blob(self, name: str, content: bytes) -> str:
        location = self._request("POST", f"/v2/{name}/blobs/uploads/", b"")
        digest = f"sha256:{sha256(content)}"
        self._request("PUT", f"{location}&digest={digest}", content)
        return digest

    def _request(self, method: str, path: str, body: bytes, kind: str = "application/octet-stream") -> str:
        url = path if path.startswith("http") else f"http://{self.host}{path}"
        request = urllib.request.Request(url, body, {"Content-Type": kind}, method=method)
        with urllib.request.urlopen(request, timeout=60) as response:
            return str(response.headers.get("Location", ""))


class Git:
    """A repository behind a git server."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.test", "-c", "commit.gpgsign=false"]
        command = ["git", *identity, *arguments]
        done = subprocess.run(
            command, cwd=self.folder, check=True, capture_output=True, text=True, timeout=120
        )
        return done.stdout.strip()

    def commit(self, files: Mapping[str, str]) -> str:
        for name, text in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=change")
        return self.git("rev-parse", "HEAD")


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def application(name: str, source: str) -> str:
    """An Argo CD Application with one source, in YAML's flow style."""
    return (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
        f"metadata: {{name: {name}, namespace: argocd}}\n"
        f"spec:\n  project: default\n  source: {source}\n  destination: {{name: in-cluster, namespace: {name}}}\n"
    )


COMMAND = [sys.executable, "-m", "gitops_layout", "fetch"]


def start(root: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        **options,
    )


def environment() -> dict[str, str]:
    """Ours, without any proxy: everything is on this machine."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


def fetch(root: Path, *arguments: str) -> tuple[int, dict[str, str], str]:
    """Run the verb: exit code, status by URL and name, and everything that was printed."""
    running = start(root, "--format=json", *arguments)
    out, err = running.communicate(timeout=180)
    try:
        rows = json.loads(out)["references"]
    except (ValueError, KeyError):
        rows = []
    return running.returncode, {row["name"] or row["url"]: row["status"] for row in rows}, out + err
