"""Random kustomizations build as real kustomize builds them, or are declined."""

from __future__ import annotations

import json
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_layout.kustomize.fast import Bases, Declined
from tests.kustomize.oracle import differences, fast, real, repository
from tests.kustomize.trees import tree

CASES = 40
"""Kustomizations in one kubectl process: starting it costs more than building ten."""


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_random_kustomizations_build_as_kubectl_builds_them_or_are_declined(seed: int):
    files: dict[str, str | bytes] = {}
    cases = [f"k{n}" for n in range(CASES)]
    for n, case in enumerate(cases):
        files |= tree(Random(seed + n), case)
    repo = repository(files)
    bases = Bases(repo)
    built = {case: fast(repo, f"{case}/overlay", bases) for case in cases}
    taken = [case for case, result in built.items() if not isinstance(result, Declined)]
    assert len(taken) >= CASES // 4, [result for result in built.values() if isinstance(result, Declined)]
    # Objects of different cases have different names, so that one kustomization can hold them all.
    umbrella = {"sortOptions": {"order": "fifo"}, "resources": [f"{case}/overlay" for case in taken]}
    repo = repository(files | {"kustomization.yaml": json.dumps(umbrella)})
    whole = fast(repo, "")
    assert not isinstance(whole, Declined), whole
    if not differences(whole, real(repo, "")):
        return
    for case in taken:
        ours = fast(repo, f"{case}/overlay")
        assert not isinstance(ours, Declined)
        assert not differences(ours, real(repo, f"{case}/overlay")), {
            path: text for path, text in files.items() if path.startswith(f"{case}/")
        }
    raise AssertionError("each case builds alike, all together do not")
