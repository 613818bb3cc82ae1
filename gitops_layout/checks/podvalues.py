"""Checks of values of charts that have the shape of pods' fields: their words are the API server's, whatever the chart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from posixpath import basename
from typing import Any

from gitops_layout.agents.context import text
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.model import Hit, Location, Path
from gitops_layout.repo.model import Repo, is_aside

__all__ = ["misplaced", "unknown_word", "values_of_charts"]

_TOLERATION = frozenset({"key", "operator", "value", "effect", "tolerationSeconds"})
_WORDS: dict[str, tuple[str, ...]] = {
    "operator": ("Exists", "Equal"),
    "effect": ("NoSchedule", "PreferNoSchedule", "NoExecute"),
}
"""Those of a toleration."""

_ANYWHERE: dict[str, tuple[str, ...]] = {
    "imagePullPolicy": ("Always", "IfNotPresent", "Never"),
    "pullPolicy": ("Always", "IfNotPresent", "Never"),
    "whenUnsatisfiable": ("DoNotSchedule", "ScheduleAnyway"),
    "accessMode": ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"),
    "accessModes": ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"),
    "dnsPolicy": ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
    "externalTrafficPolicy": ("Cluster", "Local"),
    "podManagementPolicy": ("OrderedReady", "Parallel"),
    "concurrencyPolicy": ("Allow", "Forbid", "Replace"),
}
"""Charts pass these on as they are; only one of these words in other letters is told, for a chart may have its own."""

_DEPTH = 40


def unknown_word(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Values whose word Kubernetes knows in other letters only, and tolerations with another word."""
    for place, data in values_of_charts(graph.repo):
        for path, value, words in _found(data, ()):
            near = next((word for word in words if word.lower() == value.lower()), "")
            hint = f' (did you mean "{near}"?)' if near else f" ({', '.join(words)})"
            name = next(str(step) for step in reversed(path) if isinstance(step, str))
            yield Hit(place.at(*path), {"field": name, "value": value, "hint": hint, "subject": value})


_HOLDS: dict[str, frozenset[str]] = {
    **dict.fromkeys(("configMapRef", "secretRef"), frozenset({"name"})),
    **dict.fromkeys(("configMapKeyRef", "secretKeyRef"), frozenset({"name", "key"})),
    "fieldRef": frozenset({"fieldPath"}),
    "resourceFieldRef": frozenset({"resource"}),
    "httpGet": frozenset({"path", "port"}),
}
"""Fields of pods that are mappings, and what each of them has inside: beside an empty one it was meant to be in it."""
_AROUND: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("configMapRef", "secretRef"), ("envFrom",)),
    **dict.fromkeys(("configMapKeyRef", "secretKeyRef", "fieldRef", "resourceFieldRef"), ("valueFrom",)),
    "httpGet": ("livenessProbe", "readinessProbe", "startupProbe", "spec"),
    **dict.fromkeys(("nodeAffinity", "podAffinity", "podAntiAffinity"), ("affinity",)),
}
"""The field around each: elsewhere a chart may mean anything by the word."""
_SCHEDULING = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)
_KEYED = ("configMapKeyRef", "secretKeyRef")


def misplaced(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Fields of pods that are empty while what belongs into them stands beside, and keys' sources without a key."""
    for place, data in values_of_charts(graph.repo):
        for path, what in _out_of_place(data, ()):
            yield Hit(place.key_at(*path), {"what": what, "subject": f"{path[-1]}: {what}"})


def _out_of_place(data: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if len(path) > _DEPTH:
        return
    around = next((step for step in reversed(path) if isinstance(step, str)), "")
    for key, value in data.items() if isinstance(data, dict) else ():
        if around not in _AROUND.get(key, ()):
            continue
        needed = _HOLDS.get(key) or {name for name in _SCHEDULING if name in data}
        if value is None and needed and needed <= data.keys():
            yield (
                (*path, key),
                f"{key} is empty, and {' and '.join(sorted(needed))} beside it instead of in it",
            )
        elif key in _KEYED and isinstance(value, dict) and "key" not in value and text(value.get("name")):
            yield (*path, key), f"{key} names no key of {value['name']}"
    below = data.items() if isinstance(data, dict) else enumerate(data if isinstance(data, list) else ())
    for step, value in below:
        if isinstance(value, dict | list):
            yield from _out_of_place(value, (*path, step))


def values_of_charts(repo: Repo) -> Iterator[tuple[Location, Any]]:
    """The values that are given to charts, and those that charts have, each with its place."""
    for resource in repo.resources:
        match resource.ref.group, resource.ref.kind:
            case "helm.toolkit.fluxcd.io" | "helm.fluxcd.io", "HelmRelease":
                yield resource.location.at("spec", "values"), at(resource.data, "spec", "values")
            case "argoproj.io", "Application":
                path = ("spec", "source", "helm", "valuesObject")
                yield resource.location.at(*path), at(resource.data, *path)
    for file in repo.manifests:
        if "values" in basename(file) and not is_aside(file):
            for document in repo.documents(file)[:1]:
                if isinstance(document.data, dict) and "kind" not in document.data:
                    yield Location(file), document.data


def _found(data: Any, path: Path) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    if len(path) > _DEPTH:
        return
    if isinstance(data, list):
        for index, item in enumerate(data):
            yield from _found(item, (*path, index))
        return
    for key, value in data.items() if isinstance(data, dict) else ():
        if key == "tolerations":
            yield from _tolerations(value, (*path, key))
        elif key in _ANYWHERE:
            found = (
                [((*path, key, n), word) for n, word in enumerate(value)] if isinstance(value, list) else []
            )
            for below, word in found or [((*path, key), value)]:
                if isinstance(word, str) and _in_other_letters(word, _ANYWHERE[key]):
                    yield below, word, _ANYWHERE[key]
        elif isinstance(value, dict | list):
            yield from _found(value, (*path, key))


def _tolerations(value: Any, path: Path) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    for index, item in enumerate(value if isinstance(value, list) else ()):
        if not isinstance(item, dict) or not item.keys() <= _TOLERATION:
            continue
        for key, words in _WORDS.items():
            word = item.get(key)
            if isinstance(word, str) and word and word not in words and word.isalpha():
                yield (*path, index, key), word, words


def _in_other_letters(word: str, words: tuple[str, ...]) -> bool:
    return word not in words and any(known.lower() == word.lower() for known in words)
