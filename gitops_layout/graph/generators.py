"""Objects that stand for others: ApplicationSets become the Applications that Argo CD would make of them.

The engine behind is imported when the first one is met: most repositories have none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from gitops_layout.agents import argocd
from gitops_layout.agents.argocd.secrets import SECRET_TYPE, TEMPLATES
from gitops_layout.agents.context import Declared, DeclaredCluster
from gitops_layout.fields import at, dotted, place_of
from gitops_layout.model import Location, Path, Unchecked, UncheckedClass, of_object
from gitops_layout.repo.model import Repo, Resource, object_ref

if TYPE_CHECKING:
    from gitops_layout.agents.applicationset import Cluster, Expansion, World

__all__ = ["Elsewhere", "Expander", "clusters_of", "expander", "expansions", "is_generator"]

_TEMPLATES = {kind: where for (_, kind), where in TEMPLATES.items()}


def is_generator(resource: Resource) -> bool:
    """Whether it is an ApplicationSet."""
    return resource.ref.kind == "ApplicationSet" and resource.ref.group == argocd.GROUP


def _registered(
    objects: Iterable[Resource],
) -> Iterator[tuple[Resource, dict[str, Any], Cluster | None]]:
    """The objects that register clusters, each with the Secret that it becomes and the cluster that can be read from that."""
    secrets = (r for r in objects if r.ref.kind in _TEMPLATES)
    found = [(resource, secret) for resource in secrets if (secret := _secret_of(resource)) is not None]
    if found:
        from gitops_layout.agents.applicationset import cluster_of_secret

        yield from ((resource, secret, cluster_of_secret(secret)) for resource, secret in found)


def _secret_of(resource: Resource) -> dict[str, Any] | None:
    """The Secret of a cluster that an object is, or that becomes of it, with those of its values that are written out."""
    if resource.ref.kind == "Secret":
        return resource.data if at(resource.data, *SECRET_TYPE) == "cluster" else None
    template = at(resource.data, *_TEMPLATES[resource.ref.kind])
    if at(template, *SECRET_TYPE) != "cluster":
        return None
    data = at(template, "data")
    plain = (
        {key: text for key, text in data.items() if "{{" not in str(text)} if isinstance(data, dict) else {}
    )
    return {"kind": "Secret", "metadata": at(template, "metadata"), "stringData": plain}


def clusters_of(objects: Iterable[Resource]) -> tuple[DeclaredCluster, ...]:
    """The clusters that Secrets in the repository register with Argo CD."""
    return tuple(
        DeclaredCluster(cluster.name or cluster.server, server=cluster.server, origin="secret")
        for *_, cluster in _registered(objects)
        if cluster is not None
    )


Expander = Callable[[Resource], tuple[list[Resource], list[Unchecked]]]
"""An ApplicationSet to its Applications, placed at its template, and what keeps it from being seen whole."""


Elsewhere = Callable[[str, str], Repo | None]
"""Another repository's tree by its URL and a revision as Argo CD names it; None where it was not brought."""


def expander(
    repo: Repo,
    declared: Declared,
    objects: Sequence[Resource],
    is_own: Callable[[str], bool],
    elsewhere: Elsewhere | None = None,
) -> Expander:
    """What expands the ApplicationSets of a repository; `is_own` says whether a URL is this repository."""
    known: list[World] = []

    def expanded(resource: Resource) -> tuple[list[Resource], list[Unchecked]]:
        if not known:
            world = _world(repo, declared, objects, is_own)
            known.append(replace(world, elsewhere=elsewhere) if elsewhere is not None else world)
        return _expanded(resource, known[0])

    return expanded


def expansions(
    repo: Repo, declared: Declared, objects: Sequence[Resource], is_own: Callable[[str], bool]
) -> Callable[[Resource], Expansion]:
    """What expands ApplicationSets and tells every problem, also those that leave the expansion whole."""
    from gitops_layout.agents.applicationset import expand

    world = _world(repo, declared, objects, is_own)
    return lambda resource: expand(resource.data, world)


def _world(
    repo: Repo, declared: Declared, objects: Sequence[Resource], is_own: Callable[[str], bool]
) -> World:
    """What generators can look at. Clusters are unknown where neither a Secret nor spec or config names one."""
    from gitops_layout.agents.applicationset import Cluster, Hidden, World

    registered = list(_registered(objects))
    known = {cluster.name or cluster.server: cluster for *_, cluster in registered if cluster is not None}
    for cluster in declared.clusters:
        if cluster.server is not None:
            known.setdefault(
                cluster.name, Cluster(cluster.name, cluster.server, cluster.labels, cluster.annotations)
            )
    hidden = tuple(
        Hidden(f"{resource.ref.kind} {resource.ref.name}", resource.ref.name, _labels(secret))
        for resource, secret, cluster in registered
        if cluster is None
    )
    return World(repo, is_own, tuple(known.values()) or None, hidden=hidden)


def _labels(secret: dict[str, Any]) -> dict[str, str]:
    found = at(secret, "metadata", "labels")
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _written(of_set: Location, patched: frozenset[Path], path: Path) -> Location:
    """Where a generated Application's value is written: in the set's patch, or in its template."""
    return of_set.at("spec", "templatePatch") if path in patched else of_set.at("spec", "template", *path)


def _expanded(resource: Resource, world: World) -> tuple[list[Resource], list[Unchecked]]:
    from gitops_layout.agents.applicationset import WITHOUT_EFFECT, ProblemKind, expand

    expansion = expand(resource.data, world)
    place = resource.location.at("spec", "template")
    applications = [
        Resource(
            object_ref(made.data, "argoproj.io/v1alpha1", "Application"),
            made.data,
            place,
            partial(_written, resource.location, made.patched) if made.patched else None,
        )
        for made in expansion.applications
    ]
    # Argo CD makes none of those that share a name (applicationset_controller.go, validateGeneratedApplications).
    counts = Counter(application.ref.name for application in applications)
    applications = [made for made in applications if not made.ref.name or counts[made.ref.name] == 1]
    what = f"ApplicationSet {resource.ref.namespace}/{resource.ref.name}"
    subject = of_object("ApplicationSet", resource.ref.namespace, resource.ref.name)
    unseen = [
        Unchecked(
            f"{dotted(note)} of {what}",
            UncheckedClass.EXTERNAL,
            "it is no field that is known here; the set is expanded without it",
            place_of(resource.location, resource.origin, note),
            subject,
        )
        for note in expansion.notes
        if note not in WITHOUT_EFFECT
    ]
    unseen += [
        Unchecked(
            what,
            kind,
            problem.why,
            resource.location.at(*problem.path),
            ("source", problem.source) if problem.source else subject,
        )
        for problem in expansion.problems
        if (kind := UncheckedClass.BROKEN if problem.kind is ProblemKind.COLLISION else problem.unchecked)
        is not None
    ]
    return applications, unseen
