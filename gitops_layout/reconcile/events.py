"""What a run reports while it goes: frozen values, each with one text line and one JSON record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING, Any

from gitops_layout.reconcile.desired import Problem
from gitops_layout.reconcile.plan import Action, Change, Verb, short
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gitops_layout.model import Location, ObjectRef
    from gitops_layout.reconcile.health import Health

__all__ = [
    "Acted",
    "Emit",
    "Event",
    "HealthChanged",
    "Note",
    "Started",
    "Summary",
    "Trouble",
    "record",
    "text",
]


@dataclass(frozen=True, slots=True)
class Started:
    """A run begins; shown before its first write. `revision` is empty outside git."""

    server: str
    context: str
    environment: str
    revision: str
    objects: int


@dataclass(frozen=True, slots=True)
class Acted:
    """An object's action, carried out or, with `planned`, only intended."""

    action: Action
    planned: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something wrong with an object or with the whole run."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class HealthChanged:
    """An object that the run waits for, in a new state."""

    ref: ObjectRef
    health: Health


@dataclass(frozen=True, slots=True)
class Note:
    """A fact about the run that belongs to no object."""

    message: str


@dataclass(frozen=True, slots=True)
class Summary:
    """The end of a run: how many objects per verb, requests made, seconds, and the verdict.

    `verdict` is empty when all went well, else it says why `exit_code` is not 0.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    calls: int = 0
    seconds: float = 0.0
    exit_code: int = 0
    verdict: str = ""


Event = Started | Acted | Trouble | HealthChanged | Note | Summary
Emit = Callable[[Event], None]

_SIGNS = {
    Verb.CREATE: "+",
    Verb.UPDATE: "~",
    Verb.PRUNE: "-",
    Verb.KEEP: "=",
    Verb.UNCHANGED: " ",
    Verb.CONFLICT: "!",
    Verb.FAILED: "!",
}
_COUNTED = (
    ("created", Verb.CREATE),
    ("updated", Verb.UPDATE),
    ("pruned", Verb.PRUNE),
    ("kept", Verb.KEEP),
    ("conflicts", Verb.CONFLICT),
    ("failed", Verb.FAILED),
    ("unchanged", Verb.UNCHANGED),
)
_WIDTH = 60


Place = Callable[["Location"], "tuple[str, int]"]
"""File and line of a location; only whoever has the repository knows lines."""


def text(event: Event, *, place: Place, verbose: bool = False) -> str | None:
    """The event as people read it, without a newline at the end; None where it is not worth a line."""
    match event:
        case Started():
            revision = f"revision {event.revision}  " if event.revision else ""
            where = f"{event.server} (context {event.context})"
            return f"{revision}environment {event.environment}  objects {event.objects}  server {where}"
        case Acted(action=Action(verb=Verb.UNCHANGED)) if not verbose:
            return None
        case Acted(action=action):
            return "\n".join(_action_lines(action))
        case Trouble(problem=problem):
            return _problem_line(problem, place)
        case HealthChanged(ref=ref, health=health):
            reason = f": {health.reason}" if health.reason else ""
            return f"  {short(ref)}  {health.status}{reason}"
        case Note(message=message):
            return message
        case Summary():
            counted = [f"{word} {event.counts[verb]}" for word, verb in _COUNTED if event.counts.get(verb)]
            line = "  ".join([*counted, f"api calls {event.calls}", f"{event.seconds:.1f}s"])
            return f"{line}\n{event.verdict}" if event.verdict else line


def _action_lines(action: Action) -> list[str]:
    head = f"{_SIGNS[action.verb]} {short(action.ref)}"
    details = [_change(change) for change in action.changes]
    if action.verb in (Verb.CONFLICT, Verb.FAILED, Verb.KEEP):
        details = [action.reason, *details]
    elif action.reason:
        details.append(action.reason)
    if not details:
        return [head]
    first, *others = details
    return [f"{head:<32}  {first}", *(f"{'':<32}  {line}" for line in others)]


def _change(change: Change) -> str:
    return f"{_field(change)}  {_value(change.old)} -> {_value(change.new)}"


def _field(change: Change) -> str:
    shown = ""
    parent: str | int = ""
    for part in change.path:
        listed = parent in ("containers", "initContainers", "env", "ports", "volumes", "volumeMounts")
        if isinstance(part, int) or listed:
            shown += f"[{part}]"
        elif "." in part or "/" in part:
            shown += f"[{part!r}]"
        else:
            shown += f".{part}" if shown else part
        parent = part
    return shown


def _value(value: Any) -> str:
    if value is None:
        return "(none)"
    shown = " ".join(str(value).split())
    return shown if len(shown) <= _WIDTH else shown[: _WIDTH - 1] + "…"


def _problem_line(problem: Problem, place: Place) -> str:
    where = "{}:{}: ".format(*place(problem.location)) if problem.location else ""
    subject = f"{short(problem.ref)}: " if problem.ref else ""
    also = " (also at {}:{})".format(*place(problem.related)) if problem.related else ""
    return f"! {where}{subject}{problem.message}{also}"


def record(event: Event, *, place: Place) -> dict[str, Any]:
    """The event as one JSON object (plan, action, health or summary)."""
    match event:
        case Started():
            return {
                "type": "start",
                "server": event.server,
                "context": event.context,
                "environment": event.environment,
                "revision": event.revision or None,
                "objects": event.objects,
            }
        case Acted(action=action):
            return {
                "type": "plan" if event.planned else "action",
                "action": str(action.verb),
                "object": str(action.ref),
                "reason": action.reason or None,
                **_at(action.location, place),
                "changes": [
                    {"path": list(change.path), "old": change.old, "new": change.new}
                    for change in action.changes
                ],
            }
        case Trouble(problem=problem):
            return {
                "type": "problem",
                "message": problem.message,
                "object": str(problem.ref) if problem.ref else None,
                **_at(problem.location, place),
                "related": _at(problem.related, place) if problem.related else None,
            }
        case HealthChanged(ref=ref, health=health):
            return {
                "type": "health",
                "object": str(ref),
                "status": str(health.status),
                "reason": health.reason or None,
            }
        case Note(message=message):
            return {"type": "note", "message": message}
        case Summary():
            return {
                "type": "summary",
                **{word: event.counts.get(verb, 0) for word, verb in _COUNTED},
                "calls": event.calls,
                "seconds": round(event.seconds, 3),
                "exitCode": event.exit_code,
                "verdict": event.verdict or None,
            }


def _at(location: Location | None, place: Place) -> dict[str, Any]:
    file, line = place(location) if location else (None, None)
    return {"file": file, "line": line}
