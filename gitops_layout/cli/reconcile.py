"""`reconcile`: bring a cluster to what the repository declares for one environment, and keep it so."""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_layout.errors import UserError
from gitops_layout.patterns import regexp

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gitops_layout.model import Location, Unchecked
    from gitops_layout.reconcile.cluster import Cluster
    from gitops_layout.reconcile.desired import DesiredObject
    from gitops_layout.reconcile.events import Emit, Event
    from gitops_layout.reconcile.revision import Follow, Revision
    from gitops_layout.repo.model import Repo
    from gitops_layout.spec import Spec

__all__ = ["command"]

_DURATION = regexp(r"^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?$")


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
    from gitops_layout.reconcile import loop
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
    places = _Places()
    emit = _printer(form, verbose=verbose, places=places)

    def render(revision: Revision) -> tuple[Iterable[DesiredObject], list[Unchecked]]:
        places.follow(revision)
        return _render(revision, environment)

    try:
        # `docker stop` and systemd say TERM where a terminal says INT: both end a run the same way.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        revision = follow()
        options = replace(options, tenant=_tenant(revision))
        with _connect(revision, environment, context=context, kubeconfig=kubeconfig) as cluster:
            if once:
                return loop.once(cluster, revision, render=render, options=options, emit=emit).exit_code
            loop.watch(cluster, follow, render=render, options=options, emit=emit, interval=interval)
    except KeyboardInterrupt:
        click.echo("interrupted: the next run goes on from here", err=True)
        sys.stdout.flush()
        # A request may hang in another thread, and Python would wait for that thread at its exit.
        os._exit(130)
    return 0


def _connect(
    revision: Revision, environment: str, *, context: str | None, kubeconfig: Path | None
) -> Cluster:
    from gitops_layout.reconcile.cluster import Cluster

    return Cluster(context or _bound_context(revision, environment), kubeconfig)


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
    spec = _spec(revision)
    clusters = spec.clusters if spec is not None else ()
    bound = [cluster.context for cluster in clusters if environment in cluster.environments]
    return [context for context in bound if context]


def _tenant(revision: Revision) -> str:
    """Whose repository it is, by a gitops.yaml of layout tenant; empty for all others."""
    spec = _spec(revision)
    return spec.tenancy.tenant if spec is not None and spec.tenancy is not None else ""


def _spec(revision: Revision) -> Spec | None:
    from gitops_layout.cli.loading import spec_of

    return spec_of(_repo(revision))


def _printer(form: str, *, verbose: bool, places: _Places) -> Emit:
    from gitops_layout.reconcile.events import record, text

    def emit(event: Event) -> None:
        if form == "json":
            line: str | None = json.dumps(record(event, place=places), ensure_ascii=False)
        else:
            line = text(event, place=places, verbose=verbose)
        if line is not None:
            click.echo(line)
            sys.stdout.flush()

    return emit


class _Places:
    """File and line of what a report names, read from the revision that was rendered last."""

    def __init__(self) -> None:
        self._revision: Revision | None = None
        self._repo: Repo | None = None

    def follow(self, revision: Revision) -> None:
        self._revision, self._repo = revision, None

    def __call__(self, location: Location) -> tuple[str, int]:
        if self._repo is None and self._revision is not None:
            self._repo = _repo(self._revision)
        return location.file, self._repo.span(location).line if self._repo else 1


def _repo(revision: Revision) -> Repo:
    from gitops_layout.repo.load import from_revision, from_work_tree

    root = revision.root
    return from_work_tree(root) if revision.commit is None else from_revision(root, revision.commit)
