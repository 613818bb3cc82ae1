"""Compile the control plane's binaries, and the agents and tools that tests run beside it, into the user's cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gitops_layout.errors import UserError
from gitops_layout.system import cache_dir
from tools import golang

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["AGENTS", "ALL", "REQUIRED", "TOOLS", "assets", "build", "build_agents", "tool"]

_HERE = Path(__file__).parent
_KUBERNETES = re.compile(r"v(1)\.(\d+)\.(\d+)")


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

AGENTS = (
    Binary("kustomize", "kustomize", "sigs.k8s.io/kustomize/kustomize/v5"),
    Binary("kustomize-controller", "kustomize-controller", "github.com/fluxcd/kustomize-controller"),
    Binary("helm-controller", "helm-controller", "github.com/fluxcd/helm-controller"),
    Binary("argocd", "argocd", "github.com/argoproj/argo-cd/v3/cmd"),
)
"""Flux and Argo CD; Argo CD is one program that acts by the name it is called, and calls kustomize and helm."""


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
    """One of `TOOLS` or `AGENTS` as we built it, None where it is not built."""
    (binary,) = (binary for binary in (*TOOLS, *AGENTS) if binary.name == name)
    program = _target((binary,), name) / name
    return program if program.exists() else None


def build(report: Callable[[str], None]) -> Path:
    """Compile whatever is missing and return the control plane's folder; `report` gets one line per step.

    A folder appears under its final name only when every binary in it is whole, and a build that
    was interrupted goes on where it stopped. Needs a network unless Go's caches are warm.
    """
    folder = _build(ALL, _target(), report)
    _build_each(TOOLS, report)
    return folder


def build_agents(report: Callable[[str], None]) -> None:
    """The same for Flux and Argo CD, and for the helm that Argo CD calls."""
    _build_each((*TOOLS, *AGENTS), report)


def _build_each(binaries: Sequence[Binary], report: Callable[[str], None]) -> None:
    for binary in binaries:
        _build((binary,), _target((binary,), binary.name), report)


def _build(binaries: Sequence[Binary], target: Path, report: Callable[[str], None]) -> Path:
    with (target.parent / f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            report(f"up to date: {target}")
            return target
        partial = target.with_name(f"{target.name}.partial")
        partial.mkdir(exist_ok=True)
        for binary in binaries:
            _compile(binary, partial, report)
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
    """Linker flags; these programs learn their versions only from them (else /version says v0.0.0)."""
    link = ["-s", "-w"]
    match binary.module:
        case "kube":
            version = _pinned(binary, "k8s.io/kubernetes")
            match = _KUBERNETES.fullmatch(version)
            assert match is not None, version  # our own go.mod pins a release
            component = "k8s.io/component-base/version"
            link += [
                f"-X {component}.gitVersion={version}",
                f"-X {component}.gitMajor={match[1]}",
                f"-X {component}.gitMinor={match[2]}",
                f"-X {component}.gitTreeState=clean",
                f"-X k8s.io/client-go/pkg/version.gitVersion={version}",
            ]
        case "helm":
            version = _pinned(binary, "helm.sh/helm/v4")
            link.append(f"-X helm.sh/helm/v4/internal/version.version={version}")
        case "kustomize":
            version = _pinned(binary, "sigs.k8s.io/kustomize/kustomize/v5")
            link.append(f"-X sigs.k8s.io/kustomize/api/provenance.version={version}")
        case "argocd":
            version = _pinned(binary, "github.com/argoproj/argo-cd/v3").removeprefix("v")
            link.append(f"-X github.com/argoproj/argo-cd/v3/common.version={version}")
    return ["-p", "2", "-trimpath", "-buildvcs=false", "-ldflags", " ".join(link)]


def _pinned(binary: Binary, module: str) -> str:
    """The version that a binary's go.mod requires of a module."""
    file = _HERE / binary.module / "go.mod"
    match = re.search(rf"^\s*(?:require )?{re.escape(module)} (v[\d.]+)", file.read_text(), re.MULTILINE)
    if match is None:
        raise UserError(f"tools/controlplane/{binary.module}/go.mod requires no {module}")
    return match[1]


def _compile(binary: Binary, folder: Path, report: Callable[[str], None]) -> None:
    final = folder / binary.name
    if final.exists():
        report(f"{binary.name}: already compiled")
        return
    go = golang.toolchain(_HERE / binary.module, report)
    report(f"{binary.name}: compiling …")
    started = time.monotonic()
    unfinished = folder / f".{binary.name}"
    done = subprocess.run(
        [go, "build", *_flags(binary), "-o", unfinished, binary.package],
        cwd=_HERE / binary.module,
        env=golang.environment(),
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
