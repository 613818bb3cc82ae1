"""Checks of what Applications tell Argo CD to ignore.

Argo CD compares an entry's `group` and `kind` as globs with those of each object, removes the named fields before
it compares, and by default before it compares only: a synchronisation still writes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from gitops_layout.agents.context import text
from gitops_layout.agents.delivery import Delivery
from gitops_layout.checks.delivered import affected, delivered, inside, place, places
from gitops_layout.checks.mending import add
from gitops_layout.checks.near import near_name
from gitops_layout.config import did_you_mean
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.k8s.scope import builtin_groups
from gitops_layout.model import Change, Hit, Path, Severity
from gitops_layout.patterns import regexp

__all__ = ["malformed", "overwritten", "too_broad", "wrong_group"]

Params = Mapping[str, Any]
_FIELDS = ("jsonPointers", "jqPathExpressions", "managedFieldsManagers")
_SIMPLE_JQ = regexp(r"(?:\.[A-Za-z_][\w-]*)+")
_FILLED_IN = regexp(r"\{\{|\$\{|<[A-Z_]+>")


def _entries(graph: Graph) -> Iterator[tuple[Delivery, int, Mapping[str, Any]]]:
    """Every entry of every Application's `ignoreDifferences`, what a template fills in left out."""
    for delivery in graph.deliveries:
        listed = at(delivery.object, "spec", "ignoreDifferences") if delivery.agent == "argocd" else None
        for index, entry in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(entry, dict) and not _FILLED_IN.search(str(entry)):
                yield delivery, index, entry


def _hit(delivery: Delivery, path: Path, changes: tuple[Change, ...] = (), **values: str) -> Hit:
    facts = {"application": delivery.name, **values}
    where = place(delivery, "spec", "ignoreDifferences", *path)
    return Hit(where, facts, affected=affected(delivery), changes=changes)


def _texts(entry: Mapping[str, Any], field: str) -> Iterator[tuple[int, str]]:
    listed = entry.get(field)
    for index, item in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(item, str):
            yield index, item


_ARGOCD = frozenset({"argoproj.io"})
_OF_ARGOCD = frozenset({"Application", "ApplicationSet", "AppProject"})


def wrong_group(graph: Graph, params: Params) -> Iterator[Hit]:
    """Entries whose group and kind no object can have: they ignore nothing."""
    for delivery, index, entry in _entries(graph):
        group, kind = text(entry.get("group")) or "", text(entry.get("kind"))
        if kind is None or any(sign in kind for sign in "*?["):
            continue
        field = "group" if "group" in entry else "kind"
        known = builtin_groups(kind) or (_ARGOCD if kind in _OF_ARGOCD else frozenset())
        right: str | None
        if "/" in group:
            right = group.partition("/")[0] if "." in group or group.partition("/")[0] in known else None
            right = min(known) if right is None and known else right
        elif group == "" and "" not in known:
            right = min(known) if known else None
        elif known and "." not in group and not any(fnmatchcase(name, group) for name in known):
            right = min(known)
        else:
            continue
        shown = f"group {group}" if group else "the core group"
        advice = "leave `group` out" if right == "" else f"write `group: {right or '<the group of its API>'}`"
        yield _hit(
            delivery,
            (index, field),
            _regrouped(delivery, index, entry, right),
            kind=kind,
            group=shown,
            advice=advice,
            subject=f"{group}/{kind}",
        )


def _regrouped(
    delivery: Delivery, index: int, entry: Mapping[str, Any], right: str | None
) -> tuple[Change, ...]:
    """The entry with the right group; nothing where that is not known."""
    where = place(delivery, "spec", "ignoreDifferences", index, "kind")
    if right is None or where.path[-1:] != ("kind",):
        return ()
    group = replace(where, path=(*where.path[:-1], "group"))
    if right:
        return (Change("set", group, right),)
    return (Change("remove", group),) if "group" in entry else ()


