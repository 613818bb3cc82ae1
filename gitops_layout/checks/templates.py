"""Checks of Go templates: their parser is imported where there is something to parse, which most files are not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.checks.delivered import delivered
from gitops_layout.graph.model import Graph
from gitops_layout.model import Hit

__all__ = ["release_lost", "secret_template_wrong"]


def release_lost(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """The first use in each `range` or `with` of a field that its element cannot have, be it in a helper that gets it."""
    if graph.repo.charts:
        from gitops_layout.checks.scopes import root_lost

        yield from root_lost(graph)


def secret_template_wrong(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Templates of ExternalSecrets that cannot be read, or that ask for a key which nothing brings."""
    found = list(delivered(graph).of("external-secrets.io", "ExternalSecret"))
    if found:
        from gitops_layout.checks.secrettemplates import wrong_template

        yield from wrong_template(found)
