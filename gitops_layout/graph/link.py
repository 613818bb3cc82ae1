"""link: a Repo into its Graph. Pure: the renderer is handed in; what deliveries render is followed to a fixed point."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from posixpath import basename, dirname, join
from typing import Any, Protocol

from gitops_layout.agents import argocd, builtin, flux
from gitops_layout.agents.context import Context, Declared, at
from gitops_layout.agents.context import cluster_of as cluster_of_root
from gitops_layout.agents.delivery import Delivery
from gitops_layout.graph import places
from gitops_layout.graph.charts import unseen_charts
from gitops_layout.graph.generators import Expander, expander, is_generator
from gitops_layout.graph.model import Graph
from gitops_layout.graph.parked import parked
from gitops_layout.graph.sources import context_of, delivery_of, is_agent, with_sources
from gitops_layout.kustomize.model import FILE_NAMES, Kustomization, find, references
from gitops_layout.kustomize.named import named
from gitops_layout.model import Location, Unchecked, UncheckedClass
from gitops_layout.render.lookup import ENCRYPTED, Lookup
from gitops_layout.render.rendered import Rendered, RenderedObject
from gitops_layout.repo.model import Repo, Resource, broken, is_aside, is_template

__all__ = ["Render", "link"]


class Render(Protocol):
    """What link needs of the renderer."""

    def __call__(self, deliveries: Sequence[Delivery], lookup: Lookup, /) -> Mapping[str, Rendered]:
        """Each delivery's objects, by its id."""

    def reads(self, delivery: Delivery, /) -> frozenset[str]:
        """The files that a delivery's build reads, found without building."""


MAX_ROUNDS = 20
"""Deliveries that render deliveries: deeper chains than this are cut, and said to be."""

MAX_DELIVERIES = 50_000
"""More are not followed: templates can make templates."""


@dataclass(frozen=True, slots=True)
class _Made:
    """An agent's object: its cluster, whether what brings it is live, the delivery that brings it, whether
    it is applied as it is rather than completed by a patch, and whether its file is out of use.
    """

    resource: Resource
    cluster: str
    live: bool = True
    parent: str | None = None
    whole: bool = True
    parked: bool = False


@dataclass(slots=True)
class _State:
    context: Context
    expand: Expander
    render: Render
    parked: Callable[[str], bool]
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    rendered: dict[str, Rendered] = field(default_factory=dict)
    made: dict[str, _Made] = field(default_factory=dict)
    unchecked: list[Unchecked] = field(default_factory=list)
    explain: list[str] = field(default_factory=list)
    brought: dict[tuple[str, str, str, str], RenderedObject] = field(default_factory=dict)
    children: dict[str, frozenset[str]] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    version: int = 0

    def lookup(self, cluster: str, kind: str, namespace: str, name: str) -> RenderedObject | None:
        """A ConfigMap or Secret that some delivery brings to a cluster."""
        return self.brought.get((cluster, kind, namespace, name))


def link(repo: Repo, *, render: Render, declared: Declared | None = None) -> Graph:
    """Follow every agent object of `repo` into what it delivers.

    Without agent objects, or where agents live elsewhere, every kustomize root and every plain manifest
    counts as delivered; otherwise those are linked too, but not live.
    """
    declared = declared or Declared()
    inputs = named(repo, "patch", "input", "config", "plugin")
    objects = [resource for resource in repo.resources if resource.file not in inputs]
    context, reason = context_of(repo, declared, objects)
    expand = expander(repo, context.declared, objects, context.is_own)
    state = _State(context, expand, render, parked(repo), explain=[reason] if reason else [])
    agents = _agents(state, objects)
    pulling = (r for r in objects if is_generator(r) or (is_agent(r) and _pulls(r)))
    pulled = any(not state.parked(resource.file) for resource in pulling)
    agentless = declared.external_agent or not pulled
    state.explain.append(_why_delivered(agents, declared, agentless=agentless))
    _follow(state, agents, _kustomize_roots(repo, context, live=agentless), inputs)
    _settle(state)
    _drop_reached(state)
    if agentless:
        _add(state, _plain_folders(repo, state, context, inputs))
    live = _live_files(repo, state, objects)
    _note_unchecked(repo, state, live)
    if not pulled:
        state.unchecked += unseen_charts(repo, state.deliveries.values())
    deliveries = tuple(sorted(state.deliveries.values(), key=lambda delivery: delivery.id))
    brought = (
        Resource(i.ref, i.data, i.origin(())) for d in deliveries for i in _teams(state.rendered[d.id])
    )
    return Graph(
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
    )


