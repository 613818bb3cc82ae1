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
