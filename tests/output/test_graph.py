"""A Graph in its printed forms."""

from __future__ import annotations

import json

from gitops_layout.output.graph import to_dot, to_json, to_mermaid, to_text
from tests.graph.test_link import APPS, FLEET, linked

CHILD = APPS.replace("name: apps", "name: second").replace("spec:", "spec:\n  dependsOn: [{name: apps}]")
FILES = {**FLEET, "clusters/prod-eu/second.yaml": CHILD}


def test_text_says_what_is_delivered_where():
    lines = to_text(linked(FILES)).splitlines()
    assert lines[0] == "flux:Kustomization/flux-system/apps@prod-eu  prod  apps/web/envs/prod  1 objects"
    assert lines[-1] == "kustomize:Kustomization//apps/old@  apps/old  1 objects  (no agent reaches it)"


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
    assert data["environments"] == [{"name": "prod", "tier": "prod", "reason": "path"}]
