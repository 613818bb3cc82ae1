"""What Flux writes to git and whom it tells: image automation, its markers in files, alerts and receivers.

Facts: image-automation-controller v1.3 (which files it reads, which branch it pushes), image-reflector-controller
v1.3 and notification-controller v1.10 (references). Looked up when somebody asks: no other part of a graph needs it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from functools import partial
from posixpath import basename
from typing import Any, Literal, get_args

from gitops_layout.agents.applicationset.model import StopError
from gitops_layout.agents.applicationset.selector import selects
from gitops_layout.agents.context import normal_url, text
from gitops_layout.agents.delivery import Delivery
from gitops_layout.agents.fluxinstance import synced
from gitops_layout.agents.fluxsource import clamped
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.model import Location, ObjectRef, Path, Span
from gitops_layout.patterns import regexp
from gitops_layout.render.rendered import Rendered, RenderedObject
from gitops_layout.repo.model import Repo, is_yaml
from gitops_layout.source.document import Document
from gitops_layout.values import dataclass

__all__ = ["Automation", "Marker", "Part", "Reference", "Update", "automation"]

Part = Literal["image", "tag", "name", "digest"]
"""What a marker stands for: the whole image, or one part of it."""

_TOKEN = '"$imagepolicy"'
_COMMENT = regexp(r'(?:^|\s)#+\s*(\{.*"\$imagepolicy".*\})\s*$')
_IMAGES, _NOTIFICATIONS = "image.toolkit.fluxcd.io", "notification.toolkit.fluxcd.io"
_DEFAULT_BRANCH = "master"
"""What the controller checks out where nobody says what."""


@dataclass(frozen=True, slots=True)
class Update:
    """An ImageUpdateAutomation on a cluster: it writes images into files below `path` ("" is the root).

    `own` says whether it writes to this repository; None where its source is not known. `checkout` and `push` are
    branches, None where there is none to push to, or another kind of reference to start from. `refspec` is pushed besides.
    `selector` is the label selector of its policies as written; None takes all of its namespace.
    """

    object: ObjectRef
    cluster: str
    namespace: str
    location: Location
    path: str
    own: bool | None
    checkout: str | None
    push: str | None
    refspec: str | None = None
    suspended: bool = False
    selector: Any = field(default=None, repr=False)

    @property
    def id(self) -> str:
        """`ImageUpdateAutomation/<namespace>/<name>@<cluster>`, as deliveries are named."""
        return f"ImageUpdateAutomation/{self.namespace}/{self.object.name}@{self.cluster}"

    @property
    def to_its_branch(self) -> bool:
        """Whether it pushes to the branch that it checks out: then its commits are delivered unreviewed."""
        return self.push is not None and self.push == self.checkout


@dataclass(frozen=True, slots=True)
class Marker:
    """A comment `{"$imagepolicy": "namespace:name[:part]"}`: what the value on its line is written by.

    `part` is None where the comment can name no policy. `policies` are the clusters that have an ImagePolicy of that
    name, `updates` the ids of the automations that write here: they select the policy, and their path covers the file.
    """

    location: Location
    namespace: str
    name: str
    part: Part | None
    policies: tuple[str, ...] = ()
    updates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reference:
    """An object of image automation or notification that names another one, on the same cluster.

    `name` may be `*` for all of that kind. `found` is None where something on the cluster was not seen. `beside` are
    the names of that kind that its namespace has.
    """

    object: ObjectRef
    cluster: str
    location: Location
    kind: str
    namespace: str
    name: str
    found: bool | None
    beside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Automation:
    """All that a repository says about image automation and notification."""

    updates: tuple[Update, ...] = ()
    markers: tuple[Marker, ...] = ()
    references: tuple[Reference, ...] = ()


_Known = dict[tuple[str, str, str], dict[str, Mapping[str, Any]]]
"""(cluster, kind, namespace) to the objects there by name; the namespace is empty where an agent elsewhere sets it."""


def automation(graph: Graph) -> Automation:
    """Image automation and notification of everything that is live, each group in order of cluster and name."""
    known: _Known = {}
    for delivery in graph.deliveries:
        for kind, name, data in _stands_for(delivery) if delivery.live else ():
            known.setdefault((delivery.home, kind, delivery.namespace), {})[name] = data
    brought = list(_delivered(graph))
    there = {(own.cluster, own.namespace, own.item.ref.kind, own.item.ref.name) for own in brought}
    # An agent's object may bring its own file: what stands beside it there is one object all the same.
    beside = (
        own
        for own in _beside_agents(graph)
        if (own.cluster, own.namespace, own.item.ref.kind, own.item.ref.name) not in there
    )
    found = [*brought, *beside]
    for own in found:
        ref = own.item.ref
        known.setdefault((own.cluster, ref.kind, own.namespace), {})[ref.name] = own.item.data
    ours = [own for own in found if own.item.ref.group in (_IMAGES, _NOTIFICATIONS)]
    ours.sort(key=lambda own: (own.cluster, own.item.ref))
    updates = [_update(graph, known, own) for own in ours if own.item.ref.kind == "ImageUpdateAutomation"]
    unseen = _unseen_clusters(graph)
    references = [named for own in ours for named in _references(known, own, unseen)]
    wanted = [(update, _policies_of(known, update)) for update in updates if update.own is not False]
    return Automation(tuple(updates), tuple(_markers(graph, known, wanted)), tuple(references))


@dataclass(frozen=True, slots=True)
class _Own:
    """An object of image automation or notification."""

    cluster: str
    namespace: str
    item: RenderedObject


def _delivered(graph: Graph) -> Iterator[_Own]:
    """What live deliveries bring of Flux."""
    for delivery in graph.deliveries:
        for item in graph.rendered[delivery.id].objects if delivery.live else ():
            if item.ref.group.endswith(".fluxcd.io"):
                namespace = item.ref.namespace or ("flux-system" if delivery.agent == "flux" else "")
                yield _Own(delivery.cluster, namespace, item)


def _beside_agents(graph: Graph) -> Iterator[_Own]:
    """What stands in one file with an agent's object that nothing brings: whoever applies the one applies the other."""
    read = {file for d in graph.deliveries for file in graph.rendered[d.id].files if file != d.root.file}
    roots = {d.root.file: d.home for d in graph.deliveries if d.live and d.agent == "flux"}
    for resource in graph.repo.resources:
        cluster, ref = roots.get(resource.file), resource.ref
        if cluster is not None and resource.file not in read and ref.group.endswith(".fluxcd.io"):
            item = RenderedObject(ref, resource.data, partial(_at, resource.location))
            yield _Own(cluster, ref.namespace or "flux-system", item)


