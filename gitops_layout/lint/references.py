"""Reference rules: rows of an edge table, followed over all objects of a cluster.

Precision comes first: a name that is filled in later is not judged. What charts and operators bring is known only
where every chart of the namespace was rendered: rows with `world: open` keep silent elsewhere, unless a near name
gives it away, and rows with `world: near` always.
"""

from __future__ import annotations

from collections import defaultdict
from fnmatch import fnmatchcase
from posixpath import basename, dirname
from typing import TYPE_CHECKING, Any

from gitops_layout.checks.near import is_slip, is_typo, near_name
from gitops_layout.k8s.makers import of_agents, programs
from gitops_layout.k8s.pods import containers, pod_spec
from gitops_layout.kustomize.model import FILE_NAMES
from gitops_layout.lint.commands import made_by_command
from gitops_layout.lint.facts import values_at
from gitops_layout.lint.world import Cluster, Present, World, texts_of, words_of
from gitops_layout.model import Hit, Related
from gitops_layout.patterns import regexp
from gitops_layout.rules.model import kind_matches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitops_layout.model import Path
    from gitops_layout.rules.model import Producer, Row, Rule

__all__ = ["hits"]

_OPEN_NAME = regexp(r"\$\{|\{\{|<<|<[A-Z_]+>|^your-|CHANGE_?ME")
"""Filled in later: Flux substitution, templates, ResourceSet inputs, placeholders."""


_FILLED = regexp(
    r"\$\{[^{}]*(?:\$\{[^{}]*\}[^{}]*)*\}|\{\{[^{}\n]*\}\}|<<[^<>\n]*>>|<[A-Z_]+>|^your-.*|CHANGE_?ME|[\[\]?]"
)
_NAME_KEYS = ("name", "secretName", "claimName")


def hits(rule: Rule, world: World) -> Iterator[Hit]:
    """Every reference of the rule's rows that leads nowhere."""
    for row in rule.references:
        targets: dict[str, _Targets] = {}
        for name, cluster in world.clusters.items():
            for start in world.of_kind(cluster, row.start):
                wanted = world.clusters if start.loose else {name: cluster}
                # Where the cluster is only the folder of an object that nobody lists, it is to end up on one of the others.
                maybe = world.named if name in world.unnamed else ()
                for key in (*wanted, *maybe):
                    if key not in targets:
                        targets[key] = _Targets(row, world, world.clusters[key])
                reachable, others = [targets[key] for key in wanted], [targets[key] for key in maybe]
                for path in row.paths:
                    for value, at in _values(start.data, path):
                        for hit in _follow(row, start, value, at, (reachable, others), world.sought):
                            if not world.fills(start, value):
                                yield hit


def _values(data: dict[str, Any], path: str) -> Iterator[tuple[Any, Path]]:
    """The values at a row's path: one that begins with `pod.` starts at the pod spec, where there is one; what follows
    `**` is looked for at any depth. `annotation:` names an annotation of the object, or of what the values of its chart
    annotate.
    """
    if path.startswith(_ANNOTATION):
        yield from _annotated(data, path.removeprefix(_ANNOTATION))
        return
    above, deep, below = path.partition(".**.")
    if deep:
        for value, at in values_at(data, above):
            yield from _anywhere(value, below, at)
    elif not path.startswith("pod."):
        yield from values_at(data, path)
    elif (pod := pod_spec(data)) is not None:
        yield from ((value, (*pod[1], *at)) for value, at in values_at(pod[0], path.removeprefix("pod.")))


_ANNOTATION = "annotation:"
_VALUES = ("spec.values", "spec.source.helm.valuesObject", "spec.sources[].helm.valuesObject")


def _annotated(data: dict[str, Any], key: str) -> Iterator[tuple[Any, Path]]:
    """The values of an annotation; none where another one (`KEY-kind`) says that something else is named."""
    found = [
        (data.get("metadata"), ("metadata",)),
        *(each for path in _VALUES for each in values_at(data, path)),
    ]
    for value, where in found:
        for known, here in _holding(value, key, where):
            if not known.keys() & {f"{key}-kind", f"{key}-group"}:
                yield known[key], (*here, key)


