"""What Argo CD reads in Applications, their projects, and the annotations of what they bring."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

from gitops_layout.agents import argocd
from gitops_layout.agents.argocd import sources
from gitops_layout.agents.argocd.phases import phases, wave
from gitops_layout.agents.context import text
from gitops_layout.agents.delivery import Delivery
from gitops_layout.checks.flux import place_of
from gitops_layout.checks.mending import put
from gitops_layout.checks.near import near_name
from gitops_layout.checks.objectlist import values_at
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.k8s.pods import containers, pod_spec
from gitops_layout.model import Affected, Change, Hit, Location, ObjectRef, Path, Related
from gitops_layout.patterns import regexp
from gitops_layout.render.rendered import RenderedObject
from gitops_layout.repo.model import Repo, is_yaml

__all__ = [
    "applications",
    "duplicate_application",
    "options_of",
    "own_hit",
    "reads_no_manifest",
    "source_shape",
    "sync_option",
    "too_big",
    "unknown_hook",
    "validate_off",
    "values_ref",
    "wave_disorder",
    "wave_invalid",
]

Params = Mapping[str, Any]

_ANNOTATION = "argocd.argoproj.io/"
_BOOLEAN = frozenset(
    {
        "ApplyOutOfSyncOnly", "ClientSideApplyMigration", "CreateNamespace", "FailOnSharedResource", "Force", "PruneLast",
        "Replace", "RespectIgnoreDifferences", "ServerSideApply", "SkipDryRunOnMissingResource", "Validate",
    }
)  # fmt: skip
_WORDS = {
    **dict.fromkeys(_BOOLEAN, ("true", "false")),
    "Delete": ("true", "false", "confirm"),
    "Prune": ("true", "false", "confirm"),
    "PrunePropagationPolicy": ("foreground", "background", "orphan"),
}
_HOOKS = ("PreSync", "Sync", "PostSync", "SyncFail", "Skip", "PreDelete", "PostDelete")
_POLICIES = ("HookSucceeded", "HookFailed", "BeforeHookCreation")
_LIMIT = 262_144
_URL = regexp(r"[\w+.-]+://|[\w.-]+@[\w.-]+:[\w.~-]+/")
"""With a scheme, or as ssh has it: neither a revision nor a path in a repository looks so."""


def applications(graph: Graph) -> Iterator[Delivery]:
    """The Applications, whole ones only: what a patch completes is judged as its parent renders it."""
    for delivery in graph.deliveries:
        if delivery.agent == "argocd" and not (
            delivery.origin is None and argocd.is_partial(delivery.object)
        ):
            yield delivery


def own_hit(delivery: Delivery, path: Path, *changes: Change, **values: object) -> Hit:
    """A hit at a field of an agent's object, and what would mend it."""
    ref = ObjectRef("argoproj.io/v1alpha1", delivery.kind, delivery.namespace, delivery.name)
    affected = Affected(ref, delivery.id, delivery.environment, delivery.cluster)
    return Hit(place_of(delivery, *path), {"source": delivery.name, **values}, (), affected, changes)


def _brought(graph: Graph) -> Iterator[tuple[Delivery, RenderedObject]]:
    for delivery in graph.deliveries:
        if delivery.agent == "argocd":
            for item in graph.rendered[delivery.id].objects:
                yield delivery, item


def _annotated(graph: Graph, name: str) -> Iterator[tuple[Delivery, RenderedObject, Any, Path]]:
    key = _ANNOTATION + name
    for delivery, item in _brought(graph):
        annotations = at(item.data, "metadata", "annotations")
        if isinstance(annotations, dict) and key in annotations:
            yield delivery, item, annotations[key], ("metadata", "annotations", key)


def _object_hit(
    delivery: Delivery, item: RenderedObject, path: Path, *changes: Change, **values: object
) -> Hit:
    affected = Affected(item.ref, delivery.id, delivery.environment, delivery.cluster)
    shown = {"source": f"{item.ref.kind} {item.ref.name}", **values}
    return Hit(item.origin(path), shown, (), affected, changes)


def _instead(place: Location, written: Any, word: str, near: str | None) -> tuple[Change, ...]:
    """One word of a list in a text changed for the one that was meant."""
    if near is None:
        return ()
    parts = [part.strip() for part in str(written).split(",")]
    return (Change("replace", place, ",".join(near if part == word else part for part in parts)),)


