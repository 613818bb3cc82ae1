"""What a change does to objects that run: which are deleted, left behind, handed over, or made anew. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from gitops_layout.fields import at
from gitops_layout.k8s.immutable import immutable_paths, may_be_recreated
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from gitops_layout.agents.delivery import Delivery
    from gitops_layout.diff.compare import DeliveryDiff
    from gitops_layout.diff.objects import FieldChange, ObjectChange
    from gitops_layout.model import ObjectRef, Path

__all__ = ["Effect", "What", "effects"]

_FINALIZER = "resources-finalizer.argocd.argoproj.io"
_PROTECTED = (
    ("kustomize.toolkit.fluxcd.io/prune", "disabled"),
    ("helm.sh/resource-policy", "keep"),
    ("client.lifecycle.config.k8s.io/deletion", "detach"),
)


class What(StrEnum):
    """What becomes of an object that runs."""

    PRUNED = "pruned"
    ORPHANED = "orphaned"
    MOVED = "moved"
    RECREATED = "recreated"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Effect:
    """One object, what becomes of it as its agent acts, and why; `to` is the delivery that takes it over."""

    what: What
    ref: ObjectRef
    delivery: str
    why: str
    to: str | None = None
    path: Path = ()
    """The field that cannot change."""


def effects(found: Iterable[DeliveryDiff]) -> Iterator[Effect]:
    """The effects of what `compare` found, in its order; objects that only come have none."""
    found = list(found)
    taken = {
        (side.cluster, _key(change.ref)): delivery.id
        for delivery in found
        if (side := delivery.after) is not None
        for change in delivery.objects
        if change.before is None
    }
    for delivery in found:
        before = delivery.before
        for change in delivery.objects if before is not None else ():
            assert before is not None
            if change.after is None:
                to = taken.get((before.cluster, _key(change.ref)))
                yield _removed(delivery, before, change, to)
            elif field := _frozen(change):
                yield _changed(delivery.after or before, change, field)


def _key(ref: ObjectRef) -> tuple[str, str, str, str]:
    return ref.group, ref.kind, ref.namespace, ref.name


def _removed(delivery: DeliveryDiff, before: Delivery, change: ObjectChange, to: str | None) -> Effect:
    data = change.before or {}
    if to is not None:
        return Effect(What.MOVED, change.ref, delivery.id, f"{to} brings it from now on", to)
    if reason := _kept(data, before):
        return Effect(What.ORPHANED, change.ref, delivery.id, reason)
    if delivery.after is not None:
        if before.sync.prune:
            return Effect(What.PRUNED, change.ref, delivery.id, "no longer in the repository")
        return Effect(What.ORPHANED, change.ref, delivery.id, "its delivery does not prune")
    if before.agent == "argocd":
        finalizers = at(before.object, "metadata", "finalizers")
        if any(str(name).startswith(_FINALIZER) for name in finalizers or ()):
            return Effect(What.PRUNED, change.ref, delivery.id, "its Application goes, and cascades")
        return Effect(What.ORPHANED, change.ref, delivery.id, "its Application goes without a finalizer")
    if before.agent == "flux" and (before.sync.prune or before.kind == "HelmRelease"):
        return Effect(What.PRUNED, change.ref, delivery.id, f"its {before.kind} goes")
    return Effect(What.ORPHANED, change.ref, delivery.id, "its delivery goes, and prunes nothing")


def _kept(data: Mapping[str, Any], delivery: Delivery) -> str | None:
    """What protects the object from being pruned, None where nothing does."""
    annotations = at(data, "metadata", "annotations")
    labels = at(data, "metadata", "labels")
    for source in (annotations, labels):
        for key, value in _PROTECTED:
            if isinstance(source, dict) and str(source.get(key, "")).lower() == value:
                return f"{key}: {value} protects it"
    if delivery.agent == "argocd" and "Prune=false" in _sync_options(data):
        return "the sync option Prune=false protects it"
    return None


def _sync_options(data: Mapping[str, Any]) -> tuple[str, ...]:
    text = at(data, "metadata", "annotations", "argocd.argoproj.io/sync-options")
    return tuple(option.strip() for option in text.split(",")) if isinstance(text, str) else ()


def _frozen(change: ObjectChange) -> FieldChange | None:
    """The first field that differs and that no live object may change."""
    for path in immutable_paths(change.ref.group, change.ref.kind):
        name = ".".join(map(str, path))
        for field in change.fields:
            if field.where == name or field.where.startswith((f"{name}.", f"{name}[")):
                return field
    return None


def _changed(delivery: Delivery, change: ObjectChange, field: FieldChange) -> Effect:
    options = (*delivery.sync.options, *_sync_options(change.after or {}))
    forced = at(delivery.object, "spec", "force") is True or "Force=true" in options
    forced = forced or at(change.after, "metadata", "annotations", "kustomize.toolkit.fluxcd.io/force") in (
        "enabled",
        "Enabled",
    )
    if forced:
        loss = "" if may_be_recreated(change.ref.kind) else ", with what it holds"
        why = f"{field.where} cannot change, and the delivery is forced: deleted and created anew{loss}"
        return Effect(What.RECREATED, change.ref, delivery.id, why, path=field.path)
    why = f"{field.where} cannot change on an object that exists: the API server refuses it"
    return Effect(What.REFUSED, change.ref, delivery.id, why, path=field.path)