def _holding(value: Any, key: str, at: Path) -> Iterator[tuple[dict[str, Any], Path]]:
    if isinstance(value, dict) and key in value:
        yield value, at
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in steps:
        if isinstance(item, dict | list):
            yield from _holding(item, key, (*at, step))


_CAPTURE = regexp(r"\{[A-Za-z_]\w*\}")
"""A part of a name that a generator fills in, an ArtifactGenerator by the folders that fit its pattern."""


def _anywhere(value: Any, path: str, at: Path) -> Iterator[tuple[Any, Path]]:
    if isinstance(value, dict):
        yield from ((found, (*at, *rest)) for found, rest in values_at(value, path))
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in steps:
        yield from _anywhere(item, path, (*at, step))


_Near = tuple[Present, str] | None
"""What was perhaps meant, and how it is called."""


class _Targets:
    """What a row's references can lead to on one cluster: names by kind, and wildcards."""

    def __init__(self, row: Row, world: World, cluster: Cluster) -> None:
        self.row = row
        self.world = world
        self.cluster = cluster
        self.names: dict[tuple[str, str, str], Present] = {}
        self.any_namespace: dict[tuple[str, str], Present] = {}
        self.kinds: dict[tuple[str, str], set[str]] = {}
        """Which kinds have a name, as far as that is known."""
        self.open = False
        self.patterns: set[tuple[str, str]] = set()
        here = world.clusters.values() if row.where == "any" else (cluster,)
        places = (*here, world.ambient)
        for target in (o for place in places for o in world.of_kind(place, row.to)):
            self.names.setdefault((target.ref.kind, target.namespace, target.ref.name), target)
            self.any_namespace.setdefault((target.ref.kind, target.ref.name), target)
            self.kinds.setdefault((target.namespace, target.ref.name), set()).add(target.ref.kind)
            self._later(target.namespace, target.ref.name)
            if _is_copied(target.data):
                self.patterns.add(("", target.ref.name))
        self.produced: dict[tuple[str, str], Present] = {}
        self._unbound: dict[tuple[str | None, str], list[Present]] | None = None
        for producer in row.producers:
            for maker in (o for place in places for o in world.of_kind(place, (producer.kind,))):
                self._produce(maker, producer)

    def _produce(self, maker: Present, producer: Producer) -> None:
        name = producer.name
        if name == "*":
            self.open = True
            return
        bound = self.row.where == "namespace" and not maker.ref.kind.startswith("Cluster")
        namespace = maker.namespace if bound else ""
        if name.startswith("="):
            self.patterns.add((namespace, name[1:]))  # not what anybody meant who wrote another name
            return
        found = (list(values_at(maker.data, path)) for path in name.split("|"))
        for value, _ in next((values for values in found if values), []):
            if isinstance(value, str) and _CAPTURE.search(value):
                self.patterns.add((namespace, _CAPTURE.sub("*", value)))
            elif isinstance(value, str):
                self.produced[namespace, value] = maker
                self._later(namespace, value)
                chosen = values_at(maker.data, producer.chosen) if producer.chosen else ()
                self.kinds.setdefault((namespace, value), set()).update(
                    kind for kind, _ in chosen if isinstance(kind, str)
                )

    def _later(self, namespace: str, name: str) -> None:
        """A name that is completed later may become any that agrees with the rest of it."""
        if not name or _OPEN_NAME.search(name):
            where = "" if _OPEN_NAME.search(namespace) else namespace
            self.patterns.add((where, _FILLED.sub("*", name) or "*"))

    def has(self, kind: str | None, namespace: str, name: str) -> bool:
        """Whether the cluster has it, or may have it."""
        other = kind is not None and kind not in (self.kinds.get((namespace, name)) or (kind,))
        given = any(fnmatchcase(name, pattern) for pattern in self.row.given)
        if (given and not other) or of_agents(kind, name):
            return True
        for where, pattern in self.patterns:
            if (not where or not namespace or where == namespace) and fnmatchcase(name, pattern):
                return True
        if self.open or (not other and {("", name), (namespace, name)} & self.produced.keys()):
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
        for (known, where, other), target in self.names.items():
            if kind in (None, known) and where in ("", namespace) and _is_hashed(name, target, other):
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

    def unused(self, start: Present, wanted: tuple[str | None, str, str]) -> _Near:
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

    def unbound(self, start: Present, wanted: tuple[str | None, str, str]) -> _Near:
        """The one ServiceAccount of the delivery that no binding names and that has a word of the name: a binding to one that
        is missing was to name it, however far off the name is, as long as all is seen that goes to the namespace.
        """
        kind, namespace, name = wanted
        if kind != "ServiceAccount" or not kind_matches(_BINDINGS, start.ref):
            return None
        if {"*", namespace} & self.cluster.unseen:
            return None
        if self._unbound is None:
            self._unbound = self._without_binding()
        words = set(name.split("-"))
        own = self._unbound.get((start.affected.delivery, namespace), ())
        found = [item for item in own if words & set(item.ref.name.split("-"))]
        return (found[0], found[0].ref.name) if len(found) == 1 else None

    def _without_binding(self) -> dict[tuple[str | None, str], list[Present]]:
        """The ServiceAccounts that no binding names, by delivery and namespace."""
        bound = {
            (subject.get("namespace") or binding.namespace, subject.get("name"))
            for binding in self.world.of_kind(self.cluster, _BINDINGS)
            for subject, _ in values_at(binding.data, "subjects[]")
            if isinstance(subject, dict)
        }
        found: dict[tuple[str | None, str], list[Present]] = defaultdict(list)
        for (_, namespace, name), item in self.names.items():
            if (namespace, name) not in bound and item.affected.delivery is not None:
                found[item.affected.delivery, namespace].append(item)
        return found


