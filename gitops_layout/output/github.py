"""GitHub Actions: annotations on the lines, then the summary. Only the first ten of a step are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitops_layout.model import Severity
from gitops_layout.output.text import report_text

if TYPE_CHECKING:
    from gitops_layout.lint.report import Finding, Report

__all__ = ["report_github"]

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def report_github(report: Report) -> str:
    """One workflow command a live finding, worst first; then the report as people read it."""
    commands = "".join(f"{_command(finding)}\n" for finding in report.findings if finding.live)
    return commands + report_text(report)


def _command(finding: Finding) -> str:
    span = finding.span
    properties = {
        "file": finding.file,
        "line": str(span.line),
        "endLine": str(span.end_line),
        "col": str(span.column),
        "endColumn": str(span.end_column),
        "title": f"{finding.rule.id} {finding.rule.name}",
    }
    listed = ",".join(f"{name}={_escaped_property(value)}" for name, value in properties.items())
    return f"::{_COMMANDS[finding.severity]} {listed}::{_escaped(f'{finding.message} ({finding.help})')}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped_property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
