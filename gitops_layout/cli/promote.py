"""`promote`: bring a version or settings of an app from one environment into another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_layout.cli.converging import changing, find_root, read_spec
from gitops_layout.errors import UserError

if TYPE_CHECKING:
    from gitops_layout.scaffold.promote import Part, Promotion

__all__ = ["command"]

INCOMPLETE = 3


@click.command("promote")
@click.argument("app")
@click.option("--from", "source", metavar="ENV", help="Where it comes from; what gitops.yaml says if absent.")
@click.option("--to", required=True, metavar="ENV", help="The environment to bring it into.")
@click.option(
    "--only",
    type=click.Choice(["version", "settings", "all"]),
    default="version",
    show_default=True,
    help="What is brought along.",
)
@click.option("--version", metavar="V", help="Bring in this tag or digest instead of another environment's.")
@click.option("--dir", "folder", type=click.Path(path_type=Path), help="Folder of gitops.yaml.")
@click.option("--plan", "only_plan", is_flag=True, help="Show what would change, write nothing.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    app: str,
    *,
    source: str | None,
    to: str,
    only: str,
    version: str | None,
    folder: Path | None,
    only_plan: bool,
    form: str,
) -> int:
    """Copy what APP runs in one environment into the next: its version, its settings, or both.

    Shows the files and the objects that change. What is local to an environment (replicas, hosts) never moves.
    """
    from gitops_layout.scaffold import promote

    if version is not None and (source is not None or only != "version"):
        raise UserError("--version goes with --to alone", "leave out --from and --only")
    root = find_root(folder)
    with changing(root, only_plan=only_plan):
        _, spec = read_spec(root)
        if version is not None:
            made = promote.release(root, spec, app, to=to, version=version)
        else:
            parts: tuple[Part, ...] = ("version", "settings") if only == "all" else (only,)  # type: ignore[assignment]
            made = promote.promotion(root, spec, app, source=source, to=to, parts=parts)
        if not only_plan:
            promote.apply(root, made)
    show = _json if form == "json" else _text
    click.echo(show(made, f"app {app} in {to}", written=not only_plan), nl=False)
    if made.unseen is not None:
        click.echo(f"incomplete: the objects could not be compared: {made.unseen}", err=True)
        return INCOMPLETE
    return 0


def _text(made: Promotion, what: str, *, written: bool) -> str:
    from gitops_layout.output.diff import changes_text

    lines = [f"{'delete' if content is None else 'write ':<7} {path}" for path, content in made.files.items()]
    lines += list(changes_text(made.changes))
    lines += [f"warning: {text}" for text in made.warnings]
    if not made.files:
        lines.append(f"nothing to do: {what} is the same already")
    elif not written:
        lines.append("nothing written: --plan")
    return "\n".join(lines) + "\n"


def _json(made: Promotion, what: str, *, written: bool) -> str:
    from gitops_layout.output.diff import object_data

    data = {
        "version": 1,
        "what": what,
        "written": written,
        "files": [
            {"path": path, "action": "delete" if content is None else "write"}
            for path, content in made.files.items()
        ],
        **object_data(made.changes),
        "warnings": list(made.warnings),
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
