"""SARIF 2.1.0 within what GitHub code scanning reads: one run, one-line regions, relative paths."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gitops_layout import __version__
from gitops_layout.model import Severity
from gitops_layout.rules.examples import body

if TYPE_CHECKING:
    from gitops_layout.lint.report import Finding, Report
    from gitops_layout.model import Span
    from gitops_layout.rules.model import Rule

__all__ = ["report_sarif"]

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_MAX_RESULTS = 5_000  # GitHub shows no more of one run, and keeps the first of them
_MAX_TEXT = 1_024
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_PROBLEMS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "recommendation"}
# High for errors, medium for the rest, in the bands by which GitHub names them.
_SECURITY = {Severity.ERROR: "8.0", Severity.WARNING: "5.0", Severity.INFO: "2.0"}


def report_sarif(report: Report) -> str:
    """The report as a SARIF log; what no agent reaches is left out, since an alert is a demand to act."""
    live = [finding for finding in report.findings if finding.live][:_MAX_RESULTS]
    used = {finding.rule.id: finding.rule for finding in live}
    rules = [used[identity] for identity in sorted(used)]
    index = {rule.id: n for n, rule in enumerate(rules)}
    run = {
        "tool": {
            "driver": {
                "name": "gitops-layout",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [_rule(rule) for rule in rules],
            }
        },
        "automationDetails": {"id": f"gitops-layout/{report.profile}/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(report)],
        "results": [_result(finding, index[finding.rule.id]) for finding in live],
    }
    if report.revision is not None:
        run["properties"] = {"revision": report.revision}
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(rule: Rule) -> dict[str, Any]:
    worst = rule.worst or Severity.INFO
    security = rule.group == "secrets"
    properties: dict[str, Any] = {
        "precision": rule.precision,
        "problem.severity": _PROBLEMS[worst],
        "tags": [rule.group, *(["security"] if security else [])],
    }
    if security:
        properties["security-severity"] = _SECURITY[worst]
    text = body(rule)
    why = text.split("\n\n", 1)[0].replace("\n", " ").strip()
    return {
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": rule.name.replace("-", " ")},
        "fullDescription": {"text": (why or rule.name)[:_MAX_TEXT]},
        "help": {"text": rule.help, "markdown": text},
        "defaultConfiguration": {"level": _LEVELS[worst]},
        "properties": properties,
    }


def _result(finding: Finding, rule: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.rule.id,
        "ruleIndex": rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": _message(finding)},
        "locations": [{"physicalLocation": _physical(finding.file, finding.span)}],
        "partialFingerprints": {"primaryLocationLineHash": finding.fingerprint},
    }
    if finding.related:
        result["relatedLocations"] = [
            {
                "id": number,
                "physicalLocation": _physical(place.file, place.span),
                "message": {"text": place.caption},
            }
            for number, place in enumerate(finding.related, 1)
        ]
    return result


def _message(finding: Finding) -> str:
    """The fact, the remedy, and links to the other ends; brackets of foreign text are no links."""
    text = f"{_escaped(finding.message)}. {_escaped(finding.help)}."
    links = (f"[{_escaped(place.caption)}]({n})" for n, place in enumerate(finding.related, 1))
    return " ".join((text, *links))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def _physical(file: str, span: Span) -> dict[str, Any]:
    one_line = span.end_line == span.line
    return {
        "artifactLocation": {"uri": quote(file), "uriBaseId": "%SRCROOT%"},
        "region": {
            "startLine": span.line,
            "startColumn": span.column,
            "endLine": span.line,
            "endColumn": max(span.end_column, span.column + 1) if one_line else span.column + 1,
        },
    }


def _invocation(report: Report) -> dict[str, Any]:
    """What was not checked and which rules failed, as notifications: a clean log must not look complete."""
    notes = [
        {"level": "warning", "message": {"text": f"not checked: {s.unchecked.what}: {s.unchecked.why}"}}
        for s in report.coverage.open
    ]
    notes += [
        {"level": "error", "message": {"text": f"rule {crash.rule} failed: {crash.error}"}}
        for crash in report.crashes
    ]
    return {"executionSuccessful": not report.crashes, "toolExecutionNotifications": notes}
