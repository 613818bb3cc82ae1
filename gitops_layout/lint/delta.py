"""The report after an edit of inert values, from the report before it and the little of the graph that the edit touches.

What `OWN` rules say at a file's places hangs on that file and on what the deliveries that read it bring, so they are
asked again of these. All others see nothing of such values beyond what is compared on the way (names among a container's
words, an environment's name in a text): what they said of the whole graph still holds. Those that look at objects or
texts at all must also say the same of the little graph before and after the edit. Where anything speaks against it the
answer is None, and the whole is judged. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import TYPE_CHECKING

from gitops_layout.checks import ENGINE
from gitops_layout.lint.covers import uncovered
from gitops_layout.lint.evaluate import evaluate
from gitops_layout.lint.ignores import inline_ignores
from gitops_layout.lint.inert import edited, rendered_alike
from gitops_layout.lint.report import RelatedPlace
from gitops_layout.lint.run import Engine, shown
from gitops_layout.lint.suppress import Silencer
from gitops_layout.lint.world import words_of
from gitops_layout.validation.judged import judged
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from gitops_layout.graph.model import Graph
    from gitops_layout.lint.baseline import Baseline
    from gitops_layout.lint.inert import Edited
    from gitops_layout.lint.policy import Policy
    from gitops_layout.lint.report import Finding, Report
    from gitops_layout.model import Hit, Span
    from gitops_layout.rules import Catalogue
    from gitops_layout.rules.model import Row, Rule

__all__ = ["OWN", "Asked", "Earlier", "blind", "judged_again"]

OWN = frozenset(
    {
        "credentials.in_values",
        "ordering.quantity",
        "server.metadata_invalid",
        "server.server_refuses",
        "validation.cel_violation",
        "validation.integer_wraps",
        "validation.other_release",
        "validation.schema_violation",
        "validation.unknown_field",
    }
)
"""Checks that judge each object for itself; assertions about objects do so by what they are."""

BLIND = frozenset(
    {
        "applications", "appsets", "automation", "changes", "charts", "ci.rules", "contents.agent_undeclared",
        "contents.not_object", "contents.rolls_dice", "differences", "files", "flux", "namespaces", "objects",
        "ordering.definition_later", "ordering.path_form", "projects", "projectshape", "sources", "tracked",
        "validation.api_deprecated", "validation.api_removed",
    }
)  # fmt: skip
"""Checks, or all of a module, that look at nothing of an inert value: agents' objects, names, kinds, texts around the
values, marks that a value with one is no inert one for. They need not be asked; whatever is not listed is.
"""

_INERT = frozenset(
    {"args", "command", "data", "image", "limits", "replicas", "requests", "resources", "value"}
)


@dataclass(frozen=True, slots=True)
class Earlier:
    """What is known of the run before: its report, the names that references were followed to and which decided on
    words elsewhere, and the names of environments.
    """

    report: Report
    names: frozenset[str]
    environments: frozenset[str]


@dataclass(frozen=True, slots=True)
class Asked:
    """How the report was asked for."""

    policy: Policy
    today: date
    baseline: Baseline | None
    paths: Sequence[str]
    environment: str | None


def judged_again(
    before: Graph,
    after: Graph,
    changed: AbstractSet[str],
    catalogue: Catalogue,
    earlier: Earlier,
    asked: Asked,
) -> Report | None:
    """The report on the repository after the edit.

    The graphs hold the same deliveries: all those that read any file which one that reads an edited file reads.
    """
    edits = _edits(before, after, changed)
    if edits is None or not _unheard(before, after, edits, earlier):
        return None
    running = [catalogue.by_id[name] for name in sorted(asked.policy.rules)]
    if not all(blind(row) for rule in running for row in rule.references):
        return None
    sides = [_side(graph, running, catalogue, asked) for graph in (before, after)]
    files = _files(before, changed)
    if None in sides:
        return None
    old, new = sides
    assert old is not None
    assert new is not None
    if old.elsewhere(files) != new.elsewhere(files) or old.unchecked != new.unchecked:
        return None
    return _joined(earlier.report, old, new, files, edits, asked)


def blind(row: Row) -> bool:
    """Whether a row of references follows nothing but names."""
    paths = [*row.paths, *(path for maker in row.producers for path in maker.name.split("|"))]
    steps = {step.removesuffix("[]") for path in paths for step in path.split(".")}
    return _INERT.isdisjoint(steps) and not any(step.endswith("Probe") for step in steps)


def _edits(before: Graph, after: Graph, changed: AbstractSet[str]) -> dict[str, Edited] | None:
    found: dict[str, Edited] = {}
    for file in changed:
        edit = edited(file, before.repo.stream(file), after.repo.stream(file))
        if edit is None:
            return None
        found[file] = edit
    return found


def _unheard(before: Graph, after: Graph, edits: Mapping[str, Edited], earlier: Earlier) -> bool:
    """Whether the renders differ in inert values alone, and no text that came or went is one that others listen to."""
    texts = [text for edit in edits.values() for text in edit.texts]
    for delivery in before.deliveries:
        one, other = before.rendered[delivery.id], after.rendered[delivery.id]
        if one.files != other.files or one.failure or other.failure or one.unseen or other.unseen:
            return False
        differing = rendered_alike(one, other)
        if differing is None:
            return False
        texts += differing
    if any(name in text for name in earlier.environments if name for text in texts):
        return False
    return not any(word in earlier.names for text in texts for word in words_of(text))


def _files(graph: Graph, changed: AbstractSet[str]) -> frozenset[str]:
    """All files of the deliveries that read an edited one."""
    read = (graph.rendered[delivery.id].files for delivery in graph.deliveries)
    return frozenset(changed).union(*(files for files in read if not changed.isdisjoint(files)))


def _apart(rule: Rule) -> bool:
    """Whether a rule need not be asked: it follows names, judges agents' settings, or the engine raises it."""
    if rule.check is None:
        return rule.assertion is None or rule.scope.on == "delivery"
    return rule.check == ENGINE or not BLIND.isdisjoint((rule.check, rule.check.rpartition(".")[0]))


