"""Checks that compare an application's environments: what leaks from one into another, and what one of them lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.checks.counterparts import Application, ObjectKey, applications, contains, leaves, slips
from gitops_layout.checks.delivered import affected
from gitops_layout.graph.model import Graph
from gitops_layout.kustomize.model import FILE_NAMES
from gitops_layout.model import Affected, Hit, Location, Related
from gitops_layout.patterns import regexp
from gitops_layout.render.rendered import RenderedObject

__all__ = ["literal_leak", "missing_object", "security_drift"]

Params = Mapping[str, Any]
_MAIL = regexp(r"(@[\w.-]{0,200})\.[\w-]+(?![\w.-])")
_HOST = regexp(r"([\w-]+\.)?([\w-]+)\.(?:app|dev|live|local|test)(?![\w.-])(:\d+)?")
"""Hosts below top-level domains that are called like environments."""
_FREE = ("description", "comment", "summary", "message")


def literal_leak(graph: Graph, params: Params) -> Iterator[Hit]:
    """Values that hold another environment's name where that environment, and all others, have their own."""
    yield from slips(graph, _literal_leaks(graph))


def _literal_leaks(graph: Graph) -> Iterator[Hit]:
    for application in applications(graph):
        names = [name for name in application.deliveries if len(name) > 2]
        named = re.compile("|".join(map(re.escape, names)) or r"(?!)")
        written = {own: _texts(application.objects[own], named) for own in names}
        for own in names:
            for key, values in written[own].items():
                for called, (item, path, value) in values.items():
                    other = _foreign(written, key, called, own, value)
                    if other is None:
                        continue
                    place = item.origin(path)
                    if len(written) == 2 and not contains(place.file, own):
                        continue  # of two, only an environment's own file shows whose value it is
                    there = written[other][key][called]
                    if place == there[0].origin(there[1]):
                        continue  # a variable says so: it is reported where its value is written
                    related = (Related(there[0].origin(there[1]), f"the same in {other}"),)
                    delivery = application.deliveries[own]
                    who = Affected(item.ref, delivery.id, own, delivery.cluster)
                    words = {
                        "own": own,
                        "other": other,
                        "value": value,
                        "object": f"{item.ref.kind} {item.ref.name}",
                    }
                    yield Hit(place, {**words, "subject": f"{own}: {value}"}, related, who)


_Texts = dict[ObjectKey, dict[tuple[str, ...], tuple[RenderedObject, tuple[Any, ...], str]]]


def _texts(objects: Mapping[ObjectKey, RenderedObject], named: re.Pattern[str]) -> _Texts:
    """The short texts of each object in which an environment is named; of Secrets and prose none."""
    found: _Texts = {}
    for key, item in objects.items():
        if item.ref.kind in ("Secret", "CustomResourceDefinition"):
            continue
        found[key] = {
            called: (item, path, value)
            for called, path, value in leaves(item.data)
            if isinstance(value, str)
            and len(value) < 200
            and named.search(value)
            and "\n" not in value
            and called[-1] not in _FREE
        }
    return found


def _foreign(
    written: Mapping[str, _Texts], key: ObjectKey, called: tuple[str, ...], own: str, value: str
) -> str | None:
    """The environment whose name stands in a value: it has the very same, and every third one its own name there."""
    others = {name: written[name].get(key, {}).get(called) for name in written if name != own}
    for other, there in others.items():
        if there is None or there[2] != value or contains(value, own):
            continue
        if not contains(_without_top_level(value), other):
            continue
        thirds = [(name, found[2]) for name, found in others.items() if name != other and found is not None]
        if all(contains(text, name) for name, text in thirds):
            return other
    return None


def _without_top_level(value: str) -> str:
    """A value without the last labels of mail addresses and hosts, which are the owner's domain and no environment. A short
    name with a port (`web.dev:8080`) is a Service and its namespace.
    """
    bare = _MAIL.sub(r"\1", value)
    return _HOST.sub(
        lambda found: found[0] if found[3] and not found[1] else f"{found[1] or ''}{found[2]}", bare
    )


