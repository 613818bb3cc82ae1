"""From a revision to a run, once or again and again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from gitops_layout.errors import UserError
from gitops_layout.model import UncheckedClass
from gitops_layout.reconcile.apply import reconcile
from gitops_layout.reconcile.desired import DesiredObject, Problem
from gitops_layout.reconcile.events import Acted, Note, Started, Summary, Trouble
from gitops_layout.reconcile.plan import Verb, short
from gitops_layout.reconcile.revision import identity, is_fast_forward

if TYPE_CHECKING:
    from gitops_layout.model import ObjectRef, Unchecked
    from gitops_layout.reconcile.apply import Options
    from gitops_layout.reconcile.cluster import Cluster
    from gitops_layout.reconcile.events import Emit, Event
    from gitops_layout.reconcile.revision import Follow, Revision

__all__ = ["Fights", "Render", "once", "watch"]

Render = Callable[["Revision"], "tuple[Iterable[DesiredObject], list[Unchecked]]"]
"""All objects of the environment at a revision, and what could not be rendered."""

_SLOWEST_POLL = 15.0
_STUBBORN = 5


def once(cluster: Cluster, revision: Revision, *, render: Render, options: Options, emit: Emit) -> Summary:
    """Render one revision and bring the cluster to it.

    Nothing is written when anything of the repository is broken. What lies outside it and could not
    be rendered is named; the rest is applied, nothing is pruned, and the exit code is 3.
    """
    if revision.note:
        emit(Note(revision.note))
    objects, unchecked = render(revision)
    for entry in unchecked:
        emit(Trouble(Problem(f"not rendered: {entry.what}: {entry.why}", entry.location)))
    broken = sum(entry.kind is UncheckedClass.BROKEN for entry in unchecked)
    if broken:
        summary = Summary(exit_code=3, verdict=f"refused: nothing was written, {broken} not rendered")
        emit(summary)
        return summary
    chosen = replace(
        options,
        revision=revision.label,
        source=options.source or identity(revision),
        unrendered=len(unchecked),
    )
    return reconcile(cluster, objects, options=chosen, emit=emit)


def watch(
    cluster: Cluster,
    follow: Follow,
    *,
    render: Render,
    options: Options,
    emit: Emit,
    interval: float,
) -> None:
    """Apply every new commit and repair drift every `interval` seconds, until KeyboardInterrupt.

    Looks for commits as often, but at least every 15 seconds. What goes wrong is reported and tried
    again; a run that finds nothing to do reports nothing.
    """
    fights = Fights()
    applied: Revision | None = None
    due = 0.0
    while True:
        revision = _current(follow, applied, emit)
        is_new = revision is not None and (applied is None or revision.commit != applied.commit)
        if revision is not None and (is_new or time.monotonic() >= due):
            if applied is None and not options.source:
                options = replace(options, source=identity(revision))  # walks the history: once is enough
            if is_new and applied is not None:
                _announce(applied, revision, emit)
            due = time.monotonic() + interval
            chosen = replace(
                options,
                wait=options.wait and is_new,
                # A revision that never becomes healthy must not keep us from repairing drift.
                timeout=min(options.timeout, interval),
                cancelled=_newer(follow, revision, min(interval, _SLOWEST_POLL)),
            )
            heard = fights.listening(emit if is_new else _only_if_something_happens(emit), is_new=is_new)
            try:
                once(cluster, revision, render=render, options=chosen, emit=heard)
            except UserError as error:
                emit(Trouble(Problem(str(error))))
            applied = revision
        time.sleep(min(interval, _SLOWEST_POLL))


def _current(follow: Follow, applied: Revision | None, emit: Emit) -> Revision | None:
    try:
        return follow()
    except UserError as error:
        emit(Trouble(Problem(f"{error}; staying at {applied.label}" if applied else str(error))))
        return applied


def _announce(old: Revision, new: Revision, emit: Emit) -> None:
    if old.commit and new.commit and not is_fast_forward(new.root, old.commit, new.commit):
        emit(Note(f"history was rewritten: {old.label} is not part of {new.label}"))


def _newer(follow: Follow, current: Revision, pause: float) -> Callable[[], bool]:
    """Whether git has moved on from `current`; asks git at most every `pause` seconds."""
    asked, answer = time.monotonic(), False

    def look() -> bool:
        nonlocal asked, answer
        if not answer and time.monotonic() - asked >= pause:
            asked = time.monotonic()
            try:
                answer = follow().commit != current.commit
            except UserError:
                answer = False  # the loop itself will report it
        return answer

    return look


def _only_if_something_happens(emit: Emit) -> Emit:
    """Hold back the frame of a run (start, summary) unless there is something between."""
    held: list[Event] = []
    spoken = False

    def heard(event: Event) -> None:
        nonlocal spoken
        match event:
            case Acted(action=action) if action.verb in (Verb.UNCHANGED, Verb.KEEP):
                return
            case Started():
                held.append(event)
                return
            case Summary(verdict="") if not spoken:
                return
        for earlier in held:
            emit(earlier)
        held.clear()
        spoken = True
        emit(event)

    return heard


class Fights:
    """Counts how often in a row each object had to be repaired; somebody else may want it otherwise."""

    def __init__(self) -> None:
        self.repairs: Counter[ObjectRef] = Counter()

    def listening(self, emit: Emit, *, is_new: bool) -> Emit:
        """`emit` for one run, with a note for every object that is repaired again and again."""
        repaired: set[ObjectRef] = set()

        def heard(event: Event) -> None:
            emit(event)
            match event:
                case Acted(action=action) if action.verb in (Verb.UPDATE, Verb.CREATE) and not is_new:
                    repaired.add(action.ref)
                    self.repairs[action.ref] += 1
                    if self.repairs[action.ref] == _STUBBORN:
                        who = f" ({action.reason})" if action.reason else ""
                        emit(
                            Note(
                                f"fighting: {short(action.ref)} was changed back {_STUBBORN} times in a row{who}"
                            )
                        )
                case Summary():
                    for ref in self.repairs.keys() - repaired:
                        del self.repairs[ref]

        return heard
