"""init, scaffold and add as a user types them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_layout.scaffold.edit import append, assign
from gitops_layout.spec import load
from tests.kubectl import KUBECTL
from tests.scaffold.command import run
from tests.scaffold.specs import LINT


def _files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_list_shows_a_skeleton_in_words_of_its_own(tmp_path: Path) -> None:
    url = ("--repo-url", "https://github.com/acme/p.git", "--env", "dev", "--layout", "monorepo")
    assert run(tmp_path, "init", "a", *url).returncode == 0
    skeleton = ("--skeleton", "https://github.com/acme/t.git@v1.0.0", "--answer", "n=5")
    done = run(tmp_path / "a", "add", "app", "web", "--image", "ghcr.io/acme/web:1.0.0", *skeleton)
    assert done.returncode in (0, 3), done.stderr  # its source is not fetched yet
    listed = run(tmp_path / "a", "list", "app").stdout
    assert "skeleton=url:https://github.com/acme/t.git,revision:v1.0.0,answers:{n:5}" in listed


def test_an_environment_that_is_added_later_gets_the_first_apps_and_what_features_bring(
    tmp_path: Path,
) -> None:
    url = ("--repo-url", "https://github.com/acme/p.git", "--layout", "split", "--env", "dev")
    assert run(tmp_path, "init", "a", *url, "--set", "features.policy=kyverno").returncode == 0
    config = tmp_path / "a/config"
    assert (
        "kyverno.github.io" not in (config / "gitops.yaml").read_text()
    )  # of this release, not of this file
    assert run(config, "add", "env", "qa", "--from", "dev").returncode == 0
    assert (config / "apps/a/envs/qa/kustomization.yaml").is_file()
    assert (config / "infrastructure/controllers/kyverno/envs/qa/kustomization.yaml").is_file()


def test_init_asks_for_the_owners_of_a_platform(tmp_path: Path) -> None:
    url = ("--repo-url", "https://github.com/acme/p.git", "--layout", "platform", "--env", "dev")
    without = run(tmp_path, "init", "a", *url)
    given = run(tmp_path, "init", "b", *url, "--set", 'repo.owners=["@acme/platform"]')
    assert "set repo.owners" in without.stdout
    assert (given.returncode, "set repo.owners" in given.stdout) == (0, False), given.stderr


@pytest.mark.parametrize("agent", ["flux", "argocd"])
def test_from_an_empty_folder_to_two_apps_in_three_environments(tmp_path: Path, agent: str) -> None:
    done = run(tmp_path, "init", "shop", "--agent", agent, "--defaults")
    assert done.returncode == 0, done.stderr
    assert "set repo.url" in done.stdout
    root = tmp_path / "shop"
    first = run(root, "add", "app", "web")
    assert first.returncode == 0, first.stderr
    assert "runs a placeholder" in first.stdout
    second = run(
        root / "apps", "add", "app", "api", "--image", "ghcr.io/acme/api:1.0.0", "--environments", "dev,prod"
    )
    assert second.returncode == 0, second.stderr
    assert "placeholder" not in second.stdout
    spec = load((root / "gitops.yaml").read_bytes())
    assert [(app.name, app.environments) for app in spec.apps] == [
        ("web", ["dev", "staging", "prod"]),
        ("api", ["dev", "prod"]),
    ]
    for cluster in ("dev", "staging", "prod"):
        built = subprocess.run(
            [KUBECTL, "kustomize", f"clusters/{cluster}"], cwd=root, capture_output=True, check=False
        )
        assert built.returncode == 0, built.stderr
    lint = run(root, *LINT)
    assert lint.returncode == 0, lint.stdout
    again = run(root, "scaffold", "--plan", "--exit-code")
    assert (again.returncode, again.stdout) == (0, "nothing to do: the tree is as gitops.yaml says\n")


def test_init_does_not_touch_a_repository_that_has_a_spec(tmp_path: Path) -> None:
    (tmp_path / "gitops.yaml").write_text("mine\n")
    done = run(tmp_path, "init", "--defaults")
    assert done.returncode == 2
    assert "gitops-layout scaffold" in done.stderr
    assert _files(tmp_path) == {"gitops.yaml": b"mine\n"}


def test_init_plans_without_writing_and_takes_settings(tmp_path: Path) -> None:
    arguments = ("init", "--defaults", "--env", "qa", "--env", "live", "--set", "repo.branch=trunk")
    done = run(tmp_path, *arguments, "--plan")
    assert done.returncode == 0
    assert "\n            qa/\n" in done.stdout
    assert "\ncreate        kustomization.yaml\n" in done.stdout
    assert _files(tmp_path) == {}
    assert run(tmp_path, *arguments).returncode == 0
    spec = load((tmp_path / "gitops.yaml").read_bytes())
    assert spec.repo.branch == "trunk"
    assert [(item.name, item.from_, item.tier) for item in spec.environments] == [
        ("qa", None, "nonprod"),
        ("live", "qa", "prod"),
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--layout", "splitt"), "'--layout': 'splitt' is not one of 'config', 'monorepo', 'split'"),
        (("--agent", "fluxx"), "'--agent': 'fluxx' is not one of 'flux', 'argocd', 'builtin'"),
        (("--set", "branch"), "expected FIELD=VALUE"),
        (("--set", "repo.brnch=x"), "did you mean branch?"),
        (("--spec", "missing.yaml"), "missing.yaml: no such file"),
    ],
)
def test_what_init_cannot_do_it_says_and_writes_nothing(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = run(tmp_path, "init", "--defaults", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert _files(tmp_path) == {}


def test_a_password_in_the_remote_does_not_reach_gitops_yaml(tmp_path: Path) -> None:
    for command in (
        ["init", "-q"],
        ["remote", "add", "origin", "https://me:hunter2@git.example.com/a/b.git"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    assert run(tmp_path, "init", "--defaults").returncode == 0
    text = (tmp_path / "gitops.yaml").read_text()
    assert "hunter2" not in text
    assert "url: https://git.example.com/a/b.git\n" in text


def test_a_spec_file_is_taken_over_as_it_is(tmp_path: Path) -> None:
    text = (
        "# ours\napiVersion: gitops-layout/v1alpha1\nkind: GitOpsRepo\nmetadata: {name: acme}\nspec:\n"
        "  agent: argocd\n  repo: {url: https://git.example.com/a/b.git}\n  environments: [{name: dev}]\n"
    )
    (tmp_path / "in.yaml").write_text(text)
    assert run(tmp_path, "init", "out", "--spec", "in.yaml").returncode == 0
    assert (tmp_path / "out/gitops.yaml").read_text() == text
    (tmp_path / "in.yaml").write_text(text.replace("agent: argocd", "agent: argo"))
    done = run(tmp_path, "init", "again", "--spec", "in.yaml")
    assert done.returncode == 2
    assert "in.yaml:6:10: " in done.stderr


def test_a_conflict_ends_with_3_and_tells_both_sides(tmp_path: Path) -> None:
    assert run(tmp_path, "init", "--defaults").returncode == 0
    assert run(tmp_path, "add", "app", "web").returncode == 0
    overlay = tmp_path / "apps/web/envs/dev/kustomization.yaml"
    overlay.write_text(overlay.read_text().replace("podinfo", "mine"))
    spec = tmp_path / "gitops.yaml"
    spec.write_text(spec.read_text().replace("name: web", "name: web\n      image: ghcr.io/acme/web:1.0.0"))
    before = _files(tmp_path)
    done = run(tmp_path, "scaffold", "--exit-code")
    assert done.returncode == 3
    assert 'yours is "ghcr.io/stefanprodan/mine", generated is "ghcr.io/acme/web"' in done.stdout
    assert done.stderr.startswith("incomplete: 1 file in conflict, nothing written")
    assert _files(tmp_path) == before
    report = json.loads(run(tmp_path, "scaffold", "--format", "json").stdout)
    assert report["written"] is False
    (conflict,) = [item for item in report["actions"] if item["action"] == "conflict"]
    assert conflict["path"] == "apps/web/envs/dev/kustomization.yaml"
    assert conflict["conflicts"][0]["where"] == "images[web].newName"
    done = run(tmp_path, "scaffold", "--on-conflict", "theirs", "--exit-code")
    assert done.returncode == 1
    assert run(tmp_path, "scaffold", "--exit-code").returncode == 0


def test_environments_and_clusters_can_be_added(tmp_path: Path) -> None:
    assert run(tmp_path, "init", "--defaults", "--env", "dev", "--env", "prod").returncode == 0
    assert run(tmp_path, "add", "app", "web").returncode == 0
    assert run(tmp_path, "add", "env", "qa", "--from", "dev").returncode == 0
    assert run(tmp_path, "add", "cluster", "eu", "--environments", "prod").returncode == 0
    assert (tmp_path / "clusters/qa/apps/qa/web.yaml").is_file()
    assert (tmp_path / "clusters/eu/apps/prod/web.yaml").is_file()
    done = run(tmp_path, "add", "env", "load", "--cluster", "dev")
    assert done.returncode == 0
    assert "namespace web becomes web-dev" in done.stdout
    assert "clusters/dev/apps/load/web.yaml" in done.stdout
    done = run(tmp_path, "add", "env", "x", "--cluster", "nowhere")
    assert (done.returncode, "no cluster nowhere" in done.stderr) == (2, True)
    assert run(tmp_path, "add", "app", "web").returncode == 2
    assert run(tmp_path, "scaffold", "--plan", "--exit-code").returncode == 0


def test_a_terminal_is_asked_a_few_things_and_enter_takes_what_is_usual(tmp_path: Path) -> None:
    """With --defaults, --set or --spec nothing is asked; the other tests run without a terminal."""
    ours, theirs = pty.openpty()
    words = b"\nargocd\ntest live\n\n\nsealed-secrets\n"
    os.write(ours, words)
    command = [sys.executable, "-m", "gitops_layout", "init", "shop"]
    done = subprocess.run(
        command, cwd=tmp_path, stdin=theirs, capture_output=True, text=True, timeout=60, check=False
    )
    silent = subprocess.run(
        [*command[:-1], "set", "--set", "repo.branch=trunk"],
        cwd=tmp_path,
        stdin=theirs,
        capture_output=True,
        timeout=60,
        check=False,
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    spec = load((tmp_path / "shop/gitops.yaml").read_bytes())
    assert (spec.layout, spec.agent.name, [item.name for item in spec.environments]) == (
        "config",
        "argocd",
        ["test", "live"],
    )
    assert (spec.features.policy, spec.features.secrets and spec.features.secrets.kind) == (
        "vap",
        "sealed-secrets",
    )
    # Of an added app, too, a program can read what was done, or would be.
    planned = run(tmp_path / "shop", "add", "app", "web", "--plan", "--format", "json")
    said = json.loads(planned.stdout)
    assert (said["written"], "apps/web/base/service.yaml" in {item["path"] for item in said["actions"]}) == (
        False,
        True,
    )
    assert silent.returncode == 0
    assert load((tmp_path / "set/gitops.yaml").read_bytes()).features.policy is None


def test_what_cannot_be_is_asked_again_at_once(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, b"\n\ndev ../x\ndev dev\ndev live\nnowhere\nhttps://github.com/acme/a.git\n\n\n")
    command = [sys.executable, "-m", "gitops_layout", "init", "shop"]
    done = subprocess.run(
        command, cwd=tmp_path, stdin=theirs, capture_output=True, text=True, timeout=60, check=False
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    said = [
        line.partition("Error: ")[2] for line in (done.stdout + done.stderr).splitlines() if "Error: " in line
    ]
    assert len(said) == 3
    assert said[0].startswith("'../x' is not a DNS label")
    assert said[1] == "dev stands twice"
    assert said[2].startswith("'nowhere' is not a git URL")
    spec = load((tmp_path / "shop/gitops.yaml").read_bytes())
    assert ([item.name for item in spec.environments], spec.repo.url) == (
        ["dev", "live"],
        "https://github.com/acme/a.git",
    )


SPEC = b"""\
# top
spec:
  apps: # all of them
    # the shop
    - name: web   # first
      image: a/web:1   # pinned

  features: {ci: none} # none yet
