"""What an AppProject permits, as pure functions (facts: argo-cd v3.6.1, app_project_types.go).

Patterns are globs; one that starts with `!` denies, and a denial outranks every permission.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from fnmatch import fnmatchcase
from typing import Any

from gitops_layout.agents.argocd.globs import matches
from gitops_layout.fields import at
from gitops_layout.model import Location
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Resource
from gitops_layout.values import dataclass

__all__ = [
    "Destination",
    "Kinds",
    "Project",
    "Role",
    "inherited",
    "permits_cluster",
    "permits_destination",
    "permits_kind",
    "permits_namespace",
    "permits_source",
    "project",
]


@dataclass(frozen=True, slots=True)
class Destination:
    """Clusters, by server or name, and namespaces in them: patterns."""

    server: str = ""
    name: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Kinds:
    """Objects by patterns of their group, kind and (cluster-scoped ones) name."""

    group: str
    kind: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Role:
    """A role of the project: its policies as written, and the groups that have it."""

    name: str
    policies: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Project:
    """An AppProject; it stands in the namespace of Argo CD itself. `namespaced` None permits every namespaced kind, an empty list none.

    `orphaned` says whether objects that belong to no Application are watched, and None where they are
    not; `source_namespaces` are those besides Argo CD's own that Applications may stand in.
    """

    name: str
    location: Location
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    source_repos: tuple[str, ...] = ()
    destinations: tuple[Destination, ...] = ()
    cluster: tuple[Kinds, ...] = ()
    cluster_denied: tuple[Kinds, ...] = ()
    namespaced: tuple[Kinds, ...] | None = None
    namespaced_denied: tuple[Kinds, ...] = ()
    roles: tuple[Role, ...] = ()
    source_namespaces: tuple[str, ...] = ()
    orphaned: bool | None = None


def project(resource: Resource) -> Project:
    """The AppProject in an object; values of a wrong type count as absent."""
    spec = at(resource.data, "spec")
    orphaned = at(spec, "orphanedResources")
    allowed = at(spec, "namespaceResourceWhitelist")
    return Project(
        resource.ref.name,
        resource.location,
        resource.ref.namespace,
        _labels(at(resource.data, "metadata", "labels")),
        _texts(at(spec, "sourceRepos")),
        tuple(
            Destination(_text(item, "server"), _text(item, "name"), _text(item, "namespace"))
            for item in _mappings(at(spec, "destinations"))
        ),
        _kinds(at(spec, "clusterResourceWhitelist")),
        _kinds(at(spec, "clusterResourceBlacklist")),
        _kinds(allowed) if isinstance(allowed, list) else None,
        _kinds(at(spec, "namespaceResourceBlacklist")),
        tuple(
            Role(_text(item, "name"), _texts(item.get("policies")), _texts(item.get("groups")))
            for item in _mappings(at(spec, "roles"))
        ),
        _texts(at(spec, "sourceNamespaces")),
        orphaned.get("warn") is not False if isinstance(orphaned, dict) else None,
    )


def inherited(own: Project, common: Project) -> Project:
    """A project with what a global one permits and denies besides."""
    several = (own.namespaced, common.namespaced)
    return replace(
        own,
        source_repos=own.source_repos + common.source_repos,
        destinations=own.destinations + common.destinations,
        cluster=own.cluster + common.cluster,
        cluster_denied=own.cluster_denied + common.cluster_denied,
        namespaced=None
        if several == (None, None)
        else tuple(item for part in several for item in part or ()),
        namespaced_denied=own.namespaced_denied + common.namespaced_denied,
    )


def permits_source(project: Project, url: str) -> bool:
    """Whether Applications may take their objects from the repository; `*` stops at a slash, `**` does not."""
    wanted = _normal(url)
    permitted = False
    for pattern in project.source_repos:
        denies = pattern.startswith("!")
        found = _matches(_normal(pattern.removeprefix("!")), wanted, "/")
        if denies and found:
            return False
        permitted = permitted or found != denies
    return permitted


def permits_destination(project: Project, *, server: str | None, name: str | None, namespace: str) -> bool:
    """Whether objects may go to a namespace of a cluster; None for a server or name that is not known.

    What is not known is given the benefit of the doubt.
    """
    permitted = False
    for item in project.destinations:
        by_name, by_server = _cluster(item.name, name), _cluster(item.server, server)
        fits = _signed(item.namespace, namespace)
        if (by_name or by_server) and fits:
            permitted = True
            continue
        denied = (not by_name and item.name.startswith("!")) or (
            not by_server and item.server.startswith("!")
        )
        outside = item.namespace.startswith("!") and server is not None and by_server
        if denied if fits else outside:
            return False
    return permitted


def permits_cluster(project: Project, *, server: str | None, name: str | None) -> bool:
    """Whether objects may go to some namespace of a cluster."""
    return any(
        _cluster(item.name, name) or _cluster(item.server, server)
        for item in project.destinations
        if not item.namespace.startswith("!")
    )


def permits_kind(project: Project, *, group: str, kind: str, name: str, namespaced: bool) -> bool:
    """Whether the project's Applications may bring objects of a kind; cluster-scoped ones only where listed."""
    if namespaced:
        allowed, denied = project.namespaced, project.namespaced_denied
    else:
        allowed, denied = project.cluster, project.cluster_denied
    listed = allowed is None or any(_is_kind(item, group, kind, name) for item in allowed)
    return listed and not any(_is_kind(item, group, kind, name) for item in denied)


