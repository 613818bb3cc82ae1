"""Which helm renders charts: the one on PATH, if it is new enough, else its library from the extra `[helm]`."""

from __future__ import annotations

import shutil
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from gitops_layout.patterns import regexp
from gitops_layout.system import run
from gitops_layout.values import dataclass

__all__ = ["NO_HELM", "Helm", "Library", "NoHelm", "find"]

OLDEST = (3, 14)
"""Older ones merge null values otherwise than Flux and Argo CD do today."""

_VERSION = regexp(r"v(\d+)\.(\d+)(?:\.\d+)?\S*")


@dataclass(frozen=True, slots=True)
class Helm:
    """A usable helm program and its version as it says it (`v4.3.1`)."""

    program: Path
    version: str


NO_HELM = "helm is not installed, nor is the extra gitops-layout[helm]"
"""Why no chart is rendered where no helm is: a fact about the machine and not about the repository."""


@dataclass(frozen=True, slots=True)
class Library:
    """helm's library, in an interpreter of its own; it renders only charts that do not look at the cluster."""

    interpreter: Path


@dataclass(frozen=True, slots=True)
class NoHelm:
    """Why there is no usable helm."""

    why: str


def find() -> Helm | Library | NoHelm:
    """The helm on PATH, asked for its version once; where there is none, the library if it is installed."""
    program = shutil.which("helm")
    if program is not None:
        return _asked(program)
    if find_spec("helm_python") is not None:
        return Library(Path(sys.executable))
    return NoHelm(NO_HELM)


@cache
def _asked(program: str) -> Helm | NoHelm:
    done = run([program, "version", "--template", "{{.Version}}"], env={"HOME": "/nonexistent"}, timeout=20)
    text = done.stdout.decode(errors="replace").strip()
    match = _VERSION.fullmatch(text)
    if done.code != 0 or match is None:
        return NoHelm(f"{program} does not tell its version")
    if (int(match[1]), int(match[2])) < OLDEST:
        return NoHelm(f"helm {text} is too old: {OLDEST[0]}.{OLDEST[1]} or newer renders charts")
    return Helm(Path(program), text)
