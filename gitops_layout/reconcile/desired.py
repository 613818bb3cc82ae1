"""From rendered objects to the validated set that one environment wants."""

from __future__ import annotations

import base64
import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gitops_layout.k8s.mask import is_secret
from gitops_layout.k8s.order import apply_rank
from gitops_layout.k8s.scope import builtin_scope, crd_scopes
from gitops_layout.model import Location, ObjectRef
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["DesiredObject", "Problem", "Validated", "key", "order", "validate"]

Key = tuple[str, str, str, str]
"""Group, kind, namespace, name: what makes two manifests the same object, whatever their version."""


@dataclass(frozen=True, slots=True)
class DesiredObject:
    """One rendered object and, where known, the place that declares it."""

    data: Mapping[str, Any]
    location: Location | None = None

    @property
    def ref(self) -> ObjectRef:
        """The identity; only meaningful once `validate` has let the object pass."""
        metadata = self.data["metadata"]
        return ObjectRef(
            self.data["apiVersion"], self.data["kind"], metadata.get("namespace", ""), metadata["name"]
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """A reason not to write, or not to have written, an object; `related` is the other place."""

    message: str
    location: Location | None = None
    ref: ObjectRef | None = None
    related: Location | None = None


@dataclass(frozen=True, slots=True)
class Validated:
    """Objects in apply order, and every problem found; with any problem nothing may be written."""

    objects: tuple[DesiredObject, ...]
    problems: tuple[Problem, ...]


def key(ref: ObjectRef) -> Key:
    """The identity without the version."""
    return ref.group, ref.kind, ref.namespace, ref.name


def order(ref: ObjectRef) -> tuple[int, str, str, str, str]:
    """Sort key of the apply order: rank of the kind, then names, so that output is stable."""
    return apply_rank(ref.kind), ref.group, ref.kind, ref.namespace, ref.name


def validate(
    objects: Iterable[DesiredObject],
    *,
    namespace: str | None = None,
    served: Callable[[str, str], bool | None] = lambda _group, _kind: None,
) -> Validated:
    """Check a whole set without a cluster's help, and bring it into the form that is applied.

    `served` says whether a kind that is neither built in nor defined by a CRD of the set is
    namespaced (the cluster's discovery; None: not served). `namespace` is given to namespaced
    objects that name none; None makes that a problem. Lists are taken apart, `status` and empty
    server-side fields dropped, `stringData` of Secrets merged into `data`, as the server would.
    """
    flat = [item for outer in objects for item in _flatten(outer)]
    defined = crd_scopes(item.data for item in flat)
    seen: dict[Key, DesiredObject] = {}
    problems: list[Problem] = []
    for item in flat:
        if fault := _malformed(item.data):
            problems.append(Problem(fault, item.location))
            continue
        group, kind = item.ref.group, item.ref.kind
        scope = builtin_scope(group, kind)
        if scope is None:
            scope = defined.get((group, kind), served(group, kind))
        if scope is None:
            about = f"no CRD in the set or the cluster defines {kind} ({item.data['apiVersion']})"
            problems.append(Problem(about, item.location, item.ref))
            continue
        placed, fault = _place(item, namespaced=scope, default=namespace)
        if fault:
            problems.append(Problem(fault, item.location, item.ref))
        earlier = seen.setdefault(key(placed.ref), placed)
        if earlier is not placed:
            about = "declared twice"
            problems.append(Problem(about, placed.location, placed.ref, related=earlier.location))
    ordered = sorted(seen.values(), key=lambda item: order(item.ref))
    return Validated(tuple(ordered), tuple(problems))


def _flatten(item: DesiredObject) -> Iterator[DesiredObject]:
    if str(item.data.get("kind", "")).endswith("List") and isinstance(item.data.get("items"), list):
        for index, inner in enumerate(item.data["items"]):
            place = item.location and item.location.at("items", index)
            yield DesiredObject(inner if isinstance(inner, dict) else {}, place)
    else:
        yield item


def _malformed(data: Mapping[str, Any]) -> str | None:
    match data:
        case {"apiVersion": str(), "kind": str(), "metadata": {"name": str(name)}} if name:
            pass
        case {"apiVersion": str(), "kind": str(kind), "metadata": {"generateName": _}}:
            return f"{kind} has generateName: an object without a fixed name cannot be reconciled"
        case {"apiVersion": str(), "kind": str(kind)}:
            return f"{kind} has no metadata.name"
        case _:
            return "not a Kubernetes object: apiVersion or kind is missing"
    if fault := _unfit_metadata(data["metadata"]):
        return fault
    if isinstance(data.get("sops"), dict) and "mac" in data["sops"]:
        return f"{data['kind']}/{data['metadata']['name']} is encrypted with SOPS: the ciphertext would be applied"
    return None


def _unfit_metadata(metadata: Mapping[str, Any]) -> str | None:
    """Names become parts of a request's path: what Kubernetes forbids there never gets that far."""
    for field in ("name", "namespace"):
        value = metadata.get(field)
        if value is None and field == "namespace":
            continue
        if not isinstance(value, str) or value in (".", "..") or "/" in value or "%" in value:
            return f"metadata.{field} {value!r} is no name"
    for field in ("labels", "annotations"):
        if not isinstance(metadata.get(field) or {}, dict):
            return f"metadata.{field} is not a map"
    return None


def _place(item: DesiredObject, *, namespaced: bool, default: str | None) -> tuple[DesiredObject, str | None]:
    """The object as it is applied, and what is wrong with its namespace."""
    data = copy.deepcopy(dict(item.data))
    data.pop("status", None)
    metadata = data["metadata"]
    for field in ("creationTimestamp", "managedFields", "resourceVersion", "uid", "generation", "selfLink"):
        metadata.pop(field, None)
    for field in ("labels", "annotations"):
        if not metadata.get(field):
            metadata.pop(field, None)
    fault = None
    if not namespaced:
        metadata.pop("namespace", None)
    elif not metadata.get("namespace"):
        if default is None:
            fault = "has no namespace, and the environment names none"
        metadata["namespace"] = default or ""
    if is_secret(data) and _all_text(data.get("stringData")) and isinstance(data.get("data") or {}, dict):
        data["data"] = _merged_secret(data)
        del data["stringData"]
    return replace(item, data=data), fault


def _all_text(plain: object) -> bool:
    """Whether `stringData` is what the server takes; anything else is left for it to refuse."""
    return isinstance(plain, dict) and all(isinstance(value, str) for value in plain.values())


def _merged_secret(data: Mapping[str, Any]) -> dict[str, Any]:
    plain = data["stringData"]
    encoded = {name: base64.b64encode(value.encode()).decode() for name, value in plain.items()}
    return {**(data.get("data") or {}), **encoded}
