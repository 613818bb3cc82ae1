"""A Graph in its printed forms."""

from __future__ import annotations

import json

import pytest

from gitops_layout.errors import UserError
from gitops_layout.output.graph import to_dot, to_json, to_mermaid
from gitops_layout.output.graph_text import explained, to_text
from tests.graph.test_link import APPS, FLEET, linked

CHILD = APPS.replace("name: apps", "name: second").replace("spec:", "spec:\n  dependsOn: [{name: apps}]")
FILES = {**FLEET, "clusters/prod-eu/second.yaml": CHILD}


def test_text_is_a_tree_a_cluster_with_what_no_agent_reaches_after_it():
    text = to_text(linked(FILES))
    assert (
        text
        == """\
.: 3 deliveries, 6 objects, 1 cluster, 1 environment: prod (prod)

cluster prod-eu · environment prod
  Kustomization flux-system/flux-system  clusters/prod-eu · 4 objects from 4 files · every 10m
  ├─ Kustomization flux-system/apps      apps/web/envs/prod · 1 object from 3 files · every 10m
  └─ Kustomization flux-system/second    apps/web/envs/prod · 1 object from 3 files · every 10m · after flux-system/apps

no agent reaches 1 delivery
  apps/old  1 object

everything that an agent reaches was seen
"""
    )


def test_every_delivery_says_why_it_is_live_where_it_is_and_what_it_pulls():
    text = explained(linked(FILES))
    assert "environment prod (prod): folder apps/web/envs/prod (2), folder clusters/prod-eu (1)" in text
    assert (
        """\
flux:Kustomization/flux-system/apps@prod-eu
  live         flux:Kustomization/flux-system/flux-system@prod-eu brings its object
  environment  prod: folder apps/web/envs/prod
  source       this repository: most paths that are asked of https://example.test/acme/fleet.git exist here
"""
        in text
    )
    assert "  dead         not reached: no agent object names it" in text


def test_a_name_narrows_what_is_explained_to_a_place_or_a_delivery():
    graph = linked(FILES)
    apps = "flux:Kustomization/flux-system/apps@prod-eu"
    assert explained(graph, ["flux-system/apps"]) == explained(graph, ["apps"]) == explained(graph, [apps])
    assert explained(graph, ["apps"]).startswith(f"{apps}\n  live ")
    assert explained(graph, ["apps"]).count("  live ") == 1
    place = explained(graph, ["prod-eu"])
    assert place.startswith("cluster prod-eu: folder clusters/prod-eu\n")
    assert (place.count("  live "), place.count("  dead ")) == (3, 0)
    with pytest.raises(UserError) as refused:
        explained(graph, ["prod-er"])
    assert "prod-er" in refused.value.message
    assert refused.value.hint == "did you mean prod-eu?"


def test_diagrams_show_deliveries_of_deliveries_and_dependencies():
    graph = linked(FILES)
    assert "d1 --> d0" in to_mermaid(graph)
    assert "d2 -.-> d0" in to_mermaid(graph)
    dot = to_dot(graph)
    assert (
        '"flux:Kustomization/flux-system/flux-system@prod-eu" -> "flux:Kustomization/flux-system/apps@prod-eu";'
        in dot
    )
    assert '-> "flux:Kustomization/flux-system/apps@prod-eu" [style=dashed];' in dot


def test_names_cannot_break_out_of_a_diagram():
    files = {
        path.replace("prod-eu", 'a"]-->b'): text.replace("prod-eu", 'a"]-->b') for path, text in FLEET.items()
    }
    graph = linked(files)
    assert 'a"]' not in to_mermaid(graph)
    assert '"a\\"]-->b"' in to_dot(graph)


def test_json_names_the_place_of_each_delivery():
    data = json.loads(to_json(linked(FILES)))
    apps = data["deliveries"][0]
    assert (apps["file"], apps["line"], apps["live"]) == ("clusters/prod-eu/apps.yaml", 1, True)
    assert apps["objects"] == ["v1/ConfigMap/web/settings"]
    assert [(e["name"], e["tier"], e["reason"]) for e in data["environments"]] == [("prod", "prod", "path")]
    assert apps["because"]["live"] == "flux:Kustomization/flux-system/flux-system@prod-eu brings its object"


