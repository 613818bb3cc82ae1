"""Selectors beside what they are to choose: the labels of pods, and those of Services for a monitor."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.agents.context import text
from gitops_layout.checks.applications import options_of
from gitops_layout.checks.delivered import Delivered, Item, delivered, metadata
from gitops_layout.checks.near import is_slip
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.k8s.pods import containers, pod_spec
from gitops_layout.model import Hit, Path, Related
from gitops_layout.values import dataclass

__all__ = ["budget_blocks", "repeated_variable", "selects_nothing"]

Params = Mapping[str, Any]
_WORKLOADS = (("apps", ("Deployment", "StatefulSet", "DaemonSet")), ("argoproj.io", ("Rollout",)))
_CHOOSING: tuple[tuple[str, str, Path, bool], ...] = (
    ("", "Service", ("spec", "selector"), True),
    ("policy", "PodDisruptionBudget", ("spec", "selector", "matchLabels"), True),
    ("monitoring.coreos.com", "PodMonitor", ("spec", "selector", "matchLabels"), True),
    ("monitoring.coreos.com", "ServiceMonitor", ("spec", "selector", "matchLabels"), False),
)
"""Group, kind, where its selector stands, and whether it chooses pods (else Services)."""
_LOOSE = "helm"
"""Charts that nobody installs: how they would be called and labelled is not known."""
_CLONING = "flagger.app"
"""Who copies a workload under another name, with labels that no file has."""


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What a selector may choose, and the labels that it is chosen by."""

    item: Item
    labels: Mapping[str, Any]


class _Index:
    """What can be chosen, by where it runs, and by the delivery and the name it comes with."""

    def __init__(self, found: Iterator[_Chosen]) -> None:
        self.there: dict[tuple[str, str], list[_Chosen]] = defaultdict(list)
        self.beside: dict[tuple[str, str, str], _Chosen] = {}
        for chosen in found:
            item = chosen.item
            self.there[item.meets, item.namespace].append(chosen)
            self.beside.setdefault((item.delivery.id, item.namespace, item.ref.name), chosen)


def selects_nothing(graph: Graph, params: Params) -> Iterator[Hit]:
    """Selectors that choose nothing, though what comes with them under their own name has labels much like them."""
    here = delivered(graph)
    cloned = {item.meets for group, kind in here.kinds if group == _CLONING for item in here.of(group, kind)}
    made: dict[bool, _Index] = {}
    for group, kind, path, pods in _CHOOSING:
        for item in here.of(group, kind):
            wanted = at(item.data, *path)
            if not _is_plain(item, wanted, path) or item.delivery.agent == _LOOSE or item.meets in cloned:
                continue
            if pods not in made:
                made[pods] = _Index(_pods(here) if pods else _services(here))
            index = made[pods]
            twin = index.beside.get((item.delivery.id, item.namespace, item.ref.name))
            if twin is None or wanted.items() <= twin.labels.items():
                continue
            wrong = [
                (key, _instead(key, wanted[key], twin))
                for key in wanted
                if twin.labels.get(key) != wanted[key]
            ]
            if any(instead is None for _, instead in wrong) or _is_open(wanted, twin.labels):
                continue
            if any(
                wanted.items() <= other.labels.items() for other in index.there[item.meets, item.namespace]
            ):
                continue
            key, instead = wrong[0]
            yield _hit(
                item, (*path, key), f"{key}: {wanted[key]}", f"{instead}: {twin.labels[instead or key]}", twin
            )


def _is_plain(item: Item, wanted: Any, path: Path) -> bool:
    """Whether all that is asked for are labels, in the selecting object's own namespace."""
    if not isinstance(wanted, dict) or not wanted or at(item.data, *path[:-1], "matchExpressions"):
        return False
    return at(item.data, "spec", "namespaceSelector") is None


def _instead(key: str, value: Any, twin: _Chosen) -> str | None:
    """The label of the twin that was perhaps meant: the same key with another value, else the value under another key,
    else a key much like it.
    """
    if key in twin.labels:
        return key
    same = [other for other, known in twin.labels.items() if known == value]
    return same[0] if len(same) == 1 else next((other for other in twin.labels if is_slip(key, other)), None)


def _is_open(*labels: Mapping[str, Any]) -> bool:
    """Whether something is yet to fill in a part of them."""
    return any(set("${<") & set(f"{key}{value}") for each in labels for key, value in each.items())


def _pods(here: Delivered) -> Iterator[_Chosen]:
    for group, kinds in _WORKLOADS:
        for item in here.of(group, *kinds):
            labels = at(item.data, "spec", "template", "metadata", "labels")
            yield _Chosen(item, labels if isinstance(labels, dict) else {})
    for item in here.of("", "Pod"):
        yield _Chosen(item, metadata(item.data, "labels"))


