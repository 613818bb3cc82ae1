"""Why a graph is as it is: what brings a delivery, what puts it into its environment, which repository it pulls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from gitops_layout.agents.context import Context, cluster_of, normal_url, stages
from gitops_layout.agents.delivery import BARE, Delivery, Source
from gitops_layout.agents.urls import folder_inside
from gitops_layout.graph.follows import follows
from gitops_layout.graph.model import Graph
from gitops_layout.graph.places import why_there
from gitops_layout.render.rendered import RenderedObject
from gitops_layout.values import dataclass

__all__ = ["Why", "origins", "parents", "whys"]


@dataclass(frozen=True, slots=True)
class Why:
    """A sentence each: how a delivery came about, what says its environment, and which repository it pulls."""

    live: str
    environment: str
    source: str


def parents(graph: Graph) -> Mapping[str, tuple[str, ...]]:
    """The deliveries that bring the agent object of a delivery, by its id; roots have none.

    An Application's object lies in another cluster than what it delivers, so its place decides, and of several
    that have it, those of its own cluster. An object that a chart's ApplicationSet stands for has no place that tells.
    """
    context = Context(graph.repo, graph.declared, stages=stages(graph.repo))
    homes = {d.id: d.cluster or cluster_of(context, d.root.file) for d in graph.deliveries}
    by_object: dict[tuple[str, str], list[Delivery]] = defaultdict(list)
    generated: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in graph.deliveries:
        by_object[delivery.kind, delivery.name].append(delivery)
        if delivery.root.path[-2:] == ("spec", "template"):
            generated[delivery.root.file].append(delivery)
    found: dict[str, list[str]] = defaultdict(list)
    for delivery in graph.deliveries:
        for item in graph.rendered[delivery.id].objects:
            made = generated if item.ref.kind == "ApplicationSet" else {}
            for child in (
                *by_object.get((item.ref.kind, item.ref.name), ()),
                *made.get(item.origin(()).file, ()),
            ):
                if (
                    child.id != delivery.id
                    and delivery.id not in found[child.id]
                    and _is_it(child, delivery, item)
                ):
                    found[child.id].append(delivery.id)
    near = {d.id: [one for one in found[d.id] if homes[one] == d.home] for d in graph.deliveries}
    known = {child: (above,) for child, above in graph.brought_by.items() if above in homes}
    return known | {child: tuple(near[child] or ids) for child, ids in found.items() if ids}


def _is_it(child: Delivery, delivery: Delivery, item: RenderedObject) -> bool:
    """Whether a rendered object is the one that `child` means: by its cluster, namespace and place."""
    if item.ref.kind == "ApplicationSet":
        return True
    near = child.home == delivery.cluster or child.agent == "argocd"
    return near and item.origin(()).file == child.root.file and item.ref.namespace in ("", child.namespace)


def whys(graph: Graph) -> Iterator[tuple[Delivery, Why]]:
    """Every delivery with its reasons, in the graph's order."""
    brought = parents(graph)
    context = Context(graph.repo, graph.declared, stages=stages(graph.repo))
    for delivery in graph.deliveries:
        place = why_there(context, delivery)
        yield (
            delivery,
            Why(
                _live(graph, delivery, brought),
                place[1] if place is not None else _inherited(delivery, brought),
                _source(graph, delivery),
            ),
        )


def _inherited(delivery: Delivery, above: Mapping[str, tuple[str, ...]]) -> str:
    """Why a delivery is where it is, or nowhere, that neither a folder nor a cluster speaks of."""
    if delivery.environment is not None and above.get(delivery.id):
        return f"{above[delivery.id][0]} is in it and brings its object"
    return "no folder and no cluster of it is called like an environment"


def _live(graph: Graph, delivery: Delivery, above: Mapping[str, tuple[str, ...]]) -> str:
    brought = above.get(delivery.id, ())
    if delivery.agent in BARE:
        if delivery.agent == "helm":
            return "not reached: nothing that was seen here installs this chart"
        if delivery.live and graph.hidden:
            return "no agent object was seen, so what is not included elsewhere counts as delivered"
        if delivery.live:
            return "no agent object is here, so what is not included elsewhere is delivered"
        return "not reached: no agent object names it, and no kustomization that one names includes it"
    if brought:
        more = f" and {len(brought) - 1} more" if len(brought) > 1 else ""
        turn = next((one for one in brought if delivery.id in above.get(one, ())), None)
        if delivery.live and turn is not None and len(brought) == 1:
            return f"{turn} brings its object, and is brought by it in turn"
        return f"{brought[0]}{more} brings its object" + ("" if delivery.live else ", which no agent reaches")
    if delivery.live:
        return f"a root: the agent's object in {delivery.root.file} is brought by nothing else"
    return f"not reached: only the object in {delivery.root.file} speaks of it"


def origins(source: Source) -> tuple[str, ...]:
    """What an assembled artifact is made of: the folder here that fills it, else this repository, and other URLs."""
    here = source.path or "this repository"
    copies = source.assembled.copies if source.assembled is not None else ()
    found = [
        here if copy.source.local else copy.source.url or "a source that is not known" for copy in copies
    ]
    return tuple(dict.fromkeys(found))


def _brought_from(graph: Graph, delivery: Delivery) -> str:
    """Whether the files of another repository were looked at all the same."""
    rendered = graph.rendered[delivery.id]
    if rendered.failure is None and delivery.renderer != "none":
        return "; its files were read, from what was fetched or a checkout beside"
    return ""


def _source(graph: Graph, delivery: Delivery) -> str:
    revision = follows(delivery)
    said = _whence(graph, delivery)
    return (
        said if revision is None else f"{said}; the agent follows {revision}, and what is shown is this tree"
    )


def _whence(graph: Graph, delivery: Delivery) -> str:
    source, url = delivery.source, delivery.source.url
    if source.chart is not None:
        return f"chart {source.chart} of {url or 'a source that is not known'}"
    if source.assembled is not None:
        return (
            f"an artifact put together in {source.defined.file if source.defined else '?'} out of files of "
            + ", ".join(origins(source))
        )
    if not source.local:
        return f"elsewhere: {source.foreign or url or 'nothing says where'}{_brought_from(graph, delivery)}"
    if delivery.agent in BARE:
        return "the tree itself"
    if delivery.renderer == "template":
        return "the templates in the object itself"
    if url is None and delivery.kind == "FluxInstance":
        return "this repository: its sync names no URL, and is taken to be from here"
    if url is None:
        return "this repository: no file defines its source, so it is the one that was set up in the cluster"
    known = normal_url(url)
    if known in map(normal_url, graph.repo.remotes):
        return f"this repository: {url} is a git remote of it"
    if known in map(normal_url, graph.declared.sources):
        return f"this repository: the {graph.declared.origin or 'config'} lists {url}"
    folder = folder_inside(graph.declared.inside, url)
    if folder is not None:
        return f"this repository: the config says that {url} is {folder or 'the whole of it'}"
    return f"this repository: most paths that are asked of {url} exist here"
