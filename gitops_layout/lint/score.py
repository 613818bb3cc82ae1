"""The scorecard: how far a repository is from each principle, every lost point with the findings that cost it. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gitops_layout.model import Severity
from gitops_layout.rules.model import PRINCIPLES
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gitops_layout.graph.model import Graph
    from gitops_layout.lint.report import Finding, Report

__all__ = ["Loss", "Principle", "Scorecard", "scorecard"]

_WEIGHTS = {Severity.ERROR: 30.0, Severity.WARNING: 12.0, Severity.INFO: 3.0}
"""What a rule costs that every delivery breaks; half of it for the first finding."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What one rule's live findings cost, in points, worst finding first; `deliveries` of the live ones are affected."""

    points: int
    findings: tuple[Finding, ...]
    deliveries: int


@dataclass(frozen=True, slots=True)
class Principle:
    """A principle's score, 0 to 100, and what it lost."""

    name: str
    score: int
    losses: tuple[Loss, ...]


@dataclass(frozen=True, slots=True)
class Scorecard:
    """All four principles and their mean; `score` is None, with the reason, where not everything could be checked.

    `others` counts the live findings of rules that belong to no principle, by severity: they cost nothing, for they are
    about what is delivered and not about how, and are told beside the score.
    """

    score: int | None
    why: str
    principles: tuple[Principle, ...]
    deliveries: int
    others: Mapping[Severity, int]


def scorecard(report: Report, graph: Graph) -> Scorecard:
    """Score a report. What an ignore keeps silent costs nothing: somebody gave a reason for it."""
    live = [finding for finding in report.findings if finding.live]
    deliveries = sum(delivery.live for delivery in graph.deliveries)
    principles = tuple(_principle(name, live, max(deliveries, 1)) for name in PRINCIPLES)
    why = _unscored(report, deliveries)
    total = sum(principle.score for principle in principles) // len(principles)  # 100 is nothing lost at all
    others = Counter(finding.severity for finding in live if finding.rule.principle is None)
    return Scorecard(None if why else total, why, principles, deliveries, others)


def _unscored(report: Report, deliveries: int) -> str:
    if report.crashes:
        return "a rule crashed"
    if pending := len(report.coverage.open):
        return f"{pending} {'thing' if pending == 1 else 'things'} could not be looked at"
    if not deliveries or not report.coverage.objects:
        return "nothing is delivered"
    return ""


def _principle(name: str, live: Iterable[Finding], deliveries: int) -> Principle:
    rules: dict[str, list[Finding]] = {}
    for finding in live:
        if finding.rule.principle == name:
            rules.setdefault(finding.rule.id, []).append(finding)
    losses = sorted(_losses(rules, deliveries), key=lambda loss: (-loss.points, loss.findings[0].rule.id))
    return Principle(name, max(0, 100 - sum(loss.points for loss in losses)), tuple(losses))


def _losses(rules: dict[str, list[Finding]], deliveries: int) -> Iterator[Loss]:
    for found in rules.values():
        ranked = sorted(found, key=lambda finding: finding.order)
        places = {
            affected.delivery for finding in found for affected in finding.affected if affected.delivery
        }
        share = min(1.0, max(1, len(places)) / deliveries)
        points = max(1, round(_WEIGHTS[ranked[0].severity] * (0.5 + 0.5 * share)))
        yield Loss(points, tuple(ranked), len(places))
