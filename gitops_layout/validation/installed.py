"""Which projects a repository installs itself: in what release, their charts say, and not the definitions that we packed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitops_layout.graph.roots import kustomizations
from gitops_layout.kustomize.model import is_remote, mappings, references
from gitops_layout.validation import bundle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitops_layout.graph.model import Graph

__all__ = ["installed"]


def installed(graph: Graph) -> frozenset[str]:
    """The API groups of packed projects that a delivery is called after, or its chart or source, or a remote base:
    `kube-prometheus-stack` brings Prometheus Operator.
    """
    said = "\n".join(_said(graph))
    return frozenset(
        group for pack in bundle.index() if _stem(pack["name"]) in said for group in pack["groups"]
    )


def _stem(name: str) -> str:
    return _plain(name.removesuffix("-operator"))


def _plain(text: str) -> str:
    return text.lower().replace("-", "")


def _said(graph: Graph) -> Iterator[str]:
    for whole in graph.deliveries:
        if whole.agent not in ("flux", "argocd", "helm"):
            continue
        for delivery in (whole, *whole.parts):
            source = delivery.source
            yield from (_plain(text) for text in (delivery.name, source.chart, source.url) if text)
    for kustomization in kustomizations(graph.repo):
        yield from (_plain(each.target) for each in references(kustomization) if is_remote(each.target))
        for chart, _ in mappings(kustomization.data, "helmCharts"):
            yield _plain(str(chart.get("name")))
