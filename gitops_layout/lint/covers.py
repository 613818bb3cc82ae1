"""Findings that are told already: another rule's finding, at the same place, speaks of the same mistake."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gitops_layout.lint.report import Finding
    from gitops_layout.rules.model import Reach

__all__ = ["uncovered"]


def uncovered(findings: Iterable[Finding]) -> list[Finding]:
    """The findings without those that a worse or equal one covers (`Rule.covers`).

    Only what is told covers: whoever ignores a rule gets to see what it stood for.
    """
    everything = list(findings)
    covering: dict[tuple[str, Reach, object], list[Finding]] = defaultdict(list)
    for finding in everything:
        for other, reach in finding.rule.covers.items():
            for place in _places(finding, reach):
                covering[other, reach, place].append(finding)
    if not covering:
        return everything
    reaches = {(other, reach) for other, reach, _ in covering}
    return [
        finding
        for finding in everything
        if not any(
            _weighs(other, finding)
            for rule, reach in reaches
            if rule == finding.rule.id
            for other in covering.get((rule, reach, _place(finding, reach)), ())
        )
    ]


def _places(finding: Finding, reach: Reach) -> Iterator[object]:
    """What a finding covers."""
    if reach == "related":
        yield from (place.file for place in finding.related)
    else:
        yield _place(finding, reach)


def _place(finding: Finding, reach: Reach) -> object:
    match reach:
        case "line":
            return finding.file, finding.span.line
        case "document":
            return finding.file, finding.location.document
        case "file" | "related":
            return finding.file


def _weighs(finding: Finding, other: Finding) -> bool:
    """Whether a finding weighs as much as another one: what counts is told by what counts."""
    return finding.live >= other.live and finding.severity.rank <= other.severity.rank
