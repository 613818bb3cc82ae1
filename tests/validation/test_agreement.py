"""Our verdicts by schema against a real API server's, on sound objects and on mistakes planted in them.

`verdicts.json` holds what kube-apiserver 1.36.3 answered to a strict create, so that the comparison runs
without one. With GITOPS_LAYOUT_RECORD=1 the test that asks the server writes the file anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitops_layout.fields import dotted
from tests.validation.support import (
    Planted,
    Server,
    built_in_objects,
    custom_objects,
    definitions,
    planted,
    verdict,
)

if TYPE_CHECKING:
    from tools.controlplane import ControlPlane

VERDICTS = Path(__file__).with_name("verdicts.json")
SAMPLE = 12
"""Of the mistakes, every twelfth is asked again of a server at hand; all of them when recording."""


@cache
def groups() -> dict[str, list[Planted]]:
    """The cases of each sound object, by its kind and a digest of them all."""
    found = {}
    for data in (*custom_objects(), *built_in_objects()):
        cases = list(planted(data))
        digest = hashlib.sha256(" ".join(case.digest for case in cases).encode()).hexdigest()[:16]
        found[f"{data['apiVersion']}/{data['kind']} {digest}"] = cases
    return found


def recorded() -> list[tuple[str, list[tuple[Planted, str]]]]:
    """Each group with the server's words; objects changed since (some belong to other tests) have none."""
    record = json.loads(VERDICTS.read_text())
    return [
        (group, list(zip(cases, record[group], strict=True)))
        for group, cases in groups().items()
        if group in record
    ]


def test_the_record_covers_objects_enough() -> None:
    groups_recorded = recorded()
    assert len({group.partition(" ")[0] for group, _ in groups_recorded}) >= 75
    assert sum(len(cases) for _, cases in groups_recorded) >= 7000


def test_what_schemas_can_decide_is_decided_as_the_server_does() -> None:
    cried, missed = [], []
    for group, cases in recorded():
        for case, word in cases:
            found = verdict(case.data).violations
            if word == "a" and found:
                cried.append(f"{group} {case.name}: {dotted(found[0].path)}: {found[0].message}")
            if word == "s" and not found:
                missed.append(f"{group} {case.name}")

    assert not cried, "the server accepts:\n" + "\n".join(cried)
    assert not missed, "the server's decoding or schema refuses:\n" + "\n".join(missed)


@pytest.mark.controlplane
def test_the_recorded_verdicts_are_those_of_the_server(cluster: ControlPlane) -> None:
    server = Server(cluster)
    kinds = {(data["apiVersion"].split("/")[0], data["kind"]) for data in custom_objects()}
    server.install([c for c in definitions() if (c["spec"]["group"], c["spec"]["names"]["kind"]) in kinds])
    try:
        if os.environ.get("GITOPS_LAYOUT_RECORD") == "1":
            words = {
                group: "".join(server.word(case.data) for case in cases) for group, cases in groups().items()
            }
            VERDICTS.write_text(json.dumps(words, indent=1) + "\n")
        changed = [
            f"{group} {case.name}: recorded {word}, now {now}"
            for group, cases in recorded()
            for case, word in cases[::SAMPLE]
            if "e" not in (now := server.word(case.data), word) and now != word
        ]
    finally:
        server.close()

    assert not changed, "\n".join(changed)
