"""Argo CD objects → Deliveries: Application (argoproj.io)."""

from __future__ import annotations

from collections.abc import Mapping
from posixpath import normpath
from typing import Any

from gitops_layout.agents.context import Context, at, environment_of, places, text, tier_of
from gitops_layout.agents.delivery import Delivery, Renderer, Revision, Source, SyncPolicy
from gitops_layout.kustomize.model import FILE_NAMES
from gitops_layout.model import Location, Path
from gitops_layout.repo.model import Resource

__all__ = ["GROUP", "delivery", "is_agent"]

GROUP = "argoproj.io"

_IN_CLUSTER = ("https://kubernetes.default.svc", "in-cluster")

_PLACES: dict[str, Path] = {
    "source": ("spec", "source"),
    "path": ("spec", "source", "path"),
    "url": ("spec", "source", "repoURL"),
    "revision": ("spec", "source", "targetRevision"),
    "chart": ("spec", "source", "chart"),
    "project": ("spec", "project"),
    "sync": ("spec", "syncPolicy"),
    "automated": ("spec", "syncPolicy", "automated"),
    "prune": ("spec", "syncPolicy", "automated", "prune"),
    "self_heal": ("spec", "syncPolicy", "automated", "selfHeal"),
    "destination": ("spec", "destination"),
}

_UNDERSTOOD_SOURCE = {
    "repoURL",
    "path",
    "targetRevision",
    "chart",
    "directory",
    "kustomize",
    "helm",
    "name",
    "ref",
}
_EXPLICIT: dict[str, Renderer] = {"helm": "chart", "kustomize": "kustomize", "directory": "directory"}
"""Options that say how a path is rendered, whatever files it has."""

_UNDERSTOOD_KUSTOMIZE = {
    "namePrefix", "nameSuffix", "namespace", "images", "replicas", "patches", "components", "commonLabels",
    "commonAnnotations",
}  # fmt: skip

_UNDERSTOOD_HELM = {
    "apiVersions", "fileParameters", "ignoreMissingValueFiles", "kubeVersion", "namespace", "parameters",
    "passCredentials", "releaseName", "skipCrds", "skipSchemaValidation", "skipTests", "valueFiles", "values",
    "valuesObject", "version",
}  # fmt: skip


def is_agent(resource: Resource) -> bool:
    """Whether it is an object that delivers something."""
    return resource.ref.group == GROUP and resource.ref.kind == "Application"


def delivery(resource: Resource, context: Context, *, cluster: str) -> Delivery:
    """What an Application means. Of several sources the first that is a path in this repository counts."""
    ref, data, root = resource.ref, resource.data, resource.location
    spec: Mapping[str, Any] = at(data, "spec") if isinstance(at(data, "spec"), dict) else {}
    chosen, notes = _choose(spec, context)
    source = _source(chosen, context)
    cluster = _cluster(spec, context, cluster)
    environment = environment_of(context, cluster, source.path, root.file)
    policy = at(spec, "syncPolicy", "automated")
    automated = isinstance(policy, dict) and policy.get("enabled") is not False
    namespace = ref.namespace or "argocd"
    return Delivery(
        id=f"argocd:Application/{namespace}/{ref.name}@{cluster}",
        agent="argocd",
        kind="Application",
        namespace=namespace,
        name=ref.name,
        cluster=cluster,
        environment=environment,
        tier=tier_of(context, environment),
        source=source,
        renderer=_renderer(chosen, source, context),
        sync=SyncPolicy(
            automated=automated,
            prune=at(policy, "prune") is True,
            self_heal=at(policy, "selfHeal") is True,
            retry=at(spec, "syncPolicy", "retry") is not None,
        ),
        root=root,
        places=_places(data, root, chosen),
        target_namespace=text(at(spec, "destination", "namespace")),
        project=text(spec.get("project")),
        options={
            **{name: chosen[name] for name in ("directory", "kustomize", "helm") if name in chosen},
            **({"refs": refs} if (refs := _refs(spec, context)) else {}),
        },
        object=data,
        notes=(*notes, *_notes(chosen)),
        origin=resource.origin,
    )


