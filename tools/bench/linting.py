"""`lint` beside other linters, each on a tree of its own kind and of one size: argocd-source-lint on Applications, flate
on Flux's Kustomizations. They look for less, or for nothing (flate renders), so the times say only what a run costs.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gitops_layout.system import cache_dir
from tools.bench.monorepo import ENVS, as_argocd, write_monorepo
from tools.bench.others import Flate
from tools.bench.runs import Run

__all__ = ["beside_linters"]

SOURCE_LINT = ("argocd-source-lint", "1.2.2")
"""A package for Python; its own requirements are whatever pip finds for it."""


def beside_linters(temporary: Path, apps: int) -> Iterator[Run]:
    """A row a run: ours with an empty cache and again, and the other one, on either tree."""
    for agent in ("argocd", "flux"):
        root = temporary / agent
        write_monorepo(root, apps)
        if agent == "argocd":
            as_argocd(root, apps)
        for command in (("init", "-q"), ("add", "-A")):
            subprocess.run(["git", *command], cwd=root, check=True)
        time.sleep(2.5)  # files that were written this very moment are read again
        environment = _ours(temporary / f"cache-{agent}")
        lint = [sys.executable, "-m", "gitops_layout", "lint"]
        yield _run(f"{agent}: gitops-layout lint, empty cache", lint, root, environment)
        yield _run(f"{agent}: gitops-layout lint, unchanged", lint, root, environment)
        if agent == "argocd":
            other = [str(_source_lint()), "--format", "json", "."]
            yield _run(f"{agent}: {' '.join(SOURCE_LINT)}", other, root, dict(os.environ))
        else:
            flate = Flate(temporary)
            for state in ("cold", "warm"):
                start = time.perf_counter()
                seconds, _ = flate(root, [f"clusters/{env}" for env in ENVS])
                clock = time.perf_counter() - start
                yield Run(f"{agent}: flate build, {state}", clock, seconds * (os.cpu_count() or 1))


def _ours(cache: Path) -> dict[str, str]:
    left_out = ("GITOPS_LAYOUT_NO_CACHE", "PYTHONDONTWRITEBYTECODE")
    known = {name: value for name, value in os.environ.items() if name not in left_out}
    return known | {"GITOPS_LAYOUT_CACHE": str(cache)}


def _run(what: str, command: Sequence[str], root: Path, environment: Mapping[str, str]) -> Run:
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, timeout=3600)
    clock, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1, 3):
        raise SystemExit(f"{command[0]}: {done.stderr.decode()[-500:]}")
    return Run(what, clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def _source_lint() -> Path:
    """The program, installed once into an environment of its own in the user's cache."""
    name, version = SOURCE_LINT
    home = cache_dir("bench") / f"{name}-{version}"
    program = home / "bin" / name
    if not program.exists():
        print(f"(installing {name} {version}, once)", flush=True)
        venv.create(home, with_pip=True, clear=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", f"{name}=={version}"]
        subprocess.run(pip, check=True)
    return program
