"""`fetch`: bring what lies outside the repository into the store, pinned by a lock."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_layout.cli.loading import load_graph
from gitops_layout.errors import UserError
from gitops_layout.store.lock import LOCK, Lock, Reference, read

if TYPE_CHECKING:
    from gitops_layout.config import Config
    from gitops_layout.fetch.model import Outcome, Want
    from gitops_layout.fetch.run import Mode
    from gitops_layout.repo.model import Repo

__all__ = ["command"]

_WRONG = {"fetch": ("failed", "moved"), "update": ("failed", "moved"), "check": ("failed",)}
_MAX_ROUNDS = 10
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
    from gitops_layout.output import fetch as output

    mode: Mode = "check" if check else "update" if update else "fetch"
    outcomes, repo, changed = _fetch(path, mode, timeout)
    write = output.to_json if form == "json" else output.to_text
    click.echo(write(outcomes, repo, changed=changed), nl=False)
    return _exit_code(outcomes, mode)


def _fetch(path: Path | None, mode: Mode, timeout: float) -> tuple[tuple[Outcome, ...], Repo, bool]:
    """Fetch until nothing new is named: what was brought may deliver objects that want more."""
    from gitops_layout.fetch.run import fetch, locked, save
    from gitops_layout.fetch.wants import wants

    loaded = load_graph((path,) if path is not None else ())
    file = loaded.root / LOCK
    first = before = file.read_bytes() if file.is_file() else None
    lock = read(first) if first is not None else Lock()
    outcomes: dict[Reference, Outcome] = {}
    for _ in range(_MAX_ROUNDS):
        named = (*wants(loaded.graph), *_skeletons(loaded.root))
        new = [want for want in named if want.reference not in outcomes]
        if not new:
            break
        left = [outcome for want in new if (outcome := _left_out(want, loaded.config)) is not None]
        outside = {outcome.want.reference for outcome in left}
        wanted = [want for want in new if want.reference not in outside]
        if wanted and sys.stderr.isatty():
            click.echo(f"asking for {len(wanted)} of what lies outside …", err=True)
        done = fetch(wanted, lock, mode=mode, timeout=timeout)
        outcomes = {outcome.want.reference: outcome for outcome in (*done, *left)} | outcomes
        if mode == "check":
            break
        if not any(outcome.status in ("fetched", "updated") for outcome in done):
            break
        before = save(loaded.root, locked(outcomes.values(), lock, complete=False), before)
        loaded = load_graph((loaded.root,))
    if mode != "check":
        before = save(loaded.root, locked(outcomes.values(), lock, complete=True), before)
    return tuple(outcomes.values()), loaded.graph.repo, before != first


def _skeletons(root: Path) -> tuple[Want, ...]:
    """The templates that apps of gitops.yaml start from; none without such a file."""
    from gitops_layout.cli.converging import read_spec
    from gitops_layout.fetch.model import Want
    from gitops_layout.model import Location

    if not (root / "gitops.yaml").is_file():
        return ()
    try:
        _, spec = read_spec(root)
    except UserError:  # of another tool, or for `scaffold` to say
        return ()
    from gitops_layout.scaffold.skeletons import reference

    return tuple(
        Want(
            reference(app.skeleton),
            Location("gitops.yaml", ("spec", "apps", index, "skeleton")),
            app.skeleton.url,
        )
        for index, app in enumerate(spec.apps)
        if app.skeleton is not None
    )


def _left_out(want: Want, config: Config) -> Outcome | None:
    """What the config declares external is not looked at, so it is not fetched either."""
    from gitops_layout.fetch.model import Outcome
    from gitops_layout.fetch.wants import declared_as

    for entry in config.external:
        if any(entry.declares(kind, name) for kind, name in declared_as(want.reference)):
            return Outcome(want, "external", f"declared external: {entry.reason}")
    return None


def _exit_code(outcomes: tuple[Outcome, ...], mode: Mode) -> int:
    """1 for differences found by --check, 3 for what could not be fetched; 1 goes first."""
    found = {outcome.status for outcome in outcomes}
    if mode == "check" and found.intersection(_DIFFERS):
        return 1
    return 3 if found.intersection(_WRONG[mode]) else 0
