"""Which sources are this repository: by URL where one is known, else by the paths that they name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from posixpath import basename, normpath

from gitops_layout.agents import argocd, flux, fluxoperator
from gitops_layout.agents.artifacts import artifacts
from gitops_layout.agents.artifacts import is_generator as is_artifact_generator
from gitops_layout.agents.context import Context, Declared, below_clusters, normal_url, stages, text
from gitops_layout.agents.delivery import Delivery, Source
from gitops_layout.agents.fluxinstance import synced
from gitops_layout.fields import at
from gitops_layout.graph.generators import clusters_of, expander, is_generator
from gitops_layout.model import Location
from gitops_layout.render.rendered import Rendered
from gitops_layout.repo.model import Repo, Resource, object_ref

TRUNKS = frozenset({"main", "master", "HEAD"})
"""What an agent follows that follows this repository as it is."""

OF_AGENTS = (
    "kustomize.toolkit.fluxcd.io/",
    "helm.toolkit.fluxcd.io/",
    f"{fluxoperator.GROUP}/",
    f"{argocd.GROUP}/",
)
"""How the `apiVersion`s of what delivers begin."""
_OF_SOURCES = ("source.toolkit.fluxcd.io/", "source.extensions.fluxcd.io/", f"{fluxoperator.GROUP}/", "v1")
"""How the `apiVersion`s begin of what is looked at closer: most objects are nothing of ours, and there are many."""

_NOWHERE = Location("")
"""Where an object is from is asked only when it turns out to be one that we look for."""

__all__ = ["OF_AGENTS", "TRUNKS", "context_of", "delivery_of", "is_agent", "telling", "with_sources"]

_SETTINGS = frozenset({"ConfigMap", "Secret"})


def telling(objects: Iterable[Resource]) -> list[Resource]:
    """Those of the objects that may be an agent's or tell one something, in their order. Kubernetes' own tell nothing, but
    for the two kinds of settings; most objects are such, and what is asked of each object adds up.
    """
    listed = list(objects)
    versions = {resource.ref.api_version for resource in listed}
    foreign = {version for version in versions if not _is_kubernetes_own(version.rpartition("/")[0])}
    return [r for r in listed if r.ref.api_version in foreign or r.ref.kind in _SETTINGS]


def _is_kubernetes_own(group: str) -> bool:
    return "." not in group or group.endswith(".k8s.io")


def is_agent(resource: Resource) -> bool:
    """Whether it is an agent's object with a name, so one that delivers something."""
    if not resource.ref.name or not resource.ref.api_version.startswith(OF_AGENTS):
        return False
    return flux.is_agent(resource) or argocd.is_agent(resource)


def delivery_of(resource: Resource, context: Context, cluster: str) -> Delivery:
    """What an agent's object means."""
    if argocd.is_agent(resource):
        return _on_its_branch(argocd.delivery(resource, context, cluster=cluster), context)
    return _on_its_branch(flux.delivery(resource, context, cluster=cluster), context)


def _on_its_branch(delivery: Delivery, context: Context) -> Delivery:
    """The same; a path that is not here, but asked of another branch of this repository, lies elsewhere."""
    source, revision = delivery.source, delivery.source.revision
    if not source.local or source.path is None or revision is None or "${" in source.path:
        return delivery
    if revision.kind != "branch" or revision.name in TRUNKS or context.repo.is_folder(source.path):
        return delivery
    foreign = f"{source.path} is on branch {revision.name} of this repository, if anywhere"
    return replace(delivery, source=replace(source, local=False, foreign=foreign))


def _cluster_roots(repo: Repo) -> frozenset[str]:
    """The folders below a `clusters/` that clusters sync themselves from, patches of sync objects included."""
    found: set[str] = set()
    for resource in repo.resources:
        if resource.ref.kind not in ("Kustomization", "FluxInstance"):
            continue
        match resource.ref.group, resource.ref.kind, resource.ref.name:
            case (flux.KUSTOMIZE_GROUP, "Kustomization", "flux-system"):
                path = text(at(resource.data, "spec", "path"))
            case ("fluxcd.controlplane.io", "FluxInstance", _):
                path = text(at(resource.data, "spec", "sync", "path"))
            case _:
                continue
        folder = normpath(f"/{path}").lstrip("/") if path is not None else ""
        folder = folder.removesuffix("/flux-system")  # where the agent itself lies, and no cluster's name
        if below_clusters(folder):
            found.add(folder)
    return frozenset(found)


def _key(resource: Resource) -> tuple[str, str, str]:
    return resource.ref.kind, resource.ref.namespace or "flux-system", resource.ref.name


def _of_instance(resource: Resource) -> Resource | None:
    """The source that the operator makes of a FluxInstance's sync, placed at the instance."""
    if resource.ref.kind != "FluxInstance" or not flux.is_agent(resource):
        return None
    namespace = resource.ref.namespace or "flux-system"
    made = synced(resource.data, namespace)
    version = f"{flux.SOURCE_GROUP}/v1"
    metadata = {"name": made.name, "namespace": namespace}
    data = {"apiVersion": version, "kind": made.kind, "metadata": metadata, "spec": dict(made.source)}
    return Resource(object_ref(data, version, made.kind), data, resource.location)


