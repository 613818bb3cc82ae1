"""A scaffolded repository with a git server's side to it: what a user types, and what agents pull."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.e2e.charts import charts
from tests.kubectl import KUBECTL
from tests.scaffold.specs import APPS, CHARTS, COMPONENTS, FEATURES, LAYOUTS, OWN_CHART, PLATFORM, data

if TYPE_CHECKING:
    from collections.abc import Callable

Data = dict[str, Any]
Charts = Mapping[str, Mapping[str, bytes]]

_SET = {"name": "argocd", "wiring": "applicationset", "selfManaged": False}
OPTIONS: dict[str, dict[str, Any]] = {
    "applicationset": {"agent": _SET, "apps": [*APPS, OWN_CHART]},
    "applicationset-platform": {**PLATFORM, "agent": _SET},
    "charts": {"apps": [*APPS, *CHARTS, OWN_CHART], "components": COMPONENTS},
    "oci": {"apps": [*APPS, CHARTS[0]], "components": COMPONENTS[:1]},
    "charts-platform": {**PLATFORM, "apps": [*PLATFORM["apps"], *CHARTS], "components": COMPONENTS},
}
"""Changes to the tests' spec beside the layouts: what else there is to choose."""


def _chart(chart: Data) -> dict[str, dict[str, bytes]]:
    """A small chart under the name and version of a published one."""
    return charts(chart["version"], name=chart["name"])


@dataclass
class Repository:
    """A work tree and the bare repository that it pushes to."""

    folder: Path
    bare: Path

    def git(self, *arguments: str) -> str:
        name = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
        done = subprocess.run(
            ["git", *name, *arguments], cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def push(self, message: str) -> str:
        """Commit everything and push it; the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", f"--message={message}")
        self.git("push", "--quiet", "origin", "HEAD:main")
        return self.head()

    def revert(self, commit: str = "HEAD") -> str:
        """Undo a commit, the newest if none is named, by another one, and push that."""
        self.git("revert", "--no-edit", commit)
        self.git("push", "--quiet", "origin", "HEAD:main")
        return self.head()

    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)

    def replace(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text()
        assert old in text, f"{name} has no {old!r}:\n{text}"
        (self.folder / name).write_text(text.replace(old, new))

    def add_resource(self, folder: str, name: str, text: str) -> None:
        """Add a manifest to the kustomization in `folder`."""
        self.write({f"{folder}/{name}": text})
        self.replace(f"{folder}/kustomization.yaml", "resources:\n", f"resources:\n  - {name}\n")

    def build(self, folder: str) -> list[Data]:
        """What `kubectl kustomize` makes of a folder."""
        done = subprocess.run(
            [KUBECTL, "kustomize", folder], cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return [item for item in yaml.safe_load_all(done.stdout) if item]

    def gitops_layout(self, *arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "gitops_layout", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def empty(root: Path, name: str) -> Repository:
    """A repository without a commit."""
    folder, bare = root / f"{name}-work", root / f"{name}.git"
    folder.mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", bare], check=True)
    repository = Repository(folder, bare)
    repository.git("init", "--quiet", "--initial-branch=main")
    repository.git("remote", "add", "origin", str(bare))
    return repository


def scaffolded(
    root: Path,
    agent: str,
    layout: str,
    *,
    url: Callable[[str], str] = "https://github.com/acme/{}.git".format,
    publish: Callable[[Charts], str | None] = lambda _: None,
    push: Callable[[Charts], str | None] = lambda _: None,
) -> Repository:
    """What `scaffold` makes of the tests' spec in one layout, pushed; `url` is where a name is pulled from, and
    `publish` makes the charts that it names to be had, and says where if not under any URL; `push` does so in a
    registry.
    """
    root.mkdir(exist_ok=True)
    repository = empty(root, "platform")
    spec = data(agent, **{**LAYOUTS, **FEATURES, **OPTIONS}[layout])
    wanted = copy.deepcopy(spec)["spec"]
    wanted["repo"]["url"] = url("platform")
    for tenant in wanted.get("tenants", ()):
        if "repo" in tenant:
            tenant["repo"]["url"] = url(tenant["name"])
    named = [item for kind in ("apps", "components") for item in wanted.get(kind, ()) if "chart" in item]
    for item in named:
        chart = item["chart"]
        chart.setdefault("name", chart.get("oci", "").rpartition("/")[2])
    if named:
        there = {name: of for item in named for name, of in _chart(item["chart"]).items()}
        if layout == "oci" and (place := push(there)) is not None:
            for item in named:
                item["chart"]["oci"] = f"{place}/{item['chart'].pop('name')}"
        elif (place := publish(there)) is not None:
            for item in named:
                chart = item["chart"]
                item["chart"] = {"repo": place, "name": chart["name"], "version": chart["version"]}
    repository.write({"gitops.yaml": yaml.safe_dump({**spec, "spec": wanted})})
    repository.gitops_layout("scaffold")
    repository.push("Scaffold")
    return repository
