"""What `lint` does when nobody has asked the same before: load, judge, put into words."""

from __future__ import annotations

import gc
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitops_layout import rules
from gitops_layout.cli import targets
from gitops_layout.cli.lintoptions import baseline_of, policy_of, said_of, target_of, worded
from gitops_layout.cli.loading import Loaded, load
from gitops_layout.cli.remembered import Said
from gitops_layout.cli.roots import SPEC_FILE
from gitops_layout.config import parse
from gitops_layout.errors import UserError
from gitops_layout.lint import baseline as baselines
from gitops_layout.lint.policy import policy
from gitops_layout.lint.report import Report
from gitops_layout.lint.run import lint
from gitops_layout.system import write_named
from gitops_layout.validation import verdicts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitops_layout.cli.remembered import Memory
    from gitops_layout.graph.model import Graph

__all__ = ["first_config", "ready", "run"]


def ready() -> None:
    """Read and import what the tree has no say in."""
    rules.builtin()
    verdicts.prepare()


def run(root: Path, options: dict[str, Any], memory: Memory) -> Said:
    """Lint the tree and say what was found; `options` are the command's, by name."""
    paths, environment = options["paths"], options["environment"]
    named = options["versions"], options["locations"], options["crds"]
    asked = targets.target(*named)  # refuses what cannot be meant before anything is read
    loaded = load(
        root,
        config_file=options["config_file"],
        paths=paths,
        memory=memory,
        kubernetes=next(iter(asked.kubernetes), None),
        beside=options["beside"],
    )
    gc.freeze()  # what is loaded stays to the end: no need to look for garbage in it
    # Nor often in what checks remember of it: that took a tenth of a long run.
    gc.set_threshold(100_000, 10, 10)
    if environment is not None:
        _check_environment(loaded, environment)
    given = options["baseline_file"]
    where = given or root / (loaded.config.baseline or baselines.FILE_NAME)
    writing = options["write_baseline"]
    if writing and (paths or environment):
        raise UserError("--write-baseline accepts the whole repository", "leave out PATH and --env")
    known = None if writing else baseline_of(where, needed=given is not None)
    if known is not None and options["score"]:  # to accept what is there brings nobody nearer to a principle
        known = replace(known, findings=frozenset())
    before = None
    if options["diff"]:
        before = load(
            root,
            revision=options["diff"],
            config_file=options["config_file"],
            beside=options["beside"],
            kept=memory.cache,
        )
        known = baselines.merged(known, baselines.of(_judged(before, options, None)))
    loaded = _against_target(loaded, options, before)
    report = _report(loaded, options, known)
    if options["fix"]:
        from gitops_layout.cli.fixing import fixed

        return fixed(loaded, report, options, partial(_judged, options=options, known=known, before=before))
    if writing:
        return _write_baseline(report, where)
    if options["score"]:
        first, said = None, said_of(report, loaded.config, options)
        said.out = [_score(report, loaded, options)]
    else:
        first = _first(report, loaded, options)
        said = worded(report, loaded.config, options, first)
    said.lasting = (
        not report.crashes and not loaded.config.checkouts and (given is not None or _listed(memory, loaded))
    )
    if said.lasting and memory.cache.usable and not options["score"]:
        from gitops_layout.cli.again import hangs_on_commit

        said.of_commit = _says_commit(options) or hangs_on_commit(loaded.graph)
        # What else is delivered cannot be judged again by parts.
        if any(delivery.renderer == "kustomize" for delivery in loaded.graph.deliveries):
            from gitops_layout.cli.lintagain import noted

            noted(said, report, loaded.graph, first)
    return said


def _says_commit(options: Mapping[str, Any]) -> bool:
    """Whether a form that is asked for names the commit."""
    forms = {options["form"], *(output.partition("=")[0] for output in options["outputs"])}
    return not forms.isdisjoint({"json", "sarif"})


