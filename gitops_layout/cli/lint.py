"""`lint`: check a repository, print what was found, exit with what it means."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitops_layout.cli import remembered, targets
from gitops_layout.cli.roots import find_root, located
from gitops_layout.config import FILE_NAME
from gitops_layout.errors import UserError
from gitops_layout.model import UncheckedClass
from gitops_layout.output import FORMATS
from gitops_layout.system import write_named

if TYPE_CHECKING:
    from gitops_layout.config import Profile

__all__ = ["command"]

BASELINE = ".gitops-layout/baseline.json"


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
@click.option("--baseline", "baseline_file", type=click.Path(path_type=Path), help=f"By default {BASELINE}.")
@click.option(
    "--write-baseline", is_flag=True, help="Accept everything found now; report only what comes later."
)
@click.option(
    "--init", "initialise", is_flag=True, help=f"Write {FILE_NAME} from what is detected; never over one."
)
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
@click.option("--score", is_flag=True, help="A score a principle, and what cost it; text or json.")
@click.option("--full", is_flag=True, help="Every finding, also of a repository without configuration.")
@click.option("-v", "--verbose", is_flag=True, help="List everything that was not checked.")
@click.option(
    "--checkouts",
    "beside",
    is_flag=True,
    help="Read the other repositories on this machine that the config names.",
)
@click.option("--fix", is_flag=True, help="Mend what can be mended without changing what is deployed.")
@click.option("--unsafe", is_flag=True, help="With --fix: also what changes what is deployed.")
@click.option("--dry-run", is_flag=True, help="With --fix: show the edits, write nothing.")
@click.option("--diff", metavar="REV", help="Only what is new since this revision, and what the change does.")
@remembered.option
@targets.options
def command(
    paths: tuple[Path, ...],
    *,
    profile: Profile | None,
    initialise: bool,
    no_cache: bool,
    form: str | None,
    **options: Any,
) -> int:
    """Check a repository against the OpenGitOps principles.

    The whole repository that holds PATH is loaded; PATH filters what is reported and what decides the exit
    code.
    """
    if (options["unsafe"] or options["dry_run"]) and not options["fix"]:
        raise UserError("--unsafe and --dry-run go with --fix", "add --fix")
    if initialise:
        return _initialise(paths, options)
    root, relative = located(paths)
    options |= {"profile": profile, "form": _format(form), "colour": _colour(), "paths": relative}
    known = {**options, "baseline": root / BASELINE}
    outside = ("write_baseline", "locations", "crds", "fix", "diff")
    use = not (no_cache or any(options[name] for name in outside))
    return remembered.command("lint", root, known, partial(_run, root, options), ready=_ready, use=use)


def _run(root: Path, options: dict[str, Any], memory: remembered.Memory) -> remembered.Said:
    again = _again(root, options, memory)
    if again is not None:
        return again
    from gitops_layout.cli.linting import run  # all that reads YAML and judges it

    return run(root, options, memory)


def _ready() -> None:
    from gitops_layout.cli.linting import ready

    ready()


def _again(root: Path, options: dict[str, Any], memory: remembered.Memory) -> remembered.Said | None:
    """The words of the nearest earlier run as they are after what was edited since, if that is safe to say."""
    for tree, changed in memory.state.before:
        earlier = memory.recall(tree)
        if earlier is not None and earlier.note is not None:
            from gitops_layout.cli.lintagain import linted_again

            return linted_again(memory, earlier, changed, options, root)
    return None


def _initialise(paths: tuple[Path, ...], options: dict[str, Any]) -> int:
    path = (find_root(paths[0]) if paths else find_root(Path())) / FILE_NAME
    if path.exists() or path.is_symlink():
        raise UserError(f"{path} exists already", "edit it")
    from gitops_layout.cli.linting import first_config

    write_named(path, first_config(path, options))
    click.echo(f"wrote {path}")
    return 0


def _format(given: str | None) -> str:
    if given is not None:
        return given
    return "github" if os.environ.get("GITHUB_ACTIONS") == "true" else "text"


def _colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