_BINDINGS = ("rbac.authorization.k8s.io/RoleBinding", "rbac.authorization.k8s.io/ClusterRoleBinding")

_COPIES = regexp(
    r"reflector\.v1\.k8s\.emberstack\.com/reflection-(?:allowed|auto-enabled)|kubed\.appscode\.com/sync"
    r"|replicator\.v1\.mittwald\.de/(?:replicate-to|replication-allowed)"
)
"""By what an object says that a controller copies it into other namespaces."""


def _is_copied(data: dict[str, Any]) -> bool:
    found = data.get("metadata")
    notes = found.get("annotations") if isinstance(found, dict) else None
    return any(_COPIES.match(str(key)) for key in notes) if isinstance(notes, dict) else False


_HASH = regexp(r"-[2456789bcdfghkmt]{10}")
"""What kustomize writes behind the name of what it generates (api/hasher: hexadecimal, without 0, 1, 3, a and e)."""


def _is_hashed(name: str, target: Present, other: str) -> bool:
    """Whether `other` is what a generator of kustomize calls `name`."""
    if not other.startswith(f"{name}-") or not _HASH.fullmatch(other[len(name) :]):
        return False
    return basename(target.place(("metadata", "name")).file) in FILE_NAMES


def _said(objects: Iterator[Present]) -> dict[str, set[int]]:
    """Every text that objects hold, and which of them hold it."""
    said: dict[str, set[int]] = defaultdict(set)
    for item in objects:
        for text in texts_of(item.data):
            said[text].add(id(item.data))
    return said


