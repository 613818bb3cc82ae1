"""How a build takes its steps: strictly, so that the first one it is not sure of ends it, or leniently.

A lenient build is a trace of what real kustomize builds: what a step stumbles over is left out and noted, and the rest
goes on. Its objects are never anybody's result; only their origins are asked, and only where the values are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from gitops_layout.kustomize.fast.declined import DeclinedError
from gitops_layout.kustomize.fast.item import Item
from gitops_layout.model import Location

__all__ = ["Lenient", "Step", "Strict"]

T = TypeVar("T")

Step = Callable[[list[Item]], list[Item] | None]
"""Changes some objects; what it gives is all of them, or None where they are the same."""

# What follows from a step that was left out: later ones meet forms that were excluded before.
_STUMBLES = (DeclinedError, AttributeError, KeyError, IndexError, TypeError, ValueError, AssertionError)


class Strict:
    """What the builder is not sure of ends the build."""

    __slots__ = ()

    def step(self, items: list[Item], _where: Location, step: Step) -> list[Item]:
        """The objects after a step that stands at the place."""
        done = step(items)
        return items if done is None else done

    def value(self, make: Callable[[], T], _otherwise: T, _where: Location | None = None) -> T:
        """What `make` makes."""
        return make()


class Lenient(Strict):
    """What the builder is not sure of is left out; `left` are the places of these steps, `refused` what kustomize
    would refuse of it.
    """

    __slots__ = ("left", "refused")

    def __init__(self) -> None:
        self.left: list[Location] = []
        self.refused: list[DeclinedError] = []

    def _note(self, stumble: Exception) -> None:
        if isinstance(stumble, DeclinedError) and stumble.remedy is not None:
            self.refused.append(stumble)

    def step(self, items: list[Item], where: Location, step: Step) -> list[Item]:
        """The same; where the step stumbles, it is taken by each object that it does not stumble over."""
        kept = [item.copy() for item in items]
        try:
            return super().step(items, where, step)
        except _STUMBLES as stumble:
            self._note(stumble)
            self.left.append(where)
        done: list[Item] = []
        for item in kept:
            before = item.copy()
            try:
                done += super().step([item], where, step)
            except _STUMBLES:
                done.append(before)
        return done

    def value(self, make: Callable[[], T], otherwise: T, where: Location | None = None) -> T:
        """What `make` makes, or `otherwise` where it stumbles."""
        try:
            return make()
        except _STUMBLES as stumble:
            self._note(stumble)
            self.left += [where] if where is not None else []
            return otherwise