def sync_option(graph: Graph, params: Params) -> Iterator[Hit]:
    """Sync options that Argo CD does not know, and therefore passes over."""
    for delivery in applications(graph):
        options = at(delivery.object, "spec", "syncPolicy", "syncOptions")
        for index, option in enumerate(options if isinstance(options, list) else ()):
            wrong = _wrong_option(option)
            if wrong is not None:
                here = ("spec", "syncPolicy", "syncOptions", index)
                meant = _instead(place_of(delivery, *here), option, str(option).strip(), _meant(option))
                yield own_hit(delivery, here, *meant, what=wrong, subject=str(option))
    for delivery, item, value, path in _annotated(graph, "sync-options"):
        for option in str(value).split(","):
            wrong = _wrong_option(option.strip()) if option.strip() else None
            if wrong is not None:
                meant = _instead(item.origin(path), value, option.strip(), _meant(option.strip()))
                yield _object_hit(delivery, item, path, *meant, what=wrong, subject=option)


def _wrong_option(option: Any) -> str | None:
    if not isinstance(option, str) or "{{" in option or "${" in option:
        return None
    name, sign, value = option.partition("=")
    if name not in _WORDS:
        near = _near(name, _WORDS)
        return f'"{option}"' + (f' (did you mean "{near}=…"?)' if near else "")
    if not sign or value not in _WORDS[name]:
        return f'"{option}" (known: {", ".join(f"{name}={word}" for word in _WORDS[name])})'
    return None


def _near(word: str, known: Iterable[str]) -> str | None:
    """The known word that was meant, capitals aside at first."""
    return next((one for one in known if one.lower() == word.strip().lower()), None) or near_name(word, known)


def _meant(option: str) -> str | None:
    """The sync option that was meant, name and value; None where either is unlike all that are known."""
    name, _, value = option.partition("=")
    known = name if name in _WORDS else _near(name, _WORDS)
    word = _near(value, _WORDS[known]) if known is not None and value else None
    return f"{known}={word}" if word is not None else None


def validate_off(graph: Graph, params: Params) -> Iterator[Hit]:
    """Applications that switch the validation by the API server's schema off."""
    for delivery in applications(graph):
        options = at(delivery.object, "spec", "syncPolicy", "syncOptions")
        for index, option in enumerate(options if isinstance(options, list) else ()):
            if option == "Validate=false":
                path = ("spec", "syncPolicy", "syncOptions", index)
                gone = Change("remove", place_of(delivery, *path))
                yield own_hit(delivery, path, gone, subject=delivery.name)


def unknown_hook(graph: Graph, params: Params) -> Iterator[Hit]:
    """Hook types and delete policies that Argo CD does not know."""
    for name, known in (("hook", _HOOKS), ("hook-delete-policy", _POLICIES)):
        for delivery, item, value, path in _annotated(graph, name):
            for word in (part.strip() for part in str(value).split(",")):
                if word and word not in known and "${" not in word:
                    near = _near(word, known)
                    told = f' (did you mean "{near}"?)' if near else f"; known: {', '.join(known)}"
                    meant = _instead(item.origin(path), value, word, near)
                    yield _object_hit(
                        delivery, item, path, *meant, what=f'{name} "{word}"{told}', subject=word
                    )


def wave_invalid(graph: Graph, params: Params) -> Iterator[Hit]:
    """Sync waves that are no whole number, so that Argo CD takes 0 for them."""
    for delivery, item, value, path in _annotated(graph, "sync-wave"):
        wrong = not isinstance(value, str) or not re.fullmatch(r"[+-]?\d{1,9}", value)
        if wrong and "${" not in str(value):
            whole = re.fullmatch(r"[+-]?\d{1,9}", str(value).strip()) is not None
            quoted = (Change("replace", item.origin(path), str(value).strip()),) if whole else ()
            yield _object_hit(delivery, item, path, *quoted, wave=value, subject=str(item.ref))


