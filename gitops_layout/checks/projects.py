"""What Applications bring against what their AppProjects permit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.agents import argocd
from gitops_layout.agents.argocd.project import (
    Project,
    inherited,
    permits_cluster,
    permits_destination,
    permits_kind,
    permits_namespace,
    permits_source,
    project,
)
from gitops_layout.agents.argocd.scoped import scoped, with_scoped
from gitops_layout.agents.argocd.settings import Settings, settings
from gitops_layout.agents.context import text
from gitops_layout.agents.delivery import Delivery
from gitops_layout.checks.delivered import delivered
from gitops_layout.checks.delivered import place as standing
from gitops_layout.checks.near import is_typo, near_name
from gitops_layout.checks.objectlist import objects_of
from gitops_layout.checks.once import once
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.k8s.scope import crd_scopes, known_scope
from gitops_layout.model import Affected, Hit, Location, ObjectRef, Related
from gitops_layout.patterns import regexp
from gitops_layout.render.rendered import RenderedObject
from gitops_layout.repo.model import Resource

__all__ = ["misspelt", "not_permitted"]

_FILLED_IN = ("$", "{{", "<")
"""What templates and patches put in place of: such a URL is not known yet."""

_NAME = regexp(r"[a-z0-9.-]+")
_HERE = {"server": "https://kubernetes.default.svc", "name": "in-cluster"}


def not_permitted(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Sources, destinations, kinds and namespaces that an Application's project does not permit.

    Where several projects of the Application's cluster have the name, each must refuse it; what is not known of a
    destination counts as permitted.
    """
    known = _projects(graph)
    for delivery in graph.deliveries:
        if delivery.agent == "argocd":
            named = _at_home(known.get(delivery.project or "default", []), delivery.home)
            found = [item for item in named if item is not None]
            if found and len(found) == len(named):
                yield from _refused(graph, delivery, found)


_NAMING = {"Application": ("spec", "project"), "ApplicationSet": ("spec", "template", "spec", "project")}


