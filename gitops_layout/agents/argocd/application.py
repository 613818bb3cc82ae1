"""Argo CD Applications → Deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from posixpath import join, normpath
from typing import Any

from gitops_layout.agents.argocd.fields import notes
from gitops_layout.agents.argocd.sources import (
    TOOLS,
    is_reference,
    listed,
    mistake,
    references,
    renderer_of,
    tools,
    with_overrides,
)
from gitops_layout.agents.context import Context, environment_of, field_below, places, speaking, text, tier_of
from gitops_layout.agents.delivery import Delivery, Renderer, Revision, Source, SyncPolicy
from gitops_layout.fields import at
from gitops_layout.model import Location, Path
from gitops_layout.repo.model import Resource

__all__ = ["GROUP", "delivery", "is_agent"]

GROUP = "argoproj.io"

_IN_CLUSTER = ("https://kubernetes.default.svc", "in-cluster")

_PLACES: dict[str, Path] = {
    "project": ("spec", "project"),
    "sync": ("spec", "syncPolicy"),
    "automated": ("spec", "syncPolicy", "automated"),
    "prune": ("spec", "syncPolicy", "automated", "prune"),
    "self_heal": ("spec", "syncPolicy", "automated", "selfHeal"),
    "destination": ("spec", "destination"),
}
_SOURCE_PLACES = {
    "path": "path",
    "url": "repoURL",
    "revision": "targetRevision",
    "chart": "chart",
    **{name: name for name in TOOLS},
}


def is_agent(resource: Resource) -> bool:
    """Whether it is an object that delivers something."""
    return resource.ref.group == GROUP and resource.ref.kind == "Application"


def delivery(resource: Resource, context: Context, *, cluster: str) -> Delivery:
    """What an Application means. Of several sources that render, each is a part of the delivery; it shows the
    first of them that is a path in this repository, else the first.
    """
    ref, data, root = resource.ref, resource.data, resource.location
    spec: Mapping[str, Any] = at(data, "spec") if isinstance(at(data, "spec"), dict) else {}
    found = listed(spec)
    cluster = _cluster(spec, context, cluster)
    namespace = ref.namespace or "argocd"
    whole = Delivery(
        id=f"argocd:Application/{namespace}/{ref.name}@{cluster}",
        agent="argocd",
        kind="Application",
        namespace=namespace,
        name=ref.name,
        cluster=cluster,
        environment=None,
        tier="nonprod",
        source=Source(None, None, foreign="the Application names no source"),
        renderer="none",
        sync=_sync(spec),
        root=root,
        places=_places(resource),
        target_namespace=text(at(spec, "destination", "namespace")),
        project=text(spec.get("project")),
        object=data,
        notes=notes(spec, found),
        origin=resource.origin,
    )
    refs = {name: _source(source, context) for name, source in references(found)}
    rendering = [pair for pair in found if not is_reference(pair[1])] or found
    parts = [_part(whole, path, source, refs, context) for path, source in rendering]
    if (refused := mistake(spec)) is not None:
        parts = [_refused(part, *refused) for part in parts]
    first = next((part for part in parts if part.source.local), parts[0] if parts else whole)
    environment = environment_of(context, cluster, *speaking(first.source, root.file))
    tier = tier_of(context, environment)
    parts = [replace(part, environment=environment, tier=tier) for part in parts]
    return replace(first, environment=environment, tier=tier, parts=tuple(parts) if len(parts) > 1 else ())


def _places(resource: Resource) -> dict[str, Location]:
    """The places of the fields, those that an ApplicationSet's patch wrote there."""
    root = resource.location
    found = places(resource.data, root, _PLACES)
    if resource.origin is None or root.span is not None or root.path[-2:] != ("spec", "template"):
        return found
    return {name: resource.origin(_PLACES[name]) for name in found}


