"""Keys of ConfigMaps and Secrets that pods read, against the keys that these hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from posixpath import dirname, join
from typing import Any

from gitops_layout.agents.context import text
from gitops_layout.checks.delivered import Item, delivered
from gitops_layout.checks.near import near_name
from gitops_layout.checks.objectlist import values_at
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.k8s.pods import containers, pod_spec
from gitops_layout.kustomize.model import Kustomization, find, mappings, strings
from gitops_layout.model import Hit, Path, Related
from gitops_layout.values import dataclass

__all__ = ["key_missing", "key_of_another_variable"]

_KINDS = {"secretKeyRef": "Secret", "configMapKeyRef": "ConfigMap"}
_VOLUMES = {"secret": ("Secret", "secretName"), "configMap": ("ConfigMap", "name")}
_WORKLOADS = (("", "Pod"), ("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "DaemonSet"),
              ("batch", "Job"), ("batch", "CronJob"), ("argoproj.io", "Rollout"))  # fmt: skip
_COPIED = ("reflect", "replicat", "replica", "kubed", "vault", "inject", "service-account-token")
"""Words of the annotations and types of objects whose keys somebody else writes."""

_MANY = 4
_DEEP = 40

_Target = tuple[str, str, str, str]
"""Cluster, kind, namespace, name."""


def key_missing(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Keys that a pod needs and that whatever declares the ConfigMap or Secret does not give it; where many of one object
    are missing, it was made in the wrong way, and that is one mistake.
    """
    reading = list(_reading(graph))
    held = _held(graph) if reading else {}
    for item, namespace, reads in reading:
        missing: dict[tuple[str, str], list[Hit]] = {}
        for kinds, name, key, path in reads:
            sources = [(item.delivery.cluster, kind, namespace, name) for kind in kinds]
            found = [each for source in sources for each in held.get(source, ())]
            kind = "ConfigMap" if found and found[0][0].ref.kind == "ConfigMap" else kinds[0]
            known = [keys for _, keys in found]
            if not known or any(keys is None or key in keys for keys in known) or "${" in key:
                continue
            names = sorted({other for keys in known for other in keys or ()})
            near = near_name(key, names)
            has = f'did you mean "{near}"?' if near else f"it has {', '.join(names[:5])}"
            maker = found[0][0]
            values = {
                "from": item.ref.kind, "source": item.ref.name, "kind": kind, "name": name, "key": key, "has": has,
                "maker": maker.ref.kind, "subject": f"{name}: {key}",
            }  # fmt: skip
            place = item.object.origin(path)
            related = Related(maker.object.origin(("metadata", "name")), f"{maker.ref.kind} {maker.ref.name}")
            missing.setdefault((kind, name), []).append(Hit(place, values, (related,), item.affected))
        for hits in missing.values():
            keys = list(dict.fromkeys(str(hit.values["key"]) for hit in hits))
            if len(keys) < _MANY:
                yield from hits
            else:
                yield replace(
                    hits[0], values={**hits[0].values, "key": f"{keys[0]} and {len(keys) - 1} more"}
                )


_Read = tuple[tuple[str, ...], str, str, Path]
"""The kinds that may be meant, name, key, and the key's path."""


def _reading(graph: Graph) -> Iterator[tuple[Item, str, list[_Read]]]:
    """Whatever reads keys, the namespace that it reads them in, and the keys."""
    workloads = {(group, kind) for group, kind in _WORKLOADS}
    for item in delivered(graph):
        if (item.ref.group, item.ref.kind) in workloads:
            yield (
                item,
                item.namespace,
                [((kind,), name, key, path) for kind, name, key, path in _read(item.data)],
            )
        elif "." in item.ref.group and item.namespace and "spec" in item.data:
            released = at(item.data, "spec", "targetNamespace") if item.ref.kind == "HelmRelease" else None
            yield item, text(released) or item.namespace, list(_selected(item.data["spec"], ("spec",)))


