"""After `fetch`, what lay outside is rendered like the rest, offline."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gitops_layout.store.lock import LOCK, dump, read
from tests.fetch.support import Git, Registry, Server, application, archive, chart, environment, fetch, write
from tools.controlplane import tool

HELM = tool("helm") or shutil.which("helm")  # before a test changes where caches are
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{v: '1'}}\n"


def config_map(name: str) -> str:
    return CONFIG_MAP.format(name=name)


def render(root: Path, folder: str = ".") -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "gitops_layout", "render", folder],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
        env=environment(),
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def remote(upstream: Git, tmp_path: Path) -> str:
    """An https URL that git's own configuration leads to the server on loopback."""
    url = "https://git.example.test/acme/platform"
    (tmp_path / "home/.gitconfig").write_text(f'[url "{upstream.url}"]\n  insteadOf = {url}\n')
    return url


def test_a_fetched_base_renders_with_what_it_refers_to(root: Path, upstream: Git, remote: str) -> None:
    upstream.commit(
        {
            "deploy/overlay/kustomization.yaml": "resources: [../base]\nnamePrefix: up-\n",
            "deploy/base/kustomization.yaml": "resources: [a.yaml]\n",
            "deploy/base/a.yaml": config_map("a"),
        }
    )
    upstream.git("tag", "v1")
    text = f"{remote}//deploy/overlay?ref=v1"
    write(
        root,
        {
            "app/kustomization.yaml": f"resources:\n- {text}\n- b.yaml\nnamespace: web\n",
            "app/b.yaml": config_map("b"),
        },
    )
    code, printed = render(root, "app")
    assert code == 3
    assert "is remote" in printed

    assert fetch(root)[:2] == (0, {text: "fetched"})

    code, printed = render(root, "app")
    assert code == 0, printed
    assert "name: up-a\n  namespace: web" in printed
    assert "name: b\n  namespace: web" in printed


def test_a_base_of_a_base_is_fetched_and_rendered_too(
    root: Path, upstream: Git, remote: str, charts: Server
) -> None:
    charts.files["/crds.yaml"] = config_map("crds").encode()
    upstream.commit(
        {
            "base/kustomization.yaml": f"resources: [a.yaml, '{charts.url}/crds.yaml']\n",
            "base/a.yaml": config_map("a"),
        }
    )
    text = f"{remote}//base?ref=main"
    write(root, {"kustomization.yaml": f"resources:\n- {text}\n"})

    code, status, printed = fetch(root)

    assert (code, status) == (0, {text: "fetched", f"{charts.url}/crds.yaml": "fetched"}), printed
    charts.files.clear()
    assert fetch(root)[:2] == (0, dict.fromkeys(status, "kept"))
    code, printed = render(root)
    assert code == 0, printed
    assert "name: a\n" in printed
    assert "name: crds\n" in printed


@pytest.mark.parametrize("reference", ["../../../../../secret", "../../secret.yaml", "/etc/passwd"])
def test_a_fetched_base_reads_nothing_of_the_repository_that_uses_it(
    root: Path, upstream: Git, remote: str, reference: str
) -> None:
    upstream.commit({"base/kustomization.yaml": f"resources: ['{reference}']\n"})
    text = f"{remote}//base?ref=main"
    secret = {"secret/kustomization.yaml": "resources: [s.yaml]\n", "secret/s.yaml": config_map("secret")}
    write(
        root,
        {"app/kustomization.yaml": f"resources:\n- {text}\n", "secret.yaml": config_map("secret"), **secret},
    )
    assert fetch(root)[0] == 0

    code, printed = render(root, "app")

    assert code == 3
    assert "was fetched, but" in printed
    assert "v: '1'" not in printed


def test_the_walk_of_a_hostile_base_ends(root: Path, upstream: Git, remote: str) -> None:
    text = f"{remote}//base?ref=main"
    upstream.commit({"base/kustomization.yaml": f"resources: ['{text}', ., ../base]\n"})
    write(root, {"kustomization.yaml": f"resources:\n- {text}\n"})
    assert fetch(root)[0] == 0
    code, printed = render(root)
    assert code == 3, printed
    assert "Traceback" not in printed


def test_a_lock_that_cannot_be_read_is_an_error_with_its_line(root: Path) -> None:
    write(
        root,
        {
            "kustomization.yaml": "resources: [a.yaml]\n",
            "a.yaml": config_map("a"),
            ".gitops-layout/fetch.lock.yaml": "entries: []\nversion: x\n",
        },
    )
    code, printed = render(root)
    assert code == 2
    assert ".gitops-layout/fetch.lock.yaml:2:10" in printed


