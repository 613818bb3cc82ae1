"""The verb, from a git repository to the cluster, in processes of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.reconcile.support import config_map, namespace_of
from tools.controlplane.run import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.reconcile.support import Bench

pytestmark = pytest.mark.controlplane


class Repository:
    """A git repository with one environment, named like its namespace, whose one ConfigMap says `value`."""

    def __init__(self, root: Path, namespace: str) -> None:
        self.root, self.namespace = root, namespace
        self.folder = folder = root / "envs" / namespace
        folder.mkdir(parents=True)
        (root / ".gitops-layout.yaml").write_text(
            f"environments:\n- {{name: {namespace}, paths: [envs/{namespace}]}}\n"
        )
        (folder / "kustomization.yaml").write_text("resources: [namespace.yaml, settings.yaml]\n")
        (folder / "namespace.yaml").write_text(json.dumps(namespace_of(namespace)))
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *identity, *arguments], cwd=self.root, check=True, capture_output=True)

    def commit(self, value: str) -> None:
        data = config_map("settings", {"value": value}, namespace=self.namespace)
        (self.folder / "settings.yaml").write_text(json.dumps(data))
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", value)


@pytest.fixture
def repository(tmp_path: Path, at: Bench) -> Repository:
    return Repository(tmp_path / "repository", at.namespace)


@pytest.fixture
def environment(at: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(at.plane.kubeconfig))
    monkeypatch.setenv("GITOPS_LAYOUT_CACHE", str(tmp_path / "cache"))


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gitops_layout", "reconcile", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)


def value(at: Bench) -> str | None:
    live = at.get("v1", "ConfigMap", "settings")
    return live["data"]["value"] if live else None


def eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


@pytest.mark.usefixtures("environment")
def test_the_current_context_is_never_used(repository: Repository) -> None:
    repository.commit("one")

    done = call(str(repository.root), "--env", repository.namespace)

    assert done.returncode == 2
    assert f"no cluster is bound to environment {repository.namespace}" in done.stderr


@pytest.mark.usefixtures("environment")
def test_only_commits_are_applied_and_a_revert_is_a_rollback(repository: Repository, at: Bench) -> None:
    arguments = (str(repository.root), "--env", repository.namespace, "--context", CONTEXT)
    repository.commit("one")
    first = call(*arguments)
    (repository.folder / "settings.yaml").write_text("not even: [yaml")
    dirty = call(*arguments)
    repository.commit("two")
    call(*arguments)
    after_two = value(at)
    repository.git("revert", "--no-edit", "HEAD")
    reverted = call(*arguments, "--format", "json")

    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stdout.startswith("revision main@")
    assert at.plane.server in first.stdout.splitlines()[0]
    assert dirty.returncode == 0
    assert "uncommitted changes are not applied" in dirty.stdout
    assert (after_two, value(at)) == ("two", "one")
    records = [json.loads(line) for line in reverted.stdout.splitlines()]
    assert [record["type"] for record in records] == ["start", "action", "action", "summary"]
    assert [record["changes"] for record in records if record.get("action") == "update"] == [
        [{"path": ["data", "value"], "old": "two", "new": "one"}]
    ]


@pytest.mark.usefixtures("environment")
def test_a_remote_is_followed_without_a_checkout(repository: Repository, at: Bench) -> None:
    repository.commit("one")
    repository.git("branch", "release")
    repository.commit("two")

    done = call(
        "--git",
        repository.root.as_uri(),
        "--ref",
        "release",
        "--env",
        repository.namespace,
        "--context",
        CONTEXT,
    )
    lost = call(
        "--git",
        repository.root.as_uri(),
        "--ref",
        "nowhere",
        "--env",
        repository.namespace,
        "--context",
        CONTEXT,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert value(at) == "one"
    assert lost.returncode == 3
    assert "cannot fetch nowhere" in lost.stderr


@pytest.mark.usefixtures("environment")
def test_what_cannot_be_rendered_is_refused_whole(repository: Repository, at: Bench) -> None:
    repository.commit("one")
    assert call(str(repository.root), "--env", repository.namespace, "--context", CONTEXT).returncode == 0
    (repository.folder / "kustomization.yaml").write_text("resources: [gone.yaml]\n")
    repository.commit("two")

    done = call(str(repository.root), "--env", repository.namespace, "--context", CONTEXT)

    assert done.returncode == 3
    assert done.stdout.splitlines()[-1].startswith("refused: nothing was written")
    assert value(at) == "one"


@pytest.mark.usefixtures("environment")
def test_a_problem_names_file_and_line_and_an_owner_its_environment(
    repository: Repository, at: Bench
) -> None:
    other = at.run([namespace_of(at.namespace)])
    assert other.summary.exit_code == 0
    (repository.root / ".gitops-layout.yaml").write_text(
        f"environments:\n- {{name: other-{at.namespace}, paths: [envs/{at.namespace}]}}\n"
    )
    (repository.folder / "namespace.yaml").write_text(f"# home\n{json.dumps(namespace_of(at.namespace))}\n")
    repository.commit("one")
    arguments = (str(repository.root), "--env", f"other-{at.namespace}", "--context", CONTEXT)

    refused = call(*arguments)
    taken = call(*arguments, "--take-over", f"environment:{at.namespace}")

    owner = f"environment:{at.namespace}"
    problem = f"Namespace/{at.namespace}: is already managed by {owner}; --take-over {owner} would take it"
    assert refused.returncode == 3
    assert f"! envs/{at.namespace}/namespace.yaml:2: {problem}" in refused.stdout
    assert taken.returncode == 0


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_watching_applies_commits_repairs_drift_and_ends_at_once(
    repository: Repository, at: Bench, tmp_path: Path, number: signal.Signals
) -> None:
    repository.commit("one")
    command = [sys.executable, "-m", "gitops_layout", "reconcile", str(repository.root)]
    command += ["--env", repository.namespace, "--context", CONTEXT, "--watch", "--interval", "1s"]
    # A test run in the background ignores Ctrl-C, and so would its children: a terminal's do not.
    start = partial(
        subprocess.Popen, command, preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    )
    with (tmp_path / "log").open("w") as log, start(stdout=log, stderr=log) as process:
        try:
            eventually(lambda: value(at) == "one")
            repository.commit("two")
            eventually(lambda: value(at) == "two")
            at.patch(
                at.core("configmaps", "settings"), {"data": {"value": "by hand"}}, manager="kubectl-edit"
            )
            eventually(lambda: value(at) == "two")
            at.other.request("DELETE", at.core("configmaps", "settings"))
            eventually(lambda: value(at) == "two")
            # The server shows a write before its answer is here, and what it did is printed after that.
            eventually(lambda: (tmp_path / "log").read_text().count("api calls") == 4)
            os.kill(process.pid, number)
            started = time.monotonic()
            code = process.wait(timeout=30)
        finally:
            process.kill()

    shown = (tmp_path / "log").read_text()
    assert code == 130, shown
    assert time.monotonic() - started < 10
    assert "by hand -> two" in shown
    assert shown.count(at.plane.server) == 4  # two commits and two repairs: runs without work are silent
    assert shown.splitlines()[-1].startswith("interrupted")
