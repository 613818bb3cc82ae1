"""We accept and refuse what a real API server does, on our own examples and mistakes planted in them.

`own.json` holds what kube-apiserver 1.36.3 said (`make agreement` writes it, and the table in docs/validation.md), so
that the comparison runs without one.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.validation.agreement.cases import MODES, STRUCTURAL, digest, ours, own

HERE = Path(__file__).parent


def test_our_own_examples_are_judged_as_the_server_judges_them() -> None:
    record = json.loads((HERE / "own.json").read_text())
    compared, cried, missed = 0, [], []
    for kind, cases in own().items():
        assert record[kind]["digest"] == digest([c.data for c in cases]), f"{kind} changed: `make agreement`"
        for mode in MODES:
            for case, word in zip(cases, record[kind][mode], strict=True):
                if word == "e":
                    continue
                compared += 1
                mine = ours(case.data, mode)
                if word == "a" and mine:
                    cried.append(f"{mode} {case.name}: {mine[0]}")
                if word == "r" and not mine:
                    missed.append(f"{mode} {case.name}")

    assert len(record) >= 85
    assert compared > 37_000
    assert len(cried) / compared < 0.001, "\n".join(cried)
    assert (len(cried) + len(missed)) / compared < 0.002, "\n".join(missed)


def test_no_planted_mistake_of_structure_passes_but_those_that_we_explain() -> None:
    record = json.loads((HERE / "own.json").read_text())
    explained = json.loads((HERE / "explained.json").read_text())
    passed = [
        f"{mode} {case.name}"
        for kind, cases in own().items()
        for mode in MODES
        for case, word in zip(cases, record[kind][mode], strict=True)
        if word == "r" and case.word.partition(" ")[0] in STRUCTURAL and not ours(case.data, mode)
    ]

    assert sorted(set(passed) - set(explained)) == []