def _teams(rendered: Rendered) -> list[RenderedObject]:
    return [
        item for item in rendered.objects if item.ref.kind in ("AppProject", "Namespace", "ServiceAccount")
    ]


def _pulls(resource: Resource) -> bool:
    """Whether it names a path to pull; a HelmRelease or a ResourceSet alone is delivered by somebody else."""
    return resource.ref.kind not in ("HelmRelease", "ResourceSet")


def _delivery(made: _Made, context: Context) -> Delivery:
    """The delivery of an agent's object: live if it pulls and nobody parked it, or if what brings it is live."""
    delivery = delivery_of(made.resource, context, made.cluster)
    live = made.whole and (made.live or (_pulls(made.resource) and not made.parked))
    return delivery if live else replace(delivery, live=False)


def _agents(state: _State, objects: Iterable[Resource]) -> list[Resource]:
    """The agents' objects among `objects`, ApplicationSets replaced by what they stand for."""
    found: list[Resource] = []
    for resource in objects:
        if is_agent(resource):
            found.append(resource)
        elif is_generator(resource):
            applications, unseen = state.expand(resource)
            found += [application for application in applications if is_agent(application)]
            state.unchecked += [entry for entry in unseen if entry not in state.unchecked]
    return found


def _pieces(repo: Repo, agents: Sequence[Resource]) -> set[Location]:
    """Agents' objects that nobody applies as they are, for they lack what the API requires: all of Flux, which are
    patches, and the Applications below a kustomization that patches Applications, which makes those whole that
    it includes.
    """
    found = {r.location for r in agents if flux.is_partial(r)}
    partial = {r.location for r in agents if argocd.is_agent(r) and argocd.is_partial(r.data)}
    if not partial:
        return found
    patching = {
        kustomization.folder
        for kustomization in _kustomizations(repo)
        for name in ("patches", "patchesJson6902")
        for patch in _listed(kustomization.data.get(name))
        if at(patch, "target", "kind") == "Application"
    }
    return found | {one for one in partial if any(parent in patching for parent in _parents(one.file))}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _parents(file: str) -> Iterator[str]:
    folder = dirname(file)
    while folder:
        yield folder
        folder = dirname(folder)
    yield ""


def _follow(
    state: _State, agents: Sequence[Resource], roots: Sequence[Delivery], inputs: frozenset[str]
) -> None:
    """Deliveries from agent objects: first those that no other one renders, then what they render.

    An object in a file and the same object rendered by a parent are one delivery, as the parent makes it.
    """
    render = state.render
    pieces = _pieces(state.context.repo, agents)
    own = [
        (made, _delivery(made, state.context))
        for resource in agents
        for cluster in (cluster_of_root(state.context, resource.file),)
        for off in (state.parked(resource.file),)
        for made in (_Made(resource, cluster, not off, None, resource.location not in pieces, off),)
    ]
    completed = _completed(state.context.repo, inputs)
    reads = {
        delivery.id: frozenset()
        if made.resource.ref.name in completed and _lacks_path(made.resource)
        else render.reads(delivery)
        for made, delivery in own
    }
    reached = frozenset().union(*reads.values()) if reads else frozenset()
    unreached = [root for root in roots if root.root.file not in reached]
    owned = _owned([(made.resource.file, reads[delivery.id]) for made, delivery in own])
    owned |= {resource.file for resource in agents} & {
        file for root in unreached for file in render.reads(root)
    }
    kept = [(made, delivery) for made, delivery in own if made.resource.file not in owned]
    for made, delivery in kept:
        state.made.setdefault(delivery.id, made)
    first = [*(delivery for _, delivery in kept), *unreached]
    _descend(state, first)
    for made, delivery in own:
        if made.resource.file in owned and _is_lost(state, made.resource.file):
            whole = replace(made, whole=True)  # by what would bring it
            state.made.setdefault(delivery.id, whole)
            _descend(state, [_delivery(whole, state.context)])


