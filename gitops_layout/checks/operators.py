"""Checks of operators that the Operator Lifecycle Manager installs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.checks.delivered import Item, delivered
from gitops_layout.graph.model import Graph
from gitops_layout.model import Hit, Related

__all__ = ["subscription_without_group"]

_GLOBAL = frozenset({"openshift-operators", "operators"})
"""Namespaces that come with a group for all namespaces."""


def subscription_without_group(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Subscriptions in a namespace without an OperatorGroup, beside a group in a namespace without a Subscription."""
    subscriptions: dict[str, list[Item]] = defaultdict(list)
    for item in delivered(graph).of("operators.coreos.com", "Subscription"):
        subscriptions[item.delivery.id].append(item)
    groups: dict[str, list[Item]] = defaultdict(list)
    served: set[tuple[str, str]] = set()
    for item in delivered(graph).of("operators.coreos.com", "OperatorGroup") if subscriptions else ():
        groups[item.delivery.id].append(item)
        served.add((item.delivery.cluster, item.namespace))
    for delivery, items in subscriptions.items():
        used = {item.namespace for item in items}
        idle = [group for group in groups[delivery] if group.namespace and group.namespace not in used]
        for item in items:
            place = item.namespace
            if not place or place in _GLOBAL or (item.delivery.cluster, place) in served or len(idle) != 1:
                continue
            where = item.object.origin(("metadata", "namespace"))
            name = idle[0].object.origin(("metadata", "name"))
            values = {"name": item.ref.name, "namespace": place, "other": idle[0].namespace, "subject": place}
            related = (Related(name, f"the OperatorGroup of {idle[0].namespace}"),)
            yield Hit(where, values, related, item.affected)
