"""The first answer: what a repository that says nothing about itself holds, in about thirty lines.

Whoever tries the linter on a repository it does not know wants to see whether it understood it, what is worst, and
what to type next; every finding in full is one flag away.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gitops_layout.counts import counted
from gitops_layout.model import Severity, UncheckedClass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gitops_layout.agents.delivery import Agent
    from gitops_layout.graph.model import Graph
    from gitops_layout.lint.report import Finding, Report
    from gitops_layout.model import Unchecked

__all__ = ["LINES", "SEEN", "first_answer", "understood"]

LINES = 30
"""A report of more lines than this is cut to a first answer."""

_CAUSES = 10
_LEAST = 5
"""Lines that what was not seen has at least, however much there is to say: its number, the broken, the most frequent."""
_NAMES = 6
_WIDTH = 120
_PLACE = 40
"""Of a longer place its end is shown: the file says more than the folders above it."""
SEEN = 5
"""So many things that were not seen are listed in full; more are counted."""
_AGENTS = {"flux": "Flux", "argocd": "Argo CD"}


def first_answer(report: Report, understood: Sequence[str], *, paint: Callable[[str, str], str]) -> str:
    """What was `understood`, the worst live causes, what was not seen, and the command that mends each."""
    causes, following = list(_causes(report, paint)), list(_next(report, paint))
    left = LINES - sum(len(block) + 1 for block in (understood, causes, following))
    unseen = list(_unseen(report, paint, max(left, _LEAST)))
    blocks = [understood, causes, unseen, following]
    return "\n".join("".join(f"{line}\n" for line in block) for block in blocks if block)


def understood(report: Report, graph: Graph, paint: Callable[[str, str], str]) -> Iterator[str]:
    """Which agents there are, what they deliver and where, and how much of the repository that is; a line each."""
    live = [delivery for delivery in graph.deliveries if delivery.live]
    kinds = Counter((delivery.agent, delivery.kind) for delivery in live)
    agents = dict.fromkeys(_AGENTS[agent] for agent, _ in kinds if agent in _AGENTS)
    yield paint(
        f"{' and '.join(agents) or 'No agent'}: {_deliveries(kinds) or 'nothing is delivered'}", "bold"
    )
    if graph.environments:
        words = [f"{item.name} ({item.tier}: {item.evidence or item.reason})" for item in graph.environments]
        yield f"  environments  {_listed(words, 3)}"
    else:
        yield "  environments  none told apart"
    if graph.clusters:
        yield f"  clusters      {_listed([item.name for item in graph.clusters], _NAMES)}"
    coverage = report.coverage
    yield (
        f"  read          {coverage.files} files, {coverage.documents} documents, {coverage.objects} rendered objects,"
        f" {coverage.validated} held against schemas"
    )
    if coverage.follows:
        words = [f"{revision} ({counted(number, 'delivery')})" for revision, number in coverage.follows]
        yield f"  followed      {_listed(words, 3)}: read was this tree, which may hold something else"
    manifests = {resource.file for resource in graph.repo.resources}
    dead = [file for file in manifests if not graph.is_live(file)]
    if dead:
        yield f"  not reached   {len(dead)} of {len(manifests)} files with objects; gitops-layout graph --files says why"


def _deliveries(kinds: Counter[tuple[Agent, str]]) -> str:
    words = [counted(count, kind) for (_, kind), count in kinds.most_common(4)]
    more = len(kinds) - len(words)
    return ", ".join(words) + (f" and {more} other kinds" if more > 0 else "")


def _causes(report: Report, paint: Callable[[str, str], str]) -> Iterator[str]:
    live = [finding for finding in report.findings if finding.live]
    apart = len(report.findings) - len(live)
    counts = [
        f"{n} {s.value}{'s' if n != 1 and s is not Severity.INFO else ''}"
        for s in Severity
        if (n := _of(live, s))
    ]
    more = f"; {apart} more where no agent reaches" if apart else ""
    yield paint(", ".join(counts) or "No findings", "bold") + more
    ranked = _ranked(live)
    for found in ranked[:_CAUSES]:
        worst = found[0]
        label = f"{worst.severity:<8}{worst.rule.id:<6}{len(found):>4} x {worst.rule.name}"
        place = f"{worst.file}:{worst.span.line}"
        place = place if len(place) <= _PLACE else f"…{place[1 - _PLACE :]}"
        yield f"  {paint(label, worst.severity)}  {_cut(f'{place}: {worst.message}', _WIDTH - len(label))}"
    if len(ranked) > _CAUSES:
        rest = sum(map(len, ranked[_CAUSES:]))
        yield f"  … and {rest} of {len(ranked) - _CAUSES} more rules"


def _ranked(findings: Sequence[Finding]) -> list[list[Finding]]:
    """The findings of each rule, the worst rule first, and of equally bad ones the most frequent."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.rule.id, []).append(finding)
    return sorted(groups.values(), key=lambda found: (found[0].severity.rank, -len(found), found[0].rule.id))


