"""Fields of the wrong shape anywhere are a problem of one delivery, never an error of ours."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_layout.graph.link import link
from gitops_layout.model import Location
from gitops_layout.render.build import Renders
from gitops_layout.render.postrender import post_rendered
from gitops_layout.render.rendered import Made
from gitops_layout.repo.load import from_files

RELEASE: dict[str, Any] = {
    "apiVersion": "helm.toolkit.fluxcd.io/v2",
    "kind": "HelmRelease",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {
        "chart": {
            "spec": {
                "chart": "web",
                "version": "1",
                "valuesFiles": ["values.yaml"],
                "sourceRef": {"kind": "GitRepository", "name": "flux-system"},
            }
        },
        "releaseName": "web",
        "targetNamespace": "shop",
        "valuesFrom": [
            {"kind": "ConfigMap", "name": "given", "valuesKey": "k", "targetPath": "a.b[0]", "optional": True}
        ],
        "values": {"a": {"b": [1]}},
        "install": {"crds": "Skip", "disableHooks": True},
        "test": {"enable": True},
        "commonMetadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}},
        "postRenderStrategy": "combined",
        "postRenderers": [{"kustomize": {"patches": [], "images": [{"name": "a", "newTag": "b"}]}}],
    },
}
APPLICATION: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Application",
    "metadata": {"name": "web", "namespace": "argocd"},
    "spec": {
        "destination": {"name": "in-cluster", "namespace": "shop"},
        "sources": [
            {"repoURL": "https://example.test/r.git", "ref": "values"},
            {
                "repoURL": "https://example.test/r.git",
                "path": "web",
                "helm": {
                    "releaseName": "web",
                    "valueFiles": ["values.yaml", "$values/*.yaml"],
                    "ignoreMissingValueFiles": True,
                    "values": "a: 1",
                    "valuesObject": {"a": 1},
                    "parameters": [{"name": "a", "value": "b", "forceString": True}],
                    "fileParameters": [{"name": "a", "path": "values.yaml"}],
                    "kubeVersion": "1.31",
                    "apiVersions": ["v1"],
                },
            },
        ],
    },
}
CHART: dict[str, Any] = {
    "apiVersion": "v2",
    "name": "web",
    "version": "1.0.0",
    "dependencies": [{"name": "lib", "version": "1", "repository": "file://../lib", "alias": "aux"}],
}
GIVEN = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "given", "namespace": "shop"}}

odd = st.sampled_from(
    [None, True, 0, -1.5, "", "x", "\x00", "\ud800", "${x}", "../../x", "[", "a=b,c", [], [None], {}, {"x": []}, [[1]]]
)  # fmt: skip
many = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def places(data: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every path of a document, the whole one left out."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    below = [found for key, value in inner for found in places(value, (*path, key))]
    return [path, *below] if path else below


@st.composite
def documents(draw: st.DrawFn) -> list[dict[str, Any]]:
    """The four documents, one or two of their fields replaced."""
    found = deepcopy([RELEASE, APPLICATION, CHART, {**GIVEN, "data": {"k": "7"}}])
    for _ in range(draw(st.integers(1, 2))):
        document = draw(st.sampled_from(found))
        path = draw(st.sampled_from([p for p in places(document) if p[0] not in ("apiVersion", "kind")]))
        holder: Any = document
        for step in path[:-1]:
            usable = isinstance(holder, dict | list) and (
                step in holder if isinstance(holder, dict) else holder
            )
            holder = holder[step] if usable else {}
        if isinstance(holder, dict) or (isinstance(holder, list) and holder):
            holder[path[-1]] = deepcopy(draw(odd))
    return found


@many
@given(documents())
def test_any_field_may_have_any_shape(monkeypatch: pytest.MonkeyPatch, changed: list[dict[str, Any]]) -> None:
    monkeypatch.setenv("PATH", "")  # the release is made up, and nothing runs
    monkeypatch.setattr("gitops_layout.helm.find.find_spec", lambda _name: None)
    release, application, chart, given_object = changed
    files: dict[str, str | bytes] = {
        "release.yaml": json.dumps(release),
        "app.yaml": json.dumps(application),
        "web/Chart.yaml": json.dumps(chart),
        "web/values.yaml": "a: {b: [1]}",
        "web/.argocd-source.yaml": json.dumps(application["spec"]) if "spec" in application else "",
        "lib/Chart.yaml": json.dumps({**CHART, "name": "lib"}),
        "given.yaml": json.dumps(given_object),
    }
    repo = from_files(files)
    graph = link(repo, render=Renders(repo))
    charts = [delivery for delivery in graph.deliveries if delivery.renderer == "chart"]
    assert all(graph.rendered[delivery.id].failure is not None for delivery in charts)


@many
@given(documents())
def test_post_renderers_may_have_any_shape(changed: list[dict[str, Any]]) -> None:
    (release, *_) = changed
    release["metadata"] = RELEASE["metadata"]
    if isinstance(release.get("spec"), dict):  # kustomize itself need not run for what is as it should be
        given_renderers = release["spec"].pop("postRenderers", None)
        if given_renderers != RELEASE["spec"]["postRenderers"]:
            release["spec"]["postRenderers"] = given_renderers
    repo = from_files({"release.yaml": json.dumps(release)})
    objects = [Made({"kind": "ConfigMap", "metadata": None}, Location), Made({"metadata": {}}, Location)]
    for delivery in link(repo, render=Renders(repo)).deliveries:
        done = post_rendered(repo, delivery, objects, "shop")
        assert done.objects or done.problem is not None
