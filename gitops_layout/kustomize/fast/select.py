"""Which objects a selector means: by kind, name and namespace as patterns, by labels and annotations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from gitops_layout.kustomize.fast.declined import decline
from gitops_layout.kustomize.fast.item import Item
from gitops_layout.kustomize.fast.tables import group_version
from gitops_layout.model import Location
from gitops_layout.patterns import regexp

__all__ = ["SELECTOR_FIELDS", "matches_labels", "pattern", "selected"]

SELECTOR_FIELDS = frozenset(
    ("group", "version", "kind", "name", "namespace", "labelSelector", "annotationSelector")
)

# What Go's and Python's regular expressions read alike; kustomize anchors the whole.
_COMMON = regexp(
    r"(?:[A-Za-z0-9_./:@ -]|\\[.\-/$]|\{(?![0-9,])|\}|\[\^?[A-Za-z0-9_.-]+\]|\((?!\?)|\(\?:|[)|^$]|[*+?](?![*+?]))*\Z"
)


# Go takes time linear in the text; Python may not, so repeated groups and many repetitions are left to Go.
_REPEATED_GROUP = regexp(r"\)[*+]")
_MAX_REPETITIONS = 3


_PLAIN = regexp(r"[A-Za-z0-9_/-]+\Z")


class Exactly:
    """A pattern that means one text only, as most do: compiling it would cost more than the match."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def match(self, text: str) -> bool:
        """Whether it is this text."""
        return text == self.text


@lru_cache(maxsize=4096)
def _compiled(text: str) -> re.Pattern[str] | Exactly | None:
    if _PLAIN.match(text):
        return Exactly(text)
    repetitions = text.count("*") + text.count("+")
    if len(text) > 1_000 or repetitions > _MAX_REPETITIONS or _REPEATED_GROUP.search(text):
        return None
    if not _COMMON.match(text):
        return None
    try:
        return re.compile(f"(?:{text})\\Z")
    except re.error:
        return None


def pattern(text: str, where: Location) -> re.Pattern[str] | Exactly:
    """A selector's pattern, to be used with `match`."""
    compiled = _compiled(text)
    if compiled is None:
        decline(f"the pattern {text} may mean something else in Go", where)
    return compiled


def selected(items: list[Item], selector: Mapping[str, Any], where: Location) -> list[Item]:
    """The objects that a patch's target means, in order; names and namespaces also match as they were."""
    for key, value in selector.items():
        if key not in SELECTOR_FIELDS or not isinstance(value, str):
            decline(f"{key} is no field of a target", where.at(key))
    patterns = {
        key: pattern(selector[key], where.at(key))
        for key in ("group", "version", "kind", "name", "namespace")
        if selector.get(key)
    }
    wanted = [item for item in items if _matches(item, patterns)]
    for key, field in (("labelSelector", "labels"), ("annotationSelector", "annotations")):
        if selector.get(key):
            wanted = [
                item
                for item in wanted
                if matches_labels(selector[key], item.data["metadata"].get(field) or {}, where.at(key))
            ]
    return wanted


def _matches(item: Item, patterns: Mapping[str, re.Pattern[str] | Exactly]) -> bool:
    group, version = group_version(item.api_version)
    _, namespace, name = (
        item.previous[0] if item.previous else (item.kind, item.effective_namespace, item.name)
    )
    having = {
        "namespace": (namespace, item.effective_namespace),
        "name": (name, item.name),
        "group": (group,),
        "version": (version,),
        "kind": (item.kind,),
    }
    return all(any(found.match(text) for text in having[key]) for key, found in patterns.items())


_REQUIREMENT = regexp(
    r"\s*(?:(?P<absent>!)\s*(?P<no>[\w./-]+)|(?P<key>[\w./-]+)\s*"
    r"(?:(?P<op>==|!=|=)\s*(?P<value>[\w.-]*)|(?P<word>in|notin)\s*\((?P<values>[\w.,\s-]*)\))?)\s*\Z"
)


@lru_cache(maxsize=1024)
def _requirements(text: str) -> tuple[tuple[str, str, tuple[str, ...]], ...] | None:
    found: list[tuple[str, str, tuple[str, ...]]] = []
    for part in re.split(r",(?![^(]*\))", text):
        match = _REQUIREMENT.match(part)
        if match is None:
            return None
        if match["absent"]:
            found.append(("absent", match["no"], ()))
        elif match["op"]:
            verb = "notin" if match["op"] == "!=" else "in"
            found.append((verb, match["key"], (match["value"],)))
        elif match["word"]:
            values = tuple(value.strip() for value in match["values"].split(","))
            if not all(values):
                return None
            found.append((match["word"], match["key"], values))
        elif match["key"] in ("in", "notin"):
            return None
        else:
            found.append(("present", match["key"], ()))
    return tuple(found)


def matches_labels(selector: str, labels: Mapping[str, Any], where: Location) -> bool:
    """Whether labels (or annotations) meet a label selector."""
    requirements = _requirements(selector)
    if requirements is None:
        decline(f"the selector {selector} is not known to be read alike", where)
    for verb, key, values in requirements:
        value = labels.get(key)
        if value is not None and (not isinstance(value, str) or value.endswith("T00:00:00Z")):
            decline(f"label {key} is no text", where)
        met = {
            "present": key in labels,
            "absent": key not in labels,
            "in": value in values,
            "notin": key not in labels or value not in values,
        }
        if not met[verb]:
            return False
    return True
