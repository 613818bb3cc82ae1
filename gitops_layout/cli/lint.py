"""`lint`: check a repository, print what was found, exit with what it means."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_layout import rules
from gitops_layout.cli import targets
from gitops_layout.cli.loading import Loaded, find_root, load_graph
from gitops_layout.config import FILE_NAME, Config
from gitops_layout.errors import UserError
from gitops_layout.lint import baseline as baselines
from gitops_layout.lint.policy import policy
from gitops_layout.lint.report import Report, exit_code
from gitops_layout.lint.run import lint
from gitops_layout.model import Severity, UncheckedClass
from gitops_layout.system import write_atomic

if TYPE_CHECKING:
    from gitops_layout.config import Profile

__all__ = ["command"]

FORMATS = ("text", "json", "sarif", "github", "gitlab")

_STARTER = """\
# Configuration of gitops-layout for this repository; every key is optional.

# minimal: what is broken; recommended: what goes wrong sooner or later; strict: everything.
profile: recommended

# Rules that stay silent for some files. `until` is the last day on which that holds.
# ignore:
#   - rules: [image-mutable-tag]
#     paths: [apps/demo/**]
#     reason: the demo shows the newest build
#     until: 2027-01-31

# What lies outside this repository and is known not to be looked at.
# external:
#   - chart: "oci://ghcr.io/acme/*"
#     reason: our own charts, linted in their repository
"""


@click.command("lint")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option(
    "--select", multiple=True, metavar="RULE", help="Only these rules: id, prefix, name, group, ALL."
)
@click.option("--ignore", multiple=True, metavar="RULE", help="Not these rules.")
@click.option(
    "--profile", type=click.Choice(["minimal", "recommended", "strict"]), help="Instead of the config's."
)
@click.option(
    "--fail-on", type=click.Choice(["error", "warning", "info"]), help="Exit 1 from this severity on."
)
@click.option("--env", "environment", metavar="E", help="Only what concerns this environment.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help=f"Instead of {FILE_NAME}.")
@click.option(
    "--baseline", "baseline_file", type=click.Path(path_type=Path), help=f"By default {baselines.FILE_NAME}."
)
@click.option(
    "--write-baseline", is_flag=True, help="Accept everything found now; report only what comes later."
)
@click.option("--init", "initialise", is_flag=True, help=f"Write a starter {FILE_NAME}.")
@click.option(
    "--allow-unchecked",
    multiple=True,
    type=click.Choice([c.value for c in UncheckedClass]),
    help="Do not fail on what could not be checked.",
)
@click.option("--format", "form", type=click.Choice(FORMATS), help="Of standard output; text by default.")
@click.option(
    "--output", "outputs", multiple=True, metavar="[FORMAT=]FILE", help="Write to a file (repeatable)."
)
@click.option("-q", "--quiet", is_flag=True, help="Only findings that agents reach.")
@click.option("-v", "--verbose", is_flag=True, help="List everything that was not checked.")
@click.option("--fix", is_flag=True, hidden=True)
@click.option("--diff", hidden=True)
@targets.options
def command(
    paths: tuple[Path, ...],
    *,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    profile: Profile | None,
    fail_on: str | None,
    environment: str | None,
    config_file: Path | None,
    baseline_file: Path | None,
    write_baseline: bool,
    initialise: bool,
    allow_unchecked: tuple[str, ...],
    form: str | None,
    outputs: tuple[str, ...],
    quiet: bool,
    verbose: bool,
    versions: tuple[str, ...],
    locations: tuple[str, ...],
    crds: tuple[Path, ...],
    **later: object,
) -> int:
    """Check a repository against the OpenGitOps principles.

    The whole repository that holds PATH is loaded; PATH filters what is reported and what decides the exit
    code.
    """
    for name, value in later.items():
        if value:
            raise UserError(f"not supported yet: --{name.replace('_', '-')}")
    if initialise:
        return _initialise(paths)
    target = targets.target(versions, locations, crds)
    loaded = load_graph(paths, config_file)
    catalogue = rules.load(loaded.graph.repo, loaded.config.rules)
    decided = policy(
        catalogue,
        loaded.config,
        profile=profile,
        select=_split(select),
        ignore=_split(ignore),
        allow_unchecked=allow_unchecked,
    )
    if environment is not None:
        _check_environment(loaded, environment)
    where = _baseline_path(loaded, baseline_file)
    if write_baseline and (paths or environment):
        raise UserError("--write-baseline accepts the whole repository", "leave out PATH and --env")
    report = lint(
        replace(loaded.graph, target=target),
        catalogue,
        policy=decided,
        today=datetime.now().astimezone().date(),
        baseline=None if write_baseline else _baseline(where, needed=baseline_file is not None),
        paths=loaded.paths,
        environment=environment,
    )
    if write_baseline:
        return _write_baseline(report, where)
    _deliver(report, _format(form), outputs, quiet=quiet, verbose=verbose)
    return _ended(report, Severity(fail_on) if fail_on else loaded.config.fail_on)


def _split(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for part in words for word in part.split(",") if word)


def _ended(report: Report, fail_on: Severity) -> int:
    code = exit_code(report, fail_on)
    if code == 3:
        pending = report.coverage.open
        counts = ", ".join(
            f"{n} {kind}" for kind in UncheckedClass if (n := sum(s.unchecked.kind is kind for s in pending))
        )
        click.echo(f"incomplete: not everything was checked ({counts})", err=True)
    return code


def _check_environment(loaded: Loaded, name: str) -> None:
    known = [environment.name for environment in loaded.graph.environments]
    if name not in known:
        raise UserError(f"no environment is called {name!r}", f"known: {', '.join(known) or 'none'}")


def _initialise(paths: tuple[Path, ...]) -> int:
    path = (find_root(paths[0]) if paths else find_root(Path())) / FILE_NAME
    if path.exists():
        raise UserError(f"{path} exists already", "edit it")
    write_atomic(path, _STARTER)
    click.echo(f"wrote {path}")
    return 0


def _baseline_path(loaded: Loaded, given: Path | None) -> Path:
    config: Config = loaded.config
    return given or loaded.root / (config.baseline or baselines.FILE_NAME)


def _baseline(path: Path, *, needed: bool) -> baselines.Baseline | None:
    try:
        return baselines.parse(path.read_bytes(), str(path))
    except FileNotFoundError:
        if needed:
            raise UserError(f"{path}: no such baseline", "write one with --write-baseline") from None
        return None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None


def _write_baseline(report: Report, path: Path) -> int:
    write_atomic(path, baselines.dump(report.findings, report.coverage.open))
    click.echo(
        f"wrote {path}: {len(report.findings)} findings and {len(report.coverage.open)} unchecked accepted"
    )
    return 4 if report.crashes else 0


def _format(given: str | None) -> str:
    if given is not None:
        return given
    return "github" if os.environ.get("GITHUB_ACTIONS") == "true" else "text"


def _colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _render(form: str, report: Report, *, colour: bool, quiet: bool, verbose: bool) -> str:
    from gitops_layout import output

    if form == "text":
        from gitops_layout.output.text import report_text

        return report_text(report, colour=colour, quiet=quiet, verbose=verbose)
    render: Callable[[Report], str] = output.by_name(form)
    return render(report)


def _deliver(report: Report, form: str, outputs: tuple[str, ...], *, quiet: bool, verbose: bool) -> None:
    """Standard output in `form` unless a bare FILE diverts it; FORMAT=FILE writes more."""
    diverted = False
    for target in outputs:
        name, separator, file = target.partition("=")
        named = bool(separator) and name in FORMATS
        diverted = diverted or not named
        text = _render(name if named else form, report, colour=False, quiet=quiet, verbose=verbose)
        write_atomic(Path(file if named else target), text)
    if not diverted:
        click.echo(_render(form, report, colour=_colour(), quiet=quiet, verbose=verbose), nl=False)
