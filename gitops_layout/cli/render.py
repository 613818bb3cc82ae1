"""`render`: print what a delivery, a kustomization or a whole repository yields."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from gitops_layout.agents.context import Context
from gitops_layout.agents.delivery import Delivery
from gitops_layout.cli.loading import Loaded, find_root, load_graph
from gitops_layout.errors import UserError
from gitops_layout.kustomize.model import FILE_NAMES
from gitops_layout.model import Location
from gitops_layout.output.manifests import to_json, to_yaml
from gitops_layout.render.build import Renders
from gitops_layout.render.rendered import Rendered, RenderedObject
from gitops_layout.repo.model import Repo
from gitops_layout.system import write_atomic

__all__ = ["command"]


@click.command("render")
@click.argument("target", required=False)
@click.option("--all", "everything", is_flag=True, help="Every delivery.")
@click.option("--env", "environment", metavar="NAME", help="Only deliveries of this environment.")
@click.option("--format", "form", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@click.option("--origins", is_flag=True, help="With --format json: the source place of every value.")
@click.option("--exact", is_flag=True, help="Let real kustomize build everything.")
@click.option("--explain", is_flag=True, help="Say which builds real kustomize had to do, and why.")
@click.option("--output", metavar="DIR", type=click.Path(path_type=Path), help="Write one file a delivery.")
def command(
    target: str | None,
    *,
    everything: bool,
    environment: str | None,
    form: str,
    origins: bool,
    exact: bool,
    explain: bool,
    output: Path | None,
) -> int:
    """Print the objects of a delivery (its id or name), of a folder, or of everything.

    A folder is built as `kustomize build` would; a delivery gets its agent's own steps as well. Real
    Secret values are printed, as kubectl does. Exit code 3 says that something could not be rendered.
    """
    if origins and form != "json":
        raise UserError("--origins needs --format json")
    if target is None and not everything and environment is None:
        raise UserError("nothing to render", "name a delivery or a folder, or pass --all or --env")
    loaded, chosen = _choose(target, environment, exact=exact)
    if explain:
        _explain(loaded.graph.repo, [item for _, item in chosen])
    if output is None:
        click.echo(_text(loaded, [item for _, item in chosen], form, origins=origins), nl=False)
    else:
        for delivery, item in chosen:
            if item.failure is None:
                write_atomic(
                    output / f"{_file_name(delivery)}.{form}", _text(loaded, [item], form, origins=origins)
                )
    failures = [item.failure for _, item in chosen if item.failure is not None]
    for failure in failures:
        place = f"{failure.location.file}: " if failure.location else ""
        click.echo(f"not rendered: {failure.what}: {place}{failure.why}", err=True)
    return 3 if failures else 0


def _explain(repo: Repo, items: list[Rendered]) -> None:
    for item in items:
        if item.declined is not None:
            where = item.declined.location
            line = repo.span(where).line if where.file in repo.entries else 1
            why = f"{where.file}:{line}: {item.declined.reason}"
            click.echo(f"real kustomize builds {item.delivery}: {why}", err=True)


def _choose(
    target: str | None, environment: str | None, *, exact: bool
) -> tuple[Loaded, list[tuple[Delivery, Rendered]]]:
    path = Path(target) if target is not None else None
    if path is not None and path.is_dir():
        loaded = load_graph((path,), exact=exact)
        return loaded, [_plain(loaded, path, exact=exact)]
    loaded = load_graph(exact=exact)
    graph = loaded.graph
    wanted = [
        delivery
        for delivery in graph.deliveries
        if (environment is None or delivery.environment == environment)
        and (target is None or target in (delivery.id, delivery.id.partition("@")[0], delivery.name))
    ]
    if not wanted:
        raise UserError(
            _nothing(target, environment), "`gitops-layout graph` lists deliveries and environments"
        )
    return loaded, [(delivery, graph.rendered[delivery.id]) for delivery in wanted]


def _nothing(target: str | None, environment: str | None) -> str:
    where = f" in environment {environment!r}" if environment else ""
    return f"no delivery {target!r}{where}" if target else f"no delivery{where}"


def _plain(loaded: Loaded, path: Path, *, exact: bool) -> tuple[Delivery, Rendered]:
    """A folder as `kustomize build` sees it, without any agent's steps and without load restriction."""
    from gitops_layout.agents import builtin

    repo = loaded.graph.repo
    root, real = find_root(path).resolve(), path.resolve()
    if not real.is_relative_to(root):
        raise UserError(f"{path} leads out of the repository {root}", "name a folder inside it")
    folder = real.relative_to(root).as_posix()
    folder = "" if folder == "." else folder
    names = repo.folders.get(folder, ())
    if not any(name in names for name in FILE_NAMES):
        raise UserError(f"{path} has no kustomization.yaml", "name a folder that has one, or a delivery")
    delivery = builtin.kustomize_root(
        folder, f"{folder}/kustomization.yaml".lstrip("/"), Context(repo), live=True
    )
    return delivery, Renders(repo, exact=exact)([delivery])[delivery.id]


def _text(loaded: Loaded, items: list[Rendered], form: str, *, origins: bool) -> str:
    objects = [found for item in items for found in item.objects]
    if form == "yaml":
        return to_yaml(found.data for found in objects)
    if not origins:
        return to_json([found.data for found in objects])
    repo = loaded.graph.repo
    return to_json([{"object": found.data, "origins": _origins(repo, found)} for found in objects])


def _origins(repo: Repo, found: RenderedObject) -> dict[str, Any]:
    places = {}
    for path in _leaves(found.data):
        pointer = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
        earlier = [_place(repo, location) for location in found.earlier(path)]
        places[pointer] = {**_place(repo, found.origin(path)), "earlier": earlier}
    return places


def _place(repo: Repo, location: Location) -> dict[str, Any]:
    span = repo.span(location)
    return {"file": location.file, "line": span.line, "column": span.column, "path": list(location.path)}


def _leaves(data: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(data, dict) and data:
        return [leaf for key, value in data.items() for leaf in _leaves(value, (*path, key))]
    if isinstance(data, list) and data:
        return [leaf for index, value in enumerate(data) for leaf in _leaves(value, (*path, index))]
    return [path]


def _file_name(delivery: Delivery) -> str:
    """The id, escaped so that two deliveries never share a file."""
    return quote(delivery.id, safe="@:").replace(":", "_", 1)