def _is_own(rule: Rule) -> bool:
    return rule.check in OWN or (rule.assertion is not None and rule.scope.on != "delivery")


@dataclass(frozen=True, slots=True)
class _Side:
    """What the rules say of one of the two graphs."""

    own: tuple[tuple[Rule, Hit], ...]
    others: Mapping[str, list[Hit]]
    candidates: tuple[Finding, ...]
    findings: tuple[Finding, ...]
    ignored: frozenset[str]
    unchecked: object

    def elsewhere(self, files: AbstractSet[str]) -> object:
        """What must be the same on both sides."""
        return self.others, [(rule.id, hit) for rule, hit in self.own if hit.location.file not in files]


def _side(graph: Graph, running: Sequence[Rule], catalogue: Catalogue, asked: Asked) -> _Side | None:
    found, failed = evaluate(graph, [rule for rule in running if not _apart(rule)])
    if failed:
        return None
    others: dict[str, list[Hit]] = defaultdict(list)
    for rule, hit in found:
        if not _is_own(rule):
            others[rule.id].append(hit)
    own = tuple((rule, hit) for rule, hit in found if _is_own(rule))
    covering = [(rule, hit) for rule, hit in found if rule.covers and not _is_own(rule)]
    everything = Engine(graph, asked.policy).findings([*own, *covering], failed)
    candidates = [finding for finding in everything if _is_own(finding.rule)]
    inline = list(inline_ignores(graph.repo))
    silencer = Silencer(catalogue, asked.policy, inline, asked.today)
    told = uncovered(finding for finding in everything if not silencer.silences(finding))
    kept = [finding for finding in told if _is_own(finding.rule)]
    against_schemas = any(catalogue.by_id[name].group == "validation" for name in asked.policy.rules)
    unchecked = judged(graph).unchecked if against_schemas else ()
    return (
        None
        if failed
        else _Side(
            own,
            others,
            tuple(candidates),
            tuple(shown(kept, asked.policy, asked.paths, asked.environment)),
            silencer.covered(),
            unchecked,
        )
    )


