"""Values of a HelmRelease, compared with the module that Flux's helm-controller merges them with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_layout.helm.values import flux_values
from tests.agents.gooracle import Oracle, start


@pytest.fixture(scope="module")
def flux() -> Iterator[Oracle]:
    """The module in a process of its own."""
    oracle = start("fluxvalues")
    yield oracle
    oracle.stop()


names = st.sampled_from(["a", "b", "c"])
leaves = st.sampled_from([1, 0, True, None, "x", "7", ""])
nested = st.recursive(
    leaves,
    lambda inner: st.dictionaries(names, inner, max_size=3) | st.lists(inner, max_size=3),
    max_leaves=10,
)
mappings = st.dictionaries(names, nested, max_size=3)
paths = st.sampled_from(
    ["a", "b", "a.b", "a.b.c", "b[0]", "a.b[1]", "a[0].b", "c.a.b", "a[1][0]", r"a\.b", "a.b.c.d"]
)
texts = st.sampled_from(
    ["7", "x", "true", "null", "'7'", '"x"', "{1,2}", "{a", "a,b=c", "", "0", "007", "a,b", "x\ny", "'"]
)


@st.composite
def releases(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
    """A release's spec, and ConfigMaps by name; now and then one is not there."""
    references: list[dict[str, Any]] = []
    objects: dict[str, dict[str, str]] = {}
    for index in range(draw(st.integers(1, 4))):
        reference: dict[str, Any] = {"kind": "ConfigMap", "name": f"given-{index}"}
        if draw(st.booleans()):
            reference |= {
                "targetPath": draw(paths),
                "literal": draw(st.integers(0, 4)) == 0,
                "valuesKey": "k",
            }
            content = draw(texts)
        else:
            content = flow(draw(mappings))
        reference["optional"] = draw(st.integers(0, 4)) == 0
        if draw(st.integers(0, 9)):
            objects[reference["name"]] = {reference.get("valuesKey", "values.yaml"): content}
        references.append(reference)
    return {"values": draw(mappings), "valuesFrom": references}, objects


def flow(value: Any) -> str:
    """As flow YAML, whose plain words are typed by the reader."""
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(flow, value)) + "]"
        case None | bool():
            return {None: "~", True: "true", False: "false"}[value]
        case _:
            return str(value) or "''"


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(releases())
def test_values_are_merged_as_flux_merges_them(
    flux: Oracle, made: tuple[dict[str, Any], dict[str, dict[str, str]]]
) -> None:
    spec, objects = made
    expected = flux.ask(**spec, objects=objects)
    merged = flux_values(spec, lambda _kind, name: objects.get(name))
    if merged.refused is not None or merged.missing:
        assert expected.get("error"), (spec, objects)
    else:
        assert expected == {"value": merged.values}, (spec, objects)
