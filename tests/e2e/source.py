"""What stands in for Flux's source-controller, whose module cannot be had: artifacts and their status.

It pulls: several times a second it looks at the cluster's GitRepositories, HelmCharts and OCIRepositories and
at the repositories and charts it was given, and publishes what changed. What it cannot prove: that the real
one reaches a URL, logs in, checks signatures, or resolves ranges of versions.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import yaml

from tests.e2e.live import Data, Live
from tests.fetch.support import Server, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.e2e.repository import Repository

_Found = tuple[str, Callable[[], bytes]]  # a revision, and what makes its archive
API = "source.toolkit.fluxcd.io/v1"
_PAUSE_SECONDS = 0.3
_NEVER = ".sourceignore"


class Sources:
    """Repositories by the URL they are known under, and charts by name and version."""

    def __init__(self, live: Live, server: Server) -> None:
        self._live, self._server = live, server
        self.repositories: dict[str, Repository] = {}
        self.charts: Mapping[str, Mapping[str, bytes]] = {}
        self.trouble: Exception | None = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        self._thread.join()
        if self.trouble is not None:
            raise self.trouble

    def _run(self) -> None:
        try:
            while not self._end.wait(_PAUSE_SECONDS):
                for kind in ("GitRepository", "HelmChart", "OCIRepository"):
                    for source in self._live.list(API, kind):
                        self._publish(source)
                for source in self._live.list(API, "HelmRepository"):
                    self._answer(source, {}, "index fetched")
        except Exception as error:  # the thread's only way to be heard
            self.trouble = error

    def _publish(self, source: Data) -> None:
        found = self._tree(source) if source["kind"] == "GitRepository" else self._chart(source)
        if found is None:
            return
        revision, archive = found
        if source.get("status", {}).get("artifact", {}).get("revision") == revision:
            return
        content = archive()
        digest = hashlib.sha256(content).hexdigest()
        path = f"/{source['kind'].lower()}/{digest}.tar.gz"
        self._server.files[path] = content
        artifact = {
            "path": path.lstrip("/"),
            "url": self._server.url + path,
            "revision": revision,
            "digest": f"sha256:{digest}",
            "lastUpdateTime": _now(),
            "size": len(content),
        }
        self._answer(source, {"artifact": artifact}, f"stored artifact for revision '{revision}'")

    def _answer(self, source: Data, status: Data, message: str) -> None:
        generation = source["metadata"]["generation"]
        if not status and source.get("status", {}).get("observedGeneration") == generation:
            return
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "Succeeded",
            "message": message,
            "observedGeneration": generation,
            "lastTransitionTime": _now(),
        }
        change = {"status": {**status, "observedGeneration": generation, "conditions": [ready]}}
        if self._live.get(source["apiVersion"], source["kind"], *_place(source)) is not None:
            self._live.patch(source, change, manager="source-controller", subresource="/status")

    def _tree(self, source: Data) -> _Found | None:
        """A branch's newest commit, without what its .sourceignore names."""
        spec = source["spec"]
        repository = self.repositories.get(spec["url"])
        if repository is None:
            return None
        ref = spec["ref"]
        branch = ref.get("branch") or ref["name"].removeprefix("refs/heads/")
        commit = _git(repository, "rev-parse", f"refs/heads/{branch}").decode().strip()
        # Flux shows a ref as it was named.
        return f"{ref.get('name') or branch}@sha1:{commit}", lambda: _archive(repository, commit)

    def _own_chart(self, source: Data) -> _Found | None:
        """A chart out of a repository, as `reconcileStrategy: Revision` names it: by the commit, too."""
        spec = source["spec"]
        _, namespace = _place(source)
        home = self._live.get(API, "GitRepository", spec["sourceRef"]["name"], namespace)
        repository = self.repositories.get(home["spec"]["url"]) if home is not None else None
        if repository is None:
            return None
        commit = _git(repository, "rev-parse", "refs/heads/main").decode().strip()
        tree = f"{commit}:{spec['chart'].removeprefix('./').rstrip('/')}"
        about = yaml.safe_load(_git(repository, "show", f"{tree}/Chart.yaml"))
        pack = ("archive", "--format=tar.gz", f"--prefix={about['name']}/", tree)
        return f"{about['version']}+{commit[:12]}", lambda: _git(repository, *pack)

    def _chart(self, source: Data) -> _Found | None:
        spec = source["spec"]
        if source["kind"] == "HelmChart" and spec["sourceRef"]["kind"] == "GitRepository":
            return self._own_chart(source)
        if source["kind"] == "HelmChart":
            name, version = spec["chart"], spec["version"]
        else:
            name, version = spec["url"].rpartition("/")[2], spec["ref"]["tag"]
        content = self.charts.get(name, {}).get(version)
        if content is None:
            return None
        # Of a registry the digest is known, too; helm-controller wants it there.
        digest = f"@sha256:{hashlib.sha256(content).hexdigest()}" if source["kind"] == "OCIRepository" else ""
        return f"{version}{digest}", lambda: content


@contextmanager
def sources(live: Live) -> Iterator[Sources]:
    """A stand-in at work until the end of the block."""
    with serving() as server:
        standing = Sources(live, server)
        try:
            yield standing
        finally:
            standing.close()


def _archive(repository: Repository, commit: str) -> bytes:
    """A tar.gz of the tracked files; git itself judges .sourceignore, whose patterns are those of .gitignore."""
    ignored: list[str] = []
    listed = _git(repository, "ls-tree", "--name-only", commit, "--", _NEVER).split()
    if listed:
        patterns = _git(repository, "show", f"{commit}:{_NEVER}").decode().splitlines()
        excludes = [f"--exclude={line}" for line in patterns if line and not line.startswith("#")]
        index = {"GIT_INDEX_FILE": str(repository.bare / f"index-{commit}")}
        _git(repository, "read-tree", commit, env=index)
        found = _git(repository, "ls-files", "--cached", "--ignored", "-z", *excludes, env=index)
        ignored = [name for name in found.decode().split("\0") if name]
    paths = [f":(exclude,literal){name}" for name in ignored]
    return _git(repository, "archive", "--format=tar.gz", commit, "--", ".", *paths)


def _git(repository: Repository, *arguments: str, env: Mapping[str, str] | None = None) -> bytes:
    # Some commands want a work tree, which they do not look at.
    command = ["git", "-c", "core.bare=false", f"--git-dir={repository.bare}", "--work-tree=.", *arguments]
    done = subprocess.run(
        command, cwd=repository.bare, env={**os.environ, **(env or {})}, capture_output=True, check=False
    )
    assert done.returncode == 0, f"git {arguments[0]}: {done.stderr.decode()}"
    return done.stdout


def _place(source: Data) -> tuple[Any, Any]:
    return source["metadata"]["name"], source["metadata"]["namespace"]


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
