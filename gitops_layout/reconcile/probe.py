"""Find out what applying each object would do, without writing anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gitops_layout.k8s.mask import mask_text
from gitops_layout.k8s.order import is_definition
from gitops_layout.k8s.scope import crd_scopes, is_crd
from gitops_layout.patterns import regexp
from gitops_layout.reconcile.cluster import ApiError
from gitops_layout.reconcile.desired import DesiredObject, Key, Problem, key
from gitops_layout.reconcile.fields import in_sync
from gitops_layout.reconcile.plan import (
    Action,
    Conflict,
    Owner,
    Verb,
    changes,
    conflicts,
    foreign_owner,
    is_legacy,
    same_state,
    short,
)
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gitops_layout.reconcile.cluster import Cluster

__all__ = ["Probe", "Rules", "explain", "probe_all"]

Parallel = Callable[[Callable[[Any], Any], "Iterable[Any]"], "Iterable[Any]"]
"""`map`, over several threads: results come in the order of the inputs."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a probe may take from others, and the Secret values that no message may show.

    `environment_of` names the environment of an inventory id, None for one that is not ours.
    """

    inventory_id: str
    environment_of: Callable[[str], str | None]
    force_conflicts: bool
    take_over: frozenset[str]
    secrets: frozenset[str]


@dataclass(frozen=True, slots=True)
class Probe:
    """What applying `item` would do.

    `live` is the object as it is (None: not there), `after` as it would be, `force` whether fields
    are taken from other managers. `deferred` objects could not be asked about: their namespace or
    type is only about to come. With a `problem` nothing may be written at all.
    """

    item: DesiredObject
    verb: Verb
    live: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    force: bool = False
    reason: str = ""
    deferred: bool = False
    problem: Problem | None = None

    def action(self) -> Action:
        """The probe as a plan entry."""
        fields = changes(self.live, self.after) if self.live and self.after else ()
        return Action(self.verb, self.item.ref, fields, self.reason, self.item.location)


def probe_all(
    cluster: Cluster,
    items: Sequence[DesiredObject],
    members: Mapping[Key, dict[str, Any]],
    *,
    rules: Rules,
    parallel: Parallel,
) -> list[Probe]:
    """Probe a set in the order given: definitions first, since they decide what can be asked."""

    def ask(item: DesiredObject) -> Probe:
        return _probe(cluster, item, members.get(key(item.ref)), rules)

    definitions = [item for item in items if is_definition(item.ref.kind)]
    found = {key(probe.item.ref): probe for probe in parallel(ask, definitions)}
    changed = [probe.item for probe in found.values() if probe.verb in (Verb.CREATE, Verb.UPDATE)]
    new_types = crd_scopes(item.data for item in changed if is_crd(item.data)).keys()
    new_namespaces = {
        probe.item.ref.name
        for probe in found.values()
        if probe.item.ref.kind == "Namespace" and probe.verb is Verb.CREATE
    }

    def ask_or_defer(item: DesiredObject) -> Probe:
        ref = item.ref
        if ref.namespace not in new_namespaces and (ref.group, ref.kind) not in new_types:
            return ask(item)
        live = members.get(key(ref))
        if live is not None and in_sync(item.data, live):
            return Probe(item, Verb.UNCHANGED, live, live)
        return Probe(item, Verb.UPDATE if live else Verb.CREATE, live, deferred=True)

    rest = [item for item in items if key(item.ref) not in found]
    found |= {key(probe.item.ref): probe for probe in parallel(ask_or_defer, rest)}
    return [found[key(item.ref)] for item in items]


def _probe(cluster: Cluster, item: DesiredObject, live: dict[str, Any] | None, rules: Rules) -> Probe:
    if live is not None and in_sync(item.data, live):
        return _guard(Probe(item, Verb.UNCHANGED, live, live), rules)
    try:
        answer = cluster.apply(item.data, force=rules.force_conflicts, dry_run=True)
        if answer.created:
            return Probe(item, Verb.CREATE, after=answer.data)
        live = live or cluster.get(item.ref)
        if live is None:  # deleted between the two requests
            return Probe(item, Verb.CREATE, after=answer.data)
        verb = Verb.UNCHANGED if same_state(live, answer.data) else Verb.UPDATE
        return _guard(Probe(item, verb, live, answer.data, force=rules.force_conflicts), rules)
    except ApiError as error:
        if contested := conflicts(error.causes):
            return _contest(cluster, item, live, contested, rules)
        if error.code == 400 and "does not support dry run" in error.message:
            return _unasked(cluster, item, live, rules)
        return Probe(
            item, Verb.FAILED, live, problem=_problem(item, explain(error, item.data, rules.secrets))
        )


def _guard(probe: Probe, rules: Rules) -> Probe:
    """Turn a probe of somebody else's object into a problem, unless the user named them."""
    assert probe.live is not None
    owner = foreign_owner(probe.item.data, probe.live, rules.inventory_id)
    if owner is None:
        return probe
    if owner.agent == "applyset" and (environment := rules.environment_of(owner.name)):
        owner = Owner("environment", environment)
    names = {owner.agent, owner.name, str(owner), short(probe.item.ref)}
    if names & rules.take_over:
        return replace(probe, force=True, reason=f"taken over from {owner}")
    about = f"is already managed by {owner}; --take-over {owner} would take it"
    return replace(probe, verb=Verb.FAILED, problem=_problem(probe.item, about))


