"""Small kinds: disruption budgets, priority and runtime classes, leases, API services.

Source: k8s.io/kubernetes 1.36, pkg/apis/{policy,scheduling,node,coordination}/validation/validation.go and
kube-aggregator, pkg/apis/apiregistration/validation; table rows name the Go function.
"""

from __future__ import annotations

from collections.abc import Iterator

from gitops_layout.k8s import formats
from gitops_layout.validation.server.checks import (
    above,
    at_least,
    between,
    distinct,
    int_or_percent,
    labels,
    named,
    option,
    port,
    selector,
)
from gitops_layout.validation.server.cursor import At, Refusal, Row, evaluate, shown
from gitops_layout.validation.server.resources import amount, container_resource
from gitops_layout.validation.server.scheduling import tolerations
from gitops_layout.validation.server.workloads import at_most_all

__all__ = ["api_service", "lease", "pod_disruption_budget", "priority_class", "runtime_class"]

_USER_PRIORITY = 1_000_000_000
_SYSTEM = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}

_BUDGET: tuple[Row, ...] = (
    ("ValidatePodDisruptionBudgetSpec", "spec.minAvailable", int_or_percent),
    ("ValidatePodDisruptionBudgetSpec", "spec.minAvailable", at_most_all),
    ("ValidatePodDisruptionBudgetSpec", "spec.maxUnavailable", int_or_percent),
    ("ValidatePodDisruptionBudgetSpec", "spec.maxUnavailable", at_most_all),
    ("ValidatePodDisruptionBudgetSpec", "spec.selector", selector),
    (
        "ValidatePodDisruptionBudgetSpec",
        "spec.unhealthyPodEvictionPolicy",
        option("IfHealthyBudget", "AlwaysAllow"),
    ),
)


def pod_disruption_budget(at: At) -> Iterator[Refusal]:
    """ValidatePodDisruptionBudget."""
    yield from evaluate(_BUDGET, at)
    least, most = at["spec"]["minAvailable"], at["spec"]["maxUnavailable"]
    if least.value is not None and most.value is not None:
        yield most.refuse("excludes minAvailable")


def priority_class(at: At) -> Iterator[Refusal]:
    """ValidatePriorityClass."""
    name, value = at["metadata"]["name"], at["value"]
    if name.text.startswith("system-"):
        if _SYSTEM.get(name.text) != value.number or at["globalDefault"].is_true:
            yield name.refuse("names that start with system- belong to the cluster")
    elif (value.number or 0) > _USER_PRIORITY:
        yield value.refuse(f"is {value.number}, expected at most {_USER_PRIORITY}")
    yield from option("PreemptLowerPriority", "Never")(at["preemptionPolicy"])


def runtime_class(at: At) -> Iterator[Refusal]:
    """ValidateRuntimeClass."""
    yield from named(formats.label)(at["handler"])
    for name, value in at["overhead"]["podFixed"].pairs:
        if fault := container_resource(name):
            yield value.refuse(f"{shown(name)} {fault}")
        yield from amount(value, name)
    yield from labels(at["scheduling"]["nodeSelector"])
    yield from tolerations(at["scheduling"]["tolerations"])
    yield from distinct("key", "operator", "value", "effect")(at["scheduling"]["tolerations"])


_LEASE: tuple[Row, ...] = (
    ("ValidateLeaseSpec", "spec.leaseDurationSeconds", above(0)),
    ("ValidateLeaseSpec", "spec.leaseTransitions", at_least(0)),
)


def lease(at: At) -> Iterator[Refusal]:
    """ValidateLeaseSpec; times carry microseconds (metav1.MicroTime)."""
    yield from evaluate(_LEASE, at)
    for name in ("acquireTime", "renewTime"):
        place = at["spec"][name]
        if place.text and not formats.is_time(place.text, micro=True):
            yield place.refuse(
                f"{shown(place.text)} is no time with microseconds, as in 2026-01-31T12:00:00.000000Z"
            )


_API_SERVICE: tuple[Row, ...] = (
    ("ValidateAPIService", "spec!.version", named(formats.dns1035)),
    ("ValidateAPIService", "spec!.groupPriorityMinimum", between(1, 20000)),
    ("ValidateAPIService", "spec!.versionPriority", between(1, 1000)),
)


def api_service(at: At) -> Iterator[Refusal]:
    """ValidateAPIService."""
    spec = at["spec"]
    yield from evaluate(_API_SERVICE, at)
    for name in ("groupPriorityMinimum", "versionPriority"):
        if spec[name].value is None:
            yield spec[name].refuse("is required")
    group, version, name_at = spec["group"].text, spec["version"].text, at["metadata"]["name"]
    if name_at.text != f"{version}.{group}":
        yield name_at.refuse(f"must be {shown(f'{version}.{group}')}, version and group of its spec")
    if not spec["service"].is_map:
        if spec["insecureSkipTLSVerify"].is_true:
            yield spec["insecureSkipTLSVerify"].refuse("needs service")
        return
    if spec["service"]["port"].value is not None:
        yield from port(spec["service"]["port"])
    for name in ("namespace", "name"):
        if spec["service"][name].empty:
            yield spec["service"][name].refuse("is required")
    if spec["insecureSkipTLSVerify"].is_true and not spec["caBundle"].empty:
        yield spec["insecureSkipTLSVerify"].refuse("excludes caBundle")