def _sync(spec: Mapping[str, Any]) -> SyncPolicy:
    policy = at(spec, "syncPolicy", "automated")
    options = at(spec, "syncPolicy", "syncOptions")
    return SyncPolicy(
        automated=isinstance(policy, dict) and policy.get("enabled") is not False,
        prune=at(policy, "prune") is True,
        self_heal=at(policy, "selfHeal") is True,
        retry=_retries(at(spec, "syncPolicy", "retry")),
        options=tuple(item for item in options if isinstance(item, str)) if isinstance(options, list) else (),
    )


def _retries(retry: Any) -> bool:
    """Whether a failed automated synchronisation is tried again: five times unless `retry` says how often, and that
    without a limit means never (`autoSync` of Argo CD's controller).
    """
    return not isinstance(retry, dict) or retry.get("limit", 0) != 0


def _part(
    whole: Delivery, path: Path, given: Mapping[str, Any], refs: Mapping[str, Source], context: Context
) -> Delivery:
    """What one source brings of a delivery."""
    source = _source(given, context)
    here = {"source": field_below(whole.root, path)}
    here |= {
        name: field_below(whole.root, (*path, field))
        for name, field in _SOURCE_PLACES.items()
        if given.get(field) is not None
    }
    options: dict[str, Any] = {"refs": refs} if refs else {}
    if source.local and source.path is not None:
        given = with_overrides(context.repo, source.path, whole.name, given)
    options |= {name: given[name] for name in TOOLS if name in given}
    sync = at(whole.object, "spec", "sourceHydrator", "syncSource") if "sourceHydrator" in path else None
    if isinstance(sync, dict):
        options["syncSource"] = sync
    part = replace(
        whole,
        source=source,
        renderer=_renderer(given, source, context),
        places={**whole.places, **here},
        options=options,
    )
    several = tools(given)
    return part if len(several) < 2 else _refused(part, f"it has options for {' and '.join(several)}", path)


def _refused(part: Delivery, why: str, path: Path) -> Delivery:
    """A source that Argo CD does not render at all, and the field that it minds."""
    return replace(part, options={**part.options, "refused": (why, part.root.at(*path))})


def _source(source: Mapping[str, Any], context: Context) -> Source:
    url, chart, path = text(source.get("repoURL")), text(source.get("chart")), source.get("path")
    target = text(source.get("targetRevision"))
    if chart is not None:
        return Source(url, Revision("version", target) if target else None, None, chart)
    revision = Revision("branch", target) if target else Revision("default", "HEAD")
    if url is None:
        return Source(None, revision, None, foreign="the Application names no repoURL")
    if isinstance(path, str) and path.startswith("/"):
        return Source(url, revision, None, foreign=f"path {path} is absolute, which Argo CD refuses")
    folder = _inside(path) if isinstance(path, str) else ""
    if folder is None:
        return Source(url, revision, None, foreign=f"path {path} leads out of the repository")
    top = context.here(url)
    if top is None:
        return Source(url, revision, folder, foreign=f"the source is {url}")
    return Source(url, revision, join(top, folder).rstrip("/") if top else folder, local=True, top=top)


def _inside(path: str) -> str | None:
    clean = normpath(path)
    if clean.startswith(("/", "../")) or clean == "..":
        return None
    return "" if clean == "." else clean


def _renderer(source: Mapping[str, Any], found: Source, context: Context) -> Renderer:
    if found.chart is not None:
        return "chart"
    if not found.local or found.path is None:
        return "none"
    return renderer_of(source, context.repo.folders.get(context.repo.resolve(found.path) or found.path, ()))


def _cluster(spec: Mapping[str, Any], context: Context, own: str) -> str:
    """The destination; Argo CD's own cluster is the one its objects belong to."""
    name, server = text(at(spec, "destination", "name")), text(at(spec, "destination", "server"))
    server = server.rstrip("/") if server is not None else None
    for declared in context.declared.clusters:
        if server is not None and declared.server is not None and declared.server.rstrip("/") == server:
            return declared.name
    if name is not None and name not in _IN_CLUSTER:
        return name
    if server is not None and server not in _IN_CLUSTER:
        return server
    return own
