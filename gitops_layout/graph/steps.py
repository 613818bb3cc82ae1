"""The order in which Argo CD applies what an Application brings: phase by phase, and in each wave by wave."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from gitops_layout.agents.argocd.phases import PHASES, phases, wave
from gitops_layout.agents.delivery import Delivery
from gitops_layout.render.rendered import Rendered, RenderedObject
from gitops_layout.values import dataclass

__all__ = ["Step", "steps"]


@dataclass(frozen=True, slots=True)
class Step:
    """What is applied together; the next step waits until all of it is healthy."""

    phase: str
    wave: int
    objects: tuple[RenderedObject, ...]


def steps(delivery: Delivery, rendered: Rendered) -> Sequence[Step]:
    """An Application's steps in their order; an object with several hooks is in several. Flux has no such notion."""
    if delivery.agent != "argocd":
        return ()
    found: dict[tuple[int, int], list[RenderedObject]] = defaultdict(list)
    for item in rendered.objects:
        for phase in phases(item.data):
            found[PHASES.index(phase), wave(item.data)].append(item)
    return [Step(PHASES[phase], number, tuple(items)) for (phase, number), items in sorted(found.items())]
