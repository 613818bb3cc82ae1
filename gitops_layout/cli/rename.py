"""`rename`: another name for an app, component, environment, cluster or tenant; files and hand edits move along."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from gitops_layout.cli.converging import (
    changing,
    conflicting,
    find_root,
    part_with,
    read_parts,
    read_spec,
    show_and_apply,
)

if TYPE_CHECKING:
    from gitops_layout.scaffold.names import Kind
    from gitops_layout.scaffold.plan import OnConflict, Plan

__all__ = ["command"]

_EFFECT = {
    "app": "its objects carry the name: the agent creates them anew and deletes those of the old name",
    "component": "its release carries the name: the agent installs it anew, and removes the old one with its kinds",
    "env": "deliveries carry its name: the agent creates them anew and deletes those of the old name",
    "cluster": "the agent that runs there pulls the old path: apply its start again, as README.md says",
    "tenant": "its namespaces may carry the name: the agent creates them anew and deletes the old ones",
}


@click.command("rename")
@click.argument("kind", type=click.Choice(["app", "component", "env", "cluster", "tenant"]))
@click.argument("old")
@click.argument("new")
@conflicting
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), help="Folder of gitops.yaml; found upwards if absent."
)
@click.option("--plan", "only_plan", is_flag=True, help="Show what would change, write nothing.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    kind: str, old: str, new: str, *, on_conflict: OnConflict, folder: Path | None, only_plan: bool, form: str
) -> int:
    """Call the app, component, environment, cluster or tenant OLD by the name NEW, in gitops.yaml and in the tree.

    What you edited in its files is kept, your own files move along. The clusters know no renaming: what changes
    there is said.
    """
    root = find_root(folder)
    with changing(root, only_plan=only_plan):
        plan = _plan(root, cast("Kind", kind), old, new, on_conflict)
        plan = replace(plan, warnings=(*plan.warnings, f"{kind} {old} becomes {new}: {_EFFECT[kind]}"))
        hint = "settle the files in conflict by hand, or decide with --on-conflict ours|theirs|markers"
        return show_and_apply(root, plan, only_plan=only_plan, form=form, hint=hint)


def _plan(root: Path, kind: Kind, old: str, new: str, on_conflict: OnConflict) -> Plan:
    from gitops_layout.scaffold import converge, rename
    from gitops_layout.scaffold.names import renamed
    from gitops_layout.spec import load

    content, spec = read_spec(root)
    parts = read_parts(root)
    file = (part_with(root, old) if kind == "app" else None) or "gitops.yaml"
    edited = renamed(parts.get(file, content), kind, old, new, file=file)
    content, parts = (edited, parts) if file == "gitops.yaml" else (content, {**parts, file: edited})
    moved = _parts(parts, kind, old, new) if kind in ("env", "tenant") else {}
    parts = {path: text for path, text in {**parts, **moved}.items() if text is not None}
    wanted = load(content, "gitops.yaml (as it would be)", parts=parts)
    made = rename.plan(root, spec, wanted, spec_file=edited, spec_name=file, on_conflict=on_conflict)
    return converge.with_parts(root, made, moved)


def _parts(parts: dict[str, bytes], kind: Kind, old: str, new: str) -> dict[str, bytes | None]:
    """The files of tenants that name it, with the new name; that of a tenant itself moves, and None stands for it."""
    from gitops_layout.scaffold.names import renamed_in_part
    from gitops_layout.spec import PARTS

    edited: dict[str, bytes | None] = {}
    for path, content in parts.items():
        text = renamed_in_part(content, kind, old, new)
        if kind == "tenant" and path == f"{PARTS}{old}.yaml":
            edited |= {path: None, f"{PARTS}{new}.yaml": text}
        elif text != content:
            edited[path] = text
    return edited