def wave_disorder(graph: Graph, params: Params) -> Iterator[Hit]:
    """Objects that are applied in an earlier wave than their namespace, their kind's definition, or their account."""
    for delivery in graph.deliveries:
        if delivery.agent != "argocd":
            continue
        objects = [item for item in graph.rendered[delivery.id].objects if "Sync" in phases(item.data)]
        if all(wave(item.data) == 0 for item in objects):
            continue
        first = {key: item for item in objects for key in _serves(item)}
        made = ("Namespace", "", delivery.created_namespace)
        skip = "SkipDryRunOnMissingResource=true" in delivery.sync.options
        for item in objects:
            for key in _wants(item):
                if (skip and key[0] == "CustomResourceDefinition") or key == made:
                    continue
                before = first.get(key)
                if before is not None and wave(before.data) > wave(item.data):
                    hit = _object_hit(
                        delivery,
                        item,
                        ("metadata", "name"),
                        wave=wave(item.data),
                        later=f"{before.ref.kind} {before.ref.name}",
                        later_wave=wave(before.data),
                        subject=str(item.ref),
                    )
                    path = ("metadata", "annotations", f"{_ANNOTATION}sync-wave")
                    yield replace(
                        hit,
                        related=(Related(before.origin(("metadata", "name")), "comes later"),),
                        changes=put(item.origin, item.data, path, str(wave(before.data))),
                    )
                    break


def _serves(item: RenderedObject) -> Iterator[tuple[str, str, str]]:
    match item.ref.kind:
        case "Namespace":
            yield "Namespace", "", item.ref.name
        case "CustomResourceDefinition":
            group, kind = at(item.data, "spec", "group"), at(item.data, "spec", "names", "kind")
            yield "CustomResourceDefinition", str(group), str(kind)
        case "ServiceAccount" | "ConfigMap" | "Secret" | "PersistentVolumeClaim":
            yield item.ref.kind, item.ref.namespace, item.ref.name
        case "SealedSecret" | "ExternalSecret":
            target = text(at(item.data, "spec", "target", "name"))
            yield "Secret", item.ref.namespace, target or item.ref.name


def _wants(item: RenderedObject) -> Iterator[tuple[str, str, str]]:
    if item.ref.namespace:
        yield "Namespace", "", item.ref.namespace
    if item.ref.group:
        yield "CustomResourceDefinition", item.ref.group, item.ref.kind
    pod = pod_spec(item.data)
    if pod is not None and (name := text(pod[0].get("serviceAccountName"))):
        yield "ServiceAccount", item.ref.namespace, name
    if pod is not None and item.ref.kind in _AWAITED and at(item.data, "spec", "replicas") != 0:
        for kind, name in _at_start(item, pod[0]):
            yield kind, item.ref.namespace, name


_AWAITED = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job", "Pod", "Rollout"})
"""The kinds whose pods have to run before Argo CD begins the next wave."""
_VOLUMES = (
    ("ConfigMap", "configMap", "name"), ("Secret", "secret", "secretName"), ("PersistentVolumeClaim", "persistentVolumeClaim", "claimName"),
)  # fmt: skip