def _at(place: Location, path: Path) -> Location:
    return place.at(*path)


def _there(known: _Known, cluster: str, kind: str, namespace: str) -> dict[str, Mapping[str, Any]]:
    """The objects of a kind that are in the namespace, or may be."""
    return {**known.get((cluster, kind, ""), {}), **known.get((cluster, kind, namespace), {})}


def _stands_for(delivery: Delivery) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """The objects that are there with a delivery, whoever brings them: its own, and what is made of it."""
    yield delivery.kind, delivery.name, delivery.object
    if delivery.kind == "HelmRelease":
        yield "HelmChart", f"{delivery.namespace}-{delivery.name}", {}
    if delivery.kind == "FluxInstance":
        made = synced(delivery.object, delivery.namespace)
        source = made.kustomization.get("sourceRef")
        kind, name = text(at(source, "kind")), text(at(source, "name"))
        if kind is not None and name is not None:
            yield kind, name, {"spec": made.source}
            yield "Kustomization", name, {"spec": made.kustomization}


def _unseen_clusters(graph: Graph) -> frozenset[str]:
    """The clusters where something could not be rendered that may bring objects of Flux: charts mostly do not."""
    return frozenset(
        delivery.cluster
        for delivery in graph.deliveries
        if delivery.live and _may_bring_more(delivery, graph.rendered[delivery.id])
    )