def test_a_lock_cannot_put_something_else_in_place_of_a_local_base(
    root: Path, upstream: Git, remote: str
) -> None:
    upstream.commit(
        {"base/kustomization.yaml": "resources: [a.yaml]\n", "base/a.yaml": config_map("fetched")}
    )
    text = f"{remote}//base?ref=main"
    write(
        root,
        {
            "app/kustomization.yaml": f"resources: [../base, '{text}']\n",
            "base/kustomization.yaml": "resources: [b.yaml]\n",
            "base/b.yaml": config_map("local"),
        },
    )
    fetch(root)
    lock = root / LOCK
    (entry,) = read(lock.read_bytes()).entries
    lock.write_bytes(dump([entry, replace(entry, reference=replace(entry.reference, url="../base"))]))

    code, printed = render(root, "app")

    assert code == 0, printed
    assert "name: local\n" in printed
    assert "name: fetched\n" in printed


RELEASE = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {{name: charts, namespace: web}}
spec: {{interval: 1h, url: '{url}'}}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {{name: shop, namespace: web}}
spec:
  interval: 1h
  chart: {{spec: {{chart: web, version: 1.x, sourceRef: {{kind: HelmRepository, name: charts}}}}}}
"""


def use_helm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put helm on the path, or skip."""
    if HELM is None:
        reason = "no helm: `make controlplane` builds it"
        if "controlplane" in os.environ.get("GITOPS_LAYOUT_REQUIRE", "").split(","):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    monkeypatch.setenv("PATH", f"{Path(HELM).parent}{os.pathsep}{os.environ['PATH']}")


def test_a_fetched_chart_renders_with_real_helm(
    root: Path, charts: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_helm(monkeypatch)
    charts.serve({"web": {"1.2.0": chart("web", "1.2.0")}})
    write(root, {"web.yaml": RELEASE.format(url=charts.url)})
    delivery = "flux:HelmRelease/web/shop@"
    code, printed = render(root, delivery)
    assert code == 3
    assert "chart not fetched" in printed
    assert fetch(root)[:2] == (0, {"web": "fetched"})
    charts.files.clear()

    code, printed = render(root, delivery)

    assert code == 0, printed
    assert "name: shop\n" in printed


FOREIGN = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {{name: platform, namespace: flux-system}}
spec: {{interval: 5m, url: '{url}', ref: {{tag: v1}}}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: platform, namespace: flux-system}}
spec:
  interval: 5m
  path: ./deploy
  prune: true
  targetNamespace: shop
  sourceRef: {{kind: GitRepository, name: platform}}
