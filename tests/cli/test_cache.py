"""Results with the cache are results without it, whatever happens to the tree; and it is really used."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gitops_layout.cli import _run, remembered
from gitops_layout.render.build import Renders
from gitops_layout.repo import digests
from gitops_layout.repo.load import Listing

GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgSign=false")


def overlay(env: str, tag: str) -> str:
    return f"""\
resources: [../../base]
namespace: web-{env}
images: [{{name: web, newTag: "{tag}"}}]
patches: [{{path: replicas.yaml}}]
"""


def tree() -> dict[str, str]:
    files = {
        "apps/web/base/kustomization.yaml": "resources: [deployment.yaml, config.yaml]\n",
        "apps/web/base/deployment.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: web, envFrom: [{configMapRef: {name: web}}]}]
""",
        "apps/web/base/config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {a: b}\n",
        "README.md": "words\n",
        ".gitops-layout.yaml": "profile: strict\n",
    }
    for env in ("dev", "prod"):
        files |= {
            f"apps/web/overlays/{env}/kustomization.yaml": overlay(env, "1.0"),
            f"apps/web/overlays/{env}/replicas.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 2}\n",
            f"clusters/{env}/web.yaml": f"""\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: web, namespace: flux-system}}
spec:
  interval: 10m
  path: ./apps/web/overlays/{env}
  prune: true
  sourceRef: {{kind: GitRepository, name: flux-system}}
""",
        }
    return files


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(remembered.VARIABLE, raising=False)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setenv("GITOPS_LAYOUT_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "repository"
    for name, text in tree().items():
        write(root / name, text)
    for command in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "-m", "a")):
        subprocess.run([*GIT, *command], cwd=root, check=True)
    monkeypatch.chdir(root)
    return root


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


COMMANDS = (
    ("lint",),
    ("lint", "--format", "json"),
    ("render", "--all"),
    ("render", "--all", "--format", "json", "--origins"),
    ("render", "web", "--env", "prod"),
    ("graph", "--explain"),
)


def said(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *command: str
) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["gitops-layout", *command])
    code = _run()
    out, err = capfd.readouterr()
    return code, out, err


def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Says of each later command whether it had to work."""
    worked: list[str] = []
    keep = remembered.Memory.keep

    def noting(memory: remembered.Memory, said: remembered.Said) -> None:
        worked.append("worked")
        keep(memory, said)

    monkeypatch.setattr(remembered.Memory, "keep", noting)
    return worked


class Mutations:
    """Changes that people, git and editors make to a tree."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self.random = random.Random(seed)

    def files(self) -> list[Path]:
        return sorted(p for p in self.root.rglob("*") if p.is_file() and ".git" not in p.parts)

    def any(self) -> Path:
        return self.random.choice(self.files())

    def edit(self) -> None:
        path = self.any()
        text = path.read_text()
        old, new = self.random.choice(
            [
                ("1.0", "1.1"),
                ("1.1", "1.0"),
                ("web", "api"),
                ("replicas: 2", "replicas: 3"),
                ("b", "c"),
                ("name", "nam"),
                ("", "# x\n"),
            ]
        )
        path.write_text(text.replace(old, new, 1))

    def edit_in_silence(self) -> None:
        """Same size, same mtime: only ctime tells."""
        path = self.any()
        status = path.stat()
        path.write_text(path.read_text().replace("web", "api", 1))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    def replace(self) -> None:
        path = self.any()
        other = path.with_name("new")
        other.write_text(path.read_text().replace("dev", "prod", 1))
        other.replace(path)

    def add(self) -> None:
        folder = self.random.choice(["apps/web/base", "clusters/dev", "clusters/prod", "more"])
        write(
            self.root / folder / f"added-{self.random.randrange(3)}.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: y}\n",
        )

    def list_added(self) -> None:
        write(
            self.root / "apps/web/base/kustomization.yaml",
            "resources: [deployment.yaml, config.yaml, added-0.yaml]\n",
        )

    def delete(self) -> None:
        self.any().unlink()

    def rename(self) -> None:
        path = self.any()
        path.rename(path.with_name(f"renamed-{path.name}"))

    def link(self) -> None:
        path = self.any()
        path.unlink()
        path.symlink_to(os.path.relpath(self.any(), path.parent))

    def touch(self) -> None:
        os.utime(self.any())

    def chmod(self) -> None:
        path = self.any()
        path.chmod(self.random.choice([0o000, 0o644, 0o755]))

    def ignore(self) -> None:
        write(self.root / ".gitignore", self.random.choice(["", "added-*\n", "overlays/\n"]))

    def commit(self) -> None:
        subprocess.run([*GIT, "add", "-A"], cwd=self.root, check=False, capture_output=True)
        subprocess.run([*GIT, "commit", "-q", "-m", "b", "--allow-empty"], cwd=self.root, check=False)

    def checkout(self) -> None:
        subprocess.run(
            [*GIT, "checkout", "-q", "-f", "main"], cwd=self.root, check=False, capture_output=True
        )
        subprocess.run([*GIT, "reset", "-q", "--hard", "HEAD~0"], cwd=self.root, check=False)

    def remote(self) -> None:
        subprocess.run(
            [*GIT, "remote", "add", f"r{self.random.randrange(9)}", "https://example.com/x.git"],
            cwd=self.root,
            check=False,
            capture_output=True,
        )

    def bump(self) -> None:
        """What a bot does all day."""
        env = self.random.choice(["dev", "prod"])
        write(
            self.root / f"apps/web/overlays/{env}/kustomization.yaml",
            overlay(env, f"2.{self.random.randrange(9)}"),
        )

    def __call__(self) -> str:
        names = [
            name for name in vars(Mutations) if not name.startswith("_") and name not in ("files", "any")
        ]
        name = self.random.choice([*names, "edit", "bump"])
        getattr(self, name)()
        return name


