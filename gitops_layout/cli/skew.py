"""`skew`: which environment is behind which, and by how much."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_layout.cli.converging import find_root, read_spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitops_layout.scaffold.promote import Skew

__all__ = ["command"]

SKEWED = 1


@click.command("skew")
@click.argument("app", required=False)
@click.option("--dir", "folder", type=click.Path(path_type=Path), help="Folder of gitops.yaml.")
@click.option(
    "--exit-code", is_flag=True, help="Exit with 1 when an environment differs from its predecessor."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(app: str | None, *, folder: Path | None, exit_code: bool, form: str) -> int:
    """Say of every app (or of APP) what each environment runs, and how that stands to where it is promoted from."""
    from gitops_layout.scaffold.promote import Standing, skew

    root = find_root(folder)
    _, spec = read_spec(root)
    found = list(skew(root, spec, app))
    click.echo(_json(found) if form == "json" else _text(found), nl=False)
    apart = [
        item
        for item in found
        if item.standing not in (Standing.FIRST, Standing.SAME) or item.settings is False
    ]
    return SKEWED if exit_code and apart else 0


def _text(found: Sequence[Skew]) -> str:
    if not found:
        return "no apps in gitops.yaml\n"
    rows = [("APP", "ENVIRONMENT", "VERSION", "")]
    rows += [(item.app, item.environment, _short(item.version), _words(item)) for item in found]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "".join(
        "  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3])).rstrip()
        + "\n"
        for row in rows
    )


def _short(version: str | None) -> str:
    return "?" if version is None else f"{version[:19]}…" if version.startswith("sha256:") else version


def _words(item: Skew) -> str:
    if item.source is None:
        return ""
    match item.standing:
        case "same":
            words = f"as in {item.source}"
        case "differs":
            words = f"not what {item.source} runs ({_short(item.source_version)})"
        case standing:
            preposition = "behind" if standing == "behind" else "ahead of"
            words = f"{item.distance} {preposition} {item.source} ({item.source_version})"
    return words + ("; settings differ" if item.settings is False else "")


def _json(found: Sequence[Skew]) -> str:
    rows = [
        {
            "app": item.app,
            "environment": item.environment,
            "version": item.version,
            "from": item.source,
            "fromVersion": item.source_version,
            "standing": str(item.standing),
            "distance": item.distance or None,
            "sameSettings": item.settings,
        }
        for item in found
    ]
    return json.dumps({"version": 1, "apps": rows}, indent=2, ensure_ascii=False) + "\n"
