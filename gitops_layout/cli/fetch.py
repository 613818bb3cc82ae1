"""`fetch`: bring what lies outside the repository into the store, pinned by a lock."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_layout.cli.loading import load_graph
from gitops_layout.errors import UserError
from gitops_layout.store.lock import LOCK, Lock, read

if TYPE_CHECKING:
    from gitops_layout.fetch.model import Outcome
    from gitops_layout.fetch.run import Mode

__all__ = ["command"]

_WRONG = {"fetch": ("failed", "moved"), "update": ("failed", "moved"), "check": ("failed",)}
_DIFFERS = ("missing", "moved", "newer")


@click.command("fetch")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option(
    "--check", is_flag=True, help="Bring nothing: say what is missing or has moved, and exit with 1."
)
@click.option("--update", is_flag=True, help="Resolve everything anew: take newer versions and moved tags.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    default=120,
    show_default=True,
    help="Seconds that one reference may take.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(path: Path | None, *, check: bool, update: bool, timeout: float, form: str) -> int:
    """Bring the remote charts, bases and sources that the repository names, with your own credentials.

    .gitops-layout/fetch.lock.yaml records what each resolved to: commit it. What the lock names and
    the cache holds is not asked for again; afterwards every other verb works offline.
    """
    if check and update:
        raise UserError("--check brings nothing, and --update brings everything", "give one of them")
    from gitops_layout.fetch.run import fetch, save
    from gitops_layout.fetch.wants import wants
    from gitops_layout.output import fetch as output

    loaded = load_graph((path,) if path is not None else ())
    file = loaded.root / LOCK
    before = file.read_bytes() if file.is_file() else None
    lock = read(before) if before is not None else Lock()
    mode: Mode = "check" if check else "update" if update else "fetch"
    report = fetch(wants(loaded.graph), lock, mode=mode, timeout=timeout)
    changed = not check and save(loaded.root, report, before)
    write = output.to_json if form == "json" else output.to_text
    click.echo(write(report.outcomes, loaded.graph.repo, changed=changed), nl=False)
    return _exit_code(report.outcomes, mode)


def _exit_code(outcomes: tuple[Outcome, ...], mode: Mode) -> int:
    """1 for differences found by --check, 3 for what could not be fetched; 1 goes first (DESIGN §5)."""
    found = {outcome.status for outcome in outcomes}
    if mode == "check" and found.intersection(_DIFFERS):
        return 1
    return 3 if found.intersection(_WRONG[mode]) else 0
