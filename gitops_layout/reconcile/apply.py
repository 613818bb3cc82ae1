"""One run: look, decide, write in order, prune, wait. The only module that writes to a cluster."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from gitops_layout.k8s.mask import secret_values
from gitops_layout.k8s.order import apply_rank, is_definition
from gitops_layout.k8s.scope import is_crd
from gitops_layout.model import ObjectRef
from gitops_layout.reconcile import inventory as inventories
from gitops_layout.reconcile.cluster import ApiError
from gitops_layout.reconcile.desired import DesiredObject, Key, Problem, key, order, validate
from gitops_layout.reconcile.events import Acted, Note, Started, Summary, Trouble
from gitops_layout.reconcile.fields import in_sync
from gitops_layout.reconcile.inventory import Inventory
from gitops_layout.reconcile.members import environment_of, list_members, ref_of
from gitops_layout.reconcile.plan import Action, Verb, conflicts
from gitops_layout.reconcile.probe import Probe, Rules, explain, probe_all
from gitops_layout.reconcile.prune import protection, refusal
from gitops_layout.reconcile.wait import wait_gone, wait_healthy
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gitops_layout.reconcile.cluster import Cluster
    from gitops_layout.reconcile.events import Emit

__all__ = ["Options", "reconcile"]

_CONNECTIONS = 8
_DEFINITION_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Options:
    """How to run.

    `source` identifies the repository (see `Inventory.source`), `revision` is only shown.
    `namespace` is given to objects that name none. `timeout` is in seconds and limits the wait for
    health. `take_over` names agents (`helm`), their objects (`helm:web`) or ours (`Deployment/shop/web`).
    `unrendered` counts deliveries whose objects are not known: nothing is pruned then. `cancelled`
    ends a wait early: a newer commit is there. `tenant` is whose repository it is, where that is not the platform's:
    its objects are kept apart from what the platform brings to the same environment.
    """

    environment: str
    source: str = ""
    tenant: str = ""
    revision: str = ""
    namespace: str | None = None
    dry_run: bool = False
    wait: bool = True
    timeout: float = 300.0
    prune_critical: bool = False
    confirm_prune: bool = False
    force_conflicts: bool = False
    take_over: frozenset[str] = frozenset()
    exit_code: bool = False
    unrendered: int = 0
    cancelled: Callable[[], bool] = lambda: False

    @property
    def inventory(self) -> str:
        """The name of what holds all that this run brings; no environment has a dot in its name."""
        return f"{self.environment}.{self.tenant}" if self.tenant else self.environment


class _RefusedError(Exception):
    """Ends a run; the problems have been emitted."""

    def __init__(self, verdict: str) -> None:
        super().__init__(verdict)
        self.verdict = verdict


def reconcile(cluster: Cluster, objects: Iterable[DesiredObject], *, options: Options, emit: Emit) -> Summary:
    """Bring `cluster` to the state that `objects` declare for one environment.

    Emits what it does and returns the last event, the Summary; its exit code is 0, or 1 for
    differences where `options.exit_code` asks for that, or 3 where something was refused, failed or
    is not healthy. Raises UserError when the server cannot be reached.
    """
    pool = ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="reconcile")
    run = _Run(cluster, options, emit, pool)
    try:
        run.go(list(objects))
    except _RefusedError as refused:
        run.verdict = refused.verdict
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    summary = run.summary()
    emit(summary)
    return summary


class _Run:
    """The state of one run: what was found, what was done."""

    def __init__(self, cluster: Cluster, options: Options, emit: Emit, pool: ThreadPoolExecutor) -> None:
        self.cluster, self.options, self.emit, self.pool = cluster, options, emit, pool
        self.started, self.calls = time.monotonic(), cluster.calls
        self.counts: Counter[str] = Counter()
        self.live: dict[Key, dict[str, Any]] = {}
        self.namespaces: set[str] = set()
        self.leaving: list[ObjectRef] = []
        self.verdict = ""
        self.rules = Rules(
            "",
            lambda found: environment_of(cluster, found),
            options.force_conflicts,
            options.take_over,
            frozenset(),
        )

    def go(self, objects: list[DesiredObject]) -> None:
        options, cluster = self.options, self.cluster
        self.emit(
            Started(cluster.server, cluster.context, options.environment, options.revision, len(objects))
        )
        items = self._validated(objects)
        before, parent = self._inventory()
        after = inventories.of(options.inventory, options.source, [item.ref for item in items])
        wide = inventories.widened(before, after)
        items = [DesiredObject(inventories.labelled(item.data, after.id), item.location) for item in items]
        secrets = secret_values(item.data for item in items)
        self.rules = replace(self.rules, inventory_id=after.id, secrets=secrets)
        members = self._members(wide, items)
        probes = probe_all(cluster, items, members, rules=self.rules, parallel=self.pool.map)
        self._stop_on([probe.problem for probe in probes if probe.problem])
        self.namespaces = {item.ref.namespace for item in items if item.ref.namespace}
        self.live = {key(probe.item.ref): probe.live for probe in probes if probe.live}
        doomed = [] if options.unrendered else self._doomed(members, items)
        if options.dry_run:
            self._show(probes, doomed)
        going = sum(self._protection(ref, live) is None for ref, live in doomed)
        refused = refusal(len(members), going, len(items), confirmed=options.confirm_prune)
        self._stop_on([Problem(refused)] if refused else [])
        if options.dry_run:
            return
        self._write_parent(wide, parent)
        self._write(probes)
        left = self._prune(doomed)
        refs = [item.ref for item in items]
        self._narrow(wide, inventories.of(options.inventory, options.source, [*refs, *left]))
        self._wait(refs)

    def summary(self) -> Summary:
        counts, code, verdict = self.counts, 0, self.verdict
        failed, contested = counts[Verb.FAILED], counts[Verb.CONFLICT]
        if not verdict and failed + contested:
            verdict = f"incomplete: {failed} failed, {contested} in conflict"
        if not verdict and self.options.unrendered:
            verdict = f"incomplete: {self.options.unrendered} not rendered, nothing pruned"
        if self.options.exit_code and counts.total() > counts[Verb.UNCHANGED] + counts[Verb.KEEP]:
            code, verdict = 1, verdict or "differences"
        elif verdict:
            code = 3
        return Summary(
            dict(counts), self.cluster.calls - self.calls, time.monotonic() - self.started, code, verdict
        )

    # Before the first write

    def _validated(self, objects: list[DesiredObject]) -> list[DesiredObject]:
        def served(group: str, kind: str) -> bool | None:
            resource = self.cluster.preferred(group, kind)
            return resource.namespaced if resource else None

        validated = validate(objects, namespace=self.options.namespace, served=served)
        self._stop_on(validated.problems)
        return list(validated.objects)

    def _inventory(self) -> tuple[Inventory | None, dict[str, Any] | None]:
        options = self.options
        ref = inventories.parent_of(options.inventory)
        try:
            parent = self.cluster.get(ref)
        except ApiError as error:
            raise self._refuse(f"cannot read the inventory: {error.message}", ref) from error
        if parent is None:
            return None, None
        found = inventories.read(options.inventory, parent)
        if isinstance(found, str):
            raise self._refuse(found, ref)
        if found.source != options.source and found.source not in options.take_over:
            about = (
                f"environment {options.inventory} of this cluster belongs to the repository {found.source}"
            )
            raise self._refuse(
                f"{about}, not to {options.source}; --take-over {found.source} would take it", ref
            )
        return found, parent

    def _members(self, wide: Inventory, items: Sequence[DesiredObject]) -> dict[Key, dict[str, Any]]:
        versions = {(item.ref.group, item.ref.kind): item.ref.api_version for item in items}
        found, problems = list_members(self.cluster, wide, versions, parallel=self.pool.map)
        self._stop_on(problems)
        return found

    def _doomed(
        self, members: dict[Key, dict[str, Any]], items: Sequence[DesiredObject]
    ) -> list[tuple[ObjectRef, dict[str, Any]]]:
        """Members that nobody declares any more, in the order in which they are deleted."""
        wanted = {key(item.ref) for item in items}
        doomed = [(ref_of(live), live) for identity, live in members.items() if identity not in wanted]
        return sorted(doomed, key=lambda pair: order(pair[0]), reverse=True)

    def _show(self, probes: Sequence[Probe], doomed: Sequence[tuple[ObjectRef, dict[str, Any]]]) -> None:
        for probe in probes:
            self._count(probe.action(), planned=True)
        for ref, live in doomed:
            kept = self._protection(ref, live)
            self._count(Action(Verb.KEEP if kept else Verb.PRUNE, ref, reason=kept or ""), planned=True)

    # Writing

    def _write_parent(self, wanted: Inventory, live: dict[str, Any] | None) -> None:
        manifest = wanted.manifest()
        if (live is not None and in_sync(manifest, live)) or (live is None and not wanted.kinds):
            return
        try:
            self.cluster.apply(manifest, force=True)
        except ApiError as error:
            raise self._refuse(f"cannot write the inventory: {error.message}", wanted.ref) from error

    def _write(self, probes: Sequence[Probe]) -> None:
        definitions = [probe for probe in probes if is_definition(probe.item.ref.kind)]
        self._apply_in_order(definitions)
        if self.counts[Verb.FAILED]:
            raise _RefusedError("incomplete: a definition was not applied, and nothing after it")
        written = [probe.item.ref for probe in definitions if probe.verb is not Verb.UNCHANGED]
        self._await_definitions(written, [probe.item for probe in definitions])
        rest = [probe for probe in probes if not is_definition(probe.item.ref.kind)]
        deferred = [probe.item for probe in rest if probe.deferred]
        if deferred:
            members = {key(probe.item.ref): probe.live for probe in rest if probe.deferred and probe.live}
            asked = probe_all(self.cluster, deferred, members, rules=self.rules, parallel=self.pool.map)
            found = {key(probe.item.ref): probe for probe in asked}
            rest = [found.get(key(probe.item.ref), probe) for probe in rest]
            self._stop_on(
                [probe.problem for probe in asked if probe.problem], "incomplete: only definitions applied"
            )
        self._apply_in_order(rest)

    def _apply_in_order(self, probes: Sequence[Probe]) -> None:
        for _, group in groupby(probes, key=lambda probe: apply_rank(probe.item.ref.kind)):
            self._apply(list(group))

    def _apply(self, probes: Sequence[Probe]) -> None:
        """Write objects that do not depend on each other; report them in their order."""
        for probe, (action, live) in zip(probes, self.pool.map(self._apply_one, probes), strict=True):
            if live is not None:
                self.live[key(probe.item.ref)] = live
            self._count(action)

    def _apply_one(self, probe: Probe) -> tuple[Action, dict[str, Any] | None]:
        action = probe.action()
        if probe.verb not in (Verb.CREATE, Verb.UPDATE):
            return action, probe.live
        try:
            return action, self.cluster.apply(probe.item.data, force=probe.force).data
        except ApiError as error:
            ref, place = probe.item.ref, probe.item.location
            if found := conflicts(error.causes):  # somebody took a field since the dry run
                owned = ", ".join(f"{one.field} is owned by {one.manager}" for one in found)
                return Action(Verb.CONFLICT, ref, (), f"conflict: {owned}", place), probe.live
            message = explain(error, probe.item.data, self.rules.secrets)
            return Action(Verb.FAILED, ref, (), message, place), probe.live

    def _await_definitions(self, refs: Sequence[ObjectRef], items: Sequence[DesiredObject]) -> None:
        """Wait until new CRDs are served and new namespaces can be filled."""
        if not refs:
            return
        seconds = min(self.options.timeout, _DEFINITION_SECONDS)
        states = {key(ref): self.live.get(key(ref)) for ref in refs}
        waiting = wait_healthy(
            self.cluster, refs, states, inventory_id=self.rules.inventory_id, timeout=seconds, emit=self.emit
        )
        if waiting:
            raise _RefusedError(f"incomplete: {waiting[0].kind} {waiting[0].name} did not become ready")
        if not any(is_crd(item.data) for item in items):
            return
        deadline = time.monotonic() + seconds
        wanted = [pair for item in items if is_crd(item.data) for pair in _served_kinds(item.data)]
        while True:
            self.cluster.forget_types()
            missing = [pair for pair in wanted if self.cluster.resource(*pair) is None]
            if not missing:
                return
            if time.monotonic() > deadline:
                raise _RefusedError(
                    f"incomplete: the server does not serve {missing[0][1]} ({missing[0][0]})"
                )
            time.sleep(0.2)

    # Pruning

    def _prune(self, doomed: Sequence[tuple[ObjectRef, dict[str, Any]]]) -> list[ObjectRef]:
        """Delete what is no longer declared; returns the members that are still there."""
        left: list[ObjectRef] = []
        incomplete = self.counts[Verb.FAILED] + self.counts[Verb.CONFLICT]
        if incomplete:
            return [ref for ref, _ in doomed]
        for ref, live in doomed:
            if kept := self._protection(ref, live):
                left.append(ref)
                self._count(Action(Verb.KEEP, ref, reason=kept))
                continue
            try:
                remains = self.cluster.delete(ref, live["metadata"]["uid"])
            except ApiError as error:
                left.append(ref)
                self._count(
                    Action(
                        Verb.FAILED, ref, reason=f"not deleted: {explain(error, live, self.rules.secrets)}"
                    )
                )
                continue
            if remains is not None:
                left.append(ref)
                self.leaving.append(ref)
            self._count(Action(Verb.PRUNE, ref))
        return left

    def _protection(self, ref: ObjectRef, live: dict[str, Any]) -> str | None:
        if live["metadata"].get("deletionTimestamp"):
            finalizers = ", ".join(live["metadata"].get("finalizers") or ()) or "its grace period"
            return f"is being deleted, waiting for {finalizers}"
        return protection(
            live,
            ref,
            applied_uids={data["metadata"]["uid"] for data in self.live.values()},
            used_namespaces=self.namespaces,
            critical=self.options.prune_critical,
        )

    def _narrow(self, wide: Inventory, exact: Inventory) -> None:
        """Forget kinds and namespaces without members; only when nothing went wrong."""
        incomplete = self.options.unrendered or self.counts[Verb.FAILED] or self.counts[Verb.CONFLICT]
        if exact.manifest() != wide.manifest() and not incomplete:
            self._write_parent(exact, self.cluster.get(exact.ref))

    # Afterwards

    def _wait(self, refs: Sequence[ObjectRef]) -> None:
        options = self.options
        if not options.wait:
            return
        present = [ref for ref in refs if key(ref) in self.live]
        waiting = wait_healthy(
            self.cluster,
            present,
            self.live,
            inventory_id=self.rules.inventory_id,
            timeout=options.timeout,
            emit=self.emit,
            cancelled=options.cancelled,
        )
        if not waiting:
            waiting = wait_gone(
                self.cluster,
                self.leaving,
                timeout=options.timeout,
                emit=self.emit,
                cancelled=options.cancelled,
            )
        if waiting and options.cancelled():
            self.emit(Note("a newer revision is there: no longer waiting"))
        elif waiting:
            self.verdict = f"not healthy: {len(waiting)} of {len(present) + len(self.leaving)} objects"

    # Reporting

    def _count(self, action: Action, *, planned: bool = False) -> None:
        self.counts[action.verb] += 1
        self.emit(Acted(action, planned))

    def _stop_on(self, problems: Sequence[Problem], verdict: str = "refused: nothing was written") -> None:
        for problem in problems:
            self.emit(Trouble(problem))
        if problems:
            raise _RefusedError(f"{verdict}, {len(problems)} problem{'s' if len(problems) > 1 else ''}")

    def _refuse(self, message: str, ref: ObjectRef) -> _RefusedError:
        self.emit(Trouble(Problem(message, ref=ref)))
        return _RefusedError("refused: nothing was written, 1 problem")


def _served_kinds(crd: Any) -> Iterable[tuple[str, str]]:
    spec = crd["spec"]
    for version in spec.get("versions") or ():
        if version.get("served"):
            yield f"{spec['group']}/{version['name']}", spec["names"]["kind"]
