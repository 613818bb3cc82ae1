"""What Flux does with helm's output: post-renderers, common metadata, and the release's namespace.

Facts: helm-controller v1.6.4, internal/postrender. Post-renderers see hooks as well, unless
`postRenderStrategy` is `nohooks` (Flux 2.8 and before).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gitops_layout.agents.context import at
from gitops_layout.agents.delivery import Delivery
from gitops_layout.agents.fluxolder import is_older
from gitops_layout.helm.chart import Problem
from gitops_layout.helm.origins import Writers
from gitops_layout.k8s.scope import builtin_scope
from gitops_layout.kustomize.exact import Build, build
from gitops_layout.kustomize.walk import walk
from gitops_layout.model import Location, Path
from gitops_layout.repo.load import from_files
from gitops_layout.values import dataclass

__all__ = ["Pair", "PostRendered", "post_rendered"]

_OF_BETAS = frozenset({"patchesStrategicMerge", "patchesJson6902"})

Pair = tuple[dict[str, Any], Writers]
"""An object, and the look-up for the places that wrote its values."""


@dataclass(frozen=True, slots=True)
class PostRendered:
    """The objects, or why a post-renderer failed."""

    objects: tuple[Pair, ...] = ()
    problem: Problem | None = None


def post_rendered(delivery: Delivery, objects: Sequence[Pair], namespace: str) -> PostRendered:
    """The objects of a release as helm-controller applies them."""
    spec = delivery.object.get("spec")
    kept: list[Pair] = []
    if at(spec, "postRenderStrategy") == "nohooks":
        kept = [pair for pair in objects if _is_hook(pair[0])]
        objects = [pair for pair in objects if not _is_hook(pair[0])]
    renderers = at(spec, "postRenderers")
    for index, item in enumerate(renderers if isinstance(renderers, list) else ()):
        kustomize = at(item, "kustomize")
        if isinstance(kustomize, dict):
            if not is_older(str(delivery.object.get("apiVersion"))):
                kustomize = {name: value for name, value in kustomize.items() if name not in _OF_BETAS}
            where = delivery.root.at("spec", "postRenderers", index, "kustomize")
            built = _kustomized(kustomize, objects, where)
            if built.problem is not None:
                return built
            objects = built.objects
    metadata = at(spec, "commonMetadata")
    if isinstance(metadata, dict):
        where = delivery.root.at("spec", "commonMetadata")
        objects = [_with_metadata(pair, metadata, where) for pair in objects]
    return PostRendered(tuple(_in_namespace(pair, namespace) for pair in (*objects, *kept)))


def _is_hook(data: Mapping[str, Any]) -> bool:
    return at(data, "metadata", "annotations", "helm.sh/hook") is not None


def _kustomized(options: Mapping[str, Any], objects: Sequence[Pair], where: Location) -> PostRendered:
    """Patches and images, by kustomize itself on helm's output; the older fields for patches are those of the betas."""
    kustomization: dict[str, Any] = {
        "resources": ["output.json"],
        "patches": [
            {name: item[name] for name in ("patch", "target") if name in item}
            for item in _items(options.get("patches"))
        ],
        "images": _items(options.get("images")),
        "patchesStrategicMerge": [
            json.dumps(patch, ensure_ascii=False) for patch in _items(options.get("patchesStrategicMerge"))
        ],
        "patchesJson6902": [
            {"target": item.get("target"), "patch": json.dumps(item.get("patch"), ensure_ascii=False)}
            for item in _items(options.get("patchesJson6902"))
        ],
    }
    kustomization = {name: value for name, value in kustomization.items() if value}
    output = {"apiVersion": "v1", "kind": "List", "items": [data for data, _ in objects]}
    repo = from_files({"kustomization.yaml": json.dumps(kustomization), "output.json": json.dumps(output)})
    closure = walk(repo, "")
    built = build(repo, Build(closure))
    if built.problem is not None:
        return PostRendered(problem=Problem(f"post-renderer: {built.problem.why}", where))
    before = {_identity(data): (data, writers) for data, writers in objects}
    return PostRendered(
        tuple((data, _writers(data, before.get(_identity(data)), where)) for data in built.objects)
    )


def _identity(data: Mapping[str, Any]) -> tuple[Any, ...]:
    metadata = data.get("metadata")
    return data.get("apiVersion"), data.get("kind"), at(metadata, "namespace"), at(metadata, "name")


def _writers(data: dict[str, Any], before: Pair | None, where: Location) -> Writers:
    """A value that the post-renderer changed stands there, every other one where it stood."""
    if before is None:
        return lambda _path: (where,)
    old, writers = before

    def locate(path: Path) -> tuple[Location, ...]:
        was = at(old, *path)
        if was == at(data, *path):
            return writers(path)
        return (where, *writers(path)) if was is not None else (where,)

    return locate


def _with_metadata(pair: Pair, common: Mapping[str, Any], where: Location) -> Pair:
    data, writers = pair
    if not isinstance(data.get("metadata"), dict):
        return pair
    metadata = dict(data["metadata"])
    for name in ("labels", "annotations"):
        if isinstance(common.get(name), dict):
            own = metadata.get(name)
            metadata[name] = {**(own if isinstance(own, dict) else {}), **common[name]}
    changed = {**data, "metadata": metadata}

    def locate(path: Path) -> tuple[Location, ...]:
        if path[:1] == ("metadata",) and (was := at(data, *path)) != at(changed, *path):
            return (where.at(*path[1:]), *(writers(path) if was is not None else ()))
        return writers(path)

    return changed, locate


def _in_namespace(pair: Pair, namespace: str) -> Pair:
    """helm applies namespaced objects without a namespace to the release's."""
    data, writers = pair
    metadata = data.get("metadata")
    group = str(data.get("apiVersion", "")).rpartition("/")[0]
    if not isinstance(metadata, dict) or metadata.get("namespace"):
        return pair
    if builtin_scope(group, str(data.get("kind"))) is not True:
        return pair
    return {**data, "metadata": {**metadata, "namespace": namespace}}, writers


def _items(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
