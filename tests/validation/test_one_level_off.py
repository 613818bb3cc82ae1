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
