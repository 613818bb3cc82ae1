"""Checks of copies: a folder or file made after its neighbour that still names the neighbour's things.

A reference is a slip where four things come together: it holds the name of a folder (or file) beside its own, that
neighbour's file of the same name has the very same reference at the same place, what it would be with the own name
put in exists, and nothing refers to that. Sharing looks different: what is shared has no unused double.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from posixpath import basename, dirname, join, splitext
from typing import Any

from gitops_layout.agents.context import ENVIRONMENT_NAMES
from gitops_layout.agents.delivery import Delivery
from gitops_layout.checks.counterparts import contains, without
from gitops_layout.checks.files import built_from
from gitops_layout.checks.flux import field_of
from gitops_layout.checks.objectlist import values_at
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.graph.roots import kustomizations
from gitops_layout.kustomize.model import Kustomization, Reference, is_remote, mappings, references
from gitops_layout.model import Hit, Location, Related
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo, Resource, is_aside, is_parked
from gitops_layout.values import dataclass

__all__ = ["counterpart_not_listed", "neighbours_part"]

_SHARED = frozenset(
    {"base", "bases", "common", "shared", "components", "platform", "all", "default", "lib", "global"}
)
_PATHS = {
    "kustomize.toolkit.fluxcd.io/Kustomization": ("spec.path",),
    "argoproj.io/Application": ("spec.source.path", "spec.sources[].path"),
    "argoproj.io/ApplicationSet": (
        "spec.generators[].git.directories[].path", "spec.generators[].git.files[].path",
        "spec.template.spec.source.path", "spec.template.spec.sources[].path",
    ),
}  # fmt: skip
_SECRETS = frozenset({"Secret", "ExternalSecret", "SealedSecret"})
_NAMES: dict[str, frozenset[str]] = {
    "existingClaim": frozenset({"PersistentVolumeClaim"}),
    "claimName": frozenset({"PersistentVolumeClaim"}),
    "existingSecret": _SECRETS,
    "secretName": _SECRETS,
    "serviceAccountName": frozenset({"ServiceAccount"}),
    "project": frozenset({"AppProject"}),
}
"""Keys that name an object of a kind, in manifests and in charts' values alike."""
_IDENTITY = regexp(r"cluster|site|tenant|instance", re.IGNORECASE)
"""Variables that say who a folder is: nobody but the neighbour itself has the neighbour's name there."""
_WORD = regexp(r"[A-Za-z0-9]+")
_DEEP = 24


@dataclass(frozen=True, slots=True)
class _Named:
    """One thing that a file names: a path of the repository (`kinds` empty), an object of one of `kinds`, or whose file
    it is (`identity`).
    """

    file: str
    called: tuple[str, ...]
    value: str
    location: Location
    kinds: frozenset[str] = frozenset()
    identity: bool = False


