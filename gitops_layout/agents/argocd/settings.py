"""What an Argo CD installation is told by its ConfigMap `argocd-cm`, as far as that is in the repository."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gitops_layout.agents.context import text
from gitops_layout.fields import at
from gitops_layout.model import ObjectRef
from gitops_layout.source.reader import read
from gitops_layout.values import dataclass

__all__ = ["GlobalProject", "Settings", "settings"]


@dataclass(frozen=True, slots=True)
class GlobalProject:
    """A project whose permissions those with the labels have as well: `selector` as written."""

    name: str
    selector: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Settings:
    """`build_options` are kustomize's flags."""

    build_options: str = ""
    global_projects: tuple[GlobalProject, ...] = ()


def settings(objects: Iterable[tuple[ObjectRef, Mapping[str, Any]]]) -> Settings | None:
    """The settings in the last `argocd-cm` among the objects; None where there is none."""
    found: Settings | None = None
    for ref, data in objects:
        if ref.kind == "ConfigMap" and ref.name == "argocd-cm" and ref.group == "":
            options = text(at(data, "data", "kustomize.buildOptions")) or ""
            found = Settings(options, _global_projects(at(data, "data", "globalProjects")))
    return found


def _global_projects(value: Any) -> tuple[GlobalProject, ...]:
    if not isinstance(value, str):
        return ()
    documents = read(value.encode(), "globalProjects").documents
    listed = documents[0].data if documents else None
    return tuple(
        GlobalProject(name, selector)
        for item in (listed if isinstance(listed, list) else ())
        if (name := text(at(item, "projectName"))) is not None
        and isinstance(selector := at(item, "labelSelector") or {}, dict)
    )