def _at_start(item: RenderedObject, pod: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What has to be there before a container of the pods is started: kind and name."""
    for volume, _ in values_at(pod, "volumes[]"):
        for kind, field, key in _VOLUMES:
            name = text(at(volume, field, key))
            if name and at(volume, field, "optional") is not True:
                yield kind, name
    for container in containers(item.data):
        for path, field, kind in (
            ("envFrom[]", "configMapRef", "ConfigMap"), ("envFrom[]", "secretRef", "Secret"),
            ("env[].valueFrom", "configMapKeyRef", "ConfigMap"), ("env[].valueFrom", "secretKeyRef", "Secret"),
        ):  # fmt: skip
            for source, _ in values_at(container.data, path):
                name = text(at(source, field, "name"))
                if name and at(source, field, "optional") is not True:
                    yield kind, name


def values_ref(graph: Graph, params: Params) -> Iterator[Hit]:
    """Value files that begin with the name of a source which the Application does not have."""
    for delivery in applications(graph):
        listed = sources.listed(delivery.object.get("spec"))
        known = {name for name, _ in sources.references(listed)}
        for path, source in listed:
            files = at(source, "helm", "valueFiles")
            for index, file in enumerate(files if isinstance(files, list) else ()):
                if (
                    not isinstance(file, str)
                    or not file.startswith("$")
                    or file.startswith(("${", "$ARGOCD"))
                ):
                    continue
                name = file.partition("/")[0]
                if name not in known:
                    near = near_name(name, known)
                    told = f' (did you mean "{near}"?)' if near else ""
                    place = (*path, "helm", "valueFiles", index)
                    yield own_hit(delivery, place, file=file, name=name, near=told, subject=file)


def source_shape(graph: Graph, params: Params) -> Iterator[Hit]:
    """Sources and destinations that Argo CD refuses for their shape."""
    for delivery in applications(graph):
        spec = delivery.object.get("spec")
        if delivery.source.url is not None and "${" in delivery.source.url:
            continue
        for path, source in sources.listed(spec):
            if not any(source.get(name) for name in ("path", "chart", "ref")) and "drySource" not in path:
                yield own_hit(delivery, path, what="names neither path nor chart", subject=str(path))
            elif source.get("chart") and not source.get("targetRevision"):
                yield own_hit(
                    delivery, (*path, "chart"), what="has a chart without targetRevision", subject=str(path)
                )
            for field, is_no in (("targetRevision", "name of a revision"), ("path", "path")):
                value = text(source.get(field)) or ""
                if _URL.match(value) and not any(mark in value for mark in ("${", "{{")):
                    name = "revision" if field == "targetRevision" else field
                    what = f"asks for the {name} {value}, which is a URL and no {is_no}"
                    yield own_hit(delivery, (*path, field), what=what, subject=f"{path} {name}")
        where = ("spec", "destination")
        if text(at(spec, "destination", "server")) and text(at(spec, "destination", "name")):
            what = "has a destination with both name and server"
            yield own_hit(delivery, (*where, "server"), what=what, subject="destination")
        wrong = sources.mistake(spec)
        if wrong is not None:
            yield own_hit(delivery, wrong[1], what=f"is refused: {wrong[0]}", subject=wrong[0])


def duplicate_application(graph: Graph, params: Params) -> Iterator[Hit]:
    """Applications of one name in one file, which nothing renders: the second takes the first one's place."""
    read = set(chain.from_iterable(rendered.files for rendered in graph.rendered.values()))
    seen: dict[tuple[str, str, str], Location] = {}
    for resource in graph.repo.resources:
        if resource.ref.group != argocd.GROUP or resource.ref.kind != "Application" or resource.file in read:
            continue
        if not resource.ref.name:
            continue
        key = (resource.file, resource.ref.namespace, resource.ref.name)
        here = resource.location.at("metadata", "name")
        if key in seen and (graph.is_live(resource.file) or graph.is_live(seen[key].file)):
            values = {"source": resource.ref.name, "subject": resource.ref.name}
            yield Hit(here, values, (Related(seen[key], "the other one"),), Affected(resource.ref))
        seen.setdefault(key, here)


def options_of(delivery: Delivery, data: Mapping[str, Any]) -> frozenset[str]:
    """The sync options that Argo CD applies an object with: the Application's, and those of its own annotation."""
    own = str(at(data, "metadata", "annotations", f"{_ANNOTATION}sync-options") or "")
    return frozenset((*delivery.sync.options, *(option.strip() for option in own.split(","))))


def too_big(graph: Graph, params: Params) -> Iterator[Hit]:
    """Objects larger than the annotation that a client-side apply keeps them in may be."""
    for delivery, item in _brought(graph):
        if item.ref.kind not in ("ConfigMap", "CustomResourceDefinition", "Secret"):
            continue
        if options_of(delivery, item.data) & {"ServerSideApply=true", "Replace=true"}:
            continue
        size = len(json.dumps(item.data, separators=(",", ":"), ensure_ascii=False, default=str).encode())
        if size > _LIMIT:
            yield _object_hit(delivery, item, ("metadata", "name"), size=size, subject=str(item.ref))


def reads_no_manifest(graph: Graph, params: Params) -> Iterator[Hit]:
    """Applications that read the files of a folder alone, which has none, while manifests lie in the folders below."""
    for delivery in applications(graph):
        path = delivery.source.path
        if delivery.renderer != "directory" or delivery.parts or not path or not delivery.source.local:
            continue
        rendered = graph.rendered[delivery.id]
        narrowed = {"recurse", "include", "exclude"} & set(at(delivery.options, "directory") or ())
        if rendered.objects or rendered.failure is not None or rendered.unseen or narrowed:
            continue
        folder = graph.repo.resolve(path) or path
        below = next((file for file in graph.repo.under(folder) if _holds_objects(graph.repo, file)), None)
        if below is not None:
            where = delivery.place("path").path[len(delivery.root.path) :]
            hit = own_hit(delivery, where, folder=path, subject=path)
            yield replace(hit, related=(Related(Location(below), "lies below it"),))


def _holds_objects(repo: Repo, file: str) -> bool:
    return is_yaml(file) and any(resource.ref.name for resource in repo.objects(file))
