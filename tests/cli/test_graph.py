"""`graph` as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_lint import run


@pytest.mark.parametrize(
    "arguments", [(), ("--format", "json"), ("--format", "mermaid"), ("--format", "dot"), ("--files",)]
)
def test_what_is_broken_ends_every_form_alike(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kustomization.yaml").write_text("resources: [gone.yaml]\n")
    assert run(monkeypatch, "graph", *arguments) == 3
    (tmp_path / "gone.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    assert run(monkeypatch, "graph", *arguments) == 0


def test_explain_takes_a_path_and_names_and_nothing_else_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "kustomization.yaml").write_text("resources: [a.yaml]\n")
    (tmp_path / "web" / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    assert run(monkeypatch, "graph", "--explain", str(tmp_path), "web") == 0
    assert capsys.readouterr().out.startswith("kustomize:Kustomization//web@\n  live ")
    assert run(monkeypatch, "graph", "--explain", "nothing") == 2
    assert run(monkeypatch, "graph", ".", "web") == 2
    assert run(monkeypatch, "graph", "--explain", ".", "web", "--format", "json") == 2


@pytest.mark.parametrize(
    "arguments",
    [(), ("--explain",), ("--format", "json"), ("--format", "mermaid"), ("--format", "dot"), ("--files",)],
)
def test_no_form_shows_the_password_of_a_url(
    arguments: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    urls = (
        "https://me:hidden@example.org/x.git",
        "https://hidden@[::1]:8443/y.git",
        "ssh://git:hid@hidden@example.org/z",
    )
    sources = (
        f"source: {{repoURL: '{url}', path: q}}, destination: {{namespace: b, name: in-cluster}}"
        for url in urls
    )
    for number, source in enumerate(sources):
        (tmp_path / f"{number}.yaml").write_text(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
            f"metadata: {{name: a{number}, namespace: argocd}}\nspec: {{project: default, {source}}}\n"
        )
    assert run(monkeypatch, "graph", *arguments) == 0
    out = capsys.readouterr().out
    assert "hid" not in out
    if arguments in ((), ("--format", "json")):
        assert all(
            url in out
            for url in ("https://example.org/x.git", "https://[::1]:8443/y", "ssh://git@example.org/z")
        )


def test_what_the_config_declares_to_lie_outside_is_not_listed_as_unseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: Bucket\nmetadata: {name: b, namespace: flux-system}\n"
        "spec: {interval: 5m, endpoint: minio.example.org, bucketName: apps}\n---\n"
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: b, namespace: flux-system}\n"
        "spec: {interval: 5m, prune: true, path: ./x, sourceRef: {kind: Bucket, name: b}}\n"
    )
    assert run(monkeypatch, "graph") == 0
    assert "not seen: 1" in capsys.readouterr().out
    (tmp_path / ".gitops-layout.yaml").write_text(
        "external: [{source: '*minio.example.org*', reason: big}]\n"
    )
    assert run(monkeypatch, "graph") == 0
    out = capsys.readouterr().out
    assert "not seen: " not in out
    assert "as the config declares: 1" in out
