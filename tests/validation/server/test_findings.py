"""Findings of what the server refuses: where they stand, and what they leave to others."""

from __future__ import annotations

import pytest

from tests.lint.support import linted

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: ghcr.io/acme/web:1.8.2
          env: [{name: A, value: a}, {name: A, value: b}]
"""
FLUX = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec:
  interval: 1h
  prune: true
  path: ./apps
  sourceRef: {kind: GitRepository, name: flux-system}
"""


def found(files: dict[str, str | bytes], rule: str) -> list[tuple[str, int, str]]:
    return [(f.file, f.span.line, f.message) for f in linted(files).findings if f.rule.id == rule]


def test_a_finding_stands_where_an_overlay_wrote_the_value() -> None:
    files: dict[str, str | bytes] = {
        "base/web.yaml": DEPLOYMENT,
        "base/kustomization.yaml": "resources: [web.yaml]\n",
        "prod/kustomization.yaml": "resources: [../base]\npatches:\n  - path: patch.yaml\n",
        "prod/patch.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: -1\n",
    }

    [(file, line, message)] = found(files, "M025")

    assert (file, line) == ("prod/patch.yaml", 5)
    assert "spec.replicas" in message


@pytest.mark.parametrize("image", ["${IMAGE}", "ENC[AES256_GCM,data:x]", "{{ image }}"])
def test_what_is_still_to_be_filled_in_is_not_judged(image: str) -> None:
    name = f'apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: "{image}"}}\n'

    assert found({"a.yaml": name}, "M019") == []


def test_what_the_schema_refuses_is_not_told_twice() -> None:
    files: dict[str, str | bytes] = {"a.yaml": DEPLOYMENT.replace("- name: web\n          image", "- image")}

    assert len(found(files, "M001")) == 1
    assert found(files, "M025") == []


def test_a_variable_twice_is_refused_where_flux_applies_and_taken_elsewhere() -> None:
    assert found({"apps/web.yaml": DEPLOYMENT}, "M025") == []

    [(file, _, message)] = found({"apps/web.yaml": DEPLOYMENT, "flux.yaml": FLUX}, "M025")

    assert file == "apps/web.yaml"
    assert "env[1]" in message
