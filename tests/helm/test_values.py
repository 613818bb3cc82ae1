"""Values as helm and Flux merge them; helm itself is the oracle for merging and for `--set`."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping
from copy import deepcopy
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_layout.helm.assign import assign
from gitops_layout.helm.find import Helm
from gitops_layout.helm.values import flux_values, merge

SEEN = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: seen}\ndata:\n  values: {{ toJson .Values | b64enc }}\n"


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chart without values of its own that shows what it was given."""
    folder = tmp_path_factory.mktemp("chart")
    (folder / "templates").mkdir()
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: seen\nversion: 1.0.0\n")
    (folder / "templates" / "seen.yaml").write_text(SEEN)
    return folder


def seen(helm: Helm, chart: Path, *arguments: str) -> Any:
    """The values that helm hands to templates; None where it refuses the arguments."""
    done = subprocess.run(
        [helm.program, "template", "seen", chart, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        return None
    encoded = done.stdout.split("values: ")[1].split()[0]
    return json.loads(base64.b64decode(encoded))


names = st.sampled_from(["a", "b", "c"])
leaves = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text("xyz: #", max_size=3))
nested = st.recursive(
    leaves,
    lambda inner: st.dictionaries(names, inner, max_size=3) | st.lists(inner, max_size=2),
    max_leaves=8,
)
layers = st.lists(st.dictionaries(names, nested, max_size=3), min_size=2, max_size=3)
few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@few
@given(layers)
def test_files_merge_as_helm_merges_several(
    helm: Helm, chart: Path, tmp_path: Path, given_layers: list[dict[str, Any]]
) -> None:
    several = []
    for index, layer in enumerate(given_layers):
        (tmp_path / f"{index}.json").write_text(json.dumps(layer))
        several += ["--values", str(tmp_path / f"{index}.json")]
    (tmp_path / "merged.json").write_text(json.dumps(reduce(merge, given_layers, {})))

    assert seen(helm, chart, "--values", str(tmp_path / "merged.json")) == seen(helm, chart, *several)


texts = st.lists(
    st.sampled_from(
        [*"ab.[]{}=,\\", "0", "1", "7", "true", "NULL", "a.b", "b[1]", "=x", "={1,x}", ",b=", "-3", " "]
    ),
    min_size=1,
    max_size=6,
).map("".join)


@settings(few, max_examples=120)
@given(texts.filter(lambda text: not text.startswith("-")))
def test_paths_are_read_as_helm_reads_set(helm: Helm, chart: Path, tmp_path: Path, text: str) -> None:
    base: dict[str, Any] = {"a": {"b": 1, "c": "x"}, "b": ["x", {"a": 1}]}
    (tmp_path / "base.json").write_text(json.dumps(base))
    expected = seen(helm, chart, "--values", str(tmp_path / "base.json"), "--set", text)

    values = deepcopy(base)
    try:
        assign(values, text)
    except ValueError:
        assert expected is None, text
        return
    assert expected is not None, text
    (tmp_path / "values.json").write_text(json.dumps(values))
    assert seen(helm, chart, "--values", str(tmp_path / "values.json")) == expected, text


def merged(spec: Mapping[str, Any], **objects: Mapping[str, str]) -> Any:
    return flux_values(spec, lambda _kind, name: objects.get(name))


def test_flux_takes_references_in_order_and_inline_values_over_all():
    spec = {
        "valuesFrom": [
            {"kind": "ConfigMap", "name": "one"},
            {"kind": "Secret", "name": "two", "valuesKey": "own"},
        ],
        "values": {"c": 3, "list": [9]},
    }
    one = {"values.yaml": "a: 1\nb: 1\nc: 1\nlist: [1, 2]\nmap: {x: 1, k: 1}\n"}
    two = {"own": "b: 2\nc: 2\nmap: {k: null}\n", "values.yaml": "z: 1"}

    assert merged(spec, one=one, two=two).values == {
        "a": 1, "b": 2, "c": 3, "list": [9], "map": {"x": 1, "k": None},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("inline", "expected"),
    [
        ({"a": {"b": "inline"}}, {"a": {"b": 7}}),  # written into the inline map itself
        ({"a": "inline"}, None),  # a path through what is no map
        ({"top": "inline"}, {"a": {"b": 7}, "top": "inline"}),
    ],
)
def test_a_target_path_outranks_inline_values_below_it(inline: dict[str, Any], expected: Any):
    spec = {
        "valuesFrom": [{"kind": "Secret", "name": "s", "valuesKey": "k", "targetPath": "a.b"}],
        "values": inline,
    }
    before = deepcopy(inline)
    result = merged(spec, s={"k": "7"})
    assert (None if result.refused else result.values) == expected
    assert inline == before


def test_a_target_path_does_not_outrank_an_inline_top_level_value():
    spec = {
        "valuesFrom": [{"kind": "Secret", "name": "s", "targetPath": "a"}],
        "values": {"a": "inline"},
    }
    assert merged(spec, s={"values.yaml": "seven"}).values == {"a": "inline"}


@pytest.mark.parametrize(
    ("text", "literal", "expected"),
    [("a,b=c", True, "a,b=c"), ("{1,2}", True, "{1,2}"), ("{1,2}", False, [1, 2]), ("'12'", False, "12")],
)
def test_literal_and_quoted_texts_stay_texts(text: str, literal: bool, expected: Any):
    reference = {"kind": "ConfigMap", "name": "c", "targetPath": r"conf.my\.key", "literal": literal}
    assert merged({"valuesFrom": [reference]}, c={"values.yaml": text}).values == {
        "conf": {"my.key": expected}
    }


def test_what_is_missing_is_named_unless_it_is_optional():
    spec = {
        "valuesFrom": [
            {"kind": "Secret", "name": "gone", "optional": True},
            {"kind": "ConfigMap", "name": "here", "valuesKey": "nokey"},
            {"kind": "Secret", "name": "gone"},
        ],
        "values": {"a": 1},
    }
    result = merged(spec, here={"values.yaml": "b: 1"})
    assert result.values == {"a": 1}
    assert [(entry.index, entry.name, entry.why) for entry in result.missing] == [
        (1, "here", "it has no key nokey"),
        (2, "gone", "nothing brings it, or it is encrypted"),
    ]


@pytest.mark.parametrize("text", ["just text", "- a list", "a: [", "\x00"])
def test_values_that_are_no_mapping_are_refused_at_their_entry(text: str):
    result = merged({"valuesFrom": [{"kind": "ConfigMap", "name": "c"}]}, c={"values.yaml": text})
    assert result.refused is not None
    assert result.refused[0] == 0