def _score(report: Report, loaded: Loaded, options: dict[str, Any]) -> str:
    from gitops_layout.lint.score import scorecard
    from gitops_layout.output.score import score_json, score_text
    from gitops_layout.output.text import painter

    card = scorecard(report, loaded.graph)
    if options["form"] == "json":
        return score_json(card)
    return score_text(card, paint=painter(colour=options["colour"]))


def _first(report: Report, loaded: Loaded, options: dict[str, Any]) -> list[str] | None:
    """How the short form of a long report begins, for a repository that says nothing about itself and a command that
    asks for nothing special.
    """
    asked = (
        "full",
        "quiet",
        "verbose",
        "select",
        "ignore",
        "profile",
        "environment",
        "paths",
        "config_file",
        "outputs",
    )
    known = loaded.config.file is not None or SPEC_FILE in loaded.graph.repo.entries or report.known
    if options["form"] != "text" or known or any(options[name] for name in asked):
        return None
    from gitops_layout.output.first import understood
    from gitops_layout.output.text import painter

    return list(understood(report, loaded.graph, painter(colour=options["colour"])))


def first_config(path: Path, options: dict[str, Any]) -> str:
    """The text of a config for `path`, from what a run without one sees."""
    from gitops_layout.lint.starter import starter

    loaded = load(path.parent)
    catalogue = rules.load(loaded.graph.repo)
    today = datetime.now().astimezone().date()
    graph = replace(
        loaded.graph, target=targets.target(options["versions"], options["locations"], options["crds"])
    )
    report = lint(graph, catalogue, policy=policy(catalogue, loaded.config), today=today)
    text = starter(graph, report, today, _fetchable(graph))
    parse(text, str(path))
    return text


def _fetchable(graph: Graph) -> frozenset[tuple[str, str]]:
    """What `fetch` would bring, as a declaration would name it: declared, it would be left alone."""
    from gitops_layout.fetch.wants import declared_as, is_variable, wants

    found = (want.reference for want in wants(graph) if not is_variable(want))
    return frozenset(name for reference in found for name in declared_as(reference))


def _judged(
    loaded: Loaded, options: dict[str, Any], known: baselines.Baseline | None, *, before: Loaded | None = None
) -> Report:
    """The report on a linked repository, as the options have it."""
    return _report(_against_target(loaded, options, before), options, known)


def _against_target(loaded: Loaded, options: Mapping[str, Any], before: Loaded | None) -> Loaded:
    """The repository with what its clusters run, and with what it delivered before."""
    target = target_of(loaded.graph.repo, loaded.config, options)
    earlier = before.graph if before is not None else None
    return replace(loaded, graph=replace(loaded.graph, target=target, before=earlier))


def _report(loaded: Loaded, options: Mapping[str, Any], known: baselines.Baseline | None) -> Report:
    catalogue = rules.load(loaded.graph.repo, loaded.config.rules)
    return lint(
        loaded.graph,
        catalogue,
        policy=policy_of(catalogue, loaded.config, options),
        today=datetime.now().astimezone().date(),
        baseline=known,
        paths=loaded.paths,
        environment=options["environment"],
    )


def _listed(memory: Memory, loaded: Loaded) -> bool:
    """Whether the tree's digest covers the baseline: one that git ignores is not part of the tree."""
    name = loaded.config.baseline
    return name is None or name in memory.listing.entries


def _check_environment(loaded: Loaded, name: str) -> None:
    known = [environment.name for environment in loaded.graph.environments]
    if name not in known:
        raise UserError(f"no environment is called {name!r}", f"known: {', '.join(known) or 'none'}")


def _write_baseline(report: Report, path: Path) -> Said:
    write_named(path, baselines.dump(report.findings, report.coverage.open))
    words = (
        f"wrote {path}: {len(report.findings)} findings and {len(report.coverage.open)} unchecked accepted\n"
    )
    return Said([words], code=4 if report.crashes else 0, lasting=False)