def _selected(data: Any, path: Path) -> Iterator[_Read]:
    """Keys of ConfigMaps and Secrets that a custom resource, or the values of a release, select: `{name, key}`."""
    if len(path) > _DEEP:
        return
    if isinstance(data, list):
        for index, value in enumerate(data):
            if isinstance(value, dict | list):
                yield from _selected(value, (*path, index))
    elif isinstance(data, dict):
        name, key, field = data.get("name"), data.get("key"), path[-1]
        if isinstance(name, str) and isinstance(key, str) and isinstance(field, str):
            given = data.keys() <= {"name", "key", "optional"} and data.get("optional") is not True
            kinds = (_KINDS[field],) if field in _KINDS else ("Secret", "ConfigMap")
            if given:
                yield kinds, name, key, (*path, "key")
        for step, value in data.items():
            if isinstance(value, dict | list):
                yield from _selected(value, (*path, step))


def key_of_another_variable(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Variables that read another variable's key while the source has a key of their own name that nothing reads."""
    readers = [item for group, kind in _WORKLOADS for item in delivered(graph).of(group, kind)]
    twice = [(item, found) for item in readers for found in _twice(item.data)]
    held = _held(graph) if twice else {}
    for item, (kind, name, first, second) in twice:
        known = [keys for _, keys in held.get((item.delivery.cluster, kind, item.namespace, name), [])]
        if not known or any(keys is None for keys in known):
            continue
        keys = frozenset(key for found in known for key in found or ())
        if _slipped(first, second, keys):
            related = (Related(item.object.origin(first.path), f"{first.variable} reads it too"),)
            yield Hit(item.object.origin(second.path), _slip(second, kind, name), related, item.affected)
    yield from _beside_a_generator(graph)


def _beside_a_generator(graph: Graph) -> Iterator[Hit]:
    """The same in a manifest whose kustomization generates the source, where the overlays that build it change it."""
    kinds = {kind for _, kind in _WORKLOADS}
    for resource in graph.repo.resources:
        for kind, name, first, second in _twice(resource.data) if resource.ref.kind in kinds else ():
            if _slipped(first, second, _generated(graph, dirname(resource.file), kind, name)):
                related = (Related(resource.location.at(*first.path), f"{first.variable} reads it too"),)
                yield Hit(resource.location.at(*second.path), _slip(second, kind, name), related)


def _slipped(first: _Variable, second: _Variable, keys: AbstractSet[str]) -> bool:
    """Whether the second of two variables that read one key has a key of its own name among `keys`, which nothing reads."""
    own = second.variable
    return own in keys and own not in second.read and first.variable != own


def _slip(second: _Variable, kind: str, name: str) -> dict[str, object]:
    return {
        "variable": second.variable,
        "key": second.key,
        "kind": kind,
        "name": name,
        "subject": second.variable,
    }


def _generated(graph: Graph, folder: str, kind: str, name: str) -> set[str]:
    """The keys that a folder's kustomization generates of a ConfigMap or Secret."""
    found = find(graph.repo, folder)
    field = "configMapGenerator" if kind == "ConfigMap" else "secretGenerator"
    keys: set[str] = set()
    for generator, _ in mappings(found.data, field) if isinstance(found, Kustomization) else ():
        if generator.get("name") != name:
            continue
        keys |= {entry.partition("=")[0] for entry, _ in strings(generator, "literals")}
        files = [entry for entry, _ in strings(generator, "envs")] + [text(generator.get("env")) or ""]
        for file in filter(None, files):
            lines = graph.repo.text(join(folder, file)).split("\n")
            keys |= {
                line.partition("=")[0].strip() for line in lines if "=" in line and not line.startswith("#")
            }
    return keys


@dataclass(frozen=True, slots=True)
class _Variable:
    """A variable of a container that reads `key`; `read` are the keys that the container reads of that source."""

    variable: str
    key: str
    path: Path
    read: frozenset[str]


def _twice(data: dict[str, Any]) -> Iterator[tuple[str, str, _Variable, _Variable]]:
    """Kind and name of a source, and two variables of a container that read one key of it."""
    for container in containers(data):
        sources: dict[tuple[str, str], list[tuple[str, str, Path]]] = {}
        for entry, where in values_at(container.data, "env[]"):
            for field, kind in _KINDS.items():
                ref = at(entry, "valueFrom", field)
                name, key, variable = text(at(ref, "name")), text(at(ref, "key")), text(at(entry, "name"))
                if name and key and variable:
                    path = (*container.path, *where, "valueFrom", field, "key")
                    sources.setdefault((kind, name), []).append((variable, key, path))
        for (kind, name), found in sources.items():
            read = frozenset(key for _, key, _ in found)
            seen: dict[str, _Variable] = {}
            for variable, key, path in found:
                one = _Variable(variable, key, path, read)
                if key in seen:
                    yield kind, name, seen[key], one
                seen.setdefault(key, one)


def _read(data: dict[str, Any]) -> Iterator[tuple[str, str, str, Path]]:
    """(kind, name, key, its path) of every key that a pod cannot start without."""
    found = pod_spec(data)
    if found is None:
        return
    spec, base = found
    for section in ("containers", "initContainers"):
        for source, where in values_at(spec, f"{section}[].env[].valueFrom"):
            for field, kind in _KINDS.items():
                ref = at(source, field)
                name, key = text(at(ref, "name")), text(at(ref, "key"))
                if name and key and at(ref, "optional") is not True:
                    yield kind, name, key, (*base, *where, field, "key")
    for volume, where in values_at(spec, "volumes[]"):
        for field, (kind, called) in _VOLUMES.items():
            ref = at(volume, field)
            name = text(at(ref, called))
            if name and at(ref, "optional") is not True:
                for key, below in values_at(ref, "items[].key"):
                    if isinstance(key, str):
                        yield kind, name, key, (*base, *where, field, *below)


def _held(graph: Graph) -> dict[_Target, list[tuple[Item, frozenset[str] | None]]]:
    """What declares each ConfigMap and Secret, with its keys; None where they are not all known."""
    held: dict[_Target, list[tuple[Item, frozenset[str] | None]]] = {}
    makers = delivered(graph)
    for item in [
        *makers.of("", "ConfigMap", "Secret"),
        *makers.of("bitnami.com", "SealedSecret"),
        *makers.of("external-secrets.io", "ExternalSecret"),
        *makers.of("cert-manager.io", "Certificate"),
        *makers.of("fluxcd.controlplane.io", "ResourceSet"),
    ]:
        kind = "ConfigMap" if item.ref.kind == "ConfigMap" else "Secret"
        key = (item.delivery.cluster, kind, item.namespace, _made(item))
        held.setdefault(key, []).append((item, _keys(item.data)))
    return held


def _made(item: Item) -> str:
    match item.data:
        case {"kind": "SealedSecret", "spec": {"template": {"metadata": {"name": str(name)}}}}:
            return name
        case {"kind": "ExternalSecret", "spec": {"target": {"name": str(name)}}}:
            return name
        case {"kind": "Certificate", "spec": {"secretName": str(name)}}:
            return name
    return item.ref.name


def _keys(data: Mapping[str, Any]) -> frozenset[str] | None:
    said = [
        *(at(data, "metadata", "annotations") or ()),
        *(at(data, "metadata", "labels") or ()),
        str(data.get("type")),
    ]
    if any(word in str(name) for name in said for word in _COPIED):
        return None
    match data:
        case {"kind": "ConfigMap" | "Secret"}:
            found = _union(data, "data", "stringData", "binaryData")
        case {"kind": "SealedSecret", "spec": dict(spec)}:
            template = spec.get("template") or {}
            found = _union(spec, "encryptedData") | _union(template, "data", "stringData")
        case {"kind": "ExternalSecret", "spec": dict(spec)}:
            found = _external(spec)
        case _:
            return None
    return found or None  # an empty one waits for somebody to fill it


def _union(data: Any, *fields: str) -> frozenset[str]:
    return frozenset(str(key) for field in fields for key in (at(data, field) or ()))


def _external(spec: Mapping[str, Any]) -> frozenset[str]:
    """The keys of a Secret that External Secrets makes; none where a store or a template in a ConfigMap names them."""
    template = at(spec, "target", "template")
    if (
        spec.get("dataFrom")
        or at(template, "templateFrom")
        or at(spec, "target", "creationPolicy") == "Merge"
    ):
        return frozenset()
    listed = spec.get("data")
    own = frozenset(str(at(entry, "secretKey")) for entry in (listed if isinstance(listed, list) else ()))
    return own | _union(template, "data")
