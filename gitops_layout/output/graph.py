"""A Graph as JSON, Mermaid or Graphviz DOT, and its files as text."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from gitops_layout.agents.argocd.phases import wave
from gitops_layout.agents.delivery import Delivery
from gitops_layout.graph.accounts import State, accounts
from gitops_layout.graph.explain import Why, parents, whys
from gitops_layout.graph.follows import follows
from gitops_layout.graph.model import Graph
from gitops_layout.graph.steps import steps
from gitops_layout.output.graph_automation import automation_to_data

__all__ = ["files_to_text", "to_dot", "to_json", "to_mermaid"]


def files_to_text(graph: Graph) -> str:
    """A line a YAML file: what becomes of it and why, then the counts."""
    found = list(accounts(graph))
    lines = [f"{account.state:<14}  {account.file}  ({account.why})" for account in found]
    counts = Counter(account.state for account in found)
    lines.append(", ".join(f"{counts[state]} {state}" for state in State if counts[state]) or "no YAML file")
    return "\n".join(lines) + "\n"


def _edges(graph: Graph) -> Iterator[tuple[str, str, str]]:
    """(from, to, what): a delivery that delivers another one, or waits for it."""
    by_object = {(d.kind, d.namespace, d.name, d.home): d.id for d in graph.deliveries}
    for child, above in parents(graph).items():
        for parent in above:
            yield parent, child, "delivers"
    for delivery in graph.deliveries:
        for needed in delivery.depends_on:
            # `namespace/name` of the same kind, or with the kind before it (a ResourceSet).
            *kind, namespace, name = needed.split("/") if "/" in needed else ("", needed)
            target = by_object.get((kind[0] if kind else delivery.kind, namespace, name, delivery.home))
            if target is not None:
                yield delivery.id, target, "depends on"


def to_mermaid(graph: Graph) -> str:
    """A flowchart, a subgraph a cluster; dotted arrows are dependencies."""
    names = {delivery.id: f"d{index}" for index, delivery in enumerate(graph.deliveries)}
    lines = ["flowchart LR"]
    for number, cluster in enumerate(dict.fromkeys(delivery.cluster for delivery in graph.deliveries)):
        lines.append(f'  subgraph c{number}["{_mermaid(cluster or "no cluster")}"]')
        lines += [
            f'    {names[d.id]}["{_mermaid(_label(d))}"]' for d in graph.deliveries if d.cluster == cluster
        ]
        lines.append("  end")
    arrows = {"delivers": "-->", "depends on": "-.->"}
    lines += [f"  {names[start]} {arrows[what]} {names[end]}" for start, end, what in _edges(graph)]
    return "\n".join(lines) + "\n"


def _mermaid(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")


def to_dot(graph: Graph) -> str:
    """A directed graph, a cluster a box; dashed arrows are dependencies."""
    lines = ["digraph deliveries {", "  rankdir=LR;", "  node [shape=box];"]
    for number, cluster in enumerate(dict.fromkeys(delivery.cluster for delivery in graph.deliveries)):
        lines += [f"  subgraph cluster_{number} {{", f"    label={json.dumps(cluster or 'no cluster')};"]
        for delivery in graph.deliveries:
            if delivery.cluster == cluster:
                style = "" if delivery.live else ", style=dashed"
                lines.append(f"    {json.dumps(delivery.id)} [label={json.dumps(_label(delivery))}{style}];")
        lines.append("  }")
    for start, end, what in _edges(graph):
        style = " [style=dashed]" if what == "depends on" else ""
        lines.append(f"  {json.dumps(start)} -> {json.dumps(end)}{style};")
    return "\n".join([*lines, "}"]) + "\n"


def _label(delivery: Delivery) -> str:
    return f"{delivery.kind} {delivery.namespace}/{delivery.name}" if delivery.namespace else delivery.name


def to_json(graph: Graph) -> str:
    """Everything: deliveries with their objects and files, environments, and what was not seen."""
    data = {
        "version": 1,
        "revision": graph.repo.revision,
        "environments": [
            {"name": e.name, "tier": e.tier, "reason": e.reason, "evidence": e.evidence, "from": e.source}
            for e in graph.environments
        ],
        "clusters": [
            {
                "name": c.name,
                "reason": c.reason,
                "evidence": c.evidence,
                "environments": list(c.environments),
                "server": c.server,
            }
            for c in graph.clusters
        ],
        "tenants": [
            {
                "name": tenant.name,
                "reason": tenant.reason,
                "evidence": tenant.evidence,
                "namespaces": list(tenant.namespaces),
                "deliveries": list(tenant.deliveries),
            }
            for tenant in graph.tenants
        ],
        "deliveries": [_delivery(graph, delivery, why) for delivery, why in whys(graph)],
        "automation": automation_to_data(graph),
        "unchecked": [
            {
                "what": entry.what,
                "class": str(entry.kind),
                "why": entry.why,
                "file": entry.location.file if entry.location else None,
                "line": graph.repo.span(entry.location).line if entry.location else None,
                "column": graph.repo.span(entry.location).column if entry.location else None,
            }
            for entry in graph.unchecked
        ],
        "files": [
            {"file": account.file, "state": str(account.state), "why": account.why}
            for account in accounts(graph)
        ],
        "explain": list(graph.explain),
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _delivery(graph: Graph, delivery: Delivery, why: Why) -> dict[str, Any]:
    rendered = graph.rendered[delivery.id]
    source = delivery.source
    return {
        "id": delivery.id,
        "environment": delivery.environment,
        "cluster": delivery.cluster or None,
        "live": delivery.live,
        "renderer": delivery.renderer,
        "source": {
            "url": source.url,
            "path": source.path,
            "chart": source.chart,
            "local": source.local,
            "revision": source.revision.name if source.revision is not None else None,
            "follows": follows(delivery),
        },
        "file": delivery.root.file,
        "line": graph.repo.span(delivery.root).line,
        "dependsOn": list(delivery.depends_on),
        "wave": wave(delivery.object) if delivery.agent == "argocd" else None,
        "steps": [
            {"phase": step.phase, "wave": step.wave, "objects": [str(item.ref) for item in step.objects]}
            for step in steps(delivery, rendered)
        ],
        "objects": [str(item.ref) for item in rendered.objects],
        "files": sorted(rendered.files),
        "sync": {
            "automated": delivery.sync.automated,
            "prune": delivery.sync.prune,
            "selfHeal": delivery.sync.self_heal,
            "suspended": delivery.sync.suspended,
            "interval": delivery.sync.interval,
        },
        "because": {"live": why.live, "environment": why.environment, "source": why.source},
        "failure": rendered.failure.why if rendered.failure else None,
    }
