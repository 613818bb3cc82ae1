"""`list`: what gitops.yaml holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitops_layout.cli.converging import find_root, read_spec

if TYPE_CHECKING:
    from gitops_layout.spec import Spec

__all__ = ["command"]


@click.command("list")
@click.argument("kind", type=click.Choice(["app", "component", "env", "cluster", "tenant"]))
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), help="Folder of gitops.yaml; found upwards if absent."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(kind: str, *, folder: Path | None, form: str) -> int:
    """List the apps, components, environments, clusters or tenants, every default filled in."""
    _, spec = read_spec(find_root(folder))
    if form == "json":
        click.echo(json.dumps({"version": 1, f"{kind}s": _items(spec, kind)}, indent=2, ensure_ascii=False))
        return 0
    for item in _items(spec, kind):
        words = [
            item["name"],
            *(f"{key}={_word(value)}" for key, value in item.items() if key != "name" and value),
        ]
        click.echo("  ".join(words))
    return 0


def _items(spec: Spec, kind: str) -> list[dict[str, Any]]:
    items = {
        "app": spec.apps,
        "component": spec.components,
        "env": spec.environments,
        "cluster": spec.clusters,
        "tenant": spec.tenants,
    }[kind]
    return [item.model_dump(by_alias=True) for item in items]  # type: ignore[attr-defined]


def _word(value: Any) -> str:
    match value:
        case list():
            return ",".join(map(_word, value))
        case dict():
            kept = {key: inner for key, inner in value.items() if inner not in (None, "", {}, [])}
            return ",".join(
                f"{key}:{{{_word(inner)}}}" if isinstance(inner, dict) else f"{key}:{_word(inner)}"
                for key, inner in kept.items()
            )
        case _:
            return str(value)
