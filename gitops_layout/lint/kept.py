"""A report as plain data and back, so that a later run can start from it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitops_layout.lint.report import Coverage, Finding, RelatedPlace, Report, Seen
from gitops_layout.model import (
    Affected,
    Edit,
    Fix,
    Location,
    ObjectRef,
    Severity,
    Span,
    Unchecked,
    UncheckedClass,
)

if TYPE_CHECKING:
    from gitops_layout.rules import Catalogue

__all__ = ["coded", "decoded"]

_Data = list[Any]
_COUNTS = ("files", "documents", "deliveries", "objects", "validated", "ignored")


def coded(report: Report) -> dict[str, Any]:
    """A report without crashes, as JSON can hold it."""
    return {
        "root": report.root,
        "revision": report.revision,
        "profile": report.profile,
        "findings": [_finding(finding) for finding in report.findings],
        "known": [_finding(finding) for finding in report.known],
        "counts": [getattr(report.coverage, name) for name in _COUNTS],
        "unchecked": [_seen(seen) for seen in report.coverage.unchecked],
        "follows": report.coverage.follows,
    }


def decoded(data: dict[str, Any], catalogue: Catalogue) -> Report:
    """The report again; its rules are those of `catalogue`. Raises LookupError for a rule that is not there."""
    return Report(
        data["root"],
        data["revision"],
        data["profile"],
        tuple(_to_finding(row, catalogue) for row in data["findings"]),
        Coverage(
            **dict(zip(_COUNTS, data["counts"], strict=True)),
            unchecked=tuple(_to_seen(row) for row in data["unchecked"]),
            follows=tuple((revision, number) for revision, number in data["follows"]),
        ),
        tuple(_to_finding(row, catalogue) for row in data["known"]),
    )


def _finding(f: Finding) -> _Data:
    return [
        f.rule.id,
        f.severity.value,
        f.live,
        _location(f.location),
        _span(f.span),
        f.message,
        f.help,
        [_affected(affected) for affected in f.affected],
        [[place.file, _span(place.span), place.caption] for place in f.related],
        [f.fix.safety, [[e.file, e.start, e.end, e.text] for e in f.fix.edits]] if f.fix else None,
        f.fingerprint,
        f.excerpt,
        f.cause,
    ]


def _to_finding(row: _Data, catalogue: Catalogue) -> Finding:
    (
        rule,
        severity,
        live,
        location,
        span,
        message,
        help_,
        affected,
        related,
        fix,
        fingerprint,
        excerpt,
        cause,
    ) = row
    return Finding(
        catalogue.by_id[rule],
        Severity(severity),
        live,
        _to_location(location),
        Span(*span),
        message,
        help_,
        tuple(Affected(ObjectRef(*ref) if ref else None, *rest) for ref, *rest in affected),
        tuple(RelatedPlace(file, Span(*place), caption) for file, place, caption in related),
        Fix(fix[0], tuple(Edit(*edit) for edit in fix[1])) if fix else None,
        fingerprint,
        excerpt,
        cause,
    )


def _affected(affected: Affected) -> _Data:
    ref = affected.object
    named = [ref.api_version, ref.kind, ref.namespace, ref.name] if ref else None
    return [named, affected.delivery, affected.environment, affected.cluster]


def _seen(seen: Seen) -> _Data:
    entry = seen.unchecked
    place = _location(entry.location) if entry.location else None
    subject = list(entry.subject) if entry.subject else None
    return [
        entry.what,
        entry.kind.value,
        entry.why,
        place,
        subject,
        entry.delivery,
        seen.line,
        seen.accepted,
    ]


def _to_seen(row: _Data) -> Seen:
    what, kind, why, place, subject, delivery, line, accepted = row
    location = _to_location(place) if place else None
    named = (subject[0], subject[1]) if subject else None
    return Seen(Unchecked(what, UncheckedClass(kind), why, location, named, delivery), line, accepted)


def _location(place: Location) -> _Data:
    return [
        place.file,
        list(place.path),
        place.document,
        place.key,
        _span(place.span) if place.span else None,
    ]


def _to_location(row: _Data) -> Location:
    file, path, document, key, span = row
    return Location(file, tuple(path), document, key, Span(*span) if span else None)


def _span(span: Span) -> _Data:
    return [span.line, span.column, span.end_line, span.end_column, span.start, span.end]