def _may_bring_more(delivery: Delivery, rendered: Rendered) -> bool:
    if delivery.renderer == "chart":
        return rendered.failure is not None and "flux" in f"{delivery.name} {delivery.source.chart}"
    if rendered.failure is not None:
        return not rendered.objects
    return any(entry.subject is None or entry.subject[0] != "kind" for entry in rendered.unseen)


def _update(graph: Graph, known: _Known, own: _Own) -> Update:
    item, cluster, spec = own.item, own.cluster, at(own.item.data, "spec")
    name = text(at(spec, "sourceRef", "name")) or ""
    where = text(at(spec, "sourceRef", "namespace")) or own.namespace
    source = _source(graph, known, cluster, where, name)
    reference = at(spec, "git", "checkout", "ref") or at(source, "spec", "ref")
    branch = text(at(reference, "branch"))
    if reference is None and source is not None:
        branch = _DEFAULT_BRANCH
    pushed = text(at(spec, "git", "push", "branch"))
    if pushed is None and reference is not None:
        pushed = branch  # of a source without any reference the controller infers none, and refuses
    return Update(
        item.ref,
        cluster,
        own.namespace,
        item.origin(()),
        clamped(text(at(spec, "update", "path"))),
        _is_own(graph, source, name),
        branch,
        pushed,
        text(at(spec, "git", "push", "refspec")),
        at(spec, "suspend") is True,
        at(spec, "policySelector"),
    )


def _source(graph: Graph, known: _Known, cluster: str, namespace: str, name: str) -> Any:
    """The GitRepository: as the cluster has it, else as a file does."""
    there = _there(known, cluster, "GitRepository", namespace).get(name)
    if there is not None:
        return there
    wanted = ("GitRepository", namespace or "flux-system", name)
    found = (
        r.data
        for r in graph.repo.resources
        if (r.ref.kind, r.ref.namespace or wanted[1], r.ref.name) == wanted
    )
    return next(found, None)


def _is_own(graph: Graph, source: Any, name: str) -> bool | None:
    if source is None:
        return True if name == "flux-system" else None  # the bootstrap makes it in the cluster
    url = text(at(source, "spec", "url"))
    local = (d.source.url for d in graph.deliveries if d.source.local and d.source.url is not None)
    own = {normal_url(known) for known in (*graph.repo.remotes, *graph.declared.sources, *local)}
    return url is not None and normal_url(url) in own


def _policies_of(known: _Known, update: Update) -> frozenset[str]:
    """The names of the policies that an automation acts on: those of its namespace that its selector takes."""
    policies = _there(known, update.cluster, "ImagePolicy", update.namespace)
    if update.selector is None:
        return frozenset(policies)
    try:
        test = selects(update.selector, ())
    except StopError:
        return frozenset()  # the controller refuses the selector
    return frozenset(name for name, data in policies.items() if test(_labels(data)))


def _labels(data: Mapping[str, Any]) -> dict[str, str]:
    labels = at(data, "metadata", "labels")
    return {k: v for k, v in labels.items() if isinstance(v, str)} if isinstance(labels, dict) else {}


def _references(known: _Known, own: _Own, unseen: frozenset[str]) -> Iterator[Reference]:
    for path, kind, namespace, name, selector in _named(own):
        there = _there(known, own.cluster, kind, namespace)
        if name != "*":
            found = name in there or (kind, name) == ("GitRepository", "flux-system")
        else:
            wanted = selector.items() if isinstance(selector, dict) else ()
            found = any(all(_labels(data).get(k) == v for k, v in wanted) for data in there.values())
        sure = namespace and own.cluster not in unseen
        place = own.item.origin(path)
        known_there = True if found else False if sure else None
        beside = tuple(sorted(there))
        yield Reference(own.item.ref, own.cluster, place, kind, namespace, name, known_there, beside)


