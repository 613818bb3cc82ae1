"""Charts in kustomizations, held against real kustomize with the same helm."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gitops_layout.fetch.wants import wants
from gitops_layout.graph.link import link
from gitops_layout.graph.model import Graph
from gitops_layout.helm.find import Helm
from gitops_layout.kustomize.exact import kubectl
from gitops_layout.model import UncheckedClass
from gitops_layout.render.build import Renders
from gitops_layout.repo.load import from_files
from gitops_layout.source.reader import read
from tests.agents.trees import OWN, config_map, tree
from tests.helm.conftest import helm

__all__ = ["helm"]

WEB = "argocd:Application/argocd/web@argo"
TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-web
  namespace: {{ .Release.Namespace }}
data:
  values: {{ .Values | toJson | quote }}
  kube: {{ .Capabilities.KubeVersion.Version }}
  api: {{ .Capabilities.APIVersions.Has "shop.example.test/v1" | quote }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: web}
---
apiVersion: v1
kind: Pod
metadata:
  name: web-test
  annotations: {helm.sh/hook: test}
spec: {containers: [{name: web, image: "web:1"}]}
"""
CHART = {
    "Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "values.yaml": "a: {b: 1, c: [1, 2]}\nd: from chart\n",
    "templates/web.yaml": TEMPLATE,
    "crds/crd.yaml": json.dumps(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "shops.shop.example.test"},
        }
    ),
}
FILES = {
    **{f"a/charts/web/{path}": text for path, text in CHART.items()},
    **{f"a/own/web-1.0.0/web/{path}": text for path, text in CHART.items()},
    "a/x.yaml": config_map("x"),
    "a/values.yaml": "a: {b: 2, e: 5}\nf: {g: 1}\n",
    "a/more.yaml": "d: more\n",
}


def kustomized(entry: dict[str, Any], **more: Any) -> dict[str, str]:
    data = {"resources": ["x.yaml"], "helmCharts": [{"name": "web", **entry}], **more}
    return {**FILES, "a/kustomization.yaml": json.dumps(data)}


def linked(files: dict[str, str], options: dict[str, Any] | None = None) -> Graph:
    source = {"repoURL": OWN, "path": "a", **({"kustomize": options} if options else {})}
    repo = from_files(tree({"source": source}, files))  # type: ignore[arg-type]
    return link(repo, render=Renders(repo))


INLINE = {"a": {"b": None, "c": [3], "h": 1}, "f": {"g": 2}}


@pytest.mark.parametrize(
    ("entry", "more"),
    [
        ({}, {}),
        ({"releaseName": "shop", "namespace": "shop", "includeCRDs": True}, {"namespace": "other"}),
        (
            {"releaseName": "shop"},
            {"namespace": "other", "namePrefix": "x-", "commonLabels": {"team": "web"}},
        ),
        ({"nameTemplate": "fixed", "skipTests": True}, {}),
        ({"releaseName": "shop", "skipHooks": True, "kubeVersion": "1.33.0"}, {}),
        ({"releaseName": "shop", "apiVersions": ["shop.example.test/v1"]}, {}),
        ({"releaseName": "shop", "valuesFile": "values.yaml"}, {}),
        ({"releaseName": "shop", "valuesInline": INLINE}, {}),
        ({"releaseName": "shop", "valuesInline": INLINE, "valuesFile": "values.yaml"}, {}),
        ({"releaseName": "shop", "valuesInline": INLINE, "valuesMerge": "merge"}, {}),
        (
            {
                "releaseName": "shop",
                "valuesInline": INLINE,
                "valuesMerge": "merge",
                "valuesFile": "values.yaml",
            },
            {},
        ),
        (
            {
                "releaseName": "shop",
                "valuesInline": INLINE,
                "valuesMerge": "replace",
                "valuesFile": "values.yaml",
            },
            {},
        ),
        ({"releaseName": "shop", "valuesFile": "values.yaml", "additionalValuesFiles": ["more.yaml"]}, {}),
        (
            {"releaseName": "shop", "version": "1.0.0", "repo": "https://charts.example.test"},
            {"helmGlobals": {"chartHome": "own"}},
        ),
        (
            {"releaseName": "shop"},
            {
                "patches": [
                    {
                        "patch": json.dumps(
                            {
                                "apiVersion": "v1",
                                "kind": "ConfigMap",
                                "metadata": {"name": "shop-web"},
                                "data": {"api": "no"},
                            }
                        )
                    }
                ]
            },
        ),
    ],
)
def test_charts_come_out_as_kustomize_has_them(
    tmp_path: Path, helm: Helm, entry: dict[str, Any], more: dict[str, Any]
):
    files = kustomized(entry, **more)
    for path, text in files.items():
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    done = subprocess.run(
        [kubectl(), "kustomize", "--enable-helm", "--helm-command", helm.program, tmp_path / "a"],
        capture_output=True,
        check=True,
    )
    expected = [document.data for document in read(done.stdout, "expected").documents]
    graph = linked(files)
    rendered = graph.rendered[WEB]
    assert graph.unchecked == ()
    places = [_without_namespace(item.data) for item in rendered.objects]
    assert places == [_without_namespace(data) for data in expected]
    chart = next(item for item in rendered.objects if item.ref.kind == "ClusterRole")
    assert chart.origin(("kind",)).path == ("helmCharts", 0)


