"""Image automation and notification of a Graph, as text and as JSON."""

from __future__ import annotations

from collections import Counter
from typing import Any

from gitops_layout.counts import counted
from gitops_layout.graph.automation import Automation, Marker, Reference, Update, automation
from gitops_layout.graph.model import Graph

__all__ = ["automation_to_data", "automation_to_text"]

_MANY = 20
"""Of one kind of trouble, this many are listed."""


def automation_to_text(graph: Graph) -> list[list[str]]:
    """A block for what is written, one for what names nothing; none where the repository has no such objects."""
    found = automation(graph)
    return [block for block in (_updates(found), _idle(graph, found), _lost(graph, found)) if block]


def _updates(found: Automation) -> list[str]:
    if not found.updates:
        return []
    written = Counter(update for marker in found.markers for update in marker.updates)
    lines = [f"  {update.id}  {_facts(update, written[update.id])}" for update in found.updates]
    return ["images are written by", *lines]


def _facts(update: Update, markers: int) -> str:
    if update.push is None:
        pushed = "no branch to push to"
    elif update.to_its_branch:
        pushed = f"pushes to {update.push}, which it checks out"
    else:
        pushed = f"pushes to {update.push}, from {update.checkout or 'another reference'}"
    facts = [
        update.path or "the whole repository",
        pushed,
        counted(markers, "marker") if update.own is not False else "of another repository",
        "suspended" if update.suspended else None,
    ]
    return " · ".join(fact for fact in facts if fact)


def _idle(graph: Graph, found: Automation) -> list[str]:
    """Markers that nothing writes; without any automation they are another cluster's, or nobody's yet."""
    idle = [marker for marker in found.markers if not marker.updates]
    if not idle:
        return []
    lines = [f"  {_place(graph, marker)}  {_why(marker)}" for marker in idle[:_MANY]]
    more = [f"  and {len(idle) - _MANY} more; --format json lists all"] if len(idle) > _MANY else []
    return [f"no automation writes {counted(len(idle), 'marker')}", *lines, *more]


def _why(marker: Marker) -> str:
    policy = f"ImagePolicy {marker.namespace}/{marker.name}"
    if marker.part is None:
        return f"{marker.namespace}:{marker.name} is no namespace:name, with :tag, :name or :digest after it"
    if not marker.policies:
        return f"no cluster has {policy}"
    return f"{policy} is there, but no automation seen here selects it and covers this file"


def _place(graph: Graph, item: Marker | Reference) -> str:
    return f"{item.location.file}:{graph.repo.span(item.location).line}"


def _lost(graph: Graph, found: Automation) -> list[str]:
    lost = [reference for reference in found.references if reference.found is False]
    if not lost:
        return []
    lines = [
        f"  {ref.object.kind} {ref.object.name}@{ref.cluster} names {ref.kind} {ref.namespace}/{ref.name}"
        f" ({_place(graph, ref)})"
        for ref in lost[:_MANY]
    ]
    more = [f"  and {len(lost) - _MANY} more; --format json lists all"] if len(lost) > _MANY else []
    return ["image automation and notification name what is not there", *lines, *more]


def automation_to_data(graph: Graph) -> dict[str, Any]:
    """Everything, for JSON."""
    found = automation(graph)
    return {
        "updates": [
            {
                "id": update.id,
                "cluster": update.cluster or None,
                "path": update.path,
                "own": update.own,
                "checkout": update.checkout,
                "push": update.push,
                "refspec": update.refspec,
                "toItsBranch": update.to_its_branch,
                "suspended": update.suspended,
                **_where(graph, update),
            }
            for update in found.updates
        ],
        "markers": [
            {
                "policy": f"{marker.namespace}/{marker.name}",
                "part": marker.part,
                "policies": list(marker.policies),
                "updates": list(marker.updates),
                **_where(graph, marker),
            }
            for marker in found.markers
        ],
        "references": [
            {
                "object": str(reference.object),
                "cluster": reference.cluster or None,
                "kind": reference.kind,
                "namespace": reference.namespace,
                "name": reference.name,
                "found": reference.found,
                **_where(graph, reference),
            }
            for reference in found.references
        ],
    }


def _where(graph: Graph, item: Update | Marker | Reference) -> dict[str, Any]:
    return {"file": item.location.file, "line": graph.repo.span(item.location).line}
