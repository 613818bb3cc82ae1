"""Every delivered object of a graph against its schemas, once."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from posixpath import dirname
from typing import TYPE_CHECKING, Any

from gitops_layout.fields import at
from gitops_layout.graph.tokens import templates
from gitops_layout.k8s.plugins import filled_in
from gitops_layout.k8s.scope import is_crd
from gitops_layout.kustomize.model import FILE_NAMES
from gitops_layout.model import Affected, Location, Unchecked, UncheckedClass
from gitops_layout.patterns import regexp
from gitops_layout.validation import bundle
from gitops_layout.validation.check import Verdict
from gitops_layout.validation.crds import crds
from gitops_layout.validation.schemas import Schemas
from gitops_layout.validation.subject import Subject
from gitops_layout.validation.unread import is_certain, unread
from gitops_layout.validation.verdicts import Verdicts
from gitops_layout.validation.versions import lifecycle
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gitops_layout.graph.model import Graph
    from gitops_layout.model import ObjectRef, Path
    from gitops_layout.validation.check import Violation
    from gitops_layout.validation.crds import Crd
    from gitops_layout.validation.policies import Denial
    from gitops_layout.validation.schemas import Broken

    Settling = Callable[[Verdict, ObjectRef, Location, Affected, Mapping[str, Any], bool], Verdict]

__all__ = ["Judged", "definitions", "judged", "settling", "targets"]

_LATER = regexp(r"\$\{[^{}]*\}")
"""What a substitution that we could not see would have replaced."""


@dataclass(frozen=True, slots=True)
class Judged:
    """All subjects in the graph's order, and what stands in files that nothing reads; `validated` counts those that a
    schema judged. `denials` is what admission policies of the repository refuse.
    """

    subjects: tuple[Subject, ...]
    unread: tuple[Subject, ...]
    validated: int
    unchecked: tuple[Unchecked, ...]
    denials: tuple[Denial, ...] = ()

    @property
    def everything(self) -> Iterator[Subject]:
        """The subjects, and what stands where nothing reads it: that is wrong as well, and is told as not reached."""
        return chain(self.subjects, self.unread)


_last: list[tuple[Graph, Judged]] = []


def judged(graph: Graph) -> Judged:
    """The verdicts on a graph; the rules of one run share them."""
    if not _last or _last[0][0] is not graph:
        _last[:] = [(graph, _judge(graph))]
    return _last[0][1]


def targets(graph: Graph, cluster: str | None = None, environment: str | None = None) -> tuple[str, ...]:
    """The Kubernetes versions to judge by what is delivered to a cluster, or somewhere in an environment.

    They are those that somebody named for this run, else what the cluster is declared to run, else what the declared
    clusters of the environment run, or any declared one, else the newest we know.
    """
    target = graph.target
    if target.kubernetes or not target.clusters:
        return target.kubernetes or bundle.VERSIONS[-1:]
    if cluster is not None and cluster in target.clusters:
        return (target.clusters[cluster],)
    there = {
        target.clusters[each.name]
        for each in graph.declared.clusters
        if each.name in target.clusters and environment in each.environments
    }
    running = there or set(target.clusters.values())
    return tuple(version for version in bundle.VERSIONS if version in running)


def _judge(graph: Graph) -> Judged:
    target = graph.target
    judge = Verdicts(Schemas(definitions(graph), locations=target.schemas, read=target.read))
    places = {(d.cluster, d.environment): None for d in graph.deliveries}
    versions = {place: targets(graph, *place) for place in (*places, (None, None))}
    applying = _applying(graph)
    subjects = []
    settled = settling(graph)
    for ref, data, origin, affected, live, unseen in _objects(graph):
        applied = affected.delivery in applying or _asks_for_apply(data)
        verdict, shape = judge(ref, data, versions[affected.cluster, affected.environment], applied)
        if verdict.violations:
            verdict = settled(verdict, ref, origin(()), affected, data, unseen)
        subjects.append(Subject(ref, data, origin, affected, live, verdict, applied, shape))
    loose = []
    for resource in unread(graph):
        verdict, shape = judge(resource.ref, resource.data, versions[None, None], False)
        patch = any(violation.kind == "missing" for violation in verdict.violations)
        if patch or not (verdict.known or "." in resource.ref.group):
            continue
        certain = filter(is_certain, verdict.violations if verdict.known else ())
        verdict = Verdict(verdict.known, tuple(certain), verdict.unjudged)
        origin, affected = _below(resource.location), Affected(resource.ref)
        loose.append(Subject(resource.ref, resource.data, origin, affected, False, verdict, False, shape))
    denied, unjudged = _denied(graph, subjects)
    unchecked = (*_unchecked([*subjects, *loose], judge.schemas), *unjudged)
    validated = sum(subject.verdict.known for subject in subjects)
    return Judged(tuple(subjects), tuple(loose), validated, unchecked, denied)


def settling(graph: Graph) -> Settling:
    """What is left of a verdict when whatever may yet complete an object is not held against it: a substitution that we
    could not see (`unseen` says that the object may yet get one), a plugin, a script that fills in a template, who installs
    a loose chart, and a kustomization that patches.
    """
    pieces = _may_be_pieces(graph)
    guesses = {delivery.id for delivery in graph.deliveries if delivery.agent == "helm"}

    def settled(
        verdict: Verdict,
        ref: ObjectRef,
        place: Location,
        affected: Affected,
        data: Mapping[str, Any],
        unseen: bool,
    ) -> Verdict:
        left = tuple(v for v in verdict.violations if not _waits(data, v, unseen=unseen))
        template = templates(graph).get(affected.delivery or "") if left else None
        if template is not None:
            left = tuple(v for v in left if not template.holds_token(v.got))
        if affected.delivery in guesses:  # whoever installs it may give what is missing
            left = tuple(v for v in left if v.kind != "missing" and v.got != "null")
        if left and (
            affected.delivery in pieces
            or (affected.delivery is None and _may_be_a_piece(graph, ref, place.file))
        ):
            left = tuple(v for v in left if v.kind != "missing")
        return Verdict(verdict.known, left, verdict.unjudged)

    return settled


def _waits(data: Mapping[str, Any], violation: Violation, *, unseen: bool) -> bool:
    """Whether a value, or what is right below it, holds what a plugin replaces, or a variable that may yet be replaced."""
    if unseen and _LATER.search(violation.got):
        return True
    value = at(data, *(violation.path if violation.kind == "schema" else ()))
    texts = value.values() if isinstance(value, dict) else (value,)
    return any(
        isinstance(each, str) and ((unseen and _LATER.search(each)) or filled_in(data, each))
        for each in texts
    )


_Row = tuple["ObjectRef", dict[str, Any], "Callable[[Path], Location]", Affected, bool, bool]


def _objects(graph: Graph) -> Iterator[_Row]:
    """What deliveries deliver, and the agents' own objects that no delivery brings."""
    places = {(d.root.file, d.root.document) for d in graph.deliveries if d.agent in ("flux", "argocd")}
    roots = [r for r in graph.repo.resources if (r.location.file, r.location.document) in places]
    kinds = {root.ref.kind for root in roots}
    read: set[tuple[str, int]] = set()
    flux = any(delivery.agent == "flux" for delivery in graph.deliveries)
    # Whose variables nobody shows may be given to others there as well: by a webhook, or in the values of a chart.
    blind = {d.cluster for d in graph.deliveries if d.id in graph.rendered and graph.rendered[d.id].unseen}
    named = {cluster.name for cluster in graph.clusters}
    for delivery in graph.deliveries:
        rendered = graph.rendered.get(delivery.id)
        if rendered is None:
            continue
        # What no agent reaches may be meant for one that substitutes.
        unreached = delivery.agent == "helm" or (flux and not delivery.live)
        given = delivery.agent == "flux" and (
            delivery.cluster in blind or (bool(blind) and delivery.cluster not in named)
        )
        unseen = given or bool(rendered.unseen) or rendered.failure is not None or unreached
        for item in rendered.objects:
            if (
                item.ref.kind in kinds
            ):  # only such an object can be one of the agents' own, brought by a delivery
                place = item.origin(("kind",))
                read.add((place.file, place.document))
            affected = Affected(item.ref, delivery.id, delivery.environment, delivery.cluster)
            yield item.ref, item.data, item.origin, affected, delivery.live, unseen
    for root in roots:
        place = root.location
        if (place.file, place.document) not in read:
            yield root.ref, root.data, _below(place), Affected(root.ref), True, True


