"""The scorecard: points go with findings, come back without them, and what was not checked has no score."""

from __future__ import annotations

import json

from gitops_layout.lint.score import scorecard
from gitops_layout.model import Severity
from gitops_layout.output.score import score_json, score_text
from tests.lint.support import linted_graph, pod

SOURCE = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system}
spec: {interval: 1m, url: "https://example.test/acme/fleet.git"}
"""
AGENT = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: NAME, namespace: flux-system}
spec: {interval: 10m, path: ./NAME, prune: true, sourceRef: {kind: GitRepository, name: flux-system}}
"""


def files(*moving: str) -> dict[str, str | bytes]:
    """Four deliveries, those named run an image that moves."""
    found: dict[str, str | bytes] = {"source.yaml": SOURCE}
    for name in ("a", "b", "c", "d"):
        found[f"{name}.yaml"] = AGENT.replace("NAME", name)
        found[f"{name}/pod.yaml"] = pod(
            f"ghcr.io/acme/{name}:{'latest' if name in moving else '1.0.0'}", name
        )
    return found


def test_a_point_is_lost_to_a_finding_and_more_the_more_deliveries_it_is_in() -> None:
    clean, one, all_ = (
        scorecard(*linted_graph(files(*moving))) for moving in ((), ("a",), ("a", "b", "c", "d"))
    )
    assert clean.score == 100
    scores = {principle.name: principle.score for principle in one.principles}
    assert (scores["declarative"], scores["pulled"], scores["reconciled"]) == (100, 100, 100)
    [loss] = next(principle.losses for principle in one.principles if principle.name == "versioned")
    assert (loss.findings[0].rule.id, loss.findings[0].file, loss.deliveries) == ("V001", "a/pod.yaml", 1)
    assert scores["versioned"] == 100 - loss.points
    assert (all_.score or 0) < (one.score or 0) < 100


def test_the_least_that_is_lost_shows_in_the_whole() -> None:
    wrapped = f"apiVersion: v1\nkind: List\nitems:\n- {pod('ghcr.io/acme/d:1.0.0', 'd').strip().replace(chr(10), chr(10) + '  ')}\n"
    card = scorecard(*linted_graph({**files(), "d/pod.yaml": wrapped}))
    assert sorted(principle.score for principle in card.principles) == [98, 100, 100, 100]
    assert card.score == 99


def test_what_could_not_be_checked_has_no_score() -> None:
    remote = {"d/kustomization.yaml": "resources: [https://github.com/acme/base//x?ref=v1.0.0]\n"}
    card = scorecard(*linted_graph({**files(), **remote}))
    assert (card.score, card.why) == (None, "1 thing could not be looked at")
    assert scorecard(*linted_graph({"README.md": "x"})).score is None


def test_errors_of_other_rules_cost_nothing_and_stand_beside_the_score() -> None:
    broken = {"d/pod.yaml": pod("ghcr.io/acme/d:1.0.0", "d").replace("image:", "imag:")}
    card = scorecard(*linted_graph({**files(), **broken}))
    assert card.score == 100
    assert card.others[Severity.ERROR] >= 1
    count = card.others[Severity.ERROR]
    head = score_text(card, paint=lambda text, _style: text).splitlines()[0]
    assert (
        head
        == f"OpenGitOps score: 100 of 100, {count} error{'s' if count > 1 else ''} of other rules beside it"
    )
    told = json.loads(score_json(card))
    assert told["others"]["error"] == count
    assert told["badge"]["color"] == "yellow"