def _without_namespace(data: dict[str, Any]) -> dict[str, Any]:
    """Argo CD adds the destination's namespace to objects without one; kustomize does not."""
    metadata = {k: v for k, v in data["metadata"].items() if k != "namespace" or v != "shop"}
    return {**data, "metadata": metadata}


def test_a_base_without_a_namespace_has_its_charts_in_that_of_the_overlay(helm: Helm):
    files = {
        path.replace("a/", "base/", 1): text for path, text in kustomized({"releaseName": "shop"}).items()
    }
    files["a/kustomization.yaml"] = "resources: [../base]\nnamespace: outer\n"
    graph = linked(files)
    namespaces = {item.ref.name: item.ref.namespace for item in graph.rendered[WEB].objects}
    assert namespaces["shop-web"] == "outer"


def test_the_application_tells_charts_the_version_of_kubernetes(helm: Helm):
    graph = linked(kustomized({"releaseName": "shop", "kubeVersion": "1.33.0"}), {"kubeVersion": "1.32.5"})
    data = next(item.data for item in graph.rendered[WEB].objects if item.ref.name == "shop-web")
    assert data["data"]["kube"] == "v1.32.5"


@pytest.mark.parametrize(
    ("entry", "kind", "why"),
    [
        (
            {"name": "db", "repo": "https://charts.example.test"},
            UncheckedClass.EXTERNAL,
            "chart not fetched: db of",
        ),
        ({"name": "db"}, UncheckedClass.BROKEN, "there is no chart charts/db"),
        ({"name": "../web"}, UncheckedClass.BROKEN, "no usable name"),
        ({"valuesFile": "../secret.yaml"}, UncheckedClass.BROKEN, "not below its kustomization"),
        ({"valuesFile": "/etc/passwd"}, UncheckedClass.BROKEN, "does not exist here"),
        ({"valuesMerge": "sometimes"}, UncheckedClass.BROKEN, "merge, override or replace"),
        ({"nameTemplate": "x-{{ randAlpha 3 }}"}, UncheckedClass.EXTERNAL, "another name each time"),
    ],
)
def test_what_cannot_be_rendered_says_why(helm: Helm, entry: dict[str, Any], kind: UncheckedClass, why: str):
    graph = linked({**kustomized(entry), "secret.yaml": "a: 1\n"})
    (unchecked,) = graph.unchecked
    assert (unchecked.kind, why in unchecked.why) == (kind, True), unchecked.why
    assert unchecked.location is not None
    assert unchecked.location.file == "a/kustomization.yaml"


def test_a_chart_that_helms_library_may_not_render_is_not_called_broken(
    helm: Helm, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", "")  # no program is found then, and the chart reads .Capabilities
    found = linked(kustomized({})).unchecked
    (chart,) = (entry for entry in found if entry.what == f"delivery {WEB}")
    assert (chart.kind, chart.subject) == (UncheckedClass.EXTERNAL, ("chart", "web"))
    assert "reads .Capabilities" in chart.why


def test_a_chart_that_lies_elsewhere_is_wanted():
    entry = {"name": "db", "repo": "https://charts.example.test", "version": "1.2.3"}
    (want,) = wants(linked(kustomized(entry)))
    reference = want.reference
    assert (reference.kind, reference.url, reference.name, reference.value) == (
        "helm-chart",
        "https://charts.example.test",
        "db",
        "1.2.3",
    )


def test_argo_cd_that_is_told_nothing_of_charts_refuses_them(helm: Helm):
    settings = {
        "argo/cm.yaml": config_map("argocd-cm", **{"kustomize.buildOptions": "--enable-alpha-plugins"})
    }
    graph = linked({**kustomized({}), **settings})
    assert [(entry.kind, "--enable-helm" in entry.why) for entry in graph.unchecked] == [
        (UncheckedClass.BROKEN, True)
    ]
    settings = {"argo/cm.yaml": config_map("argocd-cm", **{"kustomize.buildOptions": "--enable-helm"})}
    assert linked({**kustomized({}), **settings}).unchecked == ()
