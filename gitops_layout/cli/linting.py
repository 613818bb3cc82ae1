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
from gitops_layout.cli.loading import Loaded, configured, declared, load
from gitops_layout.cli.remembered import Said
from gitops_layout.cli.roots import SPEC_FILE
from gitops_layout.config import parse
from gitops_layout.errors import UserError
from gitops_layout.lint import baseline as baselines
from gitops_layout.lint.causes import gathered
from gitops_layout.lint.policy import policy
from gitops_layout.lint.report import Report, exit_code
from gitops_layout.lint.run import lint
from gitops_layout.model import Severity, UncheckedClass
from gitops_layout.output import FORMATS
from gitops_layout.system import write_named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gitops_layout.cli.remembered import Memory
    from gitops_layout.config import Config
    from gitops_layout.graph.model import Graph, Target
    from gitops_layout.lint.delta import Asked
    from gitops_layout.lint.policy import Policy
    from gitops_layout.repo.model import Repo
    from gitops_layout.rules import Catalogue

__all__ = ["asked_again", "first_config", "run", "worded"]


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
    if environment is not None:
        _check_environment(loaded, environment)
    given = options["baseline_file"]
    where = given or root / (loaded.config.baseline or baselines.FILE_NAME)
    writing = options["write_baseline"]
    if writing and (paths or environment):
        raise UserError("--write-baseline accepts the whole repository", "leave out PATH and --env")
    known = None if writing else _baseline(where, needed=given is not None)
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
    said = _said(report, Severity(options["fail_on"]) if options["fail_on"] else loaded.config.fail_on)
    said.lasting = (
        not report.crashes and not loaded.config.checkouts and (given is not None or _listed(memory, loaded))
    )
    if options["score"]:
        said.out = [_score(report, loaded, options)]
        return said
    _word(said, report, options)
    first = _first(report, loaded, options)
    _cut(said, report, first, options)
    if said.lasting and memory.cache.usable:
        from gitops_layout.cli.again import hangs_on_commit
        from gitops_layout.cli.lintagain import noted

        said.of_commit = _says_commit(options) or hangs_on_commit(loaded.graph)
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


def _cut(said: Said, report: Report, first: Sequence[str] | None, options: Mapping[str, Any]) -> None:
    """Replace a long report by its short form, if it has one."""
    from gitops_layout.output.first import LINES, SEEN, first_answer
    from gitops_layout.output.text import painter

    long = sum(text.count("\n") for text in said.out) > LINES or len(report.coverage.open) > SEEN
    if first is not None and not report.crashes and long:
        said.out = [first_answer(report, first, paint=painter(colour=options["colour"]))]


def asked_again(
    root: Path, own: Repo, whole: Repo, options: Mapping[str, Any]
) -> tuple[Config, Asked, Catalogue, Target]:
    """What the options and the config ask of a repository, as `run` has it; `own` are the files in it that are ours."""
    from gitops_layout.lint.delta import Asked

    config = configured(own, options["config_file"])
    catalogue = rules.load(whole if config.rules else own, config.rules)
    where = options["baseline_file"] or root / (config.baseline or baselines.FILE_NAME)
    asked = Asked(
        _policy(catalogue, config, options),
        datetime.now().astimezone().date(),
        _baseline(where, needed=options["baseline_file"] is not None),
        options["paths"],
        options["environment"],
    )
    return config, asked, catalogue, _target(own, config, options)


def worded(report: Report, config: Config, options: Mapping[str, Any], first: Sequence[str] | None) -> Said:
    """A report in the words that the options ask for."""
    said = _said(report, Severity(options["fail_on"]) if options["fail_on"] else config.fail_on)
    _word(said, report, options)
    _cut(said, report, first, options)
    return said


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
    target = _target(loaded.graph.repo, loaded.config, options)
    earlier = before.graph if before is not None else None
    return replace(loaded, graph=replace(loaded.graph, target=target, before=earlier))


def _report(loaded: Loaded, options: Mapping[str, Any], known: baselines.Baseline | None) -> Report:
    catalogue = rules.load(loaded.graph.repo, loaded.config.rules)
    return lint(
        loaded.graph,
        catalogue,
        policy=_policy(catalogue, loaded.config, options),
        today=datetime.now().astimezone().date(),
        baseline=known,
        paths=loaded.paths,
        environment=options["environment"],
    )


def _target(repo: Repo, config: Config, options: Mapping[str, Any]) -> Target:
    named = options["versions"], options["locations"], options["crds"]
    return targets.target(*named, clusters=declared(repo, config).clusters)


def _policy(catalogue: Catalogue, config: Config, options: Mapping[str, Any]) -> Policy:
    return policy(
        catalogue,
        config,
        profile=options["profile"],
        select=_split(options["select"]),
        ignore=_split(options["ignore"]),
        allow_unchecked=options["allow_unchecked"],
    )


def _listed(memory: Memory, loaded: Loaded) -> bool:
    """Whether the tree's digest covers the baseline: one that git ignores is not part of the tree."""
    name = loaded.config.baseline
    return name is None or name in memory.listing.entries


def _split(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for part in words for word in part.split(",") if word)


def _said(report: Report, fail_on: Severity) -> Said:
    code = exit_code(report, fail_on)
    if code != 3:
        return Said(code=code)
    pending = report.coverage.open
    counts = ", ".join(
        f"{n} {kind}" for kind in UncheckedClass if (n := sum(s.unchecked.kind is kind for s in pending))
    )
    return Said(code=code, err=f"incomplete: not everything was checked ({counts})\n")


def _check_environment(loaded: Loaded, name: str) -> None:
    known = [environment.name for environment in loaded.graph.environments]
    if name not in known:
        raise UserError(f"no environment is called {name!r}", f"known: {', '.join(known) or 'none'}")


def _baseline(path: Path, *, needed: bool) -> baselines.Baseline | None:
    try:
        return baselines.parse(path.read_bytes(), str(path))
    except FileNotFoundError:
        if needed:
            raise UserError(f"{path}: no such baseline", "write one with --write-baseline") from None
        return None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None


def _write_baseline(report: Report, path: Path) -> Said:
    write_named(path, baselines.dump(report.findings, report.coverage.open))
    words = (
        f"wrote {path}: {len(report.findings)} findings and {len(report.coverage.open)} unchecked accepted\n"
    )
    return Said([words], code=4 if report.crashes else 0, lasting=False)


def _word(said: Said, report: Report, options: Mapping[str, Any]) -> None:
    """Standard output in the wanted form unless a bare FILE diverts it; FORMAT=FILE writes more."""
    diverted = False
    for target in options["outputs"]:
        name, separator, file = target.partition("=")
        named = bool(separator) and name in FORMATS
        diverted = diverted or not named
        text = _text(name if named else options["form"], report, {**options, "colour": False})
        said.files[file if named else target] = [text]
    if not diverted:
        said.out = [_text(options["form"], report, options)]


def _text(form: str, report: Report, options: Mapping[str, Any]) -> str:
    from gitops_layout import output

    if form == "text":
        from gitops_layout.output.text import report_text

        return report_text(
            gathered(report), colour=options["colour"], quiet=options["quiet"], verbose=options["verbose"]
        )
    render: Callable[[Report], str] = output.by_name(form)
    return render(gathered(report) if form == "json" else report)
