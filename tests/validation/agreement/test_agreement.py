"""We accept and refuse what a real API server does, on our own examples and mistakes planted in them.

`own.json` and `further.json` hold what kube-apiserver 1.36.3 said, `corpus.json` what it said of objects of real repositories,
of which only digests are kept (`make agreement` writes all, and the table in docs/validation.md). So the comparison runs
without a server.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.validation.agreement.cases import (
    MODES,
    STRUCTURAL,
    digest,
    further,
    ours,
    own,
    rendered,
    sampled,
    standing,
)

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


def test_further_objects_are_judged_as_the_server_judges_them() -> None:
    record = json.loads((HERE / "further.json").read_text())
    explained = json.loads((HERE / "explained.json").read_text())
    compared, wrong = 0, set()
    for kind, cases in further().items():
        assert record[kind]["digest"] == digest([c.data for c in cases]), f"{kind} changed: `make agreement`"
        for mode in MODES:
            for case, word in zip(cases, record[kind][mode], strict=True):
                compared += word != "e"
                if word != "e" and (word == "r") != bool(ours(case.data, mode)):
                    wrong.add(f"{mode} {case.name}")

    assert compared > 1_700
    assert sorted(wrong - set(explained)) == []


@pytest.mark.corpus
def test_objects_of_real_repositories_are_judged_as_the_server_judged_them() -> None:
    folder = Path(os.environ["GITOPS_LAYOUT_CORPUS"])
    record = json.loads((HERE / "corpus.json").read_text())
    compared, wrong = 0, []
    for name, entry in record.items():
        path = folder / name.replace("/", "__", 1)
        if not path.is_dir() or standing(path) != entry["commit"]:
            continue
        for data in rendered(path):
            words = entry["objects"].get(digest(data), ())
            for case, pair in zip(sampled(data) if words else (), words, strict=True):
                for mode, word in zip(MODES, pair, strict=True):
                    compared += word != "e"
                    if word != "e" and (word == "r") != bool(ours(case.data, mode)):
                        wrong.append(f"{mode} {case.name} ({name})")

    assert compared > 0, "no repository stands where it stood"
    assert len(wrong) / compared < 0.01, "\n".join(wrong)
