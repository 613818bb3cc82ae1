"""Deliveries of artifacts that Flux assembles: rendered from the artifact's tree, placed where its files are from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from posixpath import join
from typing import Protocol

from gitops_layout.agents.artifacts import PathPatternError
from gitops_layout.agents.delivery import Assembled, Copied, Delivery
from gitops_layout.model import Unchecked
from gitops_layout.render.assemble import ROOT, AssemblyError, Tree, assemble
from gitops_layout.render.lookup import Lookup
from gitops_layout.render.rendered import Rendered, RenderedObject
from gitops_layout.repo.model import Repo, broken
from gitops_layout.values import dataclass

__all__ = ["Assembly", "Renderer", "assembly"]


class Renderer(Protocol):
    """What renders the deliveries of one tree, as `render.build.Renders` does."""

    def __call__(self, deliveries: Sequence[Delivery], lookup: Lookup) -> Mapping[str, Rendered]: ...

    def reads(self, delivery: Delivery) -> frozenset[str]: ...


class _UnseenError(Exception):
    """A source whose files are not here."""

    def __init__(self, entry: Unchecked) -> None:
        super().__init__(entry.why)
        self.entry = entry


@dataclass(frozen=True, slots=True)
class Assembly:
    """An artifact, and what renders from it."""

    tree: Tree
    renders: Renderer

    def rendered(self, delivery: Delivery, lookup: Lookup) -> Rendered:
        """What a delivery of the artifact brings."""
        done = self.renders([_inside(delivery)], lookup)
        return _sent_back(done[delivery.id], self.tree)

    def reads(self, delivery: Delivery) -> frozenset[str]:
        """The files of the repository that the delivery's build reads."""
        read = self.renders.reads(_inside(delivery))
        return frozenset[str]().union(*map(self.tree.came, read))


def assembly(
    delivery: Delivery,
    tree_of: Callable[[Delivery, Copied], Tree | Unchecked],
    over: Callable[[Repo], Renderer],
) -> Assembly | Unchecked:
    """The artifact that a delivery pulls, or why there is none to be seen."""
    assembled = delivery.source.assembled
    assert assembled is not None

    def tree(copy: Copied) -> Tree:
        found = tree_of(delivery, copy)
        if isinstance(found, Unchecked):
            raise _UnseenError(found)
        return found

    try:
        made = assemble(_filled_in(assembled, tree), tree)
    except _UnseenError as error:
        return error.entry
    except AssemblyError as error:
        return broken(
            f"delivery {delivery.id}", f"Flux cannot assemble its artifact: {error.why}", error.location
        )
    return Assembly(made, over(made.repo))


def _filled_in(assembled: Assembled, tree: Callable[[Copied], Tree]) -> tuple[Copied, ...]:
    """The copies with the captures of the folder that makes the artifact. Raises AssemblyError where none does."""
    chosen = assembled.chosen
    if chosen is None:
        return assembled.copies
    place = chosen.location
    found = tree(Copied(chosen.source, "", "", (), "", place))
    base = f"{found.base}/" if found.base else ""
    folders = (folder[len(base) :] for folder in found.repo.folders if folder.startswith(base))
    try:
        made = dict(chosen.folders.among(folders))
    except PathPatternError as error:
        raise AssemblyError(str(error), place) from error
    if chosen.name not in made:
        why = f"no folder that fits the pathPattern {chosen.folders.pattern} makes one called {chosen.name}"
        raise AssemblyError(why, place)
    filled = zip(assembled.copies, made[chosen.name], strict=True)
    return tuple(replace(copied, pattern=copy.pattern, target=copy.target) for copied, copy in filled)


def _inside(delivery: Delivery) -> Delivery:
    """The delivery as it pulls a folder of its artifact's tree."""
    assembled = delivery.source.assembled
    folder = (assembled.folder if assembled is not None else None) or ""
    source = replace(
        delivery.source,
        path=join(ROOT, folder).rstrip("/"),
        local=True,
        foreign=None,
        assembled=None,
        ignore=None,
        sparse=(),
    )
    return replace(delivery, source=source)


def _sent_back(rendered: Rendered, tree: Tree) -> Rendered:
    """The same with its places and files those that the artifact's are copies of."""

    def back(entry: Unchecked) -> Unchecked:
        return replace(entry, location=tree.way(entry.location)) if entry.location is not None else entry

    def item(one: RenderedObject) -> RenderedObject:
        origin, earlier = one.origin, one.earlier
        return replace(
            one,
            origin=lambda path: tree.way(origin(path)),
            earlier=lambda path: tuple(map(tree.way, earlier(path))),
        )

    failure, declined = rendered.failure, rendered.declined
    return replace(
        rendered,
        objects=tuple(map(item, rendered.objects)),
        files=frozenset[str]().union(*map(tree.came, rendered.files)),
        failure=back(failure) if failure is not None else None,
        unseen=tuple(map(back, rendered.unseen)),
        declined=replace(declined, location=tree.way(declined.location)) if declined is not None else None,
        repeated=tuple(map(item, rendered.repeated)),
        doubled=tuple((path, tree.way(place)) for path, place in rendered.doubled),
    )
