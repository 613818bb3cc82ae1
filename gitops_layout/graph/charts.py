"""Charts that nobody installs; among them those that make agents' objects: what these would deliver is not seen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from posixpath import join

from gitops_layout.agents import builtin
from gitops_layout.agents.context import Context
from gitops_layout.agents.delivery import Delivery
from gitops_layout.graph.model import Graph
from gitops_layout.model import Location, Unchecked, UncheckedClass
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo, is_aside, is_parked, is_yaml

__all__ = ["idle_charts", "loose_charts", "unseen_charts"]

_AGENT = regexp(
    r"^apiVersion: *[\"']?(?:argoproj\.io/.*\nkind: *[\"']?App|(?:kustomize|helm)\.toolkit\.fluxcd\.io/"
    r"|fluxcd\.controlplane\.io/)",
    re.MULTILINE,
)
"""`argoproj.io` has Rollouts and Workflows, too; hardly anybody writes anything between version and kind."""


MAX_LOOSE = 250
"""Charts that nobody installs and that are rendered all the same; more are no one's to wait for."""

_NAME = regexp(r"[a-z0-9][a-z0-9.-]*")


def loose_charts(repo: Repo, context: Context, read: AbstractSet[str]) -> list[Delivery]:
    """The charts that nothing that was rendered has `read`, and that are no part of another one."""
    found: list[Delivery] = []
    for folder in _alone(repo, read):
        file = join(folder, "Chart.yaml")
        if is_parked(file):
            continue
        documents = repo.documents(file)
        data = documents[0].data if documents else None
        if not isinstance(data, dict) or data.get("type") == "library":
            continue
        name = data.get("name", "chart")
        made = any("/templates/" in f"/{path}" and is_yaml(path) for path in repo.under(folder))
        if made and isinstance(name, str) and _NAME.fullmatch(name):
            found.append(builtin.chart(folder, Location(file), context))
    return found[:MAX_LOOSE]


def unseen_charts(repo: Repo, deliveries: Iterable[Delivery]) -> Iterator[Unchecked]:
    """An entry for each such chart that no delivery installs."""
    installed = {
        delivery.source.path
        for delivery in deliveries
        if delivery.renderer == "chart" and delivery.agent != "helm"
    }
    for chart in repo.charts:
        files = [file for file in repo.under(join(chart, "templates")) if file.endswith((".yaml", ".yml"))]
        making = [file for file in files if _AGENT.search(repo.text(file))]
        if making and chart not in installed and not is_aside(making[0]):
            name = chart or "."
            why = f"{len(making)} of its templates make agents' objects, and nothing says with which values"
            yield Unchecked(
                f"chart {name}", UncheckedClass.EXTERNAL, why, Location(making[0]), ("chart", name)
            )


def idle_charts(graph: Graph) -> tuple[str, ...]:
    """The folders of the charts that nothing here installs, nor reads as part of another chart."""
    used = {file for rendered in graph.rendered.values() for file in rendered.files}
    return tuple(sorted(_alone(graph.repo, used)))


def _alone(repo: Repo, read: AbstractSet[str]) -> Iterator[str]:
    """The folders of the charts that nothing has `read`, and that are no part of another one."""
    inside = tuple(join(folder, "charts/") for folder in repo.charts)
    for folder in repo.charts:
        file = join(folder, "Chart.yaml")
        if not (file in read or folder.startswith(inside) or is_aside(file)):
            yield folder
