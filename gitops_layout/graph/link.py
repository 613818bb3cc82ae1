"""link: a Repo into its Graph. Pure: the renderer is handed in; what deliveries render is followed to a fixed point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial

from gitops_layout.agents import argocd
from gitops_layout.agents.context import Declared
from gitops_layout.fields import dotted, place_of
from gitops_layout.graph import places
from gitops_layout.graph.charts import loose_charts, unseen_charts
from gitops_layout.graph.circles import circular
from gitops_layout.graph.follow import drop_reached, follow, settle
from gitops_layout.graph.formless import formless, unmade, unparsable, unreadable
from gitops_layout.graph.generators import expander, is_generator
from gitops_layout.graph.model import Graph
from gitops_layout.graph.objects import agents_of, pulls
from gitops_layout.graph.parked import fixtures, parked
from gitops_layout.graph.roots import kustomize_roots, plain_folders
from gitops_layout.graph.sources import context_of, is_agent, telling
from gitops_layout.graph.state import Render, State, add
from gitops_layout.graph.texts import texts
from gitops_layout.kustomize.exact import KUSTOMIZE_VERSION
from gitops_layout.kustomize.named import named
from gitops_layout.model import Location, Unchecked, UncheckedClass, of_object
from gitops_layout.render.rendered import Rendered
from gitops_layout.repo.model import Repo, Resource, broken

__all__ = ["Render", "link"]


def link(repo: Repo, *, render: Render, declared: Declared | None = None) -> Graph:
    """Follow every agent object of `repo` into what it delivers.

    Without agent objects, or where agents live elsewhere, every kustomize root and every plain manifest
    counts as delivered; otherwise those are linked too, but not live.
    """
    declared = declared or Declared()
    inputs = named(repo, "patch", "input", "config", "plugin")
    objects = [resource for resource in repo.resources if resource.file not in inputs]
    of_agents = telling(objects)
    context, reason = context_of(repo, declared, of_agents)
    expand = expander(repo, context.declared, of_agents, context.is_own, render.tree)
    state = State(context, expand, render, parked(repo), explain=[reason] if reason else [])
    is_fixture = fixtures(repo)
    own = [resource for resource in of_agents if not is_fixture(resource.file)]
    agents = agents_of(state, own)
    pulling = (r for r in own if is_generator(r) or (is_agent(r) and pulls(r)))
    pulled = any(not state.parked(resource.file) for resource in pulling)
    agentless = declared.external_agent or not pulled
    follow(state, agents, partial(kustomize_roots, repo, context, live=agentless), inputs)
    settle(state)
    drop_reached(state)
    if agentless:
        reached = {file for rendered in state.rendered.values() for file in rendered.files}
        add(state, plain_folders(repo, context, inputs, reached))
    read = frozenset().union(*(rendered.files for rendered in state.rendered.values()))
    add(state, loose_charts(repo, context, read))
    live = _live_files(repo, state, own)
    hidden = _note_unseen(state, live, (of_agents, inputs), pulled=pulled, agentless=agentless)
    names = tuple(entry.what for entry in hidden)
    state.explain.append(_why_delivered(agents, declared, names, agentless=agentless))
    deliveries = tuple(sorted(state.deliveries.values(), key=lambda delivery: delivery.id))
    brought = (team for delivery in deliveries for team in _teams(state.rendered[delivery.id]))
    graph = Graph(
        repo,
        deliveries,
        state.rendered,
        frozenset(live),
        environments=places.environments(context, deliveries),
        clusters=places.clusters(context, deliveries),
        tenants=places.tenants(context, deliveries, [*brought, *objects]),
        declared=context.declared,
        unchecked=(*repo.unchecked, *state.unchecked),
        explain=tuple(state.explain),
        hidden=names,
        brought_by={key: made.parent for key, made in state.made.items() if made.parent is not None},
    )
    roots = [key for key, made in state.made.items() if made.parent is None]
    return replace(graph, unchecked=(*graph.unchecked, *circular(graph, roots)))


def _teams(rendered: Rendered) -> Iterator[Resource]:
    """What tells of tenants; only of a project it is said where it stands, for which a chart may have to be rendered."""
    for item in rendered.objects:
        if item.ref.kind in ("AppProject", "Namespace", "ServiceAccount"):
            place = item.origin(()) if item.ref.kind == "AppProject" else Location("")
            yield Resource(item.ref, item.data, place)


def _live_files(repo: Repo, state: State, objects: Sequence[Resource]) -> set[str]:
    """What agents reach: their objects' files, the sources they name, and all that their builds read."""
    reaching = [delivery for delivery in state.deliveries.values() if delivery.live]
    live = {delivery.root.file for delivery in reaching}
    for delivery in reaching:
        rendered = state.rendered[delivery.id]
        live |= rendered.files
        if rendered.failure is not None and rendered.failure.location is not None:
            live.add(rendered.failure.location.file)
        if delivery.source.defined is not None:
            live.add(delivery.source.defined.file)
    live |= {
        resource.file
        for resource in objects
        if resource.ref.group == argocd.GROUP
        and resource.ref.kind in ("AppProject", "ApplicationSet")
        and not state.parked(resource.file)
    }
    return live & repo.entries.keys()