"""


def test_a_delivery_from_a_fetched_repository_renders_with_the_agents_steps(
    root: Path, upstream: Git
) -> None:
    upstream.commit({"deploy/a.yaml": config_map("a"), "deploy/sub/b.yaml": config_map("b")})
    upstream.git("tag", "v1")
    write(
        root,
        {
            "platform.yaml": FOREIGN.format(url=upstream.url),
            "shop.yaml": application(
                "shop", f"{{repoURL: '{upstream.url}', path: deploy, targetRevision: v1}}"
            ),
        },
    )
    flux, argocd = "flux:Kustomization/flux-system/platform@", "argocd:Application/argocd/shop@"
    assert render(root, flux)[0] == 3

    code, _, printed = fetch(root)

    assert code == 0, printed
    assert printed.count('"status": "fetched"') == 2
    code, printed = render(root, flux)
    assert code == 0, printed
    assert "name: a\n  namespace: shop" in printed
    assert "name: b\n  namespace: shop" in printed  # Flux takes the folders below, too
    code, printed = render(root, argocd)
    assert code == 0, printed
    assert "name: a\n" in printed
    assert "name: b\n" not in printed  # Argo CD does not, unless told to recurse
    done = subprocess.run(
        [sys.executable, "-m", "gitops_layout", "render", flux, "--format=json", "--origins"],
        cwd=root, capture_output=True, text=True, check=True, timeout=180, env=environment(),
    )  # fmt: skip
    places = {(o["file"], o["line"]) for row in json.loads(done.stdout) for o in row["origins"].values()}
    assert places == {("platform.yaml", 11)}


def test_a_fetched_repository_that_does_not_build_is_unchecked_with_the_reason(
    root: Path, upstream: Git
) -> None:
    upstream.commit({"deploy/kustomization.yaml": "resources: [gone.yaml]\n"})
    upstream.git("tag", "v1")
    write(root, {"platform.yaml": FOREIGN.format(url=upstream.url)})
    assert fetch(root)[0] == 0
    code, printed = render(root, "flux:Kustomization/flux-system/platform@")
    assert code == 3
    assert f"{upstream.url} was fetched, but gone.yaml does not exist" in printed
    assert "platform.yaml" in printed


def test_what_a_fetched_repository_delivers_is_fetched_in_the_same_run(
    root: Path, upstream: Git, charts: Server, tmp_path: Path
) -> None:
    charts.serve({"web": {"1.0.0": chart("web", "1.0.0")}})
    upstream.commit(
        {
            "deploy/release.yaml": application(
                "web", f"{{repoURL: '{charts.url}', chart: web, targetRevision: 1.x}}"
            )
        }
    )
    upstream.git("tag", "v1")
    write(root, {"platform.yaml": FOREIGN.format(url=upstream.url)})

    assert fetch(root)[:2] == (0, {"web": "fetched", upstream.url: "fetched"})

    lock = (root / LOCK).read_bytes()
    charts.serve({"web": {"1.0.0": chart("web", "1.0.0"), "1.1.0": chart("web", "1.1.0")}})
    (tmp_path / "cache").rename(
        tmp_path / "gone"
    )  # the first round does not see the chart, its pin must stay
    assert fetch(root)[:2] == (0, {"web": "fetched", upstream.url: "fetched"})
    assert (root / LOCK).read_bytes() == lock


def test_what_a_foreign_path_refers_to_is_fetched_too(root: Path, upstream: Git, charts: Server) -> None:
    charts.files["/crds.yaml"] = config_map("crds").encode()
    upstream.commit({"deploy/kustomization.yaml": f"resources: ['{charts.url}/crds.yaml']\n"})
    upstream.git("tag", "v1")
    write(root, {"platform.yaml": FOREIGN.format(url=upstream.url)})

    assert fetch(root)[:2] == (0, {upstream.url: "fetched", f"{charts.url}/crds.yaml": "fetched"})

    code, printed = render(root, "flux:Kustomization/flux-system/platform@")
    assert code == 0, printed
    assert "name: crds\n  namespace: shop" in printed


def test_lint_sees_through_a_fetched_base_and_still_wants_its_reference_pinned(
    root: Path, upstream: Git, remote: str
) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: c, image: 'x.test/c:latest'}]}\n"
    upstream.commit({"base/kustomization.yaml": "resources: [pod.yaml]\n", "base/pod.yaml": pod})
    write(root, {"kustomization.yaml": f"resources:\n- {remote}//base?ref=main\n"})

    def lint() -> tuple[set[str], list[str]]:
        command = [sys.executable, "-m", "gitops_layout", "lint", "--format=json"]
        done = subprocess.run(
            command, cwd=root, capture_output=True, text=True, check=False, timeout=180, env=environment()
        )
        report = json.loads(done.stdout)
        rules = {finding["rule"] for finding in report["findings"]}
        return rules, [entry["what"] for entry in report["coverage"]["unchecked"]]

    rules, unchecked = lint()
    assert "V001" not in rules
    assert unchecked == ["delivery kustomize:Kustomization//.@"]

    assert fetch(root)[0] == 0

    rules, unchecked = lint()
    assert {"V001", "V006"} <= rules
    assert unchecked == []


SOURCES = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: shop, namespace: argocd}}
spec:
  project: default
  destination: {{name: in-cluster, namespace: shop}}
  sources:
    - {chart}
      helm:
        valueFiles:
          - $values/envs/base.yaml
          - $values/envs/prod*.yaml
    - {{repoURL: '{values}', ref: values, targetRevision: main}}
"""
TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data:
  color: {{ .Values.color }}
  size: {{ .Values.size }}
"""
CHART = {"Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n", "templates/settings.yaml": TEMPLATE}
VALUES = {"envs/base.yaml": "color: red\nsize: small\n", "envs/prod-eu.yaml": "\nsize: large\n"}
SHOP = "argocd:Application/argocd/shop@"


def shown(root: Path) -> dict[str, tuple[str, int]]:
    """Where the values of the one object of the Application stand."""
    done = subprocess.run(
        [sys.executable, "-m", "gitops_layout", "render", SHOP, "--format=json", "--origins"],
        cwd=root, capture_output=True, text=True, check=False, timeout=180, env=environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = json.loads(done.stdout)
    assert row["object"]["data"] == {"color": "red", "size": "large"}
    places = {name: row["origins"][f"/data/{name}"] for name in ("color", "size")}
    return {name: (place["file"], place["line"]) for name, place in places.items()}


IN_CHART = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: shop, namespace: argocd}}
spec:
  project: default
  destination: {{name: in-cluster, namespace: shop}}
  source:
    repoURL: '{url}'
    chart: web
    targetRevision: 1.0.0
    helm:
      valueFiles: [values-production.yaml]
      fileParameters: [{{name: color, path: files/color.txt}}]
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {{name: charts, namespace: shop}}
spec: {{interval: 1h, url: '{url}'}}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {{name: web, namespace: shop}}
spec:
  interval: 1h
  chart:
    spec:
      chart: web
      version: 1.0.0
      valuesFiles: [values.yaml, values-production.yaml]
      sourceRef: {{kind: HelmRepository, name: charts}}
"""