@pytest.mark.parametrize("seed", range(8))
def test_with_a_cache_every_command_says_what_it_says_without(
    repository: Path, capfd, monkeypatch, seed: int
):
    monkeypatch.setattr(
        digests, "FRESH_NS", 0
    )  # else all files of a test are fresh, and none is found by signature
    mutate = Mutations(repository, seed)
    done: list[str] = []
    for step in range(12):
        for command in random.Random(f"{seed} {step}").sample(COMMANDS, 3):
            expected = said(capfd, monkeypatch, *command, "--no-cache")
            for _ in range(2):
                assert said(capfd, monkeypatch, *command) == expected, (command, done)
        try:
            done.append(mutate())
        except (OSError, UnicodeDecodeError, IndexError):
            done.append("failed")
        if not mutate.files():
            break


def test_an_unchanged_tree_is_not_worked_on_again(repository: Path, capfd, monkeypatch):
    worked = runs(monkeypatch)
    for command in COMMANDS:
        said(capfd, monkeypatch, *command)
    assert len(worked) == len(COMMANDS)
    for command in COMMANDS:
        said(capfd, monkeypatch, *command)
    assert len(worked) == len(COMMANDS)


def test_after_a_change_only_the_deliveries_that_read_the_file_are_built(
    repository: Path, capfd, monkeypatch
):
    said(capfd, monkeypatch, "render", "--all")
    built: list[list[str]] = []
    render = Renders.__call__

    def noting(renders: Renders, deliveries, *rest):
        built.append([delivery.id for delivery in deliveries])
        return render(renders, deliveries, *rest)

    monkeypatch.setattr(Renders, "__call__", noting)
    for file, old, new, ids in (
        ("apps/web/overlays/prod/kustomization.yaml", '"1.0"', '"1.7"', ["prod"]),
        ("apps/web/base/deployment.yaml", "app: web", "app: api", ["dev", "prod"]),
        ("README.md", "words", "other words", []),
    ):
        path = repository / file
        path.write_text(path.read_text().replace(old, new))
        built.clear()
        code, out, _ = said(capfd, monkeypatch, "render", "--all")
        assert code == 0
        assert sorted(i.rpartition("@")[2] for some in built for i in some) == ids, file
        assert out == said(capfd, monkeypatch, "render", "--all", "--no-cache")[1]


def test_a_change_that_makes_a_delivery_is_not_taken_for_a_small_one(repository: Path, capfd, monkeypatch):
    said(capfd, monkeypatch, "render", "--all")
    agent = (repository / "clusters/dev/web.yaml").read_text().replace("name: web,", "name: more,")
    write(repository / "apps/web/base/config.yaml", agent.replace("overlays/dev", "base"))
    assert said(capfd, monkeypatch, "render", "--all") == said(
        capfd, monkeypatch, "render", "--all", "--no-cache"
    )


def test_a_fresh_checkout_of_the_same_content_is_known(repository: Path, capfd, monkeypatch):
    said(capfd, monkeypatch, "lint")
    worked = runs(monkeypatch)
    for path in Mutations(repository, 0).files():
        text = path.read_text()
        path.unlink()
        write(path, text)
    said(capfd, monkeypatch, "lint")
    assert worked == []


def test_a_commit_alone_is_no_change_to_what_does_not_name_it(repository: Path, capfd, monkeypatch):
    for command in COMMANDS:
        said(capfd, monkeypatch, *command)
    subprocess.run([*GIT, "commit", "-q", "--allow-empty", "-m", "b"], cwd=repository, check=True)
    worked = runs(monkeypatch)
    for command in COMMANDS:
        assert said(capfd, monkeypatch, *command) == said(capfd, monkeypatch, *command, "--no-cache")
    naming = [
        command for command in COMMANDS if command in (("lint", "--format", "json"), ("graph", "--explain"))
    ]
    assert len(worked) == len(naming) + len(COMMANDS)  # those without a cache end here too