def _services(here: Delivered) -> Iterator[_Chosen]:
    for item in here.of("", "Service"):
        yield _Chosen(item, metadata(item.data, "labels"))


def _hit(item: Item, path: Path, wanted: str, has: str, twin: _Chosen) -> Hit:
    other = twin.item.object.origin(("metadata", "name"))
    values = {
        "from": item.ref.kind, "source": item.ref.name, "wanted": wanted, "has": has, "subject": wanted,
        "kind": twin.item.ref.kind,
    }  # fmt: skip
    related = Related(other, f"{twin.item.ref.kind} {twin.item.ref.name}")
    return Hit(item.object.origin(path), values, (related,), item.affected)


def budget_blocks(graph: Graph, params: Params) -> Iterator[Hit]:
    """Disruption budgets that allow no pod to go: by what they say themselves, or with the replicas they are for."""
    here = delivered(graph)
    budgets = [item for item in here.of("policy", "PodDisruptionBudget") if item.delivery.agent != _LOOSE]
    if not budgets:
        return
    labelled: dict[tuple[str, str, str, object], list[_Chosen]] = defaultdict(list)
    for chosen in _pods(here):
        for key, value in chosen.labels.items():
            labelled[chosen.item.delivery.id, chosen.item.namespace, key, str(value)].append(chosen)
    scaled = {
        (item.meets, item.namespace, text(at(item.data, "spec", "scaleTargetRef", "name")))
        for group, kind in (("autoscaling", "HorizontalPodAutoscaler"), ("keda.sh", "ScaledObject"))
        for item in here.of(group, kind)
    }
    for item in budgets:
        most, least = at(item.data, "spec", "maxUnavailable"), at(item.data, "spec", "minAvailable")
        if most in (0, "0", "0%") and most is not False:
            yield _blocking(item, "maxUnavailable", most, "which lets no pod go")
        elif least == "100%":
            yield _blocking(item, "minAvailable", least, "which lets no pod go")
        elif type(least) is int and least > 0:
            wanted = at(item.data, "spec", "selector", "matchLabels")
            key, value = next(iter(wanted.items()), ("", "")) if isinstance(wanted, dict) else ("", "")
            pods = labelled.get((item.delivery.id, item.namespace, key, str(value)), [])
            fitting = [one.item for one in pods if wanted.items() <= one.labels.items()]
            if len(fitting) == 1 and (item.meets, item.namespace, fitting[0].ref.name) not in scaled:
                yield from _all_needed(item, least, fitting[0])


def _all_needed(item: Item, least: int, workload: Item) -> Iterator[Hit]:
    """A budget that needs all the pods that there are."""
    written = at(workload.data, "spec", "replicas")
    count = 1 if written is None else written
    if (
        workload.ref.kind in ("Deployment", "StatefulSet", "Rollout")
        and type(count) is int
        and 0 < count <= least
    ):
        path: Path = ("metadata", "name") if written is None else ("spec", "replicas")
        what = f"{workload.ref.kind} {workload.ref.name}"
        yield _blocking(
            item,
            "minAvailable",
            least,
            f"and {what} has {count}",
            Related(workload.object.origin(path), what),
        )


def _blocking(item: Item, field: str, value: object, told: str, *related: Related) -> Hit:
    values = {"source": item.ref.name, "field": field, "value": value, "told": told, "subject": item.ref.name}
    return Hit(item.object.origin(("spec", field)), values, related, item.affected)


def repeated_variable(graph: Graph, params: Params) -> Iterator[Hit]:
    """Environment variables that a container is given twice, where the server lets the last one win."""
    here = delivered(graph)
    for group, kind in sorted(here.kinds):
        for item in here.of(group, kind) if pod_spec(here.kinds[group, kind][0].data) is not None else ():
            if item.delivery.agent == "flux" or "ServerSideApply=true" in options_of(
                item.delivery, item.data
            ):
                continue  # a server-side apply is refused
            for container in containers(item.data):
                yield from _twice(item, container.data, container.path)


def _twice(item: Item, container: Mapping[str, Any], path: Path) -> Iterator[Hit]:
    listed = at(container, "env")
    seen: dict[str, int] = {}
    for index, entry in enumerate(listed if isinstance(listed, list) else ()):
        name = text(at(entry, "name"))
        if name is None:
            continue
        if name in seen and entry != listed[seen[name]]:
            values = {
                "container": text(at(container, "name")) or "",
                "name": name,
                "source": item.ref.name,
                "kind": item.ref.kind,
                "subject": name,
            }
            first = Related(item.object.origin((*path, "env", seen[name], "name")), "the first one")
            yield Hit(item.object.origin((*path, "env", index, "name")), values, (first,), item.affected)
        seen[name] = index
