"""The options that an Application has for kustomize and for folders, as Argo CD hands them on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gitops_layout.agents.argocd.globs import matches
from gitops_layout.graph.link import link
from gitops_layout.graph.model import Graph
from gitops_layout.model import UncheckedClass
from gitops_layout.render.build import Renders
from gitops_layout.repo.load import from_files
from tests.agents.trees import OWN, config_map, tree

WEB = "argocd:Application/argocd/web@argo"
DEPLOYMENT = json.dumps(
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            },
        },
    }
)
KUSTOMIZED = {"a/kustomization.yaml": "resources: [web.yaml]\n", "a/web.yaml": DEPLOYMENT}


def linked(files: dict[str, str]) -> Graph:
    repo = from_files(files)  # type: ignore[arg-type]
    return link(repo, render=Renders(repo))


def kustomized(options: dict[str, Any], files: dict[str, str] | None = None) -> Graph:
    source = {"repoURL": OWN, "path": "a", "targetRevision": "v7", "kustomize": options}
    return linked(tree({"source": source}, {**KUSTOMIZED, **(files or {})}))


def web(graph: Graph) -> dict[str, Any]:
    (item,) = graph.rendered[WEB].objects
    return item.data


def test_images_replicas_and_forced_annotations_are_written_with_the_build_environment_filled_in():
    options = {
        "images": ["web=registry.example.test/$ARGOCD_APP_NAME:${ARGOCD_APP_SOURCE_TARGET_REVISION}"],
        "replicas": [{"name": "web", "count": "3"}],
        "commonAnnotations": {"from": "$ARGOCD_APP_SOURCE_PATH", "cost": "$$5"},
        "commonAnnotationsEnvsubst": True,
        "forceCommonAnnotations": True,
    }
    text = "resources: [web.yaml]\ncommonAnnotations: {from: here}\nreplicas: [{name: web, count: 2}]\n"
    data = web(kustomized(options, {"a/kustomization.yaml": text}))
    assert data["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example.test/web:v7"
    assert data["spec"]["replicas"] == 3
    assert data["metadata"]["annotations"] == {"from": "a", "cost": "$5"}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("web=reg/new:*", "reg/new:1"),
        ("web=*:2", "reg/web:2"),
        ("web:*@sha256:aa", "web:1@sha256:aa"),
        ("web=reg/new", "reg/new:latest"),
        ("other:*", "reg/web:1"),
        ("=web:3", "web:3"),
    ],
)
def test_a_star_in_an_image_keeps_what_the_kustomization_says(wanted: str, found: str):
    # What `kustomize edit set image` of v5.8.1 makes of each.
    text = "resources: [web.yaml]\nimages: [{name: web, newName: reg/web, newTag: '1'}]\n"
    files = {"a/kustomization.yaml": text, "a/web.yaml": DEPLOYMENT.replace("web:1", "web:latest")}
    data = web(kustomized({"images": [wanted]}, files))
    assert data["spec"]["template"]["spec"]["containers"][0]["image"] == found


@pytest.mark.parametrize("wanted", ["other:2", "web=*:*"])
def test_of_two_entries_for_an_image_the_first_stays(wanted: str):
    text = "resources: [web.yaml]\nimages: [{name: web, newTag: '7'}, {name: web, newName: reg/web}]\n"
    data = web(kustomized({"images": [wanted]}, {"a/kustomization.yaml": text}))
    assert data["spec"]["template"]["spec"]["containers"][0]["image"] == "web:7"


def test_an_image_that_sets_nothing_is_refused_as_kustomize_refuses_it():
    (entry,) = kustomized({"images": ["web"]}).unchecked
    assert entry.kind is UncheckedClass.BROKEN
    assert entry.why.endswith("refuses 'web', which sets no name, tag or digest")


@pytest.mark.parametrize(
    ("flags", "selector", "template"),
    [
        ({}, {"app": "web", "team": "web"}, {"app": "web", "team": "web"}),
        ({"labelWithoutSelector": True}, {"app": "web"}, {"app": "web"}),
        (
            {"labelWithoutSelector": True, "labelIncludeTemplates": True},
            {"app": "web"},
            {"app": "web", "team": "web"},
        ),
    ],
)
def test_labels_reach_selectors_and_templates_as_the_flags_say(
    flags: dict[str, bool], selector: dict[str, str], template: dict[str, str]
):
    data = web(kustomized({"commonLabels": {"team": "$ARGOCD_APP_NAME"}, **flags}))
    assert data["metadata"]["labels"] == {"team": "web"}
    assert data["spec"]["selector"]["matchLabels"] == selector
    assert data["spec"]["template"]["metadata"]["labels"] == template


def test_a_label_that_the_kustomization_has_is_refused_without_force():
    text = "resources: [web.yaml]\ncommonLabels: {team: other}\n"
    options = {"commonLabels": {"team": "web"}}
    graph = kustomized(options, {"a/kustomization.yaml": text})
    (entry,) = graph.unchecked
    assert entry.kind is UncheckedClass.BROKEN
    assert "has team already" in entry.why
    assert entry.location == graph.deliveries[0].root.at("spec", "source", "kustomize")
    forced = kustomized({**options, "forceCommonLabels": True}, {"a/kustomization.yaml": text})
    assert web(forced)["metadata"]["labels"] == {"team": "web"}


def test_components_that_are_missing_are_left_out_only_when_the_application_says_so():
    files = {"c/on/kustomization.yaml": "kind: Component\nnamePrefix: x-\n"}
    wanted = {"components": ["../c/off", "../c/on"]}
    assert kustomized(wanted, files).rendered[WEB].failure is not None
    data = web(kustomized({**wanted, "ignoreMissingComponents": True}, files))
    assert data["metadata"]["name"] == "x-web"
    bare = kustomized({**wanted, "ignoreMissingComponents": True}, {**files, "c/off/notes.txt": ""})
    assert bare.rendered[WEB].failure is not None  # the folder is all that Argo CD looks for


def folder(options: dict[str, Any], files: dict[str, str]) -> list[str]:
    source = {"repoURL": OWN, "path": "a", "directory": options}
    return [item.ref.name for item in linked(tree({"source": source}, files)).rendered[WEB].objects]


FOLDER = {
    "a/b.yaml": config_map("b"),
    "a/x/b.yaml": config_map("x-b"),
    "a/x/c.json": config_map("x-c"),
    "a/x.yaml": config_map("x"),
    "a/notes.yaml": "just: notes\n---\n- [\n",
    "a/off.yaml": f"# +argocd:skip-file-rendering\n{config_map('off')}",
    "a/d.txt": config_map("d"),
}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["b", "x"]),
        ({"recurse": True}, ["b", "x-b", "x-c", "x"]),
        ({"recurse": True, "include": "b.yaml"}, ["b"]),
        ({"recurse": True, "include": "*b.yaml"}, ["b", "x-b"]),
        ({"recurse": True, "exclude": "{x/*,b.yaml}"}, ["x"]),
        ({"recurse": True, "include": "x/*", "exclude": "**/c.json"}, ["x-b"]),
        ({"include": "d.txt", "disableExtensionFilter": True}, ["d"]),
    ],
)
def test_a_folder_is_read_in_argo_cds_order_with_its_globs(options: dict[str, Any], expected: list[str]):
    assert (
        folder({"jsonnet": {}, **options}, {k: v for k, v in FOLDER.items() if k != "a/notes.yaml"})
        == expected
    )


def test_a_file_that_looks_like_no_manifest_is_passed_over_and_a_broken_manifest_fails():
    assert folder({}, {"a/b.yaml": config_map("b"), "a/notes.yaml": "- [\n"}) == ["b"]
    source = {"repoURL": OWN, "path": "a"}
    broken = "apiVersion: v1\nkind: ConfigMap\nmetadata: [\n"
    graph = linked(tree({"source": source}, {"a/b.yaml": config_map("b"), "a/c.yaml": broken}))
    assert graph.rendered[WEB].failure is not None


def test_jsonnet_is_named_and_the_manifests_beside_it_are_rendered():
    source = {"repoURL": OWN, "path": "a"}
    graph = linked(tree({"source": source}, {"a/b.yaml": config_map("b"), "a/c.jsonnet": "{}"}))
    assert [item.ref.name for item in graph.rendered[WEB].objects] == ["b"]
    (entry,) = graph.unchecked
    assert (entry.kind, entry.what) == (UncheckedClass.EXTERNAL, "objects of a/c.jsonnet")
    assert "a/c.jsonnet" in graph.live


@pytest.mark.parametrize(
    ("pattern", "text", "separators", "expected"),
    [
        ("*", "a/b", "", True),
        ("*", "a/b", "/", False),
        ("**", "a/b", "/", True),
        ("a/*/c", "a/b/c", "/", True),
        ("a/**", "a/b/c", "/", True),
        ("{a,b{c,d}}.yaml", "bd.yaml", "", True),
        ("{a,b}.yaml", "c.yaml", "", False),
        ("[!a-c]x", "dx", "", True),
        ("[!a-c]x", "bx", "", False),
        ("[abc]?", "c/", "/", False),
        (r"a\*", "a*", "", True),
        (r"a\*", "ab", "", False),
        ("{a", "{a", "", False),
        ("[a", "[a", "", False),
        ("a" + "*a" * 60, "a" * 300 + "b", "", False),
    ],
)
def test_globs_are_those_of_argo_cd(pattern: str, text: str, separators: str, expected: bool):
    assert matches(pattern, text, separators) is expected


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"commonAnnotations": {"a": True}}, "commonAnnotations.a is no text"),
        ({"commonLabels": {"a": 1}}, "commonLabels.a is no text"),
        ({"namePrefix": 1}, "namePrefix is no text"),
        ({"images": ["web:2", 2]}, "images.1 is no text"),
    ],
)
def test_options_that_the_api_server_refuses_are_not_left_out_in_silence(options: dict[str, Any], said: str):
    graph = kustomized(options)
    (entry,) = graph.unchecked
    assert entry.kind is UncheckedClass.BROKEN
    assert entry.why.startswith(said)
    assert graph.rendered[WEB].failure == entry
