"""Run rules over a graph: every rule's hits, and the rules that failed."""

from __future__ import annotations

from posixpath import basename
from typing import TYPE_CHECKING, Any

from gitops_layout import checks
from gitops_layout.cel import CelError, bind, compile_expression
from gitops_layout.checks.mending import put_all
from gitops_layout.errors import UserError
from gitops_layout.k8s.mask import mask_object
from gitops_layout.lint import facts
from gitops_layout.lint.references import hits as reference_hits
from gitops_layout.lint.words import filled
from gitops_layout.lint.world import world_of
from gitops_layout.model import Affected, Change, Hit, Location, ObjectRef, Related
from gitops_layout.rules import variables
from gitops_layout.rules.model import kind_matches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gitops_layout.agents.delivery import Delivery
    from gitops_layout.graph.model import Graph
    from gitops_layout.model import Path
    from gitops_layout.rules.model import Rule

__all__ = ["Found", "evaluate", "object_of"]

Found = tuple["Rule", Hit]

_NAME = ("metadata", "name")
"""Where a claim about a whole object points."""


def evaluate(graph: Graph, rules: Sequence[Rule]) -> tuple[list[Found], dict[str, str]]:
    """Every hit of `rules`, and rule id → error for those that failed; a failure stops only its own rule."""
    found: list[Found] = []
    failed: dict[str, str] = {}
    for on, subjects in (("rendered", _rendered), ("source", _sources), ("delivery", _deliveries)):
        judged = [rule for rule in rules if rule.assertion is not None and rule.scope.on == on]
        if judged:
            found += _asserted(judged, subjects(graph), failed)
    for rule in rules:
        if rule.assertion is not None:
            continue
        try:
            if rule.check is not None:
                found += [(rule, hit) for hit in checks.find(rule.check)(graph, rule.params)]
            else:
                found += [(rule, hit) for hit in reference_hits(rule, world_of(graph))]
        except UserError:
            raise  # no engine to judge with: nothing can report
        except Exception as error:  # whatever a rule does, the others still report
            failed[rule.id] = _words(error)
    return found, failed


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, CelError) else f"{type(error).__name__}: {error}"


class _Subject:
    """One thing to judge: its data, where its paths stand, and whom it belongs to.

    `origin` tells where the fields of `object` stand, which for a delivery is the agent's own.
    """

    __slots__ = ("affected", "data", "delivery", "namespace", "object", "origin", "place", "ref")

    def __init__(
        self,
        ref: ObjectRef,
        data: dict[str, Any],
        place: Callable[[Path], Location],
        affected: Affected = Affected(),  # noqa: B008 - frozen
        delivery: Delivery | None = None,
        origin: Callable[[Path], Location] | None = None,
    ) -> None:
        self.ref = ref
        self.data = data
        self.place = place
        self.affected = affected
        self.delivery = delivery
        self.origin = origin or place
        self.object = delivery.object if origin is not None and delivery is not None else data
        self.namespace = ref.namespace or ((delivery.target_namespace or "") if delivery else "")


def _rendered(graph: Graph) -> Iterator[_Subject]:
    """What is applied: all that deliveries bring, and the agents' own objects that nobody brings."""
    brought: set[int] = set()
    for delivery in graph.deliveries:
        rendered = graph.rendered.get(delivery.id)
        for item in rendered.objects if rendered is not None else ():
            affected = Affected(item.ref, delivery.id, delivery.environment, delivery.cluster)
            brought.add(id(item.data))
            yield _Subject(item.ref, item.data, item.origin, affected, delivery)
    for delivery in graph.deliveries:
        ref = object_of(delivery)
        if ref is None or id(delivery.object) in brought or delivery.origin is not None:
            continue
        affected = Affected(ref, delivery.id, delivery.environment, delivery.cluster)
        yield _Subject(ref, dict(delivery.object), _below(delivery.root), affected, delivery)


def _sources(graph: Graph) -> Iterator[_Subject]:
    for resource in graph.repo.resources:
        place = _below(resource.location)
        yield _Subject(resource.ref, resource.data, place, Affected(resource.ref))


def _below(location: Location) -> Callable[[Path], Location]:
    return lambda path: location.at(*path)


def _deliveries(graph: Graph) -> Iterator[_Subject]:
    """Every delivery; one with several sources once a source: what is wrong with the whole is then one finding."""
    origins = {id(i.data): i.origin for rendered in graph.rendered.values() for i in rendered.objects}
    for delivery in graph.deliveries:
        affected = Affected(object_of(delivery), delivery.id, delivery.environment, delivery.cluster)
        ref = object_of(delivery) or ObjectRef("", delivery.kind, delivery.namespace, delivery.name)
        origin = origins.get(id(delivery.object))
        own = origin or delivery.origin or _below(delivery.root)
        for part in delivery.parts or (delivery,):
            yield _Subject(ref, facts.delivery_data(part), _field(part, origin), affected, part, own)


