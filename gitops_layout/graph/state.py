"""What is known while deliveries are followed: the agents' objects met, what was rendered, and what it brings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Protocol

from gitops_layout.agents.context import Context, cluster_of
from gitops_layout.agents.delivery import Delivery
from gitops_layout.fields import at
from gitops_layout.graph.generators import Expander
from gitops_layout.graph.sources import with_sources
from gitops_layout.model import Unchecked
from gitops_layout.render.lookup import DEFINITION, ENCRYPTED, UNDELIVERED, Lookup
from gitops_layout.render.rendered import Rendered, RenderedObject
from gitops_layout.repo.model import Repo, Resource
from gitops_layout.values import dataclass

__all__ = ["Made", "Render", "State", "add", "forget", "home", "render_now", "takes_variables"]


class Render(Protocol):
    """What link needs of the renderer."""

    def __call__(self, deliveries: Sequence[Delivery], lookup: Lookup, /) -> Mapping[str, Rendered]:
        """Each delivery's objects, by its id."""

    def reads(self, delivery: Delivery, /) -> frozenset[str]:
        """The files that a delivery's build reads, found without building."""

    def tree(self, url: str, revision: str, /) -> Repo | None:
        """Another repository's files, by a revision as Argo CD names it; None where nobody brought them."""


@dataclass(frozen=True, slots=True)
class Made:
    """An agent's object: its cluster, whether what brings it is live, the delivery that brings it, whether
    it is applied as it is rather than completed by a patch, whether its file is out of use, and the environment of what
    brings it.
    """

    resource: Resource
    cluster: str
    live: bool = True
    parent: str | None = None
    whole: bool = True
    parked: bool = False
    environment: str | None = None


@dataclass(slots=True)
class State:
    """All of it, by the ids of deliveries: `children` are those whose objects a delivery brings, `brought` the ConfigMaps
    and Secrets that live ones do. `version` counts the changes of these, and `seen` is the one that a render knew.
    """

    context: Context
    expand: Expander
    render: Render
    parked: Callable[[str], bool]
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    rendered: dict[str, Rendered] = field(default_factory=dict)
    made: dict[str, Made] = field(default_factory=dict)
    unchecked: list[Unchecked] = field(default_factory=list)
    explain: list[str] = field(default_factory=list)
    brought: dict[tuple[str, str, str, str], RenderedObject] = field(default_factory=dict)
    children: dict[str, frozenset[str]] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    files: dict[tuple[str, str], list[Resource]] = field(default_factory=dict)
    definitions: dict[str, Resource] | None = None
    version: int = 0

    def lookup(self, cluster: str, kind: str, namespace: str, name: str) -> RenderedObject | None:
        """A ConfigMap or Secret that some delivery brings to a cluster, or what `lookup` says of other words for `kind`."""
        if kind == DEFINITION:
            return self._definition(name)
        if kind.endswith(UNDELIVERED):
            return self._lying(cluster, (kind.removesuffix(UNDELIVERED), name), namespace)
        return self.brought.get((cluster, kind, namespace, name))

    def _definition(self, name: str) -> RenderedObject | None:
        """The CustomResourceDefinition of a `group/Kind` that a file holds."""
        if self.definitions is None:
            self.definitions = {
                f"{at(resource.data, 'spec', 'group')}/{at(resource.data, 'spec', 'names', 'kind')}": resource
                for resource in self.context.repo.resources
                if resource.ref.kind == DEFINITION
            }
        found = self.definitions.get(name)
        if found is None:
            return None
        return RenderedObject(found.ref, found.data, lambda path: found.location.at(*path))

    def _lying(self, cluster: str, named: tuple[str, str], namespace: str) -> RenderedObject | None:
        """One that a file holds, rather below a folder called like the cluster; it may get its namespace elsewhere."""
        if not self.files:
            for resource in self.context.repo.resources:
                if resource.ref.kind in ("ConfigMap", "Secret"):
                    self.files.setdefault((resource.ref.kind, resource.ref.name), []).append(resource)
        found = [item for item in self.files.get(named, ()) if item.ref.namespace in ("", namespace)]
        best = max(found, key=lambda item: cluster in item.file.split("/"), default=None)
        if best is None:
            return None
        return RenderedObject(best.ref, best.data, lambda path: best.location.at(*path))


def render_now(state: State, deliveries: Sequence[Delivery]) -> None:
    """Render them with what is known so far, and learn what they bring."""
    state.rendered |= state.render(deliveries, state.lookup)
    state.seen |= dict.fromkeys((delivery.id for delivery in deliveries), state.version)
    targets = _targets(state, deliveries)
    delivered = [(targets[delivery.id], state.rendered[delivery.id]) for delivery in deliveries]
    state.context = with_sources(state.context, delivered)
    fresh = dict(_variable_objects(state, deliveries, targets))
    known = state.brought
    if any(key not in known or known[key].data != item.data for key, item in fresh.items()):
        state.version += 1
        state.brought |= fresh


def home(state: State, delivery: Delivery) -> str:
    """The cluster that it delivers to: for a kustomize root that no agent names, what its folder stands for."""
    return delivery.cluster or cluster_of(state.context, delivery.root.file)


def _targets(state: State, deliveries: Sequence[Delivery]) -> dict[str, str]:
    """The cluster for which each one's objects count, by its id: those of a root that no agent names are nothing to a
    cluster that agents deliver to.
    """
    taken = {delivery.cluster for delivery in state.deliveries.values()}
    found = {}
    for delivery in deliveries:
        cluster = home(state, delivery)
        found[delivery.id] = "" if not delivery.cluster and cluster in taken else cluster
    return found


def _variable_objects(
    state: State, deliveries: Iterable[Delivery], targets: Mapping[str, str]
) -> Iterator[tuple[tuple[str, str, str, str], RenderedObject]]:
    """The ConfigMaps and Secrets of live deliveries; encrypted ones tell their keys only, and are called so."""
    for delivery in deliveries:
        for item in state.rendered[delivery.id].objects if delivery.live else ():
            if item.ref.kind in ("ConfigMap", "Secret"):
                kind = f"{item.ref.kind}{ENCRYPTED}" if "sops" in item.data else item.ref.kind
                yield (targets[delivery.id], kind, item.ref.namespace, item.ref.name), item


def forget(state: State, lost: str) -> None:
    """Drop a delivery that its parent, rendered anew, brings no longer, and all that came by it."""
    waiting = [lost]
    while waiting:
        key = waiting.pop()
        waiting += state.children.pop(key, ())
        for known in (state.deliveries, state.rendered, state.made, state.seen):
            known.pop(key, None)


def add(state: State, deliveries: Sequence[Delivery]) -> None:
    """Render those that are not known yet."""
    unique = {delivery.id: delivery for delivery in deliveries if delivery.id not in state.deliveries}
    state.deliveries |= unique
    render_now(state, list(unique.values()))


def takes_variables(delivery: Delivery) -> bool:
    """Whether what other deliveries bring may change what it renders to."""
    post_build = delivery.options.get("postBuild")
    if isinstance(post_build, dict) and post_build.get("substituteFrom"):
        return True
    if delivery.renderer == "template":
        return True
    return delivery.kind == "HelmRelease" and bool(at(delivery.object, "spec", "valuesFrom"))
