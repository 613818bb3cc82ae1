"""Rendered: the objects of one Delivery, each value traceable to the file and line that last wrote it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gitops_layout.model import Location, ObjectRef, Path, Unchecked
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from gitops_layout.kustomize.fast.declined import Declined

__all__ = ["Made", "Rendered", "RenderedObject", "Unset"]


def _nobody(_path: Path) -> tuple[Location, ...]:
    return ()


def _surely(_path: Path) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Made:
    """An object as a build made it, before the agent's own steps; its places as in RenderedObject. `ref` may be left to
    who needs it.
    """

    data: dict[str, Any]
    origin: Callable[[Path], Location]
    earlier: Callable[[Path], tuple[Location, ...]] = _nobody
    approximate: Callable[[Path], bool] = _surely
    ref: ObjectRef | None = None


@dataclass(frozen=True, slots=True)
class RenderedObject:
    """One object as the agent applies it; `data` is plain and shared: never write into it.

    `origin(path)` is the place that last wrote the value at `path` (an absent path: its nearest
    ancestor that was written); `earlier(path)` those that wrote it before, the latest first, as far as
    they are known. `approximate(path)` says that the place is a guess: real kustomize made the value in a way that
    could not be followed.
    """

    ref: ObjectRef
    data: dict[str, Any]
    origin: Callable[[Path], Location]
    earlier: Callable[[Path], tuple[Location, ...]] = _nobody
    approximate: Callable[[Path], bool] = _surely


@dataclass(frozen=True, slots=True)
class Unset:
    """A variable that nothing sets, although all that may set it is known; the agent puts nothing there, or refuses."""

    name: str
    where: str
    location: Location


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a delivery delivers: its objects, the files that it read, and why it could not be rendered.

    `files` are all files of the repository that took part; `failure` is set when the build failed or needs
    what lies outside: there are no objects then, or those that can be told without it, which nobody may apply
    or compare, only judge. `unseen` is what the objects were
    rendered without. `declined` says why real kustomize had to build it, where it had to. `repeated` are
    objects that a later one with the same name takes the place of. `doubled` are keys that stand twice in what a
    chart's template writes, and where. `unset` are variables that are left in the
    objects, or became empty texts.
    """

    delivery: str
    objects: tuple[RenderedObject, ...] = ()
    files: frozenset[str] = frozenset()
    failure: Unchecked | None = None
    unseen: tuple[Unchecked, ...] = ()
    declined: Declined | None = None
    repeated: tuple[RenderedObject, ...] = ()
    doubled: tuple[tuple[Path, Location], ...] = ()
    unset: tuple[Unset, ...] = ()
