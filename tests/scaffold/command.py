"""The command line as a user runs it, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What `gitops-layout ARGUMENTS` says and answers in the folder `root`."""
    return subprocess.run(
        [sys.executable, "-m", "gitops_layout", *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        stdin=subprocess.DEVNULL,
    )
