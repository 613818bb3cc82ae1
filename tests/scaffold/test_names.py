"""Removing and renaming: gitops.yaml keeps everything else, and people's files go where they belong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from gitops_layout.errors import UserError
from gitops_layout.scaffold.edit import append
from gitops_layout.scaffold.names import removed, renamed
from gitops_layout.source.reader import read
from gitops_layout.spec import load
from tests.scaffold.command import run
from tests.scaffold.specs import data

SPEC = b"""\
apiVersion: gitops-layout/v1alpha1
kind: GitOpsRepo
metadata: {name: acme}
spec: # ours
  agent: flux
  repo: {url: "https://github.com/acme/platform.git"}
  environments:
    - name: dev
    # before production
    - name: staging
      from: dev # after the tests
    - {name: prod, from: staging}
  clusters:
    - name: lab
      environments: [dev, staging] # small
    - name: eu
      environments:
        - prod
  apps:
    - name: web # the shop
      image: "ghcr.io/acme/web:1.0"
    # behind it
    - name: api
      environments: [dev, prod]
"""


def test_what_was_added_can_be_removed_without_a_trace() -> None:
    more = append(SPEC, ("spec", "apps"), {"name": "jobs", "environments": ["dev"]})
    assert removed(more, "app", "jobs") == SPEC


def test_a_removed_item_takes_its_comment_along_and_no_other() -> None:
    assert removed(SPEC, "app", "api").decode() == SPEC.decode()[: SPEC.index(b"    # behind it")]
    first = removed(SPEC, "app", "web").decode()
    assert "the shop" not in first
    assert "# behind it\n    - name: api" in first


def test_an_environment_leaves_everything_that_names_it() -> None:
    without = removed(SPEC, "env", "staging")
    spec = load(without)
    assert [(item.name, item.from_) for item in spec.environments] == [("dev", None), ("prod", "dev")]
    assert [(item.name, item.environments) for item in spec.clusters] == [("lab", ["dev"]), ("eu", ["prod"])]
    last = load(removed(without, "env", "prod"))
    assert [item.name for item in last.clusters] == ["lab"]
    assert [item.environments for item in last.apps] == [["dev"], ["dev"]]
    first = load(removed(SPEC, "env", "dev"))
    assert [(item.name, item.from_) for item in first.environments] == [
        ("staging", None),
        ("prod", "staging"),
    ]
    alone = SPEC.replace(b"[dev, prod]", b"[prod]")
    with pytest.raises(UserError, match="only in environment prod: app api"):
        removed(alone, "env", "prod")


def test_a_new_name_stands_wherever_the_old_one_did_and_changes_nothing_else() -> None:
    text = renamed(SPEC, "env", "staging", "qa").decode()
    assert text == SPEC.decode().replace("name: staging", "name: qa").replace(
        "from: staging", "from: qa"
    ).replace("[dev, staging]", "[dev, qa]")
    with pytest.raises(UserError, match="did you mean api"):
        renamed(SPEC, "app", "apo", "shop")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "gitops.yaml").write_text(yaml.safe_dump(data("flux"), sort_keys=False))
    done = run(tmp_path, "scaffold")
    assert done.returncode == 0, done.stderr
    return tmp_path


def test_a_name_that_cannot_be_is_refused_with_the_place_of_the_old_one() -> None:
    text = b"spec:\n  apps:\n    - name: web\n"
    with pytest.raises(UserError, match=r"^gitops\.yaml:3:13: app web cannot be called so: '\.\./x' is not"):
        renamed(text, "app", "web", "../x")


def test_a_name_that_is_taken_is_refused_in_one_line() -> None:
    content = b"spec:\n  environments: [{name: dev}, {name: prod, from: dev}]\n"
    with pytest.raises(UserError) as refused:
        renamed(content, "env", "dev", "prod")
    assert refused.value.message == "env prod is already in gitops.yaml"


def test_renaming_an_app_moves_its_files_with_every_hand_edit(root: Path) -> None:
    base = root / "apps/web/base"
    (base / "dashboard.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: dashboard}\n")
    (base / "kustomization.yaml").write_text(
        (base / "kustomization.yaml").read_text() + "  - dashboard.yaml # of ours\n"
    )
    local = root / "apps/web/envs/prod/local.yaml"
    local.write_text(local.read_text().replace("replicas: 2", "replicas: 9"))
    run(root, "promote", "web", "--to", "dev", "--version", "3.0.0")
    plan = run(root, "rename", "app", "web", "shop", "--plan")
    assert (plan.returncode, (root / "apps/web").exists()) == (0, True), plan.stderr
    assert "the agent creates them anew and deletes those of the old name" in plan.stdout
    done = run(root, "rename", "app", "web", "shop")
    assert done.returncode == 0, done.stderr
    assert not (root / "apps/web").exists()
    assert "dashboard.yaml # of ours" in (root / "apps/shop/base/kustomization.yaml").read_text()
    assert (root / "apps/shop/base/dashboard.yaml").is_file()
    moved = yaml.safe_load((root / "apps/shop/envs/prod/local.yaml").read_text())
    assert (moved["metadata"]["name"], moved["spec"]["replicas"]) == ("shop", 9)
    version = yaml.safe_load((root / "apps/shop/envs/dev/version/kustomization.yaml").read_text())
    assert version["images"] == [{"name": "shop", "newTag": "3.0.0"}]
    assert (root / "clusters/lab/apps/dev/shop.yaml").is_file()
    lint = run(root, "lint")
    assert lint.returncode == 0, lint.stdout
    again = run(root, "scaffold", "--plan", "--exit-code")
    assert again.returncode == 0, again.stdout


def test_a_seed_that_was_deleted_stays_so_under_a_new_name(root: Path) -> None:
    (root / "apps/web/base/service.yaml").unlink()
    listed = root / "apps/web/base/kustomization.yaml"
    listed.write_text(listed.read_text().replace("  - service.yaml\n", ""))
    done = run(root, "rename", "app", "web", "shop")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (root / "apps/shop/base/deployment.yaml").is_file()
    assert not (root / "apps/shop/base/service.yaml").exists()
    again = run(root, "scaffold", "--plan", "--exit-code")
    assert again.returncode == 0, again.stdout


def test_renaming_an_environment_and_back_is_identity(root: Path) -> None:
    def files() -> dict[str, bytes]:
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    before = files()
    for old, new in (("staging", "qa"), ("qa", "staging")):
        done = run(root, "rename", "env", old, new)
        assert done.returncode == 0, done.stderr
    assert files() == before


def test_removing_an_app_that_was_edited_asks_first(root: Path) -> None:
    (root / "apps/web/base/service.yaml").write_text("# ours\n")
    done = run(root, "remove", "app", "web")
    assert done.returncode == 3
    assert (root / "apps/web/envs").is_dir()
    done = run(root, "remove", "app", "web", "--prune", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert not (root / "apps/web").exists()
    assert json.loads(run(root, "list", "app", "--format", "json").stdout)["apps"][0]["name"] == "api"
    assert run(root, "list", "app").stdout.splitlines()[0].startswith("api  ")


PLATFORM_SPEC = """\
apiVersion: gitops-layout/v1alpha1
kind: GitOpsRepo
metadata: {name: plat}
spec:
  layout: platform
  agent: flux
  repo: {url: "https://github.com/acme/platform.git"}
  environments: [{name: dev}, {name: staging, from: dev}, {name: prod, from: staging}]
  tenants:
    - name: pay
    - name: search
  components:
    - name: cache # shared
      chart: {oci: "oci://ghcr.io/acme/charts/redis", version: 22.1.0}