def _is_lost(state: _State, file: str) -> bool:
    """Whether nothing that was rendered read the file of an agent object: who would bring it cannot be built."""
    return not any(
        delivery.root.file == file
        or (_brought(state.rendered[delivery.id]) and file in state.rendered[delivery.id].files)
        for delivery in state.deliveries.values()
    )


def _brought(rendered: Rendered) -> bool:
    return rendered.failure is None or bool(rendered.objects)


def _descend(state: _State, current: Sequence[Delivery]) -> None:
    """Render the deliveries, and the deliveries that they bring, level by level."""
    for _ in range(MAX_ROUNDS):
        fresh = {each.id: each for each in current if state.deliveries.get(each.id) != each}
        if not fresh:
            return
        if len(state.deliveries) + len(fresh) > MAX_DELIVERIES:
            break
        state.deliveries |= fresh
        _render(state, list(fresh.values()))
        current = [child for parent in fresh.values() for child in _brought_by(state, parent)]
    why = f"more than {MAX_ROUNDS} levels or {MAX_DELIVERIES} deliveries; the rest was not followed"
    problem = broken("deliveries of deliveries", why)
    if problem not in state.unchecked:
        state.unchecked.append(problem)


def _brought_by(state: _State, parent: Delivery) -> list[Delivery]:
    """The deliveries of the agent objects that a delivery brings; of several that bring one, the first does.

    A kustomize root that holds the sync object of its own folder is what that object delivers, with the
    object's variables and patches: then the object stands for the root.
    """
    if parent.id not in state.rendered:
        return []  # what brought it, rendered anew, brings it no longer
    cluster = parent.cluster or cluster_of_root(state.context, parent.root.file)
    children: dict[str, Delivery] = {}
    for resource in _agents(state, _children(state.rendered[parent.id])):
        made = _Made(resource, cluster, parent.live, parent.id, parked=state.parked(resource.file))
        child = _delivery(made, state.context)
        if state.made.setdefault(child.id, made).parent == parent.id:
            state.made[child.id] = made
            children[child.id] = child
    own = [child for child in children.values() if _stands_for(child, parent)]
    if own:
        state.children[parent.id] = frozenset(children)
        kept = {child.id: replace(state.made[child.id], parent=None) for child in own}
        _forget(state, parent.id)
        state.made |= kept
        return own
    for lost in state.children.get(parent.id, frozenset()) - children.keys():
        _forget(state, lost)
    state.children[parent.id] = frozenset(children)
    return list(children.values())


def _stands_for(child: Delivery, root: Delivery) -> bool:
    return root.agent == "kustomize" and child.source.local and child.source.path == root.source.path


def _forget(state: _State, lost: str) -> None:
    """Drop a delivery that its parent, rendered anew, brings no longer, and all that came by it."""
    waiting = [lost]
    while waiting:
        key = waiting.pop()
        waiting += state.children.pop(key, ())
        for known in (state.deliveries, state.rendered, state.made, state.seen):
            known.pop(key, None)


def _settle(state: _State) -> None:
    """Render again what takes variables from objects that other deliveries bring, until nothing changes.

    What is rendered anew may bring other agent objects, and what was met late may define others' sources.
    """
    for _ in range(MAX_ROUNDS):
        late = [
            delivery
            for delivery in state.deliveries.values()
            if state.seen[delivery.id] != state.version and _takes_variables(delivery)
        ]
        if late:
            _render(state, late)
        current = [child for parent in late for child in _brought_by(state, parent)]
        current += [
            _delivery(made, state.context)
            for key, made in state.made.items()
            if (known := state.deliveries.get(key)) is not None and _may_change(known)
        ]
        if not late and all(state.deliveries.get(child.id) == child for child in current):
            return
        _descend(state, current)


