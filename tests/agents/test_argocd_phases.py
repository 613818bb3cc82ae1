"""When Argo CD applies an object: phases and waves, as the graph tells them and rules read them."""

from __future__ import annotations

import json

import pytest

from gitops_layout.agents.argocd.phases import phases, wave
from gitops_layout.lint.facts import delivery_data, facts
from gitops_layout.output.graph import to_json
from gitops_layout.output.graph_text import to_text
from tests.graph.test_link import linked

ARGO, HELM = "argocd.argoproj.io/hook", "helm.sh/hook"


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, ("Sync",)),
        ({ARGO: "PreSync"}, ("PreSync",)),
        ({ARGO: "PostSync, PreSync,PostSync"}, ("PreSync", "PostSync")),
        ({ARGO: "Skip"}, ()),
        ({ARGO: "Skip,PreSync"}, ("PreSync",)),
        ({ARGO: "presync"}, ()),
        ({ARGO: "presync", HELM: "pre-install"}, ("PreSync",)),
        ({ARGO: "PostSync", HELM: "pre-install"}, ("PostSync",)),
        ({HELM: "crd-install"}, ("Sync",)),
        ({HELM: "post-upgrade,post-install"}, ("PostSync",)),
        ({HELM: "test"}, ()),
        ({ARGO: ["PreSync"]}, ("Sync",)),
    ],
)
def test_the_phases_of_an_object_are_those_of_its_hooks(annotations: object, expected: tuple[str, ...]):
    assert phases({"metadata": {"annotations": annotations}}) == expected


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, 0),
        ({"argocd.argoproj.io/sync-wave": "-5"}, -5),
        ({"argocd.argoproj.io/sync-wave": "soon", "helm.sh/hook-weight": "3"}, 3),
        ({"argocd.argoproj.io/sync-wave": "1", "helm.sh/hook-weight": "3"}, 1),
        ({"argocd.argoproj.io/sync-wave": "9" * 100}, 0),
        ("none", 0),
    ],
)
def test_the_wave_of_an_object_is_a_whole_number(annotations: object, expected: int):
    assert wave({"metadata": {"annotations": annotations}}) == expected


ROOT = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: %s, namespace: argocd, annotations: {argocd.argoproj.io/sync-wave: "%d"}}
spec:
  destination: {namespace: web, server: https://kubernetes.default.svc}
  source: {repoURL: https://example.test/acme/fleet, path: %s, targetRevision: main}
"""


def config_map(name: str, annotation: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, annotations: {{{annotation}}}}}\n"


FILES = {
    "root.yaml": ROOT % ("root", 0, "apps"),
    "apps/web.yaml": ROOT % ("web", 3, "web"),
    "web/a.yaml": config_map("a", f"{ARGO}: PreSync"),
    "web/b.yaml": config_map("b", "argocd.argoproj.io/sync-wave: '2'"),
    "web/c.yaml": config_map("c", ""),
    "web/d.yaml": config_map("d", f"{ARGO}: Skip"),
}


def test_the_graph_shows_in_which_order_an_application_is_applied():
    graph = linked(FILES)
    (line,) = (line for line in to_text(graph).splitlines() if "argocd/web" in line)
    assert line.endswith("in wave 3 · waves 0, 2, PreSync 1")
    web = json.loads(to_json(graph))["deliveries"][1]
    assert web["wave"] == 3
    assert web["steps"] == [
        {"phase": "PreSync", "wave": 0, "objects": ["v1/ConfigMap/web/a"]},
        {"phase": "Sync", "wave": 0, "objects": ["v1/ConfigMap/web/c"]},
        {"phase": "Sync", "wave": 2, "objects": ["v1/ConfigMap/web/b"]},
    ]
    root, _ = graph.deliveries
    assert next(line for line in to_text(graph).splitlines() if "argocd/root" in line).endswith(" · waves 3")
    assert delivery_data(root)["wave"] == 0


def test_what_argo_cd_is_told_to_skip_is_not_delivered():
    mixed = config_map("e", f"{ARGO}: 'Skip,PostSync'")
    graph = linked({**FILES, "web/e.yaml": mixed})
    (web,) = (delivery for delivery in graph.deliveries if delivery.name == "web")
    assert [item.ref.name for item in graph.rendered[web.id].objects] == ["a", "b", "c", "e"]


def test_rules_read_phases_and_waves_as_facts():
    (item, *_) = linked(FILES).rendered["argocd:Application/argocd/web@"].objects
    assert facts(frozenset({"phases", "wave"}), item.data) == {"phases": ["PreSync"], "wave": 0}
