"""Promoting what an app runs from one environment into the next, and seeing who is behind."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.kubectl import KUBECTL
from tests.scaffold.command import run
from tests.scaffold.specs import data


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "gitops.yaml").write_text(yaml.safe_dump(data("flux")))
    done = run(tmp_path, "scaffold")
    assert done.returncode == 0, done.stderr
    return tmp_path


def _image(root: Path, environment: str) -> str:
    built = subprocess.run(
        [KUBECTL, "kustomize", f"apps/web/envs/{environment}"], cwd=root, capture_output=True, check=True
    )
    objects = yaml.safe_load_all(built.stdout)
    deployment = next(item for item in objects if item["kind"] == "Deployment")
    return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])


def test_a_version_moves_stage_by_stage_and_takes_nothing_local_along(root: Path) -> None:
    local = root / "apps/web/envs/staging/local.yaml"
    local.write_text(local.read_text().replace("replicas: 1", "replicas: 7"))
    done = run(root, "promote", "web", "--to", "dev", "--version", "1.5.0")
    assert (done.returncode, done.stderr) == (0, "")
    plan = run(root, "promote", "web", "--to", "staging", "--plan")
    assert "ghcr.io/acme/web:1.4.0 -> ghcr.io/acme/web:1.5.0" in plan.stdout
    assert _image(root, "staging") == "ghcr.io/acme/web:1.4.0"
    done = run(root, "promote", "web", "--to", "staging", "--format", "json")
    said = json.loads(done.stdout)
    assert [change["object"] for change in said["changed"]] == ["apps/v1/Deployment/web-staging/web"]
    assert [_image(root, name) for name in ("dev", "staging", "prod")] == [
        "ghcr.io/acme/web:1.5.0",
        "ghcr.io/acme/web:1.5.0",
        "ghcr.io/acme/web:1.4.0",
    ]
    assert "replicas: 7" in local.read_text()
    again = run(root, "promote", "web", "--to", "staging")
    assert "nothing to do" in again.stdout
    converged = run(root, "scaffold", "--plan", "--exit-code")
    assert converged.returncode == 0, "converging would revert a promotion"


def test_what_is_no_yaml_stays_where_it_is(root: Path) -> None:
    with (root / "apps/web/envs/dev/version/kustomization.yaml").open("a") as file:
        file.write("- broken: [\n")
    before = (root / "apps/web/envs/staging/version/kustomization.yaml").read_bytes()
    done = run(root, "promote", "web", "--to", "staging")
    assert done.returncode == 2
    assert "apps/web/envs/dev/version/kustomization.yaml:" in done.stderr
    assert (root / "apps/web/envs/staging/version/kustomization.yaml").read_bytes() == before


def test_leaping_a_stage_warns_and_a_stage_that_the_app_is_not_in_is_no_stage(root: Path) -> None:
    assert "this skips staging" in run(root, "promote", "web", "--from", "dev", "--to", "prod").stdout
    api = run(root, "promote", "api", "--to", "prod")  # in dev and prod only
    assert (api.returncode, "warning" in api.stdout) == (0, False)


def test_settings_move_as_a_whole_folder(root: Path) -> None:
    here, there = (root / f"apps/web/envs/{name}/settings" for name in ("dev", "staging"))
    (here / "kustomization.yaml").write_text(
        (here / "kustomization.yaml").read_text().replace("LOG_LEVEL=info", "LOG_LEVEL=debug")
    )
    (here / "flags.env").write_text("NEW=1\n")
    (there / "old.env").write_text("OLD=1\n")
    done = run(root, "promote", "web", "--to", "staging", "--only", "settings")
    assert done.returncode == 0, done.stderr
    assert {path.name: path.read_bytes() for path in here.iterdir()} == {
        path.name: path.read_bytes() for path in there.iterdir()
    }


def test_skew_says_who_is_behind_whom_and_by_how_much(root: Path) -> None:
    run(root, "promote", "web", "--to", "dev", "--version", "2.1.0")
    run(root, "promote", "web", "--to", "staging", "--version", "1.6.2")
    settings = root / "apps/web/envs/prod/settings/kustomization.yaml"
    settings.write_text(settings.read_text().replace("info", "warn"))
    done = run(root, "skew", "web", "--format", "json", "--exit-code")
    assert done.returncode == 1
    rows = [
        (
            row["environment"],
            row["version"],
            row["from"],
            row["standing"],
            row["distance"],
            row["sameSettings"],
        )
        for row in json.loads(done.stdout)["apps"]
    ]
    assert rows == [
        ("dev", "2.1.0", None, "first", None, None),
        ("staging", "1.6.2", "dev", "behind", "1 major", True),
        ("prod", "1.4.0", "staging", "behind", "2 minor", False),
    ]
    assert "2 minor behind staging (1.6.2); settings differ" in run(root, "skew").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("wbe", "--to", "prod"), "did you mean web?"),
        (("api", "--to", "staging"), "api is not in environment staging"),
        (("web", "--to", "dev"), "promoted from none"),
        (("web", "--from", "dev", "--to", "dev"), "both dev"),
        (("web", "--to", "dev", "--version", "latest"), "not a tag or digest that stays"),
        (("web", "--to", "dev", "--version", "../x"), "not a tag or digest that stays"),
    ],
)
def test_what_cannot_be_promoted_is_said(root: Path, arguments: tuple[str, ...], words: str) -> None:
    done = run(root, "promote", *arguments)
    assert done.returncode == 2
    assert words in done.stderr


def test_a_link_is_not_followed_out_of_the_repository(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "kustomization.yaml"
    outside.write_text("theirs\n")
    place = root / "apps/web/envs/staging/version/kustomization.yaml"
    place.unlink()
    place.symlink_to(outside)
    done = run(root, "promote", "web", "--to", "staging")
    assert done.returncode == 3
    assert "symbolic link" in done.stderr
    assert outside.read_text() == "theirs\n"