def test_value_files_in_a_fetched_chart_give_values(
    root: Path, charts: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_helm(monkeypatch)
    files = {
        **CHART,
        "values.yaml": "color: grey\nsize: small\n",
        "values-production.yaml": "size: huge\n",
        "files/color.txt": "blue",
    }
    charts.serve({"web": {"1.0.0": archive({f"web/{name}": text for name, text in files.items()})}})
    write(root, {"shop.yaml": IN_CHART.format(url=charts.url)})
    assert fetch(root)[0] == 0

    code, printed = render(root, SHOP)
    assert code == 0, printed
    assert "color: blue" in printed
    assert "size: huge" in printed

    code, printed = render(root, "flux:HelmRelease/shop/web@")
    assert code == 0, printed
    assert "color: grey" in printed
    assert "size: huge" in printed

    text = (root / "shop.yaml").read_text()
    (root / "shop.yaml").write_text(text.replace("values-production.yaml", "gone.yaml"))
    for delivery in (SHOP, "flux:HelmRelease/shop/web@"):
        code, printed = render(root, delivery)
        assert code == 3
        assert "gone.yaml does not exist" in printed


def test_values_of_a_fetched_repository_render_a_chart_and_stand_where_they_are_named(
    root: Path, upstream: Git, charts: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_helm(monkeypatch)
    charts.serve({"web": {"1.0.0": archive({f"web/{name}": text for name, text in CHART.items()})}})
    upstream.commit(VALUES)
    named = f"repoURL: '{charts.url}'\n      chart: web\n      targetRevision: 1.0.0"
    write(root, {"shop.yaml": SOURCES.format(chart=named, values=upstream.url)})
    code, printed = render(root, SHOP)
    assert code == 3, printed
    assert fetch(root)[0] == 0
    charts.files.clear()
    # A chart from outside has no lines here, so all of it stands where the Application names it.
    assert {file for file, _ in shown(root).values()} == {"shop.yaml"}

    write(root, {"chart/" + name: text for name, text in CHART.items()})
    own = "repoURL: 'https://example.test/acme/fleet'\n      path: chart"
    write(root, {"shop.yaml": SOURCES.format(chart=own, values=upstream.url)})
    assert shown(root) == {"color": ("shop.yaml", 12), "size": ("shop.yaml", 13)}


def test_a_chart_of_a_fetched_repository_takes_the_values_of_this_one(
    root: Path, upstream: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_helm(monkeypatch)
    upstream.commit({f"charts/web/{name}": text for name, text in CHART.items()})
    here = "https://example.test/acme/fleet"
    named = f"repoURL: '{upstream.url}'\n      path: charts/web\n      targetRevision: main"
    files = {"shop.yaml": SOURCES.format(chart=named, values=here), **VALUES}
    write(root, {**files, ".gitops-layout.yaml": f"sources: ['{here}']\n"})
    assert render(root, SHOP)[0] == 3
    assert fetch(root)[0] == 0
    assert shown(root) == {"color": ("envs/base.yaml", 1), "size": ("envs/prod-eu.yaml", 2)}

    write(root, {"envs/prod-eu.yaml": "size: [\n"})
    code, printed = render(root, SHOP)
    assert code == 3
    assert "envs/prod-eu.yaml" in printed


def test_value_files_of_a_fetched_repository_lead_out_of_nothing(
    root: Path, upstream: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_helm(monkeypatch)
    upstream.commit(VALUES)
    own = "repoURL: 'https://example.test/acme/fleet'\n      path: chart"
    shop = SOURCES.format(chart=own, values=upstream.url).replace(
        "$values/envs/base.yaml", "$values/../secret.yaml"
    )
    write(root, {"shop.yaml": shop, **{"chart/" + name: text for name, text in CHART.items()}})
    assert fetch(root)[0] == 0
    code, printed = render(root, SHOP)
    assert code == 3
    assert "value file $values/../secret.yaml leads out of the repository" in printed


def test_a_chart_that_argo_cd_pulls_as_an_artifact_is_rendered_after_fetch(
    root: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_helm(monkeypatch)
    registry.push("charts/web", "1.5.0", chart("web", "1.5.0"))
    url = f"oci://{registry.host}/charts/web"
    source = f"{{repoURL: '{url}', targetRevision: 1.5.0, path: .}}"
    write(root, {"apps/web.yaml": application("web", source)})
    assert fetch(root)[0] == 0

    code, printed = render(root, "argocd:Application/argocd/web@apps")

    assert code == 0, printed
    assert "kind: ConfigMap" in printed
