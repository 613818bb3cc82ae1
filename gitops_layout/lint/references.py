"""Reference rules: rows of an edge table, followed over all objects of a cluster.

Precision comes first: a name that is filled in later is not judged, and an object in a file that no
successful build of an agent reads counts as present on every cluster, since somebody may apply it by hand or
the build that reads it is the one that failed. What charts and operators bring is known only where every chart
of the namespace was rendered: rows with `world: open` keep silent elsewhere, unless a near name gives it away, and
rows with `world: near` always.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from posixpath import dirname
from typing import TYPE_CHECKING, Any

from gitops_layout.checks.near import near_name
from gitops_layout.checks.once import once
from gitops_layout.k8s.pods import pod_spec
from gitops_layout.lint.commands import made_by_command
from gitops_layout.lint.facts import values_at
from gitops_layout.model import Affected, Hit, ObjectRef, Related
from gitops_layout.repo.model import is_parked
from gitops_layout.rules.model import kind_matches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gitops_layout.agents.delivery import Delivery
    from gitops_layout.graph.model import Graph
    from gitops_layout.model import Location, Path
    from gitops_layout.render.rendered import Rendered
    from gitops_layout.rules.model import Row, Rule

__all__ = ["World", "hits", "words_of", "world_of"]

_OPEN_NAME = re.compile(r"\$\{|\{\{|<<|<[A-Z_]+>|^your-|CHANGE_?ME")
"""Filled in later: Flux substitution, templates, ResourceSet inputs, placeholders."""


_FILLED = re.compile(r"\$\{[^}]*\}+|\{\{.*?\}\}|<<.*?>>|<[A-Z_]+>|^your-.*|CHANGE_?ME|[\[\]?]")
_NAME_KEYS = ("name", "secretName", "claimName")


@dataclass(frozen=True, slots=True)
class _Object:
    ref: ObjectRef
    data: dict[str, Any]
    place: Callable[[Path], Location]
    affected: Affected
    namespace: str
    loose: bool = False
    """Nothing brings it, so on which cluster it would end up is a guess."""


@dataclass(slots=True)
class _Cluster:
    """The objects that deliveries bring to one cluster, by apiVersion and kind."""

    objects: dict[tuple[str, str], list[_Object]] = field(default_factory=lambda: defaultdict(list))
    unseen: set[str] = field(default_factory=set)
    """Namespaces that something unrendered goes to; `*` is all of them."""
    words: dict[str, set[int]] | None = None
    namespaces: set[str] | None = None

    def brings_to(self, namespace: str) -> bool:
        """Whether the repository brings anything there."""
        if self.namespaces is None:
            self.namespaces = {item.namespace for objects in self.objects.values() for item in objects}
        return namespace in self.namespaces

    def mentioned(self, name: str, start: _Object) -> bool:
        """Whether another object may make what is called so: an operator's object, or a program's arguments, say
        the name, or an operator's object is called like its beginning.
        """
        if self.words is None:
            self.words = defaultdict(set)
            for objects in self.objects.values():
                for item in objects:
                    for word in _words(item):
                        self.words[word].add(id(item.data))
        parts = name.split("-")
        own = {id(start.data)}
        said = self.words.get(name, set()) - own
        return bool(said) or any(
            self.words.get(f"{'-'.join(parts[:end])}\0", set()) - own for end in range(1, len(parts) + 1)
        )


class World:
    """All objects, by the cluster they end up on; `sought` are the names that references were followed to in vain, so
    that what other objects say may have decided.
    """

    def __init__(self, graph: Graph) -> None:
        self.sought: set[str] = set()
        self.clusters: dict[str, _Cluster] = defaultdict(_Cluster)
        self.ambient = _Cluster()
        self.repo = graph.repo
        rendered: set[str] = set()
        for delivery in graph.deliveries:
            result = graph.rendered.get(delivery.id)
            cluster = self.clusters[delivery.cluster]
            cluster.unseen |= _unseen(graph, delivery, result)
            if result is None or (result.failure is not None and not result.objects):
                continue
            for item in result.objects:
                affected = Affected(item.ref, delivery.id, delivery.environment, delivery.cluster)
                namespace = item.ref.namespace or delivery.target_namespace or ""
                found = _Object(item.ref, item.data, item.origin, affected, namespace, not delivery.live)
                cluster.objects[item.ref.api_version, item.ref.kind].append(found)
                if not delivery.live and not is_parked(delivery.root.file):
                    self.ambient.objects[item.ref.api_version, item.ref.kind].append(found)
            rendered |= result.files
        self._charts_elsewhere(graph)
        roots = {delivery.root.file: delivery for delivery in graph.deliveries}
        for resource in graph.repo.resources:
            if resource.file in rendered:
                continue
            owner = roots.get(resource.file)
            affected = Affected(resource.ref, None, *((owner.environment, owner.cluster) if owner else ()))
            place: Callable[[Path], Location] = lambda path, here=resource.location: here.at(*path)  # type: ignore[misc]  # noqa: E731
            found = _Object(resource.ref, resource.data, place, affected, resource.ref.namespace)
            if not is_parked(resource.file):
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
                    cluster.unseen.add(target if isinstance(target, str) else item.namespace)

    def of_kind(self, cluster: _Cluster, kinds: tuple[str, ...]) -> Iterator[_Object]:
        """The objects of a cluster whose kind is one of `kinds`."""
        for (version, kind), objects in cluster.objects.items():
            if kind_matches(kinds, ObjectRef(version, kind, "", "")):
                yield from objects


@once
def world_of(graph: Graph) -> World:
    """The graph's world; all rules of one run share it."""
    return World(graph)


