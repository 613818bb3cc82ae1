"""All objects that a repository brings, by the cluster they end up on, and what is not seen of each cluster.

An object in a file that no successful build of an agent reads counts as present on every cluster, since somebody may
apply it by hand or the build that reads it is the one that failed.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import field, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

from gitops_layout.checks.once import once
from gitops_layout.graph.tokens import is_filled_later
from gitops_layout.k8s.pods import pod_spec
from gitops_layout.lint.facts import values_at
from gitops_layout.model import Affected, ObjectRef
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import is_parked
from gitops_layout.rules.model import kind_matches
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gitops_layout.agents.delivery import Delivery
    from gitops_layout.graph.model import Graph
    from gitops_layout.model import Location, Path
    from gitops_layout.render.rendered import Rendered

__all__ = ["Cluster", "Present", "World", "texts_of", "words_of", "world_of"]


@dataclass(frozen=True, slots=True)
class Present:
    ref: ObjectRef
    data: dict[str, Any]
    place: Callable[[Path], Location]
    affected: Affected
    namespace: str
    loose: bool = False
    """Nothing brings it, so on which cluster it would end up is a guess."""


@dataclass(slots=True)
class Cluster:
    """The objects that deliveries bring to one cluster, by apiVersion and kind."""

    objects: dict[tuple[str, str], list[Present]] = field(default_factory=lambda: defaultdict(list))
    unseen: set[str] = field(default_factory=set)
    """Namespaces that something unrendered goes to; `*` is all of them."""
    blind: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    """Agents' objects whose charts are not seen, each with the namespace that these go to."""
    words: dict[str, set[int]] | None = None
    given: dict[tuple[str, str], set[int]] | None = None
    namespaces: set[str] | None = None

    def brings_to(self, namespace: str) -> bool:
        """Whether the repository brings anything there."""
        if self.namespaces is None:
            self.namespaces = {item.namespace for objects in self.objects.values() for item in objects}
        return namespace in self.namespaces

    def mentioned(self, name: str, start: Present) -> bool:
        """Whether another object may make what is called so: an operator's object, or a program's arguments, say
        the name, or an operator's object is called like some of its words: operators write theirs before it or behind.
        """
        words = self._said()
        parts = name.split("-")
        own = {id(start.data)}
        runs = combinations(range(len(parts) + 1), 2)
        return bool(words.get(name, set()) - own) or any(
            words.get(f"{'-'.join(parts[first:end])}\0", set()) - own for first, end in runs
        )

    def runs(self, commands: tuple[str, ...]) -> bool:
        """Whether a container is given one of the words of a command."""
        return any(self._said().get(word) for word in commands)

    def given_to_chart(self, namespace: str, name: str, start: Present) -> bool:
        """Whether another release of the namespace, whose chart is not seen, is given the very name in its values: it may
        make what is called so.
        """
        if self.given is None:
            self.given = defaultdict(set)
            for home, release in self.blind:
                for path in _VALUES:
                    for text in (text for value, _ in values_at(release, path) for text in texts_of(value)):
                        for word in words_of(text):
                            self.given[home, word].add(id(release))
        return bool(self.given.get((namespace, name), set()) - {id(start.data)})

    def _said(self) -> dict[str, set[int]]:
        if self.words is None:
            self.words = defaultdict(set)
            for objects in self.objects.values():
                for item in objects:
                    for word in _words(item):
                        self.words[word].add(id(item.data))
        return self.words


