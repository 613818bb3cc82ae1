"""Checks of lists whose items are alike: a key that one of them spells otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any

from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.model import Hit, Location, Path, Related
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo, is_aside, is_parked

__all__ = ["key_unlike_the_others"]

_WORD = regexp(r"[A-Za-z][A-Za-z_-]{4,}")
_NEAR = 0.8
_DEPTH = 40
_FREE = {
    ("helm.toolkit.fluxcd.io", "HelmRelease"): (("spec", "values"),),
    ("argoproj.io", "Application"): (("spec", "source", "helm", "valuesObject"),),
    ("argoproj.io", "ApplicationSet"): (("spec", "generators"),),
}
"""Where objects hold what no schema describes."""


def key_unlike_the_others(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Keys of one item of a list that no other item has, nearly called like the one that all others have and it lacks."""
    for place, data in _free(graph.repo):
        for path, key, usual, count in _odd(data, (), params["others"]):
            other = next(n for n in range(count + 1) if n != path[-1])
            related = (Related(place.at(*path[:-1], other, usual), f"as {count} others have it"),)
            values = {"key": key, "usual": usual, "count": count, "subject": f"{key}: {usual}"}
            yield Hit(place.key_at(*path, key), values, related)


def _free(repo: Repo) -> Iterator[tuple[Location, Any]]:
    """The documents that are nobody's objects, and what objects hold of the sort."""
    for resource in repo.resources:
        for path in _FREE.get((resource.ref.group, resource.ref.kind), ()):
            yield resource.location.at(*path), at(resource.data, *path)
    for file in repo.manifests:
        if not is_aside(file) and not is_parked(file) and file.endswith((".yaml", ".yml")):
            for document in repo.documents(file):
                if isinstance(document.data, dict) and "kind" not in document.data:
                    yield Location(file, (), document.index), document.data


def _odd(data: Any, path: Path, others: int) -> Iterator[tuple[Path, str, str, int]]:
    """An item's place, its key, what the others have instead, and how many they are."""
    if len(path) > _DEPTH:
        return
    if isinstance(data, list) and len(data) > others and all(isinstance(item, dict) for item in data):
        count = Counter(key for item in data for key in item if isinstance(key, str))
        usual = [key for key, number in count.items() if number == len(data) - 1 and _WORD.fullmatch(key)]
        for key in usual:
            index = next(index for index, item in enumerate(data) if key not in item)
            for own, value in data[index].items():
                mine = isinstance(own, str) and count[own] == 1 and _WORD.fullmatch(own) is not None
                if mine and _is_near(own, key) and all(_alike(value, i[key]) for i in data if key in i):
                    yield (*path, index), own, key, len(data) - 1
    for step, value in (
        data.items() if isinstance(data, dict) else enumerate(data if isinstance(data, list) else ())
    ):
        if isinstance(value, dict | list):
            yield from _odd(value, (*path, step), others)


def _is_near(one: str, other: str) -> bool:
    return SequenceMatcher(None, one, other).ratio() >= _NEAR


def _alike(one: Any, other: Any) -> bool:
    return type(one) is type(other)
