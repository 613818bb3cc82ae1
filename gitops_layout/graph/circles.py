"""Circles: agents' objects that bring each other and that nothing else brings, so that somebody applies one by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gitops_layout.agents.delivery import BARE, Delivery
from gitops_layout.graph.explain import parents
from gitops_layout.graph.model import Graph
from gitops_layout.graph.roots import closure
from gitops_layout.model import Unchecked, UncheckedClass, of_object

__all__ = ["circular"]

_AGENTS = frozenset({"applications.argoproj.io", "kustomizations.kustomize.toolkit.fluxcd.io"})
"""Definitions that an agent brings along: who delivers them set the agent up by hand, and all else with it."""


def circular(graph: Graph, roots: Iterable[str]) -> Iterator[Unchecked]:
    """An entry for each circle; `roots` are the ids of deliveries that nothing had brought when they were met, one of which
    is in each.
    """
    found = {delivery.id: delivery for delivery in graph.deliveries}
    files = {found[key].root.file for key in roots if key in found and found[key].agent not in BARE}
    readers: dict[str, set[str]] = {file: set() for file in files}
    for delivery in graph.deliveries:
        for file in graph.rendered[delivery.id].files & files:
            readers[file].add(delivery.id)
    # Who asks for all parents looks at every object, and hardly ever is there a circle.
    candidates = [key for key in roots if key in found and readers.get(found[key].root.file, set()) - {key}]
    if not candidates:
        return
    brought = {key: set(ids) for key, ids in parents(graph).items()}
    above = {key: brought.get(key, set()) for key in found}
    done: set[str] = set()
    for key in sorted(candidates):
        circle = closure(key, above)
        if key not in circle or circle & done or any(closure(one, above) != circle for one in circle):
            continue
        done |= circle
        members = [found[one] for one in (key, *sorted(circle - {key}))]
        if all(_is_followed(graph, member) for member in members):
            yield _entry(members)


def _is_followed(graph: Graph, delivery: Delivery) -> bool:
    """Whether all is known of a delivery, and it neither brings itself, as roots do that manage themselves, nor the agent."""
    rendered = graph.rendered[delivery.id]
    if not delivery.live or rendered.failure is not None or rendered.unseen:
        return False
    if delivery.root.file in rendered.files:
        return False
    return not any(item.ref.name in _AGENTS for item in rendered.objects)


def _entry(members: list[Delivery]) -> Unchecked:
    first = members[0]
    told = [f"{one.kind} {one.name} ({one.root.file})" for one in members]
    why = (
        f"{', '.join(told[:-1])} and {told[-1]} bring each other, and nothing else here brings any of them: "
        "somebody applies one by hand, or none is ever there"
    )
    subject = of_object(first.kind, first.namespace, first.name)
    what = f"who brings {first.kind} {first.name}"
    return Unchecked(what, UncheckedClass.EXTERNAL, why, first.root, subject, first.id)