def missing_object(graph: Graph, params: Params) -> Iterator[Hit]:
    """Objects that all other environments of an application have and one lacks."""
    skipped = re.compile(params["skip"], re.IGNORECASE)
    for application in applications(graph):
        everywhere = {key for objects in application.objects.values() for key in objects}
        lacked: dict[str, list[ObjectKey]] = {}
        for key in sorted(everywhere):
            lacking = [name for name, objects in application.objects.items() if key not in objects]
            if len(lacking) == 1 and key[1] not in params["kinds"] and not skipped.search(key[3]):
                lacked.setdefault(lacking[0], []).append(key)
        for own, keys in lacked.items():
            for key in keys if len(keys) <= params["most"] else ():
                if len(application.deliveries) > 2 or _is_shared(application, key, own):
                    yield from _missing(graph, application, key, own)


def _is_shared(application: Application, key: ObjectKey, own: str) -> bool:
    """Whether the other one of two environments has an object from a file that is not its own."""
    other = next(name for name in application.deliveries if name != own)
    return not contains(application.objects[other][key].origin(("metadata", "name")).file, other)


def _missing(graph: Graph, application: Application, key: ObjectKey, own: str) -> Iterator[Hit]:
    if any(
        k[1] == key[1] and k[0] == key[0] and k not in application.objects[other]
        for k in application.objects[own]
        for other in application.objects
        if other != own
    ):
        return  # it has one of its own instead
    delivery = application.deliveries[own]
    others = [name for name in application.deliveries if name != own]
    item = application.objects[others[0]][key]
    origin = item.origin(("metadata", "name"))
    folder = delivery.source.path or ""
    kustomization = next((n for n in FILE_NAMES if n in graph.repo.folders.get(folder, ())), None)
    place = (
        Location(f"{folder}/{kustomization}".lstrip("/"), ("resources",), key=True)
        if kustomization
        else delivery.root
    )
    values = {"object": f"{item.ref.kind} {item.ref.name}", "own": own, "others": " and ".join(others)}
    name = f"{key[1]}/{key[3]}"
    related = (Related(origin, f"as {others[0]} has it"),)
    yield Hit(place, {**values, "subject": name}, related, affected(delivery))


def security_drift(graph: Graph, params: Params) -> Iterator[Hit]:
    """Settings of pods' safety and health that production lacks and another environment has."""
    wanted = frozenset(params["fields"])
    tiers = {environment.name: environment.tier for environment in graph.environments}
    for application in applications(graph):
        for own in application.deliveries:
            if tiers.get(own) != "prod":
                continue
            for other in application.deliveries:
                if tiers.get(other) != "nonprod":
                    continue
                yield from _drifts(application, own, other, wanted)


def _drifts(application: Application, own: str, other: str, wanted: frozenset[str]) -> Iterator[Hit]:
    delivery = application.deliveries[own]
    for key, item in application.objects[own].items():
        there = application.objects[other].get(key)
        if (
            there is None
            or there.data == item.data
            or key[1] not in ("Deployment", "StatefulSet", "DaemonSet")
        ):
            continue
        mine = {
            called[: called.index(f) + 1]
            for called, _, _ in leaves(item.data)
            if not wanted.isdisjoint(called)
            for f in wanted.intersection(called)
        }
        seen: set[tuple[str, ...]] = set()
        for called, path, _ in leaves(there.data):
            for field in () if wanted.isdisjoint(called) else wanted.intersection(called):
                cut = called.index(field) + 1
                short = called[:cut]
                if short in mine or short in seen:
                    continue
                seen.add(short)
                values = {
                    "field": field,
                    "own": own,
                    "other": other,
                    "object": f"{item.ref.kind} {item.ref.name}",
                }
                place = item.origin(("metadata", "name"))
                related = (Related(there.origin(path[:cut]), f"{other} has it"),)
                who = Affected(item.ref, delivery.id, own, delivery.cluster)
                yield Hit(place, {**values, "subject": "/".join(short)}, related, who)