"""
PART = """\
apiVersion: gitops-layout/v1alpha1
kind: GitOpsTenant
metadata: {name: pay} # ours
spec:
  apps:
    - name: checkout
      environments: [dev, staging]
"""


@pytest.fixture
def platform(tmp_path: Path) -> Path:
    (tmp_path / "gitops.d").mkdir()
    (tmp_path / "gitops.yaml").write_text(PLATFORM_SPEC)
    (tmp_path / "gitops.d/pay.yaml").write_text(PART)
    assert run(tmp_path, "scaffold").returncode == 0
    return tmp_path


def test_the_files_of_tenants_follow_names_of_environments_and_tenants(platform: Path) -> None:
    done = run(platform, "rename", "env", "staging", "qa")
    assert done.returncode == 0, done.stderr
    assert (platform / "gitops.d/pay.yaml").read_text() == PART.replace("staging", "qa")
    done = run(platform, "rename", "tenant", "pay", "payments")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (platform / "gitops.d").iterdir()] == ["payments.yaml"]
    assert "{name: payments} # ours" in (platform / "gitops.d/payments.yaml").read_text()
    done = run(platform, "remove", "env", "qa")
    assert done.returncode == 0, done.stderr
    assert "environments: [dev]" in (platform / "gitops.d/payments.yaml").read_text()
    done = run(platform, "remove", "env", "dev")
    assert (done.returncode, "only in environment dev: app checkout" in done.stderr) == (2, True)
    done = run(platform, "remove", "app", "checkout")
    assert done.returncode == 0, done.stderr
    done = run(platform, "remove", "tenant", "payments")
    assert done.returncode == 0, done.stderr
    assert not (platform / "gitops.d").exists()
    assert run(platform, "scaffold", "--plan", "--exit-code").returncode == 0


def test_a_tenants_new_name_leaves_the_apps_of_others_alone(platform: Path) -> None:
    """The tenant's file sorts elsewhere under the new name."""
    (platform / "gitops.d/search.yaml").write_text(PART.replace("pay", "search").replace("checkout", "find"))
    assert run(platform, "scaffold").returncode == 0
    for app in ("checkout", "find"):
        base = platform / f"apps/{app}/base/deployment.yaml"
        base.write_text(base.read_text() + f"# words of {app}\n")
    before = {path: path.read_bytes() for path in (platform / "apps").rglob("*.yaml") if "base" in path.parts}
    done = run(platform, "rename", "tenant", "pay", "zahlung")
    assert done.returncode == 0, done.stderr
    assert {path: path.read_bytes() for path in before} == before
    assert (platform / "tenants/zahlung").is_dir()
    assert run(platform, "scaffold", "--plan", "--exit-code").returncode == 0


