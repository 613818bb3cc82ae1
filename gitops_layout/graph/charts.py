"""Charts that make agents' objects, in a repository that has no others: what those would deliver is not seen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from posixpath import join

from gitops_layout.agents.delivery import Delivery
from gitops_layout.model import Location, Unchecked, UncheckedClass
from gitops_layout.repo.model import Repo, is_aside

__all__ = ["unseen_charts"]

_AGENT = re.compile(
    r"^apiVersion: *[\"']?(?:argoproj\.io|(?:kustomize|helm)\.toolkit\.fluxcd\.io|fluxcd\.controlplane\.io)/",
    re.MULTILINE,
)


def unseen_charts(repo: Repo, deliveries: Iterable[Delivery]) -> Iterator[Unchecked]:
    """An entry for each such chart that no delivery installs."""
    installed = {delivery.source.path for delivery in deliveries if delivery.renderer == "chart"}
    for chart in repo.charts:
        files = [file for file in repo.under(join(chart, "templates")) if file.endswith((".yaml", ".yml"))]
        making = [file for file in files if _AGENT.search(repo.text(file))]
        if making and chart not in installed and not is_aside(making[0]):
            name = chart or "."
            why = f"{len(making)} of its templates make agents' objects, and nothing says with which values"
            yield Unchecked(
                f"chart {name}", UncheckedClass.EXTERNAL, why, Location(making[0]), ("chart", name)
            )
