"""Checks of namespaces: is there somebody who creates them, and are they anybody's own."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from posixpath import basename, dirname, join
from typing import Any

from gitops_layout.agents.context import text
from gitops_layout.agents.delivery import Delivery
from gitops_layout.checks.delivered import Item, affected, delivered, place
from gitops_layout.checks.once import once
from gitops_layout.graph.model import Graph
from gitops_layout.graph.roots import kustomizations
from gitops_layout.k8s.scope import builtin_scope, crd_scopes
from gitops_layout.kustomize.model import FILE_NAMES, Kustomization, find, mappings, references
from gitops_layout.model import Affected, Hit, Location, Related
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Resource

__all__ = ["default_namespace", "never_created", "not_of_its_folder", "renamed"]

_SYSTEM = regexp(
    r"default|kube-.*|flux-system|argocd|openshift(-.*)?|cattle-.*|gke-.*|istio-system|open-cluster-management.*"
)
_FILLED_IN = regexp(r"[^a-z0-9.-]")
_NAMING = (("", "Namespace"), ("project.openshift.io", "Project"), ("project.openshift.io", "ProjectRequest"),
           ("hnc.x-k8s.io", "SubnamespaceAnchor"))  # fmt: skip

_CLASSES = (("storage.k8s.io", "StorageClass"), ("snapshot.storage.k8s.io", "VolumeSnapshotClass"))
_VENDORED = regexp(r"(?:^|/)(?:upstream|vendor|third[-_]party)/")
_PLACEHOLDERS = frozenset({"system", "placeholder", "namespace"})
"""What Kubebuilder and others call the Namespace that a kustomization is to name."""
_Use = tuple[Location, Affected]
_HABIT = 4
"""Folders of one folder that are called like namespaces: then that is how they are called."""


def never_created(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Namespaces that a cluster's deliveries use and none of them creates.

    Judged where creating namespaces is the cluster's practice: where other repositories do it, nothing is said.
    """
    made, uses = _created(graph), _used(graph)
    unused = {cluster: made[cluster].keys() - uses[cluster].keys() for cluster in uses}
    named = {known.name for known in graph.clusters}
    anywhere = {r.ref.name for r in graph.repo.resources if (r.ref.group, r.ref.kind) in _NAMING}
    yield from _of_charts(graph, anywhere)
    for cluster, spaces in sorted(uses.items()):
        known = made[cluster]
        lacking = [n for n in spaces if n not in known and not _SYSTEM.fullmatch(n)]
        lacking = sorted(name for name in lacking if name not in _by_hand(graph))
        kept = sum(name in known for name in spaces)
        blind, words = _unseen(graph, cluster)
        forgotten = set()
        for name in lacking if cluster in named and not blind else ():
            others = sorted(other for other in named if other != cluster and name in uses.get(other, ()))
            if len(others) >= params["others"] and all(name in made[other] for other in others):
                forgotten.add(name)
                related = [Related(made[other][name], f"creates it for {other}") for other in others]
                yield from _hits(name, cluster, spaces[name], "", related, few=params["few"])
        missing = [name for name in lacking if name not in anywhere and name not in forgotten]
        for name in missing:
            near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.75)
            few = len({place.file for place, _ in spaces[name]}) <= params["few"]
            near = near or _beside(graph, spaces[name], unused[cluster]) or _above(graph, spaces[name], known)
            told_elsewhere = any(len(part) > 3 and part in words for part in name.split("-"))
            usual = kept >= params["practice"] * len(missing) and not blind and not told_elsewhere
            if near and not kept and few:
                kept = 1  # who creates a namespace that nothing uses meant the other one
            if kept and ((usual and cluster) or (near and few)):
                meant = near[0] if near else ""
                related = [Related(known[meant], f"creates {meant}")] if near else []
                yield from _hits(name, cluster, spaces[name], meant, related, few=params["few"])


_GIVEN = regexp(r"(?:--namespace[ =]|(?<!\S)-n )([\w-]+)")


@once
def _by_hand(graph: Graph) -> frozenset[str]:
    """The namespaces that commands on the repository's own page are given: who runs one creates it."""
    pages = (
        f for f in graph.repo.folders.get("", ()) if f.lower().startswith("readme") and f.endswith(".md")
    )
    return frozenset(found[1] for page in pages for found in _GIVEN.finditer(graph.repo.text(page)))


