"""Applications: which sources count, how each is rendered, and what they bring together."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gitops_layout.graph.link import link
from gitops_layout.graph.model import Graph
from gitops_layout.model import UncheckedClass
from gitops_layout.render.build import Renders
from gitops_layout.repo.load import from_files
from tests.agents.trees import OWN, application, config_map, tree


def linked(files: dict[str, str]) -> Graph:
    repo = from_files(files)  # type: ignore[arg-type]
    return link(repo, render=Renders(repo))


def names(graph: Graph, id_: str = "argocd:Application/argocd/web@argo") -> list[str]:
    return [item.ref.name for item in graph.rendered[id_].objects]


def test_every_source_of_an_application_is_rendered_and_the_last_of_equal_objects_counts():
    sources = [{"repoURL": OWN, "path": "a"}, {"repoURL": OWN, "path": "b"}]
    graph = linked(
        tree(
            {"sources": sources},
            {
                "a/one.yaml": config_map("one", v="a"),
                "a/both.yaml": config_map("both", v="a"),
                "b/kustomization.yaml": "resources: [both.yaml]\n",
                "b/both.yaml": config_map("both", v="b"),
            },
        )
    )
    (delivery,) = graph.deliveries
    assert [part.renderer for part in delivery.parts] == ["directory", "kustomize"]
    rendered = graph.rendered[delivery.id]
    assert [(item.ref.name, item.data["data"]["v"]) for item in rendered.objects] == [
        ("one", "a"),
        ("both", "b"),
    ]
    assert rendered.objects[1].origin(("data", "v")).file == "b/both.yaml"
    assert [item.origin(()).file for item in rendered.repeated] == ["a/both.yaml"]
    assert {"a/one.yaml", "a/both.yaml", "b/both.yaml"} <= graph.live
    assert graph.unchecked == ()


def test_sources_that_lie_elsewhere_are_named_one_by_one_while_the_others_render():
    sources = [
        {"repoURL": "https://charts.example.test", "chart": "db", "targetRevision": "1.0.0"},
        {"repoURL": OWN, "path": "a"},
        {"repoURL": "https://git.example.test/other/repo", "path": "x", "name": "extra"},
    ]
    graph = linked(tree({"sources": sources}, {"a/one.yaml": config_map("one")}))
    assert names(graph) == ["one"]
    entries = [(entry.kind, entry.what.partition(", ")[2], entry.location) for entry in graph.unchecked]
    root = graph.deliveries[0].root
    assert entries == [
        (UncheckedClass.EXTERNAL, "source 1 of 3", root.at("spec", "sources", 0, "chart")),
        (UncheckedClass.EXTERNAL, "source 3 of 3", root.at("spec", "sources", 2)),
    ]
    assert all(entry.delivery == graph.deliveries[0].id for entry in graph.unchecked)


def test_a_list_of_sources_outranks_the_single_one_as_in_argo_cd():
    spec = {"source": {"repoURL": OWN, "path": "a"}, "sources": [{"repoURL": OWN, "path": "b"}]}
    graph = linked(tree(spec, {"a/x.yaml": config_map("a"), "b/x.yaml": config_map("b")}))
    assert names(graph) == ["b"]


def test_a_source_that_is_only_referred_to_renders_nothing():
    sources = [{"repoURL": OWN, "ref": "values"}, {"repoURL": OWN, "path": "a"}]
    graph = linked(tree({"sources": sources}, {"a/x.yaml": config_map("a"), "top.yaml": config_map("top")}))
    assert names(graph) == ["a"]
    assert graph.deliveries[0].parts == ()


def test_a_hydrated_application_is_rendered_from_its_dry_source():
    hydrator = {
        "drySource": {
            "repoURL": OWN,
            "path": "dry",
            "targetRevision": "main",
            "directory": {"recurse": True},
        },
        "syncSource": {"targetBranch": "env/prod", "path": "prod"},
    }
    graph = linked(tree({"sourceHydrator": hydrator}, {"dry/sub/x.yaml": config_map("dry")}))
    assert names(graph) == ["dry"]
    (delivery,) = graph.deliveries
    assert delivery.options["syncSource"]["targetBranch"] == "env/prod"
    assert delivery.notes == ()


@pytest.mark.parametrize(
    ("source", "files", "renderer"),
    [
        ({}, {"a/Chart.yaml": "name: a\n", "a/kustomization.yaml": "resources: []\n"}, "kustomize"),
        (
            {"helm": {"releaseName": "b"}},
            {"a/Chart.yaml": "name: a\n", "a/kustomization.yaml": "resources: []\n"},
            "chart",
        ),
        ({}, {"a/kustomization.yml": "resources: [x.yaml]\n"}, "kustomize"),
        ({}, {}, "directory"),
        ({"directory": {"recurse": True}}, {"a/Chart.yaml": "name: a\n"}, "directory"),
        ({"directory": {"recurse": False}}, {"a/Chart.yaml": "name: a\n"}, "chart"),
        ({"directory": {"include": "x.yaml"}}, {"a/Chart.yaml": "name: a\n"}, "directory"),
        ({"kustomize": {}}, {}, "directory"),
        ({"plugin": {"name": "cmp"}}, {"a/Chart.yaml": "name: a\n"}, "none"),
        ({}, {"a/.argocd-source.yaml": "kustomize: {namePrefix: x-}\n"}, "kustomize"),
    ],
)
def test_the_renderer_is_what_the_options_or_else_the_files_say(
    source: dict[str, Any], files: dict[str, str], renderer: str
):
    graph = linked(
        tree({"source": {"repoURL": OWN, "path": "a", **source}}, {"a/x.yaml": config_map("x"), **files})
    )
    assert graph.deliveries[0].renderer == renderer


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (
            {"source": {"helm": {"values": "a: 1"}, "kustomize": {"namePrefix": "x-"}}},
            "options for helm and kustomize",
        ),
        ({"sources": [{"ref": "v"}, {"ref": "v"}, {"path": "a"}]}, "two sources are called v"),
        ({"sources": [{"ref": "v/w"}, {"path": "a"}]}, "letters, digits"),
    ],
)
def test_what_argo_cd_refuses_is_broken_and_not_rendered(spec: dict[str, Any], why: str):
    for source in (*spec.get("sources", ()), *filter(None, [spec.get("source")])):
        source |= {"repoURL": OWN}
    spec.get("source", {}).setdefault("path", "a")
    graph = linked(tree(spec, {"a/x.yaml": config_map("a")}))
    assert [entry.kind for entry in graph.unchecked] == [UncheckedClass.BROKEN]
    assert why in graph.unchecked[0].why


def test_an_application_that_only_a_patch_makes_whole_counts_where_it_is_included():
    piece = {"source": {"path": "a"}}
    patch = json.dumps([{"op": "add", "path": "/spec/source/repoURL", "value": OWN}])
    files = {
        "boot/kustomization.yaml": "resources: [on.yaml]\npatches:\n- target: {kind: Application}\n"
        f"  patch: '{patch}'\n",
        "boot/on.yaml": application(piece, name="on"),
        "boot/off.yaml": application(piece, name="off"),
        "a/x.yaml": config_map("x"),
    }
    graph = linked(tree({"source": {"repoURL": OWN, "path": "boot"}}, files))
    found = {delivery.name: delivery for delivery in graph.deliveries}
    assert [name for name, delivery in found.items() if delivery.live] == ["on", "web"]
    assert found["on"].source.local
    assert names(graph, found["on"].id) == ["x"]
    assert [graph.reaches(entry) for entry in graph.unchecked] == [False]


def test_every_field_of_an_application_is_understood_or_listed():
    spec = {
        "source": {
            "repoURL": OWN,
            "path": "a",
            "kustomize": {"version": "v4.5.7", "namePrefix": "", "nameSuffix": "-x", "novel": 1},
        },
        "revisionHistoryLimit": 3,
        "info": [],
        "ignoreDifferences": [],
        "syncPolicy": {
            "automated": {"prune": True, "selfHeal": True, "allowEmpty": False, "enabled": True},
            "syncOptions": ["CreateNamespace=true", "ServerSideApply=true"],
            "managedNamespaceMetadata": {"labels": {}},
            "retry": {"limit": 1, "backoff": {}, "refresh": True, "patience": 2},
        },
        "wonder": 1,
    }
    graph = linked(tree(spec, {"a/kustomization.yaml": "resources: [x.yaml]\n", "a/x.yaml": config_map("x")}))
    (delivery,) = graph.deliveries
    assert delivery.notes == (
        ("spec", "wonder"),
        ("spec", "syncPolicy", "retry", "patience"),
        ("spec", "source", "kustomize", "version"),
        ("spec", "source", "kustomize", "novel"),
    )
    assert delivery.sync.options == ("CreateNamespace=true", "ServerSideApply=true")
    assert names(graph) == ["x-x"]


def test_children_without_a_namespace_live_where_their_parent_delivers():
    child = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "child"}}
    source = {"repoURL": OWN, "path": "b", "targetRevision": "main"}
    files = tree(
        {
            "source": {"repoURL": OWN, "path": "a", "targetRevision": "main"},
            "destination": {"name": "in-cluster", "namespace": "openshift-gitops"},
        },
        {
            "a/child.yaml": json.dumps({**child, "spec": {"project": "default", "source": source}}),
            "b/map.yaml": config_map("c"),
        },
    )
    found = [delivery.id for delivery in linked(files).deliveries]
    assert "argocd:Application/openshift-gitops/child@argo" in found
    assert "argocd:Application/argocd/child@argo" not in found


def test_applications_of_a_set_that_share_a_name_are_made_by_nobody():
    elements = [{"e": "a", "f": "1"}, {"e": "b", "f": "2"}, {"e": "a", "f": "3"}]
    source = {"repoURL": OWN, "path": "k", "targetRevision": "v1"}
    template = {
        "metadata": {"name": "l-{{.e}}"},
        "spec": {
            "project": "default",
            "source": source,
            "destination": {"name": "in-cluster", "namespace": "n{{.f}}"},
        },
    }
    spec = {"goTemplate": True, "generators": [{"list": {"elements": elements}}], "template": template}
    metadata = {"name": "s", "namespace": "argocd"}
    resource = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": metadata,
        "spec": spec,
    }
    graph = linked({"set.yaml": json.dumps(resource), "k/a.yaml": config_map("a")})
    assert [delivery.name for delivery in graph.deliveries] == ["l-b"]
    (entry,) = graph.unchecked
    assert entry.kind is UncheckedClass.BROKEN
    assert "an Application l-a: {f=1} and {f=3}" in entry.why
