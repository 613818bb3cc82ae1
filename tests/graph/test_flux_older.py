"""The older Flux APIs have no schema here: what is not known of them is listed at every depth."""

from __future__ import annotations

from gitops_layout.fields import dotted
from gitops_layout.graph.model import Graph
from tests.graph.test_link import CONFIG_MAP, SOURCE, linked

OBJECTS = """\
apiVersion: kustomize.toolkit.fluxcd.io/{kustomize}
kind: Kustomization
metadata: {{name: apps, namespace: flux-system}}
spec:
  interval: 10m
  path: ./apps
  prune: true
  sourceRef: {{kind: GitRepository, name: flux-system, foo1: x}}
  postBuild: {{substitute: {{any: name}}, substituteFrom: [{{kind: ConfigMap, name: a, optional: true, foo2: x}}]}}
  decryption: {{provider: sops, secretRef: {{name: keys}}, foo3: x}}
  dependsOn: [{{name: other}}, {{name: another, foo4: x}}]
---
apiVersion: helm.toolkit.fluxcd.io/{helm}
kind: HelmRelease
metadata: {{name: web, namespace: flux-system}}
spec:
  interval: 10m
  chart: {{spec: {{chart: ./chart, sourceRef: {{kind: GitRepository, name: flux-system, foo5: x}}}}}}
  upgrade: {{remediation: {{retries: 3, strategy: uninstall, foo6: x}}}}
  driftDetection: {{mode: enabled, ignore: [{{paths: [/a], target: {{kind: A, foo7: x}}}}]}}
  postRenderers: [{{kustomize: {{images: [{{name: a, newTag: b}}], foo8: x}}}}]
  values: {{anything: {{goes: here}}}}
"""
CHART = "apiVersion: v2\nname: chart\nversion: 1.0.0\n"


def graph_of(text: str) -> Graph:
    return linked(
        {
            "flux/source.yaml": SOURCE,
            "flux/all.yaml": text,
            "apps/a.yaml": CONFIG_MAP,
            "chart/Chart.yaml": CHART,
        }
    )


def test_a_field_that_no_older_api_has_is_listed_at_any_depth_and_no_other_is() -> None:
    for kustomize, helm in (("v1beta1", "v2beta1"), ("v1beta2", "v2beta2")):
        graph = graph_of(OBJECTS.format(kustomize=kustomize, helm=helm))
        notes = [dotted(note) for delivery in graph.deliveries for note in delivery.notes]
        assert sorted(note[-4:] for note in notes) == [f"foo{n}" for n in range(1, 9)], notes
        listed = " ".join(entry.what for entry in graph.unchecked)
        assert all(f"{note} of delivery" in listed for note in notes)


def test_a_release_of_flux_1_is_listed_as_not_seen() -> None:
    graph = graph_of(
        "apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\nmetadata: {name: old, namespace: web}\nspec: {}\n"
    )
    assert "HelmRelease web/old of helm.fluxcd.io/v1" in {entry.what for entry in graph.unchecked}