def _follow(
    row: Row,
    start: Present,
    value: Any,
    path: Path,
    asked: tuple[list[_Targets], list[_Targets]],
    sought: set[str],
) -> Iterator[Hit]:
    reachable, others = asked
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
    namespace = _of_its_chart(start, path) or namespace
    if not name or _OPEN_NAME.search(f"{name}{namespace}{kind}") or (kind is not None and kind not in wanted):
        return
    if any(targets.has(kind, namespace, name) for targets in (*reachable, *others)):
        return
    if path[:2] == ("spec", "values") and _brings(start.data, kind or "", name):
        return
    sought.add(name)
    near = next((found for targets in reachable if (found := targets.near(kind, namespace, name))), None)
    if near is not None and row.world == "near" and not _is_meant(start, path, name, near[1]):
        near = None
    if near is None and row.world != "closed":
        beside = _Targets.unused if row.world == "open" else _Targets.unbound
        wanted_one = (kind, namespace, name)
        near = next((found for targets in reachable if (found := beside(targets, start, wanted_one))), None)
    told = bool(namespace) or row.where != "namespace" or (kind or "").startswith("Cluster")
    told = told or _goes_along(start, name, namespace, near)
    sure = told and (
        _is_sure(row, start, (kind, namespace, name), near, reachable)
        or _by_hand(start, kind, name, reachable)
    )
    if row.world != "closed" and not sure:
        return
    if near is not None and near[1] == name and isinstance(value, dict) and "namespace" in value:
        where = (*path, "namespace")  # it is there, but not there
    yield _hit(start, (kind or " or ".join(wanted), namespace, name), where, near)


def _is_meant(start: Present, path: Path, name: str, other: str) -> bool:
    """Whether a name is another one with a slip of the pen or with its end more or less.

    What the values of a release name may be the chart's own: under other keys than `existing…` what is called like the
    release tells only by a letter, and so does what stands beside a name that the release uses as well.
    """
    if path[:2] != ("spec", "values"):
        return is_slip(name, other)
    spec = start.data["spec"]
    called = spec.get("releaseName") or start.ref.name
    names = {str(called), f"{spec.get('targetNamespace')}-{start.ref.name}"}
    if name in names or not is_slip(name, other):
        return False
    existing = any(str(step).lower().startswith("existing") for step in path)
    own = not existing and name.startswith(tuple(f"{each}-" for each in names))
    return is_typo(name, other) or not (own or other in texts_of(spec["values"]))


def _brings(data: Any, kind: str, name: str) -> bool:
    """Whether the values of a chart hold the object themselves (`extraObjects`), for the chart to make."""
    match data:
        case {"kind": str(known), "metadata": {"name": str(called)}} if known == kind and called == name:
            return True
        case dict():
            return any(_brings(value, kind, name) for value in data.values())
        case list():
            return any(_brings(value, kind, name) for value in data)
    return False


def _goes_along(start: Present, name: str, namespace: str, near: _Near) -> bool:
    """Whether what was perhaps meant comes with what refers to it, wherever both go."""
    if near is None or near[1] == name or near[0].namespace != namespace:
        return False
    return near[0].affected.delivery == start.affected.delivery


def _is_sure(
    row: Row, start: Present, target: tuple[str | None, str, str], near: _Near, reachable: list[_Targets]
) -> bool:
    """Whether what charts, operators and people bring beside all this can be left out of account."""
    kind, namespace, name = target
    foreign = namespace != start.namespace and not any(t.cluster.brings_to(namespace) for t in reachable)
    elsewhere = near is not None and near[1] == name and row.where == "namespace"
    if near is not None and elsewhere and (foreign or near[0].namespace == ""):
        return True  # nobody uses the namespace that is named, and another has it; or it is of another kind
    if any(targets.cluster.mentioned(name, start) for targets in reachable):
        return False
    if _made_by_its_own(start, kind, name) or any(
        targets.cluster.runs(programs(kind, name)) or targets.cluster.given_to_chart(namespace, name, start)
        for targets in reachable
    ):
        return False
    if (near is None or "-" in name) and _is_made(name, reachable):
        return False
    if near is not None and _is_hashed(name, *near):
        return True
    if near is not None and not foreign and _comes_along(start, (kind, name), *near):
        return True
    if foreign or row.world == "near":
        return False  # somebody else's namespace
    unseen = set().union(*(targets.cluster.unseen for targets in reachable))
    if near is not None and row.where == "namespace":
        return namespace not in unseen
    return not (unseen if row.where == "cluster" else {"*", namespace} & unseen)


