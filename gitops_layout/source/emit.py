"""Data → the very text that sigs.k8s.io/yaml writes: what an agent's step works on that works on text.

go-yaml is libyaml in Go, so libyaml's own emitter writes the same lines for the same styles.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cmp_to_key
from typing import Any

import yaml

from gitops_layout.patterns import regexp
from gitops_layout.source.typing import NotJsonError, plain

__all__ = ["text_of"]

_QUOTED = regexp(r"<<\Z|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?\Z|\d{4}-\d\d?-\d\d?([ Tt].*)?\Z")
"""Strings that plain typing keeps and go-yaml quotes all the same: merge keys, base 60, times."""


def text_of(data: Mapping[str, Any]) -> str:
    """One document, mappings in go-yaml's order, long lines folded at 80 columns as it folds them."""
    events = (
        yaml.StreamStartEvent(),
        yaml.DocumentStartEvent(explicit=False),
        *_events(data),
        yaml.DocumentEndEvent(explicit=False),
        yaml.StreamEndEvent(),
    )
    text: str = yaml.emit(events, Dumper=yaml.CSafeDumper, allow_unicode=True, width=80)
    # libyaml ends a document whose last scalar keeps its line ends; go-yaml does not.
    return text.removesuffix("...\n")


def _events(value: Any) -> Iterator[yaml.Event]:
    match value:
        case dict():
            yield yaml.MappingStartEvent(None, None, True, flow_style=not value)
            for key in sorted(value, key=_ORDER):
                yield _string(key)
                yield from _events(value[key])
            yield yaml.MappingEndEvent()
        case list():
            yield yaml.SequenceStartEvent(None, None, True, flow_style=not value)
            for item in value:
                yield from _events(item)
            yield yaml.SequenceEndEvent()
        case str():
            yield _string(value)
        case None | bool():
            yield _scalar({None: "null", True: "true", False: "false"}[value])
        case _:
            yield _scalar(repr(value))


def _string(text: str) -> yaml.ScalarEvent:
    if "\n" in text:
        return _scalar(text, "|")
    try:
        quoted = not isinstance(plain(text, "kubectl"), str) or _QUOTED.match(text)
    except NotJsonError:
        quoted = True
    return _scalar(text, '"' if quoted else None)


def _scalar(text: str, style: str | None = None) -> yaml.ScalarEvent:
    return yaml.ScalarEvent(None, None, (True, True), text, style=style)


def _compare(first: str, second: str) -> int:
    """go-yaml's order of keys: letters behind everything else, numbers inside by their value."""
    for at, (a, b) in enumerate(zip(first, second, strict=False)):
        if a == b:
            continue
        if a.isalpha() and b.isalpha():
            return -1 if a < b else 1
        if a.isalpha() or b.isalpha():
            return -1 if b.isalpha() else 1
        return _compare_numbers(first, second, at)
    return len(first) - len(second)


def _compare_numbers(first: str, second: str, at: int) -> int:
    """Two keys that differ first at `at`, where neither has a letter."""
    digits = [re.match(r"[0-9]*", key[at:]) for key in (first, second)]
    texts = [found[0] if found else "" for found in digits]
    before = re.search(r"[0-9]*\Z", first[:at])
    # Inside a number, a zero counts as a digit and not as a beginning.
    inner = "0" in (first[at], second[at]) and before is not None and before[0].strip("0") != ""
    numbers = [int(f"{'1' if inner else ''}{text[:300]}" or "0") for text in texts]
    if numbers[0] != numbers[1]:
        return -1 if numbers[0] < numbers[1] else 1
    if len(texts[0]) != len(texts[1]):
        return len(texts[0]) - len(texts[1])
    return -1 if first[at] < second[at] else 1


_ORDER = cmp_to_key(_compare)
