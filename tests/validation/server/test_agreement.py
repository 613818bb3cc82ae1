"""Our verdicts against a real API server's, on examples and on mistakes planted in them.

`verdicts.json` holds what kube-apiserver 1.36.3 said, so that the comparison runs without one. With
GITOPS_LAYOUT_RECORD=1 the test that asks the server writes the file anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.validation.server.support import MODES, Case, Server, examples, mutations, ours

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tools.controlplane import ControlPlane

VERDICTS = Path(__file__).with_name("verdicts.json")
SAMPLE = 8
"""Of the mutations, every eighth is asked again of a server at hand."""


@cache
def groups() -> dict[str, list[Case]]:
    """All cases under the kind of their object, the examples apart from the mutations of the sound ones."""
    found: dict[str, list[Case]] = {}
    for case in examples():
        stem = case.name.partition(" ")[0]
        found.setdefault(stem, []).append(case)
        if case.name == stem:
            found.setdefault(f"{stem} mutated", []).extend(mutations(case))
    return found


def digest(cases: Iterable[Case]) -> str:
    return hashlib.sha256(" ".join(case.digest for case in cases).encode()).hexdigest()[:16]


def recorded(group: str, cases: list[Case]) -> Iterator[tuple[Case, str, str]]:
    """Each case with a mode and the server's word: `a`ccepted, `r`efused, refused `e`lsewhere."""
    record = json.loads(VERDICTS.read_text()).get(group, {})
    assert record.get("digest") == digest(cases), f"{group} has changed: record it again"
    for mode in MODES:
        for case, word in zip(cases, record[mode], strict=True):
            yield case, mode, word


def test_there_are_examples_enough() -> None:
    names = {case.name for case in examples()}

    assert len(names) >= 300
    assert len({name.partition(" ")[0] for name in names}) >= 50


@pytest.mark.parametrize("group", sorted(name for name in groups() if not name.endswith("mutated")))
def test_examples_get_the_verdict_of_the_server(group: str) -> None:
    wrong = []
    for case, mode, word in recorded(group, groups()[group]):
        mine = ours(case.data, mode)
        if (word == "a") == bool(mine):
            wrong.append(
                f"{mode} {case.name}: the server {'accepts' if word == 'a' else 'refuses'}, we say {mine}"
            )
        expected = case.expected[MODES.index(mode)]
        if expected is not None and (word == "a") != expected:
            wrong.append(f"{mode} {case.name}: the server's verdict is {word}")

    assert not wrong, "\n".join(wrong)


def test_planted_mistakes_get_the_verdict_of_the_server() -> None:
    judged, missed, cried = 0, [], []
    for group, cases in groups().items():
        if not group.endswith("mutated"):
            continue
        for case, mode, word in recorded(group, cases):
            mine = ours(case.data, mode)
            judged += word != "e" or bool(mine)
            if word == "a" and mine:
                cried.append(f"{mode} {case.name}: {mine[0].path} {mine[0].message}")
            if word == "r" and not mine:
                missed.append(f"{mode} {case.name}")

    print("\n".join([f"not refused, but the server does: {line}" for line in missed]))
    assert judged > 7000
    assert not cried, "\n".join(cried)
    assert len(missed) / judged < 0.015, "\n".join(missed)


@pytest.mark.controlplane
def test_the_recorded_verdicts_are_those_of_the_server(cluster: ControlPlane) -> None:
    with Server(cluster) as server:
        if os.environ.get("GITOPS_LAYOUT_RECORD") == "1":
            record(server)
        changed = []
        for group, cases in groups().items():
            for index, (case, mode, word) in enumerate(recorded(group, cases)):
                if group.endswith("mutated") and index % SAMPLE:
                    continue
                verdict = server.judge(case.data, mode)
                if verdict.word[0] != word:
                    changed.append(f"{mode} {case.name}: recorded {word}, now {verdict}")

    assert not changed, "\n".join(changed)


def record(server: Server) -> None:
    found = {}
    for group, cases in groups().items():
        words = {mode: "".join(server.judge(case.data, mode).word[0] for case in cases) for mode in MODES}
        found[group] = {"digest": digest(cases), **words}
    VERDICTS.write_text(json.dumps(found, indent=1) + "\n")
