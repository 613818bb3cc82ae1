"""No output of any verb shows the password of a URL: what a repository says in one place stands in many texts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.test_lint import run

_FLUX = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: other, namespace: flux-system}
spec: {interval: 5m, url: "http://me:hidden@127.0.0.1:9/other.git", ref: {branch: main}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: charts, namespace: flux-system}
spec: {interval: 5m, url: "http://hidden@127.0.0.1:9/charts"}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec: {interval: 5m, prune: true, path: ./apps, sourceRef: {kind: GitRepository, name: other}}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: web, namespace: flux-system}
spec: {interval: 5m, chart: {spec: {chart: web, version: 1.0.0, sourceRef: {kind: HelmRepository, name: charts}}}}
"""
_ARGO = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: %s, namespace: argocd}
spec: {project: default, destination: {namespace: b, name: in-cluster}, source: %s}
"""
_SET = """\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: made, namespace: argocd}
spec:
  generators: [{git: {repoURL: "http://me:hidden@127.0.0.1:9/set.git", revision: HEAD, directories: [{path: "*"}]}}]
  template:
    metadata: {name: "{{path.basename}}"}
    spec: {project: default, source: {repoURL: "http://me:hidden@127.0.0.1:9/s.git", path: "{{path}}"}, destination: {name: a}}
"""
_FILES = {
    "flux.yaml": _FLUX,
    "argo.yaml": _ARGO
    % ("plain", "{repoURL: 'http://me:hidden@127.0.0.1:9/x.git', path: q, targetRevision: v1}"),
    "chart.yaml": _ARGO
    % ("chart", "{repoURL: 'http://hidden@127.0.0.1:9/c', chart: web, targetRevision: 1.x}"),
    "ssh.yaml": _ARGO % ("ssh", "{repoURL: 'ssh://git:hid@hidden@127.0.0.1:9/z', path: q}"),
    "own.yaml": _ARGO % ("own", "{repoURL: 'https://me:hidden@example.org/own.git', path: based}"),
    "set.yaml": _SET,
    "based/kustomization.yaml": "resources: ['http://me:hidden@127.0.0.1:9/base.git//a?ref=main']\n"
    "helmCharts: [{name: web, version: 1.0.0, repo: 'http://me:hidden@127.0.0.1:9/charts'}]\n",
    "local/Chart.yaml": "apiVersion: v2\nname: local\nversion: 1.0.0\n"
    "dependencies: [{name: web, version: 1.x, repository: 'http://me:hidden@127.0.0.1:9/charts'}]\n",
    "localapp.yaml": _ARGO % ("local", "{repoURL: 'https://me:hidden@example.org/own.git', path: local}"),
}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose every URL has a password, in two commits that differ in one of them."""
    monkeypatch.setenv("GITOPS_LAYOUT_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "repository"
    for name, text in _FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for words in (
        ("init", "-q"),
        ("remote", "add", "origin", "https://ci:hidden@example.org/own.git"),
        ("add", "."),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first"),
    ):
        subprocess.run(["git", *words], cwd=root, check=True)
    apps = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\ndata: {at: 'amqp://me:hid%s@mq'}\n"
    (root / "based/kustomization.yaml").write_text("resources: [a.yaml]\n")
    (root / "based/a.yaml").write_text(apps % "one")
    monkeypatch.chdir(root)
    return root


@pytest.mark.parametrize(
    "arguments",
    [
        "lint -v --full",
        "lint --format json",
        "lint --format sarif",
        "lint --format github",
        "lint --format gitlab",
        "lint --score",
        "lint --fix --dry-run --unsafe",
        "lint --write-baseline",
        "lint --diff HEAD",
        "graph --explain",
        "graph --format json",
        "graph --format mermaid",
        "graph --format dot",
        "graph --files",
        "diff",
        "diff --format json --effects",
        "fetch --timeout 20",
        "fetch --format json --timeout 20",
        "fetch --check --timeout 20",
        "render --all --explain",
    ],
)
def test_nothing_that_is_printed_or_written_shows_it(
    arguments: str, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path for path in repository.rglob("*") if path.is_file()}
    assert run(monkeypatch, *arguments.split()) in (0, 1, 3)
    said = capsys.readouterr()
    assert said.out + said.err
    shown = said.out if not arguments.startswith("render") else ""  # objects are printed as they are applied
    assert "hid" not in shown + said.err
    new = [path for path in repository.rglob("*") if path.is_file() and path not in before]
    assert all(b"hid" not in path.read_bytes() for path in new)


def test_the_first_config_names_sources_without_it(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "lint", "--init") == 0
    text = (repository / ".gitops-layout.yaml").read_text()
    assert "https://example.org/own.git" in text
    assert "hid" not in text + capsys.readouterr().out
