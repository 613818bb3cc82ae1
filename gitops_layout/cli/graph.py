"""`graph`: what is delivered where, by whom, from which files, and what could not be seen."""

from __future__ import annotations

from pathlib import Path

import click

from gitops_layout.cli.loading import load_graph
from gitops_layout.model import UncheckedClass
from gitops_layout.output import graph as output
from gitops_layout.output.graph_text import explained, to_text

__all__ = ["command"]

_FORMATS = {
    "text": to_text,
    "json": output.to_json,
    "mermaid": output.to_mermaid,
    "dot": output.to_dot,
}


@click.command("graph")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(list(_FORMATS)), default="text", show_default=True)
@click.option(
    "--explain",
    is_flag=True,
    help="Say why each place is one, and each delivery is live, here and in its environment.",
)
@click.option("--files", is_flag=True, help="Say of every YAML file what becomes of it, and why.")
def command(path: Path | None, *, form: str, explain: bool, files: bool) -> int:
    """List every delivery of the repository with its source, environment, cluster and objects.

    Exit code 3 says that something an agent reaches is broken and could not be followed.
    """
    graph = load_graph((path,) if path else ()).graph
    if files and form == "text":
        click.echo(output.files_to_text(graph), nl=False)
        return 0
    click.echo(_FORMATS[form](graph), nl=False)
    if form != "text":
        return 0
    if explain:
        click.echo(f"\n{explained(graph)}", nl=False)
    broken = [
        entry for entry in graph.unchecked if entry.kind is UncheckedClass.BROKEN and graph.reaches(entry)
    ]
    return 3 if broken else 0
