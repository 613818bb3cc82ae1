"""A Graph as text: a tree of deliveries for every cluster, then what no agent reaches and what was not seen."""

from __future__ import annotations

import difflib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from posixpath import basename

from gitops_layout.agents.argocd.phases import wave
from gitops_layout.agents.delivery import BARE, Delivery
from gitops_layout.counts import counted
from gitops_layout.errors import UserError
from gitops_layout.fields import dotted
from gitops_layout.graph.charts import idle_charts
from gitops_layout.graph.explain import origins, parents, whys
from gitops_layout.graph.follows import follows, pinned
from gitops_layout.graph.model import Graph
from gitops_layout.graph.steps import Step, steps
from gitops_layout.model import Unchecked, UncheckedClass
from gitops_layout.output.graph_automation import automation_to_text
from gitops_layout.render.rendered import Rendered

__all__ = ["explained", "to_text"]

_FEW = 5
_MANY = 20
"""Of what no agent reaches, and of one cause of not seeing, this many are listed."""


def to_text(graph: Graph) -> str:
    """What is delivered, where, by whom and from which files, and what was not seen."""
    live = [delivery for delivery in graph.deliveries if delivery.live]
    blocks = [
        [_head(graph, live)],
        *_clusters(graph, live),
        _tenants(graph),
        *automation_to_text(graph),
        _dead(graph),
        _idle(graph),
        _pinned(graph),
        _unseen(graph),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _head(graph: Graph, live: Sequence[Delivery]) -> str:
    name = basename(graph.repo.root.rstrip("/")) or "repository"
    revision = f" at {graph.repo.revision[:9]}" if graph.repo.revision else ""
    objects = sum(len(graph.rendered[delivery.id].objects) for delivery in live)
    counts = [counted(len(live), "delivery"), counted(objects, "object")]
    if graph.clusters:
        counts.append(counted(len(graph.clusters), "cluster"))
    if graph.environments:
        staged = ", ".join(f"{e.name} ({e.tier})" if e.tier == "prod" else e.name for e in graph.environments)
        counts.append(f"{counted(len(graph.environments), 'environment')}: {staged}")
    return f"{name}{revision}: {', '.join(counts)}"


def _clusters(graph: Graph, live: Sequence[Delivery]) -> Iterator[list[str]]:
    groups: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in live:
        groups[delivery.cluster].append(delivery)
    brought, names = parents(graph), {cluster.name for cluster in graph.clusters}
    for cluster, members in sorted(groups.items(), key=lambda group: (group[0] not in names, group[0])):
        several = {delivery.environment for delivery in members} - {None}
        common = several.pop() if len(several) == 1 else None
        if cluster in names:
            head = f"cluster {cluster}" + (f" · environment {common}" if common is not None else "")
        elif cluster or any(delivery.agent in ("flux", "argocd") for delivery in members):
            head = f"agent objects in {cluster or 'the root folder'} (their cluster has no name here)"
            common = None
        else:
            none = "no agent object was seen" if graph.hidden else "no agent object"
            none = "no agent object pulls a path" if any(d.agent not in BARE for d in live) else none
            head, common = f"{none}: every kustomize root and every folder of manifests", None
        yield [head, *_tree(graph, members, brought, common)]


def _tree(
    graph: Graph, members: Sequence[Delivery], brought: Mapping[str, Sequence[str]], common: str | None
) -> Iterator[str]:
    """The members below those that bring them; a circle, and what another cluster's agent brings, is a root."""
    ids = {delivery.id for delivery in members}
    children: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in members:
        above = next((other for other in brought.get(delivery.id, ()) if other in ids), "")
        children[above].append(delivery)
    rows: list[tuple[str, Delivery]] = []
    seen: set[str] = set()
    for root in [*children[""], *members]:
        rows += _below(root, children, seen, "  ", "  ")
    width = min(max((len(label) for label, _ in rows), default=0), 60)
    for label, delivery in rows:
        stage = delivery.environment if delivery.environment != common else None
        yield f"{label:<{width}}  {_facts(graph, delivery, stage)}"


def _below(
    delivery: Delivery, children: Mapping[str, Sequence[Delivery]], seen: set[str], start: str, rest: str
) -> Iterator[tuple[str, Delivery]]:
    if delivery.id in seen:
        return
    seen.add(delivery.id)
    yield start + _label(delivery), delivery
    below = [child for child in children.get(delivery.id, ()) if child.id not in seen]
    for index, child in enumerate(below):
        last = index == len(below) - 1
        yield from _below(
            child, children, seen, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  ")
        )


def _label(delivery: Delivery) -> str:
    if delivery.agent in BARE:
        return delivery.name
    return f"{delivery.kind} {delivery.namespace}/{delivery.name}"


def _facts(graph: Graph, delivery: Delivery, environment: str | None) -> str:
    rendered, sync = graph.rendered[delivery.id], delivery.sync
    agent = delivery.agent not in BARE
    if rendered.failure is not None:
        made = "broken" if rendered.failure.kind is UncheckedClass.BROKEN else "not seen"
    elif rendered.unseen and not rendered.objects:
        made = f"not seen: {rendered.unseen[0].why}"
    else:
        made = f"{counted(len(rendered.objects), 'object')} from {_files(delivery, rendered)}"
    facts = [
        _from(delivery) if agent else None,
        f"follows {revision}" if (revision := follows(delivery)) is not None else None,
        made,
        f"environment {environment}" if environment is not None else None,
        f"namespace {delivery.target_namespace}" if delivery.target_namespace else None,
        f"by the agent in {delivery.home}" if delivery.home not in ("", delivery.cluster) else None,
        f"every {sync.interval}" if sync.interval else None,
        "suspended" if sync.suspended else None,
        "synced by hand" if not sync.automated else None,
        "does not prune" if agent and sync.prune is False else None,
        f"after {', '.join(delivery.depends_on)}" if delivery.depends_on else None,
        f"in wave {number}" if delivery.agent == "argocd" and (number := wave(delivery.object)) else None,
        _order(steps(delivery, rendered)),
    ]
    return " · ".join(fact for fact in facts if fact)


def _files(delivery: Delivery, rendered: Rendered) -> str:
    """The files of this repository that took part, and that others did: those of a chart or another repository."""
    here = counted(len(rendered.files), "file")
    source = delivery.source
    if source.local or source.assembled is not None or delivery.agent in BARE:
        return here
    elsewhere = "its chart" if source.chart is not None else "another repository"
    return f"{elsewhere} and {here} here" if rendered.files else elsewhere


def _order(found: Sequence[Step]) -> str | None:
    """The waves of a sync, and the hooks around it; nothing where all is applied at once."""
    waves: dict[str, dict[str, None]] = {}
    for step in found:
        waves.setdefault(step.phase, {})[str(step.wave)] = None
    hooks = Counter({phase: sum(len(s.objects) for s in found if s.phase == phase) for phase in waves})
    numbers = list(waves.get("Sync", ()))
    told = [f"waves {', '.join(numbers)}"] if numbers not in ([], ["0"]) else []
    told += [f"{phase} {hooks[phase]}" for phase in waves if phase != "Sync"]
    return ", ".join(told) or None


def _from(delivery: Delivery) -> str:
    source = delivery.source
    revision = f" {source.revision.name}" if source.revision is not None else ""
    if source.chart is not None:
        return f"chart {source.chart}{revision}" + (f" of {source.url}" if source.url else "")
    if source.assembled is not None:
        made = f"{source.assembled.folder or '.'} of an artifact"
        return (
            f"{source.path} as {made}"
            if source.local and source.path
            else f"{made} made of {', '.join(origins(source))}"
        )
    path = source.path or ("its own templates" if delivery.renderer == "template" else ".")
    return path if source.local or source.url is None else f"{path} of {source.url}{revision}"


def _tenants(graph: Graph) -> list[str]:
    if not graph.tenants:
        return []
    lines = [
        f"  {tenant.name}: {tenant.evidence}"
        + (f" · namespaces {', '.join(tenant.namespaces[:5])}" if tenant.namespaces else "")
        for tenant in graph.tenants
    ]
    return ["tenants", *lines]


def _dead(graph: Graph) -> list[str]:
    dead = [delivery for delivery in graph.deliveries if not delivery.live]
    if not dead:
        return []
    lines = [f"  {_label(d)}  {counted(len(graph.rendered[d.id].objects), 'object')}" for d in dead[:_MANY]]
    more = [f"  and {len(dead) - _MANY} more; --format json lists all"] if len(dead) > _MANY else []
    if all(delivery.agent == "helm" for delivery in dead):
        head = f"nothing that was seen installs {counted(len(dead), 'chart')}"
    else:
        head = f"no agent reaches {counted(len(dead), 'delivery')}"
    return [head, *lines, *more]


def _idle(graph: Graph) -> list[str]:
    """Charts that perhaps something elsewhere installs: what they would bring is not shown."""
    charts = [chart or "." for chart in idle_charts(graph)]
    if not charts:
        return []
    more = f" and {len(charts) - _FEW} more" if len(charts) > _FEW else ""
    return [
        f"no delivery seen here installs {counted(len(charts), 'chart')}: {', '.join(charts[:_FEW])}{more}"
    ]


def _pinned(graph: Graph) -> list[str]:
    """What follows another revision of this repository: shown is the tree all the same."""
    revisions = pinned(graph)
    if not revisions:
        return []
    head = "shown is this tree, but what an agent follows may hold something else"
    shown = [
        f"  {revision}: {counted(number, 'delivery')}" for revision, number in revisions.most_common(_MANY)
    ]
    more = len(revisions) - len(shown)
    return [head, *shown, *([f"  and {more} more revisions; --format json lists all"] if more else [])]


def _unseen(graph: Graph) -> list[str]:
    """What an agent reaches and we could not look at: each cause once, the most frequent first."""
    causes: dict[tuple[str, str, str], list[Unchecked]] = defaultdict(list)
    rest = 0
    for entry in graph.unchecked:
        if graph.reaches(entry) or _is_chart_of_agents(entry):
            causes[str(entry.kind), entry.why, _field(entry)].append(entry)
        else:
            rest += 1
    beside = [f"not seen of what no agent reaches: {rest}; --format json lists it"] if rest else []
    if not causes:
        live = [delivery for delivery in graph.deliveries if delivery.live]
        if not live:
            return ["nothing is delivered: no agent object, kustomization or manifest says what", *beside]
        agents = any(delivery.agent not in BARE for delivery in live)
        everything = "all else" if idle_charts(graph) else "everything"
        reached = "an agent reaches" if agents else "is delivered"
        as_here = ", as this tree has it" if any(follows(delivery) for delivery in live) else ""
        return [f"{everything} that {reached} was seen{as_here}", *beside]
    ordered = sorted(causes.items(), key=lambda item: (item[0][0], -len(item[1]), item[0][1:]))
    lines = [
        f"  {kind}: {why} ({entries[0].what}{_place(graph, entries[0])}"
        + (f" and {len(entries) - 1} more)" if len(entries) > 1 else ")")
        for (kind, why, _field), entries in ordered[:_MANY]
    ]
    more = (
        [f"  and {len(ordered) - _MANY} more causes; --format json lists all"] if len(ordered) > _MANY else []
    )
    return [f"not seen: {sum(map(len, causes.values()))}", *lines, *more, *beside]


def _field(entry: Unchecked) -> str:
    """The field that it is about, if it is about one: different fields are different causes."""
    field = dotted(entry.location.path) if entry.location is not None else ""
    return field if entry.what.startswith(f"{field} of ") else ""


def _is_chart_of_agents(entry: Unchecked) -> bool:
    """Whether it is a chart that makes agents' objects, which nothing here installs: perhaps all that is delivered."""
    return entry.delivery is None and entry.subject is not None and entry.subject[0] == "chart"


def _place(graph: Graph, entry: Unchecked) -> str:
    if entry.location is None:
        return ""
    span = graph.repo.span(entry.location)
    return f", {entry.location.file}:{span.line}:{span.column}"


def explained(graph: Graph, names: Sequence[str] = ()) -> str:
    """Why each place is one, and of each delivery why it is live, in its environment, and from where.

    With `names`, of those alone: of a place with its deliveries, of a delivery by its id or its object's name. Raises
    UserError for a name that nothing has.
    """
    about = _about(graph, names) if names else None
    lines = [f"because {sentence}" for sentence in graph.explain] if about is None else []
    for word, place, said in _places_explained(graph):
        if about is None or place in names:
            lines.append(f"{word} {said}")
    for delivery, why in whys(graph):
        if about is None or delivery.id in about:
            lines += [
                delivery.id,
                f"  live         {why.live}" if delivery.live else f"  dead         {why.live}",
                f"  environment  {delivery.environment or 'none'}: {why.environment}",
                f"  source       {why.source}",
            ]
    return "\n".join(lines) + "\n"


def _places_explained(graph: Graph) -> Iterator[tuple[str, str, str]]:
    for e in graph.environments:
        yield "environment", e.name, f"{e.name} ({e.tier}): {e.evidence or e.reason}"
    for cluster in graph.clusters:
        yield "cluster", cluster.name, f"{cluster.name}: {cluster.evidence}"
    for tenant in graph.tenants:
        yield "tenant", tenant.name, f"{tenant.name}: {tenant.evidence}"


def _about(graph: Graph, names: Sequence[str]) -> frozenset[str]:
    """The ids of the deliveries that the names mean."""
    called: dict[str, set[str]] = {place: set() for _, place, _ in _places_explained(graph)}
    for delivery in graph.deliveries:
        own = (delivery.id, delivery.name, f"{delivery.namespace}/{delivery.name}")
        for name in {*own, delivery.environment, delivery.cluster} - {None, ""}:
            called.setdefault(str(name), set()).add(delivery.id)
    for tenant in graph.tenants:
        called[tenant.name] |= set(tenant.deliveries)
    for name in names:
        if name not in called:
            near = difflib.get_close_matches(name, called, n=1)
            hint = f"did you mean {near[0]}?" if near else "`graph` lists what there is"
            raise UserError(
                f"nothing here is called {name}: no environment, cluster, tenant or delivery", hint
            )
    return frozenset().union(*(called[name] for name in names))