def _of_charts(graph: Graph, anywhere: AbstractSet[str]) -> Iterator[Hit]:
    """Charts of a kustomization that go elsewhere than to the one Namespace it lists, and which nothing uses."""
    repo = graph.repo
    for kustomization in kustomizations(repo):
        charts = [chart for chart, _ in mappings(kustomization.data, "helmCharts")]
        if not charts:
            continue
        files = [repo.resolve(join(kustomization.folder, r.target)) for r in references(kustomization)]
        own = [
            r
            for file in files
            if file in repo.entries
            for r in repo.objects(str(file))
            if r.ref.kind == "Namespace"
        ]
        names = [text(chart.get("namespace")) or "" for chart in charts]
        for index, name in enumerate(names):
            lost = (
                name and name not in anywhere and not _SYSTEM.fullmatch(name) and not _FILLED_IN.search(name)
            )
            if lost and len(own) == 1 and own[0].ref.name not in names:
                meant = own[0].ref.name
                related = (Related(own[0].location.at("metadata", "name"), f"creates {meant}"),)
                hint = f' (did you mean "{meant}"?)'
                values = {"namespace": name, "hint": hint, "cluster": "the cluster", "subject": name}
                yield Hit(kustomization.location.at("helmCharts", index, "namespace"), values, related)


def _beside(graph: Graph, uses: list[_Use], unused: AbstractSet[str]) -> list[str]:
    """The one namespace, which nothing uses, of the one delivery that uses a missing one."""
    names = {who.delivery for _, who in uses}
    if len(names) != 1 or None in names:
        return []
    own = [item.ref.name for item in graph.rendered[str(names.pop())].objects if item.ref.kind == "Namespace"]
    return own if len(own) == 1 and own[0] in unused else []


def _above(graph: Graph, uses: list[_Use], known: Mapping[str, Location]) -> list[str]:
    """The namespace that is called like a folder around all the uses, and created in it, or beside it where the
    folders around are called like namespaces too.
    """
    files = {place.file for place, _ in uses}
    parts = dirname(min(files)).split("/")
    for length in range(len(parts), 0, -1):
        folder, parent = parts[length - 1], "/".join(parts[: length - 1])
        if folder not in known or not all(f"/{folder}/" in f"/{file}" for file in files):
            continue
        siblings = [name for name in graph.repo.folders.get(parent, ()) if name in known]
        if f"/{folder}/" in f"/{known[folder].file}" or len(siblings) >= _HABIT:
            return [folder]
    return []


def _hits(
    name: str, cluster: str, uses: list[_Use], meant: str, related: list[Related], *, few: int
) -> Iterator[Hit]:
    """One a file, where a name is mended; what many files name is nobody's slip, and lacks one Namespace."""
    files: dict[str, _Use] = {}
    for use in uses:
        files.setdefault(use[0].file, use)
    hint = f' (did you mean "{meant}"?)' if meant else ""
    places = list(files.values())
    if len(places) > few:
        related = related + [Related(location, "also used here") for location, _ in places[1:]]
        places = places[:1]
    for location, who in places:
        values = {"namespace": name, "hint": hint, "cluster": cluster or "the cluster", "subject": name}
        yield Hit(location, values, tuple(related), who)


def _created(graph: Graph) -> dict[str, dict[str, Location]]:
    """The namespaces that each cluster's deliveries create, and where."""
    made: dict[str, dict[str, Location]] = defaultdict(dict)
    for group, kind in _NAMING:
        for item in delivered(graph).of(group, kind):
            made[item.delivery.cluster].setdefault(item.ref.name, item.object.origin(("metadata", "name")))
    for delivery in graph.deliveries:
        if name := delivery.created_namespace:
            made[delivery.cluster].setdefault(name, delivery.place("sync"))
    return made


def _used(graph: Graph) -> dict[str, dict[str, list[_Use]]]:
    uses: dict[str, dict[str, list[_Use]]] = defaultdict(lambda: defaultdict(list))

    def use(cluster: str, name: str, location: Location, who: Affected) -> None:
        if name and not _FILLED_IN.search(name):
            uses[cluster][name].append((location, who))

    whole = _scoped_to_cluster(graph)
    for item in delivered(graph):
        if item.delivery.live and item.ref.namespace and (item.ref.group, item.ref.kind) not in whole:
            where = item.object.origin(("metadata", "namespace"))
            use(item.delivery.cluster, item.ref.namespace, where, item.affected)
    for group, kind in _CLASSES:  # a driver looks there for its Secrets
        for item in (i for i in delivered(graph).of(group, kind) if i.delivery.live):
            parameters = item.object.data.get("parameters")
            for key, value in parameters.items() if isinstance(parameters, dict) else ():
                if isinstance(value, str) and str(key).endswith("secret-namespace"):
                    where = item.object.origin(("parameters", key))
                    use(item.delivery.cluster, value, where, item.affected)
    for delivery in graph.deliveries:
        if delivery.live and delivery.target_namespace and delivery.agent in ("flux", "argocd"):
            rendered = graph.rendered[delivery.id]
            home = delivery.target_namespace
            there = any(
                (item.ref.namespace or home) == home and (item.ref.group, item.ref.kind) not in whole
                for item in rendered.objects
            )
            if rendered.objects and not there and rendered.failure is None and not rendered.unseen:
                continue  # nothing of it goes there
            use(delivery.cluster, delivery.target_namespace, _target(delivery), affected(delivery))
    return uses


