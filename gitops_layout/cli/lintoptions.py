"""What the options of `lint` ask of a repository, and the words in which they want the answer."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitops_layout import rules
from gitops_layout.cli import targets
from gitops_layout.cli.loading import configured, declared
from gitops_layout.cli.remembered import Said
from gitops_layout.errors import UserError
from gitops_layout.lint import baseline as baselines
from gitops_layout.lint.causes import gathered
from gitops_layout.lint.policy import policy
from gitops_layout.lint.report import Report, exit_code
from gitops_layout.model import Severity, UncheckedClass
from gitops_layout.output import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gitops_layout.config import Config
    from gitops_layout.graph.model import Target
    from gitops_layout.lint.delta import Asked
    from gitops_layout.lint.policy import Policy
    from gitops_layout.repo.model import Repo
    from gitops_layout.rules import Catalogue

__all__ = ["asked_again", "baseline_of", "policy_of", "said_of", "target_of", "worded"]


def asked_again(
    root: Path, own: Repo, whole: Repo, options: Mapping[str, Any]
) -> tuple[Config, Asked, Catalogue, Target]:
    """What the options and the config ask of a repository, as `run` has it; `own` are the files in it that are ours."""
    from gitops_layout.lint.delta import Asked

    config = configured(own, options["config_file"])
    catalogue = rules.load(whole if config.rules else own, config.rules)
    where = options["baseline_file"] or root / (config.baseline or baselines.FILE_NAME)
    asked = Asked(
        policy_of(catalogue, config, options),
        datetime.now().astimezone().date(),
        baseline_of(where, needed=options["baseline_file"] is not None),
        options["paths"],
        options["environment"],
    )
    return config, asked, catalogue, target_of(own, config, options)


def worded(report: Report, config: Config, options: Mapping[str, Any], first: Sequence[str] | None) -> Said:
    """A report in the words that the options ask for."""
    said = said_of(report, config, options)
    _word(said, report, options)
    _cut(said, report, first, options)
    return said


def baseline_of(path: Path, *, needed: bool) -> baselines.Baseline | None:
    """The baseline in a file, None without one. Raises UserError where it is `needed` or cannot be read."""
    try:
        return baselines.parse(path.read_bytes(), str(path))
    except FileNotFoundError:
        if needed:
            raise UserError(f"{path}: no such baseline", "write one with --write-baseline") from None
        return None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None


def target_of(repo: Repo, config: Config, options: Mapping[str, Any]) -> Target:
    """The versions and schemas to judge by: those that the options name, else what the declared clusters run."""
    named = options["versions"], options["locations"], options["crds"]
    return targets.target(*named, clusters=declared(repo, config).clusters)


def policy_of(catalogue: Catalogue, config: Config, options: Mapping[str, Any]) -> Policy:
    """Which rules judge, and how strictly: the config's word, and the options' before it."""
    return policy(
        catalogue,
        config,
        profile=options["profile"],
        select=_split(options["select"]),
        ignore=_split(options["ignore"]),
        allow_unchecked=options["allow_unchecked"],
    )


def _split(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for part in words for word in part.split(",") if word)


def said_of(report: Report, config: Config, options: Mapping[str, Any]) -> Said:
    """The exit code of a report, and what standard error says of it; no words yet."""
    code = exit_code(report, Severity(options["fail_on"]) if options["fail_on"] else config.fail_on)
    if code != 3:
        return Said(code=code)
    pending = report.coverage.open
    counts = ", ".join(
        f"{n} {kind}" for kind in UncheckedClass if (n := sum(s.unchecked.kind is kind for s in pending))
    )
    return Said(code=code, err=f"incomplete: not everything was checked ({counts})\n")


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


def _cut(said: Said, report: Report, first: Sequence[str] | None, options: Mapping[str, Any]) -> None:
    """Replace a long report by its short form, if it has one."""
    from gitops_layout.output.first import LINES, SEEN, first_answer
    from gitops_layout.output.text import painter

    long = sum(text.count("\n") for text in said.out) > LINES or len(report.coverage.open) > SEEN
    if first is not None and not report.crashes and long:
        said.out = [first_answer(report, first, paint=painter(colour=options["colour"]))]
