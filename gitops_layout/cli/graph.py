"""`graph`: what is delivered where, by whom, from which files, and what could not be seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gitops_layout.agents.delivery import Delivery
from gitops_layout.cli.loading import load_graph
from gitops_layout.graph.model import Graph
from gitops_layout.output.manifests import to_json

__all__ = ["command"]


@click.command("graph")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--explain", is_flag=True, help="Say how roots, sources and environments were found.")
def command(path: Path | None, *, form: str, explain: bool) -> int:
    """List every delivery of the repository with its source, environment, cluster and objects."""
    graph = load_graph((path,) if path else ()).graph
    if form == "json":
        click.echo(to_json(_data(graph)), nl=False)
        return 0
    for delivery in graph.deliveries:
        click.echo(_line(graph, delivery))
    if explain:
        click.echo()
        for sentence in graph.explain:
            click.echo(f"because {sentence}")
        for environment in graph.environments:
            click.echo(f"environment {environment.name} ({environment.tier}): from {environment.reason}")
    for entry in graph.unchecked:
        click.echo(f"not seen: {entry.what}: {entry.why}", err=True)
    return 0


def _line(graph: Graph, delivery: Delivery) -> str:
    rendered = graph.rendered[delivery.id]
    source = delivery.source
    what = source.chart or source.path
    objects = f"{len(rendered.objects)} objects" if rendered.failure is None else "not rendered"
    environment = f"  {delivery.environment}" if delivery.environment else ""
    live = "" if delivery.live else "  (no agent reaches it)"
    return f"{delivery.id}{environment}  {what or '.'}  {objects}{live}"


def _data(graph: Graph) -> dict[str, Any]:
    return {
        "version": 1,
        "revision": graph.repo.revision,
        "environments": [{"name": e.name, "tier": e.tier, "reason": e.reason} for e in graph.environments],
        "clusters": list(graph.clusters),
        "deliveries": [_delivery(graph, delivery) for delivery in graph.deliveries],
        "unchecked": [
            {
                "what": entry.what,
                "class": str(entry.kind),
                "why": entry.why,
                "file": entry.location.file if entry.location else None,
                "line": graph.repo.span(entry.location).line if entry.location else None,
            }
            for entry in graph.unchecked
        ],
        "explain": list(graph.explain),
    }


def _delivery(graph: Graph, delivery: Delivery) -> dict[str, Any]:
    rendered = graph.rendered[delivery.id]
    source = delivery.source
    return {
        "id": delivery.id,
        "environment": delivery.environment,
        "cluster": delivery.cluster or None,
        "live": delivery.live,
        "renderer": delivery.renderer,
        "source": {"url": source.url, "path": source.path, "chart": source.chart, "local": source.local},
        "file": delivery.root.file,
        "line": graph.repo.span(delivery.root).line,
        "dependsOn": list(delivery.depends_on),
        "objects": [str(item.ref) for item in rendered.objects],
        "files": sorted(rendered.files),
        "failure": rendered.failure.why if rendered.failure else None,
    }
