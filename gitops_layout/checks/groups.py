"""Checks of API groups that are named without an object: in rights and in what projects admit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.agents.context import text
from gitops_layout.checks.delivered import delivered, meeting
from gitops_layout.checks.objectlist import values_at
from gitops_layout.checks.once import once
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.k8s.scope import is_crd
from gitops_layout.model import Hit, Location, Path, Related
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Resource, is_aside, is_parked
from gitops_layout.validation import bundle
from gitops_layout.values import dataclass

__all__ = ["another_group", "version_not_served", "version_without_number"]

Params = Mapping[str, Any]
_RBAC = "rbac.authorization.k8s.io"
_BARE = regexp(r"/v\d+(?:alpha|beta)$")
_VENDORED = regexp(r"(?:^|/)(?:upstream|vendor|third[-_]party|charts?)/")
_NUMBER = regexp(r"\d+")
_LISTS = (
    "clusterResourceWhitelist",
    "clusterResourceBlacklist",
    "namespaceResourceWhitelist",
    "namespaceResourceBlacklist",
)


@dataclass(frozen=True, slots=True)
class _Known:
    """The groups that the tree knows, by kind and by plural, and where: from definitions and from objects. Of the groups
    in `groups` objects alone are known, of those in `defined` the definitions.
    """

    groups: frozenset[str]
    defined: frozenset[str]
    kinds: Mapping[str, Mapping[str, Location]]
    plurals: Mapping[str, Mapping[str, Location]]


@once
def _known(graph: Graph) -> _Known:
    kinds: dict[str, dict[str, Location]] = defaultdict(dict)
    plurals: dict[str, dict[str, Location]] = defaultdict(dict)
    groups: set[str] = set()
    defined: set[str] = set()
    for resource in graph.repo.resources:
        if resource.ref.group:
            groups.add(resource.ref.group)
            kinds[resource.ref.kind].setdefault(resource.ref.group, resource.location.at("apiVersion"))
        if is_crd(resource.data):
            group, names = text(at(resource.data, "spec", "group")), at(resource.data, "spec", "names")
            kind, plural = text(at(names, "kind")), text(at(names, "plural"))
            if group and kind and plural:
                defined.add(group)
                kinds[kind].setdefault(group, resource.location.at("spec", "group"))
                plurals[plural].setdefault(group, resource.location.at("spec", "group"))
    return _Known(frozenset(groups - defined), frozenset(defined), kinds, plurals)


def version_without_number(graph: Graph, params: Params) -> Iterator[Hit]:
    """Objects of a version that lacks its number, where others of the kind have it."""
    bare = [r for r in graph.repo.resources if r.ref.group and _BARE.search(r.ref.api_version)]
    for resource in bare:
        ref = resource.ref
        same = [r for r in graph.repo.resources if (r.ref.kind, r.ref.group) == (ref.kind, ref.group)]
        numbered = [r for r in same if _NUMBER.fullmatch(r.ref.api_version.removeprefix(ref.api_version))]
        if numbered and sum(r.ref.api_version == ref.api_version for r in same) == 1:
            usual = numbered[0].ref.api_version
            values = {
                "version": ref.api_version,
                "kind": ref.kind,
                "usual": usual,
                "subject": ref.api_version,
            }
            related = (Related(numbered[0].location.at("apiVersion"), f"{ref.kind} {numbered[0].ref.name}"),)
            yield Hit(resource.location.at("apiVersion"), values, related)


def another_group(graph: Graph, params: Params) -> Iterator[Hit]:
    """Kinds and resources that are named with a group nobody knows, while the tree has them in a group of that domain."""
    for resource in graph.repo.resources:
        if is_parked(resource.file) or is_aside(resource.file) or _VENDORED.search(resource.file):
            continue
        if resource.ref.group == _RBAC and resource.ref.kind in ("Role", "ClusterRole"):
            yield from _in_rules(graph, resource)
        elif resource.ref.group == "argoproj.io" and resource.ref.kind == "AppProject":
            yield from _in_project(graph, resource)


def _in_rules(graph: Graph, resource: Resource) -> Iterator[Hit]:
    rules = resource.data.get("rules")
    granted = {
        group
        for groups, _ in values_at(resource.data, "rules[].apiGroups")
        for group in groups or ()
        if isinstance(group, str)
    }
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        groups, resources = at(rule, "apiGroups"), at(rule, "resources")
        if not isinstance(groups, list) or not isinstance(resources, list) or len(groups) != 1:
            continue  # with several groups, each resource is in one of them
        names = [name.partition("/")[0] for name in resources if isinstance(name, str)]
        group = text(groups[0]) or ""
        if group not in _known(graph).defined and not all(name in _known(graph).plurals for name in names):
            continue  # some groups live in what a program asks the server about, and in no definition
        path: Path = ("rules", index, "apiGroups", 0)
        for name in dict.fromkeys(names):
            found = _elsewhere(graph, group, _known(graph).plurals.get(name, {}))
            if found is not None and found[0] not in granted:
                yield _hit(resource, path, name, group, found)
                break


def _in_project(graph: Graph, resource: Resource) -> Iterator[Hit]:
    """One kind alone proves little: `ProviderConfig` is a kind of many groups. Two of a kind do."""
    found: dict[tuple[str, str], list[Hit]] = defaultdict(list)
    for field in _LISTS:
        entries = at(resource.data, "spec", field)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            group, kind = text(at(entry, "group")) or "", text(at(entry, "kind")) or ""
            home = _elsewhere(graph, group, _known(graph).kinds.get(kind, {}))
            if home is not None:
                found[group, home[0]].append(
                    _hit(resource, ("spec", field, index, "group"), kind, group, home)
                )
    for hits in found.values():
        if len({hit.values["name"] for hit in hits}) > 1:
            yield from hits


def _elsewhere(graph: Graph, group: str, homes: Mapping[str, Location]) -> tuple[str, Location] | None:
    """The only group of the tree that has it, if the named one is unknown and of the same domain."""
    if (
        len(homes) != 1
        or not group
        or "*" in group
        or group in _known(graph).groups
        or bundle.is_packed(group)
    ):
        return None
    ((home, place),) = homes.items()
    if home == group or _domain(home) != _domain(group):
        return None
    return home, place


def _domain(group: str) -> str:
    return ".".join(group.split(".")[-2:])


def _hit(resource: Resource, path: Path, name: str, group: str, found: tuple[str, Location]) -> Hit:
    values = {"name": name, "group": group, "home": found[0], "subject": f"{group}/{name}"}
    related = (Related(found[1], f"{name} of {found[0]}"),)
    return Hit(resource.location.at(*path), values, related)


def version_not_served(graph: Graph, params: Params) -> Iterator[Hit]:
    """Objects of a version that no definition of their kind serves which the same cluster is delivered."""
    served: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    homes: dict[tuple[str, str, str], Location] = {}
    for item in delivered(graph).of("apiextensions.k8s.io", "CustomResourceDefinition"):
        spec = at(item.data, "spec")
        key = (item.meets, text(at(spec, "group")) or "", text(at(spec, "names", "kind")) or "")
        versions = at(spec, "versions")
        for version in versions if isinstance(versions, list) else ():
            if at(version, "served") is True:
                served[key].add(f"{key[1]}/{at(version, 'name')}")
        if key in served:
            homes.setdefault(key, item.object.origin(("spec", "versions")))
    blind = _blind(graph) if served else frozenset()
    for (where, group, kind), known in served.items():
        if where in blind:
            continue
        for item in delivered(graph).of(group, kind):
            version = item.ref.api_version
            if item.meets != where or version in known or _BARE.search(version):  # M036 tells of these
                continue
            names = sorted(name.rpartition("/")[2] for name in known)
            values = {"version": version, "kind": kind, "served": " and ".join(names), "subject": version}
            related = (Related(homes[where, group, kind], "what is served"),)
            yield Hit(item.object.origin(("apiVersion",)), values, related, item.affected)


def _blind(graph: Graph) -> frozenset[str]:
    """The clusters that are brought something unseen which may define kinds; a chart's definitions are its own kinds'."""
    return frozenset(
        meeting(delivery)
        for delivery in graph.deliveries
        for rendered in (graph.rendered[delivery.id],)
        if (rendered.failure is not None or rendered.unseen)
        and (delivery.live or not delivery.cluster)
        and delivery.renderer != "chart"
        and not delivery.source.chart
    )
