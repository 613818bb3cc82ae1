"""AppProjects as such: what they open, and what Argo CD refuses in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.agents import argocd
from gitops_layout.agents.context import text
from gitops_layout.checks.objectlist import Place, objects_of
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.model import Affected, Hit, Path
from gitops_layout.patterns import regexp

__all__ = ["invalid", "policy_invalid", "wide_open"]

Params = Mapping[str, Any]
_Found = tuple[dict[str, Any], Place, Affected]


def _projects(graph: Graph) -> Iterator[tuple[str, _Found]]:
    for found in objects_of(graph, argocd.GROUP, "AppProject"):
        name = text(at(found[0], "metadata", "name"))
        if name and isinstance(found[0].get("spec"), dict):
            yield name, found


def _items(found: _Found, *path: str) -> list[Any]:
    value = at(found[0], *path)
    return value if isinstance(value, list) else []


def _hit(found: _Found, path: Path, name: str, what: str) -> Hit:
    return Hit(found[1](path), {"project": name, "what": what, "subject": f"{name}{what}"}, (), found[2])


def _open(value: Any) -> bool:
    """Whether it is filled in later, so that two that look alike may differ."""
    return any(sign in str(value) for sign in ("${", "{{", "<"))


def wide_open(graph: Graph, params: Params) -> Iterator[Hit]:
    """Projects that permit any repository and any destination, so that they bound nothing."""
    for name, found in _projects(graph):
        repos = _items(found, "spec", "sourceRepos")
        anywhere = next(
            (
                index
                for index, item in enumerate(_items(found, "spec", "destinations"))
                if at(item, "namespace") == "*" and "*" in (at(item, "server"), at(item, "name"))
            ),
            None,
        )
        if "*" in repos and anywhere is not None and not any(str(repo).startswith("!") for repo in repos):
            yield _hit(
                found,
                ("spec", "sourceRepos", repos.index("*")),
                name,
                "any repository and any destination",
            )


def invalid(graph: Graph, params: Params) -> Iterator[Hit]:
    """What Argo CD refuses in a project, as its own validation of projects does."""
    for name, found in _projects(graph):
        seen: set[tuple[Any, ...]] = set()
        for field in ("sourceRepos", "sourceNamespaces"):
            for index, item in enumerate(_items(found, "spec", field)):
                path = ("spec", field, index)
                if item == "!*" and field == "sourceRepos":
                    yield _hit(found, path, name, "denies every repository with !*")
                if (field, item) in seen and not _open(item):
                    yield _hit(found, path, name, f"lists {item} twice in {field}")
                seen.add((field, item))
        for index, item in enumerate(_items(found, "spec", "destinations")):
            where = tuple(at(item, key) for key in ("server", "name", "namespace"))
            path = ("spec", "destinations", index)
            if "!*" in where:
                yield _hit(found, path, name, "denies every destination with !*")
            if where in seen and not any(map(_open, where)):
                yield _hit(found, path, name, "lists one destination twice")
            seen.add(where)
        yield from _roles(name, found)
        yield from _windows(name, found)


def _roles(name: str, found: _Found) -> Iterator[Hit]:
    listed = _items(found, "spec", "roles")
    roles = [at(role, "name") for role in listed]
    for index, role in enumerate(roles):
        if roles.index(role) != index:
            yield _hit(found, ("spec", "roles", index, "name"), name, f"has two roles called {role}")
        for field, what in (("policies", "policy"), ("groups", "group")):
            written = at(listed[index], field)
            several = written if isinstance(written, list) else []
            for number, one in enumerate(several):
                if several.index(one) != number and not _open(one):
                    yield _hit(
                        found,
                        ("spec", "roles", index, field, number),
                        name,
                        f"lists one {what} of role {role} twice",
                    )


_DURATION = regexp(r"(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+")
_FIELDS_OF_CRON = 5


def _windows(name: str, found: _Found) -> Iterator[Hit]:
    seen: set[tuple[str, ...]] = set()
    for index, window in enumerate(_items(found, "spec", "syncWindows")):
        path: Path = ("spec", "syncWindows", index)
        kind, schedule, duration = (text(at(window, key)) for key in ("kind", "schedule", "duration"))
        if not isinstance(window, dict) or _open(window):
            continue
        if kind is not None and kind not in ("allow", "deny"):
            yield _hit(found, (*path, "kind"), name, f"has a window of kind {kind}; known: allow, deny")
        elif not any(window.get(key) for key in ("applications", "namespaces", "clusters")):
            yield _hit(found, path, name, "has a window for no application, namespace or cluster")
        elif schedule and not schedule.startswith("@") and len(schedule.split()) != _FIELDS_OF_CRON:
            yield _hit(
                found, (*path, "schedule"), name, f"has a window with the schedule {schedule}, which is none"
            )
        elif duration and not _DURATION.fullmatch(duration):
            yield _hit(
                found,
                (*path, "duration"),
                name,
                f"has a window with the duration {duration}; say it in h, m and s",
            )
        elif (key := (kind or "", schedule or "", duration or "")) in seen:
            yield _hit(found, path, name, "has two windows of one kind, schedule and duration")
        else:
            seen.add(key)


def policy_invalid(graph: Graph, params: Params) -> Iterator[Hit]:
    """Lines of policies that Argo CD refuses: of a project's roles, and of `argocd-rbac-cm`."""
    for name, found in _projects(graph):
        for index, role in enumerate(_items(found, "spec", "roles")):
            policies = at(role, "policies")
            for number, policy in enumerate(policies if isinstance(policies, list) else ()):
                wrong = _wrong(policy, name, at(role, "name")) if isinstance(policy, str) else None
                if wrong is not None:
                    yield _hit(found, ("spec", "roles", index, "policies", number), name, wrong)
    for found in objects_of(graph, "", "ConfigMap"):
        if at(found[0], "metadata", "name") != "argocd-rbac-cm":
            continue
        csv = at(found[0], "data", "policy.csv")
        for line in csv.splitlines() if isinstance(csv, str) else ():
            wrong = _wrong_line(line.strip())
            if wrong is not None:
                yield _hit(found, ("data", "policy.csv"), "argocd-rbac-cm", wrong)


def _wrong(policy: str, project: str, role: Any) -> str | None:
    parts = [part.strip() for part in policy.split(",")]
    if "{{" in policy or "${" in policy:
        return None
    if len(parts) != 6 or parts[0] != "p":
        return f'"{policy}" is not of the form "p, subject, resource, action, object, allow"'
    if parts[1] != f"proj:{project}:{role}":
        return f"the subject {parts[1]} must be proj:{project}:{role}"
    if not parts[4].startswith(f"{project}/"):
        return f"the object {parts[4]} must begin with {project}/"
    if parts[5] not in ("allow", "deny"):
        return f"the effect {parts[5]} must be allow or deny"
    return None


def _wrong_line(line: str) -> str | None:
    if not line or line.startswith("#") or "{{" in line or "${" in line or '"' in line:
        return None
    parts = [part.strip() for part in line.split(",")]
    if parts[0] == "p" and len(parts) == 6 and re.fullmatch("allow|deny", parts[5]):
        return None
    if parts[0] == "g" and len(parts) == 3:
        return None
    return f'"{line}" is neither "p, subject, resource, action, object, allow" nor "g, group, role"'
