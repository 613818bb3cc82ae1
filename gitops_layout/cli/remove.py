"""`remove`: an app, component, environment, cluster or tenant less in gitops.yaml, then the same converging as `scaffold`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from gitops_layout.cli.converging import deciding, edit_and_converge, part_with

if TYPE_CHECKING:
    from gitops_layout.cli.converging import Decided
    from gitops_layout.scaffold.names import Kind
    from gitops_layout.spec import Spec

__all__ = ["command"]


@click.command("remove")
@click.argument("kind", type=click.Choice(["app", "component", "env", "cluster", "tenant"]))
@click.argument("name")
@deciding
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), help="Folder of gitops.yaml; found upwards if absent."
)
@click.option("--plan", "only_plan", is_flag=True, help="Show what would change, write nothing.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    kind: str, name: str, *, decided: Decided, folder: Path | None, only_plan: bool, form: str
) -> int:
    """Remove NAME from gitops.yaml and delete what was generated for it.

    A file of it that you edited is a conflict, and nothing is written, unless --prune says to delete it. What the
    agent delivered of it goes from the clusters with the commit.
    """

    def edit(content: bytes, _spec: Spec) -> bytes:
        from gitops_layout.scaffold.names import removed

        return removed(content, cast("Kind", kind), name)

    def part(root: Path) -> str | None:
        return part_with(root, name) if kind == "app" else None

    def others(parts: dict[str, bytes]) -> dict[str, bytes | None]:
        from gitops_layout.scaffold.names import removed_from_part
        from gitops_layout.spec import PARTS

        if kind == "env":
            edited = {path: removed_from_part(content, name) for path, content in parts.items()}
            return {path: content for path, content in edited.items() if content != parts[path]}
        own = f"{PARTS}{name}.yaml"
        return {own: None} if kind == "tenant" and own in parts and not _apps(parts[own]) else {}

    return edit_and_converge(
        folder, edit, only_plan=only_plan, decided=decided, form=form, part=part, others=others
    )


def _apps(content: bytes) -> bool:
    """Whether a tenant's file still holds an app."""
    from gitops_layout.source.reader import read

    return any(bool(document.data["spec"].get("apps")) for document in read(content, "").documents)