def test_components_are_listed_renamed_and_removed(platform: Path) -> None:
    assert "cache  chart=oci:oci://ghcr.io/acme/charts/redis" in run(platform, "list", "component").stdout
    done = run(platform, "rename", "component", "cache", "redis")
    assert done.returncode == 0, done.stderr
    assert "name: redis # shared" in (platform / "gitops.yaml").read_text()
    assert not (platform / "infrastructure/controllers/cache").exists()
    assert run(platform, "scaffold", "--plan", "--exit-code").returncode == 0
    done = run(platform, "remove", "component", "redis")
    assert done.returncode == 0, done.stderr
    assert not (platform / "infrastructure").exists()


@pytest.mark.parametrize(
    "word", ["n", "yes", "on", "5", "1e3", "~", "null", "2020-01-02", "0x1", "plain", "two words: x"]
)
def test_a_word_that_is_added_is_read_as_that_word(word: str) -> None:
    text = append(
        b"spec:\n  apps:\n    - name: a\n", ("spec", "apps"), {"name": word, "answers": {word: word}}
    )
    (stream,) = read(text, "gitops.yaml").documents
    assert stream.data["spec"]["apps"][1] == {"name": word, "answers": {word: word}}
    fresh = append(b"spec: {}\n", ("spec", "apps"), {"name": word})
    assert read(fresh, "gitops.yaml").documents[0].data["spec"]["apps"] == [{"name": word}]