def _drop_reached(state: _State) -> None:
    """Forget the kustomizations that nobody seemed to reach and that something rendered reaches after all."""
    read = {
        file
        for key, rendered in state.rendered.items()
        if state.deliveries[key].agent not in ("kustomize", "plain")
        for file in rendered.files
    }
    roots = [d for d in state.deliveries.values() if d.agent == "kustomize" and not d.live]
    for root in roots:
        if root.root.file in read:
            _forget(state, root.id)


def _may_change(delivery: Delivery) -> bool:
    """Whether sources that other deliveries bring may change it."""
    return not delivery.source.local or delivery.renderer == "template"


def _completed(repo: Repo, inputs: frozenset[str]) -> set[str]:
    """The names of the Flux Kustomizations that get their path from a patch, which `inputs` hold."""
    return {
        r.ref.name for r in repo.resources if r.file in inputs and flux.is_agent(r) and not _lacks_path(r)
    }


def _lacks_path(resource: Resource) -> bool:
    """Whether it pulls the root of its source, as long as nobody says otherwise."""
    return resource.ref.kind == "Kustomization" and at(resource.data, "spec", "path") is None


def _owned(agents: Sequence[tuple[str, frozenset[str]]]) -> set[str]:
    """The files of agent objects that another agent object's build reads.

    Where they read each other in a circle (a cluster's own sync object), the one that reaches most stays
    a root.
    """
    files = {file for file, _ in agents}
    children: dict[str, set[str]] = {file: set() for file in files}
    for file, reads in agents:
        children[file] |= reads & files
    reached = {file: _closure(file, children) for file in files}
    owned: set[str] = set()
    for file in sorted(files, key=lambda file: (-len(reached[file]), file)):
        if file not in owned:
            owned |= reached[file] - {file}
    return owned


