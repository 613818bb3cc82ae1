"""What an expansion starts from and what it yields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any

from gitops_layout.model import Path, UncheckedClass
from gitops_layout.repo.model import Repo
from gitops_layout.values import dataclass

__all__ = ["Cluster", "Expansion", "Generated", "Problem", "ProblemKind", "StopError", "World"]


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that Argo CD knows: its Secret's data, labels and annotations."""

    name: str
    server: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    project: str = ""


def _nowhere(_url: str, _revision: str) -> None:
    """Where nothing was brought."""
    return


@dataclass(frozen=True, slots=True)
class Hidden:
    """A registration of a cluster whose values are encrypted or come from elsewhere: the object, its name and the labels."""

    what: str
    name: str
    labels: dict[str, str]


@dataclass(frozen=True, slots=True)
class World:
    """What generators look at. `is_own` says whether a URL is this repository's.

    `elsewhere` is another repository's tree by its URL and a revision as Argo CD names it, where that was brought.
    `clusters` are all that Argo CD manages besides its own; None where that is not known, and then a
    clusters generator cannot be expanded. `hidden` are registrations that cannot be read.
    """

    repo: Repo
    is_own: Callable[[str], bool]
    clusters: tuple[Cluster, ...] | None = None
    elsewhere: Callable[[str, str], Repo | None] = field(default=_nowhere, repr=False)
    hidden: tuple[Hidden, ...] = ()


class ProblemKind(StrEnum):
    """What stands between an ApplicationSet and its Applications."""

    WRONG_TYPE = "wrong-type"
    """A field holds another type than the API takes."""
    INVALID = "invalid"
    """Argo CD refuses it, or gives up on it."""
    TEMPLATE = "template"
    """A template does not parse or fails on these parameters."""
    MISSING_KEY = "missing-key"
    """A template uses a parameter that no generator yields; the Application is made nevertheless."""
    COLLISION = "collision"
    """Two parameter sets render one name."""
    NO_NAME = "no-name"
    """An Application without a name."""
    EMPTY = "empty"
    """A git generator that matches nothing; Argo CD then deletes what it made before."""
    IGNORED = "ignored"
    """Argo CD passes over it, as over a malformed folder pattern."""
    EXTERNAL = "external"
    """Needs the network, another repository, or what only the cluster knows."""
    UNSUPPORTED = "unsupported"
    """Argo CD can do it and we cannot."""
    LIMIT = "limit"
    """More than we are ready to compute."""


_GOES_ON = frozenset(
    {
        ProblemKind.MISSING_KEY,
        ProblemKind.COLLISION,
        ProblemKind.NO_NAME,
        ProblemKind.EMPTY,
        ProblemKind.IGNORED,
    }
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: its kind, the fact, and the field of the ApplicationSet, as a path from its root. `source` is the URL of
    the repository that is missing, where one is.
    """

    kind: ProblemKind
    why: str
    path: Path
    source: str | None = None

    @property
    def unchecked(self) -> UncheckedClass | None:
        """How the expansion is incomplete by it; None where it is complete (a matter for a rule)."""
        if self.kind in _GOES_ON:
            return None
        if self.kind in (ProblemKind.EXTERNAL, ProblemKind.UNSUPPORTED):
            return UncheckedClass.EXTERNAL
        return UncheckedClass.BROKEN


class StopError(Exception):
    """Ends one generator; the expansion turns it into its problem."""

    def __init__(self, kind: ProblemKind, why: str, path: Path, source: str | None = None) -> None:
        super().__init__(why)
        self.problem = Problem(kind, why, path, source)


@dataclass(frozen=True, slots=True)
class Generated:
    """An Application as Argo CD would create it, the generator's path, and the parameters it was made of.

    `patched` are the paths that have another value by the set's templatePatch than by its template.
    """

    data: dict[str, Any]
    generator: Path
    params: Mapping[str, Any]
    patched: frozenset[Path] = frozenset()


@dataclass(frozen=True, slots=True)
class Expansion:
    """The Applications of an ApplicationSet and what is wrong with it, in document order.

    With a problem whose `unchecked` is set, Argo CD itself (or we) stop short: the applications are then
    those of the other generators, and Argo CD changes nothing at all until it is mended. `notes` are
    fields that do not change what is generated, and those that are not understood.
    """

    applications: tuple[Generated, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[Path, ...] = ()
    applications_sync: str = "sync"
    preserve_resources: bool = False
