"""Checks of what keeps an agent from making the cluster what Git says, seen across objects and deliveries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.agents.context import text
from gitops_layout.agents.delivery import Delivery
from gitops_layout.checks.delivered import Item, affected, delivered, metadata, place, places
from gitops_layout.checks.mending import add, put
from gitops_layout.checks.near import near_name
from gitops_layout.config import did_you_mean
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.model import Change, Hit, Path, Related
from gitops_layout.patterns import regexp
from gitops_layout.render.rendered import RenderedObject

__all__ = [
    "autoscaled_replicas",
    "blanket_no_prune",
    "forced",
    "jobs_unreplaced",
    "misspelt_annotation",
    "orphans",
    "unawaited",
]

Params = Mapping[str, Any]


def orphans(graph: Graph, params: Params) -> Iterator[Hit]:
    """Applications that another delivery brings, without the finalizer that deletes what they brought."""
    for item in delivered(graph).of("argoproj.io", "Application"):
        if item.delivery.agent not in ("argocd", "flux") or item.delivery.name == item.ref.name:
            continue  # a person applies it, and deletes it; or it brings itself
        finalizers = at(item.data, "metadata", "finalizers")
        listed = finalizers if isinstance(finalizers, list) else []
        if not any(str(name).startswith("resources-finalizer.argocd.argoproj.io") for name in listed):
            where = item.object.origin(("metadata", "name"))
            path = ("metadata", "finalizers")
            kept = add(item.object.origin, item.data, path, "resources-finalizer.argocd.argoproj.io")
            yield Hit(where, {"application": item.ref.name}, (), item.affected, kept)


_NAME = ("metadata", "name")
_WAITED_FOR = frozenset(
    {"Deployment", "StatefulSet", "DaemonSet", "Job", "HelmRelease", "Kustomization", "Certificate"}
)


def unawaited(graph: Graph, params: Params) -> Iterator[Hit]:
    """Dependencies of Kustomizations that are ready as soon as they are applied, whether what they bring runs or not."""
    known = {(d.home, f"{d.namespace}/{d.name}"): d for d in graph.deliveries if d.kind == "Kustomization"}
    for delivery in graph.deliveries:
        if delivery.agent != "flux" or delivery.kind != "Kustomization" or not delivery.depends_on:
            continue
        listed = at(delivery.object, "spec", "dependsOn")
        for index, entry in enumerate(listed if isinstance(listed, list) else ()):
            name = f"{text(at(entry, 'namespace')) or delivery.namespace}/{text(at(entry, 'name'))}"
            target = known.get((delivery.home, name))
            if target is None or target.sync.wait or at(entry, "readyExpr"):
                continue
            kinds = sorted({i.ref.kind for i in graph.rendered[target.id].objects} & _WAITED_FOR)
            if kinds:
                values = {"name": delivery.name, "target": target.name, "kinds": kinds[0]}
                here = place(delivery, "spec", "dependsOn", index, "name")
                other = (Related(here, f"{delivery.name} depends on it"),)
                where = place(target, "spec", "wait") if "wait" in target.places else place(target, *_NAME)
                waited = put(places(target), target.object, ("spec", "wait"), value=True)
                yield Hit(where, values, other, affected(target), waited)


_SCALED = {
    ("autoscaling", "HorizontalPodAutoscaler"): ("scaleTargetRef",),
    ("keda.sh", "ScaledObject"): ("scaleTargetRef",),
}


def autoscaled_replicas(graph: Graph, params: Params) -> Iterator[Hit]:
    """Workloads with a fixed number of replicas that an autoscaler of the same delivery changes."""
    here = delivered(graph)
    scalers = [(item, path) for kind, path in _SCALED.items() for item in here.of(*kind)]
    if not scalers:
        return
    workloads: dict[tuple[str, str, str, str], Item] = {}
    for item in here.of("apps", "Deployment", "StatefulSet"):
        if isinstance(at(item.data, "spec", "replicas"), int):
            workloads[item.delivery.id, item.namespace, item.ref.kind, item.ref.name] = item
    for scaler, path in scalers:
        target = at(scaler.data, "spec", *path)
        kind, name = text(at(target, "kind")) or "Deployment", text(at(target, "name")) or ""
        found = workloads.get((scaler.delivery.id, scaler.namespace, kind, name))
        if found is None or _leaves_replicas(found):
            continue
        values = {"kind": kind, "name": name, "scaler": f"{scaler.ref.kind} {scaler.ref.name}"}
        other = (Related(scaler.object.origin(("metadata", "name")), "the autoscaler"),)
        where = found.object.origin(("spec", "replicas"))
        gone = (Change("remove", where),) if where.path[-1:] == ("replicas",) else ()
        yield Hit(where, values, other, found.affected, gone)


def _leaves_replicas(item: Item) -> bool:
    """Whether the agent was told to leave the number alone, or writes it only with an upgrade of its chart."""
    delivery = item.delivery
    ignored = at(delivery.object, "spec", "ignoreDifferences") or at(
        delivery.object, "spec", "driftDetection", "ignore"
    )
    shared = str(metadata(item.data, "annotations").get("kustomize.toolkit.fluxcd.io/ssa", "")).lower()
    released = delivery.kind == "HelmRelease" and not delivery.sync.self_heal
    return released or "replicas" in str(ignored or "") or shared in ("merge", "ifnotpresent", "ignore")


_KNOWN = {
    "prune": ("disabled", "enabled"),
    "ssa": ("override", "merge", "ifnotpresent", "ignore"),
    "force": ("enabled", "disabled"),
    "substitute": ("disabled", "enabled"),
    "reconcile": ("disabled", "enabled"),
}
_FLUX = "kustomize.toolkit.fluxcd.io"
_CONTROLLERS = frozenset({"name", "namespace", "checksum", "digest", "origin", "revision"})


def misspelt_annotation(graph: Graph, params: Params) -> Iterator[Hit]:
    """Annotations and labels of Flux's own that Flux does not know, or with values that it does not know."""
    for item in (*delivered(graph).annotated.get(_FLUX, ()), *_roots(graph)):
        for field in ("annotations", "labels"):
            for key, value in metadata(item.data, field).items():
                domain, _, name = str(key).partition("/")
                if domain != _FLUX or name in _CONTROLLERS or "$" in str(value):
                    continue
                where = item.object.origin(("metadata", field, key))
                meant: tuple[Change, ...] = ()
                if name not in _KNOWN:
                    problem = f"{key}{did_you_mean(name, _KNOWN)}"
                    near = near_name(name, _KNOWN)
                    if near is not None and where.path[-1:] == (key,):
                        meant = (Change("rename", where, f"{domain}/{near}"),)
                elif str(value).lower() not in _KNOWN[name]:
                    problem = f"{value!r} as {key}{did_you_mean(str(value), _KNOWN[name])}"
                    near = near_name(str(value).lower(), _KNOWN[name])
                    meant = (Change("replace", where, near),) if near is not None else ()
                else:
                    continue
                values = {"problem": problem, "subject": key}
                yield Hit(where, values, item.named(where), item.affected, meant)


