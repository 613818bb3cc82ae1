"""Objects in files that nothing reads: what is wrong with them whatever they are for."""

from __future__ import annotations

import json
from posixpath import join
from typing import TYPE_CHECKING, Any

from gitops_layout.graph.accounts import is_set_aside
from gitops_layout.graph.roots import kustomizations
from gitops_layout.kustomize.model import GROUP as KUSTOMIZE
from gitops_layout.kustomize.model import references
from gitops_layout.kustomize.named import named
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import is_aside, is_parked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitops_layout.graph.model import Graph
    from gitops_layout.repo.model import Repo, Resource
    from gitops_layout.validation.check import Violation

__all__ = ["is_certain", "is_hole", "unread"]

_HOLES = regexp(
    r"\$\{|\$\(|\{\{|\[\[|%%|@@|<<|<[\w .-]+>|<(?:secret|path|vault):[^<>]+>|\b__\w+__\b|PLACEHOLDER|REPLACE[-_ ]?|(?i:change[-_ ]?me)|\byour-"
    r"|\": \"\s*#"
)
"""What a text has that somebody fills in before it is used."""
_HOLE = regexp(r"\"\s*#|[A-Z][A-Z0-9_]{3,}")
"""What a value has that may be filled in: nothing but a comment, or a word in capitals."""


def unread(graph: Graph) -> Iterator[Resource]:
    """Whole objects that no build reads and that do not lie there for something else, as patches, examples and the files of
    other tools do.
    """
    repo = graph.repo
    read = {file for rendered in graph.rendered.values() for file in rendered.files}
    read |= named(repo, "patch", "input", "config", "plugin") | _material(repo)
    roots = {(delivery.root.file, delivery.root.document) for delivery in graph.deliveries}
    for resource in repo.resources:
        file = resource.file
        if file in read or (file, resource.location.document) in roots or "patch" in file:
            continue
        if is_aside(file) or is_parked(file) or is_set_aside(file):
            continue
        ours = resource.ref.api_version.startswith((KUSTOMIZE, "gitops-layout"))
        if not ours and resource.ref.name and not _HOLES.search(json.dumps(resource.data, default=str)):
            yield resource


def _material(repo: Repo) -> frozenset[str]:
    """What components list: overlays complete and rename it."""
    found = (
        repo.resolve(join(kustomization.folder, reference.target))
        for kustomization in kustomizations(repo)
        if kustomization.is_component
        for reference in references(kustomization)
    )
    return frozenset(file for file in found if file is not None)


def is_certain(violation: Violation) -> bool:
    """Whether it is wrong whatever a file is for: a patch has directives and nulls, a template has holes."""
    if violation.path == ("kind",):
        return False  # another program's file: an installer's, a cluster's, a client's
    directive = any(isinstance(step, str) and step.startswith("$") for step in violation.path)
    return not directive and violation.got != "null" and not _HOLE.search(violation.got)


def is_hole(value: Any) -> bool:
    """Whether a value that the server refuses is none yet, or is more than one: what is beside it may be patched in."""
    return value in (None, "") or isinstance(value, dict | list) or _HOLE.search(str(value)) is not None
