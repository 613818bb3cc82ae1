"""A field of a custom resource that stands one level too deep or too high is wrong in every release."""

from __future__ import annotations

from typing import Any

import pytest

from gitops_layout.model import ObjectRef
from gitops_layout.validation import bundle
from gitops_layout.validation.check import validate
from gitops_layout.validation.schemas import Schemas

SECRET = {"dataFrom": [{"extract": {"key": "a", "rewrite": [{"regexp": {"source": "a", "target": "b"}}]}}]}
MONITOR = {
    "selector": {},
    "endpoints": [{"port": "http"}],
    "metricRelabelings": [{"targetLabel": "instance"}],
}


SOLVER = {"dns01": {"cloudflare": {"apiTokenSecretRef": None, "name": "token", "key": "token"}}}
ACME = {"server": "https://acme.example.org", "privateKeySecretRef": {"name": "a"}, "solvers": [SOLVER]}


@pytest.mark.parametrize(
    ("version", "kind", "spec", "words"),
    [
        ("external-secrets.io/v1beta1", "ExternalSecret", SECRET, "it belongs beside extract"),
        ("external-secrets.io/v1", "ExternalSecret", SECRET, "it belongs beside extract"),
        ("monitoring.coreos.com/v1", "ServiceMonitor", MONITOR, "it belongs into the items of endpoints"),
    ],
)
def test_a_field_one_level_off_is_unknown_and_not_perhaps_newer(
    version: str, kind: str, spec: dict[str, Any], words: str
) -> None:
    data = {"apiVersion": version, "kind": kind, "metadata": {"name": "a", "namespace": "b"}, "spec": spec}
    ref = ObjectRef(version, kind, "b", "a")
    verdict = validate(ref, data, schemas=Schemas(()), kubernetes=bundle.VERSIONS[-1:], apply=True)
    assert [(violation.kind, words in violation.message) for violation in verdict.violations] == [
        ("unknown", True)
    ]


def test_a_field_that_no_level_has_may_be_newer() -> None:
    ref = ObjectRef("monitoring.coreos.com/v1", "ServiceMonitor", "b", "a")
    spec = {"selector": {}, "endpoints": [{"port": "http", "brandNewThing": 1}]}
    data = {
        "apiVersion": ref.api_version,
        "kind": ref.kind,
        "metadata": {"name": "a", "namespace": "b"},
        "spec": spec,
    }
    verdict = validate(ref, data, schemas=Schemas(()), kubernetes=bundle.VERSIONS[-1:], apply=True)
    assert [violation.kind for violation in verdict.violations] == ["newer"]


def test_what_stands_where_a_required_field_is_lacking_is_no_newer_field() -> None:
    ref = ObjectRef("cert-manager.io/v1", "Certificate", "b", "a")
    store = {"create": True, "passwordSecretRef": {"localObjectReference": "x", "key": "k"}}
    spec = {
        "secretName": "s",
        "issuerRef": {"name": "i"},
        "dnsNames": ["a.b"],
        "keystores": {"pkcs12": store},
    }
    named = {"name": "a", "namespace": "b"}
    data = {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": named, "spec": spec}
    verdict = validate(ref, data, schemas=Schemas(()), kubernetes=bundle.VERSIONS[-1:], apply=True)
    assert {violation.kind for violation in verdict.violations} == {"missing", "unknown"}


@pytest.mark.parametrize("apply", [True, False])
def test_fields_beside_an_empty_one_that_has_them_belong_into_it(apply: bool) -> None:
    ref = ObjectRef("cert-manager.io/v1", "ClusterIssuer", "", "a")
    data = {
        "apiVersion": ref.api_version,
        "kind": ref.kind,
        "metadata": {"name": "a"},
        "spec": {"acme": ACME},
    }
    verdict = validate(ref, data, schemas=Schemas(()), kubernetes=bundle.VERSIONS[-1:], apply=apply)
    found = [v.message for v in verdict.violations if v.kind == "unknown"]
    assert len(found) == 2
    assert all("it belongs into apiTokenSecretRef, which is empty" in message for message in found)
