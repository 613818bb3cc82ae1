"""Real implementations that our own are compared with, compiled from pinned Go modules into the user's cache.

`python -m tools.oracles build` makes them; the tests that need one skip, and name this command, without it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from gitops_layout.errors import UserError
from gitops_layout.system import cache_dir

__all__ = ["ALL", "BUILD", "build", "oracle"]

ALL = ("gotemplate",)
BUILD = "python -m tools.oracles build"

_HERE = Path(__file__).parent
_INPUTS = ("go.mod", "go.sum", "main.go")


def oracle(name: str) -> Path | None:
    """The compiled oracle of these very sources; None before `build`."""
    path = _target(name)
    return path if path.is_file() else None


def build(report: Callable[[str], None]) -> None:
    """Compile what is missing; `report` gets one line a program. Raises UserError without Go or on failure.

    Needs a network unless Go's caches are warm; about a minute on two cores.
    """
    for name in ALL:
        target = _target(name)
        if target.is_file():
            report(f"{name}: up to date at {target}")
            continue
        go = shutil.which("go")
        if go is None:
            raise UserError("go is not installed", "install Go 1.26 or newer and put it on PATH")
        report(f"{name}: compiling …")
        unfinished = target.with_name(f".{target.name}.{os.getpid()}")
        flags = ["-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", str(unfinished)]
        environment = os.environ | {"GOFLAGS": "-mod=readonly", "CGO_ENABLED": "0", "GOWORK": "off"}
        done = subprocess.run([go, "build", *flags, "."], cwd=_HERE / name, env=environment, check=False)
        if done.returncode:
            raise UserError(f"go build of the oracle {name} failed", "its own output is above", exit_code=3)
        unfinished.rename(target)
        report(f"{name}: built at {target}")


def _target(name: str) -> Path:
    digest = hashlib.sha256()
    for part in _INPUTS:
        digest.update((_HERE / name / part).read_bytes())
    return cache_dir("oracles") / f"{name}-{digest.hexdigest()[:16]}"
