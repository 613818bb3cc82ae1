"""Findings that have one cause told as one: a habit of the whole repository is one thing to mend, not hundreds."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from gitops_layout.k8s.secrets import likeness
from gitops_layout.lint.report import RelatedPlace
from gitops_layout.model import Fix

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gitops_layout.lint.report import Finding, Report

__all__ = ["gathered"]

_MANY = 5
"""From so many findings on, what they have in common is a habit; fewer are told where they stand."""
_MANY_IN_ONE = 2
"""The same for the parts of one object that a rule judges each by itself, which is what has to be mended, and for
references to one object that is missing.
"""


def gathered(report: Report) -> Report:
    """The report with one finding a habit, at the first of its places; `affected` and `also` hold the others.

    For who reads a whole report. What accepts, mends or compares findings, and what shows them beside the lines of a
    change, takes each on its own.
    """
    return replace(report, findings=tuple(_gathered(report.findings)))


def _gathered(findings: Iterable[Finding]) -> list[Finding]:
    habits: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        key = (
            finding.rule.id,
            finding.cause or finding.fingerprint,
            finding.severity.value,
            str(finding.live),
        )
        habits.setdefault(key, []).append(finding)
    told = [
        one
        for found in habits.values()
        for one in ([_habit(found)] if found[0].cause and len(found) >= _least(found) else found)
    ]
    return sorted(told, key=lambda finding: finding.order)


def _least(found: Sequence[Finding]) -> int:
    rule = found[0].rule
    parts = bool(rule.scope.each) and len({finding.file for finding in found}) == 1
    return _MANY_IN_ONE if parts or rule.references else _MANY


def _habit(found: Sequence[Finding]) -> Finding:
    first, *others = sorted(found, key=_rank)
    files = len({finding.file for finding in found})
    where = f"in {files} files" if files > 1 else "in this file"
    known = f"{first.rule.id}\0{first.cause}\0{first.live}"
    return replace(
        first,
        message=f"{first.message}; {len(others)} more like it {where}",
        affected=tuple(dict.fromkeys(place for finding in found for place in finding.affected)),
        also=tuple(RelatedPlace(finding.file, finding.span, finding.message) for finding in others),
        fix=_together([finding.fix for finding in found if finding.fix is not None]),
        fingerprint=sha256(known.encode()).hexdigest()[: len(first.fingerprint)],
    )


def _rank(finding: Finding) -> int:
    """Of the parts of one Secret, the one whose key says most is told; all others where they stand."""
    path = finding.location.path
    return likeness(str(path[-1])) if path[:1] in (("data",), ("stringData",)) else 0


def _together(fixes: Sequence[Fix]) -> Fix | None:
    """All edits as one fix: safe where each is."""
    edits = tuple(dict.fromkeys(edit for fix in fixes for edit in fix.edits))
    if not edits:
        return None
    return Fix("unsafe" if any(fix.safety == "unsafe" for fix in fixes) else "safe", edits)
