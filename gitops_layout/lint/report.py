"""What a lint run found, what it looked at, and what it could not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitops_layout.passwords import cleaned
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from gitops_layout.model import Affected, Fix, Location, Path, Severity, Span, Unchecked
    from gitops_layout.rules.model import Rule

__all__ = ["Coverage", "Crash", "Finding", "RelatedPlace", "Report", "Seen", "exit_code"]


@dataclass(frozen=True, slots=True)
class RelatedPlace:
    """The other end of a finding, with its line."""

    file: str
    span: Span
    caption: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause after policy.

    `affected` lists every place where it shows, the most severe first. `excerpt` is the source line
    without its end, with secret values masked; None where there is none to show. Findings of one rule with the same
    `cause` are a habit of the repository (see `lint.causes`); `also` are then the places of the others.
    """

    rule: Rule
    severity: Severity
    live: bool
    location: Location
    span: Span
    message: str
    help: str
    affected: tuple[Affected, ...]
    related: tuple[RelatedPlace, ...]
    fix: Fix | None
    fingerprint: str
    excerpt: str | None
    cause: str = ""
    also: tuple[RelatedPlace, ...] = ()

    def __post_init__(self) -> None:
        cleaned(self, "message", "help", "excerpt")

    @property
    def file(self) -> str:
        """The file of its primary place."""
        return self.location.file

    @property
    def path(self) -> Path:
        """The path of its primary place."""
        return self.location.path

    @property
    def order(self) -> tuple[bool, int, str, int, int, str, str]:
        """Worst first, what no agent reaches last, then by place."""
        return (
            not self.live,
            self.severity.rank,
            self.file,
            self.span.line,
            self.span.column,
            self.rule.id,
            self.message,
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """Something not looked at; `accepted` is why that is all right, None where it is not."""

    unchecked: Unchecked
    line: int | None
    accepted: str | None


@dataclass(frozen=True, slots=True)
class Crash:
    """A rule that failed; its other findings are not to be trusted to be complete."""

    rule: str
    error: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was looked at; `validated` counts objects judged against a schema, `ignored` findings that
    an ignore or the baseline keeps silent. `follows` are the revisions of this repository that agents follow where they may
    hold something else than the tree that was looked at, each with how many deliveries do.
    """

    files: int
    documents: int
    deliveries: int
    objects: int
    validated: int
    unchecked: tuple[Seen, ...]
    ignored: int = 0
    follows: tuple[tuple[str, int], ...] = ()

    @property
    def open(self) -> tuple[Seen, ...]:
        """What was not looked at and nobody accepted."""
        return tuple(seen for seen in self.unchecked if seen.accepted is None)


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of one run. `known` are the findings that the baseline holds."""

    root: str
    revision: str | None
    profile: str
    findings: tuple[Finding, ...]
    coverage: Coverage
    known: tuple[Finding, ...] = ()
    crashes: tuple[Crash, ...] = ()


def exit_code(report: Report, fail_on: Severity) -> int:
    """4 for a crashed rule, 1 for live findings at or above `fail_on`, 3 for what is unchecked, else 0."""
    if report.crashes:
        return 4
    if any(finding.live and finding.severity.rank <= fail_on.rank for finding in report.findings):
        return 1
    return 3 if report.coverage.open else 0