def _closure(start: str, children: Mapping[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        for child in children[waiting.pop()] - reached:
            reached.add(child)
            waiting.append(child)
    return reached


def _add(state: _State, deliveries: Sequence[Delivery]) -> None:
    unique = {delivery.id: delivery for delivery in deliveries if delivery.id not in state.deliveries}
    state.deliveries |= unique
    _render(state, list(unique.values()))


def _render(state: _State, deliveries: Sequence[Delivery]) -> None:
    """Render them with what is known so far, and learn what they bring."""
    state.rendered |= state.render(deliveries, state.lookup)
    state.seen |= dict.fromkeys((delivery.id for delivery in deliveries), state.version)
    state.context = with_sources(state.context, [(d.cluster, state.rendered[d.id]) for d in deliveries])
    fresh = dict(_variable_objects(state, deliveries))
    known = state.brought
    if any(key not in known or known[key].data != item.data for key, item in fresh.items()):
        state.version += 1
        state.brought |= fresh


def _takes_variables(delivery: Delivery) -> bool:
    post_build = delivery.options.get("postBuild")
    if isinstance(post_build, dict) and post_build.get("substituteFrom"):
        return True
    if delivery.renderer == "template":
        return True
    return delivery.kind == "HelmRelease" and bool(at(delivery.object, "spec", "valuesFrom"))


def _variable_objects(
    state: _State, deliveries: Iterable[Delivery]
) -> Iterator[tuple[tuple[str, str, str, str], RenderedObject]]:
    """The ConfigMaps and Secrets of live deliveries; encrypted ones tell their keys only, and are called so."""
    for delivery in deliveries:
        for item in state.rendered[delivery.id].objects if delivery.live else ():
            if item.ref.kind in ("ConfigMap", "Secret"):
                kind = f"{item.ref.kind}{ENCRYPTED}" if "sops" in item.data else item.ref.kind
                yield (delivery.cluster, kind, item.ref.namespace, item.ref.name), item


def _children(rendered: Rendered) -> list[Resource]:
    """The agent objects among the rendered ones; their place is where the render comes from."""
    return [
        Resource(item.ref, item.data, item.origin(()), item.origin)
        for item in rendered.objects
        if _brings(Resource(item.ref, item.data, _NOWHERE))
    ]


_NOWHERE = Location("")
"""Where an object is from is asked only when it turns out to be an agent's: most are not."""


def _brings(resource: Resource) -> bool:
    return is_agent(resource) or is_generator(resource)


def _live_files(repo: Repo, state: _State, objects: Sequence[Resource]) -> set[str]:
    """What agents reach: their objects' files, the sources they name, and all that their builds read."""
    reaching = [delivery for delivery in state.deliveries.values() if delivery.live]
    live = {delivery.root.file for delivery in reaching}
    for delivery in reaching:
        live |= state.rendered[delivery.id].files
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


def _why_delivered(agents: Sequence[Resource], declared: Declared, *, agentless: bool) -> str:
    if declared.external_agent:
        return "agents elsewhere pull from here (agent: external): every kustomize root and manifest is delivered"
    if agentless and declared.deliveries:
        return (
            "gitops-layout itself is the agent: the overlays of apps and tenants in gitops.yaml are delivered"
        )
    if agentless:
        return (
            "no agent object pulls a path: every kustomize root and every manifest outside one is delivered"
        )
    return f"{len(agents)} agent objects deliver; what none of them reaches is not live"


def _kustomizations(repo: Repo) -> list[Kustomization]:
    folders = (
        folder for folder, names in sorted(repo.folders.items()) if any(name in names for name in FILE_NAMES)
    )
    return [found for folder in folders if isinstance(found := find(repo, folder), Kustomization)]


def _kustomize_roots(repo: Repo, context: Context, *, live: bool) -> list[Delivery]:
    """Kustomizations that no other one includes; a Component is never one. Of a circle the first is one."""
    found = {kustomization.folder: kustomization for kustomization in _kustomizations(repo)}
    includes = {folder: _included(repo, item) & found.keys() for folder, item in found.items()}
    included = {target for targets in includes.values() for target in targets}
    roots = [folder for folder in found if folder not in included]
    reached = set(roots).union(*(_closure(folder, includes) for folder in roots))
    for folder in found:
        if folder not in reached:
            roots.append(folder)
            reached |= {folder} | _closure(folder, includes)
    own = [
        builtin.kustomize_root(folder, found[folder].file, context, live=live)
        for folder in sorted(roots)
        if not found[folder].is_component
    ]
    return builtin.declared(own, context)


def _plain_folders(repo: Repo, state: _State, context: Context, inputs: frozenset[str]) -> list[Delivery]:
    """Folders of manifests that belong to no kustomization; hidden folders hold tools' files."""
    reached = {file for rendered in state.rendered.values() for file in rendered.files}
    listed = {file for kustomization in _kustomizations(repo) for file in _included(repo, kustomization)}
    elsewhere = listed | inputs | reached
    folders: dict[str, dict[str, None]] = {}
    for resource in repo.resources:
        file = resource.file
        hidden = is_aside(file) or resource.ref.group == "gitops-layout"  # our own spec is nobody's object
        kustomization = basename(file) in FILE_NAMES
        if hidden or kustomization or not resource.ref.name or file in elsewhere:
            continue
        folders.setdefault(dirname(file), {})[file] = None
    return [builtin.directory(folder, tuple(files), context) for folder, files in sorted(folders.items())]


def _included(repo: Repo, kustomization: Kustomization) -> set[str]:
    resolved = (
        repo.resolve(join(kustomization.folder, reference.target)) for reference in references(kustomization)
    )
    return {path for path in resolved if path is not None}


def _note_unchecked(repo: Repo, state: _State, live: set[str]) -> None:
    """Everything that could not be rendered or read, and fields that we do not know yet."""
    for delivery in state.deliveries.values():
        failure = state.rendered[delivery.id].failure
        if failure is not None:
            state.unchecked.append(replace(failure, delivery=delivery.id))
        state.unchecked.extend(state.rendered[delivery.id].unseen)
        for note in delivery.notes:
            what = f"{note} of delivery {delivery.id}"
            why = "not supported yet; the delivery is shown without it"
            state.unchecked.append(
                Unchecked(what, UncheckedClass.EXTERNAL, why, delivery.root, None, delivery.id)
            )
    texts = named(repo, "input") if repo.unparsable else frozenset()
    for file, problem in repo.unparsable:
        if file in texts:
            continue  # a generator takes any text
        if file in live or not (is_aside(file) or is_template(repo, file)):
            why = f"line {problem.line}, column {problem.column}: {problem.message}"
            state.unchecked.append(broken(f"file {file}", why, Location(file)))
