"""Variables of Flux that stay as they are written, since the Kustomization that brings them substitutes none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.agents.context import text
from gitops_layout.agents.delivery import Delivery
from gitops_layout.checks.delivered import affected, delivered, place
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.model import Hit, Path, Related
from gitops_layout.patterns import regexp

__all__ = ["left_as_written"]

_VARIABLE = regexp(r"(?<!\$)\$\{([A-Za-z_]\w*)\}")
_KEPT = frozenset({"ConfigMap", "Secret", "CustomResourceDefinition"})
"""What may hold such texts for somebody else, or speak of them."""
_DEPTH = 40


def left_as_written(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """The first variable of each Kustomization without postBuild that others of its cluster substitute."""
    flux = [d for d in graph.deliveries if d.agent == "flux" and d.kind == "Kustomization" and d.live]
    bare = [d for d in flux if at(d.object, "spec", "postBuild") is None]
    known = _known(graph, flux) if bare else {}
    for delivery in bare:
        names = known.get(delivery.cluster, {})
        found = _first(graph, delivery, names) if names else None
        if found is not None:
            where, name = found
            who = names[name]
            related = (
                Related(where, f"${{{name}}} stays as it is written"),
                Related(place(who, "spec", "postBuild"), f"{who.name} has it substituted"),
            )
            values = {"source": delivery.name, "variable": f"${{{name}}}", "other": who.name, "subject": name}
            yield Hit(place(delivery, "spec", "path"), values, related, affected(delivery))


def _known(graph: Graph, deliveries: list[Delivery]) -> dict[str, dict[str, Delivery]]:
    """The variables that each cluster's Kustomizations substitute, with one that does."""
    held: dict[tuple[str, str, str, str], set[str]] = defaultdict(set)
    for item in delivered(graph).of("", "ConfigMap", "Secret"):
        key = (item.delivery.cluster, item.ref.kind, item.namespace, item.ref.name)
        for field in ("data", "stringData"):
            held[key] |= _names(at(item.data, field))
    known: dict[str, dict[str, Delivery]] = defaultdict(dict)
    for delivery in deliveries:
        post_build = at(delivery.object, "spec", "postBuild")
        names = _names(at(post_build, "substitute"))
        listed = at(post_build, "substituteFrom")
        for source in listed if isinstance(listed, list) else ():
            kind, name = text(at(source, "kind")) or "", text(at(source, "name")) or ""
            names |= held.get((delivery.cluster, kind, delivery.namespace, name), set())
        for name in names:
            known[delivery.cluster].setdefault(name, delivery)
    return known


def _names(given: Any) -> set[str]:
    return set(map(str, given)) if isinstance(given, Mapping) else set()


def _first(graph: Graph, delivery: Delivery, names: Mapping[str, Delivery]) -> tuple[Any, str] | None:
    for item in graph.rendered[delivery.id].objects:
        if item.ref.kind in _KEPT:
            continue
        for path, value in _lines(item.data, ()):
            name = next((each for each in _VARIABLE.findall(value) if each in names), None)
            if name is not None:
                return item.origin(path), name
    return None


def _lines(data: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """The texts of one line that hold a dollar sign."""
    for step, value in data.items() if isinstance(data, dict) else enumerate(data):
        if isinstance(value, str):
            if "${" in value and "\n" not in value:
                yield (*path, step), value
        elif isinstance(value, dict | list) and len(path) < _DEPTH:
            yield from _lines(value, (*path, step))
