"""Checks of what Roles grant against the resources that Kubernetes has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.k8s.scope import builtin_kinds
from gitops_layout.model import Hit
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Resource, is_aside, is_parked

__all__ = ["unknown_resource"]

_VENDORED = regexp(r"(?:^|/)(?:upstream|vendor|third[-_]party|charts?)/")
_FORMER = {
    "extensions": ("deployments", "daemonsets", "replicasets", "ingresses", "networkpolicies", "replicationcontrollers"),
}  # fmt: skip
"""Resources that groups had in releases which some clusters still run."""


@lru_cache(maxsize=1)
def _groups() -> tuple[Mapping[str, frozenset[str]], Mapping[str, str]]:
    """The groups of each of Kubernetes' resources, and the plural of each singular."""
    groups: dict[str, set[str]] = defaultdict(set)
    plurals: dict[str, str] = {}
    for group, kinds in builtin_kinds().items():
        for kind in kinds:
            plural = _plural(kind.lower())
            groups[plural].add(group)
            plurals[kind.lower()] = plural
    for group, names in _FORMER.items():
        for name in names:
            groups[name].add(group)
    return {name: frozenset(found) for name, found in groups.items()}, plurals


def _plural(word: str) -> str:
    if word == "endpoints":
        return word
    if word.endswith("y"):
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "x", "ch")) else f"{word}s"


def unknown_resource(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Rights for a resource of Kubernetes that none of the rule's groups has, or in the singular."""
    for resource in graph.repo.resources:
        if resource.ref.group != "rbac.authorization.k8s.io" or resource.ref.kind not in (
            "Role",
            "ClusterRole",
        ):
            continue
        if not (is_parked(resource.file) or is_aside(resource.file) or _VENDORED.search(resource.file)):
            yield from _unknown(resource)


def _unknown(resource: Resource) -> Iterator[Hit]:
    known, plurals = _groups()
    own = builtin_kinds().keys()
    rules = resource.data.get("rules")
    granted = {
        (group, name) for rule in (rules if isinstance(rules, list) else ()) for group, name in _granted(rule)
    }
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        groups, names = at(rule, "apiGroups"), at(rule, "resources")
        if not isinstance(groups, list) or not isinstance(names, list):
            continue
        if not all(isinstance(group, str) and (group in own or group in _FORMER) for group in groups):
            continue  # another project's group may have a resource of that name
        for number, name in enumerate(names):
            base, _, _ = name.partition("/") if isinstance(name, str) else ("", "", "")
            homes = known.get(base) or known.get(plurals.get(base, ""), frozenset())
            if not homes or (base in known and homes & set(groups)):
                continue
            plural = base if base in known else plurals[base]
            if any((home, plural) in granted for home in homes):
                continue  # the right is given beside it
            home = min(homes - _FORMER.keys())
            told = f'{plural} of "{home}"' if home else f"{plural} of the core group"
            shown = ", ".join(f'"{group}"' for group in groups)
            values = {
                "role": resource.ref.name, "resource": name, "groups": shown, "meant": told, "subject": f"{index}.{name}",
            }  # fmt: skip
            yield Hit(resource.location.at("rules", index, "resources", number), values)


def _granted(rule: Any) -> Iterator[tuple[str, str]]:
    groups, names = at(rule, "apiGroups"), at(rule, "resources")
    for group in groups if isinstance(groups, list) else ():
        for name in names if isinstance(names, list) else ():
            if isinstance(group, str) and isinstance(name, str):
                yield group, name.partition("/")[0]
