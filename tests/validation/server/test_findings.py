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


MUTATION = """\
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: a}
spec:
  failurePolicy: Fail
  reinvocationPolicy: IfNeeded
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
  mutations:
    - patchType: JSONPatch
      jsonPatch:
        expression: '[JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("a/b"), value: "c"}]'
"""


def test_the_functions_of_json_patches_are_no_variables() -> None:
    assert found({"a.yaml": MUTATION}, "M025") == []
    [(_, _, message)] = found({"a.yaml": MUTATION.replace("jsonpatch.", "patches.")}, "M025")
    assert "there is no variable patches" in message


def test_a_field_where_none_can_be_is_told_by_its_name() -> None:
    status = "subresources: {status: {x: null}}"
    definition = (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: as.b.c}\nspec:\n  group: b.c\n"
        "  scope: Namespaced\n  names: {kind: A, plural: as}\n  versions:\n    - name: v1\n      served: true\n"
        "      storage: true\n      schema: {openAPIV3Schema: {type: object}}\n"
        f"      {status}\n"
    )
    [(_, line, message)] = found({"a.yaml": definition}, "M002")
    assert line == 13
    assert 'unknown field "x"' in message
