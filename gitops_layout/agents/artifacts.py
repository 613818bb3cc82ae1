"""Flux ArtifactGenerators: where the paths of an ExternalArtifact lie in this repository.

An artifact is a copy of parts of its sources. Where every copy keeps the folders below one folder of the
repository as they are, a path in the artifact is that folder's path here; other copies are not followed.
Source: the source-watcher's ArtifactGenerator API, v1beta1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gitops_layout.model import Location
from gitops_layout.repo.model import Resource

__all__ = ["GROUP", "Artifact", "artifacts", "is_generator"]

GROUP = "source.extensions.fluxcd.io"


@dataclass(frozen=True, slots=True)
class Artifact:
    """An artifact's `source` as (kind, namespace, name), and the `folder` of it that is its root.

    `unknown` says why the folder cannot be told.
    """

    location: Location
    source: tuple[str, str, str] | None = None
    folder: str = ""
    unknown: str | None = None


def is_generator(resource: Resource) -> bool:
    """Whether it makes ExternalArtifacts."""
    return resource.ref.group == GROUP and resource.ref.kind == "ArtifactGenerator"


def artifacts(resources: Iterable[Resource]) -> dict[tuple[str, str], list[Artifact]]:
    """Every artifact that the generators among `resources` make, by (namespace, name): each cluster's own."""
    found: dict[tuple[str, str], list[Artifact]] = {}
    for resource in resources:
        spec = resource.data.get("spec")
        if not is_generator(resource) or not isinstance(spec, dict):
            continue
        namespace = resource.ref.namespace or "flux-system"
        sources = {
            item["alias"]: (
                str(item.get("kind")),
                str(item.get("namespace") or namespace),
                str(item.get("name")),
            )
            for item in _mappings(spec.get("sources"))
            if isinstance(item.get("alias"), str)
        }
        for index, item in enumerate(_mappings(spec.get("artifacts"))):
            if isinstance(item.get("name"), str):
                location = resource.location.at("spec", "artifacts", index)
                found.setdefault((namespace, item["name"]), []).append(_artifact(item, sources, location))
    return found


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _artifact(
    item: dict[str, Any], sources: Mapping[str, tuple[str, str, str]], location: Location
) -> Artifact:
    roots = {_root(copy) for copy in _mappings(item.get("copy"))}
    if len(roots) != 1 or None in roots:
        return Artifact(
            location, unknown="its copies are not one folder kept as it is, which is not supported yet"
        )
    alias, folder = next(root for root in roots if root is not None)
    if alias not in sources:
        return Artifact(location, unknown=f"its copies name @{alias}, which is no source of the generator")
    return Artifact(location, sources[alias], folder)


def _root(copy: dict[str, Any]) -> tuple[str, str] | None:
    """The alias and the folder whose tree the copy keeps; None where it moves or picks files."""
    source, target = copy.get("from"), copy.get("to")
    if not isinstance(source, str) or not isinstance(target, str) or "strategy" in copy or "exclude" in copy:
        return None
    alias, _, pattern = source.removeprefix("@").partition("/")
    place = target.removeprefix("@artifact").strip("/")
    if not source.startswith("@") or not target.startswith("@artifact") or not pattern.endswith("**"):
        return None
    folder = pattern.removesuffix("**").strip("/")
    if any(sign in folder for sign in "*?["):
        return None
    if not place:
        return alias, folder
    if folder == place or folder.endswith(f"/{place}"):
        return alias, folder.removesuffix(place).strip("/")
    return None