def _why_delivered(
    agents: Sequence[Resource], declared: Declared, hidden: Sequence[str], *, agentless: bool
) -> str:
    if declared.external_agent:
        return "agents elsewhere pull from here (agent: external): every kustomize root and manifest is delivered"
    if agentless and declared.deliveries:
        return (
            "gitops-layout itself is the agent: the overlays of apps and tenants in gitops.yaml are delivered"
        )
    if agentless and hidden:
        more = f" and {len(hidden) - 1} more" if len(hidden) > 1 else ""
        return (
            f"no agent object was seen, but {hidden[0]}{more} may bring some; until they are seen, every kustomize root "
            "and every manifest outside one counts as delivered"
        )
    if agentless:
        return (
            "no agent object pulls a path: every kustomize root and every manifest outside one is delivered"
        )
    return f"{len(agents)} agent objects deliver; what none of them reaches is not live"


def _note_unseen(
    state: State,
    live: set[str],
    found: tuple[Sequence[Resource], AbstractSet[str]],
    *,
    pulled: bool,
    agentless: bool,
) -> list[Unchecked]:
    """Note all that could not be rendered, read or understood, and add the files that this makes live.

    `found` are the objects that may be agents', and the files that are parts of some. Returns the charts that may bring
    agents' objects where none was seen.
    """
    repo, (objects, inputs) = state.context.repo, found
    if agentless:  # what cannot be read may be a manifest, and all manifests are delivered
        live |= {file for file, _ in unparsable(repo)}
    live.update(unreadable(repo, state.parked))
    _note_deliveries(state)
    _note_files(state, live)
    for entry, of_agents in formless(repo, objects, inputs, state.parked):
        state.unchecked.append(entry)
        if (of_agents or agentless) and entry.location is not None:
            live.add(entry.location.file)
    hidden = [] if pulled else list(unseen_charts(repo, state.deliveries.values(), state.rendered))
    # What would be delivered, if it were seen.
    instead = hidden if state.deliveries else [*hidden, *unmade(repo)]
    state.unchecked += instead
    live |= {entry.location.file for entry in instead if entry.location is not None}
    return hidden


def _note_deliveries(state: State) -> None:
    """Everything that could not be rendered, and fields that we do not know yet."""
    for delivery in state.deliveries.values():
        failure = state.rendered[delivery.id].failure
        if failure is not None:
            state.unchecked.append(replace(failure, delivery=delivery.id))
        state.unchecked.extend(state.rendered[delivery.id].unseen)
        for note in delivery.notes:
            what = f"{dotted(note)} of delivery {delivery.id}"
            why, subject = "it is no field that is known here; the delivery is shown without it", None
            if delivery.agent == "argocd" and note[-2:] == ("kustomize", "version"):
                why = f"Argo CD builds it with a kustomize of its installation, and here it is {KUSTOMIZE_VERSION}"
                subject = of_object(delivery.kind, delivery.namespace, delivery.name)
            place = place_of(delivery.root, delivery.origin, note)
            state.unchecked.append(Unchecked(what, UncheckedClass.EXTERNAL, why, place, subject, delivery.id))


def _note_files(state: State, live: AbstractSet[str]) -> None:
    """Files that are no YAML, but for what is somebody's own affair and what is read by nobody's parser."""
    repo = state.context.repo
    meant = ({file for file, _ in unparsable(repo)} | live) - texts(repo)
    for file, problem in repo.unparsable:
        if file in meant:
            why = f"line {problem.line}, column {problem.column}: {problem.message}"
            state.unchecked.append(broken(f"file {file}", why, Location(file)))
