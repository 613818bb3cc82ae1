"""Sources that the config calls folders of this repository, as a pipeline pushes them: their files are its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops_layout.agents.urls import folder_inside
from gitops_layout.cli.loading import load
from gitops_layout.graph.accounts import State, accounts
from gitops_layout.graph.model import Graph
from gitops_layout.output.graph_text import to_text

URL = "oci://registry.test/infra"
FLUX = f"""\
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {{name: infra, namespace: flux-system}}
spec: {{url: "{URL}", ref: {{tag: latest}}, ignore: "/web/left.yaml"}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: web, namespace: flux-system}}
spec: {{path: ./web, prune: true, sourceRef: {{kind: OCIRepository, name: infra}}}}
"""
CHILD = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: more, namespace: flux-system}
spec: {path: ./more, prune: true, sourceRef: {kind: OCIRepository, name: infra}}
"""
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: web}}\n"
CONFIG = f"sources: [{{url: '{URL}', checkout: infra}}]\n"


def graph_of(tmp_path: Path, files: dict[str, str], config: str = CONFIG) -> Graph:
    for name, text in {**files, ".gitops-layout.yaml": config}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return load(tmp_path).graph


def objects(graph: Graph) -> list[tuple[str, str]]:
    """Name and file of all that live deliveries bring."""
    rendered = [graph.rendered[d.id] for d in graph.deliveries if d.live]
    return sorted((item.ref.name, item.origin(()).file) for r in rendered for item in r.objects)


def test_its_files_are_delivered_and_its_agent_objects_are_there_once(tmp_path: Path) -> None:
    files = {
        "clusters/eu/web.yaml": FLUX,
        "infra/web/a.yaml": MAP.format(name="a"),
        "infra/web/child.yaml": CHILD,
        "infra/more/b.yaml": MAP.format(name="b"),
        "infra/idle/c.yaml": MAP.format(name="c"),
    }
    graph = graph_of(tmp_path, files)
    assert objects(graph) == [
        ("a", "infra/web/a.yaml"),
        ("b", "infra/more/b.yaml"),
        ("more", "infra/web/child.yaml"),
    ]
    assert [d.id for d in graph.deliveries] == [
        "flux:Kustomization/flux-system/more@eu",
        "flux:Kustomization/flux-system/web@eu",
    ]
    states = {account.file: account.state for account in accounts(graph)}
    assert {f for f in files if states[f] is not State.DELIVERED} == {"infra/idle/c.yaml"}
    assert "from another repository" not in to_text(graph)
    assert not graph.unchecked


def test_what_its_source_ignores_or_lies_beside_it_is_not_in_it(tmp_path: Path) -> None:
    kustomization = "resources: [left.yaml, ../../base]\n"
    base = {"base/kustomization.yaml": "resources: [a.yaml]\n", "base/a.yaml": MAP.format(name="a")}
    files = {"clusters/eu/web.yaml": FLUX, "infra/web/left.yaml": MAP.format(name="left"), **base}
    alone = graph_of(tmp_path, files)
    assert objects(alone) == []
    both = graph_of(tmp_path, {"infra/web/kustomization.yaml": kustomization})
    (entry,) = both.unchecked
    assert "is here, but not in Flux's artifact" in entry.why
    assert "the source holds infra alone" in entry.why


def test_an_application_takes_its_path_and_its_values_from_it(tmp_path: Path) -> None:
    application = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web, namespace: argocd}
spec:
  project: default
  destination: {name: eu, namespace: web}
  sources:
    - {repoURL: "https://git.test/acme/infra.git", targetRevision: HEAD, path: web}
    - {repoURL: "https://git.test/acme/infra.git", targetRevision: HEAD, ref: values}
    - repoURL: "https://git.test/acme/infra.git"
      path: chart
      helm: {valueFiles: [$values/values/none.yaml]}
