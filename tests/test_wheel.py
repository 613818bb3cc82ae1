"""What ships: the built wheel, installed into an empty environment with the source tree out of reach."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str | Path, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))
    }
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment | env,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    done = run(sys.executable, "-m", "build", "--outdir", out, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    assert list(out.glob("*.tar.gz"))
    return built


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    venv = tmp_path_factory.mktemp("venv")
    assert run(sys.executable, "-m", "venv", venv, cwd=venv).returncode == 0
    done = run(venv / "bin/pip", "install", "--quiet", "--disable-pip-version-check", wheel, cwd=venv)
    assert done.returncode == 0, done.stderr
    return venv / "bin/gitops-layout"


def test_the_wheel_holds_every_template_and_rule_that_git_has_and_nothing_else(wheel: Path):
    listed = run("git", "ls-files", "-z", "templates", "rules", "copier.yml", cwd=ROOT).stdout.split("\0")
    with zipfile.ZipFile(wheel) as archive:
        bundled = {
            name.removeprefix("gitops_layout/_bundle/") for name in archive.namelist() if "/_bundle/" in name
        }
    assert bundled == {name for name in listed if name}


def test_the_installed_tool_creates_lints_and_renders_a_repository(program: Path, tmp_path: Path):
    repository = tmp_path / "fleet"
    created = run(program, "init", repository, "--defaults", "--agent", "flux", cwd=tmp_path)
    assert created.returncode == 0, created.stdout + created.stderr
    added = run(program, "add", "app", "web", cwd=repository)
    assert added.returncode == 0, added.stdout + added.stderr
    linted = run(program, "lint", cwd=repository)
    assert linted.returncode == 0, linted.stdout + linted.stderr
    rendered = run(program, "render", "--env", "prod", cwd=repository)
    assert rendered.returncode == 0, rendered.stderr
    assert "kind: Deployment" in rendered.stdout


def test_the_installed_tool_explains_its_rules(program: Path, tmp_path: Path):
    done = run(program, "explain", "V001", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "image-mutable-tag" in done.stdout


def test_the_installed_tool_runs_as_a_module(program: Path, tmp_path: Path):
    done = run(program.with_name("python"), "-m", "gitops_layout", "--version", cwd=tmp_path)
    assert done.stdout.startswith("gitops-layout, version ")
