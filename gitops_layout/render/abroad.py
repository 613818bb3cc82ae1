"""Other repositories that deliveries pull: those that lie beside this one, and those that were fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitops_layout.model import Unchecked, UncheckedClass

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gitops_layout.agents.delivery import Delivery
    from gitops_layout.render.checkouts import Checkout
    from gitops_layout.repo.model import Repo
    from gitops_layout.store.fetched import Fetched

__all__ = ["Abroad"]


class Abroad:
    """The trees of other repositories; each is read once."""

    def __init__(self, checkouts: Sequence[Checkout], fetched: Fetched | None) -> None:
        """`checkouts` come before what was `fetched`."""
        self._checkouts = checkouts
        self._fetched = fetched
        self._trees: dict[Path, Repo] = {}

    def pulled(self, delivery: Delivery) -> Repo | Unchecked | None:
        """The tree that a delivery pulls, or why the checkout that is named is not read; None where there is neither."""
        beside = self._beside(delivery)
        if isinstance(beside, Unchecked) or (beside is None and self._fetched is None):
            return beside
        from gitops_layout.render.foreign import brought

        tree = beside or (brought(delivery, self._fetched) if self._fetched is not None else None)
        return self._read(tree, ours=beside is not None) if tree is not None else None

    def at(self, url: str, revision: str) -> Repo | None:
        """The tree of a repository by a revision of Argo CD's."""
        if not self._checkouts and self._fetched is None:
            return None
        from gitops_layout.render.foreign import tree_of

        found = tree_of(url, revision, self._checkouts, self._fetched)
        return self._read(found[0], ours=found[1]) if found is not None else None

    def _read(self, tree: Path, *, ours: bool) -> Repo:
        from gitops_layout.render.foreign import tree_at

        if tree not in self._trees:
            self._trees[tree] = tree_at(tree, ours=ours)
        return self._trees[tree]

    def _beside(self, delivery: Delivery) -> Path | Unchecked | None:
        """The checkout of a delivery's source, or why the one that is named is not read."""
        source = delivery.source
        if not self._checkouts or source.local or source.url is None or source.chart is not None:
            return None
        from gitops_layout.render.checkouts import folder_of, matching

        checkout = matching(self._checkouts, source.url)
        if checkout is None:
            return None
        folder = folder_of(checkout, source.url) if checkout.allowed else None
        if folder is not None:
            return folder
        why = (
            f"the source is {source.url}, and its checkout {checkout.written} is not there"
            if checkout.allowed
            else f"the source is {source.url}; --checkouts reads {checkout.written}, which lies outside this repository"
        )
        external, subject = UncheckedClass.EXTERNAL, ("source", source.url)
        return Unchecked(
            f"delivery {delivery.id}", external, why, delivery.place("source", "url"), subject, delivery.id
        )