def _named(own: _Own) -> Iterator[tuple[Path, str, str, str, Any]]:
    """(path, kind, namespace, name, matchLabels) of everything that an object names."""
    item, spec, here = own.item, at(own.item.data, "spec"), own.namespace
    fixed = {"ImagePolicy": ("imageRepositoryRef", "ImageRepository"), "Alert": ("providerRef", "Provider")}
    if item.ref.kind in fixed:
        place, kind = fixed[item.ref.kind]
        name = text(at(spec, place, "name"))
        # A provider is of the alert's own namespace, whatever the reference says.
        where = text(at(spec, place, "namespace")) if kind == "ImageRepository" else None
        if name is not None:
            yield ("spec", place, "name"), kind, where or here, name, None
    source = at(spec, "sourceRef") if item.ref.kind == "ImageUpdateAutomation" else None
    if (name := text(at(source, "name"))) is not None:
        kind = text(at(source, "kind")) or "GitRepository"
        yield ("spec", "sourceRef", "name"), kind, text(at(source, "namespace")) or here, name, None
    many = {"Alert": "eventSources", "Receiver": "resources"}.get(item.ref.kind, "")
    listed = at(spec, many)
    for index, entry in enumerate(listed if isinstance(listed, list) else ()):
        kind_, name = text(at(entry, "kind")), text(at(entry, "name"))
        if kind_ is not None and name is not None:
            where = text(at(entry, "namespace")) or here
            yield ("spec", many, index, "name"), kind_, where, name, at(entry, "matchLabels")


def _markers(
    graph: Graph, known: _Known, updates: Sequence[tuple[Update, frozenset[str]]]
) -> Iterator[Marker]:
    """The markers of all files that the controller reads: YAML by its ending, or called Kustomization."""
    clusters = sorted({key[0] for key in known if key[1] == "ImagePolicy"})
    for file in graph.repo.files:
        if not file.endswith((".yaml", ".yml")) and basename(file) != "Kustomization":
            continue
        content = graph.repo.stream(file).text if is_yaml(file) else graph.repo.text(file)
        if _TOKEN not in content:
            continue
        for span, value in _comments(graph.repo, file, content):
            namespace, name, part = _parsed(value)
            yield Marker(
                Location(file, span=span),
                namespace,
                name,
                part,
                tuple(c for c in clusters if name in _there(known, c, "ImagePolicy", namespace)),
                tuple(
                    update.id
                    for update, policies in updates
                    if part is not None
                    and update.namespace in ("", namespace)
                    and name in policies
                    and _covers(update.path, file)
                ),
            )


def _covers(path: str, file: str) -> bool:
    return not path or file == path or file.startswith(f"{path}/")


def _parsed(value: str) -> tuple[str, str, Part | None]:
    namespace, _, rest = value.partition(":")
    name, _, part = rest.partition(":")
    if not namespace or not name:
        return namespace, name, None
    return namespace, name, next((known for known in get_args(Part) if known == (part or "image")), None)


def _comments(repo: Repo, file: str, content: str) -> Iterator[tuple[Span, str]]:
    """The markers in comments of a file, and what they say; text that only holds one is none."""
    quoted = [
        span for document in repo.documents(file) for span in _holding(document, document.data, (), set())
    ]
    offset = 0
    for number, line in enumerate(content.split("\n"), 1):
        match = _COMMENT.search(line) if _TOKEN in line else None
        if match is not None and not any(span.line <= number <= span.end_line for span in quoted):
            value = _said(match[1])
            if value is not None:
                start, end = match.span(1)
                yield Span(number, start + 1, number, end + 1, offset + start, offset + end), value
        offset += len(line) + 1


def _said(comment: str) -> str | None:
    """What a marker names; the controller takes a mapping of texts and passes over anything else."""
    try:
        found = json.loads(comment)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        return None
    return text(found.get("$imagepolicy"))


def _holding(document: Document, value: Any, path: Path, seen: set[int]) -> Iterator[Span]:
    """The places of texts (a manifest in a ConfigMap) that hold a marker themselves; what aliases share once."""
    if isinstance(value, str):
        if _TOKEN in value:
            yield document.span(path)
    elif isinstance(value, dict | list) and id(value) not in seen:
        seen.add(id(value))
        steps = value.items() if isinstance(value, dict) else enumerate(value)
        for step, item in steps:
            yield from _holding(document, item, (*path, step), seen)
