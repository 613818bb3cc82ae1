"""What agents' objects say that their definitions do not have: fields that nobody reads, and values of another type.

One walk for all kinds, by the packed schemas of Flux and Argo CD (and the definitions that the repository brings).
`lint` tells the same as findings of its rules; this is for whoever asks what is delivered.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gitops_layout.fields import dotted, place_of
from gitops_layout.kustomize.named import named
from gitops_layout.model import Affected, ObjectRef, Unchecked, UncheckedClass
from gitops_layout.validation import bundle
from gitops_layout.validation.check import validate
from gitops_layout.validation.judged import definitions, settling, targets
from gitops_layout.validation.schemas import Schemas

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gitops_layout.graph.model import Graph
    from gitops_layout.model import Location, Path
    from gitops_layout.repo.model import Repo, Resource
    from gitops_layout.validation.check import Violation

    Row = tuple[ObjectRef, dict[str, Any], Location, Callable[[Path], Location] | None, str | None, bool]

__all__ = ["misread"]

_ARGO_CD = frozenset({"Application", "ApplicationSet", "AppProject"})
"""The group has other projects' kinds besides."""
_FLUX = (".toolkit.fluxcd.io", ".extensions.fluxcd.io", "fluxcd.controlplane.io")
_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})


def misread(graph: Graph) -> tuple[Unchecked, ...]:
    """The fields of agents' objects that are not understood or hold what they cannot hold, each at its place; those
    that `graph.unchecked` has already are left out.
    """
    schemas = Schemas(definitions(graph, _is_agents_group))
    settled = settling(graph)
    known = {_spot(entry.location) for entry in graph.unchecked if entry.location is not None}
    found: dict[tuple[Any, str], Unchecked] = {}
    for ref, data, place, origin, delivery, unseen in _rows(graph):
        judged, exact = _judgeable(ref)
        flux = ref.group.endswith(_FLUX)  # and Flux has the server apply what it delivers
        verdict = validate(judged, data, schemas=schemas, kubernetes=targets(graph)[-1:], apply=flux)
        if verdict.violations:
            verdict = settled(verdict, ref, place, Affected(ref, delivery), data, unseen)
        for violation in verdict.violations:
            if exact or _is_type(violation):
                for entry in _told(ref, violation, place, origin, delivery):
                    key = _spot(entry.location)
                    if key not in known:
                        found.setdefault((key, entry.why), entry)
    return tuple(found.values())


def _spot(place: Location | None) -> tuple[str, int, Path]:
    return ("", 0, ()) if place is None else (place.file, place.document, place.path)


def _is_agents_group(group: str) -> bool:
    return group == "argoproj.io" or group.endswith(_FLUX)


def _is_agents(ref: ObjectRef) -> bool:
    return ref.kind in _ARGO_CD if ref.group == "argoproj.io" else ref.group.endswith(_FLUX)


def _judgeable(ref: ObjectRef) -> tuple[ObjectRef, bool]:
    """The object as of a version that is packed: an older one has other fields, of mostly the same types."""
    packed = _packed(ref.group, ref.kind)
    if not packed or ref.api_version in packed:
        return ref, True
    return replace(ref, api_version=packed[-1]), False


@lru_cache(maxsize=256)
def _packed(group: str, kind: str) -> tuple[str, ...]:
    """The versions of a kind that are packed, the newest last."""
    return tuple(home for home in bundle.homes(kind) if home.rpartition("/")[0] == group)


def _is_type(violation: Violation) -> bool:
    return violation.kind == "schema" and _TYPES.issuperset(violation.expected.split(" or "))


def _rows(graph: Graph) -> Iterator[Row]:
    """The agents' objects as deliveries bring them, those that nothing brings as they stand in their files, and those
    that ApplicationSets make.
    """
    read: set[tuple[str, int, Path]] = set()
    for delivery in graph.deliveries:
        rendered = graph.rendered[delivery.id]
        unseen = bool(rendered.unseen) or rendered.failure is not None or delivery.agent == "helm"
        for item in rendered.objects:
            if _is_agents(item.ref):
                kind = item.origin(("kind",))
                read.add((kind.file, kind.document, kind.path[:-1]))
                yield item.ref, item.data, item.origin(()), item.origin, delivery.id, unseen
        if delivery.root.path[-2:] == ("spec", "template"):
            version = str(delivery.object.get("apiVersion"))
            ref = ObjectRef(version, delivery.kind, delivery.namespace, delivery.name)
            yield ref, dict(delivery.object), delivery.root, delivery.origin, delivery.id, False
    for resource in _files(graph.repo):
        place = resource.location
        if (place.file, place.document, place.path) not in read:
            yield resource.ref, resource.data, place, None, None, True


def _files(repo: Repo) -> Iterator[Resource]:
    candidates = [resource for resource in repo.resources if _is_agents(resource.ref)]
    parts = named(repo, "patch", "input", "config", "plugin") if candidates else frozenset()
    yield from (resource for resource in candidates if resource.file not in parts)


def _told(
    ref: ObjectRef,
    violation: Violation,
    place: Location,
    origin: Callable[[Path], Location] | None,
    delivery: str | None,
) -> Iterator[Unchecked]:
    name = f"{ref.kind} {ref.namespace}/{ref.name}" if ref.namespace else f"{ref.kind} {ref.name}"
    if violation.kind in ("unknown", "newer") and "unknown field" in violation.message:
        meant = f': did you mean "{violation.near[0]}"?' if violation.near else "; it is shown without it"
        for field in violation.fields or violation.path[-1:]:
            path = (*violation.path[:-1], field)
            why = f"it is no field that {ref.kind} has{meant}"
            where = place_of(place, origin, path)
            yield Unchecked(f"{dotted(path)} of {name}", UncheckedClass.EXTERNAL, why, where, None, delivery)
        return
    where = origin(violation.path) if origin is not None else place.at(*violation.path)
    kind = UncheckedClass.EXTERNAL if violation.kind == "newer" else UncheckedClass.BROKEN
    what = f"{dotted(violation.path)} of {name}"
    yield Unchecked(what, kind, violation.message, where, None, delivery)
