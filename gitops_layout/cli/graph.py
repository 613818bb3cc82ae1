"""`graph`: what is delivered where, by whom, from which files, and what could not be seen."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitops_layout.cli import remembered
from gitops_layout.cli.roots import located
from gitops_layout.errors import UserError
from gitops_layout.model import UncheckedClass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitops_layout.config import Config
    from gitops_layout.graph.model import Graph
    from gitops_layout.model import Unchecked

__all__ = ["command"]

_FORMATS = ("text", "json", "mermaid", "dot")


@click.command("graph")
@click.argument("arguments", metavar="[PATH] [NAME]...", nargs=-1)
@click.option("--format", "form", type=click.Choice(_FORMATS), default="text", show_default=True)
@click.option(
    "--explain",
    is_flag=True,
    help="Say why each place is one, and each delivery is live, here and in its environment; with a NAME of an"
    " environment, cluster, tenant or delivery, of that alone. Where a NAME is a path as well, put a PATH before it.",
)
@click.option(
    "--checkouts",
    "beside",
    is_flag=True,
    help="Read the other repositories on this machine that the config names.",
)
@click.option("--files", is_flag=True, help="Say of every YAML file what becomes of it, and why.")
@remembered.option
def command(arguments: tuple[str, ...], *, no_cache: bool, **options: Any) -> int:
    """List every delivery of the repository with its source, environment, cluster and objects.

    Exit code 3 says that something an agent reaches is broken and could not be followed.
    """
    paths, options["names"] = _told_apart(arguments, explain=options["explain"])
    if options["names"] and (options["files"] or options["form"] != "text"):
        raise UserError("names are explained in text", "leave --format and --files out")
    root, _ = located(paths)
    run = partial(_run, root, options)
    return remembered.command("graph", root, options, run, ready=_ready, use=not no_cache)


def _ready() -> None:
    from gitops_layout.cli import loading  # noqa: F401 - all that reads YAML and links it


def _open(graph: Graph, config: Config) -> Iterator[Unchecked]:
    """What could not be seen, without what the config declares to lie outside."""
    for entry in graph.unchecked:
        if entry.kind is UncheckedClass.BROKEN or config.declares(entry.subject) is None:
            yield entry


def _told_apart(arguments: tuple[str, ...], *, explain: bool) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """The path, which comes first, and the names that are to be explained: what is no path is one."""
    first = arguments[:1] if arguments and (Path(arguments[0]).exists() or not explain) else ()
    names = arguments[len(first) :]
    if names and not explain:
        raise UserError(f"one PATH, and not {' '.join(names)} besides", "--explain takes names")
    return tuple(map(Path, first)), names


def _run(root: Path, options: dict[str, Any], memory: remembered.Memory) -> remembered.Said:
    from dataclasses import replace

    from gitops_layout.cli.loading import load
    from gitops_layout.output import graph as output
    from gitops_layout.output.graph_text import explained, to_text
    from gitops_layout.validation.misread import misread

    loaded = load(root, memory=memory, beside=options["beside"])
    form, lasting = options["form"], not loaded.config.checkouts
    graph = replace(loaded.graph, unchecked=(*loaded.graph.unchecked, *misread(loaded.graph)))
    broken = any(entry.kind is UncheckedClass.BROKEN and graph.reaches(entry) for entry in graph.unchecked)
    words = {
        "text": output.files_to_text if options["files"] else to_text,
        "json": output.to_json,
        "mermaid": output.to_mermaid,
        "dot": output.to_dot,
    }
    # What is declared to lie outside is no news to anybody; the JSON has it all the same.
    shown = graph if form == "json" else replace(graph, unchecked=tuple(_open(graph, loaded.config)))
    said = remembered.Said([words[form](shown)], lasting=lasting, code=3 if broken else 0)
    if form == "text" and not options["files"] and (declared := len(graph.unchecked) - len(shown.unchecked)):
        said.out.append(f"not looked at, as the config declares: {declared}; --format json lists it\n")
    if options["names"]:
        said.out[:] = [explained(graph, options["names"])]
    elif options["explain"] and form == "text" and not options["files"]:
        said.out.append(f"\n{explained(graph)}")
    return said
