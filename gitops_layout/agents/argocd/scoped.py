"""Repositories and clusters that belong to one project: what their Secrets add to what it permits.

Facts: argo-cd v3.6.1, util/argo (GetAppProjectByName) and util/db: of the namespace of Argo CD itself every Secret of
type `repository` or `cluster` with a key `project`; a cluster without `namespaces` permits all of them.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from gitops_layout.agents.argocd.project import Destination, Project
from gitops_layout.agents.argocd.secrets import SECRET_TYPE, TEMPLATES
from gitops_layout.fields import at
from gitops_layout.model import ObjectRef
from gitops_layout.values import dataclass

__all__ = ["Scoped", "scoped", "with_scoped"]

_UNREAD = ("ENC[", "{{", "${", "<")
"""What stands for a value that is not here: encrypted, or filled in later."""


@dataclass(frozen=True, slots=True)
class Scoped:
    """What one Secret adds; `project` is None where it names one that cannot be read: any may be meant."""

    project: str | None
    namespace: str
    source: str | None = None
    destinations: tuple[Destination, ...] = ()


def scoped(objects: Iterable[tuple[ObjectRef, Mapping[str, Any], str]]) -> Iterator[Scoped]:
    """What the Secrets among objects, each with the namespace that it ends up in, add to projects.

    What of them cannot be read is taken for whatever permits most.
    """
    for ref, data, namespace in objects:
        where = TEMPLATES.get((ref.group, ref.kind))
        secret = at(data, *where) if where is not None else None
        kind = at(secret, *SECRET_TYPE)
        if kind in ("repository", "cluster"):
            values = {**_elsewhere(data), **_values(secret)}
            project = values.get("project", "")
            if project != "":
                yield Scoped(project, namespace, *_added(kind, values))


def _added(kind: str, values: Mapping[str, str | None]) -> tuple[str | None, tuple[Destination, ...]]:
    """The pattern of the repository, or the destinations on the cluster."""
    if kind == "repository":
        return values.get("url") or "*", ()
    server = (values.get("server") or "*").rstrip("/")
    listed = values.get("namespaces", "")
    spaces = [name.strip() for name in listed.split(",")] if listed is not None else []
    return None, tuple(Destination(server, namespace=name) for name in filter(None, spaces)) or (
        Destination(server, namespace="*"),
    )


def _values(secret: Any) -> dict[str, str | None]:
    """The values that are written out; None for one that cannot be read."""
    found: dict[str, str | None] = {}
    for section in ("data", "stringData"):
        listed = at(secret, section)
        for key, value in listed.items() if isinstance(listed, dict) else ():
            text = value if isinstance(value, str) else None
            if text is not None and section == "data" and at(secret, "kind") == "Secret":
                text = _decoded(text)
            unread = text is None or any(sign in text for sign in _UNREAD)
            found[str(key)] = None if unread else text
    return found


def _decoded(text: str) -> str | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode()
    except ValueError:
        return None


def _elsewhere(data: Mapping[str, Any]) -> dict[str, None]:
    """The keys whose values come sealed, or from a store; what a store gives as a whole may hold `project`, unless a
    template says all that is kept of it.
    """
    sealed, fetched = at(data, "spec", "encryptedData"), at(data, "spec", "data")
    names = [at(item, "secretKey") for item in fetched] if isinstance(fetched, list) else []
    template = at(data, "spec", "target", "template")
    merged = not at(template, "data") or at(template, "mergePolicy") == "Merge"
    whole = ["project"] if at(data, "spec", "dataFrom") and merged else []
    return dict.fromkeys([*map(str, sealed if isinstance(sealed, dict) else ()), *map(str, names), *whole])


def with_scoped(own: Project, added: Iterable[Scoped]) -> Project:
    """The project with the repositories and clusters that belong to it; where a namespace is not known, it fits."""
    mine = [
        item
        for item in added
        if item.project in (None, own.name)
        if not own.namespace or item.namespace in ("", own.namespace)
    ]
    return replace(
        own,
        source_repos=(*own.source_repos, *(item.source for item in mine if item.source is not None)),
        destinations=(*own.destinations, *(place for item in mine for place in item.destinations)),
    )