def _joined(
    report: Report,
    old: _Side,
    new: _Side,
    files: AbstractSet[str],
    edits: Mapping[str, Edited],
    asked: Asked,
) -> Report | None:
    """The report with the findings of `old` in `files` replaced by those of `new`, if it holds just these."""
    accepted = asked.baseline.findings if asked.baseline is not None else frozenset()
    everything = [_in(side.findings, files) for side in (old, new)]
    here = [[f for f in some if f.fingerprint not in accepted] for some in everything]
    known = [[f for f in some if f.fingerprint in accepted] for some in everything]
    stored = [f for f in report.findings if _is_own(f.rule) and f.file in files]
    if stored != sorted(here[0], key=lambda f: f.order):
        return None
    came = {f.fingerprint: f.rule.id for f in _in(new.candidates, files)}
    went = {f.fingerprint: f.rule.id for f in _in(old.candidates, files)}
    fresh = {
        rule for fingerprint, rule in (came | went).items() if (fingerprint in came) != (fingerprint in went)
    }
    if not fresh.isdisjoint(old.ignored | new.ignored):
        return None  # an ignore may be of use now, or of none
    if known[0] != known[1] or any(_touches(f, edits) for f in report.known):
        return None
    others: list[Finding] = []
    for finding in report.findings:
        if _is_own(finding.rule) and finding.file in files:
            continue
        moved = _moved(finding, edits) if _touches(finding, edits) else finding
        if moved is None:
            return None
        others.append(moved)
    if any(
        not _still(seen.unchecked.location.file, seen.line, edits)
        for seen in report.coverage.unchecked
        if seen.unchecked.location is not None
    ):
        return None
    findings = sorted([*others, *here[1]], key=lambda f: f.order)
    return replace(report, findings=tuple(findings))


def _in(findings: Iterable[Finding], files: AbstractSet[str]) -> list[Finding]:
    return [finding for finding in findings if finding.file in files]


def _touches(finding: Finding, edits: Mapping[str, Edited]) -> bool:
    places = {finding.file, *(place.file for place in finding.related)}
    places |= {edit.file for edit in finding.fix.edits} if finding.fix else set()
    return not edits.keys().isdisjoint(places)


def _still(file: str, line: int | None, edits: Mapping[str, Edited]) -> bool:
    """Whether a line is where it was, with the same text."""
    edit = edits.get(file)
    if edit is None or line is None:
        return edit is None
    return line not in edit.lines and (edit.same_lines or line < min(edit.lines, default=line + 1))


def _moved(finding: Finding, edits: Mapping[str, Edited]) -> Finding | None:
    """A finding whose places keep their lines while text ahead of them has grown or shrunk; None where one does not."""
    spans = [(finding.file, finding.span), *((place.file, place.span) for place in finding.related)]
    if not all(_still(file, span.line, edits) and _still(file, span.end_line, edits) for file, span in spans):
        return None
    fix = finding.fix
    if fix is not None and any(edit.file in edits for edit in fix.edits):
        return None
    place = finding.location.span
    return replace(
        finding,
        location=replace(
            finding.location, span=_shifted(finding.file, place, edits) if place is not None else None
        ),
        span=_shifted(finding.file, finding.span, edits),
        related=tuple(
            RelatedPlace(place.file, _shifted(place.file, place.span, edits), place.caption)
            for place in finding.related
        ),
    )


def _shifted(file: str, span: Span, edits: Mapping[str, Edited]) -> Span:
    edit = edits.get(file)
    if edit is None:
        return span
    by = sum((new[1] - new[0]) - (old[1] - old[0]) for old, new in edit.stretches if old[1] <= span.start)
    return replace(span, start=span.start + by, end=span.end + by)