def _places(data: Any, root: Location, chosen: Mapping[str, Any]) -> dict[str, Location]:
    found = places(data, root, _PLACES)
    sources = at(data, "spec", "sources")
    for index, item in enumerate(sources if isinstance(sources, list) and "source" not in found else ()):
        if item is chosen:
            moved: dict[str, Path] = {
                name: ("spec", "sources", index, *path[2:])
                for name, path in _PLACES.items()
                if path[:2] == ("spec", "source")
            }
            found |= places(data, root, moved)
    return found


def _choose(spec: Mapping[str, Any], context: Context) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    if isinstance(spec.get("source"), dict):
        return spec["source"], ()
    listed = spec.get("sources")
    sources = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    if not sources:
        return {}, ()
    rendering = [item for item in sources if not _only_values(item)] or sources
    local = (item for item in rendering if _source(item, context).local)
    chosen = next(local, rendering[0])
    notes = tuple(
        f"spec.sources[{index}]"
        for index, item in enumerate(sources)
        if item is not chosen and not _only_values(item)
    )
    return chosen, notes


def _only_values(source: Mapping[str, Any]) -> bool:
    """Whether a source is there only for the value files that the others name by its `ref`."""
    return bool(source.get("ref")) and not source.get("path") and not source.get("chart")


def _refs(spec: Mapping[str, Any], context: Context) -> dict[str, str | None]:
    """The names for other sources in `valueFiles`: to their URL, None where that is this repository."""
    listed = spec.get("sources")
    found = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    urls = {f"${item['ref']}": text(item.get("repoURL")) or "" for item in found if text(item.get("ref"))}
    return {name: None if context.is_own(url) else url for name, url in urls.items()}


def _source(source: Mapping[str, Any], context: Context) -> Source:
    url, chart, path = text(source.get("repoURL")), text(source.get("chart")), source.get("path")
    target = text(source.get("targetRevision"))
    if chart is not None:
        return Source(url, Revision("version", target) if target else None, None, chart)
    revision = Revision("branch", target) if target else Revision("default", "HEAD")
    if url is None:
        return Source(None, revision, None, foreign="the Application names no repoURL")
    folder = _inside(path) if isinstance(path, str) else ""
    if folder is None:
        return Source(url, revision, None, foreign=f"path {path} leads out of the repository")
    local = context.is_own(url)
    return Source(url, revision, folder, local=local, foreign=None if local else f"the source is {url}")


def _inside(path: str) -> str | None:
    clean = normpath(path)
    if clean.startswith(("/", "../")) or clean == "..":
        return None
    return "" if clean == "." else clean


def _renderer(source: Mapping[str, Any], found: Source, context: Context) -> Renderer:
    if found.chart is not None:
        return "chart"
    if not found.local or found.path is None or isinstance(source.get("plugin"), dict):
        return "none"
    explicit = next((name for name in _EXPLICIT if isinstance(source.get(name), dict) and source[name]), "")
    if explicit:
        return _EXPLICIT[explicit]
    names = context.repo.folders.get(context.repo.resolve(found.path) or found.path, ())
    if "Chart.yaml" in names:
        return "chart"
    if any(name in names for name in FILE_NAMES):
        return "kustomize"
    return "directory"


def _cluster(spec: Mapping[str, Any], context: Context, own: str) -> str:
    """The destination; Argo CD's own cluster is the one its objects belong to."""
    name, server = text(at(spec, "destination", "name")), text(at(spec, "destination", "server"))
    for declared in context.declared.clusters:
        if server is not None and declared.server == server:
            return declared.name
    if name is not None and name not in _IN_CLUSTER:
        return name
    if server is not None and server not in _IN_CLUSTER:
        return server
    return own


def _notes(source: Mapping[str, Any]) -> tuple[str, ...]:
    unknown = [f"spec.source.{name}" for name in source if name not in _UNDERSTOOD_SOURCE]
    kustomize = source.get("kustomize")
    if isinstance(kustomize, dict):
        unknown += [
            f"spec.source.kustomize.{name}" for name in kustomize if name not in _UNDERSTOOD_KUSTOMIZE
        ]
    helm = source.get("helm")
    if isinstance(helm, dict):
        unknown += [f"spec.source.helm.{name}" for name in helm if name not in _UNDERSTOOD_HELM]
    directory = source.get("directory")
    if isinstance(directory, dict) and directory.get("jsonnet"):
        unknown.append("spec.source.directory.jsonnet")
    return tuple(unknown)