def neighbours_part(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """References to a neighbour's part where the own one exists and is not used."""
    yield from _of_deliveries(graph)
    named = [*_of_kustomizations(graph), *_of_objects(graph.repo)]
    there_is: dict[str, set[tuple[tuple[str, ...], str]]] = defaultdict(set)
    used: set[tuple[bool, str]] = set()
    for item in named:
        there_is[item.file].add((item.called, item.value))
        if item.identity:
            continue
        used.add((bool(item.kinds), item.value))
    used |= {(True, delivery.project) for delivery in graph.deliveries if delivery.project}
    objects = {(r.ref.kind, r.ref.name): r for r in graph.repo.resources}
    environments = ENVIRONMENT_NAMES | {environment.name for environment in graph.environments}
    for item in named:
        if is_parked(item.file) or is_aside(item.file):
            continue
        for own, other, there in _neighbours(graph.repo, item):
            if {own, other} <= environments or (item.called, item.value) not in there_is.get(there, ()):
                continue
            mine = without(item.value, other).replace("*", own)
            if not item.identity and (bool(item.kinds), mine) in used:
                continue
            related = _exists(graph.repo, objects, item, mine)
            if item.identity and item.value == other:  # and the own name is no more than a word
                related = Related(Location(there), f"{other} itself")
            if related is not None:
                values = {
                    "own": own,
                    "other": other,
                    "value": item.value,
                    "mine": mine,
                    "subject": item.value,
                }
                yield Hit(item.location, values, (related,))
                break


def _of_deliveries(graph: Graph) -> Iterator[Hit]:
    """The same for two deliveries of one path: one of them is called like the folder beside it, which nothing reads."""
    same: dict[tuple[str, str], list[Delivery]] = defaultdict(list)
    for delivery in graph.deliveries:
        pulls = delivery.kind in ("Application", "Kustomization") and delivery.live
        if pulls and delivery.source.local and delivery.source.path and not delivery.parts:
            same[delivery.cluster, delivery.source.path].append(delivery)
    for (_, path), found in same.items():
        if len(found) != 2 or "/" not in path:
            continue
        beside = [name for name in graph.repo.folders.get(dirname(path), ()) if name != basename(path)]
        for own, other in (found, found[::-1]):
            mine = [
                name
                for name in beside
                if contains(own.name, name) and not contains(other.name, name) and name not in _SHARED
            ]
            real = f"{dirname(path)}/{mine[0]}" if len(mine) == 1 else ""
            if not real or contains(own.name, basename(path)) or not _is_unread(graph, real):
                continue
            lies = Related(Location(next(graph.repo.under(real))), "lies here, and nothing reads it")
            values = {"own": own.name, "other": other.name, "value": path, "mine": real, "subject": path}
            yield Hit(field_of(own, own, "path"), values, (lies,))


def _is_unread(graph: Graph, folder: str) -> bool:
    """Whether a folder holds objects or a chart, and no delivery that an agent makes reads any file in it."""
    files = set(graph.repo.under(folder))
    read = any(files & graph.rendered[d.id].files for d in graph.deliveries if d.live and d.agent in _AGENTS)
    chart = f"{folder}/Chart.yaml" in files
    return not read and (chart or any(next(iter(graph.repo.objects(file)), None) for file in files))


_AGENTS = ("argocd", "flux")


def counterpart_not_listed(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Files that nothing reads, where the neighbour's kustomization lists the neighbour's file of the same object."""
    repo = graph.repo
    by_file = {kustomization.file: kustomization for kustomization in kustomizations(repo)}
    listed = [
        (kustomization, reference, str(real))
        for kustomization in by_file.values()
        for reference in references(kustomization)
        if reference.kind in ("resource", "patch")
        and not is_remote(reference.target)
        and (real := repo.resolve(join(kustomization.folder, reference.target))) in repo.entries
    ]
    used = {real for *_, real in listed} | built_from(graph)
    told: set[tuple[str, str]] = set()
    for (there, mine, own), (_, reference, real, other) in _doubles(repo, listed):
        lacking = by_file.get(there)
        if lacking is None or mine in used or (there, mine) in told or basename(mine) in repo.text(there):
            continue
        if dirname(mine) == lacking.folder and _local(lacking) >= params["others"]:
            continue  # K002 says so
        if not _same_objects(repo, real, mine) or is_parked(mine) or is_aside(mine):
            continue
        told.add((there, mine))
        field = next((f for f in ("resources", "patches", "patchesStrategicMerge") if f in lacking.data), "")
        place = lacking.location.key_at(field) if field else lacking.location
        values = {"file": mine, "own": own, "other": other, "subject": mine}
        related = (
            Related(reference.location, f"as {other} lists its own"),
            Related(Location(mine), "nothing reads it"),
        )
        yield Hit(place, values, related)


def _local(kustomization: Kustomization) -> int:
    """How many files of its own folder it lists."""
    return sum("/" not in reference.target.removeprefix("./") for reference in references(kustomization))


_Listed = tuple[Kustomization, Reference, str]


def _doubles(
    repo: Repo, listed: Iterable[_Listed]
) -> Iterator[tuple[tuple[str, str, str], tuple[Kustomization, Reference, str, str]]]:
    """The neighbour's kustomization, its double of what is listed, and its name; and who lists that, with its name.

    A thousand applications that list their files alike are one case, told by where the name stands.
    """
    alike: dict[tuple[str, str, str], dict[str, tuple[Kustomization, Reference, str, str]]] = defaultdict(
        dict
    )
    for kustomization, reference, real in listed:
        parts = kustomization.file.split("/")
        for index, own in enumerate(parts[:-1]):
            above = "/".join(parts[:index])
            if own not in _SHARED and len(repo.folders.get(above, ())) > 1 and contains(real, own):
                case = alike[above, "/".join(parts[index + 1 :]), without(real, own)]
                if len(case) < 2:  # one, and another one for who is the first itself
                    case.setdefault(own, (kustomization, reference, real, own))
    for (above, below, pattern), listing in alike.items():
        for name in repo.folders[above]:
            there = f"{above}/{name}/{below}".lstrip("/")
            mine = pattern.replace("*", name)
            lister = next((found for own, found in listing.items() if own != name), None)
            if lister and name not in _SHARED and there in repo.entries and mine in repo.entries:
                yield (there, mine, name), lister


def _same_objects(repo: Repo, one: str, other: str) -> bool:
    """Whether two files speak of the same objects."""
    left, right = ({(r.ref.kind, r.ref.name) for r in repo.objects(file)} for file in (one, other))
    return bool(left) and left == right


def _exists(
    repo: Repo, objects: Mapping[tuple[str, str], Resource], item: _Named, mine: str
) -> Related | None:
    """What the own part is, if there is one."""
    if item.identity:
        return None
    if not item.kinds:
        real = repo.resolve(mine)
        place = real if real in repo.entries else next(repo.under(real), None) if real else None
        return Related(Location(place), "lies here, and nothing reads it") if place is not None else None
    found = next((objects[kind, mine] for kind in sorted(item.kinds) if (kind, mine) in objects), None)
    if found is None:
        return None
    return Related(found.location.at("metadata", "name"), f"{found.ref.kind} {mine}, which nothing names")


def _neighbours(repo: Repo, item: _Named) -> Iterator[tuple[str, str, str]]:
    """Own name, the neighbour's, and the neighbour's file, for each neighbour that the value names."""
    parts = item.file.split("/")
    spans = _spans(item.value)
    for index in range(len(parts) - 1, -1, -1):
        last = index == len(parts) - 1
        own, ending = splitext(parts[index]) if last else (parts[index], "")
        if contains(item.value, own):
            if last:
                continue
            return
        beside = repo.folders.get("/".join(parts[:index]), ())
        for name in beside:
            other = name.removesuffix(ending) if last else name
            if other != own and name.endswith(ending) and other in spans and other not in _SHARED:
                there = "/".join((*parts[:index], other + ending, *parts[index + 1 :]))
                if there in repo.entries:
                    yield own, other, there


def _spans(value: str) -> frozenset[str]:
    """Every run of words in a value's parts: what may be a name in it."""
    found = set()
    for part in value.split("/"):
        words = list(_WORD.finditer(part))
        if len(words) <= _DEEP:
            found |= {
                part[first.start() : last.end()]
                for index, first in enumerate(words)
                for last in words[index:]
            }
    return frozenset(found)


def _of_kustomizations(graph: Graph) -> Iterator[_Named]:
    repo = graph.repo
    for kustomization in kustomizations(repo):
        for chart, index in mappings(kustomization.data, "helmCharts"):
            for key in (
                "name",
                "releaseName",
            ):  # two folders with one release are one that was not made its own
                value, place = chart.get(key), kustomization.location.at("helmCharts", index, key)
                if isinstance(value, str):
                    yield _Named(kustomization.file, ("helmCharts", key), value, place, identity=True)
        for reference in references(kustomization):
            real = (
                None
                if is_remote(reference.target)
                else repo.resolve(join(kustomization.folder, reference.target))
            )
            if real and real != kustomization.folder and dirname(real) != kustomization.folder:
                yield _Named(kustomization.file, (reference.kind,), real, reference.location)


def _of_objects(repo: Repo) -> Iterator[_Named]:
    for resource in repo.resources:
        for path in _PATHS.get(f"{resource.ref.group}/{resource.ref.kind}", ()):
            for value, where in values_at(resource.data, path):
                if isinstance(value, str) and "{" not in value and "$" not in value:
                    target = value.removeprefix("./").removesuffix("/*").rstrip("/")
                    called = tuple(step for step in where if isinstance(step, str))
                    yield _Named(resource.file, called, target, resource.location.at(*where))
        if f"{resource.ref.group}/{resource.ref.kind}" == "kustomize.toolkit.fluxcd.io/Kustomization":
            variables = at(resource.data, "spec", "postBuild", "substitute")
            for key, value in variables.items() if isinstance(variables, dict) else ():
                if isinstance(value, str) and _IDENTITY.search(str(key)):
                    called = ("spec", "postBuild", "substitute", str(key))
                    yield _Named(resource.file, called, value, resource.location.at(*called), identity=True)
        if resource.ref.kind != "CustomResourceDefinition":
            yield from _names(resource, resource.data.get("spec"), ("spec",))


def _names(resource: Resource, data: Any, path: tuple[str | int, ...]) -> Iterator[_Named]:
    if len(path) > _DEEP:
        return
    if isinstance(data, list):
        for index, value in enumerate(data):
            if isinstance(value, dict | list):
                yield from _names(resource, value, (*path, index))
    elif isinstance(data, dict):
        for key, value in data.items():
            if isinstance(value, dict | list):
                yield from _names(resource, value, (*path, key))
            elif key in _NAMES and isinstance(value, str) and "{" not in value and "$" not in value:
                called = tuple(step for step in path if isinstance(step, str))
                place = resource.location.at(*path, key)
                yield _Named(resource.file, (*called, key), value, place, _NAMES[key])
