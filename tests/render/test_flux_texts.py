"""Flux makes texts of numbers and booleans in the kustomization that it is pointed to, which kustomize refuses.

What is expected here is what sigs.k8s.io/yaml v1.6.0 made of the same text in kustomize's types.
"""

from __future__ import annotations

import pytest

from gitops_layout.graph.link import link
from gitops_layout.render.build import Renders
from gitops_layout.repo.load import from_files

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: c}\nspec: {containers: [{name: a, image: x:1}]}\n"


def rendered(agent: str, fields: str, own: str = CONFIG):
    """What an agent's object that points to a kustomization with these fields delivers."""
    pointing = {
        "flux": "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: k, namespace: flux-system}\n"
        "spec: {interval: 5m, prune: true, path: ./k, sourceRef: {kind: GitRepository, name: flux-system}}\n",
        "argocd": "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: k, namespace: argocd}\n"
        "spec: {project: default, destination: {name: in-cluster}, source: {repoURL: https://x.example/r.git, path: k}}\n",
    }
    files = {
        "clusters/prod/k.yaml": pointing[agent],
        "k/kustomization.yaml": f"resources: [c.yaml]\n{fields}\n",
        "k/c.yaml": own,
    }
    repo = from_files(files)
    graph = link(repo, render=Renders(repo))
    (found,) = (item for item in graph.rendered.values() if "k@" in item.delivery)
    return graph, found


@pytest.mark.parametrize(
    ("written", "text"),
    [("true", "true"), ("n", "false"), ("1.50", "1.5"), ("0x10", "16"), ("010", "8"), ("1e3", "1000"), ("1234567.5", "1.2345675e+06"),
     ("12345e7", "1.2345e+11"), ("20240101", "20240101"), ("0.00001", "1e-05"), ("1.23456789", "1.2345679"), ("'n'", "n"), ("~", "")],
)  # fmt: skip
def test_values_become_the_texts_that_flux_makes_of_them(written, text):
    _, found = rendered("flux", f"commonAnnotations: {{a: {written}}}")
    assert found.failure is None
    assert found.objects[0].data["metadata"]["annotations"] == {"a": text}


def test_a_tag_loses_its_zero_and_keeps_its_place():
    graph, found = rendered("flux", "images:\n- name: x\n  newTag: 1.10", POD)
    path = ("spec", "containers", 0, "image")
    assert found.objects[0].data["spec"]["containers"][0]["image"] == "x:1.1"
    where = found.objects[0].origin(path)
    assert (where.file, graph.repo.span(where).line) == ("k/kustomization.yaml", 4)


@pytest.mark.parametrize(
    ("agent", "fields"),
    [
        ("argocd", "commonAnnotations: {a: true}"),
        ("flux", "configMapGenerator: [{name: 5, literals: [a=b]}]"),
        ("flux", "patches: [{target: {kind: y}, patch: '- {op: add, path: /data, value: {}}'}]"),
    ],
)
def test_what_flux_or_argo_cd_refuses_is_refused(agent, fields):
    _, found = rendered(agent, fields)
    assert found.failure is not None
    assert "text" in found.failure.why
