"""The namespaces of a graph: what labels the objects in them meet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gitops_layout.k8s.scope import builtin_scope
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from gitops_layout.graph.model import Graph
    from gitops_layout.model import Location
    from gitops_layout.validation.subject import Subject

__all__ = ["Namespace", "Namespaces"]


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace's labels and annotations, and where they are written: the object itself, or who makes it."""

    labels: Mapping[str, Any]
    data: Mapping[str, Any]
    place: Location


class Namespaces:
    """Finds the namespace that an object is delivered to.

    What one delivery brings is looked at first, then what the same cluster gets; where two of them disagree, and
    where the repository has no such namespace, nothing is known of it.
    """

    def __init__(self, graph: Graph, subjects: Sequence[Subject]) -> None:
        self._targets = {delivery.id: delivery.target_namespace for delivery in graph.deliveries}
        self._own: dict[tuple[str | None, str], Namespace] = {}
        self._shared: dict[tuple[str | None, str], list[Namespace]] = {}
        for subject in subjects:
            if subject.ref.kind == "Namespace" and subject.ref.api_version == "v1":
                found = _namespace(subject)
                self._own.setdefault((subject.affected.delivery, subject.ref.name), found)
                self._shared.setdefault((subject.affected.cluster, subject.ref.name), []).append(found)
        for delivery in graph.deliveries:
            for labels in _managed(delivery.object) if delivery.target_namespace else ():
                found = Namespace(labels, {"metadata": {"labels": dict(labels)}}, delivery.root)
                self._own.setdefault((delivery.id, str(delivery.target_namespace)), found)

    def name(self, subject: Subject) -> str:
        """The namespace that the object ends in, empty where it has none or nobody says which."""
        if builtin_scope(subject.ref.group, subject.ref.kind) is False:
            return ""
        return subject.ref.namespace or self._targets.get(subject.affected.delivery or "") or ""

    def of(self, subject: Subject) -> Namespace | None:
        """The namespace of an object, None where the repository does not have it."""
        name = self.name(subject)
        own = self._own.get((subject.affected.delivery, name))
        if own is not None or not name:
            return own
        shared = self._shared.get((subject.affected.cluster, name), ())
        first = next(iter(shared), None)
        return first if first is not None and all(each.labels == first.labels for each in shared) else None


def _namespace(subject: Subject) -> Namespace:
    metadata = subject.data.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    name = {"kubernetes.io/metadata.name": subject.ref.name}
    return Namespace(
        {**(labels if isinstance(labels, dict) else {}), **name},
        subject.data,
        subject.origin(("metadata", "labels")),
    )


def _managed(application: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The labels that Argo CD gives a namespace which it creates."""
    match application:
        case {
            "spec": {
                "syncPolicy": {
                    "syncOptions": list(options),
                    "managedNamespaceMetadata": {"labels": dict(labels)},
                }
            }
        } if "CreateNamespace=true" in options:
            yield labels
