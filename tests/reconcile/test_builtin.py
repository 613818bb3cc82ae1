"""A scaffolded repository whose agent is this very reconciler: no agent objects, the spec says what is delivered."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from gitops_layout.cli.loading import load
from gitops_layout.scaffold.render import render
from gitops_layout.spec import parse
from tests.scaffold.specs import PLATFORM, data
from tools.controlplane.run import CONTEXT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.reconcile.support import Bench


def _write(root: Path, body: dict[str, object]) -> None:
    for path, file in render(parse(body)).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(file.content)
    (root / "gitops.yaml").write_text(yaml.safe_dump(body))


def test_each_app_and_tenant_is_delivered_once_to_every_cluster_of_its_environments(tmp_path: Path) -> None:
    clusters = [
        {"name": "lab", "environments": ["dev", "staging"]},
        {"name": "eu", "environments": ["prod"]},
        {"name": "us", "environments": ["prod"]},
    ]
    tenants = [{"name": "payments", "environments": ["dev", "prod"]}]
    apps = [{"name": "web"}, {"name": "pay", "tenant": "payments"}]
    _write(tmp_path, data("builtin", **{**PLATFORM, "clusters": clusters, "tenants": tenants, "apps": apps}))
    (tmp_path / "drafts").mkdir()
    (tmp_path / "drafts/kustomization.yaml").write_text("resources: [../apps/web/base]\n")
    graph = load(tmp_path).graph
    live = {(d.source.path, d.environment, d.cluster) for d in graph.deliveries if d.live}
    assert live == {
        (f"{kind}/{name}/envs/{environment}", environment, cluster)
        for kind, name, environments in (
            ("apps", "web", ["dev", "staging", "prod"]),
            ("apps", "pay", ["dev", "prod"]),
            ("tenants", "payments", ["dev", "prod"]),
        )
        for cluster, held in (("lab", ["dev", "staging"]), ("eu", ["prod"]), ("us", ["prod"]))
        for environment in held
        if environment in environments
    }
    assert not (tmp_path / "clusters").exists()


@pytest.mark.controlplane
def test_an_environment_comes_up_and_a_second_run_writes_nothing(
    at: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(at.plane.kubeconfig))
    monkeypatch.setenv("GITOPS_LAYOUT_CACHE", str(tmp_path / "cache"))
    clusters = [
        {"name": "one", "environments": ["dev"], "context": CONTEXT},
        {"name": "two", "environments": ["dev"]},
    ]
    root = tmp_path / "repository"
    apps = [{"name": "web", "namespace": at.namespace}]
    _write(root, data("builtin", environments=[{"name": "dev"}], clusters=clusters, apps=apps))
    _committed(root)
    done = [
        _run(tmp_path, "reconcile", str(root), "--env", "dev", "--no-wait", "--exit-code") for _ in range(2)
    ]
    assert [run.returncode for run in done] == [1, 0], [run.stdout + run.stderr for run in done]
    live = at.get("apps/v1", "Deployment", "web", at.namespace)
    assert live is not None
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "ghcr.io/stefanprodan/podinfo:6.9.2"


def _committed(root: Path) -> None:
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "made"]):
        name = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
        subprocess.run(["git", *name, *command], cwd=root, check=True)


def _run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gitops_layout", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.controlplane
def test_a_tenants_own_repository_is_a_run_of_its_own_beside_the_platforms(
    at: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pair of repositories, each reconciled by itself: the second never undoes what the first did."""
    monkeypatch.setenv("KUBECONFIG", str(at.plane.kubeconfig))
    monkeypatch.setenv("GITOPS_LAYOUT_CACHE", str(tmp_path / "cache"))
    tenants = [{"name": "payments", "namespaces": [at.namespace]}]
    environments, clusters = [{"name": "qa"}], [{"name": "one", "environments": ["qa"], "context": CONTEXT}]
    platform = tmp_path / "platform"
    _write(
        platform,
        data(
            "builtin",
            layout="platform",
            environments=environments,
            clusters=clusters,
            tenants=tenants,
            apps=[{"name": "pay", "tenant": "payments"}],
        ),
    )
    _committed(platform)
    given = ("--layout", "tenant", "--platform", "platform", "--tenant", "payments")
    made = _run(tmp_path, "init", "own", *given, "--set", "apps=[{name: ledger}]")
    assert made.returncode == 0, made.stderr
    _committed(tmp_path / "own")

    first = _run(tmp_path, "reconcile", "platform", "--env", "qa", "--no-wait", "--exit-code")
    assert first.returncode == 1, first.stdout + first.stderr
    tenant = ("reconcile", "--git", str(tmp_path / "own"), "--ref", "main", "--env", "qa", "--no-wait")
    second = _run(tmp_path, *tenant, "--context", CONTEXT, "--exit-code")
    assert second.returncode == 1, second.stdout + second.stderr
    for name in ("pay", "ledger"):
        assert at.get("apps/v1", "Deployment", name, at.namespace) is not None, name
    again = [
        _run(tmp_path, "reconcile", "platform", "--env", "qa", "--no-wait", "--exit-code"),
        _run(tmp_path, *tenant, "--context", CONTEXT, "--exit-code"),
    ]
    assert [run.returncode for run in again] == [0, 0], [run.stdout + run.stderr for run in again]
