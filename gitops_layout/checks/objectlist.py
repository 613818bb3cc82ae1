"""The objects of one kind, wherever they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gitops_layout.graph.model import Graph
from gitops_layout.model import Affected, Location, Path

__all__ = ["Place", "objects_of", "values_at"]

Place = Callable[[Path], Location]


def objects_of(graph: Graph, group: str, kind: str) -> Iterator[tuple[dict[str, Any], Place, Affected]]:
    """The objects of a kind: as deliveries bring them, else as they stand in files that none reads."""
    read: set[str] = set()
    for delivery in graph.deliveries:
        rendered = graph.rendered[delivery.id]
        read |= rendered.files
        for item in rendered.objects:
            if item.ref.kind == kind and item.ref.group == group:
                affected = Affected(item.ref, delivery.id, delivery.environment, delivery.cluster)
                yield item.data, item.origin, affected
    for resource in graph.repo.resources:
        if resource.ref.kind == kind and resource.ref.group == group and resource.file not in read:
            here = resource.location
            yield resource.data, lambda path, here=here: here.at(*path), Affected(resource.ref)  # type: ignore[misc]


def values_at(data: Any, path: str) -> Iterator[tuple[Any, Path]]:
    """Every value at a dotted path and its concrete path; `[]` after a name steps through a list."""
    found: list[tuple[Any, Path]] = [(data, ())]
    for step in path.split("."):
        name, lists = step.removesuffix("[]"), step.endswith("[]")
        found = [(v[name], (*p, name)) for v, p in found if isinstance(v, dict) and name in v]
        if lists:
            found = [(i, (*p, n)) for v, p in found if isinstance(v, list) for n, i in enumerate(v)]
    yield from found
