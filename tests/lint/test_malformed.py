"""Objects of a wrong shape: whatever stands where a mapping should, no rule fails over it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_layout.output.text import report_text
from tests.lint.support import linted

OBJECTS: tuple[dict[str, Any], ...] = (
    {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": "db", "namespace": "db"},
        "spec": {
            "interval": "1h",
            "chart": {
                "spec": {
                    "chart": "db",
                    "version": "1.x",
                    "sourceRef": {"kind": "HelmRepository", "name": "db"},
                }
            },
            "chartRef": {"kind": "OCIRepository", "name": "db"},
        },
    },
    {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "apps", "namespace": "flux-system", "labels": {"a": "b"}},
        "spec": {
            "path": "./apps",
            "prune": True,
            "suspend": False,
            "sourceRef": {"kind": "GitRepository", "name": "x"},
            "patches": [{"patch": "a", "target": {"kind": "Pod"}}],
            "postBuild": {"substitute": {"A": "b"}, "substituteFrom": [{"kind": "ConfigMap", "name": "z"}]},
        },
    },
    {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "x", "namespace": "flux-system"},
        "spec": {"url": "https://git.example.org/a/b", "ref": {"branch": "main"}},
    },
    {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "web", "namespace": "argocd"},
        "spec": {
            "project": "p",
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "web"},
            "source": {"repoURL": "https://git.example.org/a/b", "path": "apps", "targetRevision": "HEAD"},
            "sources": [{"repoURL": "https://git.example.org/a/b", "path": "apps"}],
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}, "retry": {"limit": 1}},
        },
    },
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "annotations": {"a": "b"}},
        "spec": {
            "template": {
                "spec": {"initContainers": [{"name": "i"}], "containers": [{"name": "c", "image": "x"}]}
            }
        },
        "status": {"replicas": 1},
    },
    {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "labels": {"argocd.argoproj.io/secret-type": "cluster"}},
        "data": {"a": "Yg=="},
        "stringData": {"c": "d"},
        "sops": {"mac": "ENC[x]"},
    },
    {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": ["a.yaml", "https://github.com/a/b?ref=main"],
        "images": [{"name": "x", "newTag": "latest"}],
        "secretGenerator": [{"name": "s", "literals": ["a=b"], "envs": ["e.env"], "files": ["k=f"]}],
        "patches": [{"path": "p.yaml", "target": {"kind": "Pod"}}],
    },
)
JUNK = st.sampled_from(
    [
        "null",
        "true",
        "1",
        "-1.5",
        '""',
        '"x"',
        '"${X}"',
        "[]",
        "{}",
        '["x"]',
        "[null]",
        '{"x": null}',
        '[{"x": ["y"]}]',
        "[[]]",
    ]
).map(json.loads)


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """One of the objects with some of its values replaced by others of any shape."""
    data: dict[str, Any] = json.loads(json.dumps(draw(st.sampled_from(OBJECTS))))
    for _ in range(draw(st.integers(1, 3))):
        place: Any = data
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            below = place[key]
            if isinstance(below, dict | list) and below and draw(st.booleans()):
                place = below
                continue
            if key not in ("apiVersion", "kind"):
                place[key] = draw(JUNK)
            break
    return data


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(damaged(), min_size=1, max_size=3))
def test_no_shape_of_an_object_makes_a_rule_fail(objects: list[dict[str, Any]]) -> None:
    files: dict[str, str | bytes] = {}
    for number, data in enumerate(objects):
        kustomization = str(data["apiVersion"]).startswith("kustomize.config")
        files[f"apps/{number}/kustomization.yaml" if kustomization else f"apps/{number}.yaml"] = json.dumps(
            data
        )
    report = linted(files, profile="strict")
    assert report.crashes == ()
    assert report_text(report)
