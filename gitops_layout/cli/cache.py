"""`cache`: what is kept of earlier runs, and how to be rid of it."""

from __future__ import annotations

import json

import click

from gitops_layout.store import cache

__all__ = ["command"]


@click.group("cache")
def command() -> None:
    """Show or remove what is kept of earlier runs; nothing depends on it but speed."""


@command.command("info")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def info(*, form: str) -> int:
    """Say where results are kept, how many, and how large they may become."""
    file = cache.place()
    known = cache.info(file) if file is not None else None
    if form == "json":
        found = None
        if known is not None:
            found = {
                "file": str(known.file),
                "onDisk": known.on_disk,
                "entries": known.entries,
                "bytes": known.bytes,
                "limit": known.limit,
            }
        click.echo(json.dumps(found, indent=2))
    elif known is None:
        click.echo("no cache: there is no folder that is writable and the user's alone")
    else:
        click.echo(
            f"{known.file}: {known.entries} entries, {_megabytes(known.bytes)} of at most {_megabytes(known.limit)}"
        )
    return 0


@command.command("clean")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def clean(*, form: str) -> int:
    """Remove the results of earlier runs; what `fetch` brought stays."""
    file = cache.place()
    freed = cache.clean(file) if file is not None else 0
    if form == "json":
        click.echo(json.dumps({"file": str(file) if file is not None else None, "freed": freed}, indent=2))
    else:
        click.echo(f"removed {_megabytes(freed)}" if freed else "nothing was kept")
    return 0


def _megabytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"
