"""What we measure against: kustomize's own Go library, kubectl, and flate. Times are processor seconds a worker."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from gitops_layout.kustomize.exact import kubectl
from gitops_layout.system import cache_dir
from tools.golang import environment, toolchain

__all__ = ["WORKERS", "Flate", "Library", "by_kubectl"]

_HERE = Path(__file__).parent
WORKERS = os.cpu_count() or 1

FLATE = ("github.com/home-operations/flate", "v0.6.5", "h1:b+jA5mXW4MkugVWSRA1AiBl1EEVtNaBTwJNeSVWZtgY=")
"""Module, version and hash; its own go.sum pins what it is made of."""


def _say(words: str) -> None:
    print(f"({words})", flush=True)


def _children() -> float:
    """Processor seconds of all processes that ended so far and that we started."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _spent(work: Callable[[], object]) -> float:
    before = _children()
    work()
    return (_children() - before) / WORKERS


class Library:
    """Kustomize's library in one process, as many workers as there are processors."""

    def __init__(self, temporary: Path) -> None:
        self._binary = temporary / "krusty"
        go = toolchain(_HERE / "krusty", _say)
        command = [str(go), "build", "-o", str(self._binary), "."]
        subprocess.run(command, cwd=_HERE / "krusty", env=environment(), check=True)

    def __call__(self, folders: Sequence[Path]) -> tuple[float, int]:
        """Seconds for these folders, and how many of them it built."""
        built: list[int] = []

        def work() -> None:
            done = subprocess.run(
                [self._binary, str(WORKERS)],
                input="\n".join(map(str, folders)),
                capture_output=True,
                text=True,
                check=True,
                timeout=3600,
            )
            built.append(int(done.stdout.split()[0]))

        return _spent(work), built[0]


class Flate:
    """flate, built once from its module by the Go that it wants; its own caches lie in `temporary`."""

    def __init__(self, temporary: Path) -> None:
        self._home = temporary / "flate-home"
        self._home.mkdir()
        self._binary = cache_dir("bench") / f"flate-{FLATE[1]}"
        if not self._binary.exists():
            _build_flate(temporary / "flate-module", self._binary)

    def __call__(self, root: Path, clusters: Sequence[str]) -> tuple[float, int]:
        """Seconds for all that these clusters' folders deliver, and how many objects that are."""
        kinds = re.compile(rb"^kind: ", re.MULTILINE)
        objects: list[int] = []

        def work() -> None:
            for cluster in clusters:
                done = subprocess.run(
                    [self._binary, "build", "ks", "--path", cluster],
                    cwd=root,
                    env={"HOME": str(self._home), "PATH": os.environ["PATH"]},
                    capture_output=True,
                    timeout=3600,
                )
                if done.returncode:
                    raise SystemExit(f"flate: {done.stderr.decode()[-500:]}")
                objects.append(len(kinds.findall(done.stdout)))

        return _spent(work), sum(objects)


def by_kubectl(folders: Sequence[Path]) -> float:
    """Seconds for these folders: kubectl needs a process for each, as many at a time as there are processors."""

    def work() -> None:
        for first in range(0, len(folders), WORKERS):
            running = [
                subprocess.Popen(
                    [kubectl(), "kustomize", folder, "--load-restrictor=LoadRestrictionsNone"],
                    stdout=subprocess.DEVNULL,
                )
                for folder in folders[first : first + WORKERS]
            ]
            if any(process.wait() for process in running):
                raise SystemExit("kubectl could not build an overlay")

    return _spent(work)


def _build_flate(module: Path, binary: Path) -> None:
    name, version, wanted = FLATE
    module.mkdir()
    (module / "go.mod").write_text("module bench\n\ngo 1.27.0\n")
    go = str(toolchain(module, _say))
    _say(f"building {name}@{version}, once")
    found = subprocess.run(
        [go, "mod", "download", "-json", f"{name}@{version}"],
        cwd=module,
        env=environment() | {"GOFLAGS": "-mod=mod"},
        capture_output=True,
        check=True,
    )
    told = json.loads(found.stdout)
    if told["Sum"] != wanted:
        raise SystemExit(f"{name}@{version} has hash {told['Sum']}, not {wanted}")
    command = [go, "build", "-o", str(binary), "./cmd/flate"]
    subprocess.run(command, cwd=told["Dir"], env=environment(), check=True)
