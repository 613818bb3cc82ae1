from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fetch.support import Git, Registry, Server, free_port, process, serving


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache and a home of the test's own: nobody's credentials take part."""
    home = tmp_path / "home"
    home.mkdir()
    for name in (
        "XDG_CONFIG_HOME",
        "HELM_CONFIG_HOME",
        "HELM_REGISTRY_CONFIG",
        "HELM_REPOSITORY_CONFIG",
        "DOCKER_CONFIG",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GITOPS_LAYOUT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty repository; not a working git one, so files are found by walking."""
    folder = tmp_path / "repo"
    (folder / ".git").mkdir(parents=True)
    return folder


@pytest.fixture
def charts() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture(scope="session")
def registry_program() -> str:
    """The registry of Debian's package, or why there is none."""
    found = shutil.which("docker-registry")
    if found is None:
        reason = "no docker-registry: `apt-get install docker-registry` brings it"
        if "registry" in os.environ.get("GITOPS_LAYOUT_REQUIRE", "").split(","):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return found


@pytest.fixture
def registry(registry_program: str, tmp_path: Path) -> Iterator[Registry]:
    port = free_port()
    config = tmp_path / "registry.yml"
    config.write_text(
        "version: 0.1\nlog: {level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {tmp_path}/registry}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    with process([registry_program, "serve", str(config)], port):
        yield Registry(f"127.0.0.1:{port}")


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Git]:
    """A git repository behind `git daemon`."""
    port, base = free_port(), tmp_path / "served"
    repository = Git(base / "platform", f"git://127.0.0.1:{port}/platform")
    command = ["git", "daemon", "--export-all", "--reuseaddr", "--listen=127.0.0.1"]
    with process([*command, f"--port={port}", f"--base-path={base}"], port):
        yield repository
