"""The control plane that other tests stand on: where it is looked for, and that it never outlives us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gitops_layout.errors import UserError
from tools.controlplane import assets
from tools.controlplane.build import REQUIRED, _target


def test_a_wrong_assets_folder_is_an_error_and_not_a_reason_to_skip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))

    with pytest.raises(UserError, match="has no etcd and no kube-apiserver"):
        assets()


def test_a_half_finished_build_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("GITOPS_LAYOUT_CACHE", str(tmp_path))
    unfinished = _target().with_name(f"{_target().name}.partial")
    unfinished.mkdir()
    for name in REQUIRED:
        (unfinished / name).touch(mode=0o755)

    assert assets() is None


@pytest.mark.controlplane
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
@pytest.mark.usefixtures("cluster")  # skips where there is nothing to start
def test_its_processes_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    script = "import os, sys; from pathlib import Path; from tools.controlplane import start\n"
    script += "plane = start(Path(sys.argv[1]), controllers=False); os.kill(os.getpid(), 9)"
    root = Path(__file__).parents[1]

    killed = subprocess.run([sys.executable, "-c", script, tmp_path], cwd=root, check=False, timeout=180)

    assert killed.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 60
    while running := [entry for entry in Path("/proc").glob("[0-9]*/cmdline") if _mentions(entry, tmp_path)]:
        assert time.monotonic() < deadline, running
        time.sleep(0.05)


def _mentions(entry: Path, folder: Path) -> bool:
    try:
        return os.fsencode(folder) in entry.read_bytes()
    except OSError:  # it ended while we looked
        return False
