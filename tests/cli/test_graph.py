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
