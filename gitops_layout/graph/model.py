"""Graph: everything a repository delivers, where, by whom, and what could not be seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, Literal

from gitops_layout.agents.context import Declared
from gitops_layout.agents.delivery import Delivery
from gitops_layout.model import Unchecked
from gitops_layout.render.rendered import Rendered
from gitops_layout.repo.model import Repo
from gitops_layout.values import dataclass

__all__ = ["Cluster", "Environment", "Graph", "Target", "Tenant"]


@dataclass(frozen=True, slots=True)
class Environment:
    """A stage of the repository. `reason` is `spec`, `config`, or `path` for a name; `evidence` says it in words.

    `source` is the environment that it is promoted from, where spec or config says so.
    """

    name: str
    tier: Literal["prod", "nonprod"]
    reason: str
    evidence: str = ""
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that somebody names: `reason` is `spec`, `config`, `secret`, `destination` or `path`.

    `environments` are those of its live deliveries and those declared; `server` is its API server's URL, if known.
    """

    name: str
    reason: str
    evidence: str
    environments: tuple[str, ...] = ()
    server: str | None = None


@dataclass(frozen=True, slots=True)
class Tenant:
    """A team that delivers with rights of its own: `reason` is `spec`, `flux`, `project` or `codeowners`.

    `namespaces` are where its objects may go, as far as it is said; `deliveries` are the ids of its own.
    """

    name: str
    reason: str
    evidence: str
    namespaces: tuple[str, ...] = ()
    deliveries: tuple[str, ...] = ()


def _no_file(_path: str) -> bytes | None:
    return None


@dataclass(frozen=True, slots=True)
class Target:
    """What the clusters run, as far as somebody said so.

    `kubernetes` are versions as `1.36` that hold for every cluster; where there are none, `clusters` says what the clusters
    by these names run, and an unnamed cluster runs any of them, or the newest that we know. `definitions` are
    CustomResourceDefinition objects from outside the repository. `schemas` are templates of the paths of JSON Schemas,
    as kubeconform has them, read with `read` (None: no such file).
    """

    kubernetes: tuple[str, ...] = ()
    definitions: tuple[Mapping[str, Any], ...] = ()
    schemas: tuple[str, ...] = ()
    read: Callable[[str], bytes | None] = _no_file
    clusters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Graph:
    """All deliveries of a repository, rendered.

    `rendered` is keyed by delivery id. `live` holds the files that an agent object reaches,
    agent objects' own files included; without any agent object, everything that is delivered.
    `clusters` are those with a name; a root object of no named cluster has its folder's name in its delivery's id.
    `declared` is what spec and config say. `explain` says how roots and sources were found, a sentence each.
    """

    repo: Repo
    deliveries: tuple[Delivery, ...]
    rendered: Mapping[str, Rendered]
    live: frozenset[str]
    environments: tuple[Environment, ...] = ()
    clusters: tuple[Cluster, ...] = ()
    tenants: tuple[Tenant, ...] = ()
    declared: Declared = field(default_factory=Declared)
    unchecked: tuple[Unchecked, ...] = ()
    explain: tuple[str, ...] = ()
    target: Target = Target()
    before: Graph | None = None
    """What the same repository delivered at the revision that a change is compared with."""
    hidden: tuple[str, ...] = ()
    """What may make agents' objects that were not seen, where no other agent's object pulls: `chart system/argocd`."""
    brought_by: Mapping[str, str] = field(default_factory=dict)
    """By the id of a delivery that of the first one that brings its object, as linking met it."""

    def is_live(self, file: str) -> bool:
        """Whether an agent object reaches `file`."""
        return file in self.live

    def reaches(self, entry: Unchecked) -> bool:
        """Whether what could not be looked at concerns something that an agent reaches."""
        if entry.delivery is not None:
            return any(delivery.live for delivery in self.deliveries if delivery.id == entry.delivery)
        return entry.location is None or self.is_live(entry.location.file)
