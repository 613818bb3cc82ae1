"""Which repository a path belongs to, and what an environment desires."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gitops_layout.cli.loading import find_root, load
from gitops_layout.cli.rendering import desired_objects
from gitops_layout.errors import UserError
from gitops_layout.model import UncheckedClass

GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@example.test")


def test_the_root_is_the_nearest_config_spec_or_git_top_level(tmp_path: Path):
    (tmp_path / "deep/er").mkdir(parents=True)
    assert find_root(tmp_path / "deep/er") == tmp_path / "deep/er"
    subprocess.run([*GIT, "init", "-q", tmp_path], check=True)
    assert find_root(tmp_path / "deep/er") == tmp_path
    (tmp_path / "deep/gitops.yaml").write_text("")
    assert find_root(tmp_path / "deep/er") == tmp_path / "deep"


def test_a_mirror_is_its_own_root_whatever_lies_above_it(tmp_path: Path):
    (tmp_path / "gitops.yaml").write_text("")
    subprocess.run([*GIT, "init", "-q", "--bare", tmp_path / "mirror"], check=True)
    assert find_root(tmp_path / "mirror") == tmp_path / "mirror"


def test_an_environment_desires_its_deliveries_objects_and_no_agent_objects(tmp_path: Path):
    for environment in ("dev", "prod"):
        folder = tmp_path / f"clusters/{environment}"
        folder.mkdir(parents=True)
        (folder / "web.yaml").write_text(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
            f"metadata: {{name: web, namespace: flux-system}}\nspec: {{path: ./apps/{environment}, targetNamespace: web,"
            " sourceRef: {kind: GitRepository, name: flux-system}}\n"
        )
        app = tmp_path / f"apps/{environment}"
        app.mkdir(parents=True)
        (app / "a.yaml").write_text(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {environment}}}\n")
    objects, unchecked = desired_objects(tmp_path, None, "dev")
    assert [data["metadata"] for data, _ in objects] == [{"name": "dev", "namespace": "web"}]
    assert [location.file for _, location in objects if location] == ["apps/dev/a.yaml"]
    assert unchecked == []
    with pytest.raises(UserError, match="known environments: dev, prod"):
        desired_objects(tmp_path, None, "qa")


APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web, namespace: argocd}
spec:
  destination: {server: https://kubernetes.default.svc, namespace: web-dev}
  source: {repoURL: https://example.test/acme/fleet, path: web}
  syncPolicy:
    managedNamespaceMetadata: {labels: {team: shop}}
    syncOptions: [CreateNamespace=true]
"""


def test_the_namespaces_that_the_agent_would_create_are_desired(tmp_path: Path):
    config_map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"
    for file, text in {
        ".gitops-layout.yaml": "environments: [{name: dev, paths: [clusters/dev/**]}]\n",
        "clusters/dev/web.yaml": APPLICATION,
        "web/a.yaml": config_map % "a" + "---\n" + config_map % "b, namespace: argocd",
    }.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    objects, unchecked = desired_objects(tmp_path, None, "dev")
    assert unchecked == []
    assert [data["metadata"] for data, _ in objects if data["kind"] == "Namespace"] == [
        {"name": "argocd"},
        {"name": "web-dev", "labels": {"team": "shop"}},
    ]


FLEET = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: infra, namespace: flux-system}
spec: {url: "https://example.test/acme/infra"}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: infra, namespace: flux-system}
spec: {path: ./web, sourceRef: {kind: GitRepository, name: infra}}
"""


def split(tmp_path: Path, source: str) -> Path:
    """A fleet that asks for another repository, which lies beside it."""
    for file, text in {
        "fleet/clusters/prod/infra.yaml": FLEET,
        "fleet/.gitops-layout.yaml": f"sources: [{source}]\n",
        "acme/infra/web/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: web}\n",
        "secret/web/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: mine, namespace: web}\n",
    }.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    return tmp_path / "fleet"


@pytest.mark.parametrize(
    "source",
    [
        '{url: "https://example.test/acme/infra", checkout: ../acme/infra}',
        '{url: "https://example.test/acme/*", checkout: "../acme/*"}',
    ],
)
def test_split_repositories_are_one_graph_when_the_user_says_so(tmp_path: Path, source: str):
    graph = load(split(tmp_path, source), beside=True).graph
    assert [str(item.ref) for item in graph.rendered[graph.deliveries[0].id].objects] == [
        "v1/ConfigMap/web/a"
    ]
    assert graph.unchecked == ()


def test_a_repositorys_own_config_leads_to_nothing_outside_of_it(tmp_path: Path):
    root = split(tmp_path, '{url: "https://example.test/acme/infra", checkout: ../secret}')
    (root / "link").symlink_to(tmp_path / "secret")
    for checkout in ("../secret", "link", str(tmp_path / "secret")):
        (root / ".gitops-layout.yaml").write_text(
            f"sources: [{{url: 'https://example.test/acme/*', checkout: '{checkout}'}}]\n"
        )
        [entry] = load(root).graph.unchecked
        assert entry.kind is UncheckedClass.EXTERNAL
        assert entry.subject == ("source", "https://example.test/acme/infra")
        assert f"--checkouts reads {checkout}, which lies outside this repository" in entry.why


def test_a_url_does_not_climb_out_of_the_folder_that_the_config_names(tmp_path: Path):
    root = split(tmp_path, '{url: "https://example.test/acme/*", checkout: "../acme/*"}')
    hostile = FLEET.replace("acme/infra", "acme/../secret")
    (root / "clusters/prod/infra.yaml").write_text(hostile)
    [entry] = load(root, beside=True).graph.unchecked
    assert "its checkout ../acme/* is not there" in entry.why
