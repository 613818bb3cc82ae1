"""Argo CD at work: its repo-server, application-controller and applicationset-controller, and redis."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.e2e import definitions
from tests.e2e.gitserver import gitserver
from tests.e2e.live import Data, Live, NotYetError, condition, daemon, missing, ports, program, running
from tests.fetch.support import Registry, index, process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.e2e.repository import Repository

API = "argoproj.io/v1alpha1"
REFRESH = "argocd.argoproj.io/application-set-refresh"
_POLL = "3s"  # instead of two minutes

_CHART = """\
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata:
  name: charts
  namespace: argocd
  annotations: {{argocd.argoproj.io/sync-wave: "-1"}}
spec:
  sourceRepos: ["{url}"]
  destinations: [{{server: https://kubernetes.default.svc, namespace: {namespace}}}]
---
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: cache
  namespace: argocd
  finalizers: [resources-finalizer.argocd.argoproj.io]
spec:
  project: charts
  source:
    repoURL: "{url}"
    chart: cache
    targetRevision: 1.0.0
    helm: {{releaseName: cache, valuesObject: {{size: 2}}}}
  destination: {{server: https://kubernetes.default.svc, namespace: {namespace}}}
  syncPolicy: {{automated: {{prune: true, selfHeal: true}}}}
"""


@dataclass
class ArgoCD:
    """A cluster that Argo CD keeps; it pulls the bare repositories of its folder from `server`."""

    live: Live
    server: str
    files: dict[str, bytes]
    registry: Callable[[], _Registry]
    notify: Callable[[], object]
    units = (API, "Application")
    refused = "not permitted"

    def url(self, name: str) -> str:
        """Where a bare repository of our folder is pulled from."""
        return f"{self.server}/{name}.git"

    def serve(self, url: str, repository: Repository) -> None:
        """Nothing to do: the git server has all of them."""

    def publish(self, charts: Mapping[str, Mapping[str, bytes]]) -> str:
        """Make the server a repository of these charts, too; its URL."""
        self.files["/charts/index.yaml"] = index(charts)
        for name, versions in charts.items():
            for version, content in versions.items():
                self.files[f"/charts/charts/{name}-{version}.tgz"] = content
        return f"{self.server}/charts"

    def push(self, charts: Mapping[str, Mapping[str, bytes]]) -> str:
        """Bring these charts into a registry; the URL under which they are."""
        registry = self.registry()
        for name, versions in charts.items():
            for version, content in versions.items():
                registry.push(f"charts/{name}", version, content)
        # By name: an address with a port is no registry to Argo CD unless a Secret says so.
        return f"oci://localhost:{registry.tls_port}/charts"

    def hurry(self) -> None:
        """Nothing to do: it watches, and heals within seconds."""

    def refusal(self, name: str, commit: str) -> str:
        """Wait until an Application says why it does not take a commit."""

        def look() -> str | None:
            item = self.applications()[name]
            operation = item["status"].get("operationState", {})
            failed = bool(operation.get("retryCount")) or operation.get("phase") in ("Failed", "Error")
            revision = operation.get("syncResult", {}).get("revision")
            if item["status"].get("sync", {}).get("revision") == commit and (
                not revision or revision == commit
            ):
                # A try that is under way has not been judged; the next look finds what came of it.
                trying = operation.get("message", "").startswith("Retrying operation")
                return said(item) if failed and not trying else None
            raise NotYetError(said(item))

        return self.live.wait(f"{name} to be refused", look)

    def chart(self, url: str, _: Mapping[str, Mapping[str, bytes]], namespace: str) -> str:
        """The manifest that brings a chart at 1.0.0 from a repository, with a value, as release `cache`."""
        return _CHART.format(url=url, namespace=namespace)

    def bootstrap(self, repository: Repository, cluster: str) -> None:
        """What the README says to apply by hand."""
        self.live.apply(repository.build(f"clusters/{cluster}/bootstrap"))

    def applications(self) -> dict[str, Data]:
        return {item["metadata"]["name"]: item for item in self.live.list(API, "Application", "argocd")}

    def settle(self, commits: dict[str, str]) -> None:
        """Wait until every Application is Synced at the commit that is named for its URL, and Healthy."""
        for item in self.live.list(
            API, "ApplicationSet", "argocd"
        ):  # which look every three minutes by themselves
            self.live.patch(item, {"metadata": {"annotations": {REFRESH: "true"}}})
        self.live.wait("all Applications synced and healthy", lambda: self._settled(commits))

    def _settled(self, commits: dict[str, str]) -> bool:
        applications = self.applications()
        late = []
        for name, item in applications.items():
            status = item.get("status", {})
            sync, health = status.get("sync", {}), status.get("health", {})
            sources = item["spec"].get("sources") or [item["spec"]["source"]]
            wanted = [
                source["targetRevision"] if "chart" in source else commits[source["repoURL"]]
                for source in sources
            ]
            here = (sync.get("status"), sync.get("revisions") or [sync.get("revision")], health.get("status"))
            if here != ("Synced", wanted, "Healthy") or item["metadata"].get("deletionTimestamp"):
                late.append(f"{name}: {here} {said(item)}")
        for item in self.live.list(API, "ApplicationSet", "argocd"):
            current, message = condition(item, "ResourcesUpToDate")
            if current != "True" or REFRESH in item["metadata"].get("annotations", {}):
                late.append(f"ApplicationSet {item['metadata']['name']}: {message}")
        if late or not applications:
            raise NotYetError("\n".join(late))
        return True

    def delivered(self) -> list[tuple[str, str, str, str]]:
        """(apiVersion, kind, namespace, name) of all that an Application holds."""
        refs = set()
        for item in self.applications().values():
            for entry in item.get("status", {}).get("resources", ()):
                group, version = entry.get("group", ""), entry["version"]
                api_version = f"{group}/{version}" if group else version
                refs.add((api_version, entry["kind"], entry.get("namespace", ""), entry["name"]))
        return sorted(refs)


def said(item: Data) -> str:
    """Everything that Argo CD says of an Application's trouble."""
    status = item.get("status", {})
    words = [entry["message"] for entry in status.get("conditions", ())]
    operation = status.get("operationState", {})
    words += [f"{operation.get('phase')}: {operation.get('message')}"]
    words += [
        f"{entry['kind']} {entry['name']}: {entry.get('message')}"
        for entry in operation.get("syncResult", {}).get("resources", ())
        if entry.get("status") not in ("Synced", "Pruned")
    ]
    return "; ".join(words)


@contextmanager
def argocd(directory: Path) -> Iterator[ArgoCD]:
    """Argo CD in a cluster of its own; each program has the rights of its service account and no more."""
    redis = shutil.which("redis-server")
    if redis is None:
        missing("agents", "redis-server is not installed")
        raise AssertionError  # not reached
    bin_folder = _programs(directory)
    with ExitStack() as stack:
        live = stack.enter_context(running(directory))
        live.install(definitions.argocd())
        # What its API server would do at its first start; the chart and the manifests leave it to that.
        live.patch(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "argocd-secret", "namespace": "argocd"},
            },
            {"stringData": {"server.secretkey": "only-for-this-test"}},
        )
        live.apply([_default_project()])
        files: dict[str, bytes] = {}
        url = stack.enter_context(gitserver(directory, directory / "pki", files))
        env = _environment(directory, bin_folder)
        redis_port, repo_port, *metrics = ports(9)
        store = ["--bind", "127.0.0.1", "--port", str(redis_port), "--save", "", "--appendonly", "no"]
        stack.enter_context(daemon(directory, "redis", [redis, *store]))
        redis_at, repo_at = f"127.0.0.1:{redis_port}", f"127.0.0.1:{repo_port}"
        repo_server = [
            *("--redis", redis_at, "--address", "127.0.0.1", "--port", str(repo_port)),
            *("--metrics-port", str(metrics[0]), "--disable-tls", "--client-ca-path", ""),
        ]
        accounts = {
            "argocd-repo-server": repo_server,
            "argocd-application-controller": [
                *("--redis", redis_at, "--repo-server", repo_at, "--repo-server-plaintext"),
                *("--metrics-port", str(metrics[1]), "--namespace", "argocd", "--app-resync", "3"),
            ],
            "argocd-applicationset-controller": [
                *("--argocd-repo-server", repo_at, "--repo-server-plaintext", "--namespace", "argocd"),
                *("--metrics-addr", f"127.0.0.1:{metrics[2]}", "--probe-addr", f"127.0.0.1:{metrics[3]}"),
                *("--webhook-addr", f"127.0.0.1:{metrics[4]}"),
            ],
        }
        for name, flags in accounts.items():
            kubeconfig = live.token("argocd", name)
            command: list[str | Path] = [bin_folder / name, *flags]
            if name != "argocd-repo-server":
                command += ["--kubeconfig", kubeconfig]
            stack.enter_context(daemon(directory, name, command, {**env, "KUBECONFIG": str(kubeconfig)}))

        def notify() -> None:
            """Start what tells people, which most tests have no use for."""
            kubeconfig = live.token("argocd", "argocd-notifications-controller")
            command = [
                *(bin_folder / "argocd-notifications", "--kubeconfig", kubeconfig, "--namespace", "argocd"),
                *("--argocd-repo-server", repo_at, "--argocd-repo-server-plaintext"),
                *("--metrics-port", str(metrics[5])),
            ]
            stack.enter_context(daemon(directory, "argocd-notifications", command, env))

        yield ArgoCD(live, url, files, lambda: stack.enter_context(_registry(directory)), notify)


class _Registry(Registry):
    """One that is pushed to in clear text, and pulled from by TLS at another port."""

    def __init__(self, host: str, tls_port: int) -> None:
        super().__init__(host)
        self.tls_port = tls_port


@contextmanager
def _registry(directory: Path) -> Iterator[_Registry]:
    found = shutil.which("docker-registry")
    if found is None:
        missing("registry", "no docker-registry: `apt-get install docker-registry` brings it")
        raise AssertionError  # not reached
    pki, (plain, secure) = directory / "pki", ports(2)
    store = f"storage: {{filesystem: {{rootdirectory: {directory}/registry}}}}\n"
    tls = f", tls: {{certificate: {pki}/server.crt, key: {pki}/server.key}}"
    with ExitStack() as stack:
        for port, more in ((plain, ""), (secure, tls)):
            config = directory / f"registry-{port}.yaml"
            http = f"http: {{addr: '127.0.0.1:{port}'{more}}}\n"
            config.write_text(f"version: 0.1\nlog: {{level: error}}\n{store}{http}")
            stack.enter_context(process([found, "serve", str(config)], port))
        yield _Registry(f"127.0.0.1:{plain}", secure)


def _programs(directory: Path) -> Path:
    """A folder for PATH: Argo CD under all its names, what it calls, and wrappers that it brings in its image."""
    folder = directory / "bin"
    folder.mkdir()
    argocd = program("argocd")
    for name in (
        *("argocd-repo-server", "argocd-application-controller"),
        *("argocd-applicationset-controller", "argocd-notifications"),
    ):
        (folder / name).symlink_to(argocd)
    for name in ("kustomize", "helm"):
        (folder / name).symlink_to(program(name))
    for name in ("gpg-wrapper.sh", "git-verify-wrapper.sh"):  # no signature is verified
        (folder / name).write_text("#!/bin/sh\nexit 0\n")
        (folder / name).chmod(0o755)
    return folder


def _environment(directory: Path, bin_folder: Path) -> dict[str, str]:
    folders = {}
    for name in ("GNUPGHOME", "TLS_DATA_PATH", "SSH_DATA_PATH", "PLUGINSOCKFILEPATH", "HOME", "TMPDIR"):
        folders[name] = directory / f"argocd-{name.lower()}"
        folders[name].mkdir()
    # The certificates that argocd-tls-certs-cm would mount: a file a host.
    for host in ("127.0.0.1", "localhost"):
        (folders["TLS_DATA_PATH"] / host).write_bytes((directory / "pki" / "ca.crt").read_bytes())
    return {
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
        "HOME": str(folders.pop("HOME")),
        "TMPDIR": str(folders.pop("TMPDIR")),
        "ARGOCD_FAKE_IN_CLUSTER": "true",
        "ARGOCD_GPG_ENABLED": "false",
        "ARGOCD_RECONCILIATION_TIMEOUT": _POLL,
        "ARGOCD_RECONCILIATION_JITTER": "0s",
        "ARGOCD_DEFAULT_CACHE_EXPIRATION": "24h",
        **{f"ARGOCD_{name}": str(folder) for name, folder in folders.items()},
    }


def _default_project() -> dict[str, Any]:
    """The project that is there in every Argo CD, open to everything."""
    return {
        "apiVersion": API,
        "kind": "AppProject",
        "metadata": {"name": "default", "namespace": "argocd"},
        "spec": {
            "sourceRepos": ["*"],
            "destinations": [{"server": "*", "namespace": "*"}],
            "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
        },
    }
