"""`diff`: what a change does in each cluster, before it is merged."""

from __future__ import annotations

from pathlib import Path

import click

from gitops_layout.cli.loading import find_root, load
from gitops_layout.diff import compare, effects
from gitops_layout.output.diff import diff_json, diff_text

__all__ = ["command"]

CHANGED = 1
INCOMPLETE = 3


@click.command("diff")
@click.argument("revisions", metavar="[REV [REV]]", nargs=-1)
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path, exists=True), help="Folder of the repository."
)
@click.option("--env", "environment", metavar="ENV", help="Only what is delivered to this environment.")
@click.option("--effects", "with_effects", is_flag=True, help="Say what becomes of the objects that run.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 when anything changes.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    revisions: tuple[str, ...],
    *,
    folder: Path | None,
    environment: str | None,
    with_effects: bool,
    exit_code: bool,
    form: str,
) -> int:
    """Compare the objects of two revisions, delivery by delivery: HEAD with the work tree if none is named, one
    revision with the work tree, or two with each other.

    Both sides are rendered from git's object store: nothing is checked out. Exit code 3 says that a delivery
    could not be rendered on one side.
    """
    if len(revisions) > 2:
        raise click.UsageError("at most two revisions")
    root = find_root(folder or Path())
    before = load(root, revision=revisions[0] if revisions else "HEAD").graph
    after = load(root, revision=revisions[1] if len(revisions) == 2 else None).graph
    found = list(compare(before, after, environment=environment))
    shown = list(effects(found)) if with_effects else None
    click.echo(diff_json(found, shown) if form == "json" else diff_text(found, shown or ()), nl=False)
    if unseen := [delivery.id for delivery in found if delivery.unseen]:
        click.echo(f"incomplete: not rendered on both sides: {', '.join(unseen)}", err=True)
    if exit_code and any(delivery.objects or not delivery.unseen for delivery in found):
        return CHANGED
    return INCOMPLETE if unseen else 0