_WORD = re.compile(r"[a-z0-9][a-z0-9.-]*")
_READERS = (
    "fluxcd.io", "k8s.io", "argoproj.io", "apps", "batch", "policy", "autoscaling", "external-secrets.io", "bitnami.com",
    "cert-manager.io", "monitoring.coreos.com",
)  # fmt: skip
"""Groups whose objects bring no Secrets or ConfigMaps but those that rows know."""


def _words(item: _Object) -> Iterator[str]:
    """The names that an object says where a maker would; its own name with a NUL behind, if an operator reads it."""
    pod = pod_spec(item.data)
    texts = [text for value, _ in values_at(item.data, "metadata.annotations") for text in _texts(value)]
    if pod is not None:
        for section in ("containers[]", "initContainers[]"):
            for path in ("args", "command", "env[].value"):
                texts += [
                    text for value, _ in values_at(pod[0], f"{section}.{path}") for text in _texts(value)
                ]
    elif item.ref.group and not item.ref.group.endswith(_READERS):
        texts += _texts({k: v for k, v in item.data.items() if k != "metadata"})
        yield f"{item.ref.name}\0"
    for text in texts:
        yield from words_of(text)


def words_of(text: str) -> list[str]:
    """What may be a name in a text."""
    return _WORD.findall(text)


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for item in value.values():
                yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)


def _unseen(graph: Graph, delivery: Delivery, result: Rendered | None) -> set[str]:
    """The namespaces where a delivery may bring objects that we do not see: a chart's are mostly its own."""
    if not delivery.live or (result is not None and result.failure is None and not result.unseen):
        return set()
    path = delivery.source.path
    if delivery.source.local and path and not graph.repo.is_folder(path):
        return set()  # what is not there brings nothing
    chart = delivery.renderer == "chart" or bool(delivery.source.chart)
    return {delivery.target_namespace or delivery.namespace} if chart else {"*"}


def hits(rule: Rule, world: World) -> Iterator[Hit]:
    """Every reference of the rule's rows that leads nowhere."""
    for row in rule.references:
        targets: dict[str, _Targets] = {}
        for name, cluster in world.clusters.items():
            for start in world.of_kind(cluster, row.start):
                wanted = world.clusters if start.loose else {name: cluster}
                for key in wanted.keys() - targets.keys():
                    targets[key] = _Targets(row, world, world.clusters[key])
                reachable = [targets[key] for key in wanted]
                for path in row.paths:
                    for value, at in _values(start.data, path):
                        yield from _follow(row, start, value, at, reachable, world.sought)


def _values(data: dict[str, Any], path: str) -> Iterator[tuple[Any, Path]]:
    """The values at a row's path: one that begins with `pod.` starts at the pod spec, where there is one; what follows
    `**` is looked for at any depth.
    """
    above, deep, below = path.partition(".**.")
    if deep:
        for value, at in values_at(data, above):
            yield from _anywhere(value, below, at)
    elif not path.startswith("pod."):
        yield from values_at(data, path)
    elif (pod := pod_spec(data)) is not None:
        yield from ((value, (*pod[1], *at)) for value, at in values_at(pod[0], path.removeprefix("pod.")))


_CAPTURE = re.compile(r"\{[A-Za-z_]\w*\}")
"""A part of a name that a generator fills in, an ArtifactGenerator by the folders that fit its pattern."""


def _anywhere(value: Any, path: str, at: Path) -> Iterator[tuple[Any, Path]]:
    if isinstance(value, dict):
        yield from ((found, (*at, *rest)) for found, rest in values_at(value, path))
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in steps:
        yield from _anywhere(item, path, (*at, step))


