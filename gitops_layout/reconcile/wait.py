"""Wait until objects are healthy or gone."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from gitops_layout.reconcile.desired import Key, key
from gitops_layout.reconcile.events import HealthChanged
from gitops_layout.reconcile.health import Health, Status, health
from gitops_layout.reconcile.inventory import PART_OF

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from gitops_layout.model import ObjectRef
    from gitops_layout.reconcile.cluster import Cluster
    from gitops_layout.reconcile.events import Emit

__all__ = ["wait_gone", "wait_healthy"]

_SLOWEST_POLL = 2.0
_QUIET_SECONDS = 1.0  # what is ready that soon is not worth a line


def wait_healthy(
    cluster: Cluster,
    refs: Iterable[ObjectRef],
    live: Mapping[Key, dict[str, Any] | None],
    *,
    inventory_id: str,
    timeout: float,
    emit: Emit,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[ObjectRef]:
    """Wait until all objects are Current and return those that are not.

    `live` holds their states so far: where all of them are good, no request is made. Ends early when
    an object has failed for good, and when `cancelled`. Polls one LIST per kind; timeout in seconds.
    """
    states = {ref: health(live.get(key(ref))) for ref in refs}
    shown: dict[ObjectRef, Health] = {}
    started = time.monotonic()
    pause = 0.1
    while True:
        waiting = [ref for ref, state in states.items() if state.status is not Status.CURRENT]
        failed = any(states[ref].status is Status.FAILED for ref in waiting)
        elapsed = time.monotonic() - started
        over = not waiting or failed or elapsed >= timeout or cancelled()
        if waiting and (over or elapsed > _QUIET_SECONDS):
            for ref in waiting:
                if shown.get(ref) != states[ref]:
                    shown[ref] = states[ref]
                    emit(HealthChanged(ref, states[ref]))
        if over:
            return waiting
        time.sleep(pause)
        pause = min(pause * 1.5, _SLOWEST_POLL)
        states |= {ref: health(data) for ref, data in _look(cluster, waiting, inventory_id).items()}


def _look(
    cluster: Cluster, refs: Sequence[ObjectRef], inventory_id: str
) -> dict[ObjectRef, dict[str, Any] | None]:
    found: dict[ObjectRef, dict[str, Any] | None] = {}
    kinds: defaultdict[tuple[str, str], list[ObjectRef]] = defaultdict(list)
    for ref in refs:
        kinds[ref.api_version, ref.kind].append(ref)
    for (api_version, kind), wanted in kinds.items():
        resource = cluster.resource(api_version, kind)
        if len(wanted) == 1 or resource is None:
            found |= {ref: cluster.get(ref) for ref in wanted}
            continue
        listed = cluster.list_objects(resource, selector=f"{PART_OF}={inventory_id}")
        live = {(item["metadata"].get("namespace", ""), item["metadata"]["name"]): item for item in listed}
        found |= {ref: live.get((ref.namespace, ref.name)) for ref in wanted}
    return found


def wait_gone(
    cluster: Cluster,
    refs: Iterable[ObjectRef],
    *,
    timeout: float,
    emit: Emit,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[ObjectRef]:
    """Wait until deleted objects are gone and return those that stay, held by a finalizer."""
    deadline = time.monotonic() + timeout
    staying: list[ObjectRef] = []
    for ref in refs:
        pause = 0.1
        while (live := cluster.get(ref)) and live["metadata"].get("deletionTimestamp"):
            if time.monotonic() >= deadline or cancelled():
                finalizers = ", ".join(live["metadata"].get("finalizers") or ()) or "its controller"
                emit(HealthChanged(ref, Health(Status.TERMINATING, f"waiting for {finalizers}")))
                staying.append(ref)
                break
            time.sleep(pause)
            pause = min(pause * 1.5, _SLOWEST_POLL)
    return staying