def misspelt(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Projects that no file declares, where one is declared that is called nearly so."""
    declared = {
        at(data, "metadata", "name"): place
        for data, place, _ in objects_of(graph, argocd.GROUP, "AppProject")
    }
    for kind, path in _NAMING.items():
        for data, place, affected in objects_of(graph, argocd.GROUP, kind):
            name = text(at(data, *path))
            if not name or name == "default" or name in declared or not _NAME.fullmatch(name):
                continue
            near = near_name(name, filter(None, map(text, declared)))
            if near is None or not is_typo(name, near):
                continue
            values = {"kind": kind, "source": at(data, "metadata", "name"), "name": name, "near": near}
            related = (Related(declared[near](("metadata", "name")), f"AppProject {near}"),)
            yield Hit(place(path), {**values, "subject": name}, related, affected)


_Named = list[tuple[str | None, Project | None]]
"""Projects of one name, each with the cluster it is delivered to: None where a file alone has it, which may be applied
anywhere, and None for one that may permit more than we see.
"""


def _at_home(named: _Named, cluster: str) -> list[Project | None]:
    """Those of one name that an Application on the cluster may mean: all of them where none is known to be there."""
    here = [item for where, item in named if where in (cluster, None)]
    return here if any(where == cluster for where, _ in named) else [item for _, item in named]


def _projects(graph: Graph) -> dict[str, _Named]:
    """The projects by name: as they are delivered, else as they stand in files."""
    rendered = [
        (delivery.cluster, Resource(item.ref, item.data, item.origin(())))
        for delivery in graph.deliveries
        for item in graph.rendered[delivery.id].objects
        if _is_project(item.ref)
    ]
    read = {resource.file for _, resource in rendered}
    found: dict[str, list[tuple[str | None, Project]]] = {}
    written = [(None, r) for r in graph.repo.resources if r.file not in read and _is_project(r.ref)]
    for cluster, resource in (*rendered, *written):
        found.setdefault(resource.ref.name, []).append((cluster, project(resource)))
    told = settings(_config_maps(graph))
    added = tuple(scoped(_secrets(graph))) if found else ()
    if added:
        found = {
            name: [(where, with_scoped(item, added)) for where, item in named]
            for name, named in found.items()
        }
    return {
        name: [(where, _whole(item, found, told)) for where, item in named] for name, named in found.items()
    }


def _secrets(graph: Graph) -> Iterator[tuple[ObjectRef, Mapping[str, Any], str]]:
    """What may be a Secret of Argo CD's, as it is delivered and as it stands in files."""
    for delivery in graph.deliveries:
        for item in graph.rendered[delivery.id].objects:
            if item.ref.kind.endswith("Secret"):
                yield item.ref, item.data, item.ref.namespace or delivery.target_namespace or ""
    for resource in graph.repo.resources:
        if resource.ref.kind.endswith("Secret"):
            yield resource.ref, resource.data, resource.ref.namespace


def _config_maps(graph: Graph) -> Iterator[tuple[ObjectRef, Mapping[str, Any]]]:
    yield from ((resource.ref, resource.data) for resource in graph.repo.resources)
    yield from ((item.ref, item.data) for rendered in graph.rendered.values() for item in rendered.objects)


def _whole(
    own: Project, known: Mapping[str, list[tuple[str | None, Project]]], told: Settings | None
) -> Project | None:
    """The project with what global projects add, which select it by its labels.

    None where Argo CD's settings are not here, so that a labelled project may have more than we see.
    """
    if told is None:
        return None if own.labels else own
    from gitops_layout.agents.applicationset.model import StopError
    from gitops_layout.agents.applicationset.selector import selects

    for wanted in told.global_projects:
        try:
            selected = wanted.name != own.name and selects(wanted.selector, ())(own.labels)
        except StopError:
            continue
        for _, common in known.get(wanted.name, ()) if selected else ():
            own = inherited(own, common)
    return own


def _is_project(ref: ObjectRef) -> bool:
    return ref.group == argocd.GROUP and ref.kind == "AppProject" and bool(ref.name)


def _refused(graph: Graph, delivery: Delivery, projects: list[Project]) -> Iterator[Hit]:
    def hit(what: str, place: Location, ref: ObjectRef | None = None, *also: Related, hint: str = "") -> Hit:
        values = {
            "application": delivery.name, "project": projects[0].name, "what": what, "hint": hint, "subject": what,
        }  # fmt: skip
        own = ObjectRef("argoproj.io/v1alpha1", delivery.kind, delivery.namespace, delivery.name)
        affected = Affected(ref or own, delivery.id, delivery.environment, delivery.cluster)
        return Hit(place, values, (Related(projects[0].location, "the project"), *also), affected)

    for part in delivery.parts or (delivery,):
        url, address = part.source.url, part.source.address or ""
        if (
            url
            and not any(sign in url for sign in _FILLED_IN)
            and not any(permits_source(item, address) for item in projects)
        ):
            yield hit(f"the repository {url}", part.place("url", "source"))
    stated = at(delivery.object, "metadata", "namespace") is not None  # else it is where somebody applies it
    if stated and not any(
        permits_namespace(item, delivery.namespace, own=item.namespace or delivery.namespace)
        for item in projects
    ):
        yield hit(f"an Application in namespace {delivery.namespace}", delivery.root)
    yield from _objects(graph, delivery, projects, hit)


def _objects(graph: Graph, delivery: Delivery, projects: list[Project], hit: Any) -> Iterator[Hit]:
    server, name = _destination(delivery)
    seen: set[str] = set()
    spaces: dict[str, RenderedObject | None] = {delivery.target_namespace or "": None}
    defined = _defined(graph)
    for item in graph.rendered[delivery.id].objects:
        group, known = item.ref.group, item.ref.kind
        namespaced = defined.get((group, known), known_scope(group, known))
        kind = f"{group}/{known}".lstrip("/")
        permitted = any(
            permits_kind(one, group=group, kind=known, name=item.ref.name, namespaced=scope)
            for one in projects
            for scope in ((True, False) if namespaced is None else (namespaced,))
        )
        if not permitted and kind not in seen:
            seen.add(kind)
            ref = ObjectRef(item.ref.api_version, item.ref.kind, item.ref.namespace, item.ref.name)
            yield hit(f"objects of kind {kind}", item.origin(("kind",)), ref)
        if namespaced and item.ref.namespace:
            spaces.setdefault(item.ref.namespace, item)
    written = {item.namespace for one in projects for item in one.destinations}
    cluster = any(permits_cluster(p, server=server, name=name) for p in projects)
    for namespace, first in spaces.items():
        if not any(permits_destination(p, server=server, name=name, namespace=namespace) for p in projects):
            what = f"namespace {namespace or '(none)'} of {name or server or 'its cluster'}"
            hint = _permitted(written, namespace)
            if first is None and cluster and namespace:
                yield hit(what, standing(delivery, "spec", "destination", "namespace"), hint=hint)
            elif first is None:
                yield hit(what, delivery.place("destination"))
            else:
                place, there = first.origin(("metadata", "namespace")), delivery.place("destination")
                yield hit(what, place, first.ref, Related(there, "the destination"), hint=hint)


@once
def _defined(graph: Graph) -> Mapping[tuple[str, str], bool]:
    """The scopes of the kinds whose CRDs are delivered, or stand in files."""
    crds = "apiextensions.k8s.io", "CustomResourceDefinition"
    written = (r.data for r in graph.repo.resources if (r.ref.group, r.ref.kind) == crds)
    return {**crd_scopes(written), **crd_scopes(item.data for item in delivered(graph).of(*crds))}


def _permitted(written: set[str], namespace: str) -> str:
    """The namespace that was perhaps meant, of those that projects permit: the only one, or a near name."""
    names = {name for name in written if _NAME.fullmatch(name)}
    near = next(iter(written)) if len(written) == 1 and names else near_name(namespace, names)
    return f" (it permits {near})" if near is not None and namespace else ""


def _destination(delivery: Delivery) -> tuple[str | None, str | None]:
    """Server and name of the destination, as far as they are known."""
    spec = at(delivery.object, "spec", "destination")
    server, name = text(at(spec, "server")), text(at(spec, "name"))
    server = server.rstrip("/") if server is not None else None
    if server == _HERE["server"] or name == _HERE["name"]:
        return _HERE["server"], _HERE["name"]
    return server, name
