"""The agents' objects: which there are, which of them stand for themselves, and which others bring or complete."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from gitops_layout.agents import argocd, flux
from gitops_layout.agents.context import Context, tier_of
from gitops_layout.agents.delivery import Delivery
from gitops_layout.fields import at
from gitops_layout.graph.generators import is_generator
from gitops_layout.graph.roots import closure, kustomizations
from gitops_layout.graph.sources import delivery_of, is_agent
from gitops_layout.graph.state import Made, State
from gitops_layout.model import Location
from gitops_layout.render.rendered import Rendered
from gitops_layout.repo.model import Repo, Resource, folders_above

__all__ = [
    "agents_of",
    "agents_rendered",
    "completed_names",
    "in_pieces",
    "lacks_path",
    "meaning",
    "owned_by_others",
    "pulls",
]


def agents_of(state: State, objects: Iterable[Resource]) -> list[Resource]:
    """The agents' objects among `objects`, ApplicationSets replaced by what they stand for."""
    found: list[Resource] = []
    for resource in objects:
        if is_agent(resource):
            found.append(resource)
        elif is_generator(resource):
            applications, unseen = state.expand(resource)
            found += [application for application in applications if is_agent(application)]
            state.unchecked += [entry for entry in unseen if entry not in state.unchecked]
    return found


def meaning(made: Made, context: Context) -> Delivery:
    """The delivery of an agent's object: live if it pulls and nobody parked it, or if what brings it is live. Where nothing
    else speaks of its environment, it is in that of what brings it.
    """
    delivery = delivery_of(made.resource, context, made.cluster)
    if delivery.environment is None and made.environment is not None:
        tier = tier_of(context, made.environment)
        delivery = replace(delivery, environment=made.environment, tier=tier)
    live = made.whole and (made.live or (pulls(made.resource) and not made.parked))
    return delivery if live else replace(delivery, live=False)


def pulls(resource: Resource) -> bool:
    """Whether it names a path to pull; a HelmRelease or a ResourceSet alone is delivered by somebody else."""
    return resource.ref.kind not in ("HelmRelease", "ResourceSet")


def agents_rendered(rendered: Rendered) -> list[Resource]:
    """The agent objects among the rendered ones; their place is where the render comes from."""
    return [
        Resource(item.ref, item.data, item.origin(()), item.origin)
        for item in rendered.objects
        if item.ref.kind in _KINDS and _brings(Resource(item.ref, item.data, _NOWHERE))
    ]


_KINDS = frozenset(
    {"Application", "ApplicationSet", "FluxInstance", "HelmRelease", "Kustomization", "ResourceSet"}
)
_NOWHERE = Location("")
"""Where an object is from is asked only when it turns out to be an agent's: most are not."""


def _brings(resource: Resource) -> bool:
    return is_agent(resource) or is_generator(resource)


def in_pieces(repo: Repo, agents: Sequence[Resource]) -> set[Location]:
    """Agents' objects that nobody applies as they are, for they lack what the API requires: all of Flux, which are
    patches, and the Applications below a kustomization that patches Applications, which makes those whole that
    it includes.
    """
    found = {r.location for r in agents if flux.is_partial(r)}
    partial = {r.location for r in agents if argocd.is_agent(r) and argocd.is_partial(r.data)}
    if not partial:
        return found
    patching = {
        kustomization.folder
        for kustomization in kustomizations(repo)
        for name in ("patches", "patchesJson6902")
        for patch in _listed(kustomization.data.get(name))
        if at(patch, "target", "kind") == "Application"
    }
    return found | {one for one in partial if any(parent in patching for parent in folders_above(one.file))}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def completed_names(repo: Repo, inputs: frozenset[str]) -> set[str]:
    """The names of the Flux Kustomizations that get their path from a patch, which `inputs` hold."""
    return {r.ref.name for r in repo.resources if r.file in inputs and flux.is_agent(r) and not lacks_path(r)}


def lacks_path(resource: Resource) -> bool:
    """Whether it pulls the root of its source, as long as nobody says otherwise."""
    return resource.ref.kind == "Kustomization" and at(resource.data, "spec", "path") is None


def owned_by_others(agents: Sequence[tuple[str, frozenset[str]]]) -> set[str]:
    """The files of agent objects that another agent object's build reads.

    Where they read each other in a circle (a cluster's own sync object), the one that reaches most stays
    a root.
    """
    files = {file for file, _ in agents}
    children: dict[str, set[str]] = {file: set() for file in files}
    for file, reads in agents:
        children[file] |= reads & files
    reached = {file: closure(file, children) for file in files}
    owned: set[str] = set()
    for file in sorted(files, key=lambda file: (-len(reached[file]), file)):
        if file not in owned:
            owned |= reached[file] - {file}
    return owned
