"""The machine-readable report, a versioned contract: keys are only ever added."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gitops_layout import __version__

if TYPE_CHECKING:
    from gitops_layout.lint.report import Finding, Report, Seen
    from gitops_layout.model import Affected

__all__ = ["VERSION", "report_json"]

VERSION = 1
"""Of the contract; raised when a field changes its meaning or goes."""


def report_json(report: Report) -> str:
    """The report as one JSON object, ended by a newline."""
    coverage = report.coverage
    data = {
        "version": VERSION,
        "tool": {"name": "gitops-layout", "version": __version__},
        "root": ".",
        "revision": report.revision,
        "findings": [_finding(finding) for finding in report.findings],
        "coverage": {
            "files": coverage.files,
            "documents": coverage.documents,
            "deliveries": coverage.deliveries,
            "objects": coverage.objects,
            "validated": coverage.validated,
            "unchecked": [_unchecked(seen) for seen in coverage.unchecked],
        },
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _finding(finding: Finding) -> dict[str, Any]:
    span, first = finding.span, _affected(finding.affected[0])
    return {
        "rule": finding.rule.id,
        "name": finding.rule.name,
        "principle": finding.rule.principle,
        "severity": finding.severity.value,
        "live": finding.live,
        "file": finding.file,
        "line": span.line,
        "column": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
        "path": list(finding.path),
        "message": finding.message,
        "help": finding.help,
        **first,
        "affected": [_affected(item) for item in finding.affected],
        "related": [
            {
                "file": place.file,
                "line": place.span.line,
                "column": place.span.column,
                "caption": place.caption,
            }
            for place in finding.related
        ],
        "also": [
            {"file": place.file, "line": place.span.line, "column": place.span.column}
            for place in finding.also
        ],
        "fix": None
        if finding.fix is None
        else {
            "safety": finding.fix.safety,
            "edits": [
                {"file": e.file, "start": e.start, "end": e.end, "text": e.text} for e in finding.fix.edits
            ],
        },
        "fingerprint": finding.fingerprint,
    }


def _affected(item: Affected) -> dict[str, str | None]:
    return {
        "object": str(item.object) if item.object is not None else None,
        "delivery": item.delivery,
        "environment": item.environment,
        "cluster": item.cluster,
    }


def _unchecked(seen: Seen) -> dict[str, Any]:
    item = seen.unchecked
    return {
        "what": item.what,
        "class": item.kind.value,
        "why": item.why,
        "accepted": seen.accepted,
        "file": item.location.file if item.location is not None else None,
        "line": seen.line,
    }
