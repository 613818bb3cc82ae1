"""The inventory of an environment, kept in the cluster as an ApplySet (KEP-3659, as kubectl ships it).

Every object carries the label `part-of`; one ConfigMap, the parent, names the kinds and namespaces
in which such objects may be. It is widened before anything is applied and narrowed only after
everything succeeded, so that whatever a killed run leaves behind is still found by the next one.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from gitops_layout.model import ObjectRef
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["ID", "PART_OF", "Inventory", "environment_in", "labelled", "of", "parent_of", "read", "widened"]

PART_OF = "applyset.kubernetes.io/part-of"
ID = "applyset.kubernetes.io/id"
_TOOLING = "applyset.kubernetes.io/tooling"
_KINDS = "applyset.kubernetes.io/contains-group-kinds"
_NAMESPACES = "applyset.kubernetes.io/additional-namespaces"
_SOURCE = "gitops-layout/source"
_OURS = "gitops-layout/v1"
_PREFIX = "gitops-layout-"
_HOME = "default"  # the only namespace that every cluster has and nobody deletes


@dataclass(frozen=True, slots=True)
class Inventory:
    """Where the members of an environment may be.

    `kinds` holds (group, kind); `namespaces` all namespaces of members; `source` identifies the
    repository, so that two repositories with an environment of the same name cannot prune each other.
    """

    environment: str
    source: str
    kinds: frozenset[tuple[str, str]] = frozenset()
    namespaces: frozenset[str] = frozenset()

    @property
    def ref(self) -> ObjectRef:
        """The parent object."""
        return parent_of(self.environment)

    @property
    def id(self) -> str:
        """The ApplySet id, the value of the members' label."""
        named = f"{self.ref.name}.{self.ref.namespace}.{self.ref.kind}.{self.ref.group}"
        digest = base64.urlsafe_b64encode(hashlib.sha256(named.encode()).digest()).decode().rstrip("=")
        return f"applyset-{digest}-v1"

    def manifest(self) -> dict[str, Any]:
        """The parent object as it is applied."""
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": self.ref.name,
                "namespace": self.ref.namespace,
                "labels": {ID: self.id},
                "annotations": {
                    _TOOLING: _OURS,
                    _KINDS: ",".join(sorted(_group_kind(*pair) for pair in self.kinds)),
                    _NAMESPACES: ",".join(sorted(self.namespaces - {_HOME})),
                    _SOURCE: self.source,
                },
            },
        }


def parent_of(environment: str) -> ObjectRef:
    """The parent object of an environment's inventory."""
    return ObjectRef("v1", "ConfigMap", _HOME, f"{_PREFIX}{environment}")


def environment_in(parent: Mapping[str, Any]) -> str | None:
    """The environment of a parent object, None when another tool keeps it."""
    tooling = (parent["metadata"].get("annotations") or {}).get(_TOOLING)
    return str(parent["metadata"]["name"]).removeprefix(_PREFIX) if tooling == _OURS else None


def of(environment: str, source: str, refs: Iterable[ObjectRef]) -> Inventory:
    """The inventory that holds exactly `refs`."""
    refs = list(refs)
    return Inventory(
        environment,
        source,
        frozenset((ref.group, ref.kind) for ref in refs),
        frozenset(ref.namespace for ref in refs if ref.namespace),
    )


def read(environment: str, parent: Mapping[str, Any]) -> Inventory | str:
    """The inventory in a live parent object, or the reason why it is not ours to change."""
    annotations = parent["metadata"].get("annotations") or {}
    tooling = annotations.get(_TOOLING, "")
    if tooling.partition("/")[0] != _OURS.partition("/")[0]:
        return f"belongs to {tooling or 'somebody else'}"
    return Inventory(
        environment,
        annotations.get(_SOURCE, ""),
        frozenset(_pair(text) for text in annotations.get(_KINDS, "").split(",") if text),
        frozenset(text for text in annotations.get(_NAMESPACES, "").split(",") if text) | {_HOME},
    )


def widened(before: Inventory | None, after: Inventory) -> Inventory:
    """Both together: what the parent says while the cluster is on its way from one to the other."""
    if before is None:
        return after
    return Inventory(
        after.environment, after.source, before.kinds | after.kinds, before.namespaces | after.namespaces
    )


def labelled(data: Mapping[str, Any], inventory_id: str) -> dict[str, Any]:
    """A copy of an object that is a member of the inventory."""
    metadata = data["metadata"]
    labels = {**(metadata.get("labels") or {}), PART_OF: inventory_id}
    return {**data, "metadata": {**metadata, "labels": labels}}


def _group_kind(group: str, kind: str) -> str:
    return f"{kind}.{group}" if group else kind


def _pair(text: str) -> tuple[str, str]:
    kind, _, group = text.partition(".")
    return group, kind
