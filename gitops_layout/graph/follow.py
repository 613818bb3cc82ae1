"""Following: deliveries render others' agent objects, and variables that these need, until nothing changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from posixpath import dirname, splitext

from gitops_layout.agents.context import Context
from gitops_layout.agents.context import cluster_of as cluster_of_root
from gitops_layout.agents.delivery import BARE, Delivery
from gitops_layout.graph.objects import (
    agents_of,
    agents_rendered,
    completed_names,
    in_pieces,
    lacks_path,
    meaning,
    owned_by_others,
)
from gitops_layout.graph.state import Made, State, forget, home, render_now, takes_variables
from gitops_layout.model import Location, ObjectRef
from gitops_layout.render.rendered import Rendered
from gitops_layout.repo.model import Resource, broken

__all__ = ["drop_reached", "follow", "settle"]

MAX_ROUNDS = 20
"""Deliveries that render deliveries: deeper chains than this are cut, and said to be."""

MAX_DELIVERIES = 50_000
"""More are not followed: templates can make templates."""


def follow(
    state: State,
    agents: Sequence[Resource],
    roots: Callable[[frozenset[str]], Sequence[Delivery]],
    inputs: frozenset[str],
) -> None:
    """Deliveries from agent objects: first those that no other one renders, then what they render; and from the `roots`
    that are left besides the files which they read.

    An object in a file and the same object rendered by a parent are one delivery, as the parent makes it.
    """
    render = state.render
    pieces = in_pieces(state.context.repo, agents)
    clusters = _clusters(state.context, agents)
    own = [
        (made, meaning(made, state.context))
        for resource in agents
        for cluster in (clusters[resource.location],)
        for off in (state.parked(resource.file),)
        for made in (Made(resource, cluster, not off, None, resource.location not in pieces, off),)
    ]
    completed = completed_names(state.context.repo, inputs)
    reads = {
        delivery.id: frozenset()
        if made.resource.ref.name in completed and lacks_path(made.resource)
        else render.reads(delivery)
        for made, delivery in own
    }
    reached = frozenset().union(*reads.values()) if reads else frozenset()
    unreached = roots(reached)
    owned = owned_by_others([(made.resource.file, reads[delivery.id]) for made, delivery in own])
    owned |= {resource.file for resource in agents} & {
        file for root in unreached for file in render.reads(root)
    }
    kept = [(made, delivery) for made, delivery in own if made.resource.file not in owned]
    for made, delivery in kept:
        state.made.setdefault(delivery.id, made)
    first = [*(delivery for _, delivery in kept), *unreached]
    _descend(state, first)
    found, counted = _found(state, set()), set(state.deliveries)
    for file in dict.fromkeys(made.resource.file for made, _ in own if made.resource.file in owned):
        if file in found:
            continue
        lost = []  # what would bring them cannot be built
        for made, delivery in own:
            if made.resource.file == file:
                whole = replace(made, whole=True)
                state.made.setdefault(delivery.id, whole)
                lost.append(meaning(whole, state.context))
        _descend(state, lost)
        found |= _found(state, counted)
        counted |= state.deliveries.keys()


def _clusters(context: Context, agents: Sequence[Resource]) -> dict[Location, str]:
    """The cluster of each agent object, by its place.

    Where only a folder stands for it, files that hold the same object (`root-dev.yaml` beside `root-prod.yaml`)
    are for one cluster each.
    """
    found = {resource.location: cluster_of_root(context, resource.file) for resource in agents}
    same: dict[tuple[str, ObjectRef], set[str]] = defaultdict(set)
    for resource in agents:
        same[found[resource.location], resource.ref].add(resource.file)
    for resource in agents:
        folder = dirname(resource.file)
        if found[resource.location] == folder and len(same[folder, resource.ref]) > 1:
            found[resource.location] = splitext(resource.file)[0]
    return found


def _found(state: State, counted: Collection[str]) -> set[str]:
    """The files that something rendered read, and those of agent objects, but for what is `counted` already: who would
    bring another cannot be built.
    """
    fresh = [key for key in state.deliveries if key not in counted]
    read = (r.files for key in fresh if _brought(r := state.rendered[key]))
    return {state.deliveries[key].root.file for key in fresh}.union(*read)


def _brought(rendered: Rendered) -> bool:
    return rendered.failure is None or bool(rendered.objects)


def _descend(state: State, current: Sequence[Delivery]) -> None:
    """Render the deliveries, and the deliveries that they bring, level by level."""
    for _ in range(MAX_ROUNDS):
        fresh = {each.id: each for each in current if state.deliveries.get(each.id) != each}
        if not fresh:
            return
        if len(state.deliveries) + len(fresh) > MAX_DELIVERIES:
            why = f"more than {MAX_DELIVERIES} deliveries: look at parts of the repository, a config file in each"
            break
        state.deliveries |= fresh
        render_now(state, list(fresh.values()))
        current = [child for parent in fresh.values() for child in _brought_by(state, parent)]
    else:
        levels = f"deliveries bring deliveries, more than {MAX_ROUNDS} levels of them"
        why = f"{levels}: let one of them bring all that are below it"
    problem = broken("deliveries of deliveries", f"{why}; the rest was not followed")
    if problem not in state.unchecked:
        state.unchecked.append(problem)


def _brought_by(state: State, parent: Delivery) -> list[Delivery]:
    """The deliveries of the agent objects that a delivery brings; of several that bring one, the first does.

    A kustomize root that holds the sync object of its own folder is what that object delivers, with the
    object's variables and patches: then the object stands for the root.
    """
    if parent.id not in state.rendered:
        return []  # what brought it, rendered anew, brings it no longer
    cluster = home(state, parent)
    children: dict[str, Delivery] = {}
    for resource in agents_of(state, agents_rendered(state.rendered[parent.id])):
        parked = state.parked(resource.file)
        made = Made(resource, cluster, parent.live, parent.id, parked=parked, environment=parent.environment)
        child = meaning(made, state.context)
        if state.made.setdefault(child.id, made).parent == parent.id:
            state.made[child.id] = made
            children[child.id] = child
    own = [child for child in children.values() if _stands_for(child, parent)]
    if own:
        state.children[parent.id] = frozenset(children)
        kept = {child.id: replace(state.made[child.id], parent=None) for child in own}
        forget(state, parent.id)
        state.made |= kept
        return own
    for lost in state.children.get(parent.id, frozenset()) - children.keys():
        forget(state, lost)
    state.children[parent.id] = frozenset(children)
    return list(children.values())


def _stands_for(child: Delivery, root: Delivery) -> bool:
    return root.agent == "kustomize" and child.source.local and child.source.path == root.source.path


def settle(state: State) -> None:
    """Render again what takes variables from objects that other deliveries bring, until nothing changes.

    What is rendered anew may bring other agent objects, and what was met late may define others' sources.
    """
    for _ in range(MAX_ROUNDS):
        late = [
            delivery
            for delivery in state.deliveries.values()
            if state.seen[delivery.id] != state.version and takes_variables(delivery)
        ]
        if late:
            render_now(state, late)
        current = [child for parent in late for child in _brought_by(state, parent)]
        current += [
            meaning(made, state.context)
            for key, made in state.made.items()
            if (known := state.deliveries.get(key)) is not None and _may_change(known)
        ]
        if not late and all(state.deliveries.get(child.id) == child for child in current):
            return
        _descend(state, current)


def drop_reached(state: State) -> None:
    """Forget the kustomizations that nobody seemed to reach and that something rendered reaches after all."""
    read = {
        file
        for key, rendered in state.rendered.items()
        if state.deliveries[key].agent not in BARE
        for file in rendered.files
    }
    roots = [d for d in state.deliveries.values() if d.agent == "kustomize" and not d.live]
    for root in roots:
        if root.root.file in read:
            forget(state, root.id)


def _may_change(delivery: Delivery) -> bool:
    """Whether sources that other deliveries bring may change it."""
    return not delivery.source.local or delivery.renderer == "template"
