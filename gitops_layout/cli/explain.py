"""`explain`: a rule's page, as the documentation shows it."""

from __future__ import annotations

from pathlib import Path

import click

from gitops_layout import rules
from gitops_layout.cli.loading import find_root
from gitops_layout.cli.rules_ import severity_words
from gitops_layout.repo.load import from_work_tree
from gitops_layout.rules.examples import body

__all__ = ["command"]


@click.command("explain")
@click.argument("rule")
@click.option("--source", is_flag=True, help="Print the rule file itself, as a model for your own.")
def command(rule: str, *, source: bool) -> int:
    """Explain RULE, an id (V001) or a name (image-mutable-tag)."""
    catalogue = rules.load(from_work_tree(find_root(Path())))
    ids = sorted(catalogue.select(rule, "explain"))
    if len(ids) > 1:
        click.echo(f"{rule} stands for several rules:")
        for identity in ids:
            click.echo(f"  {identity}  {catalogue.by_id[identity].name}")
        return 0
    found = catalogue.by_id[ids[0]]
    if source:
        click.echo(found.text, nl=False)
        return 0
    kind = f"principle: {found.principle}" if found.principle else f"group: {found.group}"
    click.echo(f"# {found.id} {found.name}\n\n{kind} · {severity_words(found)}\n")
    click.echo(body(found), nl=False)
    return 0
