"""What an AppProject permits, as Argo CD's documentation and code say it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gitops_layout.agents.argocd.project import (
    Project,
    inherited,
    permits_destination,
    permits_kind,
    permits_namespace,
    permits_source,
    project,
)
from gitops_layout.checks.projects import not_permitted
from gitops_layout.graph.link import link
from gitops_layout.model import Location, ObjectRef
from gitops_layout.render.build import Renders
from gitops_layout.repo.load import from_files
from gitops_layout.repo.model import Resource
from tests.agents.trees import OWN, config_map, tree


def made(**spec: Any) -> Project:
    ref = ObjectRef("argoproj.io/v1alpha1", "AppProject", "argocd", "team")
    return project(Resource(ref, {"metadata": {"name": "team"}, "spec": spec}, Location("p.yaml")))


@pytest.mark.parametrize(
    ("repos", "url", "permitted"),
    [
        ([], "https://git.example.test/a/b", False),
        (["*"], "https://git.example.test/a/b", True),
        (["https://git.example.test/a/*"], "https://git.example.test/a/b.git", True),
        (["https://git.example.test/*"], "https://git.example.test/a/b", False),
        (["https://git.example.test/**"], "https://GIT.example.test/A/b", True),
        (["git@git.example.test:a/*"], "ssh://git@git.example.test/a/b", True),
        (["!https://git.example.test/a/**"], "https://git.example.test/other/b", True),
        (["!https://git.example.test/a/**"], "https://git.example.test/a/b", False),
        (["*", "!https://git.example.test/a/b"], "https://git.example.test/a/b", False),
        (["!https://git.example.test/a/b", "*"], "https://git.example.test/a/b", False),
    ],
)
def test_source_repositories(repos: list[str], url: str, permitted: bool):
    assert permits_source(made(sourceRepos=repos), url) is permitted


SERVER = "https://prod.example.test"


@pytest.mark.parametrize(
    ("destinations", "namespace", "permitted"),
    [
        ([], "shop", False),
        ([{"server": "*", "namespace": "*"}], "shop", True),
        ([{"server": SERVER, "namespace": "shop-*"}], "shop-eu", True),
        ([{"server": SERVER, "namespace": "shop-*"}], "payments", False),
        ([{"name": "prod", "namespace": "shop"}], "shop", True),
        ([{"name": "!prod", "namespace": "*"}, {"server": "*", "namespace": "*"}], "shop", False),
        ([{"server": f"!{SERVER}", "namespace": "*"}, {"name": "*", "namespace": "*"}], "shop", False),
        ([{"server": "*", "namespace": "!kube-system"}], "kube-system", False),
        ([{"server": "*", "namespace": "!kube-system"}], "shop", True),
        (
            [{"server": "*", "namespace": "*"}, {"server": "*", "namespace": "!kube-system"}],
            "kube-system",
            False,
        ),
    ],
)
def test_destinations(destinations: list[dict[str, str]], namespace: str, permitted: bool):
    found = permits_destination(
        made(destinations=destinations), server=SERVER, name="prod", namespace=namespace
    )
    assert found is permitted


def test_a_cluster_of_which_only_the_name_is_known_has_the_benefit_of_the_doubt():
    by_server = made(destinations=[{"server": SERVER, "namespace": "shop"}])
    assert permits_destination(by_server, server=None, name="prod", namespace="shop")
    assert not permits_destination(by_server, server=None, name="prod", namespace="other")
    by_name = made(destinations=[{"name": "staging", "namespace": "shop"}])
    assert not permits_destination(by_name, server=None, name="prod", namespace="shop")


@pytest.mark.parametrize(
    ("spec", "kind", "namespaced", "permitted"),
    [
        ({}, "ConfigMap", True, True),
        ({}, "Namespace", False, False),
        ({"clusterResourceWhitelist": [{"group": "*", "kind": "*"}]}, "Namespace", False, True),
        (
            {"clusterResourceWhitelist": [{"group": "", "kind": "Name*", "name": "team-*"}]},
            "Namespace",
            False,
            True,
        ),
        (
            {"clusterResourceWhitelist": [{"group": "", "kind": "Namespace", "name": "x"}]},
            "Namespace",
            False,
            False,
        ),
        (
            {
                "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
                "clusterResourceBlacklist": [{"group": "", "kind": "Namespace"}],
            },
            "Namespace",
            False,
            False,
        ),
        ({"namespaceResourceWhitelist": []}, "ConfigMap", True, False),
        ({"namespaceResourceWhitelist": [{"group": "", "kind": "ConfigMap"}]}, "Secret", True, False),
        ({"namespaceResourceBlacklist": [{"group": "", "kind": "Secret"}]}, "Secret", True, False),
        ({"namespaceResourceBlacklist": [{"group": "", "kind": "Secret"}]}, "ConfigMap", True, True),
    ],
)
def test_kinds(spec: dict[str, Any], kind: str, namespaced: bool, permitted: bool):
    found = permits_kind(made(**spec), group="", kind=kind, name="team-a", namespaced=namespaced)
    assert found is permitted


def test_applications_stand_in_argo_cds_namespace_or_in_those_that_the_project_names():
    team = made(sourceNamespaces=["team-*", "/^squad-[0-9]+$/"])
    assert [n for n in ("argocd", "team-a", "squad-7", "squad-x", "other") if permits_namespace(team, n)] == [
        "argocd",
        "team-a",
        "squad-7",
    ]
    assert not permits_namespace(made(), "team-a")
    assert permits_namespace(made(), "openshift-gitops", own="openshift-gitops")


def test_a_global_project_adds_what_it_permits_to_those_that_its_labels_select():
    own = made(namespaceResourceWhitelist=[{"group": "", "kind": "Secret"}])
    both = inherited(
        own, made(namespaceResourceWhitelist=[{"group": "", "kind": "ConfigMap"}], sourceRepos=["*"])
    )
    kinds = [
        permits_kind(both, group="", kind=k, name="x", namespaced=True)
        for k in ("Secret", "ConfigMap", "Pod")
    ]
    assert kinds == [True, True, False]
    assert permits_source(both, OWN)


PROJECT = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "AppProject",
    "metadata": {"name": "shop", "namespace": "argocd", "labels": {"common": "yes"}},
    "spec": {
        "sourceRepos": ["https://other.example.test/**"],
        "destinations": [{"server": "*", "namespace": "shop"}],
    },
}
COMMON = {**PROJECT, "metadata": {"name": "common", "namespace": "argocd"}, "spec": {"sourceRepos": ["**"]}}
GLOBAL = "- {projectName: common, labelSelector: {matchLabels: {common: 'yes'}}}"


@pytest.mark.parametrize(
    ("settings", "hits"), [(None, 0), ("", 1), (GLOBAL, 0)], ids=["unknown", "none", "common"]
)
def test_a_labelled_project_is_judged_only_where_the_global_projects_are_known(
    settings: str | None, hits: int
):
    files = tree({"source": {"repoURL": OWN, "path": "a"}, "project": "shop"}, {"a/x.yaml": config_map("x")})
    files |= {"argo/shop.yaml": json.dumps(PROJECT), "argo/common.yaml": json.dumps(COMMON)}
    if settings is not None:
        files["argo/cm.yaml"] = config_map("argocd-cm", globalProjects=settings)
    repo = from_files(files)  # type: ignore[arg-type]
    graph = link(repo, render=Renders(repo))
    assert len(list(not_permitted(graph, {}))) == hits


def test_roles_and_orphaned_resources_are_read_and_wrong_types_count_as_absent():
    found = made(
        roles=[{"name": "dev", "policies": ["p, a"], "groups": ["x", 1]}, 7],
        orphanedResources={"ignore": []},
        sourceRepos="*",
        destinations={"server": "*"},
    )
    assert [(role.name, role.policies, role.groups) for role in found.roles] == [("dev", ("p, a",), ("x",))]
    assert (found.orphaned, found.source_repos, found.destinations) == (True, (), ())
    assert made().orphaned is None
