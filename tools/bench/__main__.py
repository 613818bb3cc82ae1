"""`python -m tools.bench [APPS]`: ours, kustomize's Go library and kubectl on one generated monorepo.

`python -m tools.bench link` shows load + link by the number of files instead, `python -m tools.bench validate` what
judging the rendered objects costs, `python -m tools.bench scaffold` the scaffolder on a large spec. All print Markdown tables, which
docs/benchmarks.md keeps with date and command.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gitops_layout.kustomize.exact import kubectl
from tools.bench.linking import by_size, whole
from tools.bench.monorepo import write_monorepo
from tools.bench.scaffolding import APPS, CLUSTERS, ENVIRONMENTS, TENANTS, runs
from tools.bench.validating import validating

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
        print(f"{apps} apps, {apps * 3} overlays, {files} files, {workers} workers\n", flush=True)
        print("| what | processor seconds a worker | against ours |\n| --- | ---: | ---: |")
        found = whole(root)
        ours = _report("gitops-layout: load, link, render with origins; one process", found.seconds, None)
        _report("  of it the builds", found.rendering, None)
        library = _library(root, Path(temporary), workers)
        if library is None:
            print("kustomize library: no go command, not measured")
        else:
            _report(f"kustomize's library, {workers} workers", library, ours)
        _report(f"kubectl, {workers} at a time ({SAMPLE} measured)", _kubectl(root, apps * 3, workers), ours)
        print(f"\npeak memory of ours: {found.megabytes:.0f} MB\n")
        print("| whole commands, by the clock | seconds | |\n| --- | ---: | ---: |")
        for name, seconds in _commands(root, Path(temporary)):
            _report(name, seconds, None)
    return 0


def linking() -> int:
    """Print a row a size."""
    print("| files | deliveries | objects | load + link, µs a file | with rendering, s | peak, MB |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in by_size():
        cells = (
            row.files,
            row.deliveries,
            row.objects,
            round(row.linking),
            f"{row.seconds:.1f}",
            round(row.megabytes),
        )
        print(f"| {' | '.join(map(str, cells))} |", flush=True)
    return 0


def judging() -> int:
    """Print a row a size."""
    print(
        "| apps | objects | schemas, µs an object | the server's rules, µs an object |\n| ---: | ---: | ---: | ---: |"
    )
    for apps in (100, 1000):
        objects, schemas, rules = validating(apps)
        print(f"| {apps} | {objects} | {schemas:.1f} | {rules:.1f} |", flush=True)
    return 0


def scaffolding() -> int:
    """Print a row a command."""
    print(
        f"{APPS} apps, {len(ENVIRONMENTS)} environments, {CLUSTERS} clusters, {TENANTS} tenants\n\n"
        "| command | seconds by the clock | processor seconds | peak, MB |\n| --- | ---: | ---: | ---: |"
    )
    with tempfile.TemporaryDirectory(prefix="gitops-layout-bench-") as temporary:
        for run in runs(Path(temporary)):
            print(f"| {run.what} | {run.clock:.1f} | {run.processor:.1f} | {run.megabytes:.0f} |", flush=True)
    return 0


def _report(name: str, seconds: float, ours: float | None) -> float:
    ratio = f"{seconds / ours:.1f} x" if ours is not None else ""
    print(f"| {name} | {seconds:.2f} | {ratio} |", flush=True)
    return seconds


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
    before = _children()
    subprocess.run([binary, root, str(workers)], capture_output=True, check=True, timeout=3600)
    return (_children() - before) / workers


def _children() -> float:
    """Processor seconds of all processes that ended so far and that we started."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _kubectl(root: Path, overlays: int, workers: int) -> float:
    folders = sorted(root.glob("apps/*/overlays/*"))[:SAMPLE]
    before = _children()
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
    return (_children() - before) / workers / len(folders) * overlays


if __name__ == "__main__":
    if sys.argv[1:] == ["link"]:
        sys.exit(linking())
    if sys.argv[1:] == ["validate"]:
        sys.exit(judging())
    if sys.argv[1:] == ["scaffold"]:
        sys.exit(scaffolding())
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
