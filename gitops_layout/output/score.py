"""The scorecard as text, and as JSON with a badge."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gitops_layout.model import Severity

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitops_layout.lint.score import Loss, Scorecard

__all__ = ["score_json", "score_text"]

_GREEN, _YELLOW = 90, 70


def score_text(card: Scorecard, *, paint: Callable[[str, str], str]) -> str:
    """A line a principle, below it one a rule that cost points, with the place of its worst finding."""
    beside = f", {_errors(card)} of other rules beside it" if _errors(card) else ""
    head = (
        f"OpenGitOps score: {card.score} of 100{beside}"
        if card.score is not None
        else f"No score: {card.why}"
    )
    lines = [paint(head, "bold")]
    for principle in card.principles if card.score is not None else ():
        lines.append(f"  {principle.name:<12} {principle.score:>3}")
        lines += [f"    {_loss(loss, card.deliveries)}" for loss in principle.losses]
    if card.score is None:
        lines.append("  mend or declare what could not be looked at: gitops-layout lint --verbose lists it")
    elif card.others:
        count = sum(card.others.values())
        lines.append(f"  {count} findings of rules that belong to no principle cost nothing here")
    return "\n".join(lines) + "\n"


def _errors(card: Scorecard) -> str:
    """`1 error`, of rules that belong to no principle; empty where there is none."""
    count = card.others.get(Severity.ERROR, 0)
    return f"{count} error{'s' if count > 1 else ''}" if count else ""


def _loss(loss: Loss, deliveries: int) -> str:
    worst, count = loss.findings[0], len(loss.findings)
    where = f"{worst.file}:{worst.span.line}" + (f" and {count - 1} more" if count > 1 else "")
    shown = f", {loss.deliveries} of {deliveries} deliveries" if loss.deliveries else ""
    return f"-{loss.points:<3} {worst.rule.id} {worst.rule.name} ({worst.severity}{shown}): {where}"


def score_json(card: Scorecard) -> str:
    """`{version, score, why, deliveries, principles: [{principle, score, lost: [{rule, name, severity, points,
    deliveries, findings}]}], others, badge}`: findings by fingerprint, `score` null with the reason in `why`, `others` the
    number of findings that cost nothing by severity, and `badge` as badge services read it: never green where there are
    errors among these.
    """
    colour, message = "lightgrey", "not checked"
    if card.score is not None:
        colour = "brightgreen" if card.score >= _GREEN else "yellow" if card.score >= _YELLOW else "red"
        colour = "yellow" if colour == "brightgreen" and _errors(card) else colour
        message = f"{card.score}, {_errors(card)}" if _errors(card) else str(card.score)
    data = {
        "version": 1,
        "score": card.score,
        "why": card.why or None,
        "deliveries": card.deliveries,
        "principles": [
            {
                "principle": principle.name,
                "score": principle.score if card.score is not None else None,
                "lost": [
                    {
                        "rule": loss.findings[0].rule.id,
                        "name": loss.findings[0].rule.name,
                        "severity": loss.findings[0].severity.value,
                        "points": loss.points,
                        "deliveries": loss.deliveries,
                        "findings": [finding.fingerprint for finding in loss.findings],
                    }
                    for loss in principle.losses
                ],
            }
            for principle in card.principles
        ],
        "others": {severity.value: count for severity, count in sorted(card.others.items())},
        "badge": {
            "schemaVersion": 1,
            "label": "OpenGitOps",
            "message": message,
            "color": colour,
        },
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