def _of(findings: Sequence[Finding], severity: Severity) -> int:
    return sum(finding.severity is severity for finding in findings)


_SUBJECTS = {
    "chart": ("chart that was not fetched", "charts that were not fetched", "gitops-layout fetch"),
    "unseen chart": ("chart", "charts", ""),
    "base": ("remote base that was not fetched", "remote bases that were not fetched", "gitops-layout fetch"),
    "source": ("source elsewhere", "sources elsewhere", "gitops-layout fetch, or declare them: external"),
    "kind": ("kind without a schema", "kinds without a schema", "--crds, or declare them: lint --init"),
}

_UNDEFINED = "no file defines "
_FETCHED = ("chart", "base", "source")


def _unseen(report: Report, paint: Callable[[str, str], str], lines: int) -> Iterator[str]:
    """In so many lines at most."""
    pending = report.coverage.open
    if not pending:
        return
    yield paint(f"Not seen: {len(pending)}", "bold")
    broken = [seen for seen in pending if seen.unchecked.kind is UncheckedClass.BROKEN]
    if broken:
        first = broken[0]
        place = f"{first.unchecked.location.file}:{first.line}: " if first.unchecked.location else ""
        yield _cut(f"  {len(broken)} broken, such as {place}{first.unchecked.why}", _WIDTH)
    alike: dict[tuple[str, str], list[Unchecked]] = {}
    for seen in pending:
        if seen.unchecked.kind is not UncheckedClass.BROKEN:
            alike.setdefault(_subject(seen.unchecked), []).append(seen.unchecked)
    ranked = sorted(alike.items(), key=lambda item: -len(item[1]))
    room = lines - 1 - bool(broken)
    shown = len(ranked) if len(ranked) <= room else room - 1
    for (subject, why), found in ranked[:shown]:
        if subject == "undefined chart":
            name = found[0].why.partition(_UNDEFINED)[2]
            words = f"1 chart: {_UNDEFINED}{name}"
            if len(found) > 1:
                words = f"{len(found)} charts whose sources {_UNDEFINED.strip()}, such as {name}"
        elif subject in _SUBJECTS:
            one, many, act = _SUBJECTS[subject]
            words = f"{len(found)} {one if len(found) == 1 else many}: {why or act}"
        else:
            words = f"{found[0].what}: {found[0].why}"
            words = words if len(found) == 1 else f"{len(found)} others, such as {words}"
        yield _cut(f"  {words}", _WIDTH)
    if len(ranked) > shown:
        yield f"  … and {sum(len(found) for _, found in ranked[shown:])} more: gitops-layout lint --full"


def _subject(entry: Unchecked) -> tuple[str, str]:
    """What an entry is about, and why it cannot be seen where no command would help."""
    subject = entry.subject[0] if entry.subject else ""
    if entry.what.startswith("variables of "):
        return "", entry.what  # one cause, whatever is missing them
    if subject == "kind" and not entry.what.startswith("kind "):
        return "", entry.why.partition(":")[0]  # an object that could not be followed, not its schema
    if subject != "chart" or entry.why.startswith("chart not fetched"):
        return subject, ""
    if _UNDEFINED in entry.why:
        return "undefined chart", ""
    return "unseen chart", entry.why.partition(": ")[2] or entry.why


def _next(report: Report, paint: Callable[[str, str], str]) -> Iterator[str]:
    yield paint("Next", "bold")
    yield "  gitops-layout lint --full            every finding on its line"
    live = [finding for finding in report.findings if finding.live]
    if live:
        worst = _ranked(live)[0][0].rule
        yield f"  gitops-layout explain {worst.id:<15}why it matters, and how to mend it"
    if any(_subject(seen.unchecked)[0] in _FETCHED for seen in report.coverage.open):
        yield "  gitops-layout fetch                  bring charts, bases and sources, pinned by a lock"
    yield "  gitops-layout lint --init            write down what was detected, for people to correct"
    if report.findings or report.coverage.open:
        yield "  gitops-layout lint --write-baseline  accept what is there today; fail on what comes later"


def _listed(words: Sequence[str], most: int) -> str:
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def _cut(text: str, width: int) -> str:
    clean = "".join(c if c.isprintable() else " " for c in text)
    return clean if len(clean) <= width else f"{clean[: width - 1]}…"
