"""The first answer to a repository that nobody configured: short, true, and with the next command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_lint import run

POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: web-{number}}}
spec: {{containers: [{{name: web, image: "ghcr.io/acme/web-{number}:latest"}}]}}
"""


@pytest.fixture(autouse=True)
def _many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    for number in range(40):
        (tmp_path / f"pod-{number}.yaml").write_text(POD.format(number=number))
    (tmp_path / "bad.yaml").write_text("a: [\n")
    (tmp_path / "kustomization.yaml").write_text("resources: [https://github.com/acme/base//x?ref=v1.0.0]\n")


def test_many_findings_without_a_configuration_become_a_first_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "lint")
    said = capsys.readouterr().out
    assert said.count("\n") <= 30
    assert "V001    40 x image-mutable-tag" in said
    assert "1 remote base that was not fetched: gitops-layout fetch" in said
    assert "1 broken, such as bad.yaml:" in said
    for command in ("lint --full", "explain", "fetch", "lint --init", "lint --write-baseline"):
        assert f"  gitops-layout {command}" in said


def test_asking_for_anything_in_particular_gives_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["--full"], ["--select", "V001"], ["pod-1.yaml"], ["--verbose"]):
        run(monkeypatch, "lint", *arguments)
        assert "Next" not in capsys.readouterr().out, arguments
    (tmp_path / ".gitops-layout.yaml").write_text("profile: recommended\n")
    run(monkeypatch, "lint")
    assert capsys.readouterr().out.count("V001") == 40


def test_a_baseline_accepts_today_and_still_fails_on_what_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.yaml").unlink()
    assert run(monkeypatch, "lint", "--write-baseline") == 0
    assert run(monkeypatch, "lint", "--fail-on", "warning") == 0
    (tmp_path / "new.yaml").write_text(POD.format(number=99))
    assert run(monkeypatch, "lint", "--fail-on", "warning") == 1
    assert "web-99:latest" in capsys.readouterr().out


def test_a_chart_that_fetch_cannot_bring_is_not_said_to_be_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.yaml").unlink()
    (tmp_path / "kustomization.yaml").unlink()
    (tmp_path / "release.yaml").write_text(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: shop}\n"
        "spec:\n  interval: 1h\n  chart: {spec: {chart: web, sourceRef: {kind: HelmRepository, name: gone}}}\n"
    )
    run(monkeypatch, "lint")
    said = capsys.readouterr().out
    assert "  1 chart: no file defines HelmRepository shop/gone\n" in said
    assert "gitops-layout fetch" not in said


def test_what_many_lack_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(12):
        (tmp_path / f"site-{number}").mkdir()
        (tmp_path / f"site-{number}/sync.yaml").write_text(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
            f"metadata: {{name: apps, namespace: flux-system}}\nspec:\n  interval: 10m\n  path: ./site-{number}/apps\n"
            "  prune: true\n  sourceRef: {kind: GitRepository, name: flux-system}\n"
            "  postBuild: {substituteFrom: [{kind: ConfigMap, name: settings}]}\n"
        )
        (tmp_path / f"site-{number}/apps").mkdir()
        (tmp_path / f"site-{number}/apps/pod.yaml").write_text(
            POD.format(number=number).replace("{name: web-", '{labels: {a: "${A}"}, name: web-', 1)
        )
    run(monkeypatch, "lint")
    said = capsys.readouterr().out
    assert "  12 others, such as variables of ConfigMap flux-system/settings: " in said
    assert said.count("variables of ConfigMap") == 1


def test_an_applicationset_that_cannot_be_expanded_is_no_kind_without_a_schema(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pods").mkdir()
    for pod in tmp_path.glob("pod-*.yaml"):
        pod.rename(tmp_path / "pods" / pod.name)
    (tmp_path / "pods.yaml").write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: pods, namespace: argocd}\n"
        "spec:\n  project: shop\n  destination: {name: in-cluster, namespace: web}\n"
        "  source: {repoURL: 'https://git.example.org/acme/fleet', path: pods, targetRevision: HEAD}\n"
    )
    (tmp_path / "apps.yaml").write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: apps, namespace: argocd}\n"
        "spec:\n  generators: [{plugin: {configMapRef: {name: inputs}}}]\n"
        "  template: {metadata: {name: 'web'}, spec: {project: shop, destination: {name: in-cluster}}}\n"
    )
    run(monkeypatch, "lint")
    said = capsys.readouterr().out
    assert "ApplicationSet argocd/apps: plugin needs the network" in said
    assert "without a schema" not in said


_SYNC = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: apps-{number}, namespace: flux-system}}
spec:
  interval: 10m
  path: ./apps
  prune: true
  sourceRef: {{kind: GitRepository, name: flux-system}}
  postBuild: {{substituteFrom: [{{kind: ConfigMap, name: settings-{number}}}]}}
"""
_MISTAKES = (
    ("prune: true", "prune: false"),
    ("prune: true", "prune: true\n  suspend: true"),
    ("prune: true", "prune: true\n  pruned: true"),
    ("prune: true", "prune: true\n  timeout: 5"),
    ("prune: true", "prune: true\n  dependsOn: [{name: gone}]"),
    (
        "prune: true",
        "prune: true\n  healthChecks: [{apiVersion: batch/v1, kind: Pod, name: a, namespace: b}]",
    ),
    ("name: flux-system}\n  postBuild", "name: gone}\n  postBuild"),
    ("./apps", "./gone"),
)


def test_what_was_not_seen_gets_the_lines_that_the_rest_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, (right, wrong) in enumerate(_MISTAKES):
        (tmp_path / f"sync-{number}.yaml").write_text(_SYNC.format(number=number).replace(right, wrong))
    for name in ("a", "b", "c"):
        (tmp_path / f"release-{name}.yaml").write_text(
            f"apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: {name}, namespace: shop}}\n"
            f"spec:\n  interval: 1h\n  chart: {{spec: {{chart: web, sourceRef: {{kind: HelmRepository, name: {name}}}}}}}\n"
        )
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps/pod.yaml").write_text(POD.format(number="${A}"))
    (tmp_path / "apps/secret.yaml").write_text(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: login}\nstringData: {password: hunter2hunter2}\n"
    )
    run(monkeypatch, "lint")
    said = capsys.readouterr().out
    assert " more rules\n" in said
    assert said.count("\n") <= 32, said
    assert "  3 charts whose sources no file defines, such as HelmRepository shop/a\n" in said
    assert " more: gitops-layout lint --full\n" in said
