"""A habit of a repository is told once, and is still each of its findings where one of them is meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_lint import run

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: {name}, namespace: argocd}}
spec:
  project: default
  source: {{repoURL: "https://git.example.org/acme/web", path: {name}, targetRevision: main}}
  destination: {{namespace: web, server: "https://kubernetes.default.svc"}}
"""


def test_five_findings_of_one_cause_are_told_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)

    def said(*arguments: str) -> str:
        run(monkeypatch, "lint", "--select", "A008", *arguments)
        return capsys.readouterr().out

    names = [f"app-{letter}" for letter in "abcde"]
    for name in names[:-1]:
        (tmp_path / f"{name}.yaml").write_text(APPLICATION.format(name=name))
    assert said().count("A008") == 4
    (tmp_path / f"{names[-1]}.yaml").write_text(APPLICATION.format(name=names[-1]))
    text = said()
    assert text.count("A008") == 1
    assert "; 4 more like it in 5 files" in text
    assert "also: app-b.yaml:5, app-c.yaml:5, app-d.yaml:5 and 1 more" in text
    [told] = json.loads(said("--format", "json"))["findings"]
    assert [place["file"] for place in told["also"]] == [f"{name}.yaml" for name in names[1:]]
    assert len(told["affected"]) == 5
    assert said("--format", "github").count("::warning") == 5  # each beside its own line

    assert "5 findings" in said("--write-baseline")
    (tmp_path / "app-f.yaml").write_text(APPLICATION.format(name="app-f"))
    [new] = json.loads(said("--format", "json"))["findings"]
    assert (new["file"], new["also"]) == ("app-f.yaml", [])


def test_the_keys_of_one_secret_are_told_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    keys = "".join(f"  {name}: correct-horse-battery-{name}\n" for name in ("password", "token"))
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {{name: {}, namespace: shop}}\nstringData:\n" + keys
    for name in ("database", "queue"):
        (tmp_path / f"{name}.yaml").write_text(secret.format(name))
    run(monkeypatch, "lint", "--select", "S001", "--format", "json")
    told = json.loads(capsys.readouterr().out)["findings"]
    assert [(each["file"], each["line"]) for each in told] == [("database.yaml", 5), ("queue.yaml", 5)]
    assert [place["line"] for place in told[0]["also"]] == [6]
    assert told[0]["message"] == "Secret database holds `password` in clear text; 1 more like it in this file"


def test_of_the_keys_of_a_secret_the_one_like_a_credential_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: storage, namespace: shop}\nstringData:\n"
    (tmp_path / "a.yaml").write_text(
        f"{secret}  remote: qT7-vb2Kx9-Lm4w\n  clientSecret: correct-horse-battery\n"
    )
    run(monkeypatch, "lint", "--select", "S001", "--format", "json")
    [told] = json.loads(capsys.readouterr().out)["findings"]
    assert (told["line"], [place["line"] for place in told["also"]]) == (6, [5])
    assert "`clientSecret`" in told["message"]
