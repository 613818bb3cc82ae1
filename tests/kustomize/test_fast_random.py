"""Random kustomizations build as real kustomize builds them, or are declined."""

from __future__ import annotations

import json
from collections.abc import Mapping
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_layout.kustomize.exact import Built
from gitops_layout.kustomize.fast import Bases, Declined, Fast
from tests.kustomize.keys import ODD, PLACES, keyed
from tests.kustomize.oracle import differences, fast, real, repository
from tests.kustomize.rare import SCHEMA, root_fields
from tests.kustomize.texts import written
from tests.kustomize.trees import damaged, tree

CASES = 40
"""Kustomizations in one kubectl process: starting it costs more than building ten."""


_SETTINGS = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@_SETTINGS
@given(st.integers(0, 2**32))
def test_random_kustomizations_build_as_kubectl_builds_them_or_are_declined(seed: int):
    trees = {f"k{n}": tree(Random(seed + n), f"k{n}") for n in range(CASES)}
    assert _taken_alike(trees) >= CASES // 4


@_SETTINGS
@given(st.integers(0, 2**32))
def test_damaged_kustomizations_build_alike_or_are_declined_and_never_crash(seed: int):
    trees = {}
    for n in range(2 * CASES):
        rnd = Random(seed + n)
        trees[f"k{n}"] = damaged(rnd, tree(rnd, f"k{n}"))
    assert _taken_alike(trees) >= 1


@_SETTINGS
@given(st.integers(0, 2**32))
def test_keys_that_may_be_no_texts_build_alike_or_are_declined_wherever_they_stand(seed: int):
    rnd = Random(seed)
    around = ("", "namePrefix: p-\n", "commonLabels: {z: z}\n", "namespace: z\n")
    trees = {}
    for n in range(2 * CASES):
        odd = rnd.choice(ODD), rnd.choice(["", '"', "'"]), rnd.choice(PLACES), rnd.choice(around)
        trees[f"k{n}"] = dict(keyed(f"k{n}", *odd))
    assert _taken_alike(trees, "") >= CASES // 4


@_SETTINGS
@given(st.integers(0, 2**32))
def test_values_in_every_way_of_writing_them_build_alike_or_are_declined(seed: int):
    rnd = Random(seed)
    trees = {f"k{n}": dict(written(rnd, f"k{n}")) for n in range(2 * CASES)}
    assert _taken_alike(trees, "") >= CASES // 4


def _taken_alike(trees: Mapping[str, Mapping[str, str | bytes]], below: str = "/overlay") -> int:
    """Compare what the fast builder takes with kubectl; how many it took."""
    files = {path: text for tree in trees.values() for path, text in tree.items()}
    repo = repository(files)
    bases = Bases(repo)
    built = {case: fast(repo, f"{case}{below}", bases) for case in trees}
    taken = [case for case, result in built.items() if not isinstance(result, Declined)]
    # Objects of different cases have different names, so that one kustomization can hold them all.
    named = [f"{case}{below}" for case in taken]
    whole, theirs = _under(files, named, {"sortOptions": {"order": "fifo"}})
    if isinstance(whole, Declined) or differences(whole, theirs):
        for case in taken:  # damaged names may clash, and a failure wants its case
            ours = fast(repo, f"{case}{below}")
            assert not isinstance(ours, Declined)
            assert not differences(ours, real(repo, f"{case}{below}")), trees[case]
    left = list(named)
    whole, theirs = _under(files, left, root_fields(Random(len(files))))
    while isinstance(whole, Declined) and (one := whole.location.file.partition("/")[0] + below) in left:
        left.remove(one)
        whole, theirs = _under(files, left, root_fields(Random(len(files))))
    assert isinstance(whole, Declined) or not differences(whole, theirs)
    return len(taken)


def _under(
    files: dict[str, str | bytes], folders: list[str], fields: dict[str, Any]
) -> tuple[Fast | Declined, Built]:
    """Both builds of a kustomization that includes others; only ours where that is declined."""
    umbrella = {**fields, "resources": folders}
    repo = repository(files | {"kustomization.yaml": json.dumps(umbrella), "schema.json": SCHEMA})
    whole = fast(repo, "")
    return whole, Built() if isinstance(whole, Declined) else real(repo, "")