"""


def test_adding_to_a_list_changes_no_other_line() -> None:
    new = append(SPEC, ("spec", "apps"), {"name": "api", "environments": ["dev"]})
    lines = new.splitlines(keepends=True)
    added = lines[6:9]
    assert lines[:6] + lines[9:] == SPEC.splitlines(keepends=True)
    assert yaml.safe_load(b"".join(added)) == [{"name": "api", "environments": ["dev"]}]


@pytest.mark.parametrize(
    "text",
    [
        b"spec:\n  apps: []\n  x: 1 # kept\n",
        b"spec:\n  x: 1 # kept\n",
        b"spec: {apps: [], x: 1} # kept\n",
        b"spec:\n  apps:\n  - name: web\n  x: 1 # kept",
        b"spec:\n  apps: [{name: web}]\n  x: 1 # kept\n",
        b"spec:\r\n  apps:\r\n    - name: web\r\n  x: 1 # kept\r\n",
    ],
)
def test_any_style_of_list_takes_a_new_item(text: bytes) -> None:
    new = append(text, ("spec", "apps"), {"name": "api"})
    data = yaml.safe_load(new)
    assert data["spec"].pop("apps")[-1] == {"name": "api"}
    assert data == {"spec": {"x": 1}}
    assert b"# kept" in new


def test_setting_a_field_keeps_the_comments() -> None:
    new = assign(SPEC, {("spec", "features", "ci"): "github", ("spec", "repo", "branch"): "trunk"})
    assert yaml.safe_load(new)["spec"]["repo"] == {"branch": "trunk"}
    assert new.count(b"#") == SPEC.count(b"#")


@pytest.mark.parametrize("agent", ["flux", "argocd"])
def test_tenants_of_a_platform_come_and_are_whole(tmp_path: Path, agent: str) -> None:
    root = tmp_path / "plat"
    owners = ("--set", "repo.owners=['@acme/platform']")
    layout = ("--layout", "platform", "--agent", agent)
    done = run(tmp_path, "init", "plat", *layout, *owners, "--defaults")
    assert done.returncode == 0, done.stderr
    own = ("--repo-url", "https://github.com/acme/pay.git", "--owner", "@acme/pay", "--group", "acme:pay")
    for arguments in (
        ("tenant", "pay", *own),
        ("tenant", "search", "--environments", "dev,prod", "--namespaces", "search,search-jobs"),
        ("app", "find", "--tenant", "search", "--image", "ghcr.io/acme/find:1.0.0"),
    ):
        done = run(root, "add", *arguments)
        assert done.returncode == 0, done.stderr
    lint = run(root, *LINT)
    assert lint.returncode == 0, lint.stdout + lint.stderr
    assert run(root, "scaffold", "--plan", "--exit-code").returncode == 0
    second = run(root, "add", "tenant", "pay")
    assert (second.returncode, "tenant pay" in second.stderr) == (2, True)


def test_a_tenants_repository_fits_the_platform_that_pulls_it(tmp_path: Path) -> None:
    url = "https://github.com/acme/pay.git"
    for arguments in (
        (
            "init",
            "plat",
            "--layout",
            "platform",
            "--defaults",
            "--set",
            "clusters=[{name: one, environments: [dev, staging, prod]}]",
        ),
        (
            "add",
            "tenant",
            "pay",
            "--dir",
            "plat",
            "--namespaces",
            "pay,jobs",
            "--environments",
            "dev,prod",
            "--repo-url",
            url,
        ),
        ("init", "pay", "--layout", "tenant", "--platform", "plat", "--tenant", "pay"),
        ("add", "app", "api", "--dir", "pay", "--image", "ghcr.io/acme/api:1.0.0"),
        ("add", "app", "cron", "--dir", "pay", "--image", "ghcr.io/acme/cron:1.0.0", "--namespace", "jobs"),
    ):
        done = run(tmp_path, *arguments)
        assert done.returncode == 0, done.stderr
    for environment in ("dev", "prod"):
        given = _objects(tmp_path / f"plat/tenants/pay/envs/{environment}")
        namespaces = {item["metadata"]["name"] for item in given if item["kind"] == "Namespace"}
        [sync] = (item for item in given if item["kind"] == "Kustomization")
        [source] = (item for item in given if item["kind"] == "GitRepository")
        assert source["spec"]["url"] == url
        pulled = _objects(tmp_path / "pay" / sync["spec"]["path"])
        assert {item["metadata"]["namespace"] for item in pulled} == namespaces
    lint = run(tmp_path / "pay", *LINT)
    assert lint.returncode == 0, lint.stdout + lint.stderr
    refused = run(tmp_path / "pay", "add", "app", "x", "--namespace", "web")
    assert "the platform gives no namespace web (pay, jobs)" in refused.stderr
    unknown = run(tmp_path, "init", "t", "--layout", "tenant", "--platform", "plat", "--tenant", "pya")
    assert (unknown.returncode, "did you mean pay?" in unknown.stderr) == (2, True)


def _objects(folder: Path) -> list[dict[str, Any]]:
    built = subprocess.run([KUBECTL, "kustomize", str(folder)], capture_output=True, check=False)
    assert built.returncode == 0, built.stderr
    return [item for item in yaml.safe_load_all(built.stdout) if item]


def test_a_split_pair_is_a_config_repository_and_an_app_that_feeds_it(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        "init",
        "shop",
        "--layout",
        "split",
        "--defaults",
        "--repo-url",
        "https://github.com/acme/c.git",
    )
    assert done.returncode == 0, done.stderr
    config, app = tmp_path / "shop/config", tmp_path / "shop/app"
    assert (config / "gitops.yaml").is_file()
    assert not (app / ".gitops-layout").exists()
    assert "repository: acme/c" in (app / ".github/workflows/release.yaml").read_text()
    released = run(config, "promote", "shop", "--to", "dev", "--version", "1.0.7")
    assert "ghcr.io/example/shop:1.0.7" in released.stdout, released.stderr
    assert run(config, "scaffold", "--plan", "--exit-code").returncode == 0
    assert run(config, *LINT).returncode == 0


@pytest.mark.parametrize(
    ("folder", "name"), [("p1", "p1"), ("Web 2", "web-2"), ("s3x", "s3x"), ("-é-", "gitops")]
)
def test_a_repository_is_called_as_its_folder_digits_and_all(tmp_path: Path, folder: str, name: str) -> None:
    assert run(tmp_path, "init", f"./{folder}", "--defaults").returncode == 0
    assert load((tmp_path / folder / "gitops.yaml").read_bytes()).name == name


def test_conflicts_are_decided_on_the_command_line_of_the_verb_that_meets_them(tmp_path: Path) -> None:
    url = ("--repo-url", "https://github.com/acme/p.git", "--env", "dev")
    assert run(tmp_path, "init", "a", *url).returncode == 0
    root = tmp_path / "a"
    assert run(root, "add", "app", "web", "--image", "ghcr.io/acme/web:1.0.0").returncode == 0
    mine, new = root / "clusters/dev/apps/dev/web.yaml", root / "clusters/dev/apps/dev/shop.yaml"
    mine.write_text(mine.read_text().replace("path: ./apps/web/envs/dev", "path: ./elsewhere"))
    refused = run(root, "rename", "app", "web", "shop")
    assert (refused.returncode, "--on-conflict" in refused.stderr) == (3, True)
    assert run(root, "rename", "app", "web", "shop", "--on-conflict", "ours").returncode == 0
    assert "path: ./elsewhere" in new.read_text()
    assert run(root, "remove", "app", "shop").returncode == 3
    assert run(root, "remove", "app", "shop", "--on-conflict", "ours").returncode == 0
    assert "path: ./elsewhere" in new.read_text()
    listed = root / "clusters/dev/kustomization.yaml"
    assert "shop.yaml" not in listed.read_text()
    added = run(root, "add", "app", "shop", "--image", "ghcr.io/acme/shop:1.0.0")
    assert (added.returncode, "--on-conflict" in added.stderr) == (3, True)
    taken = ("add", "app", "shop", "--image", "ghcr.io/acme/shop:1.0.0", "--on-conflict", "theirs")
    assert run(root, *taken).returncode == 0
    assert "path: ./apps/shop/envs/dev" in new.read_text()
