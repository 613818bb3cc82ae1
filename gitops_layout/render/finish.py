"""A build → Rendered: its objects with their places, and the agent's own steps on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from typing import TYPE_CHECKING

from gitops_layout.agents.delivery import Delivery
from gitops_layout.kustomize.exact import Build
from gitops_layout.kustomize.model import Kustomization
from gitops_layout.model import Location, Path
from gitops_layout.render.aligned import Aligned
from gitops_layout.render.lookup import Lookup
from gitops_layout.render.overrides import told
from gitops_layout.render.rendered import Made, Rendered
from gitops_layout.render.steps import finished
from gitops_layout.repo.model import Repo
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from gitops_layout.kustomize.choose import Chosen
    from gitops_layout.kustomize.fast import Fast

__all__ = ["Wanted", "finish"]


@dataclass(slots=True)
class Wanted:
    """A delivery and the build that it wants; equal builds have the same `key`."""

    delivery: Delivery
    build: Build
    key: str
    places: Mapping[str, Location] = field(default_factory=dict)
    """Where files that are not in the repository stand for something in it."""
    written: Mapping[Path, Location] = field(default_factory=dict)
    """What of its own kustomization the agent wrote, and where that stands in the agent's object."""


def finish(
    repo: Repo, wanted: Wanted, chosen: Chosen, lookup: Lookup, strict: Callable[[Delivery], bool]
) -> Rendered:
    """What the delivery brings, or why its build brings nothing."""
    delivery, closure, built = wanted.delivery, wanted.build.closure, chosen.built
    if built.problem is not None:
        problem = built.problem
        written = dict(wanted.build.overrides) if not closure.problems else {}
        if problem.location.file not in repo.entries or problem.location.file in written:
            # What kustomize refused is what the agent wrote into the kustomization, or its own file.
            problem = replace(problem, location=delivery.place("path"))
        failure = problem.unchecked(f"delivery {delivery.id}", delivery.id)
        files = closure.files & repo.entries.keys()
        return Rendered(delivery.id, files=files, failure=failure, declined=chosen.declined)
    fallback = _fallback(repo, delivery, closure.kustomizations)
    overrides = dict(wanted.build.overrides)
    build: Fast | Aligned | None = chosen.origins
    if build is None:
        view = repo.over(overrides) if overrides else repo
        build = Aligned(view, closure, built.objects, fallback)
    places = _Places(repo, build, frozenset(overrides), wanted.written, fallback, wanted.places)
    objects = [
        Made(data, partial(places.origin, n), partial(places.earlier, n), partial(places.approximate, n))
        for n, data in enumerate(built.objects)
    ]
    files = closure.files & repo.entries.keys()
    return replace(finished(delivery, objects, files, lookup, strict=strict), declined=chosen.declined)


@dataclass(frozen=True, slots=True)
class _Places:
    """The origins of a build as places of the repository: what an agent wrote over its files stands in the
    agent's object, where `written` knows the field; files that are not there stand for `places`.
    """

    repo: Repo
    build: Fast | Aligned
    overridden: frozenset[str]
    written: Mapping[Path, Location]
    fallback: Location
    places: Mapping[str, Location]

    def origin(self, index: int, path: Path) -> Location:
        return next(self._known(index, path), self.fallback)

    def earlier(self, index: int, path: Path) -> tuple[Location, ...]:
        return tuple(self._known(index, path))[1:]

    def approximate(self, index: int, path: Path) -> bool:
        return isinstance(self.build, Aligned) and self.build.approximate(index, path)

    def _known(self, index: int, path: Path) -> Iterator[Location]:
        if not self.overridden:
            found = self.build.origin(index, path)
            yield from (where for where in (found.where, *found.earlier) if where.file in self.repo.entries)
            return
        for where in self.build.writers(index, path):
            if where.file in self.places:
                yield self.places[where.file]
            elif where.file not in self.overridden:
                if where.file in self.repo.entries:
                    yield _inside(self.repo, where)
            elif (agents := self._agents(where.path)) is not None:
                yield agents
            else:
                own = _inside(self.repo, where)
                if any(document.has(own.path) for document in self.repo.documents(own.file)):
                    yield own

    def _agents(self, path: Path) -> Location | None:
        """The place of a kustomization's field in the agent's object, if the agent wrote it."""
        found = told(self.written, path)
        return None if found is None else _inside(self.repo, found[0].at(*found[1]), known=True)


def _inside(repo: Repo, where: Location, *, known: bool = False) -> Location:
    # Imported when a fast build is there to be asked: linting one file must not wait for the builder.
    from gitops_layout.kustomize.fast.inline import inside_text

    return inside_text(repo, where, known=known)


def _fallback(repo: Repo, delivery: Delivery, kustomizations: Sequence[Kustomization]) -> Location:
    return next((k.location for k in kustomizations if k.file in repo.entries), delivery.place("path"))