def with_sources(context: Context, delivered: Iterable[tuple[str, Rendered]]) -> Context:
    """The same with the sources that deliveries bring to their clusters, as they bring them.

    Many get their namespace only from their parent, some are patched by it.
    """
    brought = {cluster: dict(found) for cluster, found in context.brought.items()}
    generators: list[Resource] = []
    for cluster, rendered in delivered:
        for item in rendered.objects:
            if not item.ref.api_version.startswith(_OF_SOURCES):
                continue
            bare = Resource(item.ref, item.data, _NOWHERE)
            if flux.is_source(bare):
                resource = Resource(item.ref, item.data, item.origin(()), item.origin)
                brought.setdefault(cluster, {})[_key(resource)] = resource
            elif flux.is_agent(bare):
                made_by = _of_instance(Resource(item.ref, item.data, item.origin(())))
                if made_by is not None:
                    brought.setdefault(cluster, {}).setdefault(_key(made_by), made_by)
            elif is_artifact_generator(bare):
                generators.append(Resource(item.ref, item.data, item.origin(()), item.origin))
    made = dict(context.artifacts)
    for key, found in artifacts(context.repo, generators).items():
        made[key] = [
            *made.get(key, ()),
            *(artifact for artifact in found if artifact not in made.get(key, ())),
        ]
    return replace(context, brought=brought, artifacts=made)


def _named(objects: Iterable[Resource], context: Context) -> list[tuple[str, str | None]]:
    """The URLs that agents' objects pull from, each with a path that they name there: a folder or a value file."""
    found: list[tuple[str, str | None]] = []
    for resource in filter(is_agent, objects):
        source = flux.source_of(resource, context)
        if source is not None:  # most agent objects are Kustomizations, and all else of a delivery costs more
            found.append((source.url or "", source.path))
            continue
        delivery = delivery_of(resource, context, "")
        for part in delivery.parts or (delivery,):
            if part.source.chart is None:
                found.append((part.source.url or "", part.source.path))
            refs: Mapping[str, Source] = part.options.get("refs") or {}
            for name, path in _value_files(part) if refs else ():
                named = refs.get(name)
                if named is not None and named.chart is None:
                    found.append((named.url or "", path))
    # What the config calls a folder of this repository says nothing about the others.
    return [(url, path) for url, path in found if url and context.inside(url) is None]


def _value_files(part: Delivery) -> Iterator[tuple[str, str]]:
    """The value files that a part takes from other sources: the name of each, and the path there."""
    listed = at(part.options, "helm", "valueFiles")
    for name in listed if isinstance(listed, list) else ():
        if isinstance(name, str) and name.startswith("$"):
            first, _, path = name.partition("/")
            yield first, normpath(path)


def _here(named: Iterable[tuple[str, str | None]], exists: Callable[[str], bool]) -> Counter[str]:
    return Counter(normal_url(url) for url, path in named if path and "${" not in path and exists(path))


def _of_sets(objects: Iterable[Resource], context: Context) -> Iterator[Resource]:
    """What the ResourceSets among the objects make, as far as it is known before anything is delivered."""
    for resource in objects:
        if resource.ref.group != fluxoperator.GROUP or resource.ref.kind != "ResourceSet":
            continue
        # The template engine is imported when the first one is met.
        from gitops_layout.agents.resourceset import expand

        providers = context.sources_of(
            "ResourceSetInputProvider",
            resource.ref.namespace or "flux-system",
            near=resource.file,
            cluster="",
        )
        for made in expand(resource.data, providers).objects:
            version, kind = made.data.get("apiVersion"), made.data.get("kind")
            if isinstance(version, str) and isinstance(kind, str):
                yield Resource(object_ref(made.data, version, kind), made.data, resource.location)


def context_of(repo: Repo, declared: Declared, objects: Sequence[Resource]) -> tuple[Context, str | None]:
    """What the agents need to know of the objects that are `telling`, and how we know which sources are this repository.

    Known URLs are the git remotes and those of spec and config. Where no source names one of them (a fork, a
    mirror, a folder outside git), the URL under which most paths exist here is taken as this repository.
    """
    sources: dict[tuple[str, str, str], list[Resource]] = {}
    for resource in filter(flux.is_source, objects):
        sources.setdefault(_key(resource), []).append(resource)
    for source in filter(None, map(_of_instance, objects)):
        sources.setdefault(_key(source), []).append(source)
    own = frozenset(normal_url(url) for url in (*repo.remotes, *declared.sources))
    declared = replace(declared, clusters=(*declared.clusters, *clusters_of(objects)))
    context = Context(
        repo,
        declared,
        sources,
        artifacts(repo, objects),
        own,
        stages=stages(repo),
        cluster_roots=_cluster_roots(repo),
    )
    # Which source is this repository is what we want to know: to find out, every one may be.
    anywhere = expander(repo, declared, objects, lambda _url: True)
    made = [item for resource in objects if is_generator(resource) for item in anywhere(resource)[0]]
    named = _named((*objects, *made), context)
    if not (known := sorted(own & {normal_url(url) for url, _ in named})):
        brought = list(_of_sets(objects, context))
        for resource in filter(flux.is_source, brought):
            sources.setdefault(_key(resource), []).append(resource)
        named += _named(brought, replace(context, sources=sources)) if brought else []
        known = sorted(own & {normal_url(url) for url, _ in named})
    if not named:
        return context, None
    if known:
        return context, f"this repository is {', '.join(known)}"
    total = Counter(normal_url(url) for url, path in named if path)
    # A folder to deliver says more than a value file, which every repository may have.
    here = _here(named, repo.is_folder) or _here(named, repo.is_file)
    if not here:
        return context, "no source names a known URL of this repository, nor a path that exists in it"
    folder = basename(repo.root.rstrip("/"))
    best = max(sorted(here), key=lambda url: (here[url], basename(url) == folder))
    reason = (
        f"{best} is taken as this repository: {here[best]} of the {total[best]} paths it names exist here"
    )
    # A mirror that a local cluster pulls from is called like its origin, and has all that is asked of it.
    alike = {url for url in here if basename(url) == basename(best) and here[url] == total[url]} - {best}
    if alike:
        reason += f", and so is {', '.join(sorted(alike))}, which is called alike and has all its paths here"
    return replace(context, own_urls=own | {best} | alike), reason