def _field(delivery: Delivery, origin: Callable[[Path], Location] | None) -> Callable[[Path], Location]:
    """The place of the first of several fields that the delivery has, else its name.

    An agent object that another delivery renders has its fields where that render has them from.
    """

    def place(names: Path) -> Location:
        if "revision" in names and delivery.source.stated is not None:
            return delivery.source.stated
        found = delivery.place(*(str(name) for name in names))
        root = delivery.root.path
        if found.path[: len(root)] != root:
            return found  # an ApplicationSet's patch wrote it
        below = found.path[len(root) :] or _NAME
        return delivery.root.at(*below) if origin is None else origin(below)

    return place


def object_of(delivery: Delivery) -> ObjectRef | None:
    """The agent object behind a delivery; None where there is none."""
    version, kind = delivery.object.get("apiVersion"), delivery.object.get("kind")
    if not isinstance(version, str) or not isinstance(kind, str):
        return None
    return ObjectRef(version, kind, delivery.namespace, delivery.name)


def _asserted(rules: Sequence[Rule], subjects: Iterator[_Subject], failed: dict[str, str]) -> Iterator[Found]:
    by_kind: dict[tuple[str, str], tuple[list[Rule], frozenset[str]]] = {}
    for subject in subjects:
        kind = (subject.ref.api_version, subject.ref.kind)
        if kind not in by_kind:
            fitting = [rule for rule in rules if kind_matches(rule.scope.kinds, subject.ref)]
            by_kind[kind] = fitting, facts.named(fitting)
        fitting, wanted = by_kind[kind]
        if not fitting:
            continue
        known = facts.facts(wanted, subject.data, subject.delivery, subject.namespace)
        for rule in fitting:
            if rule.id in failed:
                continue
            try:
                yield from [
                    (rule, hit) for hit in _judge(rule, subject, known) if not _is_default(subject, hit)
                ]
            except UserError:
                raise
            except Exception as error:
                failed[rule.id] = f"{_words(error)} (at {subject.ref})"


def _is_default(subject: _Subject, hit: Hit) -> bool:
    """Whether a claim is about a value that a chart which nobody installs merely proposes: others may be given."""
    bare = subject.delivery is not None and subject.delivery.agent == "helm"
    return bare and basename(hit.location.file) == "values.yaml"


def _judge(rule: Rule, subject: _Subject, known: dict[str, Any]) -> Iterator[Hit]:
    names = variables(rule)
    expression = compile_expression(rule.assertion or "", names)
    data = {names[0]: subject.data, "facts": known, "params": dict(rule.params)}
    if rule.scope.each is None:
        if not expression.holds(bind(data)):
            at = rule.scope.at or (() if rule.scope.on == "delivery" else _NAME)
            yield _hit(rule, subject, subject.place(at), {**data, names[0]: mask_object(subject.data)})
        return
    # The engine converts each variable that an expression names: the list itself, once per item, would
    # make a long list quadratic.
    data["facts"] = {name: value for name, value in known.items() if name != rule.scope.each}
    shown: dict[str, Any] = {}
    for item, path in _items(rule.scope.each, subject, known):
        if not expression.holds(bind({**data, "item": item})):
            shown = shown or {**data, names[0]: mask_object(subject.data), "facts": known}
            yield _hit(rule, subject, subject.place(path), {**shown, "item": item})


def _hit(rule: Rule, subject: _Subject, place: Location, shown: dict[str, Any]) -> Hit:
    """A hit that also says which object it is about, where an overlay or patch is to blame."""
    related: tuple[Related, ...] = ()
    if rule.scope.on == "rendered":
        name = subject.place(_NAME)
        if name.file != place.file:
            related = (Related(name, f"in {subject.ref.kind} {subject.ref.name}"),)
    return Hit(place, shown, related, subject.affected, _changes(rule, subject, place, shown))


def _changes(rule: Rule, subject: _Subject, place: Location, shown: dict[str, Any]) -> tuple[Change, ...]:
    """What the rule's front matter would change."""
    mend = rule.mend
    if mend is None or mend.do is None:
        return ()
    if mend.do != "set":
        return (Change(mend.do, place, filled(mend.text, shown)),)
    fields = mend.fields.get(subject.ref.kind, {} if mend.by_kind else mend.fields)
    told = {name: filled(value, shown) if isinstance(value, str) else value for name, value in fields.items()}
    return put_all(subject.origin, subject.object, told)


def _items(each: str, subject: _Subject, known: dict[str, Any]) -> Iterator[tuple[Any, Path]]:
    """A fact's items carry their `path`; a path in the object ends with `[]`, or means a list's items."""
    if each in known:
        yield from ((item, tuple(item["path"])) for item in known[each])
        return
    yield from facts.values_at(subject.data, each if each.endswith("[]") else f"{each}[]")