def _scoped_to_cluster(graph: Graph) -> AbstractSet[tuple[str, str]]:
    """The kinds of delivered objects that belong to no namespace: a server drops the one that they name."""
    here = delivered(graph)
    defined = crd_scopes(item.data for item in here.of("apiextensions.k8s.io", "CustomResourceDefinition"))
    return {
        (group, kind)
        for group, kind in here.kinds
        if builtin_scope(group, kind) is False or defined.get((group, kind)) is False
    }


def _target(delivery: Delivery) -> Location:
    if delivery.agent == "argocd":
        return place(delivery, "spec", "destination", "namespace")
    return place(delivery, "spec", "targetNamespace")


def _unseen(graph: Graph, cluster: str) -> tuple[bool, str]:
    """Whether something of the cluster that may create namespaces could not be rendered, and what is said of the
    entries that were left out of the rest; charts rarely create any.
    """
    words = []
    for delivery in graph.deliveries:
        rendered = graph.rendered[delivery.id]
        if delivery.cluster != cluster or delivery.renderer == "chart":
            continue
        if delivery.source.foreign or (rendered.failure is not None and not rendered.objects):
            return True, ""
        if rendered.failure is not None:
            files = [file for file in rendered.files if basename(file) in FILE_NAMES]
            words += [line for file in files for line in graph.repo.text(file).split("\n") if "/" in line]
            words.append(rendered.failure.why)
    return False, " ".join(words)


def default_namespace(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """What runs in the namespace `default`: by its own word, or by its delivery's."""
    seen: set[str] = set()
    for item in delivered(graph):
        if item.namespace != "default" or item.ref.kind not in params["kinds"] or not _is_builtin(item):
            continue
        delivery = item.delivery
        where = item.object.origin(("metadata", "namespace"))
        if where.path[-1:] == ("namespace",) and where.file != delivery.root.file:
            what = f"{item.ref.kind} {item.ref.name}"
            yield Hit(where, {"what": what, "subject": what}, item.named(where), item.affected)
        elif delivery.id not in seen and text(delivery.target_namespace):
            seen.add(delivery.id)
            what = f"what {delivery.kind} {delivery.name} brings"
            yield Hit(_target(delivery), {"what": what, "subject": what}, (), affected(delivery))


def _is_builtin(item: Item) -> bool:
    return builtin_scope(item.ref.group, item.ref.kind) is True


def not_of_its_folder(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """A Namespace that is called like another one beside it, where each is called like its own folder."""
    beside: dict[str, dict[str, list[Resource]]] = defaultdict(lambda: defaultdict(list))
    for resource in graph.repo.resources:
        if resource.ref.kind == "Namespace" and resource.ref.api_version == "v1" and resource.ref.name:
            folder = dirname(resource.file)
            beside[dirname(folder)][folder].append(resource)
    for folders in beside.values():
        single = {folder: found[0] for folder, found in folders.items() if len(found) == 1}
        own = [folder for folder, found in single.items() if found.ref.name == basename(folder)]
        for folder, found in single.items():
            name = found.ref.name
            others = [
                o for o in single if o != folder and name == basename(o)
            ]  # two folders may share a third name
            if folder in own or not others or len(own) < params["habit"]:
                continue
            kustomization = find(graph.repo, folder)
            if isinstance(kustomization, Kustomization) and kustomization.data.get("namespace") == basename(
                folder
            ):
                continue  # which renames it
            related = (Related(single[others[0]].location.at("metadata", "name"), "the other one"),)
            values = {"namespace": name, "folder": basename(folder), "subject": name}
            yield Hit(found.location.at("metadata", "name"), values, related)


def renamed(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """A Namespace that a kustomization lists from its own folder and calls otherwise: its `namespace` renames it along."""
    for kustomization in kustomizations(graph.repo):
        wanted = text(kustomization.data.get("namespace"))
        if not wanted or _FILLED_IN.search(wanted) or _VENDORED.search(kustomization.file):
            continue
        beside = [
            join(kustomization.folder, r.target.removeprefix("./"))
            for r in references(kustomization)
            if r.kind == "resource" and "/" not in r.target.removeprefix("./")
        ]
        objects = [r for file in beside if file in graph.repo.entries for r in graph.repo.objects(file)]
        own = [r for r in objects if r.ref.kind == "Namespace" and r.ref.api_version == "v1"]
        if len(own) != 1 or own[0].ref.name in (wanted, *_PLACEHOLDERS) or _FILLED_IN.search(own[0].ref.name):
            continue
        here, there = kustomization.location.at("namespace"), own[0].location.at("metadata", "name")
        odd, other = (there, here) if basename(kustomization.folder) == wanted else (here, there)
        values = {"name": own[0].ref.name, "wanted": wanted, "subject": wanted}
        yield Hit(odd, values, (Related(other, "the other name"),))
