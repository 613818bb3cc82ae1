"""Namespaces that objects name themselves, against the folder that they lie in, where folders are called like namespaces."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from posixpath import basename, dirname
from typing import Any

from gitops_layout.checks.delivered import Item, delivered
from gitops_layout.graph.model import Graph
from gitops_layout.model import Hit, Related
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import is_aside, is_parked
from gitops_layout.values import dataclass

__all__ = ["namespace_of_another_folder"]

_GOES_ELSEWHERE = frozenset(
    {
        "Alert", "ClusterRoleBinding", "GrafanaDashboard", "IngressRoute", "Kustomization", "NetworkPolicy", "PodMonitor",
        "Provider", "PrometheusRule", "Receiver", "ReferenceGrant", "Role", "RoleBinding", "Rule", "ServiceMonitor",
    }
)  # fmt: skip
"""Kinds that work for one app in another's namespace, or only there."""
_AGENTS = frozenset({"argocd", "flux-system"})
_PLAIN = regexp(r"[a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class _Written:
    """An object whose namespace stands in its own file."""

    item: Item
    file: str
    folder: str
    namespace: str


def namespace_of_another_folder(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """An object in a folder called like one namespace that goes to another folder's, while all beside it stay."""
    written = list(_written(graph))
    above: dict[str, dict[str, list[_Written]]] = defaultdict(lambda: defaultdict(list))
    for one in written:
        parts = one.folder.split("/")
        for index, name in enumerate(parts):
            above["/".join(parts[:index])][name].append(one)
    told: set[str] = set()
    for prefix, folders in above.items():
        own = {name for name, found in folders.items() if any(one.namespace == name for one in found)}
        everything = [one for name in own for one in folders[name]]
        odd = [one for name in own for one in folders[name] if one.namespace != name]
        several = len(odd) > 1 and len(odd) * params["rare"] > len(everything)
        if len(own) < params["habit"] or several:
            continue
        beside = set(graph.repo.folders.get(prefix, ()))
        for name in own:
            for one in folders[name]:
                if one.namespace == name or one.namespace not in beside:
                    continue
                near = [
                    other for other in folders[name] if other.folder == one.folder and other.file != one.file
                ]
                stays = {other.namespace for other in near} == {name}
                if (
                    stays
                    and one.file not in told
                    and not _belongs(one, f"{prefix}/{one.namespace}".lstrip("/"), graph)
                ):
                    told.add(one.file)
                    values = {
                        "kind": one.item.ref.kind, "name": one.item.ref.name, "namespace": one.namespace, "folder": name,
                        "subject": f"{one.item.ref.kind} {one.item.ref.name}",
                    }  # fmt: skip
                    place = near[0].item.object.origin(("metadata", "namespace"))
                    related = (
                        Related(place, f"{near[0].item.ref.kind} {near[0].item.ref.name} is in {name}"),
                    )
                    where = one.item.object.origin(("metadata", "namespace"))
                    yield Hit(where, values, related, one.item.affected)


def _written(graph: Graph) -> Iterator[_Written]:
    seen: set[tuple[str, int]] = set()
    for item in delivered(graph):
        if not item.delivery.live or not _PLAIN.fullmatch(item.ref.namespace):
            continue
        if item.ref.kind in _GOES_ELSEWHERE or item.ref.namespace in _AGENTS:
            continue
        place = item.object.origin(("metadata", "namespace"))
        home = item.object.origin(("metadata", "name"))
        if place.path != ("metadata", "namespace") or place.file != home.file or place.span is not None:
            continue
        key = (place.file, place.document)
        if key not in seen and not is_aside(place.file) and not is_parked(place.file):
            seen.add(key)
            yield _Written(item, place.file, dirname(place.file), item.ref.namespace)


def _belongs(one: _Written, folder: str, graph: Graph) -> bool:
    """Whether something in the other namespace's folder speaks of the object: it was put there for that."""
    name = one.item.ref.name
    made = one.item.data.get("spec")
    names = {name} | (
        {str(made["target"].get("name"))}
        if isinstance(made, dict) and isinstance(made.get("target"), dict)
        else set()
    )
    return any(
        word in graph.repo.text(file)
        for file in graph.repo.under(folder)
        if basename(file).endswith((".yaml", ".yml"))
        for word in names
        if len(word) > 3
    )
