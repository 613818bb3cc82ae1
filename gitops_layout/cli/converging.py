"""What init, scaffold and add share: find the repository, show the plan, carry it out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_layout.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitops_layout.scaffold.plan import Plan
    from gitops_layout.spec import Spec

__all__ = ["INCOMPLETE", "edit_and_converge", "find_root", "read_spec", "show_and_apply"]

_DECIDE = "edit gitops.yaml or the files, or decide with --on-conflict ours|theirs|markers"

CHANGED = 1
INCOMPLETE = 3


def find_root(start: Path | None) -> Path:
    """The folder of gitops.yaml: the one given, else the nearest at or above the working folder."""
    if start is not None:
        if not (start / "gitops.yaml").is_file():
            raise UserError(f"{start}/gitops.yaml does not exist", "create it: gitops-layout init")
        return start
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "gitops.yaml").is_file():
            return folder
    raise UserError("no gitops.yaml here or above", "create one: gitops-layout init")


def read_spec(root: Path) -> tuple[bytes, Spec]:
    """gitops.yaml's bytes and what they say; UserError where they cannot be read."""
    from gitops_layout.spec import load

    if (root / "gitops.d").is_dir():
        raise UserError("not supported yet: gitops.d/", "put its apps into gitops.yaml")
    try:
        content = (root / "gitops.yaml").read_bytes()
    except OSError as error:
        raise UserError(f"{error.filename}: {error.strerror}") from None
    return content, load(content, os.path.relpath(root / "gitops.yaml"))


def edit_and_converge(
    folder: Path | None,
    edit: Callable[[bytes, Spec], bytes],
    *,
    only_plan: bool,
    prune: bool = False,
    form: str = "text",
) -> int:
    """Edit gitops.yaml and converge to what it then says, in one plan; the process's exit code."""
    from gitops_layout.scaffold import converge
    from gitops_layout.spec import load

    root = find_root(folder)
    content = edit(*read_spec(root))
    spec = load(content, "gitops.yaml (as it would be)")
    plan = converge.plan(root, spec, spec_file=content, prune=prune)
    hint = "edit gitops.yaml by hand, then gitops-layout scaffold --on-conflict ours|theirs|markers"
    return show_and_apply(root, plan, only_plan=only_plan, form=form, hint=hint)


def show_and_apply(
    root: Path,
    plan: Plan,
    *,
    only_plan: bool,
    exit_code: bool = False,
    form: str = "text",
    hint: str = _DECIDE,
) -> int:
    """Print the plan, carry it out unless told not to or undecided; the process's exit code."""
    from gitops_layout.output.plan import plan_json, plan_text
    from gitops_layout.scaffold import converge

    undecided = [action for action in plan.actions if action.do == "conflict"]
    write = not only_plan and not undecided
    if write:
        converge.apply(root, plan)
    show = plan_json if form == "json" else plan_text
    click.echo(show(plan, written=write), nl=False)
    if undecided:
        click.echo(
            f"incomplete: {_files(len(undecided))} in conflict, nothing written\n  help: {hint}", err=True
        )
        return INCOMPLETE
    if plan.conflicts:
        click.echo(f"incomplete: conflict markers in {_files(len(plan.conflicts))}", err=True)
        return INCOMPLETE
    return CHANGED if exit_code and not plan.empty else 0


def _files(count: int) -> str:
    return f"{count} file{'s' if count != 1 else ''}"
