"""Checks of paths that lead from one environment, or one tenant, into another one's folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from posixpath import dirname, join, splitext
from typing import Any

from gitops_layout.agents.context import ENVIRONMENT_NAMES
from gitops_layout.agents.delivery import Delivery
from gitops_layout.checks.counterparts import slips
from gitops_layout.checks.delivered import affected
from gitops_layout.graph.model import Graph
from gitops_layout.kustomize.model import FILE_NAMES, Kustomization, find, references
from gitops_layout.model import Affected, Hit, Location, Related
from gitops_layout.values import dataclass

__all__ = ["environment_leak", "tenant_leak"]

_TENANTS = ("tenants", "teams")
_SHARED = frozenset({"base", "bases", "common", "shared", "components", "platform", "all", "default", "lib"})


@dataclass(frozen=True, slots=True)
class _Edge:
    """A path from the folder `start` to `target` (a file or folder of the repository), written at `location`."""

    start: str
    target: str
    location: Location
    delivery: Delivery | None = None


def _edges(graph: Graph) -> Iterator[_Edge]:
    """What kustomizations read, and what agent objects deliver."""
    repo = graph.repo
    for folder, names in sorted(repo.folders.items()):
        found = find(repo, folder) if any(name in names for name in FILE_NAMES) else None
        if not isinstance(found, Kustomization):
            continue
        for reference in references(found):
            target = repo.resolve(join(folder, reference.target))
            if target:
                yield _Edge(folder, target, reference.location)
    for delivery in graph.deliveries:
        source = delivery.source
        if delivery.agent not in ("flux", "argocd") or not source.local or not source.path:
            continue
        if repo.is_folder(source.path):  # one that is not there is nobody's
            yield _Edge(dirname(delivery.root.file), source.path, delivery.place("path"), delivery)


def environment_leak(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """An environment that reads what belongs to another one."""
    yield from slips(graph, _environment_leaks(graph))


def _environment_leaks(graph: Graph) -> Iterator[Hit]:
    names = ENVIRONMENT_NAMES | {environment.name for environment in graph.environments}
    edges = list(_edges(graph))
    read = {(edge.start, edge.target) for edge in edges}
    for edge in edges:
        found = _beside(edge, names) or _instead(graph, edge, names, read)
        if found is not None:
            own, other, counterpart = found
            related = (Related(Location(counterpart), f"what {own} has of its own"),) if counterpart else ()
            yield _hit(edge, {"own": own, "other": other, "target": edge.target}, related)


def _hit(edge: _Edge, values: dict[str, str], related: tuple[Related, ...] = ()) -> Hit:
    who = affected(edge.delivery) if edge.delivery is not None else Affected()
    return Hit(edge.location, {**values, "subject": edge.target}, related, who)


def _beside(edge: _Edge, names: AbstractSet[str]) -> tuple[str, str, str] | None:
    """Own name, the other's, and no counterpart, where two environments' folders lie side by side."""
    for own, other in zip(edge.start.split("/"), edge.target.split("/"), strict=False):
        if own != other:
            return (own, other, "") if own in names and other in names and edge.delivery is None else None
    return None


def _instead(
    graph: Graph, edge: _Edge, names: AbstractSet[str], read: set[tuple[str, str]]
) -> tuple[str, str, str] | None:
    """The same where another environment's part is taken although the own one exists, and is not read."""
    start, target = edge.start.split("/"), edge.target.split("/")
    for known in (names, {part for part in (*start, *target) if part.isdigit() and len(part) == 2}):
        mine = {part for part in start if part in known}
        if len(mine) != 1:
            continue
        (own,) = mine
        for index, part in enumerate(target):
            stem, ending = splitext(part)
            if stem not in known or stem == own or own in target or stem in start:
                continue
            counterpart = "/".join((*target[:index], own + ending, *target[index + 1 :]))
            exists = graph.repo.resolve(counterpart) is not None
            if exists and not any(to == counterpart and _near(at, edge.start) for at, to in read):
                return own, stem, counterpart if counterpart in graph.repo.entries else ""
    return None


def _near(one: str, other: str) -> bool:
    """Whether two folders are the same or one holds the other."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def tenant_leak(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """A tenant that reads another tenant's tree."""
    for edge in _edges(graph):
        own, other = _tenant(edge.start), _tenant(edge.target)
        if own and other and own[0] == other[0] and own[1] != other[1]:
            yield _hit(edge, {"own": own[1], "other": other[1], "target": edge.target})


def _tenant(path: str) -> tuple[str, str] | None:
    """The folder of tenants that a path lies in, and the tenant; None for what they share."""
    parts = path.split("/")
    for index, part in enumerate(parts[:-1]):
        if part in _TENANTS:
            return (
                ("/".join(parts[: index + 1]), parts[index + 1]) if parts[index + 1] not in _SHARED else None
            )
    return None
