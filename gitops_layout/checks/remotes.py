"""Checks of repository URLs against those that this repository is known by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.agents.context import normal_url
from gitops_layout.checks.habits import is_slip
from gitops_layout.checks.objectlist import values_at
from gitops_layout.graph.model import Graph
from gitops_layout.model import Hit

__all__ = ["nearly_this_repository"]

_URLS = {
    "source.toolkit.fluxcd.io/GitRepository": ("spec.url",),
    "argoproj.io/Application": ("spec.source.repoURL", "spec.sources[].repoURL"),
    "argoproj.io/AppProject": ("spec.sourceRepos[]",),
    "argoproj.io/ApplicationSet": (
        "spec.generators[].git.repoURL", "spec.template.spec.source.repoURL", "spec.template.spec.sources[].repoURL",
    ),
}  # fmt: skip
_LONG = 5


def nearly_this_repository(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """URLs whose owner is one sign off from the owner of this repository, on the same server."""
    known = {normal_url(url) for url in (*graph.repo.remotes, *graph.declared.sources) if url}
    owners = {(host, owner) for host, owner in map(_owner, known) if len(owner) >= _LONG}
    if not owners:
        return
    for resource in graph.repo.resources:
        for path in _URLS.get(f"{resource.ref.group}/{resource.ref.kind}", ()):
            for value, where in values_at(resource.data, path):
                if not isinstance(value, str) or any(sign in value for sign in "${<*"):
                    continue
                host, owner = _owner(normal_url(value))
                meant = [
                    own for server, own in owners if server == host and own != owner and is_slip(own, owner)
                ]
                if meant and (host, owner) not in owners:
                    values = {"url": value, "owner": owner, "own": meant[0], "subject": owner}
                    yield Hit(resource.location.at(*where), values)


def _owner(url: str) -> tuple[str, str]:
    host, _, path = url.partition("/")
    return host, path.partition("/")[0]