def malformed(graph: Graph, params: Params) -> Iterator[Hit]:
    """Entries that name no field, pointers that are none, and jq that does not parse."""
    for delivery, index, entry in _entries(graph):
        if not any(entry.get(field) for field in _FIELDS):
            near = next((did for key in entry if (did := did_you_mean(key, _FIELDS))), "")
            renamed = tuple(
                Change("rename", place(delivery, "spec", "ignoreDifferences", index, key), right)
                for key in entry
                if (right := near_name(key, _FIELDS)) is not None and key not in _FIELDS
            )
            words = f"an entry names no field to ignore{near}"
            hit = _hit(
                delivery, (index,), renamed[:1], problem=words, subject="empty", entry=_written_as(entry)
            )
            # One without any is only of no use; of a key that is misspelt somebody expects something.
            if renamed:
                yield replace(hit, location=replace(renamed[0].at, key=True))
            else:
                yield hit if near else replace(hit, most=Severity.WARNING)
        for number, pointer in _texts(entry, "jsonPointers"):
            if pointer and not pointer.startswith("/"):
                words = f'"{pointer}" is no JSON pointer: it starts with no slash'
                path: Path = (index, "jsonPointers", number)
                plain = _SIMPLE_JQ.fullmatch(f".{pointer.lstrip('.').replace('/', '.')}")
                yield _hit(
                    delivery,
                    path,
                    _rewritten(delivery, path, plain and plain[0].replace(".", "/")),
                    problem=words,
                    subject=pointer,
                    entry=_written_as(entry),
                )
        for number, expression in _texts(entry, "jqPathExpressions"):
            if (why := _jq_problem(expression)) is not None:
                path = (index, "jqPathExpressions", number)
                dotted = _SIMPLE_JQ.fullmatch(expression.replace("/", "."))
                yield _hit(
                    delivery,
                    path,
                    _rewritten(delivery, path, dotted and dotted[0]),
                    problem=f"`{expression}` {why}",
                    subject=expression,
                    entry=_written_as(entry),
                )


def _written_as(entry: Mapping[str, Any]) -> str:
    """The entry in one line: what is written alike in many files came from one place, and is one thing to mend."""
    return json.dumps(entry, sort_keys=True, default=str)


def _rewritten(delivery: Delivery, path: Path, right: str | None) -> tuple[Change, ...]:
    if right is None:
        return ()
    return (Change("replace", place(delivery, "spec", "ignoreDifferences", *path), right),)


def _jq_problem(expression: str) -> str | None:
    """What keeps jq from reading an expression, as far as brackets and quotes show; None where nothing does."""
    if expression.startswith("/"):
        return "is a JSON pointer, and stands among jq expressions"
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", expression)
    if '"' in bare:
        return "opens a quote and does not close it"
    waiting: list[str] = []
    pairs = {")": "(", "]": "[", "}": "{"}
    for sign in bare:
        if sign in "([{":
            waiting.append(sign)
        elif sign in pairs and (not waiting or waiting.pop() != pairs[sign]):
            return f"closes a bracket with `{sign}` that was not opened"
    return f"opens `{waiting[-1]}` and does not close it" if waiting else None


def too_broad(graph: Graph, params: Params) -> Iterator[Hit]:
    """Entries that ignore everything that an object says."""
    for delivery, index, entry in _entries(graph):
        for field in ("jsonPointers", "jqPathExpressions"):
            for number, item in _texts(entry, field):
                if item in params["broad"]:
                    what = f"all of {entry.get('kind', 'every kind')} {entry.get('name', '')}".rstrip()
                    what = what if item in ("", "/", ".") else f"{item} of {entry.get('kind', 'every kind')}"
                    yield _hit(delivery, (index, field, number), what=what, subject=item)


def overwritten(graph: Graph, params: Params) -> Iterator[Hit]:
    """Ignored fields that the render has as well: each synchronisation sets them back."""
    for delivery, index, entry in _entries(graph):
        if "RespectIgnoreDifferences=true" in delivery.sync.options or not delivery.sync.automated:
            continue
        for field in ("jsonPointers", "jqPathExpressions"):
            for number, item in _texts(entry, field):
                path = _steps(item, jq=field != "jsonPointers")
                found = path and _written(graph, delivery, entry, path)
                if found:
                    options = ("spec", "syncPolicy", "syncOptions")
                    respect = add(places(delivery), delivery.object, options, "RespectIgnoreDifferences=true")
                    yield _hit(
                        delivery, (index, field, number), respect, field=item, object=found, subject=item
                    )


def _steps(item: str, *, jq: bool) -> Path:
    """The path of a pointer or of a plain jq expression; empty for all else."""
    if jq:
        return tuple(item[1:].split(".")) if _SIMPLE_JQ.fullmatch(item) else ()
    steps = [step.replace("~1", "/").replace("~0", "~") for step in item.split("/")[1:]]
    return tuple(int(step) if step.isdigit() else step for step in steps)


def _written(graph: Graph, delivery: Delivery, entry: Mapping[str, Any], path: Path) -> str:
    """An object of the delivery that the entry means and that has the field; empty where there is none."""
    group, kind = str(entry.get("group") or ""), str(entry.get("kind") or "")
    for (known_group, known_kind), items in delivered(graph).kinds.items():
        if not (fnmatchcase(known_group, group) and fnmatchcase(known_kind, kind)):
            continue
        for item in items:
            named = entry.get("name") in (None, "", item.ref.name)
            spaced = entry.get("namespace") in (None, "", item.namespace)
            if item.delivery.id == delivery.id and named and spaced and inside(item.data, path):
                return f"{item.ref.kind} {item.ref.name}"
    return ""