def permits_namespace(project: Project, namespace: str, *, own: str = "argocd") -> bool:
    """Whether an Application of the project may stand in a namespace; `own` is that of Argo CD itself."""
    if namespace in ("", own):
        return True
    return any(_is_namespace(pattern, namespace) for pattern in project.source_namespaces)


def _is_namespace(pattern: str, namespace: str) -> bool:
    if len(pattern) > 2 and pattern.startswith("/") and pattern.endswith("/"):
        from gitops_layout.agents.gotemplate.errors import FunctionError
        from gitops_layout.agents.gotemplate.regex import compile_regex

        try:
            if compile_regex(pattern[1:-1]).search(namespace) is not None:
                return True
        except FunctionError:
            return False
    return matches(pattern, namespace)


def _is_kind(item: Kinds, group: str, kind: str, name: str) -> bool:
    """Shell patterns, whole words; a name is asked for only where one is given."""
    return (
        _shell(item.kind, kind) and _shell(item.group, group) and (not item.name or _shell(item.name, name))
    )


def _shell(pattern: str, text: str) -> bool:
    return fnmatchcase(text, pattern.replace("[^", "[!"))


def _cluster(pattern: str, known: str | None) -> bool:
    return bool(pattern) and (known is None or (known != "" and _signed(pattern, known)))


def _signed(pattern: str, text: str) -> bool:
    """A pattern that may deny: whether the text is none of what it denies."""
    if pattern.startswith("!"):
        return not matches(pattern[1:], text)
    return _matches(pattern, text, "")


def _matches(pattern: str, text: str, separators: str) -> bool:
    return pattern == "*" or matches(pattern, text, separators)


_SSH = regexp(r"(ssh://)?([^/:]*)@[^@]+")


def _normal(url: str) -> str:
    """A repository URL as Argo CD compares it: lower case, without `.git`, the scp form as a path."""
    text = url.strip().lower()
    if _SSH.fullmatch(text) and not text.startswith("ssh://"):
        text = text.replace(":", "/", 1)
    return text.removesuffix(".git").removeprefix("ssh://")


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _labels(value: Any) -> dict[str, str]:
    return {k: v for k, v in value.items() if isinstance(v, str)} if isinstance(value, dict) else {}


def _mappings(value: Any) -> Sequence[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""


def _kinds(value: Any) -> tuple[Kinds, ...]:
    return tuple(
        Kinds(_text(item, "group"), _text(item, "kind"), _text(item, "name")) for item in _mappings(value)
    )
