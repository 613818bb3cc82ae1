"""A scaffolding plan as text and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitops_layout.scaffold.plan import Action, Plan

__all__ = ["plan_json", "plan_text", "summary"]

_COLUMN = 8


def plan_text(plan: Plan, *, written: bool) -> str:
    """The changed files, each conflict with both its sides, warnings, and a summary line.

    What is planned is shown as the tree it makes, what was done as a line a file, with its whole path.
    """
    shown = _shown(plan)
    lines = [_line(action, action.path) for action in shown] if written else [*_tree(shown)]
    for action in plan.conflicts:
        lines += ["", f"conflict in {action.path}: {action.why}", *_sides(action)]
    lines += [f"warning: {text}" for text in plan.warnings]
    lines += [f"missing: {text}" for text in plan.missing]
    return "\n".join([*lines, summary(plan, written=written)]) + "\n"


def plan_json(plan: Plan, *, written: bool) -> str:
    """`{version, written, actions: [{path, action, owner, why, conflicts}], warnings}`, kept files included."""
    data = {
        "version": 1,
        "written": written,
        "actions": [_data(action) for action in plan.shown],
        "warnings": list(plan.warnings),
        **({"missing": list(plan.missing)} if plan.missing else {}),
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def summary(plan: Plan, *, written: bool) -> str:
    """`3 to create, 1 to merge` (`3 created, 1 merged` once written), or that there is nothing to do."""
    shown = _shown(plan)
    counts = Counter("unresolved" if action.do == "keep" else str(action.do) for action in shown)
    if not counts:
        if plan.relock:
            return "the tree is as gitops.yaml says; the lock " + (
                "was written" if written else "is to be written"
            )
        return "nothing to do: the tree is as gitops.yaml says"
    words = [
        f"{count} in conflict"
        if do == "conflict"
        else f"{count} with conflict markers"
        if do == "unresolved"
        else f"{count} {do.rstrip('e')}ed"
        if written
        else f"{count} to {do}"
        for do, count in counts.items()
    ]
    return ", ".join(words)


def _shown(plan: Plan) -> list[Action]:
    """What changes or needs people, in order of paths."""
    return [action for action in plan.shown if action.do != "keep" or action.conflicts]


def _tree(actions: list[Action], at: int = 0, depth: int = 0) -> Iterator[str]:
    """Files below their folders, `at` code points of whose paths stand above; folders that hold but one stand in its line."""
    for name, group in groupby(actions, key=lambda action: action.path[at:].partition("/")[0]):
        below = [*group]
        if below[0].path[at:] == name:
            yield from (_line(action, "  " * depth + name) for action in below)
            continue
        end = at + len(name) + 1
        while len({(rest := action.path[end:].partition("/"))[:2] for action in below}) == 1 and rest[1]:
            end += len(rest[0]) + 1
        yield f"{'':<{_COLUMN}}  {'  ' * depth}{below[0].path[at:end]}"
        yield from _tree(below, end, depth + 1)


def _line(action: Action, shown: str) -> str:
    why = f"  ({action.why})" if action.why else ""
    return f"{action.do:<{_COLUMN}}  {shown}{why}"


def _sides(action: Action) -> Iterator[str]:
    for conflict in action.conflicts:
        where = f"{conflict.where}: " if conflict.where else ""
        ours, theirs = _short(conflict.ours), _short(conflict.theirs)
        yield f"  {where}yours is {ours}, generated is {theirs}"


def _short(text: str, limit: int = 200) -> str:
    flat = " ⏎ ".join(text.splitlines()) or "nothing"
    return flat if len(flat) <= limit else f"{flat[:limit]}…"


def _data(action: Action) -> dict[str, Any]:
    return {
        "path": action.path,
        "action": str(action.do),
        "owner": str(action.owner),
        "why": action.why,
        "conflicts": [
            {"where": item.where, "ours": item.ours, "theirs": item.theirs} for item in action.conflicts
        ],
    }