"""
    files = {
        "apps/web.yaml": application,
        "vendor/infra/web/a.yaml": MAP.format(name="a"),
        "vendor/infra/chart/Chart.yaml": "apiVersion: v2\nname: chart\nversion: 1.0.0\n",
        "vendor/infra/values/other.yaml": "{}\n",
    }
    graph = graph_of(tmp_path, files, "sources: [{url: 'https://git.test/acme/*', checkout: 'vendor/*'}]\n")
    assert ("a", "vendor/infra/web/a.yaml") in objects(graph)
    (entry,) = graph.unchecked
    assert "value file $values/values/none.yaml does not exist (vendor/infra/values/none.yaml)" in entry.why


def test_what_the_config_calls_a_folder_says_nothing_about_other_sources(tmp_path: Path) -> None:
    git = FLUX.replace("OCIRepository", "GitRepository").replace(URL, "https://git.test/acme/fleet")
    git = (
        git.replace("name: infra", "name: fleet")
        .replace("name: web", "name: apps")
        .replace("./web", "./apps")
    )
    files = {
        "clusters/eu/web.yaml": f"{FLUX}---\n{git}",
        "infra/web/a.yaml": MAP.format(name="a"),
        "apps/b.yaml": MAP.format(name="b"),
    }
    assert objects(graph_of(tmp_path, files)) == [("a", "infra/web/a.yaml"), ("b", "apps/b.yaml")]


@pytest.mark.parametrize(
    ("folder", "url", "found"),
    [
        ("infra", "oci://r.test/x", None),
        (".", "oci://r.test/acme/x", ""),
        (".vendor/*", "oci://r.test/acme/x", ".vendor/x"),
        ("vendor/*", "oci://r.test/acme/../secret", None),
        ("vendor/*", "oci://r.test/acme/../../secret", None),
        ("*", "oci://r.test/acme/../secret", None),
        ("vendor/*/main", "oci://r.test/acme/x", "vendor/x/main"),
    ],
)
def test_a_url_stands_for_a_folder_and_leads_out_of_none(folder: str, url: str, found: str | None) -> None:
    assert folder_inside([("oci://r.test/acme/*", folder)], url) == found


GENERATED = """\
apiVersion: source.extensions.fluxcd.io/v1beta1
kind: ArtifactGenerator
metadata: {name: all, namespace: flux-system}
spec:
  sources: [{alias: repo, kind: OCIRepository, name: flux-system}]
  artifacts:
    - {name: web, copy: [{from: "@repo/apps/web/", to: "@artifact/apps/web/"}]}
---
apiVersion: source.extensions.fluxcd.io/v1beta1
kind: ArtifactGenerator
metadata: {name: each, namespace: flux-system}
spec:
  sources: [{alias: repo, kind: OCIRepository, name: flux-system}]
  pathPattern: "@repo/tenants/{name}"
  artifacts:
    - {name: "of-{name}", copy: [{from: "@repo/tenants/{name}/**", to: "@artifact/"}]}
"""
PULLED = """\
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: NAME, namespace: flux-system}
spec: {path: PATH, prune: true, sourceRef: {kind: ExternalArtifact, name: NAME}}
"""


@pytest.mark.parametrize(
    "config",
    [
        "sources: ['oci://registry.test/fleet']",
        "sources: [{url: 'oci://registry.test/fleet', checkout: kubernetes}]",
    ],
)
def test_an_artifact_made_of_what_one_folder_was_pushed_as_is_filled_from_it(
    tmp_path: Path, config: str
) -> None:
    source = (
        FLUX.partition("---")[0]
        .replace(URL, "oci://registry.test/fleet")
        .replace("name: infra", "name: flux-system")
    )
    pulled = PULLED.replace("NAME", "web").replace("PATH", "./apps/web")
    files = {
        "kubernetes/clusters/eu/all.yaml": source
        + "---\n"
        + GENERATED
        + pulled
        + PULLED.replace("NAME", "of-a").replace("PATH", "./"),
        "kubernetes/apps/web/b.yaml": MAP.format(name="b"),
        "kubernetes/tenants/a/c.yaml": MAP.format(name="c"),
        "apps.yaml": "{}\n",
    }
    graph = graph_of(tmp_path, files, f"{config}\n")
    assert objects(graph) == [("b", "kubernetes/apps/web/b.yaml"), ("c", "kubernetes/tenants/a/c.yaml")]
    assert not graph.unchecked
