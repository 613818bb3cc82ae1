"""`python -m tools.bench [APPS]`: ours, kustomize's Go library and kubectl on one generated monorepo."""

from __future__ import annotations

import gc
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gitops_layout.kustomize.exact import kubectl
from gitops_layout.kustomize.fast import Bases, Declined, build
from gitops_layout.kustomize.walk import walk
from gitops_layout.repo.load import from_work_tree
from gitops_layout.repo.model import Repo
from tools.bench.monorepo import write_monorepo

_HERE = Path(__file__).parent
SAMPLE = 20
"""Overlays that kubectl builds: it needs a process for each, so the rest is reckoned."""


def main(apps: int) -> int:
    """Print one line a builder: seconds for all overlays, and how often ours fits into that."""
    workers = os.cpu_count() or 1
    with tempfile.TemporaryDirectory(prefix="gitops-layout-bench-") as temporary:
        root = Path(temporary, "monorepo")
        write_monorepo(root, apps)
        files = sum(1 for path in root.rglob("*") if path.is_file())
        print(f"{apps} apps, {apps * 3} overlays, {files} files, {workers} workers", flush=True)
        ours = _report("gitops-layout", _ours(root, workers), None)
        library = _library(root, Path(temporary), workers)
        if library is None:
            print("kustomize library: no go command, not measured")
        else:
            _report("kustomize library", library, ours)
        _report(f"kubectl ({SAMPLE} measured)", _kubectl(root, apps * 3, workers), ours)
        for name, seconds in _commands(root, Path(temporary)):
            _report(name, seconds, None)
    return 0


def _report(name: str, seconds: float, ours: float | None) -> float:
    ratio = f"  {seconds / ours:6.1f} x" if ours is not None else ""
    print(f"{name:32} {seconds:8.2f} s{ratio}", flush=True)
    return seconds


def _ours(root: Path, workers: int) -> float:
    """Cold: load the tree, walk and build every overlay, each value with its origin."""
    start = time.perf_counter()
    gc.disable()  # as every short run of ours does
    repo = from_work_tree(root)
    folders = sorted(folder for folder in repo.folders if "/overlays/" in folder)
    # Neighbours share bases, so each worker takes one stretch.
    size = -(-len(folders) // workers)
    shares = [folders[n : n + size] for n in range(0, len(folders), size)]
    context = multiprocessing.get_context("fork")
    with context.Pool(workers, _adopt, (repo,)) as pool:
        built = sum(pool.map(_build, shares))
    gc.enable()
    if built != len(folders):
        raise SystemExit(f"only {built} of {len(folders)} overlays were built")
    return time.perf_counter() - start


_adopted: list[Repo] = []


def _adopt(repo: Repo) -> None:
    """A forked worker keeps the parent's tree: handing it over by value would cost more than reading it."""
    _adopted[:] = [repo]


def _build(folders: list[str]) -> int:
    repo = _adopted[0]
    bases = Bases(repo)
    results = (build(repo, walk(repo, folder), bases=bases) for folder in folders)
    return sum(not isinstance(result, Declined) for result in results)


def _commands(root: Path, temporary: Path) -> Iterator[tuple[str, float]]:
    """Whole commands, from start to end: with an empty cache, again, and after a change of one file."""
    for command in (("init", "-q"), ("add", "-A")):
        subprocess.run(["git", *command], cwd=root, check=True)
    image = root / "apps/app-0001/overlays/production/kustomization.yaml"
    for number, verb in enumerate((("render", "--all"), ("lint",))):
        environment = {**os.environ, "GITOPS_LAYOUT_CACHE": str(temporary / f"cache{number}")}
        environment.pop("GITOPS_LAYOUT_NO_CACHE", None)
        name = " ".join(verb)
        time.sleep(2.5)  # files that were written this very moment are read again
        yield f"{name}, empty cache", _timed(verb, root, environment)
        yield f"{name}, unchanged", min(_timed(verb, root, environment) for _ in range(3))
        image.write_text(image.read_text().replace("newTag: 1.", "newTag: 2."))
        yield f"{name}, one file changed", _timed(verb, root, environment)
        image.write_text(image.read_text().replace("newTag: 2.", "newTag: 1."))


def _timed(verb: Sequence[str], root: Path, environment: Mapping[str, str]) -> float:
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "gitops_layout", *verb], cwd=root, env=environment, capture_output=True
    )
    if done.returncode not in (0, 1, 3):
        raise SystemExit(done.stderr.decode())
    return time.perf_counter() - start


def _library(root: Path, temporary: Path, workers: int) -> float | None:
    go = shutil.which("go")
    if go is None:
        return None
    binary = temporary / "krusty"
    subprocess.run([go, "build", "-o", binary, "."], cwd=_HERE / "krusty", check=True)
    done = subprocess.run(
        [binary, root, str(workers)], capture_output=True, text=True, check=True, timeout=3600
    )
    return float(done.stdout.split()[1])


def _kubectl(root: Path, overlays: int, workers: int) -> float:
    folders = sorted(root.glob("apps/*/overlays/*"))[:SAMPLE]
    start = time.perf_counter()
    for first in range(0, len(folders), workers):
        running = [
            subprocess.Popen(
                [kubectl(), "kustomize", folder, "--load-restrictor=LoadRestrictionsNone"],
                stdout=subprocess.DEVNULL,
            )
            for folder in folders[first : first + workers]
        ]
        if any(process.wait() for process in running):
            raise SystemExit("kubectl could not build an overlay")
    return (time.perf_counter() - start) / len(folders) * overlays


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