def _applying(graph: Graph) -> frozenset[str]:
    """Deliveries that are applied on the server's side: Flux does so always, Argo CD where it is told to."""
    return frozenset(
        delivery.id
        for delivery in graph.deliveries
        if delivery.agent == "flux"
        or (delivery.agent == "argocd" and "ServerSideApply=true" in _sync_options(delivery.object))
    )


def _sync_options(application: Mapping[str, Any]) -> tuple[object, ...]:
    match application:
        case {"spec": {"syncPolicy": {"syncOptions": list(options)}}}:
            return tuple(options)
    return ()


def _asks_for_apply(data: dict[str, Any]) -> bool:
    """Argo CD's annotation on one object."""
    # Spelt out, for every object passes here.
    metadata = data.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if not isinstance(annotations, dict):
        return False
    options = annotations.get("argocd.argoproj.io/sync-options")
    return isinstance(options, str) and "ServerSideApply=true" in options


def _may_be_pieces(graph: Graph) -> frozenset[str]:
    """Deliveries that no agent makes, where something else may complete their objects.

    Beside agents, whoever applies a bare kustomization may patch it; beside kustomizations, a bare file
    may be somebody's patch.
    """
    agents = any(delivery.agent in ("flux", "argocd") for delivery in graph.deliveries)
    kustomized = any(delivery.agent == "kustomize" for delivery in graph.deliveries)
    return frozenset(
        delivery.id
        for delivery in graph.deliveries
        if (delivery.agent == "kustomize" and agents)
        or (delivery.agent == "plain" and (agents or kustomized))
    )