_Near = tuple[_Object, str] | None
"""What was perhaps meant, and how it is called."""


class _Targets:
    """What a row's references can lead to on one cluster: names by kind, and wildcards."""

    def __init__(self, row: Row, world: World, cluster: _Cluster) -> None:
        self.row = row
        self.world = world
        self.cluster = cluster
        self.names: dict[tuple[str, str, str], _Object] = {}
        self.any_namespace: dict[tuple[str, str], _Object] = {}
        self.open = False
        self.patterns: set[tuple[str, str]] = set()
        here = world.clusters.values() if row.where == "any" else (cluster,)
        places = (*here, world.ambient)
        for target in (o for place in places for o in world.of_kind(place, row.to)):
            self.names.setdefault((target.ref.kind, target.namespace, target.ref.name), target)
            self.any_namespace.setdefault((target.ref.kind, target.ref.name), target)
            self._later(target.namespace, target.ref.name)
        self.produced: dict[tuple[str, str], _Object] = {}
        for producer in row.producers:
            for maker in (o for place in places for o in world.of_kind(place, (producer.kind,))):
                self._produce(maker, producer.name)

    def _produce(self, maker: _Object, name: str) -> None:
        if name == "*":
            self.open = True
            return
        bound = self.row.where == "namespace" and not maker.ref.kind.startswith("Cluster")
        namespace = maker.namespace if bound else ""
        found = (list(values_at(maker.data, path)) for path in name.split("|"))
        for value, _ in next((values for values in found if values), []):
            if isinstance(value, str) and _CAPTURE.search(value):
                self.patterns.add((namespace, _CAPTURE.sub("*", value)))
            elif isinstance(value, str):
                self.produced[namespace, value] = maker
                self._later(namespace, value)

    def _later(self, namespace: str, name: str) -> None:
        """A name that is completed later may become any that agrees with the rest of it."""
        if not name or _OPEN_NAME.search(name):
            where = "" if _OPEN_NAME.search(namespace) else namespace
            self.patterns.add((where, _FILLED.sub("*", name) or "*"))

    def has(self, kind: str | None, namespace: str, name: str) -> bool:
        """Whether the cluster has it, or may have it."""
        if any(fnmatchcase(name, pattern) for pattern in self.row.given):
            return True
        for where, pattern in self.patterns:
            if (not where or not namespace or where == namespace) and fnmatchcase(name, pattern):
                return True
        if self.open or {("", name), (namespace, name)} & self.produced.keys():
            return True
        kinds = (kind,) if kind is not None else {known for known, _ in self.any_namespace}
        if self.row.where != "namespace" or not namespace or (kind or "").startswith("Cluster"):
            return any((known, name) in self.any_namespace for known in kinds) or (
                not namespace and any(made == name for _, made in self.produced)
            )
        return any((known, where, name) in self.names for known in kinds for where in (namespace, ""))

    def near(self, kind: str | None, namespace: str, name: str) -> _Near:
        """What was perhaps meant, and how it is called: the name in another namespace, or a near name in this one."""
        strict = self.row.where == "namespace" and not (kind or "").startswith("Cluster")
        for (known, where, other), target in self.names.items() if kind is not None else ():
            if other == name and known != kind and where in ("", namespace):
                return target, other
        for (known, where, other), target in self.names.items() if strict else ():
            if other == name and where != namespace and kind in (None, known):
                return target, other
        candidates = {
            **{other: maker for (where, other), maker in self.produced.items() if where in ("", namespace)},
            **{
                other: target
                for (known, where, other), target in self.names.items()
                if kind in (None, known) and (not strict or where == namespace)
            },
        }
        close = near_name(name, candidates)
        return (candidates[close], close) if close is not None else None

    def unused(self, start: _Object, wanted: tuple[str | None, str, str]) -> _Near:
        """The one object that stands in the same folder, begins alike, and is named by nothing of the delivery: what
        is missing was to be it.
        """
        (kind, namespace, name), mine = wanted, start.affected.delivery
        if kind not in ("Secret", "ConfigMap", "PersistentVolumeClaim"):
            return None
        folder = dirname(start.place(()).file)
        made = {other: maker for (where, other), maker in self.produced.items() if where in ("", namespace)}
        own = {
            other: target
            for (known, where, other), target in self.names.items()
            if where == namespace and kind in (None, known)
        }
        found = {
            n: item
            for n, item in {**made, **own}.items()
            if mine is not None and item.affected.delivery == mine
            if n.partition("-")[0] == name.partition("-")[0] and dirname(item.place(()).file) == folder
        }
        if not found:
            return None
        beside = (
            o for objects in self.cluster.objects.values() for o in objects if o.affected.delivery == mine
        )
        said = _said(beside)
        left = [name for name, item in found.items() if not said[name] - {id(item.data)}]
        return (found[left[0]], left[0]) if len(left) == 1 else None