class World:
    """All objects, by the cluster they end up on; `sought` are the names that references were followed to in vain, so
    that what other objects say may have decided.
    """

    def __init__(self, graph: Graph) -> None:
        self.sought: set[str] = set()
        self.clusters: dict[str, Cluster] = defaultdict(Cluster)
        self.ambient = Cluster()
        self.repo = graph.repo
        self._graph = graph
        rendered: set[str] = set()
        for delivery in graph.deliveries:
            result = graph.rendered.get(delivery.id)
            cluster = self.clusters[delivery.cluster]
            unseen = _unseen(graph, delivery, result)
            cluster.unseen |= unseen
            cluster.blind += [(home, delivery.object) for home in unseen if home != "*"]
            if result is None or (result.failure is not None and not result.objects):
                continue
            for item in result.objects:
                affected = Affected(item.ref, delivery.id, delivery.environment, delivery.cluster)
                namespace = item.ref.namespace or delivery.target_namespace or ""
                found = Present(item.ref, item.data, item.origin, affected, namespace, not delivery.live)
                if delivery.agent != "helm":  # by whom and where a chart is installed is not known
                    cluster.objects[item.ref.api_version, item.ref.kind].append(found)
                if not delivery.live and not is_parked(delivery.root.file):
                    self.ambient.objects[item.ref.api_version, item.ref.kind].append(found)
            rendered |= result.files
        known = {cluster.name for cluster in graph.clusters}
        self.named = [name for name in self.clusters if name in known]
        self.unnamed = self.clusters.keys() - known if self.named else frozenset[str]()
        self._charts_elsewhere(graph)
        roots = {delivery.root.file: delivery for delivery in graph.deliveries}
        for resource in graph.repo.resources:
            if resource.file in rendered:
                continue
            owner = roots.get(resource.file)
            affected = Affected(resource.ref, None, *((owner.environment, owner.cluster) if owner else ()))
            place: Callable[[Path], Location] = lambda path, here=resource.location: here.at(*path)  # type: ignore[misc]  # noqa: E731
            found = Present(resource.ref, resource.data, place, affected, resource.ref.namespace)
            if is_parked(resource.file):
                continue  # nobody applies it
            self.ambient.objects[resource.ref.api_version, resource.ref.kind].append(found)
            if owner is not None and owner.root.path == resource.location.path:
                objects = self.clusters[owner.cluster].objects
                objects[resource.ref.api_version, resource.ref.kind].append(replace(found, loose=True))

    def _charts_elsewhere(self, graph: Graph) -> None:
        """Releases that a cluster gets, and whose charts are rendered for another cluster only: they are unseen here."""
        known = {(d.cluster, d.namespace, d.name) for d in graph.deliveries if d.kind == "HelmRelease"}
        for name, cluster in self.clusters.items():
            for item in self.of_kind(cluster, ("helm.toolkit.fluxcd.io/HelmRelease",)):
                if (name, item.namespace, item.ref.name) not in known:
                    spec = item.data.get("spec")
                    target = spec.get("targetNamespace") if isinstance(spec, dict) else None
                    home = target if isinstance(target, str) else item.namespace
                    cluster.unseen.add(home)
                    cluster.blind.append((home, item.data))

    def fills(self, start: Present, value: object) -> bool:
        """Whether something is yet to fill in what an object refers to: it is part of somebody's template."""
        return is_filled_later(self._graph, start.affected.delivery, str(value))

    def of_kind(self, cluster: Cluster, kinds: tuple[str, ...]) -> Iterator[Present]:
        """The objects of a cluster whose kind is one of `kinds`."""
        for (version, kind), objects in cluster.objects.items():
            if kind_matches(kinds, ObjectRef(version, kind, "", "")):
                yield from objects


@once
def world_of(graph: Graph) -> World:
    """The graph's world; all rules of one run share it."""
    return World(graph)


_VALUES = (
    "spec.values",
    *(
        f"spec.{source}.helm.{field}"
        for source in ("source", "sources[]")
        for field in ("values", "valuesObject", "parameters")
    ),
)
"""Where an agent's object gives a chart its values."""
_WORD = regexp(r"[a-z0-9][a-z0-9.-]*")
_READERS = (
    "fluxcd.io", "k8s.io", "argoproj.io", "apps", "batch", "policy", "autoscaling", "external-secrets.io", "bitnami.com",
    "cert-manager.io", "monitoring.coreos.com", "apps.openshift.io", "route.openshift.io", "image.openshift.io",
    "build.openshift.io",
)  # fmt: skip
"""Groups whose objects bring no Secrets or ConfigMaps but those that rows know."""


def _words(item: Present) -> Iterator[str]:
    """The names that an object says where a maker would; its own name with a NUL behind, if an operator reads it."""
    pod = pod_spec(item.data)
    texts = [text for value, _ in values_at(item.data, "metadata.annotations") for text in texts_of(value)]
    if pod is not None:
        for section in ("containers[]", "initContainers[]"):
            for path in ("args", "command", "env[].value"):
                texts += [
                    text for value, _ in values_at(pod[0], f"{section}.{path}") for text in texts_of(value)
                ]
    elif item.ref.group and not item.ref.group.endswith(_READERS):
        texts += texts_of({k: v for k, v in item.data.items() if k != "metadata"})
        yield f"{item.ref.name}\0"
    for text in texts:
        yield from words_of(text)


def words_of(text: str) -> list[str]:
    """What may be a name in a text."""
    return _WORD.findall(text)


def texts_of(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for item in value.values():
                yield from texts_of(item)
        case list():
            for item in value:
                yield from texts_of(item)


def _unseen(graph: Graph, delivery: Delivery, result: Rendered | None) -> set[str]:
    """The namespaces where a delivery may bring objects that we do not see: a chart's are mostly its own."""
    if not delivery.live or (result is not None and result.failure is None and not result.unseen):
        return set()
    path = delivery.source.path
    if delivery.source.local and path and not graph.repo.is_folder(path):
        return set()  # what is not there brings nothing
    chart = delivery.renderer == "chart" or bool(delivery.source.chart)
    return {delivery.target_namespace or delivery.namespace} if chart else {"*"}
