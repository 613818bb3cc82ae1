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
from tests.kustomize.spellings import spelled_oddly
from tests.kustomize.texts import written
from tests.kustomize.trees import damaged, tree, yaml_text

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


@_SETTINGS
@given(st.integers(0, 2**32))
def test_values_of_odd_spelling_are_copied_merged_and_compared_alike_or_are_declined(seed: int):
    trees = {f"k{n}": dict(spelled_oddly(Random(seed + n), f"k{n}")) for n in range(2 * CASES)}
    assert _taken_alike(trees, "") >= CASES // 8


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


@_SETTINGS
@given(st.integers(0, 2**32))
def test_a_patch_that_is_said_to_match_nothing_is_refused_for_that_by_kubectl(seed: int):
    rnd = Random(seed)
    files: dict[str, str | bytes] = {}
    for n in range(2 * CASES):
        case = f"k{n}"
        files |= tree(Random(seed + n), case)
        field, entry = "patches", {"patch": yaml_text(_somebody(rnd, case))}
        if rnd.random() < 0.3:
            field, entry = "patchesStrategicMerge", entry["patch"]
        files[f"{case}/top/kustomization.yaml"] = json.dumps({"resources": ["../overlay"], field: [entry]})
    repo = repository(files)
    built = {case: fast(repo, f"k{case}/top") for case in range(2 * CASES)}
    certain = [case for case, one in built.items() if isinstance(one, Declined) and one.certain]
    assert len(certain) >= CASES // 4
    for case in rnd.sample(certain, 8):
        problem = real(repo, f"k{case}/top").problem
        assert problem is not None, files[f"k{case}/top/kustomization.yaml"]
        assert "no matches for Id" in problem.why
    # The rest of the cases have patches that match: what these build is the same.
    fitting = [case for case, one in built.items() if isinstance(one, Fast)]
    for case in rnd.sample(fitting, min(len(fitting), 4)):
        ours = built[case]
        assert isinstance(ours, Fast)
        assert not differences(ours, real(repo, f"k{case}/top"))


def _somebody(rnd: Random, case: str) -> dict[str, Any]:
    """A patch of an object that may be there, by a name that it may have had."""
    version, kind, suffix = rnd.choice(
        [
            ("apps/v1", "Deployment", ""),
            ("v1", "Service", ""),
            ("v1", "ConfigMap", "-cm"),
            ("v1", "Secret", "-secret"),
            ("rbac.authorization.k8s.io/v1", "ClusterRole", "-role"),
            ("example.com/v1", "Thing", "-thing"),
            ("example.com/v2", "Thing", "-thing"),
        ]
    )
    prefix = rnd.choice(["", "", "", "overlay-", "base-", "overlay-base-"])
    metadata: dict[str, Any] = {"name": f"{prefix}{case}{suffix}", "labels": {"patched": "yes"}}
    space = rnd.choice([None, None, f"{case}-ns", f"{case}-overlay", "default", "other"])
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": metadata | ({"namespace": space} if space else {}),
    }
