"""Manifests with tokens: a template where something fills it in, a mistake where an agent takes it as it is."""

from __future__ import annotations

import pytest

from tests.lint.support import linted

OBJECT = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: APP_NAME, namespace: web}\ndata: {level: info}\n"
SCRIPT = 'sed -i "s/APP_NAME/$1/" manifests/*.yaml\nkubectl apply -f manifests\n'
APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web, namespace: argocd}
spec:
  project: default
  destination: {name: in-cluster, namespace: web}
  source: {repoURL: https://git.example.org/acme/fleet, path: manifests, targetRevision: HEAD}
"""
OVERLAY = """\
resources: [../base]
patches:
  - target: {kind: ConfigMap, name: APP_NAME}
    patch: "[{op: replace, path: /metadata/name, value: web}]"
"""


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"deploy.sh": SCRIPT}, [("D009", "info")]),
        ({"Makefile": f"deploy:\n\t{SCRIPT}"}, [("D009", "info")]),
        ({"deploy.sh": "kubectl apply -f manifests\n"}, [("M019", "error")]),
        ({"deploy.sh": 'APP_NAME=web\necho "${APP_NAME}" $APP_NAME\n'}, [("M019", "error")]),
        ({"deploy.sh": SCRIPT, "argo.yaml": APPLICATION}, [("M019", "error")]),
        ({"values.json": '{"name": "APP_NAME"}'}, [("M019", "error")]),
    ],
)
def test_a_word_in_capitals_is_a_token_where_something_replaces_it_before_it_is_applied(
    files: dict[str, str | bytes], found: list[tuple[str, str]]
) -> None:
    report = linted({"manifests/web.yaml": OBJECT, **files}, select=["D009", "M019"])
    assert [(finding.rule.id, finding.severity.value) for finding in report.findings] == found


def test_a_base_whose_names_the_patches_of_overlays_replace_is_a_template() -> None:
    files: dict[str, str | bytes] = {
        "base/app/web.yaml": OBJECT,
        "base/app/kustomization.yaml": "resources: [web.yaml]\n",
        "shop/kustomization.yaml": OVERLAY,  # it names the folder above: nothing reads the base
    }
    report = linted(files, select=["D009", "M019"])
    assert [(finding.rule.id, finding.severity.value) for finding in report.findings] == [("D009", "info")]
    files["shop/kustomization.yaml"] = OVERLAY.partition("\n")[0]
    report = linted(files, select=["D009", "M019"])
    assert [(finding.rule.id, finding.severity.value) for finding in report.findings] == [("M019", "error")]


def test_rights_may_be_called_in_capitals() -> None:
    role = (
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: APP_NAME}\nrules: []\n"
    )
    report = linted({"manifests/role.yaml": role, "deploy.sh": SCRIPT}, select=["D009", "M019"])
    assert report.findings == ()
