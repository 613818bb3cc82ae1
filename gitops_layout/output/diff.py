"""What changes in the clusters, as text and as JSON."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from gitops_layout.diff.effects import What
from gitops_layout.diff.objects import ABSENT
from gitops_layout.k8s.mask import mask_object, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gitops_layout.diff import DeliveryDiff, Effect, FieldChange, ObjectChange

__all__ = ["changes_text", "diff_json", "diff_text", "object_data", "summary"]

_LONGEST = 100
_MOST_LINES = 40


def diff_text(found: Sequence[DeliveryDiff], shown: Sequence[Effect] = ()) -> str:
    """A block a delivery, a line an object that comes (+), goes (-) or changes (~), what that does to objects
    that run, and a summary line.
    """
    lines: list[str] = []
    for delivery in found:
        lines += [_heading(delivery)]
        lines += [f"  not seen: {entry.why}" for entry in delivery.unseen]
        lines += [f"  {line}" for line in changes_text(delivery.objects)]
        lines.append("")
    lines += [f"{effect.what}: {effect.ref}: {effect.why}" for effect in shown]
    lines += [""] if shown else []
    return "\n".join([*lines, summary(found)]) + "\n"


def summary(found: Sequence[DeliveryDiff]) -> str:
    """`1 added, 2 changed, 0 removed in 1 delivery`, or that nothing changes."""
    counts = Counter(_verb(change) for delivery in found for change in delivery.objects)
    unseen = sum(bool(delivery.unseen) for delivery in found)
    if not counts and not unseen:
        return "no object changes"
    words = ", ".join(f"{counts[verb]} {verb}" for verb in ("added", "changed", "removed"))
    deliveries = f"{len(found)} {'delivery' if len(found) == 1 else 'deliveries'}"
    return f"{words} in {deliveries}" + (f"; {unseen} not seen" if unseen else "")


def changes_text(changes: Sequence[ObjectChange]) -> Iterator[str]:
    """One line an object, and below it one a field that changes; long texts as a diff of their lines."""
    for change in changes:
        sign = {"added": "+", "removed": "-", "changed": "~"}[_verb(change)]
        yield f"{sign} {change.ref}"
        for field in change.fields:
            yield from (f"    {line}" for line in _field(field))


def _heading(delivery: DeliveryDiff) -> str:
    side = delivery.after or delivery.before
    words = [side.environment] if side is not None and side.environment else []
    words += ["new"] if delivery.before is None else ["gone"] if delivery.after is None else []
    return delivery.id + (f" ({', '.join(words)})" if words else "")


def _verb(change: ObjectChange) -> str:
    return "added" if change.before is None else "removed" if change.after is None else "changed"


def _field(field: FieldChange) -> Iterator[str]:
    before, after = field.before, field.after
    if isinstance(before, str) and isinstance(after, str) and "\n" in before + after:
        yield f"{field.where}:"
        lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1))[2:]
        yield from (f"  {line}" for line in lines[:_MOST_LINES])
        if len(lines) > _MOST_LINES:
            yield f"  … {len(lines) - _MOST_LINES} more lines"
    elif before is ABSENT:
        yield f"{field.where}: {_short(after)} (new)"
    elif after is ABSENT:
        yield f"{field.where}: {_short(before)} (gone)"
    else:
        yield f"{field.where}: {_short(before)} -> {_short(after)}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def diff_json(found: Sequence[DeliveryDiff], shown: Sequence[Effect] | None = None) -> str:
    """`{version, deliveries: [{id, environment, cluster, state, added, removed, changed, unseen}]}`; with
    effects each delivery also has `pruned`, `orphaned`, `moved`, `recreated` and `refused`.

    `added` and `removed` are objects, `changed` lists `{object, fields: [{field, before, after}]}`, where a field
    that is absent on a side has no such key. Values of Secrets are masked.
    """
    data = {"version": 1, "deliveries": [_delivery(delivery, shown) for delivery in found]}
    return json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n"


def _delivery(delivery: DeliveryDiff, shown: Sequence[Effect] | None) -> dict[str, Any]:
    side = delivery.after or delivery.before
    state = "added" if delivery.before is None else "removed" if delivery.after is None else "changed"
    return {
        "id": delivery.id,
        "environment": side.environment if side else None,
        "cluster": side.cluster if side else None,
        "state": state,
        **object_data(delivery.objects),
        **({} if shown is None else _effects(delivery.id, shown)),
        "unseen": [{"what": entry.what, "class": entry.kind, "why": entry.why} for entry in delivery.unseen],
    }


def _effects(delivery: str, shown: Sequence[Effect]) -> dict[str, Any]:
    own = [effect for effect in shown if effect.delivery == delivery]
    return {
        str(what): [
            {"object": str(effect.ref), "why": effect.why, **({"to": effect.to} if effect.to else {})}
            for effect in own
            if effect.what is what
        ]
        for what in What
    }


def object_data(changes: Sequence[ObjectChange]) -> dict[str, Any]:
    """Objects that come, go and change, as they stand in JSON."""
    return {
        "added": [
            printable(mask_object(change.after))
            for change in changes
            if change.before is None and change.after
        ],
        "removed": [
            printable(mask_object(change.before))
            for change in changes
            if change.after is None and change.before
        ],
        "changed": [
            {"object": str(change.ref), "fields": [_field_data(field) for field in change.fields]}
            for change in changes
            if change.fields
        ],
    }


def _field_data(field: FieldChange) -> dict[str, Any]:
    sides = {"before": field.before, "after": field.after}
    return {"field": field.where, **{key: value for key, value in sides.items() if value is not ABSENT}}
