"""`lint --fix` and `lint --diff` as a user meets them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.test_lint import run

POD = """\
# kept
apiVersion: v1
kind: Pod
metadata:
  name: web # the shop
  uid: 7d9f   # exported
  creationTimestamp: "2026-01-01T00:00:00Z"
spec: {containers: [{name: web, image: "ghcr.io/acme/web:1.0.0"}]}
status: {phase: Running}
"""
APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web, namespace: argocd}
spec:
  project: default
  source: {repoURL: "https://git.example.org/acme/web", path: web}
  destination: {namespace: web, server: "https://kubernetes.default.svc"}
  syncPolicy:
    automated: {} # on its own
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


def test_safe_fixes_are_made_and_unsafe_ones_only_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "app.yaml").write_text(APPLICATION)
    web = tmp_path / "web/pod.yaml"
    web.parent.mkdir()
    web.write_text(POD)
    run(monkeypatch, "lint", "--select", "D005,R001", "--fix", "--dry-run")
    said = capsys.readouterr().out
    assert "-  uid: 7d9f   # exported" in said
    assert "3 would be mended in 1 file" in said
    assert web.read_text() == POD
    assert run(monkeypatch, "lint", "--select", "D005,R001", "--fix", "--fail-on", "warning") == 1
    assert "--unsafe mends 1 more" in capsys.readouterr().out
    assert web.read_text() == (
        "# kept\napiVersion: v1\nkind: Pod\nmetadata:\n  name: web # the shop\n"
        'spec: {containers: [{name: web, image: "ghcr.io/acme/web:1.0.0"}]}\n'
    )
    assert run(monkeypatch, "lint", "--select", "D005,R001", "--fix", "--unsafe", "--fail-on", "warning") == 0
    assert "automated: {selfHeal: true} # on its own" in (tmp_path / "app.yaml").read_text()
    before = (tmp_path / "app.yaml").read_bytes()
    assert run(monkeypatch, "lint", "--select", "D005,R001", "--fix", "--unsafe") == 0
    assert capsys.readouterr().out.endswith("0 mended in 0 files, 0 left\n")
    assert (tmp_path / "app.yaml").read_bytes() == before


def test_what_a_fix_cannot_reach_in_the_text_is_left_to_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = POD.replace("metadata:\n", "metadata: &m\n") + "extra: *m\n"  # removing here would remove there
    (tmp_path / "pod.yaml").write_text(shared)
    run(monkeypatch, "lint", "--select", "D005", "--fix")
    assert "1 mended in 1 file, 2 left" in capsys.readouterr().out
    assert (tmp_path / "pod.yaml").read_text() == shared.replace("status: {phase: Running}\n", "")


def test_an_edit_that_breaks_another_file_is_refused_and_the_others_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    job = "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: web}\n"
    (tmp_path / "base").mkdir()
    (tmp_path / "base/budget.yaml").write_text(f"{job}spec: {{selector: {{matchLabels: {{app: web}}}}}}\n")
    (tmp_path / "base/kustomization.yaml").write_text("resources: [budget.yaml]\n")
    (tmp_path / "prod").mkdir()
    (tmp_path / "prod/patch.yaml").write_text(
        f"{job}spec: {{minAvailable: 1}}\n"
    )  # names the old version, too
    (tmp_path / "prod/kustomization.yaml").write_text("resources: [../base]\npatches: [{path: patch.yaml}]\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/pod.yaml").write_text(POD)
    (tmp_path / "other/kustomization.yaml").write_text("resources: [pod.yaml]\n")
    run(monkeypatch, "lint", "--select", "M005,K016,D005", "--fix")
    said = capsys.readouterr().out
    assert "base/budget.yaml: left as it is: the edits would bring a new finding" in said
    assert "uid" not in (tmp_path / "other/pod.yaml").read_text()
    assert (tmp_path / "base/budget.yaml").read_text().startswith("apiVersion: policy/v1beta1")


def test_a_diff_reports_what_is_new_and_what_the_change_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def git(*arguments: str) -> None:
        who = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True)

    source = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: here, namespace: flux-system}\n"
    agent = (
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: web, namespace: flux-system}\n"
        "spec: {interval: 10m, path: ./web, prune: true, sourceRef: {kind: GitRepository, name: here}}\n"
    )
    (tmp_path / "agents.yaml").write_text(
        f"{source}spec: {{interval: 1m, url: 'https://git.example.org/acme/here'}}\n---\n{agent}"
    )
    (tmp_path / "web").mkdir()
    (tmp_path / "web/old.yaml").write_text(POD.replace("1.0.0", "latest"))
    (tmp_path / "web/namespace.yaml").write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "one")
    assert run(monkeypatch, "lint", "--diff", "HEAD", "--fail-on", "warning") == 0
    capsys.readouterr()
    (tmp_path / "web/namespace.yaml").unlink()
    (tmp_path / "web/new.yaml").write_text(
        POD.replace("name: web # the shop", "name: new").replace("1.0.0", "latest")
    )
    assert run(monkeypatch, "lint", "--diff", "HEAD", "--fail-on", "warning", "--format", "json") == 1
    found = json.loads(capsys.readouterr().out)["findings"]
    assert {finding["file"] for finding in found if finding["rule"] == "V001"} == {"web/new.yaml"}
    [removed] = (finding for finding in found if finding["rule"] == "R021")
    assert (removed["object"], removed["file"]) == ("v1/Namespace//shop", "agents.yaml")


def test_of_two_lists_in_a_kustomization_neither_is_thrown_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    twice = "resources: [a.yaml]\nresources: [b.yaml]\n"
    (tmp_path / "kustomization.yaml").write_text(twice)
    (tmp_path / "a.yaml").write_text(POD)
    (tmp_path / "b.yaml").write_text(POD.replace("name: web", "name: api"))

    assert run(monkeypatch, "lint", "--select", "D002", "--fix", "--unsafe") in (1, 3)
    assert capsys.readouterr().out.endswith("0 mended in 0 files, 1 left\n")
    assert (tmp_path / "kustomization.yaml").read_text() == twice
