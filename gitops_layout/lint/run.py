"""Graph + rules + policy → Report. Pure: the day, the baseline and the paths are handed in."""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING, Any

from gitops_layout.agents import argocd
from gitops_layout.checks import ENGINE
from gitops_layout.checks.files import is_live
from gitops_layout.graph.follows import pinned
from gitops_layout.lint import unchecked as looked
from gitops_layout.lint.baseline import Baseline, Ordinals, identity
from gitops_layout.lint.covers import uncovered
from gitops_layout.lint.declared import unmatched
from gitops_layout.lint.evaluate import evaluate
from gitops_layout.lint.fix import fix_of
from gitops_layout.lint.ignores import inline_ignores
from gitops_layout.lint.policy import glob_matches
from gitops_layout.lint.report import Coverage, Crash, Finding, RelatedPlace, Report
from gitops_layout.lint.secrecy import Excerpts
from gitops_layout.lint.suppress import Silencer
from gitops_layout.lint.words import UnfilledError, filled
from gitops_layout.model import Affected, Hit, Location, ObjectRef, Severity, Span
from gitops_layout.repo.model import Repo, is_yaml
from gitops_layout.validation.judged import judged
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from gitops_layout.agents.delivery import Delivery
    from gitops_layout.graph.model import Graph
    from gitops_layout.lint.policy import Policy
    from gitops_layout.rules import Catalogue
    from gitops_layout.rules.model import Rule

__all__ = ["Engine", "lint", "shown"]

_BEGINNING = frozenset({"Application", "ApplicationSet", "AppProject"})


def lint(
    graph: Graph,
    catalogue: Catalogue,
    *,
    policy: Policy,
    today: date,
    baseline: Baseline | None = None,
    paths: Sequence[str] = (),
    environment: str | None = None,
) -> Report:
    """Judge a repository.

    `paths` (relative to the root, empty for all) and `environment` filter what is reported; rules always
    see everything.
    """
    engine = Engine(graph, policy)
    running = [catalogue.by_id[identity] for identity in sorted(policy.rules)]
    found, failed = evaluate(graph, [rule for rule in running if rule.check != ENGINE])
    candidates = engine.findings(found, failed)
    inline = list(inline_ignores(graph.repo))
    silencer = Silencer(catalogue, policy, inline, today)
    unsilenced = [finding for finding in candidates if not silencer.silences(finding)]
    kept = uncovered(unsilenced)
    against_schemas = any(catalogue.by_id[name].group == "validation" for name in policy.rules)
    verdicts = judged(graph) if against_schemas else None
    seen, unused = looked.judge(graph, policy, baseline, paths, verdicts=verdicts)
    if environment is not None:
        seen = tuple(s for s in seen if _of_environment(graph, s.unchecked.delivery, environment))
    silenced = len(candidates) - len(unsilenced)
    idle = [] if policy.partial else unmatched(graph, policy)
    own = [*silencer.complaints(), *unused, *idle]
    raised = [(catalogue.by_id[name], hit) for name, hit in own if name in policy.rules]
    kept += [f for f in engine.findings(raised, failed) if not silencer.silences_own(f)]
    told = list(shown(kept, policy, paths, environment))
    known = baseline.findings if baseline is not None else frozenset()
    new = sorted((f for f in told if f.fingerprint not in known), key=lambda f: f.order)
    old = tuple(f for f in told if f.fingerprint in known)
    return Report(
        root=graph.repo.root,
        revision=graph.repo.revision,
        profile=policy.profile,
        findings=tuple(new),
        coverage=_coverage(
            graph,
            seen,
            validated=verdicts.validated if verdicts is not None else 0,
            ignored=silenced + len(old),
        ),
        known=old,
        crashes=tuple(Crash(rule, error) for rule, error in sorted(failed.items())),
    )


def shown(
    findings: Iterable[Finding], policy: Policy, paths: Sequence[str], environment: str | None
) -> Iterator[Finding]:
    """The findings that were asked for: below `paths`, of the environment, and not excluded by the config."""
    for finding in findings:
        if glob_matches(finding.file, policy.exclude) or (paths and not _below(finding.file, paths)):
            continue
        if environment is None or any(a.environment in (environment, None) for a in finding.affected):
            yield finding


def _below(file: str, paths: Sequence[str]) -> bool:
    return any(not path or file == path or file.startswith(f"{path}/") for path in paths)


def _of_environment(graph: Graph, delivery: str | None, environment: str) -> bool:
    """Whether a delivery serves the environment; what belongs to none may concern each."""
    names = {d.environment for d in graph.deliveries if d.id == delivery}
    return not names or bool(names & {environment, None})


def _coverage(graph: Graph, seen: tuple[Any, ...], *, validated: int, ignored: int) -> Coverage:
    repo = graph.repo
    files = [path for path in repo.files if is_yaml(path) and repo.entries[path].target is None]
    return Coverage(
        files=len(files),
        documents=sum(len(repo.documents(path)) for path in files),
        deliveries=len(graph.deliveries),
        objects=sum(len(rendered.objects) for rendered in graph.rendered.values()),
        validated=validated,
        unchecked=seen,
        ignored=ignored,
        follows=tuple(pinned(graph).most_common()),
    )


@dataclass(slots=True)
class _Cause:
    """Hits of one rule at one place: one finding."""

    rule: Rule
    hits: list[Hit] = field(default_factory=list)


