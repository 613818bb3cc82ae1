"""`scaffold`: make the tree follow gitops.yaml."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_layout.cli.converging import (
    changing,
    conflicting,
    find_root,
    pruning,
    read_spec,
    show_and_apply,
    trusting,
)
from gitops_layout.errors import UserError

if TYPE_CHECKING:
    from gitops_layout.scaffold.plan import OnConflict

__all__ = ["command"]


@click.command("scaffold")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--plan", "only_plan", is_flag=True, help="Show what would change, write nothing.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 when there is something to change.")
@conflicting
@pruning
@trusting
@click.option(
    "--app",
    "beside",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="In layout split: the folder of the app's own repository, where its skeleton is written, once.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    folder: Path | None,
    *,
    only_plan: bool,
    exit_code: bool,
    on_conflict: OnConflict,
    prune: bool,
    trust_hooks: bool,
    beside: Path | None,
    form: str,
) -> int:
    """Converge the repository to gitops.yaml: create, update, merge and delete what it generates.

    Hand edits are kept and merged; a conflict is shown and nothing is written (exit code 3).
    """
    from gitops_layout.scaffold import converge

    root = find_root(folder)
    with contextlib.ExitStack() as stack:
        stack.enter_context(changing(root, only_plan=only_plan))
        _, spec = read_spec(root)
        if beside is not None:
            _refuse_one_repository(root, beside, spec.layout)
            stack.enter_context(changing(beside, only_plan=only_plan))
        plan = converge.plan(
            root,
            spec,
            on_conflict=on_conflict,
            prune=prune,
            trust_hooks=trust_hooks,
            beside=beside,
        )
        return show_and_apply(root, plan, only_plan=only_plan, exit_code=exit_code, form=form)


def _refuse_one_repository(root: Path, beside: Path, layout: str) -> None:
    """UserError where there is no second repository, or it is not apart from the first."""
    if layout != "split":
        raise UserError(f"--app: in layout {layout} an app has no repository of its own", "leave it out")
    here, there = root.resolve(), beside.resolve()
    if there.is_relative_to(here) or here.is_relative_to(there):
        raise UserError(f"--app {beside} is not beside this repository", "name the folder of the app's own")