def _comes_along(start: Present, wanted: tuple[str | None, str], target: Present, other: str) -> bool:
    """Whether one delivery brings both, or the Kustomization that refers to the target brings it: what charts that are not
    seen make as well is then told by a letter alone.
    """
    mine, its = start.affected.delivery, target.affected.delivery
    if its is None or its == mine:
        return its is not None
    own = f"flux:Kustomization/{start.ref.namespace}/{start.ref.name}@"
    kind, name = wanted
    if start.ref.group != "kustomize.toolkit.fluxcd.io" or not its.startswith(own) or target.ref.kind != kind:
        return False
    return target.ref.group.endswith(".toolkit.fluxcd.io") or is_typo(name, other)


_MAKING = regexp(r"\b(?:create|apply)\b")


def _made_by_its_own(start: Present, kind: str | None, name: str) -> bool:
    """Whether a container of the workload itself makes the Secret or ConfigMap that it needs, and says so in its command."""
    if kind not in ("Secret", "ConfigMap"):
        return False
    for container in containers(start.data):
        texts = [*texts_of(container.data.get("command")), *texts_of(container.data.get("args"))]
        if any(_MAKING.search(text) for text in texts) and any(name in words_of(text) for text in texts):
            return True
    return False


def _of_its_chart(start: Present, path: Path) -> str:
    """The namespace that a chart's objects go to, where `path` is among the values that an agent gives it."""
    spec = start.data.get("spec")
    if start.ref.kind == "HelmRelease" and path[:2] == ("spec", "values") and isinstance(spec, dict):
        return str(spec.get("targetNamespace") or "")
    destination = (
        spec.get("destination") if start.ref.kind == "Application" and isinstance(spec, dict) else None
    )
    return str(destination.get("namespace") or "") if isinstance(destination, dict) else ""


_BY_HAND = frozenset({"ClusterIssuer", "ClusterSecretStore"})
"""Kinds that charts of others hardly ever bring: where the repository declares some, it declares all."""


def _by_hand(start: Present, kind: str | None, name: str, reachable: list[_Targets]) -> bool:
    """Whether one of a kind that people declare themselves is missing beside others of its kind."""
    if kind not in _BY_HAND or any("*" in targets.cluster.unseen for targets in reachable):
        return False
    has_some = any(known == kind for targets in reachable for known, _ in targets.any_namespace)
    said = any(targets.cluster.mentioned(name, start) for targets in reachable)
    return has_some and not said and not _is_made(name, reachable)


def _is_made(name: str, reachable: list[_Targets]) -> bool:
    """Whether a script, a page or a Terraform file makes something of that name."""
    return any(name in made_by_command(targets.world.repo) for targets in reachable)


def _hit(start: Present, missing: tuple[str, str, str], path: Path, near: _Near) -> Hit:
    kind, namespace, name = missing
    told = ""
    related: tuple[Related, ...] = ()
    if near is not None:
        target, other = near
        there = target.namespace if other == name else ""
        told = f" (there is one in namespace {there})" if there else f' (did you mean "{other}"?)'
        if _is_hashed(name, target, other):
            told = f" (kustomize calls it {other}, and follows that only in references of its own build that it knows)"
        if other == name and target.ref.kind != kind:
            told = f" (there is a {target.ref.kind} of that name)"
        caption = f"{target.ref.kind} {target.ref.name}"
        related = (Related(target.place(("metadata", "name")), caption),)
    facts = {
        "kind": kind,
        "name": name,
        "namespace": namespace or "default",
        "subject": name,
        "from": str(start.ref.kind),
        "source": start.ref.name,
        "near": told,
    }
    return Hit(start.place(path), facts, related, affected=start.affected)