def _is_slip(name: str, other: str) -> bool:
    """Whether a name is another one with a slip of the pen, or with its end more or less."""
    longer, shorter = sorted((name, other), key=len, reverse=True)
    return longer.startswith(shorter) or SequenceMatcher(None, name, other).ratio() >= _SLIP


_SLIP = 0.85


def _said(objects: Iterator[_Object]) -> dict[str, set[int]]:
    """Every text that objects hold, and which of them hold it."""
    said: dict[str, set[int]] = defaultdict(set)
    for item in objects:
        for text in _texts(item.data):
            said[text].add(id(item.data))
    return said


def _follow(
    row: Row, start: _Object, value: Any, path: Path, reachable: list[_Targets], sought: set[str]
) -> Iterator[Hit]:
    wanted = [pattern.rpartition("/")[2] for pattern in row.to]
    match value:
        case str(name):
            kind, namespace, where = row.kind, start.namespace, path
        case {"optional": True}:
            return
        case dict():
            key = next((key for key in _NAME_KEYS if isinstance(value.get(key), str)), None)
            if key is None:
                return
            name, kind, where = value[key], value.get("kind") or row.kind, (*path, key)
            namespace = value.get("namespace") or start.namespace
        case _:
            return
    if start.ref.kind == "HelmRelease" and path[:2] == ("spec", "values"):
        namespace = str(start.data["spec"].get("targetNamespace") or namespace)
    if not name or _OPEN_NAME.search(f"{name}{namespace}{kind}") or (kind is not None and kind not in wanted):
        return
    if any(targets.has(kind, namespace, name) for targets in reachable):
        return
    sought.add(name)
    near = next((found for targets in reachable if (found := targets.near(kind, namespace, name))), None)
    if near is not None and row.world == "near" and not _is_slip(name, near[1]):
        near = None
    if near is None and row.world == "open":
        near = next(
            (found for targets in reachable if (found := targets.unused(start, (kind, namespace, name)))),
            None,
        )
    told = bool(namespace) or row.where != "namespace" or (kind or "").startswith("Cluster")
    if row.world != "closed" and not (told and _is_sure(row, start, (namespace, name), near, reachable)):
        return
    if near is not None and near[1] == name and isinstance(value, dict) and "namespace" in value:
        where = (*path, "namespace")  # it is there, but not there
    yield _hit(start, (kind or " or ".join(wanted), namespace, name), where, near)


def _is_sure(
    row: Row, start: _Object, target: tuple[str, str], near: _Near, reachable: list[_Targets]
) -> bool:
    """Whether what charts, operators and people bring beside all this can be left out of account."""
    namespace, name = target
    foreign = namespace != start.namespace and not any(t.cluster.brings_to(namespace) for t in reachable)
    elsewhere = near is not None and near[1] == name and row.where == "namespace"
    if near is not None and elsewhere and (foreign or near[0].namespace == ""):
        return True  # nobody uses the namespace that is named, and another has it; or it is of another kind
    if any(targets.cluster.mentioned(name, start) for targets in reachable):
        return False
    if near is None and any(name in made_by_command(targets.world.repo) for targets in reachable):
        return False
    mine = start.affected.delivery
    if near is not None and mine is not None and near[0].affected.delivery == mine and not foreign:
        return True
    if foreign or row.world == "near":
        return False  # somebody else's namespace
    unseen = set().union(*(targets.cluster.unseen for targets in reachable))
    if near is not None and row.where == "namespace":
        return namespace not in unseen
    return not (unseen if row.where == "cluster" else {"*", namespace} & unseen)


def _hit(start: _Object, missing: tuple[str, str, str], path: Path, near: _Near) -> Hit:
    kind, namespace, name = missing
    told = ""
    related: tuple[Related, ...] = ()
    if near is not None:
        target, other = near
        there = target.namespace if other == name else ""
        told = f" (there is one in namespace {there})" if there else f' (did you mean "{other}"?)'
        if other == name and target.ref.kind != kind:
            told = f" (there is a {target.ref.kind} of that name)"
        caption = f"{target.ref.kind} {target.ref.name}"
        related = (Related(target.place(("metadata", "name")), caption),)
    facts = {
        "kind": kind,
        "name": name,
        "namespace": namespace,
        "subject": name,
        "from": str(start.ref.kind),
        "source": start.ref.name,
        "near": told,
    }
    return Hit(start.place(path), facts, related, affected=start.affected)
