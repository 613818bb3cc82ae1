"""Charts that nobody installs; among them those that make agents' objects: what these would deliver is not seen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from posixpath import basename, join

from gitops_layout.agents import builtin
from gitops_layout.agents.context import Context
from gitops_layout.agents.delivery import Delivery
from gitops_layout.counts import counted
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.graph.objects import agents_rendered
from gitops_layout.model import Location, Unchecked, UncheckedClass
from gitops_layout.patterns import regexp
from gitops_layout.render.rendered import Rendered
from gitops_layout.repo.model import Repo, is_aside, is_parked, is_yaml

__all__ = ["idle_charts", "loose_charts", "unseen_charts"]

_AGENT = regexp(
    r"^apiVersion: *[\"']?(?:argoproj\.io/.*\nkind: *[\"']?App|(?:kustomize|helm)\.toolkit\.fluxcd\.io/"
    r"|fluxcd\.controlplane\.io/)",
    re.MULTILINE,
)
"""`argoproj.io` has Rollouts and Workflows, too; hardly anybody writes anything between version and kind."""

_MAKERS = {
    "argocd-apps": "Applications",
    "clustergroup": "Applications",
    "flux-instance": "a FluxInstance",
    "flux2-sync": "a Flux Kustomization",
}
"""Published charts that make agents' objects of their values, and what they make."""

_ACCEPTED = (
    "add the agent's object that does, or name the chart under `external:` in the config, with the reason"
)
"""Where no other agent's object is, all that is delivered may come of the chart: so it counts, until somebody says why not."""

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
        made = made or next(_makers(repo, folder), None) is not None
        if made and isinstance(name, str) and _NAME.fullmatch(name):
            found.append(builtin.chart(folder, Location(file), context))
    return found[:MAX_LOOSE]


def unseen_charts(
    repo: Repo, deliveries: Iterable[Delivery], rendered: Mapping[str, Rendered]
) -> Iterator[Unchecked]:
    """An entry for each such chart that no delivery installs: its own templates make them, or a chart that it needs."""
    charts = [delivery for delivery in deliveries if delivery.renderer == "chart"]
    installed = {delivery.source.path for delivery in charts if delivery.agent != "helm"}
    loose = {delivery.source.path: rendered[delivery.id] for delivery in charts if delivery.agent == "helm"}
    for chart in repo.charts:
        if chart in installed or is_aside(join(chart, "Chart.yaml")):
            continue
        found = _making(repo, chart, loose.get(chart))
        if found is not None:
            why, place = found
            name = chart or "."
            yield Unchecked(f"chart {name}", UncheckedClass.EXTERNAL, why, place, ("chart", name))
    yield from _patterns(repo)


def _making(repo: Repo, chart: str, rendered: Rendered | None) -> tuple[str, Location] | None:
    """What of a chart makes agents' objects, as a sentence, and where."""
    files = [file for file in repo.under(join(chart, "templates")) if file.endswith((".yaml", ".yml"))]
    making = [file for file in files if _AGENT.search(repo.text(file))]
    if making:
        why = f"{len(making)} of its templates make agents' objects, and nothing says with which values: {_ACCEPTED}"
        return why, Location(making[0])
    here = Location(join(chart, "Chart.yaml"))
    made = agents_rendered(rendered) if rendered is not None else []
    if made:
        return (
            (
                f"it makes {counted(len(made), 'agent object')} of its own values, and nothing here says who installs it: "
                f"{_ACCEPTED}"
            ),
            here,
        )
    for name in _makers(repo, chart):
        why = f"it depends on {name}, which makes {_MAKERS[name]}, and was not fetched: `gitops-layout fetch` brings it"
        return why, here
    return None


def _makers(repo: Repo, chart: str) -> Iterator[str]:
    """The published charts that make agents' objects, of those that a chart depends on."""
    from gitops_layout.helm.chart import dependencies  # most repositories have no charts to look into

    for dependency in dependencies(repo, chart):
        name = dependency.get("name")
        if isinstance(name, str) and name in _MAKERS:
            yield name


def _patterns(repo: Repo) -> Iterator[Unchecked]:
    """Values of the chart of the Validated Patterns, which an operator installs that no file here names."""
    for file in repo.manifests:
        if "values-" not in file or not basename(file).startswith("values-") or is_aside(file):
            continue
        for document in repo.documents(file):
            listed = at(document.data, "clusterGroup", "applications")
            if isinstance(listed, dict | list) and listed:
                count = counted(len(listed), "application")
                why = f"{file} lists {count}, of which the chart clustergroup makes Applications: it is not here"
                place = Location(file, ("clusterGroup", "applications"), document.index)
                yield Unchecked(
                    f"values {file}", UncheckedClass.EXTERNAL, why, place, ("chart", "clustergroup")
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
