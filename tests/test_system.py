"""What we start ends with us, however we end, and with what we are told to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

STARTS = """
import signal, sys
from gitops_layout.system import in_parallel, run
signal.signal(signal.SIGINT, signal.default_int_handler)  # which shells have what they run behind them ignore
def work(mark):
    return run(["/bin/sh", "-c", "read _; echo $$ > " + mark + "; sleep 600 & wait"], stdin=b"go\\n", timeout=600)
in_parallel(work, sys.argv[1:])
"""
PATIENCE = 60.0
"""Seconds in which something must have happened; it takes milliseconds."""


def until(true: object, what: str) -> None:
    """Wait until a function says so."""
    assert callable(true)
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def runs(group: int) -> bool:
    """Whether a process of a group lives that is no mere entry of a dead one."""
    found = subprocess.run(["ps", "-eo", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
    return any(
        int(line.split()[0]) == group and not line.split()[1].startswith("Z") for line in found.splitlines()
    )


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_what_a_process_has_started_ends_with_it(sign, tmp_path: Path):
    mark = tmp_path / "started"
    command = [sys.executable, "-c", STARTS, str(mark)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as ours:
        try:
            until(lambda: mark.exists() and mark.read_text().strip(), "nothing started")
            group = int(mark.read_text())
            assert runs(group)
            os.kill(ours.pid, sign)
            assert ours.wait(PATIENCE) != 0
            until(lambda: not runs(group), "it goes on without us")
        finally:
            ours.kill()


def test_what_has_ended_is_forgotten_and_nothing_waits_for_the_watch():
    text = "from gitops_layout.system import run\nfor _ in range(3): print(run(['/bin/echo', 'x']).stdout)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0
    assert done.stdout.splitlines() == ["b'x\\n'"] * 3
    assert done.stderr == ""
