"""Apps that are Helm charts: published ones and their own, in every environment at its own version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from gitops_layout.errors import UserError
from gitops_layout.spec import parse
from tests.helm.conftest import helm
from tests.scaffold.command import run
from tests.scaffold.specs import APPS, CHARTS, COMPONENTS, LINT, OWN_CHART, TENANT, data

__all__ = ["helm"]


@pytest.fixture(params=["flux", "argocd"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    body = data(request.param, apps=[*APPS, *CHARTS, OWN_CHART])
    (tmp_path / "gitops.yaml").write_text(yaml.safe_dump(body))
    done = run(tmp_path, "scaffold")
    assert done.returncode == 0, done.stderr
    return tmp_path


@pytest.mark.usefixtures("helm")
def test_what_is_made_lints_clean_with_the_published_charts_declared(root: Path) -> None:
    done = run(root, *LINT, "--format", "json")
    said = json.loads(done.stdout)
    assert (done.returncode, said["findings"]) == (0, [])
    assert len(said["coverage"]["unchecked"]) == 6
    assert all("fetch" in item["accepted"] for item in said["coverage"]["unchecked"])


@pytest.mark.usefixtures("helm")
def test_an_own_chart_gets_the_version_and_the_values_of_its_environment(root: Path) -> None:
    done = run(root, "promote", "shop", "--to", "dev", "--version", "1.5.0")
    assert done.returncode == 0, done.stderr
    seen: dict[str, tuple[str, int, dict[str, str]]] = {}
    rendered = run(root, "render", "--all", "--format", "json")
    objects = json.loads(rendered.stdout)
    for item in objects:
        name, namespace = item["metadata"]["name"], item["metadata"].get("namespace")
        if (item["kind"], name) == ("Deployment", "shop"):
            image = item["spec"]["template"]["spec"]["containers"][0]["image"]
            [settings] = [
                other["data"]
                for other in objects
                if (other["kind"], other["metadata"]["name"]) == ("ConfigMap", "shop-settings")
                and other["metadata"].get("namespace") == namespace
            ]
            seen[namespace] = (image, item["spec"]["replicas"], settings)
    settings = {"LOG_LEVEL": "info"}
    assert seen == {
        "shop-dev": ("ghcr.io/acme/shop:1.5.0", 1, settings),
        "shop-staging": ("ghcr.io/acme/shop:1.4.0", 1, settings),
        "shop": ("ghcr.io/acme/shop:1.4.0", 2, settings),
    }


@pytest.mark.parametrize("app", ["cache", "db", "shop"])
def test_the_version_of_a_chart_is_promoted_like_an_images(root: Path, app: str) -> None:
    done = run(root, "promote", app, "--to", "dev", "--version", "23.0.1")
    assert done.returncode == 0, done.stderr
    done = run(root, "promote", app, "--to", "staging")
    assert done.returncode == 0, done.stderr
    rows = json.loads(run(root, "skew", app, "--format", "json").stdout)["apps"]
    assert [(row["environment"], row["version"], row["standing"]) for row in rows] == [
        ("dev", "23.0.1", "first"),
        ("staging", "23.0.1", "same"),
        ("prod", {"cache": "22.1.0", "db": "1.2.3", "shop": "1.4.0"}[app], "behind"),
    ]
    assert run(root, "scaffold", "--plan", "--exit-code").returncode == 0


@pytest.mark.usefixtures("helm")
@pytest.mark.parametrize("app", ["cache", "db", "shop"])
def test_what_a_version_changes_in_the_cluster_is_said_as_a_version(root: Path, app: str) -> None:
    old = {"cache": "22.1.0", "db": "1.2.3", "shop": "1.4.0"}[app]
    done = run(root, "promote", app, "--to", "dev", "--version", "23.0.1", "--plan")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if " -> " in line]
    agent = "argocd" if (root / "clusters/lab/bootstrap").exists() else "flux"
    if agent == "argocd" and app != "shop":
        assert lines == [f"    spec.sources[0].targetRevision: {old} -> 23.0.1"]
    elif app != "shop":
        assert len(lines) == 1
        assert lines[0].endswith(f"{old} -> 23.0.1")
    # A chart of one's own is rendered with its values; under Flux they are a ConfigMap that gets another name.
    image = (
        f"    spec.template.spec.containers[shop].image: ghcr.io/acme/shop:{old} -> ghcr.io/acme/shop:23.0.1"
    )
    assert (image in lines) == (app == "shop")
    assert ("what the chart makes of it was not compared" in done.stdout) == (app != "shop")


def test_a_published_chart_has_no_other_versions_than_those_of_charts(root: Path) -> None:
    done = run(root, "promote", "db", "--to", "dev", "--version", "nightly-3")
    assert (done.returncode, "not the version of a chart" in done.stderr) == (2, True)


def test_charts_are_added_by_their_url(root: Path) -> None:
    done = run(root, "add", "app", "queue2", "--chart", "https://charts.example.com/nats:2.0.0")
    assert done.returncode == 0, done.stderr
    last = yaml.safe_load((root / "gitops.yaml").read_text())["spec"]["apps"][-1]
    chart = {"repo": "https://charts.example.com", "name": "nats", "version": "2.0.0"}
    assert last == {"name": "queue2", "chart": chart}
    assert "chart: nats" in (root / ".gitops-layout.yaml").read_text()
    done = run(root, "add", "app", "more", "--chart", "oci://ghcr.io/acme/charts/more")
    assert (done.returncode, "names no version" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("app", "changes", "words"),
    [
        ({"name": "x", "kind": "helm"}, {}, "names no chart"),
        ({"name": "x", "kind": "chart", "chart": CHARTS[0]["chart"]}, {}, "of kind chart names a chart"),
        ({**CHARTS[0], "image": "a/b:1.0"}, {}, "set by its values"),
        ({"name": "x", "chart": {"oci": "oci://a.b/c", "version": ">=1"}}, {}, "not an exact version"),
        ({"name": "x", "chart": {"repo": "https://a.b", "version": "1.0.0"}}, {}, "a chart lies at"),
        (OWN_CHART, {"layout": "platform"}, "publish the chart"),
        (CHARTS[0], {**TENANT, "agent": "argocd"}, "holds no Application"),
    ],
)
def test_charts_that_cannot_be_delivered_are_refused(
    app: dict[str, object], changes: dict[str, object], words: str
) -> None:
    agent = str(changes.get("agent", "flux"))
    given = {key: value for key, value in changes.items() if key != "agent"}
    body = data(agent, **{**given, "apps": [app]})
    with pytest.raises(UserError, match=words):
        parse({**body, "spec": {key: value for key, value in body["spec"].items() if value is not None}})


@pytest.mark.parametrize("agent", ["flux", "argocd"])
def test_components_come_first_and_are_promoted_too(agent: str, tmp_path: Path) -> None:
    (tmp_path / "gitops.yaml").write_text(yaml.safe_dump(data(agent, components=COMPONENTS)))
    assert run(tmp_path, "scaffold").returncode == 0
    done = run(tmp_path, *LINT)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    done = run(tmp_path, "promote", "cert-manager", "--to", "dev", "--version", "v1.21.0")
    assert done.returncode == 0, done.stderr
    assert "\n~ " in done.stdout
    rows = json.loads(run(tmp_path, "skew", "cert-manager", "--format", "json").stdout)["apps"]
    versions = [("dev", "v1.21.0"), ("staging", "v1.20.0"), ("prod", "v1.20.0")]
    assert [(row["environment"], row["version"]) for row in rows] == versions
    if agent == "flux":
        app = yaml.safe_load((tmp_path / "clusters/eu/apps/prod/web.yaml").read_text())
        assert app["spec"]["dependsOn"] == [{"name": "infra-configs"}]
        configs = yaml.safe_load((tmp_path / "clusters/eu/infrastructure/configs.yaml").read_text())
        assert configs["spec"]["dependsOn"] == [{"name": "infra-controllers"}]


def test_a_component_shares_neither_name_nor_namespace_with_an_app() -> None:
    for changed, words in (({"name": "web"}, "same name"), ({"namespace": "web"}, "share namespace web")):
        with pytest.raises(UserError, match=words):
            parse(data("flux", components=[{**COMPONENTS[0], **changed}]))
