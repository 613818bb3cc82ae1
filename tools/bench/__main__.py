"""`python -m tools.bench [APPS]`: ours, kustomize's Go library, kubectl and flate on one generated monorepo; whole commands;
and the largest open repositories below GITOPS_LAYOUT_CORPUS, if it is set.

`python -m tools.bench link` shows load + link by the number of files instead, `python -m tools.bench validate` what
judging the rendered objects costs, `python -m tools.bench commands` the whole commands alone, `python -m tools.bench profile` where the time of the largest open repositories goes, `python -m tools.bench scaffold` the scaffolder on a large spec, `python -m tools.bench
kubeconform` how long 10,000 plain manifests take beside it, `python -m tools.bench lint` how long `lint` takes beside
argocd-source-lint and flate. All print Markdown tables, which
docs/benchmarks.md keeps with date and command.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tools.bench.linking import by_size, whole
from tools.bench.linting import beside_linters
from tools.bench.manifests import against_kubeconform
from tools.bench.monorepo import ENVS, write_monorepo
from tools.bench.others import WORKERS, Flate, Library, by_kubectl
from tools.bench.phases import PHASES, phases
from tools.bench.repositories import folders, largest
from tools.bench.scaffolding import APPS, CLUSTERS, ENVIRONMENTS, TENANTS, runs
from tools.bench.validating import validating

SAMPLE = 20
"""Overlays that kubectl builds: it needs a process for each, so the rest is reckoned."""


def main(apps: int) -> int:
    """Print the tables of one monorepo, then that of the open repositories."""
    with tempfile.TemporaryDirectory(prefix="gitops-layout-bench-") as temporary:
        root = _monorepo(temporary, apps)
        library = Library(Path(temporary))
        _builders(root, apps, library, Path(temporary))
        print()
        _whole_commands(root, Path(temporary))
        columns = (
            "files",
            "deliveries",
            "objects",
            "ours, s",
            "of it builds",
            "the library, s",
            "roots of both",
        )
        print(f"\n| repository | {' | '.join(columns)} |\n| --- |{' ---: |' * len(columns)}")
        for row in largest(library):
            ours = row.ours
            cells = (
                row.name,
                ours.files,
                ours.deliveries,
                ours.objects,
                f"{ours.seconds:.2f}",
                f"{ours.rendering:.2f}",
                f"{row.library:.2f}",
                f"{row.roots} of {len(ours.roots)}",
            )
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
    return 0


def _monorepo(temporary: str, apps: int) -> Path:
    root = Path(temporary, "monorepo")
    write_monorepo(root, apps)
    for command in (("init", "-q"), ("add", "-A")):
        subprocess.run(["git", *command], cwd=root, check=True)
    return root


def commands() -> int:
    """Print a row a command."""
    with tempfile.TemporaryDirectory(prefix="gitops-layout-bench-") as temporary:
        _whole_commands(_monorepo(temporary, 1000), Path(temporary))
    return 0


def _whole_commands(root: Path, temporary: Path) -> None:
    print("| whole commands | seconds by the clock | processor seconds |\n| --- | ---: | ---: |")
    for name, (clock, spent) in _commands(root, temporary):
        print(f"| {name} | {clock:.2f} | {spent:.2f} |", flush=True)


def _builders(root: Path, apps: int, library: Library, temporary: Path) -> None:
    """Print one line a builder: seconds for all overlays, and how often ours fits into that."""
    files = sum(1 for path in root.rglob("*") if path.is_file())
    overlays = sorted(root.glob("apps/*/overlays/*"))
    print(f"{apps} apps, {len(overlays)} overlays, {files} files, {WORKERS} workers\n", flush=True)
    print("| what | processor seconds a worker | against ours |\n| --- | ---: | ---: |")
    found = whole(root)
    ours = _report("gitops-layout: load, link, render with origins; one process", found.seconds, None)
    _report("  of it the builds", found.rendering, None)
    _report(f"kustomize's library, {WORKERS} workers", library(overlays)[0], ours)
    kubectl = by_kubectl(overlays[:SAMPLE]) / SAMPLE * len(overlays)
    _report(f"kubectl, {WORKERS} at a time ({SAMPLE} measured)", kubectl, ours)
    flate = Flate(temporary)
    for name in ("cold", "warm"):
        seconds, objects = flate(root, [f"clusters/{env}" for env in ENVS])
        _report(f"flate, {name}, {objects} objects", seconds, ours)
    print(f"\nours: {found.objects} objects, {found.megabytes:.0f} MB at the peak")


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


def profiles() -> int:
    """Print a row a repository: processor seconds by phase."""
    print(f"| repository | {' | '.join(PHASES)} |\n| --- |{' ---: |' * len(PHASES)}")
    for folder in folders():
        spent = phases(folder)
        cells = [folder.name.replace("__", "/"), *(f"{spent[name]:.2f}" for name in PHASES)]
        print(f"| {' | '.join(cells)} |", flush=True)
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


def beside_kubeconform() -> int:
    """Print a row a run."""
    count, rows = against_kubeconform(10_000)
    print(f"{count} manifests, {os.cpu_count()} cores\n")
    print(
        "| what | seconds by the clock | processor seconds | kubeconform takes |\n| --- | ---: | ---: | ---: |"
    )
    (_, clock, used), *_ = rows
    for name, seconds, processor in rows:
        ratios = f"{clock / seconds:.2f} x, of processors {used / processor:.2f} x"
        print(f"| {name} | {seconds:.2f} | {processor:.2f} | {ratios} |", flush=True)
    return 0


def linting(apps: int) -> int:
    """Print a row a run."""
    print(f"{apps} apps in {len(ENVS)} environments, {os.cpu_count()} cores\n")
    print("| what | seconds by the clock | processor seconds |\n| --- | ---: | ---: |")
    with tempfile.TemporaryDirectory(prefix="gitops-layout-bench-") as temporary:
        for run in beside_linters(Path(temporary), apps):
            print(f"| {run.what} | {run.clock:.2f} | {run.processor:.2f} |", flush=True)
    return 0


def _report(name: str, seconds: float, ours: float | None) -> float:
    ratio = f"{seconds / ours:.1f} x" if ours is not None else ""
    print(f"| {name} | {seconds:.2f} | {ratio} |", flush=True)
    return seconds


_AGAIN = 5


def _commands(root: Path, temporary: Path) -> Iterator[tuple[str, tuple[float, float]]]:
    """Whole commands, from start to end: with an empty cache, again, and after a change of one file."""
    image = root / "apps/app-0001/overlays/production/kustomization.yaml"
    left_out = ("GITOPS_LAYOUT_NO_CACHE", "PYTHONDONTWRITEBYTECODE")
    ours = {name: value for name, value in os.environ.items() if name not in left_out}
    for number, verb in enumerate((("render", "--all"), ("lint",))):
        environment = ours | {"GITOPS_LAYOUT_CACHE": str(temporary / f"cache{number}")}
        name = " ".join(verb)
        time.sleep(2.5)  # files that were written this very moment are read again
        yield f"{name}, empty cache", _timed(verb, root, environment)
        yield f"{name}, unchanged", min(_timed(verb, root, environment) for _ in range(_AGAIN))
        times = []
        for tag in range(2, 2 + _AGAIN):
            image.write_text(image.read_text().replace(f"newTag: {tag - 1}.", f"newTag: {tag}."))
            times.append(_timed(verb, root, environment))
        yield f"{name}, one file changed", min(times)
        image.write_text(image.read_text().replace(f"newTag: {1 + _AGAIN}.", "newTag: 1."))
    one = temporary / "one"
    one.mkdir()
    (one / "a.yaml").write_text((root / "apps/app-0001/base/deployment.yaml").read_text())
    fresh = min(_timed(("lint", "--no-cache", "a.yaml"), one, ours) for _ in range(_AGAIN))
    yield "lint of one file, no cache", fresh
    yield "--help", min(_timed(("--help",), one, ours) for _ in range(_AGAIN))


def _timed(verb: Sequence[str], root: Path, environment: Mapping[str, str]) -> tuple[float, float]:
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "gitops_layout", *verb], cwd=root, env=environment, capture_output=True
    )
    clock, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1, 3):
        raise SystemExit(done.stderr.decode())
    return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    if sys.argv[1:] == ["link"]:
        sys.exit(linking())
    if sys.argv[1:] == ["validate"]:
        sys.exit(judging())
    if sys.argv[1:] == ["scaffold"]:
        sys.exit(scaffolding())
    if sys.argv[1:] == ["profile"]:
        sys.exit(profiles())
    if sys.argv[1:] == ["commands"]:
        sys.exit(commands())
    if sys.argv[1:] == ["kubeconform"]:
        sys.exit(beside_kubeconform())
    if sys.argv[1:2] == ["lint"]:
        sys.exit(linting(int(sys.argv[2]) if len(sys.argv) > 2 else 1000))
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
