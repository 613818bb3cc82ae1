"""What a kustomization says by itself that a build without network, helm and plugins cannot do, or that kustomize refuses."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import join, normpath
from typing import Any

from gitops_layout.kustomize.bounds import text_bounds
from gitops_layout.kustomize.model import (
    GROUP,
    REFERENCE_LISTS,
    BuildClass,
    Kustomization,
    Problem,
    mappings,
    strings,
)
from gitops_layout.model import Location

__all__ = ["faults", "inline", "misspelt"]


def faults(found: Kustomization) -> Iterator[Problem]:
    """All that is wrong with one kustomization, whatever it refers to."""
    data = found.data
    yield from misspelt(data, found.location)
    for target, index in strings(data, "patchesStrategicMerge"):
        yield from inline(found, target, found.location.at("patchesStrategicMerge", index))
    for problem, where in text_bounds(data, found.location):
        why = f"the text is not given to kustomize: {problem.message}"
        yield Problem(BuildClass.NO_MANIFEST, why, where)
    yield from _kind(found)
    yield from _items(found)
    if not any(name not in ("apiVersion", "kind", "metadata") for name in data):
        yield Problem(BuildClass.EMPTY, "the kustomization has no fields", found.location)
    for name in ("helmCharts", "helmChartInflationGenerator"):
        for item, index in mappings(data, name):
            chart = str(item.get("name") or item.get("chartName") or "?")
            why = f"chart {chart} is inflated by helm, which this build does not do"
            yield Problem(BuildClass.HELM, why, found.location.at(name, index), ("chart", chart))


def _kind(found: Kustomization) -> Iterator[Problem]:
    version, kind = found.data.get("apiVersion"), found.data.get("kind")
    wanted = f"{GROUP}v1alpha1" if kind == "Component" else f"{GROUP}v1beta1"
    if kind not in (None, "Kustomization", "Component"):
        why = f"not a kustomize file: {version} {kind}"
        yield Problem(BuildClass.SCHEMA, why, found.location.at("kind"))
    elif isinstance(version, str) and version and version != wanted:
        why = f"not a kustomize file: {version} {kind}; the apiVersion of a {kind or 'Kustomization'} is {wanted}"
        yield Problem(BuildClass.SCHEMA, why, found.location.at("apiVersion"))


_OF_MAPPINGS = (
    "patches",
    "patchesJson6902",
    "replacements",
    "configMapGenerator",
    "secretGenerator",
    "images",
)


def _items(found: Kustomization) -> Iterator[Problem]:
    """Lists of mappings that hold something else, and lists of paths that hold a mapping."""
    data = found.data
    for name in _OF_MAPPINGS:
        for index, item in enumerate(data[name] if isinstance(data.get(name), list) else []):
            if not isinstance(item, dict):
                why = f"{name} lists mappings, not {type(item).__name__} values"
                yield Problem(BuildClass.SCHEMA, why, found.location.at(name, index))
    for name, _ in REFERENCE_LISTS:
        for index, item in enumerate(data[name] if isinstance(data.get(name), list) else []):
            if isinstance(item, dict | list):
                shape = "a mapping" if isinstance(item, dict) else "a list"
                why = f"{name} lists paths, and this entry is {shape}"
                yield Problem(BuildClass.SCHEMA, why, found.location.at(name, index))


_PATH_FIELDS = {
    name.casefold(): name
    for name in (
        *(name for name, _ in REFERENCE_LISTS), "patchesStrategicMerge", "patches", "patchesJson6902", "replacements",
        "openapi", "configMapGenerator", "secretGenerator", "helmCharts", "helmChartInflationGenerator",
        "path", "paths", "files", "envs", "env",
    )
}  # fmt: skip


def misspelt(data: Any, here: Location) -> Iterator[Problem]:
    """Go matches field names in any case, we exactly: a field that names files must not slip through."""
    for name, value in data.items():
        exact = _PATH_FIELDS.get(name.casefold())
        if exact is None:
            continue
        if name != exact:
            why = f"write {exact} instead of {name}: kustomize alone reads it so"
            yield Problem(BuildClass.SCHEMA, why, here.key_at(name))
        for index, item in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(item, dict):
                below = (name, index) if isinstance(value, list) else (name,)
                yield from misspelt(item, here.at(*below))


def inline(owner: Kustomization, text: str, where: Location) -> Iterator[Problem]:
    """kustomize takes inline YAML that it cannot use for a file name, and cleans that as a path."""
    if text.startswith("/") or normpath(join(owner.folder, text)).startswith(".."):
        yield Problem(BuildClass.OUTSIDE, "read as a file name it leads out of the repository", where)