def _roots(graph: Graph) -> Iterator[Item]:
    """Flux's own objects that nothing brings, as somebody applies them."""
    for delivery in graph.deliveries:
        who = affected(delivery).object
        if delivery.agent == "flux" and delivery.origin is None and who is not None:
            own = RenderedObject(who, dict(delivery.object), places(delivery))
            yield Item(delivery, own, delivery.namespace)


_NO_PRUNE = (
    ("kustomize.toolkit.fluxcd.io/prune", "disabled"),
    ("argocd.argoproj.io/sync-options", "prune=false"),
)


def blanket_no_prune(graph: Graph, params: Params) -> Iterator[Hit]:
    """One line that forbids pruning for all objects of a delivery."""
    marked: dict[tuple[str, Any], list[Item]] = defaultdict(list)
    for domain in ("kustomize.toolkit.fluxcd.io", "argocd.argoproj.io"):
        for item in delivered(graph).annotated.get(domain, ()):
            for key, word in _NO_PRUNE:
                if word in str(metadata(item.data, "annotations").get(key, "")).lower():
                    marked[item.delivery.id, item.object.origin(("metadata", "annotations", key))].append(
                        item
                    )
    for (identity, where), items in marked.items():
        total = len(graph.rendered[identity].objects)
        if len(items) >= max(params["least"], params["share"] * total):
            values = {"count": len(items), "total": total, "name": items[0].delivery.name}
            yield Hit(where, values, (), affected(items[0].delivery))


_FIXED = regexp(r".*[0-9]")


def jobs_unreplaced(graph: Graph, params: Params) -> Iterator[Hit]:
    """Jobs whose template cannot be changed, and that nothing replaces when it is."""
    for item in delivered(graph).of("batch", "Job"):
        notes = metadata(item.data, "annotations")
        delivery = item.delivery
        replaced = (
            delivery.agent not in ("flux", "argocd")
            or delivery.kind != ("Kustomization" if delivery.agent == "flux" else "Application")
            or at(delivery.object, "spec", "force") is True
            or any("hook" in key for key in notes)
            or str(notes.get(f"{_FLUX}/force", "")).lower() == "enabled"
            or any(
                word in str(notes.get("argocd.argoproj.io/sync-options", "")) for word in ("Replace", "Force")
            )
            or any("Replace=true" in option or "Force=true" in option for option in delivery.sync.options)
            or at(item.data, "spec", "ttlSecondsAfterFinished") is not None
            or _FIXED.fullmatch(item.ref.name[-12:]) is not None
        )
        if not replaced and item.ref.name:
            path: Path = ("metadata", "name")
            yield Hit(
                item.object.origin(path), {"job": item.ref.name, "agent": delivery.agent}, (), item.affected
            )


_KEEPING = (("", "PersistentVolumeClaim"), ("apps", "StatefulSet"))


def forced(graph: Graph, params: Params) -> Iterator[Hit]:
    """Deliveries that delete and make anew what they cannot change, and bring what keeps data."""
    seen: set[str] = set()
    for group, kind in _KEEPING:
        for item in delivered(graph).of(group, kind):
            delivery = item.delivery
            if (
                delivery.id in seen
                or str(metadata(item.data, "annotations").get(f"{_FLUX}/force", "")) == "disabled"
            ):
                continue
            where = _forcing(delivery)
            if where is not None:
                seen.add(delivery.id)
                values = {
                    "source": delivery.name,
                    "what": f"{item.ref.kind} {item.ref.name}",
                    "subject": delivery.name,
                }
                other = Related(item.object.origin(_NAME), f"{item.ref.kind} {item.ref.name}")
                yield Hit(place(delivery, *where), values, (other,), affected(delivery))


def _forcing(delivery: Delivery) -> Path | None:
    """The field that has an agent delete what it cannot change."""
    if delivery.agent == "flux" and at(delivery.object, "spec", "force") is True:
        return ("spec", "force")
    options = delivery.sync.options
    if "Force=true" in options and "Replace=true" in options:
        return ("spec", "syncPolicy", "syncOptions", options.index("Force=true"))
    return None