def test_a_commit_that_argo_cd_is_asked_to_name_is_seen(repository: Path, capfd, monkeypatch):
    write(
        repository / "clusters/dev/argo.yaml",
        """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: named, namespace: argocd}
spec:
  project: default
  destination: {namespace: web, server: https://kubernetes.default.svc}
  source:
    repoURL: https://example.com/here.git
    path: apps/web/base
    kustomize: {commonAnnotations: {at: $ARGOCD_APP_REVISION}, commonAnnotationsEnvsubst: true}
""",
    )
    before = said(capfd, monkeypatch, "render", "named")
    assert "at: " in before[1], before
    subprocess.run([*GIT, "commit", "-q", "--allow-empty", "-m", "b"], cwd=repository, check=True)
    after = said(capfd, monkeypatch, "render", "named")
    assert after != before
    assert after == said(capfd, monkeypatch, "render", "named", "--no-cache")


def test_another_option_another_day_and_another_folder_are_asked_anew(repository: Path, capfd, monkeypatch):
    said(capfd, monkeypatch, "lint")
    worked = runs(monkeypatch)
    said(capfd, monkeypatch, "lint", "--profile", "minimal")
    monkeypatch.chdir(repository / "apps")
    said(capfd, monkeypatch, "lint")
    assert len(worked) == 2


def test_a_file_edited_within_one_tick_of_the_clock_is_seen(repository: Path, capfd, monkeypatch):
    """Where size, times and inode do not tell: because the file is fresh, it is read again."""
    listed = remembered.listed

    def alike(root: Path) -> Listing:
        """The tree as a file system shows it that gives every change the same time."""
        found = listed(root)
        now = time.time_ns()
        entries = {
            path: replace(entry, signature=(entry.size, now, now, 1)) for path, entry in found.entries.items()
        }
        return replace(found, entries=entries)

    monkeypatch.setattr(remembered, "listed", alike)
    monkeypatch.setattr(remembered, "unchanged", lambda *_: True)
    monkeypatch.setattr(time, "time_ns", lambda: 10**18)
    first = said(capfd, monkeypatch, "render", "--all")
    assert said(capfd, monkeypatch, "render", "--all") == first
    path = repository / "apps/web/overlays/dev/kustomization.yaml"
    path.write_text(path.read_text().replace('"1.0"', '"9.9"'))
    assert said(capfd, monkeypatch, "render", "--all") != first


def test_a_broken_cache_is_no_error(repository: Path, capfd, monkeypatch, tmp_path: Path):
    expected = said(capfd, monkeypatch, "lint", "--no-cache")
    assert said(capfd, monkeypatch, "lint") == expected
    file = tmp_path / "cache/results/results.sqlite3"
    file.write_bytes(b"not a database" * 1000)
    assert said(capfd, monkeypatch, "lint") == expected
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").write_text("in the way")
    assert said(capfd, monkeypatch, "lint") == expected


def test_no_cache_keeps_nothing(repository: Path, capfd, monkeypatch, tmp_path: Path):
    said(capfd, monkeypatch, "lint", "--no-cache")
    monkeypatch.setenv(remembered.VARIABLE, "1")
    said(capfd, monkeypatch, "lint")
    assert not (tmp_path / "cache").exists()


def test_the_cache_can_be_looked_at_and_removed(repository: Path, capfd, monkeypatch):
    said(capfd, monkeypatch, "lint")
    code, out, _ = said(capfd, monkeypatch, "cache", "info", "--format", "json")
    assert code == 0
    assert json.loads(out)["entries"] > 0
    assert said(capfd, monkeypatch, "cache", "clean")[0] == 0
    assert json.loads(said(capfd, monkeypatch, "cache", "info", "--format", "json")[1])["entries"] == 0


@pytest.mark.parametrize("known", [False, True])
def test_a_file_that_changes_during_the_run_misleads_nobody(repository: Path, monkeypatch, *, known: bool):
    """Read for the digest and kept, it is the one that the command sees; found by its signature and read later, it may be
    another one, and then nothing is kept.
    """
    monkeypatch.setattr(digests, "FRESH_NS", 0)
    file = repository / "apps/web/base/config.yaml"
    before = file.read_bytes()
    read: list[bytes] = []

    def run(memory: remembered.Memory) -> remembered.Said:
        file.write_bytes(before.replace(b"a: b", b"a: changed"))
        read.append(memory.repo.content("apps/web/base/config.yaml"))
        file.write_bytes(before.replace(b"a: b", b"a: once more"))
        return remembered.Said()

    def command(verb: str) -> None:
        remembered.command(verb, repository, {}, run, ready=None)
        file.write_bytes(before)

    if known:
        remembered.command("another", repository, {}, lambda _: remembered.Said(), ready=None)
    command("this")
    command("this")
    assert read == ([before.replace(b"a: b", b"a: changed"), before] if known else [before])
