"""`generators`, `transformers` and `validators`: configurations of built-in plugins, in files or inline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gitops_layout.kustomize.fast.declined import decline
from gitops_layout.kustomize.fast.forms import check_plugin
from gitops_layout.kustomize.fast.item import Item, unique
from gitops_layout.kustomize.fast.read import kustomized, objects
from gitops_layout.kustomize.model import is_inline
from gitops_layout.model import Location
from gitops_layout.source.reader import read

__all__ = ["generator_entry", "plugins"]

Loaded = Callable[[str, Location], list[Item]]
"""The objects of a named file or kustomization."""


def plugins(data: Mapping[str, Any], name: str, here: Location, loaded: Loaded) -> list[Item]:
    """The configurations that a field of a kustomization lists, those that stand in it first."""
    inline: list[Item] = []
    named: list[Item] = []
    for index, text in enumerate(data.get(name) or ()):
        where = here.at(name, index)
        if is_inline(text):
            inline += _inline(text, where)
        else:
            named += loaded(text, where)
    unique(inline + named)
    for item in inline + named:
        check_plugin(item.data, item.origin(())[0])
    return inline + named


def _inline(text: str, where: Location) -> Iterator[Item]:
    stream = read(text, where.file)
    if stream.problems:
        decline(stream.problems[0].message, where)
    yield from objects(kustomized(stream, where), where)


def generator_entry(plugin: Item) -> dict[str, Any]:
    """A generator's configuration in the form of the kustomization's field; its own metadata names the
    object where nothing else does.
    """
    if not plugin.kind.endswith("Generator"):
        decline(f"{plugin.kind} is no generator", plugin.origin(())[0])
    entry = {
        key: value for key, value in plugin.data.items() if key not in ("apiVersion", "kind", "metadata")
    }
    for key, value in (("name", plugin.name), ("namespace", plugin.namespace)):
        entry[key] = entry.get(key) or value
    return entry
