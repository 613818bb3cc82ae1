"""Every field of an agent's object that holds what it cannot hold, or that it does not have, is named at its place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from gitops_layout.graph.model import Graph
from gitops_layout.model import Path, Unchecked, UncheckedClass
from gitops_layout.output.graph_text import to_text
from gitops_layout.validation.misread import misread
from tests.agents.test_argocd_bad_input import OBJECTS as ARGO_CD
from tests.graph.test_flux_bad_input import DOCUMENTS as FLUX
from tests.graph.test_flux_bad_input import paths, put
from tests.graph.test_link import APPS, FLEET, linked

AGENTS = [data for data in [*FLUX, *ARGO_CD] if "." in data["apiVersion"]]
FREE = {
    "ApplicationSet": {"elements", "input", "values"},
    "Application": {"valuesObject"},
    "HelmRelease": {"values"},
    "ResourceSet": {"inputs"},
    "ResourceSetInputProvider": {"defaultValues"},
}
"""What may hold anything."""


def told(graph: Graph) -> Iterator[tuple[Path, Unchecked]]:
    for entry in (*graph.unchecked, *misread(graph)):
        if entry.location is not None and entry.location.file == "agent.yaml":
            yield entry.location.path, entry


@pytest.mark.parametrize("index", range(len(AGENTS)), ids=lambda index: f"{index}-{AGENTS[index]['kind']}")
def test_a_value_of_a_wrong_type_at_any_field_is_named_there(index: int) -> None:
    data = AGENTS[index]
    silent = []
    for path in paths(data):
        if FREE.get(data["kind"], set()) & set(path):
            continue
        value: Any = data
        for step in path:
            value = value[step]
        wrong = "x" if isinstance(value, list) else [[1]]
        graph = linked({"agent.yaml": json.dumps(put(data, path, wrong))})
        if path not in {place for place, _ in told(graph)}:
            silent.append(path)
    assert silent == []


@pytest.mark.parametrize("index", range(len(AGENTS)), ids=lambda index: f"{index}-{AGENTS[index]['kind']}")
def test_what_is_right_is_not_held_against_it(index: int) -> None:
    graph = linked({"agent.yaml": json.dumps(AGENTS[index])})
    wrong = [entry.why for entry in misread(graph) if "missing" not in entry.why]
    assert [why for why in wrong if "expected" in why or "no field" in why] == []


def test_each_unknown_field_is_named_on_its_own_line_and_column() -> None:
    graph = linked(
        {
            "agent.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: all}\nspec:\n"
            "  generators:\n  - list:\n      bogus: 1\n      elements: []\n"
            "  syncPolicy: {zzz: 1, yyy: 2, xxx: 3}\n  template:\n    metadata: {name: x}\n"
            "    spec: {project: a, destination: {sever: x}, source: {repoURL: x, path: apps}}\n"
        }
    )
    found = {entry.what.partition(" of ")[0]: graph.repo.span(entry.location) for entry in misread(graph)}  # type: ignore[arg-type]
    assert {name: (span.line, span.column) for name, span in found.items()} == {
        "spec.generators[0].list.bogus": (7, 7),
        "spec.syncPolicy.zzz": (9, 16),
        "spec.syncPolicy.yyy": (9, 24),
        "spec.syncPolicy.xxx": (9, 32),
        "spec.template.spec.destination.sever": (12, 38),
    }
    assert 'did you mean "server"?' in " ".join(entry.why for entry in misread(graph))
    text = to_text(replace(graph, live=frozenset({"agent.yaml"}), unchecked=misread(graph)))
    assert [line for line in text.splitlines() if "agent.yaml:9:24" in line and "syncPolicy.yyy" in line]


def test_an_object_of_a_version_that_is_no_longer_packed_is_held_against_the_types_of_a_later_one() -> None:
    old = APPS.replace("/v1\n", "/v1beta2\n").replace("interval: 10m", "suspend: [2]\n  validation: client")
    graph = linked({**FLEET, "clusters/prod-eu/apps.yaml": old})
    assert [(entry.what, entry.why) for entry in misread(graph)] == [
        ("spec.suspend of Kustomization flux-system/apps", "expected boolean, got a list")
    ]


def test_a_wrong_value_that_a_patch_brings_is_named_in_the_patch() -> None:
    patched = {
        "clusters/prod-eu/kustomization.yaml": "resources: [apps.yaml, flux-system]\npatches: [{path: slow.yaml}]\n",
        "clusters/prod-eu/slow.yaml": "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
        "metadata: {name: apps, namespace: flux-system}\nspec:\n  wait: soon\n",
    }
    (entry,) = (entry for entry in misread(linked({**FLEET, **patched})) if "required" not in entry.why)
    assert entry.location is not None
    assert (entry.location.file, entry.location.path) == ("clusters/prod-eu/slow.yaml", ("spec", "wait"))
    assert entry.kind is UncheckedClass.BROKEN
