"""Checks of files by themselves: objects that stand twice in one, and kustomizations with nothing in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from posixpath import join
from typing import Any

from gitops_layout.checks.delivered import metadata
from gitops_layout.graph.model import Graph
from gitops_layout.kustomize.model import FILE_NAMES, BuildClass, Problem, find
from gitops_layout.kustomize.named import named
from gitops_layout.model import Hit, Location, Related
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Resource, is_aside, is_parked

__all__ = ["empty_kustomization", "twice_in_a_file"]

Params = Mapping[str, Any]
_SELECTED = regexp(r"selector|hook|phase", re.IGNORECASE)


def twice_in_a_file(graph: Graph, params: Params) -> Iterator[Hit]:
    """Objects of one identity in one file: kubectl applies the last, kustomize refuses them."""
    patches = named(graph.repo, "patch")
    seen: dict[tuple[str, str, str, str, str], Resource] = {}
    for resource in graph.repo.resources:
        ref = resource.ref
        if not ref.name or resource.file in patches or is_aside(resource.file) or is_parked(resource.file):
            continue
        key = (resource.file, ref.group, ref.kind, ref.namespace, ref.name)
        first = seen.setdefault(key, resource)
        if first is resource or any(
            _SELECTED.search(name) for name in metadata(resource.data, "annotations")
        ):
            continue
        values = {"kind": ref.kind, "name": ref.name, "subject": f"{ref.kind} {ref.namespace}/{ref.name}"}
        related = (Related(first.location.at("metadata", "name"), "the first"),)
        yield Hit(resource.location.at("kind"), values, related)


def empty_kustomization(graph: Graph, params: Params) -> Iterator[Hit]:
    """Kustomizations that say nothing, be it in comments."""
    repo = graph.repo
    for folder, names in sorted(repo.folders.items()):
        found = find(repo, folder) if any(name in names for name in FILE_NAMES) else None
        if isinstance(found, Problem) and found.kind is BuildClass.EMPTY:
            file = found.location.file
        elif (
            found is not None
            and not isinstance(found, Problem)
            and not found.data.keys() - {"apiVersion", "kind"}
        ):
            file = found.file
        else:
            continue
        if not is_aside(file) and not is_parked(file):
            yield Hit(Location(file), {"folder": folder or ".", "subject": join(folder, "empty")})
