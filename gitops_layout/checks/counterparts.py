"""The same application in several environments, side by side: pure, made once a graph.

Deliveries are the same application where agent, kind, name, namespace and path agree once each environment's own
name is taken out of them (`apps/web/overlays/prod` and `apps/web/overlays/staging`); objects likewise, generated
suffixes of names aside.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gitops_layout.agents.delivery import Delivery
from gitops_layout.checks.once import once
from gitops_layout.graph.model import Graph
from gitops_layout.model import Hit, Path, tier_by_name
from gitops_layout.patterns import regexp
from gitops_layout.render.rendered import RenderedObject
from gitops_layout.values import dataclass

__all__ = ["Application", "ObjectKey", "applications", "contains", "leaves", "slips", "without"]

ObjectKey = tuple[str, str, str, str]

_HASH = regexp(r"-[bcdfghkmt2456789]{10}$")


@dataclass(frozen=True, slots=True)
class Application:
    """One application: the delivery of each environment, and its objects by what they are called in all of them."""

    deliveries: Mapping[str, Delivery]
    objects: Mapping[str, Mapping[ObjectKey, RenderedObject]]


def contains(text: str, word: str) -> bool:
    """Whether `word` stands in `text` between signs that are no letters or digits."""
    return _find(text, word, 0) >= 0


def _find(text: str, word: str, start: int) -> int:
    """Where `word` stands so from `start` on; -1 where it does not. A repository has more names than expressions are
    worth compiling.
    """
    at = text.find(word, start)
    while at >= 0:
        around = text[max(at - 1, 0) : at], text[at + len(word) : at + len(word) + 1]
        if not any(sign.isascii() and sign.isalnum() for sign in around):
            return at
        at = text.find(word, at + 1)
    return -1


def without(text: str, *words: str) -> str:
    """`text` with each of the words (an environment's, a cluster's name) replaced by a star."""
    for word in sorted(filter(None, words), key=len, reverse=True):
        parts, start = [], 0
        while (at := _find(text, word, start)) >= 0:
            parts.append(text[start:at])
            start = at + len(word)
        text = "*".join((*parts, text[start:]))
    return text


@once
def applications(graph: Graph) -> tuple[Application, ...]:
    """Every application that two environments at least have, one delivery each, rendered whole."""
    return tuple(_applications(graph))


def _applications(graph: Graph) -> Iterator[Application]:
    groups: dict[tuple[str, ...], dict[str, list[Delivery]]] = defaultdict(lambda: defaultdict(list))
    agentless = not any(d.live and d.agent in ("flux", "argocd") for d in graph.deliveries)
    for delivery in graph.deliveries:
        rendered = graph.rendered[delivery.id]
        if delivery.environment is None or rendered.failure is not None or rendered.unseen:
            continue
        if (delivery.live or agentless) and rendered.objects:
            groups[_key(delivery)][delivery.environment].append(delivery)
    for found in groups.values():
        if len(found) > 1 and all(len(same) == 1 for same in found.values()):
            own = {name: same[0] for name, same in sorted(found.items())}
            yield Application(own, {name: _objects(graph, d) for name, d in own.items()})


def _key(delivery: Delivery) -> tuple[str, ...]:
    words = (delivery.environment or "", delivery.cluster if "/" not in delivery.cluster else "")
    path = delivery.source.path or delivery.source.chart or ""
    name = delivery.name if delivery.agent in ("flux", "argocd") else ""
    return (
        delivery.agent,
        delivery.kind,
        *(without(text, *words) for text in (name, delivery.namespace, path)),
    )


def _objects(graph: Graph, delivery: Delivery) -> dict[ObjectKey, RenderedObject]:
    words = (delivery.environment or "", delivery.cluster if "/" not in delivery.cluster else "")
    return {
        (
            item.ref.group,
            item.ref.kind,
            _bare(without(item.ref.namespace, *words)),
            without(_HASH.sub("", item.ref.name), *words),
        ): item
        for item in graph.rendered[delivery.id].objects
    }


def _bare(namespace: str) -> str:
    """A namespace without the place of the environment's name: production's often has none."""
    return namespace.removesuffix("-*").removeprefix("*-")


_CUSTOM = 3
"""From so many files on, one environment's use of another one's things is how the repository does it."""


def slips(graph: Graph, hits: Iterable[Hit]) -> Iterator[Hit]:
    """Hits (of `own` and `other` environments) without those that show a custom: a development environment that lives on
    staging's identities does so in file after file. What production shares is told however often it does.
    """
    found = list(hits)
    tiers = {environment.name: environment.tier for environment in graph.environments}
    files: dict[tuple[object, object], set[str]] = defaultdict(set)
    for hit in found:
        files[hit.values["own"], hit.values["other"]].add(hit.location.file)
    for hit in found:
        own, other = str(hit.values["own"]), str(hit.values["other"])
        prod = "prod" in (tiers.get(own, tier_by_name(own)), tiers.get(other, tier_by_name(other)))
        if prod or len(files[own, other]) < _CUSTOM:
            yield hit


def leaves(data: Any, path: Path = ()) -> list[tuple[tuple[str, ...], Path, Any]]:
    """Every scalar: its path with items of lists called by their `name`, its real path, and its value."""
    found: list[tuple[tuple[str, ...], Path, Any]] = []
    _add_leaves(data, (), path, found)
    return found


def _add_leaves(
    data: Any, called: tuple[str, ...], path: Path, found: list[tuple[tuple[str, ...], Path, Any]]
) -> None:
    # Into one list: a generator within a generator hands each value through every level.
    if isinstance(data, dict):
        for key, value in data.items():
            if isinstance(value, dict | list):
                _add_leaves(value, (*called, str(key)), (*path, key), found)
            else:
                found.append(((*called, str(key)), (*path, key), value))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            name = value.get("name") if isinstance(value, dict) else None
            own = name if isinstance(name, str) else str(index)
            _add_leaves(value, (*called, own), (*path, index), found)
    else:
        found.append((called, path, data))
