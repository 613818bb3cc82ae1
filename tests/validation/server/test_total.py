"""Any value in any place: no exception, bounded work, places that exist."""

from __future__ import annotations

import copy
import random
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_layout.validation.server import LIMIT, refusals
from tests.validation.server.support import MODES, examples

ODD: list[Any] = [
    None,
    True,
    -1,
    2**70,
    1.5,
    float("nan"),
    "",
    "x",
    "é" * 9,
    [],
    [None],
    [[]],
    {},
    {"a": None},
    {1: 2},
]
SOUND = [case.data for case in examples() if case.expected == (True, True)]


def places(value: Any) -> list[tuple[Any, Any]]:
    found = []
    pairs: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in pairs:
        found.append((value, key))
        found += places(inner)
    return found


@pytest.mark.parametrize("mode", MODES)
def test_a_value_of_any_type_in_any_place_is_judged_without_failing(mode: str) -> None:
    numbers = random.Random(7)
    for data in SOUND:
        for _ in range(15):
            broken = copy.deepcopy(data)
            for _ in range(3):
                spots = [spot for spot in places(broken) if spot[1] not in ("apiVersion", "kind")]
                if spots:
                    holder, key = numbers.choice(spots)
                    holder[key] = copy.deepcopy(numbers.choice(ODD))

            found = list(refusals(broken, apply=mode == "apply"))

            assert all(refusal.message and isinstance(refusal.path, tuple) for refusal in found)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.text() | st.sampled_from(["kind", "metadata", "spec"]), inner)
        ),
    )
)
@settings(max_examples=200, deadline=None)
def test_no_object_at_all_is_judged_without_failing(data: object) -> None:
    assert isinstance(list(refusals(data, apply=True)), list)


def test_an_object_full_of_mistakes_takes_bounded_time_and_yields_bounded_refusals() -> None:
    containers = [{"name": "A B", "image": "", "ports": [{"containerPort": 0}] * 100} for _ in range(2000)]
    template = {
        "metadata": {"labels": {f"k{i}": "a b" for i in range(20000)}},
        "spec": {"containers": containers},
    }
    data = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a"},
        "spec": {"template": template},
    }
    started = time.monotonic()

    found = list(refusals(data, apply=True))

    assert len(found) == LIMIT
    assert time.monotonic() - started < 30
