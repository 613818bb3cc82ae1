"""What a run would do to each object, and why: pure values and functions."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from gitops_layout.k8s.mask import mask_value
from gitops_layout.patterns import regexp
from gitops_layout.reconcile.inventory import PART_OF
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gitops_layout.model import Location, ObjectRef, Path

__all__ = [
    "Action",
    "Change",
    "Conflict",
    "Owner",
    "Verb",
    "changes",
    "conflicts",
    "foreign_owner",
    "is_legacy",
    "same_state",
    "short",
]


class Verb(StrEnum):
    """What happens to an object."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    PRUNE = "prune"
    KEEP = "keep"
    """A removed object that a guard protects from being pruned."""
    CONFLICT = "conflict"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Change:
    """One field: `old` or `new` is None where it was or becomes absent; Secret values are masked."""

    path: Path
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that another manager owns; `update` tells a client-side update from an apply."""

    manager: str
    field: str
    update: bool


@dataclass(frozen=True, slots=True)
class Action:
    """What a run does, or would do, to one object; `reason` says why where it is not obvious."""

    verb: Verb
    ref: ObjectRef
    changes: tuple[Change, ...] = ()
    reason: str = ""
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """Who else looks after a live object: an agent (`argocd`, `flux`, `helm`, `applyset`) and its name for it."""

    agent: str
    name: str

    def __str__(self) -> str:
        return f"{self.agent}:{self.name}"


# Where each agent leaves its mark, and the label or annotation that names the responsible object.
_MARKS = (
    ("annotations", "argocd.argoproj.io/tracking-id", "argocd"),
    ("labels", "argocd.argoproj.io/instance", "argocd"),
    ("labels", "kustomize.toolkit.fluxcd.io/name", "flux"),
    ("labels", "helm.toolkit.fluxcd.io/name", "flux"),
    ("annotations", "meta.helm.sh/release-name", "helm"),
)


def foreign_owner(desired: Mapping[str, Any], live: Mapping[str, Any], inventory_id: str) -> Owner | None:
    """The agent or other inventory that a live object belongs to, None when it is free or ours.

    A mark that the manifest itself carries says nothing.
    """
    wanted, found = desired["metadata"], live["metadata"]
    member = (found.get("labels") or {}).get(PART_OF, inventory_id)
    if member != inventory_id:
        return Owner("applyset", member)
    for where, mark, agent in _MARKS:
        value = (found.get(where) or {}).get(mark)
        if value and (wanted.get(where) or {}).get(mark) != value:
            return Owner(agent, value.partition(":")[0])
    return None


_CONFLICT = regexp(r'conflict with "(?P<manager>[^"]*)"(?P<rest>.*)', re.DOTALL)
_LEGACY = regexp(r"^(kubectl.*|before-first-apply)$")


def conflicts(causes: Iterable[Mapping[str, Any]]) -> tuple[Conflict, ...]:
    """The fields named by the causes of a 409 answer to an apply."""
    found: list[Conflict] = []
    for cause in causes:
        match = _CONFLICT.search(str(cause.get("message", "")))
        if cause.get("reason") == "FieldManagerConflict" and match:
            # The API server adds `using <version>` for managers that update instead of apply.
            update = " using " in match["rest"]
            found.append(Conflict(match["manager"], str(cause.get("field", "")).lstrip("."), update))
    return tuple(found)


def is_legacy(conflict: Conflict) -> bool:
    """Whether the owner is kubectl's client side (edit, scale, the old apply), which we may take over.

    Another apply (`kubectl apply --server-side`) is somebody's declared intent, and is not.
    """
    return conflict.update and bool(_LEGACY.match(conflict.manager))


_SERVER_SIDE = frozenset(
    ("managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink")
)


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """The fields that differ between two states of an object, without what the server keeps itself."""
    found = _differences(_visible(before), _visible(after), ())
    return tuple(
        Change(path, mask_value(after, path, old), mask_value(after, path, new)) for path, old, new in found
    )


def same_state(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether two states are equal and owned by the same managers."""
    return _visible(before) == _visible(after) and _ownership(before) == _ownership(after)


def _visible(data: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in data.items() if name != "status"}
    kept["metadata"] = {
        name: value for name, value in data.get("metadata", {}).items() if name not in _SERVER_SIDE
    }
    return kept


def _ownership(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    entries = data.get("metadata", {}).get("managedFields") or ()
    stripped = ({name: value for name, value in entry.items() if name != "time"} for entry in entries)
    return sorted(stripped, key=lambda entry: (entry.get("manager", ""), str(entry)))


def _differences(before: Any, after: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            yield from _differences(before.get(name), after.get(name), (*path, name))
        return
    if isinstance(before, list) and isinstance(after, list) and (pairs := _aligned(before, after)):
        for name, old, new in pairs:
            yield from _differences(old, new, (*path, name))
        return
    yield path, before, after


def _aligned(before: list[Any], after: list[Any]) -> list[tuple[str | int, Any, Any]]:
    """Items of two lists side by side: by name where all have one, else by index if equally long."""
    if _all_named(before) and _all_named(after):
        old, new = (
            {item["name"]: item for item in before},
            {item["name"]: item for item in after},
        )
        return [(str(name), old.get(name), new.get(name)) for name in {**old, **new}]
    if len(before) == len(after):
        return [(index, *pair) for index, pair in enumerate(zip(before, after, strict=True))]
    return []


def _all_named(items: list[Any]) -> bool:
    names = [item.get("name") if isinstance(item, dict) else None for item in items]
    return all(isinstance(name, str) for name in names) and len(set(names)) == len(names)


def short(ref: ObjectRef) -> str:
    """`Kind/namespace/name`, the namespace left out where there is none: how people name an object."""
    return "/".join(part for part in (ref.kind, ref.namespace, ref.name) if part)
