"""Start-up is a feature: each path through the tool imports what it needs and no more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HEAVY = {
    "cel_expr_python", "copier", "httpx2", "jinja2", "jsonschema", "jsonschema_rs", "lightkube", "pydantic", "rich", "ruamel", "yaml",
}  # fmt: skip

PROBE = """
import json, sys
sys.argv = ["gitops-layout", *sys.argv[1:]]
from gitops_layout.cli import _run
code = _run()
print(json.dumps({"code": code, "modules": sorted({name.split(".")[0] for name in sys.modules})}), file=sys.stderr)
"""


def imported(folder: Path, *arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=180,
    )
    result = json.loads(done.stderr.splitlines()[-1])
    assert result["code"] == 0, done.stdout + done.stderr
    return HEAVY & set(result["modules"])


def test_help_imports_nothing_heavy(tmp_path: Path):
    assert imported(tmp_path, "--help") == set()


def test_linting_one_plain_file_without_config_imports_cel_and_the_schema_engine_only(tmp_path: Path):
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: x}\n")
    assert imported(tmp_path, "lint", "a.yaml") <= {"cel_expr_python", "jsonschema_rs"}


def test_linting_one_file_imports_no_builder_and_no_template_engine(tmp_path: Path):
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: x}\n")
    probe = PROBE.replace('name.split(".")[0] for', "name for")
    command = [sys.executable, "-c", probe, "lint", "a.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=180)
    names = set(json.loads(done.stderr.splitlines()[-1])["modules"])
    waiting = (
        "agents.applicationset",
        "agents.gotemplate",
        "helm",
        "kustomize.fast",
        "fetch",
        "scaffold",
        "reconcile",
    )
    assert {name for name in waiting if f"gitops_layout.{name}" in names} == set()


def test_rendering_imports_the_reader_only(tmp_path: Path):
    (tmp_path / "kustomization.yaml").write_text("resources: [a.yaml]\n")
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    assert imported(tmp_path, "render", ".") == {"yaml"}


def test_a_lint_that_was_asked_before_imports_nothing_heavy(tmp_path: Path, monkeypatch):
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: x}\n")
    monkeypatch.setenv("GITOPS_LAYOUT_NO_CACHE", "")
    monkeypatch.setenv("GITOPS_LAYOUT_CACHE", str(tmp_path / "cache"))
    assert imported(folder, "lint", ".") != set()
    assert imported(folder, "lint", ".") == set()