class Engine:
    """Turns hits into findings: merges causes, grades them, looks up lines."""

    def __init__(self, graph: Graph, policy: Policy) -> None:
        self.graph = graph
        self.policy = policy
        self.excerpts = Excerpts(graph.repo)
        self.ordinals = Ordinals()
        self.deliveries = {delivery.id: delivery for delivery in graph.deliveries}
        self.readers: dict[str, list[Delivery]] = {}
        for delivery in graph.deliveries:
            rendered = graph.rendered.get(delivery.id)
            files = rendered.files if rendered is not None else frozenset()
            for file in files | {delivery.root.file}:
                self.readers.setdefault(file, []).append(delivery)

    def findings(self, found: Iterable[tuple[Rule, Hit]], failed: dict[str, str]) -> list[Finding]:
        """One finding a cause, in the order of places; a rule whose words cannot be filled has failed."""
        causes: dict[tuple[str, Location, str], _Cause] = {}
        for rule, hit in found:
            key = (rule.id, hit.location, str(hit.values.get("subject", "")))
            causes.setdefault(key, _Cause(rule)).hits.append(hit)
        spans = {key: _in_one_line(self.graph.repo, key[1]) for key in causes}
        ordered = sorted(causes, key=lambda key: (key[1].file, spans[key].start, key[0], key[2]))
        findings: list[Finding] = []
        for key in ordered:
            try:
                findings += self._finding(causes[key], key[2])
            except UnfilledError as error:
                failed[key[0]] = str(error)
        return findings

    def _finding(self, cause: _Cause, subject: str) -> Iterator[Finding]:
        """The finding, unless its severity is off wherever the cause shows."""
        rule, repo = cause.rule, self.graph.repo
        graded = sorted(
            (
                (severity, not live, position, affected, hit)
                for position, hit in enumerate(cause.hits)
                for affected in self._affected(hit)
                for given, live in [self._grade(rule, hit, affected)]
                if given is not None
                for severity in [max(given, hit.most or given, key=lambda each: each.rank)]
            ),
            key=lambda row: (row[1], row[0].rank, row[2]),
        )
        if not graded:
            return
        severity, dead, _, _, hit = graded[0]
        span = _in_one_line(repo, hit.location)
        yield Finding(
            rule=rule,
            severity=severity,
            live=not dead,
            location=hit.location,
            span=span,
            message=filled(rule.message, hit.values),
            help=filled(rule.help, hit.values),
            affected=tuple(dict.fromkeys(row[3] for row in graded)),
            related=tuple(
                RelatedPlace(r.location.file, repo.span(r.location), r.caption) for r in hit.related
            ),
            fix=fix_of(rule, {id(row[4]): row[4] for row in graded}.values(), repo),
            fingerprint=self.ordinals.fingerprint(
                rule.id, hit.location.file, identity(repo, hit.location), subject
            ),
            cause=filled(rule.cause, hit.values),
            excerpt=self.excerpts.line(hit.location, span, secret=_about_a_value(rule, hit.location)),
        )

    def _affected(self, hit: Hit) -> list[Affected]:
        """Where a hit shows: its own delivery, else every delivery that reads its file."""
        if hit.affected.delivery is not None:
            return [hit.affected]
        readers = self.readers.get(hit.location.file, ())
        return [Affected(hit.affected.object, d.id, d.environment, d.cluster) for d in readers] or [
            hit.affected
        ]

    def _grade(self, rule: Rule, hit: Hit, affected: Affected) -> tuple[Severity | None, bool]:
        tiers = self.policy.rules[rule.id]
        delivery = self.deliveries.get(affected.delivery or "")
        runs = (rule.check or "").startswith(
            "ci."
        )  # a pipeline runs whether or not an agent reaches its file
        if runs or rule.group == "config" or not is_yaml(hit.location.file):
            return min((s for s in tiers.values() if s), key=lambda s: s.rank, default=None), True
        if delivery is None:
            return tiers["nonprod"], is_live(self.graph, hit.location.file)
        by_file = hit.affected.delivery is None or _is_root(hit.affected.object)
        by_file = by_file and is_live(self.graph, hit.location.file)
        return tiers[delivery.tier], delivery.live or by_file


def _is_root(ref: ObjectRef | None) -> bool:
    """Whether an object is one of those with which Argo CD is begun: somebody applies the folder that holds it, though no
    agent names that. What Flux begins with delivers that folder itself.
    """
    return ref is not None and ref.kind in _BEGINNING and ref.group == argocd.GROUP


def _in_one_line(repo: Repo, location: Location) -> Span:
    """Where a finding points: reviews show only what lies in one line, so of a larger value its key,
    and of a whole document its first line."""
    span = repo.span(location)
    if location.path and location.span is None and not location.key:
        key = repo.span(replace(location, key=True))
        if key.line < span.line or span.end_line > span.line:
            span = key
    if span.end_line == span.line:
        return span
    text = repo.stream(location.file).text
    end = text.find("\n", span.start)
    width = len(text[span.start : end].rstrip()) if end >= 0 else 0
    return replace(span, end_line=span.line, end_column=span.column + width, end=span.start + width)


def _about_a_value(rule: Rule, location: Location) -> bool:
    """Whether the line may hold a credential: rules about secrets point at values, or at files' names."""
    return rule.group == "secrets" and not rule.public and not {"envs", "files"}.intersection(location.path)
