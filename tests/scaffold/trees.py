"""Scaffolded trees on disk, for tests."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml

from gitops_layout.scaffold.render import render
from gitops_layout.spec import Spec
from tests.kubectl import KUBECTL


def write(spec: Spec, root: Path) -> None:
    """Every file that the spec asks for, below `root`."""
    for path, file in render(spec).items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)


def overlays(root: Path) -> list[Path]:
    """Folders that kustomize builds by themselves."""
    files = sorted(root.rglob("kustomization.yaml"))
    return [path.parent for path in files if "kind: Component" not in path.read_text()]


def build(folder: Path) -> list[dict[str, Any]]:
    """What real kustomize makes of a folder."""
    done = subprocess.run(
        [KUBECTL, "kustomize", str(folder)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{folder}: {done.stderr}"
    return [item for item in yaml.safe_load_all(done.stdout) if item]
