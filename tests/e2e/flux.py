"""Flux at work: its kustomize-controller and helm-controller, and what its operator would have set up."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.e2e import definitions
from tests.e2e.live import Data, Live, NotYetError, condition, daemon, ports, program, running
from tests.e2e.source import API as SOURCES
from tests.e2e.source import Sources, sources

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.e2e.repository import Repository

API = "kustomize.toolkit.fluxcd.io/v1"
LOCKDOWN = ("--no-cross-namespace-refs=true", "--default-service-account=default")
"""What the operator adds for `multitenant: true`; kustomize-controller gets --no-remote-bases=true, too."""

_CHART = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {{name: charts, namespace: flux-system}}
spec: {{interval: 1m, url: "{url}"}}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {{name: cache, namespace: flux-system}}
spec:
  interval: 1m
  releaseName: cache
  targetNamespace: {namespace}
  chart:
    spec:
      chart: cache
      version: 1.0.0
      sourceRef: {{kind: HelmRepository, name: charts}}
  values: {{size: 2}}
"""


@dataclass
class Flux:
    """A cluster that Flux keeps."""

    live: Live
    sources: Sources
    units = (API, "Kustomization")
    refused = "forbidden"

    def url(self, name: str) -> str:
        """Under which a repository is known; nothing is there."""
        return f"https://github.com/acme/{name}.git"

    def serve(self, url: str, repository: Repository) -> None:
        self.sources.repositories[url] = repository

    def publish(self, charts: Mapping[str, Mapping[str, bytes]]) -> None:
        """Have these charts wherever somebody asks for one of the name: the stand-in asks no server."""
        self.sources.charts = charts

    push = publish

    def chart(self, url: str, charts: Mapping[str, Mapping[str, bytes]], namespace: str) -> str:
        """The manifest that brings a chart at 1.0.0 from a repository, with a value, as release `cache`."""
        self.sources.charts = charts
        return _CHART.format(url=url, namespace=namespace)

    def bootstrap(self, repository: Repository, cluster: str) -> None:
        """Do what the operator does with the FluxInstance that people apply: its `sync` becomes two objects."""
        (instance,) = repository.build(f"clusters/{cluster}/flux-system")
        self.live.apply([instance])
        sync = instance["spec"]["sync"]
        place = {"name": "flux-system", "namespace": "flux-system"}
        spec: Data = {
            "interval": "10m0s",
            "path": sync["path"],
            "prune": True,
            "sourceRef": {"kind": sync["kind"], "name": "flux-system"},
        }
        if instance["spec"]["cluster"]["multitenant"]:
            spec["serviceAccountName"] = "kustomize-controller"
        source = {"url": sync["url"], "interval": sync["interval"], "ref": {"name": sync["ref"]}}
        self.live.apply(
            [
                {"apiVersion": SOURCES, "kind": "GitRepository", "metadata": place, "spec": source},
                {"apiVersion": API, "kind": "Kustomization", "metadata": place, "spec": spec},
            ]
        )

    def settle(self, commits: dict[str, str]) -> None:
        """Wait until every Kustomization is ready, and at the commit that is named for its source's URL."""
        self.live.wait("all Kustomizations ready", lambda: self._settled(commits))

    def _settled(self, commits: dict[str, str]) -> bool:
        if self.sources.trouble is not None:
            raise self.sources.trouble
        found = {_id(item): item for item in self.live.list(SOURCES, "GitRepository")}
        kustomizations = self.live.list(API, "Kustomization")
        late = []
        for item in kustomizations:
            spec, status = item["spec"], item.get("status", {})
            home = spec["sourceRef"].get("namespace", item["metadata"]["namespace"])
            source = found.get((home, spec["sourceRef"]["name"]))
            commit = commits.get(source["spec"]["url"], "") if source else "no source"
            ready, message = condition(item, "Ready")
            current = status.get("observedGeneration") == item["metadata"]["generation"]
            applied = status.get("lastAppliedRevision", "")
            if not (ready == "True" and current and applied.endswith(commit)):
                late.append(f"{_id(item)} at {applied}: {ready} {message}")
        for item in self.live.list("helm.toolkit.fluxcd.io/v2", "HelmRelease"):
            ready, message = condition(item, "Ready")
            current = item.get("status", {}).get("observedGeneration") == item["metadata"]["generation"]
            if not (ready == "True" and current):
                late.append(f"HelmRelease {_id(item)}: {ready} {message}")
        if late or not kustomizations:
            raise NotYetError("\n".join(late))
        return True

    def delivered(self) -> list[tuple[str, str, str, str]]:
        """(apiVersion, kind, namespace, name) of all that is in an inventory."""
        refs = set()
        for item in self.live.list(API, "Kustomization"):
            for entry in item.get("status", {}).get("inventory", {}).get("entries", ()):
                namespace, name, group, kind = entry["id"].split("_")
                version = entry["v"]
                refs.add(
                    (f"{group}/{version}" if group else version, kind, namespace, name.replace("__", ":"))
                )
        return sorted(refs)

    def hurry(self) -> None:
        """Ask for everything to be reconciled now, as `flux reconcile` does, instead of in ten minutes."""
        stamp = f"{time.time()}"
        for item in self.live.list(API, "Kustomization"):
            self.live.patch(item, {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": stamp}}})

    def refusal(self, name: str, commit: str) -> str:
        """Wait until a Kustomization says why it does not take a commit."""

        def look() -> str | None:
            (item,) = (item for item in self.live.list(API, "Kustomization") if _id(item)[1] == name)
            ready, message = condition(item, "Ready")
            attempted = item["status"].get("lastAttemptedRevision", "").endswith(commit)
            return message if ready == "False" and attempted else None

        return self.live.wait(f"{name} to be refused", look)


@contextmanager
def flux(directory: Path, *, multitenant: bool) -> Iterator[Flux]:
    """Flux in a cluster of its own, with the lockdown that its operator sets up where tenants are."""
    programs = {name: program(name) for name in ("kustomize-controller", "helm-controller")}
    with ExitStack() as stack:
        live = stack.enter_context(running(directory))
        live.install(definitions.flux())
        for name, path in programs.items():
            kubeconfig = live.token("flux-system", name)
            metrics, health = ports(2)
            flags = [f"--metrics-addr=127.0.0.1:{metrics}", f"--health-addr=127.0.0.1:{health}"]
            flags += ["--requeue-dependency=2s", *(LOCKDOWN if multitenant else ())]
            if multitenant and name == "kustomize-controller":
                flags.append("--no-remote-bases=true")
            env = {"KUBECONFIG": str(kubeconfig), "RUNTIME_NAMESPACE": "flux-system"}
            stack.enter_context(daemon(directory, name, [path, *flags], env))
        standing = stack.enter_context(sources(live))
        yield Flux(live, standing)


def _id(item: dict[str, Any]) -> tuple[str, str]:
    return item["metadata"]["namespace"], item["metadata"]["name"]
