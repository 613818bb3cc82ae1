"""`reconcile`: bring a cluster to what the repository declares for one environment, and keep it so."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_layout.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitops_layout.model import Unchecked
    from gitops_layout.reconcile.apply import Options
    from gitops_layout.reconcile.cluster import Cluster
    from gitops_layout.reconcile.desired import DesiredObject
    from gitops_layout.reconcile.events import Emit, Event
    from gitops_layout.reconcile.revision import Follow, Revision

__all__ = ["command"]

_DURATION = re.compile(r"^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?$")


def _seconds(_context: click.Context, _parameter: click.Parameter, value: str) -> float:
    match = _DURATION.match(value)
    if not match or not value:
        raise click.BadParameter(f"{value!r} is no duration such as 30s, 5m or 1h")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


@click.command("reconcile")
@click.argument("path", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--git", "url", metavar="URL", help="Follow a remote repository instead of PATH.")
@click.option(
    "--ref", metavar="REF", help="Branch, tag or commit; default: what is checked out, or the remote's HEAD."
)
@click.option("--env", "environment", metavar="NAME", required=True, help="The environment to bring about.")
@click.option(
    "--context", metavar="NAME", help="Kubeconfig context; default: the environment's in gitops.yaml."
)
@click.option(
    "--kubeconfig",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Default: KUBECONFIG, ~/.kube/config.",
)
@click.option(
    "--once/--watch", default=True, show_default=True, help="Run once, or follow git and repair drift."
)
@click.option(
    "--interval",
    callback=_seconds,
    metavar="DURATION",
    default="60s",
    show_default=True,
    help="With --watch: how often.",
)
@click.option("--dry-run", is_flag=True, help="Show the plan; write nothing.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until all objects are healthy.")
@click.option(
    "--timeout",
    callback=_seconds,
    metavar="DURATION",
    default="5m",
    show_default=True,
    help="How long to wait for health.",
)
@click.option(
    "--prune-critical", is_flag=True, help="Also delete namespaces, CRDs and volumes that are gone from git."
)
@click.option("--confirm-prune", is_flag=True, help="Allow deleting everything, or more than half.")
@click.option("--force-conflicts", is_flag=True, help="Take fields that other managers own.")
@click.option(
    "--take-over",
    metavar="NAME",
    multiple=True,
    help="Take objects of another owner: helm, helm:web, Deployment/ns/web.",
)
@click.option("--exit-code", is_flag=True, help="Exit with 1 when there were differences.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--verbose", is_flag=True, help="Show unchanged objects, too.")
def command(
    path: Path | None,
    *,
    url: str | None,
    ref: str | None,
    environment: str,
    context: str | None,
    kubeconfig: Path | None,
    once: bool,
    interval: float,
    dry_run: bool,
    wait: bool,
    timeout: float,
    prune_critical: bool,
    confirm_prune: bool,
    force_conflicts: bool,
    take_over: tuple[str, ...],
    exit_code: bool,
    form: str,
    verbose: bool,
) -> int:
    """Apply an environment of the repository at PATH (default: here) to its cluster.

    Everything is validated before the first write. Objects that are gone from git are deleted unless
    something protects them. The current context is never used: name one, or bind a cluster to the
    environment in gitops.yaml. Exit code 3 says that something was refused, failed or is not healthy;
    the last line says what.
    """
    if url is not None and path is not None:
        raise UserError("PATH and --git exclude each other")
    if dry_run and not once:
        raise UserError("--dry-run and --watch exclude each other")
    if interval < 1:
        raise UserError("--interval is shorter than a second")
    from gitops_layout.reconcile.apply import Options

    options = Options(
        environment,
        dry_run=dry_run,
        wait=wait,
        timeout=timeout,
        prune_critical=prune_critical,
        confirm_prune=confirm_prune,
        force_conflicts=force_conflicts,
        take_over=frozenset(take_over),
        exit_code=exit_code,
    )
    follow = _follow(path, url, ref)
    emit = _printer(form, verbose=verbose)
    try:
        # `docker stop` and systemd say TERM where a terminal says INT: both end a run the same way.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        return _run(
            follow, options, emit, context=context, kubeconfig=kubeconfig, interval=None if once else interval
        )
    except KeyboardInterrupt:
        click.echo("interrupted: the next run goes on from here", err=True)
        sys.stdout.flush()
        # A request may hang in another thread, and Python would wait for that thread at its exit.
        os._exit(130)


def _run(
    follow: Follow,
    options: Options,
    emit: Emit,
    *,
    context: str | None,
    kubeconfig: Path | None,
    interval: float | None,
) -> int:
    from gitops_layout.reconcile.cluster import Cluster
    from gitops_layout.reconcile.loop import once, watch

    def render(revision: Revision) -> tuple[Iterable[DesiredObject], list[Unchecked]]:
        return _render(revision, options.environment)

    revision = follow()
    cluster: Cluster
    with Cluster(context or _bound_context(revision, options.environment), kubeconfig) as cluster:
        if interval is None:
            return once(cluster, revision, render=render, options=options, emit=emit).exit_code
        watch(cluster, follow, render=render, options=options, emit=emit, interval=interval)
    return 0


def _follow(path: Path | None, url: str | None, ref: str | None) -> Follow:
    from gitops_layout.reconcile.revision import follow_path, follow_url

    if url is not None:
        return follow_url(url, ref)
    from gitops_layout.cli.loading import find_root

    return follow_path(find_root(path or Path()), ref)


def _render(revision: Revision, environment: str) -> tuple[Iterable[DesiredObject], list[Unchecked]]:
    from gitops_layout.cli.rendering import desired_objects
    from gitops_layout.reconcile.desired import DesiredObject

    objects, unchecked = desired_objects(revision.root, revision.commit, environment)
    return [DesiredObject(data, location) for data, location in objects], unchecked


def _bound_context(revision: Revision, environment: str) -> str:
    """The context of the only cluster that gitops.yaml binds to the environment."""
    contexts = _contexts(revision, environment)
    if len(contexts) == 1:
        return contexts[0]
    hint = "the current context is never used: name one with --context"
    if contexts:
        raise UserError(f"environment {environment} is on several clusters: {', '.join(contexts)}", hint)
    raise UserError(
        f"no cluster is bound to environment {environment}",
        f"{hint}, or set `context` of its cluster in gitops.yaml",
    )


def _contexts(revision: Revision, environment: str) -> list[str]:
    from gitops_layout.cli.loading import SPEC_FILE
    from gitops_layout.repo.load import from_revision, from_work_tree

    root = revision.root
    repo = from_work_tree(root) if revision.commit is None else from_revision(root, revision.commit)
    if SPEC_FILE not in repo.entries:
        return []
    from gitops_layout.spec import load

    spec = load(repo.content(SPEC_FILE), SPEC_FILE)
    bound = [cluster.context for cluster in spec.clusters if environment in cluster.environments]
    return [context for context in bound if context]


def _printer(form: str, *, verbose: bool) -> Emit:
    from gitops_layout.reconcile.events import record, text

    def emit(event: Event) -> None:
        line = (
            json.dumps(record(event), ensure_ascii=False) if form == "json" else text(event, verbose=verbose)
        )
        if line is not None:
            click.echo(line)
            sys.stdout.flush()

    return emit
