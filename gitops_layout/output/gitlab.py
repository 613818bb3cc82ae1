"""GitLab Code Quality: a JSON array, `[]` when clean."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gitops_layout.model import Severity

if TYPE_CHECKING:
    from gitops_layout.lint.report import Report

__all__ = ["report_gitlab"]

_SEVERITIES = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.INFO: "info"}


def report_gitlab(report: Report) -> str:
    """One entry a live finding."""
    entries = [
        {
            "description": f"{finding.message} ({finding.help})",
            "check_name": f"{finding.rule.id} {finding.rule.name}",
            "fingerprint": finding.fingerprint,
            "severity": _SEVERITIES[finding.severity],
            "location": {"path": finding.file, "lines": {"begin": finding.span.line}},
        }
        for finding in report.findings
        if finding.live
    ]
    return json.dumps(entries, indent=2, ensure_ascii=False) + "\n"
