"""Charts that the repository renders: what is missing, and what Helm refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.checks.flux import field_of
from gitops_layout.graph.model import Graph
from gitops_layout.model import Affected, Hit, ObjectRef, UncheckedClass

__all__ = ["refused"]

_CAUSES = (
    ("chart", re.compile(r"has no Chart\.yaml$|^there is no (folder|chart) ")),
    ("values-file", re.compile(r"^(values|value) file .* does not exist")),
    ("schema", re.compile(r"^the values do not fit the chart's schema")),
    ("template", re.compile("")),
)
"""The causes of a chart that cannot be rendered, told apart by what the renderer says."""


def refused(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Charts of this repository that are not rendered for the cause `cause`."""
    for delivery in graph.deliveries:
        failure = graph.rendered[delivery.id].failure
        if failure is None or failure.kind is not UncheckedClass.BROKEN or delivery.renderer != "chart":
            continue
        if failure.location is None or not delivery.source.local:
            continue
        cause = next(name for name, words in _CAUSES if words.search(failure.why))
        if cause == params["cause"]:
            version = str(delivery.object.get("apiVersion", ""))
            ref = ObjectRef(version, delivery.kind, delivery.namespace, delivery.name)
            affected = Affected(ref, delivery.id, delivery.environment, delivery.cluster)
            values = {"source": delivery.name, "why": failure.why, "subject": failure.why}
            place = failure.location if cause != "chart" else field_of(delivery, delivery, "path", "chart")
            yield Hit(place, values, (), affected)
