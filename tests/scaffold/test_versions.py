"""What the templates pin stands in one file, and is compared with what a repository uses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import yaml

from gitops_layout import __version__, bundle
from gitops_layout.scaffold.render import render
from gitops_layout.spec import parse
from gitops_layout.spec.versions import pins
from tests.scaffold.specs import data


def test_the_tools_own_pin_and_copiers_defaults_are_those_of_the_file() -> None:
    known = pins()
    assert known.versions["gitops-layout"] == __version__
    default = yaml.safe_load((bundle.root() / "copier.yml").read_text())["agent_version"]["default"]
    assert all(f"'{known.versions[name]}'" in default for name in ("flux", "argocd"))


def test_versions_says_what_is_older_here(tmp_path: Path) -> None:
    body = data("flux")
    body["spec"]["agent"] = {"name": "flux", "version": "2.8.0"}
    for path, file in render(parse(body)).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(file.content)
    workflow = tmp_path / ".github/workflows/gitops.yaml"
    commit, version = pins().actions["actions/cache"]
    workflow.write_text(workflow.read_text().replace(f"{commit} # {version}", f"{'a' * 40} # v4.0.0"))
    command = [sys.executable, "-m", "gitops_layout", "versions", "--format", "json", "--exit-code"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    rows = json.loads(done.stdout)["versions"]
    assert done.returncode == 1
    assert {(row["name"], row["here"]) for row in rows if row["older"]} == {
        ("flux", "2.8.0"),
        ("actions/cache", "v4.0.0"),
    }
    used = {row["name"] for row in rows if row["here"]}
    assert {"gitops-layout", "flux-operator", "actions/checkout"} <= used
    fresh = subprocess.run(command[:4], cwd=tmp_path.parent, capture_output=True, text=True, check=False)
    assert (fresh.returncode, "looked up on" in fresh.stdout) == (0, True)


def test_versions_finds_what_gitlabs_gate_installs(tmp_path: Path) -> None:
    body = data("flux")
    body["spec"].setdefault("features", {})["ci"] = "gitlab"
    for path, file in render(parse(body)).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(file.content)
    gate = tmp_path / ".gitlab-ci.yml"
    gate.write_text(gate.read_text().replace(f"kind@v{pins().versions['kind']}", "kind@v0.20.0"))
    command = [sys.executable, "-m", "gitops_layout", "versions", "--format", "json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    older = {row["name"]: row["here"] for row in json.loads(done.stdout)["versions"] if row["older"]}
    assert older == {"kind": "0.20.0"}
