"""Findings for people: worst first, each with its line, the remedy and the other ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitops_layout.model import Severity, UncheckedClass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gitops_layout.lint.report import Coverage, Finding, Report, Seen

__all__ = ["finding_text", "painter", "report_text", "revisions_text"]

_COLOURS = {
    "error": "1;31",
    "warning": "1;33",
    "info": "1;36",
    "bold": "1",
    "dim": "2",
    "mark": "1;34",
}
_MOST_UNCHECKED = 20
_MOST_PLACES = 3
_MOST_REVISIONS = 3


def _plain(text: str, _colour: str) -> str:
    return text


def _painted(text: str, colour: str) -> str:
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def painter(*, colour: bool) -> Callable[[str, str], str]:
    """What colours a text for a terminal, or leaves it as it is."""
    return _painted if colour else _plain


def report_text(report: Report, *, colour: bool = False, quiet: bool = False, verbose: bool = False) -> str:
    """The whole report; `quiet` leaves out what no agent reaches and the coverage, `verbose` cuts nothing."""
    paint = painter(colour=colour)
    shown = [f for f in report.findings if f.live or not quiet]
    blocks = [finding_text(finding, paint=paint) for finding in shown]
    out = "\n".join(blocks)
    if blocks:
        out += "\n"
    for crash in report.crashes:
        out += f"{paint('internal error', 'error')}: rule {crash.rule} failed: {crash.error}\n"
    if quiet:
        return out
    out += "".join(f"{line}\n" for line in _unchecked(report.coverage, paint, verbose))
    out += f"{_summary(report, paint)}\n"
    return out + f"{_coverage(report.coverage)}\n"


def finding_text(finding: Finding, *, paint: Callable[[str, str], str] = _plain) -> str:
    """One finding as printed, each line ended."""
    span, rule = finding.span, finding.rule
    head = paint(f"{finding.file}:{span.line}:{span.column}", "bold")
    label = paint(f"{finding.severity}[{rule.id} {rule.name}]", finding.severity)
    apart = "" if finding.live else paint(" (no agent reaches it)", "dim")
    lines = [f"{head}: {label} {finding.message}{apart}"]
    if finding.excerpt is not None and finding.excerpt.strip():
        lines += _source(finding, paint)
    lines += [f"  {paint('help', 'mark')}: {finding.help}"]
    lines += [
        f"  {paint('see', 'mark')}: {place.file}:{place.span.line}:{place.span.column}: {place.caption}"
        for place in finding.related
    ]
    if finding.also:
        shown = ", ".join(f"{place.file}:{place.span.line}" for place in finding.also[:_MOST_PLACES])
        rest = len(finding.also) - _MOST_PLACES
        lines += [f"  {paint('also', 'mark')}: {shown}{f' and {rest} more' if rest > 0 else ''}"]
    lines += _places(finding, paint)
    return "".join(f"{line}\n" for line in lines)


def _source(finding: Finding, paint: Callable[[str, str], str]) -> Iterator[str]:
    """The source line with carets below the place; tabs stay so that the carets stand right."""
    line = "".join(c if c.isprintable() or c == "\t" else " " for c in finding.excerpt or "")
    span = finding.span
    first = min(span.column - 1, len(line))
    last = min(span.end_column - 1, len(line)) if span.end_line == span.line else len(line.rstrip())
    gutter = f"{span.line:>5} | "
    pad = "".join(c if c == "\t" else " " for c in line[:first])
    yield f"{paint(gutter, 'mark')}{line.rstrip()}"
    yield f"{paint(' ' * (len(gutter) - 2) + '| ', 'mark')}{pad}{paint('^' * max(1, last - first), finding.severity)}"


def _places(finding: Finding, paint: Callable[[str, str], str]) -> Iterator[str]:
    """Where the cause shows, when that is not just one place."""
    named = [a for a in finding.affected if a.environment or a.delivery]
    if len(named) < 2:
        return
    words = list(dict.fromkeys(a.environment or a.cluster or str(a.delivery) for a in named))
    shown = ", ".join(words[:_MOST_PLACES])
    more = f" and {len(words) - _MOST_PLACES} more" if len(words) > _MOST_PLACES else ""
    yield f"  {paint('affects', 'mark')}: {_count(len(named), 'place')} in {shown}{more}"


def _unchecked(coverage: Coverage, paint: Callable[[str, str], str], verbose: bool) -> Iterator[str]:
    pending = coverage.open
    accepted = [seen for seen in coverage.unchecked if seen.accepted is not None]
    for seen in _cut(pending, verbose):
        yield f"{_where(seen)}{paint('not checked', 'warning')}: {_what(seen)}"
    if len(pending) > _MOST_UNCHECKED and not verbose:
        yield f"… and {len(pending) - _MOST_UNCHECKED} more not checked (--verbose lists them)"
    if verbose:
        for seen in accepted:
            yield f"{_where(seen)}not checked, accepted ({seen.accepted}): {_what(seen)}"
    if pending or (accepted and verbose):
        yield ""


def _cut(items: Sequence[Seen], verbose: bool) -> Sequence[Seen]:
    return items if verbose else items[:_MOST_UNCHECKED]


def _where(seen: Seen) -> str:
    place = seen.unchecked.location
    return f"{place.file}:{seen.line}: " if place is not None and place.file else ""


def _what(seen: Seen) -> str:
    item = seen.unchecked
    words = f"{item.what}: {item.why} [{item.kind}]"
    return "".join(c if c.isprintable() else " " for c in words)


def _summary(report: Report, paint: Callable[[str, str], str]) -> str:
    live = [f for f in report.findings if f.live]
    counts = [
        paint(_count(n, severity.value), severity)
        for severity in Severity
        if (n := sum(f.severity is severity for f in live))
    ]
    words = ", ".join(counts) or "No findings"
    apart = len(report.findings) - len(live)
    if apart:
        words += f"; {apart} more where no agent reaches"
    if report.coverage.ignored:
        words += f"; {report.coverage.ignored} ignored"
    return words


def _coverage(coverage: Coverage) -> str:
    """One line: what was looked at, and both classes of what was not."""
    looked = (
        f"Checked {_count(coverage.files, 'file')}, {_count(coverage.documents, 'document')}, "
        f"{_count(coverage.deliveries, 'delivery')}, {_count(coverage.objects, 'rendered object')}"
    )
    parts = ["schemas" if coverage.objects and not coverage.validated else ""]
    for kind in UncheckedClass:
        items = [seen for seen in coverage.unchecked if seen.unchecked.kind is kind]
        if items:
            accepted = sum(seen.accepted is not None for seen in items)
            note = f" ({accepted} accepted)" if accepted else ""
            parts.append(f"{len(items)} {kind}{note}")
    missing = ", ".join(part for part in parts if part)
    said = f"{looked}; not checked: {missing}" if missing else looked
    return "\n".join([said, *revisions_text(coverage)])


def revisions_text(coverage: Coverage) -> Iterator[str]:
    """The other revisions that agents follow: what they hold was not looked at."""
    for revision, number in coverage.follows[:_MOST_REVISIONS]:
        follow = "follows" if number == 1 else "follow"
        yield f"Checked is this tree; {_count(number, 'delivery')} {follow} {revision}, which may hold something else"
    more = len(coverage.follows) - _MOST_REVISIONS
    if more > 0:
        yield f"… and {_count(more, 'other revision')}"


def _count(number: int, noun: str) -> str:
    if number == 1 or noun == "info":
        return f"{number} {noun}"
    return f"{number} {noun.removesuffix('y')}ies" if noun.endswith("y") else f"{number} {noun}s"
