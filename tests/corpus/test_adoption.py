"""Every repository of the corpus can begin today: a short first answer, a baseline, and then only what is new fails."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.cli.test_lint import run

CORPUS = os.environ.get("GITOPS_LAYOUT_CORPUS")
FOLDERS = sorted(path for path in Path(CORPUS).iterdir() if path.is_dir()) if CORPUS else []
_MOST = 40
PLANTED = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: planted, namespace: argocd}
spec:
  project: default
  source: {repoURL: "https://git.example.org/acme/planted", path: planted, targetRevision: v1.0.0}
  syncPolicy: {syncOptions: [CreateNamespaces=true]}
  destination: {namespace: planted, server: "https://kubernetes.default.svc"}
"""
"""An option that Argo CD passes over. Every agent's object that nothing brings is a root, so this is live anywhere."""


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS, reason="GITOPS_LAYOUT_CORPUS names no folder of repositories")
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_what_is_there_is_accepted_and_a_new_error_fails(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = tmp_path / "copy"
    shutil.copytree(folder, here, symlinks=True)
    monkeypatch.chdir(here)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)

    first = run(monkeypatch, "lint")
    assert first in (0, 1, 3)
    assert len(capsys.readouterr().out.splitlines()) <= _MOST
    assert run(monkeypatch, "lint", "--write-baseline") == 0
    assert run(monkeypatch, "lint") == 0, capsys.readouterr().out
    (here / "planted.yaml").write_text(PLANTED)
    capsys.readouterr()
    assert run(monkeypatch, "lint") == 1
    assert "planted.yaml:7" in capsys.readouterr().out
