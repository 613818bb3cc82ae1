"""Plain manifests on a disk, judged by us and by kubeconform on the same cores, with the same schemas."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from gitops_layout.model import ObjectRef
from gitops_layout.validation.schemas import Schemas, expand
from tools import golang
from tools.bench.monorepo import write_monorepo

__all__ = ["against_kubeconform"]

_ORACLE = Path(__file__).parent.parent / "oracles" / "kubeconform"
_RULES = "M001,M002,M003,M005,M006,M007,M019,M025"
"""What kubeconform judges (types, fields), and what the server's own code refuses besides."""
_KUBERNETES = "1.36"
_DRAFT = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
_ROUNDS = 3

Row = tuple[str, float, float]
"""What was measured; seconds by the clock, and of all processors."""


def against_kubeconform(files: int) -> tuple[int, list[Row]]:
    """The objects that were judged, and the best of three interleaved runs of each: theirs, ours cold and warm."""
    with tempfile.TemporaryDirectory(prefix="gitops-layout-bench-") as temporary:
        folder, schemas = Path(temporary, "manifests"), Path(temporary, "schemas")
        count = _write(folder, schemas, files)
        judge = Path(temporary, "kubeconform")
        go = golang.toolchain(_ORACLE, lambda line: print(line, file=sys.stderr))
        command = [str(go), "build", "-o", str(judge), "github.com/yannh/kubeconform/cmd/kubeconform"]
        subprocess.run(command, cwd=_ORACLE, env=golang.environment(), check=True)
        theirs = [
            str(judge),
            "-strict",
            "-n",
            str(os.cpu_count() or 1),
            "-kubernetes-version",
            f"{_KUBERNETES}.0",
        ]
        theirs += [
            "-schema-location",
            f"{schemas}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json",
            str(folder),
        ]
        ours = [sys.executable, "-m", "gitops_layout", "lint", str(folder), "--select", _RULES]
        ours += ["--kubernetes-version", _KUBERNETES]
        found: dict[str, list[tuple[float, float]]] = {}
        for number in range(_ROUNDS):
            environment = {**os.environ, "GITOPS_LAYOUT_CACHE": str(Path(temporary, f"cache{number}"))}
            found.setdefault("kubeconform", []).append(_timed(theirs, os.environ))
            found.setdefault("gitops-layout, empty cache", []).append(_timed(ours, environment))
            found.setdefault("gitops-layout, unchanged", []).append(_timed(ours, environment))
    return count, [(name, *min(times)) for name, times in found.items()]


def _timed(command: Sequence[str], environment: Mapping[str, str]) -> tuple[float, float]:
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        raise SystemExit(f"{command[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - start, used


def _write(folder: Path, schemas: Path, files: int) -> int:
    """The bases of the generated monorepo as plain manifests, and the schemas of their kinds as kubeconform reads them."""
    folder.mkdir()
    kinds: dict[tuple[str, str], None] = {}
    with tempfile.TemporaryDirectory() as temporary:
        write_monorepo(Path(temporary), files // 5 + 1)
        count = 0
        for path in _manifests(Path(temporary)):
            text = path.read_text()
            data: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)
            kinds[data["apiVersion"], data["kind"]] = None
            (folder / f"{path.parts[-3]}-{path.name}").write_text(text)
            count += 1
            if count == files:
                break
    schemas.mkdir()
    known = Schemas()
    for api, kind in kinds:
        group, _, version = api.rpartition("/")
        (schema,) = known.find(ObjectRef(api, kind, "", ""), kubernetes=_KUBERNETES)
        template = f"{schemas}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"
        place = Path(expand(template, (group, version, kind), kubernetes=_KUBERNETES))
        place.write_text(json.dumps(_DRAFT | schema.document))
    return count


def _manifests(root: Path) -> Iterator[Path]:
    return (path for path in sorted(root.glob("apps/*/base/*.yaml")) if path.name != "kustomization.yaml")