def _contest(
    cluster: Cluster,
    item: DesiredObject,
    live: dict[str, Any] | None,
    contested: Sequence[Conflict],
    rules: Rules,
) -> Probe:
    """Fields are owned by other managers: take those we may, else report all of them."""
    live = live or cluster.get(item.ref)
    if live is None:
        return Probe(item, Verb.CREATE)
    guarded = _guard(Probe(item, Verb.UPDATE, live), rules)
    if guarded.problem:
        return guarded
    strangers = [conflict for conflict in contested if not is_legacy(conflict)]
    if strangers and not guarded.force:
        owned = ", ".join(f"{one.field} is owned by {one.manager}" for one in strangers)
        return Probe(item, Verb.CONFLICT, live, reason=f"conflict: {owned}; --force-conflicts would take it")
    managers = ", ".join(sorted({conflict.manager for conflict in contested}))
    try:
        answer = cluster.apply(item.data, force=True, dry_run=True)
    except ApiError as error:
        return Probe(
            item, Verb.FAILED, live, problem=_problem(item, explain(error, item.data, rules.secrets))
        )
    reason = guarded.reason or f"taken over from {managers}"
    return Probe(item, Verb.UPDATE, live, answer.data, force=True, reason=reason)


def _unasked(cluster: Cluster, item: DesiredObject, live: dict[str, Any] | None, rules: Rules) -> Probe:
    """A webhook with side effects refuses dry runs: only the apply itself can tell."""
    live = live or cluster.get(item.ref)
    reason = "not validated: an admission webhook supports no dry run"
    if live is None:
        return Probe(item, Verb.CREATE, reason=reason)
    return _guard(Probe(item, Verb.UPDATE, live, reason=reason), rules)


def _problem(item: DesiredObject, message: str) -> Problem:
    return Problem(message, item.location, item.ref)


# How the server words a manifest that does not fit its type: where, and a value as Go prints it.
_TYPED_PATCH = regexp(r"^failed to create typed patch object \([^)]*\):\s*(?:errors:\s*)?")
_NO_NAMESPACE = regexp(r'^namespaces "([^"]+)" not found$')
_GO_VALUE = regexp(r"&value\.valueUnstructured\{Value:(.*)\}")


def explain(error: ApiError, data: Mapping[str, Any], secrets: Iterable[str]) -> str:
    """What the server said about an object, without Secret values; immutable fields in plain words."""
    frozen = [
        str(cause.get("field", "")) for cause in error.causes if "immutable" in str(cause.get("message", ""))
    ]
    if frozen:
        fields = ", ".join(dict.fromkeys(field for field in frozen if field))
        return (
            f"{fields or 'a field'} is immutable: the live object cannot be changed so; "
            "delete it first, or give the new one another name"
        )
    message = _TYPED_PATCH.sub("", mask_text(error.message, secrets, about=data))
    if absent := _NO_NAMESPACE.search(message):
        message += (
            f"; add that Namespace to what is delivered, or make it: kubectl create namespace {absent[1]}"
        )
    return " ".join(_GO_VALUE.sub(r"\1", message).split())