def test_text_tells_of_a_chart_of_agents_objects_that_nothing_installs():
    files = {
        "envs/Chart.yaml": "apiVersion: v2\nname: envs\nversion: 1.0.0\n",
        "envs/templates/web.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: Application\n",
        "a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
    }
    text = to_text(linked(files))
    assert "external: 1 of its templates make agents' objects" in text
    rollout = files["envs/templates/web.yaml"].replace("Application", "Rollout")
    wrapper = {"a/charts/b/Chart.yaml": "name: b\n", "a/Chart.yaml": "name: a\n"}
    text = to_text(linked(files | wrapper | {"envs/templates/web.yaml": rollout}))
    assert "nothing that was seen installs 1 chart\n  envs  1 object" in text
    assert text.endswith("no delivery seen here installs 1 chart: a\n\nall else that is delivered was seen\n")


def test_a_repository_that_delivers_nothing_is_not_said_to_be_seen():
    text = to_text(linked({"web/Chart.yaml": "name: web\n", "web/values.yaml": "a: 1\n"}))
    assert text.endswith(
        "no delivery seen here installs 1 chart: web\n\n"
        "nothing is delivered: no agent object, kustomization or manifest says what\n"
    )


SET = """\
apiVersion: fluxcd.controlplane.io/v1
kind: ResourceSet
metadata: {name: pulls, namespace: flux-system}
spec:
  inputsFrom: [%s]
  resources:
    - {apiVersion: v1, kind: ConfigMap, metadata: {name: "pr-<< inputs.id >>", namespace: web}}
"""
PROVIDER = """\
apiVersion: fluxcd.controlplane.io/v1
kind: ResourceSetInputProvider
metadata: {name: pulls, namespace: flux-system}
spec: {type: GitHubPullRequest, url: "https://example.test/acme/web"}
"""


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        (
            "{name: pulls}",
            "the inputs of provider pulls (GitHubPullRequest) come from outside the repository",
        ),
        ("{selector: {matchLabels: {no: one}}}", "no ResourceSetInputProvider that was seen gives it inputs"),
    ],
)
def test_a_resource_set_whose_inputs_are_not_here_says_so_instead_of_no_objects(inputs: str, why: str):
    files = {**FLEET, "clusters/prod-eu/set.yaml": SET % inputs, "clusters/prod-eu/provider.yaml": PROVIDER}
    text = to_text(linked(files))
    (line,) = [line for line in text.splitlines() if "ResourceSet flux-system/pulls " in line]
    assert f"not seen: {why}" in line
    assert "0 objects" not in text


def test_another_revision_of_this_repository_that_an_agent_follows_is_told_in_every_form():
    url = "https://example.test/acme/fleet.git"
    source = (
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\n"
        f"metadata: {{name: old, namespace: flux-system}}\nspec: {{url: '{url}', ref: {{tag: v1.0}}}}\n"
    )
    pinned = APPS.replace("name: apps", "name: pinned", 1).replace(
        "GitRepository, name: flux-system", "GitRepository, name: old"
    )
    graph = linked({**FLEET, "clusters/prod-eu/old.yaml": f"{source}---\n{pinned}"})
    text = to_text(graph)
    assert " apps/web/envs/prod · follows v1.0 · " in text
    assert (
        "shown is this tree, but what an agent follows may hold something else\n  v1.0: 1 delivery\n" in text
    )
    assert text.endswith("everything that an agent reaches was seen, as this tree has it\n")
    assert "; the agent follows v1.0, and what is shown is this tree\n" in explained(graph)
    follows = {d["id"]: d["source"]["follows"] for d in json.loads(to_json(graph))["deliveries"]}
    assert {name for name, revision in follows.items() if revision} == {
        "flux:Kustomization/flux-system/pinned@prod-eu"
    }
