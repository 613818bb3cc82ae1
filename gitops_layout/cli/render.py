"""`render`: print what a delivery, a kustomization or a whole repository yields."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from gitops_layout.cli import remembered
from gitops_layout.cli.roots import find_root
from gitops_layout.errors import UserError

__all__ = ["command"]


@click.command("render")
@click.argument("target", required=False)
@click.option("--all", "everything", is_flag=True, help="Every delivery.")
@click.option("--env", "environment", metavar="NAME", help="Only deliveries of this environment.")
@click.option("--format", "form", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@click.option(
    "--origins",
    is_flag=True,
    help="Behind every value the `file:line` that wrote it; `approximate` marks a guess. "
    "--format json has columns, paths and earlier writers as well.",
)
@click.option("--exact", is_flag=True, help="Let real kustomize build everything.")
@click.option("--verify-render", "verify", is_flag=True, help="Build both ways; exit 1 where they differ.")
@click.option("--explain", is_flag=True, help="Say who built what, and why real kustomize had to.")
@click.option("--output", metavar="DIR", help="Write one file a delivery.")
@remembered.option
def command(target: str | None, *, no_cache: bool, output: str | None, **options: Any) -> int:
    """Print the objects of a delivery (its id or name), of a folder, or of everything.

    A folder is built as `kustomize build` would; a delivery gets its agent's own steps as well. Real
    Secret values are printed, as kubectl does. Exit code 3 says that something could not be rendered, 1
    with --verify-render that the two builders differ.
    """
    if options["origins"] and options["verify"]:
        raise UserError("--verify-render prints differences only", "leave out --origins")
    if options["verify"] and options["exact"]:
        raise UserError("--verify-render builds both ways", "leave out --exact")
    if target is None and not options["everything"] and options["environment"] is None:
        raise UserError("nothing to render", "name a delivery or a folder, or pass --all or --env")
    if target is not None and options["everything"]:
        raise UserError(f"both {target} and --all are given", "leave out one of them")
    if output == "":
        raise UserError("--output names no folder", "is a variable of the shell empty? `.` is this folder")
    if output is not None and Path(output).exists() and not Path(output).is_dir():
        raise UserError(f"--output {output}: not a folder", "name a folder; it gets one file a delivery")
    path = Path(target) if target is not None and _is_folder(target) else None
    if path is not None and options["environment"] is not None:
        raise UserError("a folder belongs to no environment", "leave out --env, or name a delivery")
    root = find_root(path or Path())
    options |= {"target": target, "folder": str(path.resolve()) if path is not None else None}
    options["output"] = str(Path(output)) if output is not None else None
    run = partial(_run, root, path, options)
    use = not (no_cache or options["verify"])
    return remembered.command("render", root, options, run, ready=None if path else _ready, use=use)


def _ready() -> None:
    from gitops_layout.cli import manifests  # noqa: F401 - all that reads YAML and builds


def _is_folder(target: str) -> bool:
    """Whether a folder is meant: a bare word may be a delivery's name, where no kustomization is in the folder so called."""
    folder = Path(target)
    if not folder.is_dir():
        return False
    if "/" in target or target.startswith(".") or folder.is_symlink():
        return True
    if not os.access(folder, os.R_OK | os.X_OK):
        return True
    from gitops_layout.kustomize.model import FILE_NAMES

    return any(os.path.lexists(folder / name) for name in FILE_NAMES)


def _run(
    root: Path, path: Path | None, options: dict[str, Any], memory: remembered.Memory
) -> remembered.Said:
    again = _again(memory)
    if again is not None:
        return again
    from gitops_layout.cli.manifests import run  # all that reads YAML and builds

    return run(root, path, options, memory, note=_note)


def _again(memory: remembered.Memory) -> remembered.Said | None:
    """The words of the nearest earlier run, with what was touched since made anew, if that is safe to say."""
    for tree, changed in memory.state.before:
        earlier = memory.recall(tree)
        if earlier is not None and earlier.note is not None:
            from gitops_layout.cli.again import rendered_again

            return rendered_again(memory, earlier, changed)
    return None


def _note(text: str) -> None:
    """Progress, where somebody watches."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{text}", nl=False, err=True)
