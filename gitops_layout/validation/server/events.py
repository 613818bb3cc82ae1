"""Events of both groups.

Source: k8s.io/kubernetes 1.36, pkg/apis/core/validation/events.go (ValidateEventCreate).
"""

from __future__ import annotations

from collections.abc import Iterator

from gitops_layout.k8s import formats
from gitops_layout.validation.server.checks import choice, named
from gitops_layout.validation.server.cursor import At, Refusal, shown

__all__ = ["event"]

_DEPRECATED = ("deprecatedFirstTimestamp", "deprecatedLastTimestamp", "deprecatedCount", "deprecatedSource")


def event(at: At) -> Iterator[Refusal]:
    """ValidateEventCreate; the newer group names and judges more."""
    newer = at["apiVersion"].text != "v1"
    about = at["regarding" if newer else "involvedObject"]
    namespace = at["metadata"]["namespace"].text or "default"
    if at["eventTime"].value is not None:
        yield from _reported(at, newer=newer)
        mismatch = not about["namespace"].text and namespace not in ("default", "kube-system")
    else:
        mismatch = (about["namespace"].text or "default") != namespace
    if mismatch:
        yield about["namespace"].refuse("does not match the namespace of the event")
    seen = at["series"]["lastObservedTime"]
    if seen.text and not formats.is_time(seen.text, micro=True):
        yield seen.refuse(
            f"{shown(seen.text)} is no time with microseconds, as in 2026-01-31T12:00:00.000000Z"
        )
    if not newer:
        return
    if at["eventTime"].value is None:
        yield at["eventTime"].refuse("is required")
    yield from choice("Normal", "Warning")(at["type"])
    for name in _DEPRECATED:
        if (
            not at[name].empty
            and at[name].value != 0
            and any(at[name].value.values() if at[name].is_map else "x")
        ):
            yield at[name].refuse("must not be set")
    series = at["series"]
    if series.is_map:
        if (series["count"].number or 0) < 2:
            yield series["count"].refuse("must be at least 2")
        if series["lastObservedTime"].value is None:
            yield series["lastObservedTime"].refuse("is required")


def _reported(at: At, *, newer: bool) -> Iterator[Refusal]:
    yield from named(formats.qualified)(at["reportingController" if newer else "reportingComponent"])
    for name, limit in (("reportingInstance", 128), ("action", 128), ("reason", 128)):
        if not at[name].text:
            yield at[name].refuse("is required")
        elif len(at[name].text.encode("utf-8", "replace")) > limit:
            yield at[name].refuse(f"must have at most {limit} characters")
    note = at["note" if newer else "message"]
    if len(note.text.encode("utf-8", "replace")) > 1024:
        yield note.refuse("must have at most 1024 characters")