def _may_be_a_piece(graph: Graph, ref: ObjectRef, file: str) -> bool:
    """Whether an agent's object that nothing delivers as it is lies where a kustomization may complete it, or is one of
    several files about one object: then all but one of them are patches.
    """
    same = sum(other.ref.kind == ref.kind and other.ref.name == ref.name for other in graph.repo.resources)
    return same > 1 or _below_kustomization(graph, file)


def _below_kustomization(graph: Graph, file: str) -> bool:
    folder = dirname(file)
    while True:
        if any(name in graph.repo.folders.get(folder, ()) for name in FILE_NAMES):
            return True
        if not folder:
            return False
        folder = dirname(folder)


def _below(location: Location) -> Callable[[Path], Location]:
    return lambda path: location.at(*path)


def definitions(
    graph: Graph, wanted: Callable[[str], bool] = lambda _group: True
) -> Iterator[tuple[Crd, Location | None]]:
    """CRDs as delivered, those of files that nothing delivers, and those that somebody named besides; of the API groups
    that are `wanted`.
    """
    delivered = set()
    for rendered in graph.rendered.values():
        for item in rendered.objects:
            if item.ref.kind == "CustomResourceDefinition" and is_crd(item.data) and wanted(_group(item.ref)):
                delivered.add(item.ref.name)
                yield from ((crd, item.origin(())) for crd in crds(item.data))
    for resource in graph.repo.resources:
        if is_crd(resource.data) and resource.ref.name not in delivered and wanted(_group(resource.ref)):
            yield from ((crd, resource.location) for crd in crds(resource.data))
    for data in graph.target.definitions:
        yield from ((crd, None) for crd in crds(data))


def _group(definition: ObjectRef) -> str:
    """A definition is called by the plural of its kind and its group."""
    return definition.name.partition(".")[2]


def _unchecked(subjects: list[Subject], schemas: Schemas) -> Iterator[Unchecked]:
    """Kinds without schema, once a kind; rules that cannot be run, once a rule; schemas that are broken."""
    yield from (_broken(broken) for broken in schemas.broken.values())
    unusable = {name for name, _ in schemas.broken}
    kinds: dict[str, Subject] = {}
    rules: dict[tuple[str, str], tuple[str, Subject]] = {}
    unsure = [each for each in subjects if each.verdict.unjudged or not each.verdict.known]
    for subject in sorted(unsure, key=lambda subject: not subject.live):
        name = f"{subject.ref.group}/{subject.ref.kind}"
        if not subject.verdict.known and name not in unusable and not _replaced(subject.ref):
            kinds.setdefault(name.lstrip("/"), subject)
        for problem in subject.verdict.unjudged:
            rules.setdefault((problem.kind, problem.rule), (problem.why, subject))
    for name, subject in kinds.items():
        why = f"no schema of {subject.ref.api_version} {subject.ref.kind}"
        yield _external(f"kind {name}", why, name, subject)
    for (owner, rule), (reason, subject) in rules.items():
        name = owner.lstrip("/")
        short = rule if len(rule) <= 100 else f"{rule[:99]}…"
        unchecked = _external(f"rule of kind {name}: {short}", f"our CEL engine: {reason}", name, subject)
        written = schemas.rule_at(subject.ref, rule)
        yield replace(unchecked, location=written) if written is not None else unchecked


def _denied(graph: Graph, subjects: list[Subject]) -> tuple[tuple[Denial, ...], list[Unchecked]]:
    """What admission policies refuse, and those that could not be judged on something, once a policy and reason."""
    if not any(subject.ref.kind == "ValidatingAdmissionPolicyBinding" for subject in subjects):
        return (), []
    from gitops_layout.validation.policies import Denial, Unjudged, denials

    found = list(denials(graph, subjects))
    policies = {s.ref.name: s for s in reversed(subjects) if s.ref.kind == "ValidatingAdmissionPolicy"}
    unjudged = dict.fromkeys((each.policy.ref.name, each.why) for each in found if isinstance(each, Unjudged))
    return tuple(each for each in found if isinstance(each, Denial)), [
        _external(f"admission policy {name}", why, "ValidatingAdmissionPolicy", policies[name])
        for name, why in unjudged
    ]


def _broken(broken: Broken) -> Unchecked:
    """A CRD of the repository is its own fault; a schema from elsewhere can be declared."""
    name = broken.name.lstrip("/")
    if broken.location is not None:
        return Unchecked(f"kind {name}", UncheckedClass.BROKEN, broken.why, broken.location)
    return Unchecked(f"kind {name}", UncheckedClass.EXTERNAL, broken.why, None, ("kind", name))


def _replaced(ref: ObjectRef) -> bool:
    """Whether a rule about API versions speaks of it."""
    group, _, version = ref.api_version.rpartition("/")
    return lifecycle(ref.api_version, ref.kind) is not None or bool(bundle.served(group, version, ref.kind))


def _external(what: str, why: str, name: str, subject: Subject) -> Unchecked:
    place = subject.origin(("kind",))
    delivery = subject.affected.delivery
    return Unchecked(what, UncheckedClass.EXTERNAL, why, place, ("kind", name), delivery)
