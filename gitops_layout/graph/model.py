"""Graph: everything a repository delivers, where, by whom, and what could not be seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gitops_layout.agents.delivery import Delivery
from gitops_layout.model import Unchecked
from gitops_layout.render.rendered import Rendered
from gitops_layout.repo.model import Repo

__all__ = ["Environment", "Graph"]


@dataclass(frozen=True, slots=True)
class Environment:
    """A stage of the repository and why we think so (`spec`, `config` or `path`)."""

    name: str
    tier: Literal["prod", "nonprod"]
    reason: str


@dataclass(frozen=True, slots=True)
class Graph:
    """All deliveries of a repository, rendered.

    `rendered` is keyed by delivery id. `live` holds the files that an agent object reaches,
    agent objects' own files included; without any agent object, everything that is delivered.
    `explain` says how roots, sources, environments and clusters were found, a sentence each.
    """

    repo: Repo
    deliveries: tuple[Delivery, ...]
    rendered: Mapping[str, Rendered]
    live: frozenset[str]
    environments: tuple[Environment, ...] = ()
    clusters: tuple[str, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()
    explain: tuple[str, ...] = ()

    def is_live(self, file: str) -> bool:
        """Whether an agent object reaches `file`."""
        return file in self.live

    def reaches(self, entry: Unchecked) -> bool:
        """Whether what could not be looked at concerns something that an agent reaches."""
        if entry.delivery is not None:
            return any(delivery.live for delivery in self.deliveries if delivery.id == entry.delivery)
        return entry.location is None or self.is_live(entry.location.file)
