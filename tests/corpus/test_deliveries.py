"""What was judged by eye of deliveries of public repositories still holds: `deliveries.yaml` has the verdicts."""

from __future__ import annotations

import hashlib
import os
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_layout.cli.loading import load_graph

CORPUS = os.environ.get("GITOPS_LAYOUT_CORPUS")
JUDGED = yaml.safe_load(Path(__file__).with_name("deliveries.yaml").read_text())
"""One mapping a delivery, those of one repository together."""


def facts(graph: Any, delivery: Any) -> dict[str, Any]:
    rendered = graph.rendered[delivery.id]
    objects = sorted(str(item.ref) for item in rendered.objects)
    return {
        "objects": len(objects),
        "digest": hashlib.sha256("\n".join(objects).encode()).hexdigest()[:16],
        "environment": delivery.environment,
        "cluster": delivery.cluster,
        "live": delivery.live,
        "seen": rendered.failure is None,
    }


def test_twenty_deliveries_of_six_repositories_are_judged() -> None:
    assert len(JUDGED) >= 20
    assert len({entry["repository"] for entry in JUDGED}) >= 6
    assert {entry["verdict"] for entry in JUDGED} <= {"right", "mended"}


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS, reason="GITOPS_LAYOUT_CORPUS names no folder of repositories")
@pytest.mark.parametrize(
    ("repository", "entries"),
    [(name, list(entries)) for name, entries in groupby(JUDGED, lambda entry: entry["repository"])],
)
def test_what_was_judged_by_eye_is_still_so(repository: str, entries: list[dict[str, Any]]) -> None:
    assert CORPUS is not None
    folder = Path(CORPUS) / repository.replace("/", "__")
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    graph = load_graph([folder]).graph
    if graph.repo.revision != entries[0]["commit"]:
        pytest.skip(f"{folder} is at another commit than {entries[0]['commit']}")
    known = {delivery.id: delivery for delivery in graph.deliveries}
    found = {entry["delivery"]: facts(graph, known[entry["delivery"]]) for entry in entries}

    assert found == {entry["delivery"]: entry["facts"] for entry in entries}
