"""The scaffolder on a large spec: whole commands as a user types them, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

APPS, TENANTS, CLUSTERS = 300, 20, 6
ENVIRONMENTS = ("dev", "qa", "staging", "prod")


@dataclass(frozen=True, slots=True)
class Run:
    """One command: by the clock and by the processor, and the most memory that its process held."""

    what: str
    clock: float
    processor: float
    megabytes: float


def write_spec(file: Path) -> None:
    """gitops.yaml of a platform: every app in every environment, production on three clusters."""
    environments = [
        {"name": name, **({"from": before} if before else {})}
        for before, name in zip((None, *ENVIRONMENTS), ENVIRONMENTS, strict=False)
    ]
    homes = ["dev", "qa", "staging", "prod", "prod", "prod"]
    body = {
        "layout": "platform",
        "agent": "flux",
        "repo": {"url": "https://github.com/acme/platform.git", "owners": ["@acme/platform"]},
        "environments": environments,
        "clusters": [{"name": f"c{number}", "environments": [homes[number]]} for number in range(CLUSTERS)],
        "tenants": [{"name": f"t{number}", "owners": [f"@acme/t{number}"]} for number in range(TENANTS)],
        "apps": [
            {
                "name": f"app-{number}",
                "tenant": f"t{number % TENANTS}",
                "image": f"ghcr.io/acme/app-{number}:1.0.0",
            }
            for number in range(APPS)
        ],
    }
    data = {
        "apiVersion": "gitops-layout/v1alpha1",
        "kind": "GitOpsRepo",
        "metadata": {"name": "large"},
        "spec": body,
    }
    file.write_text(yaml.safe_dump(data, sort_keys=False))


def runs(folder: Path) -> Iterator[Run]:
    """Scaffold the large spec in `folder`, look whether anything is to do, and add an app; each run measured."""
    write_spec(folder / "spec.yaml")
    root = folder / "large"
    yield _measured("first scaffold (init)", folder, "init", "large", "--spec", "spec.yaml")
    yield _measured("scaffold --plan, nothing to do", root, "scaffold", "--plan", "--exit-code")
    yield _measured(
        "add app", root, "add", "app", "one-more", "--tenant", "t3", "--image", "ghcr.io/acme/one-more:1.0.0"
    )
    yield _measured("scaffold, nothing to do", root, "scaffold")
    yield _measured("remove app", root, "remove", "app", "one-more")


def _measured(what: str, folder: Path, *arguments: str) -> Run:
    command = [sys.executable, "-m", "gitops_layout", *arguments]
    # Without it every module is compiled in every run, which nobody meets who has it installed.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    clock = time.monotonic() - start
    code = process.returncode = os.waitstatus_to_exitcode(status)
    assert code == 0, f"{what}: exit code {code}"
    scale = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return Run(what, clock, used.ru_utime + used.ru_stime, used.ru_maxrss / scale)
