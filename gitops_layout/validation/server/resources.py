"""Resource names and amounts: requests, limits, quotas.

Sources: k8s.io/kubernetes 1.36, pkg/apis/core/validation/validation.go (validateResourceRequirements and
the functions it calls) and pkg/apis/core/helper/helpers.go (which names are standard).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from gitops_layout.k8s import formats
from gitops_layout.k8s.quantity import quantity
from gitops_layout.validation.server.checks import not_negative_quantity
from gitops_layout.validation.server.cursor import At, Refusal, shown

__all__ = [
    "QUOTA_RESOURCES",
    "amount",
    "container_resource",
    "is_hugepages",
    "quota_resource",
    "requirements",
    "resource_name",
    "whole_pod",
]

_CONTAINER = {"cpu", "memory", "ephemeral-storage"}
QUOTA_RESOURCES = frozenset(
    "cpu memory ephemeral-storage requests.cpu requests.memory requests.storage requests.ephemeral-storage"
    " limits.cpu limits.memory limits.ephemeral-storage pods resourcequotas services"
    " replicationcontrollers secrets persistentvolumeclaims configmaps services.nodeports"
    " services.loadbalancers".split()
)
_STANDARD = QUOTA_RESOURCES | {"storage"}
_WHOLE = {
    "pods",
    "services",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
}
_POD_LEVEL = {"cpu", "memory"}


def is_hugepages(name: str) -> bool:
    """Whether this is `hugepages-<size>`."""
    return name.startswith("hugepages-")


def _native(name: str) -> bool:
    return "/" not in name or "kubernetes.io/" in name


def _extended(name: str) -> bool:
    return (
        not _native(name) and not name.startswith("requests.") and not formats.qualified(f"requests.{name}")
    )


def _overcommits(name: str) -> bool:
    return _native(name) and not is_hugepages(name)


def resource_name(name: str) -> str | None:
    """A standard name, or one with a domain (validateResourceName)."""
    if fault := formats.qualified(name):
        return fault
    if "/" in name or name in _STANDARD or is_hugepages(name) or name.startswith("requests.hugepages-"):
        return None
    return "is no standard resource, which would need a domain as in example.com/name"


def container_resource(name: str) -> str | None:
    """What a container may ask for (validateContainerResourceName)."""
    if fault := resource_name(name):
        return fault
    if "/" not in name:
        return None if name in _CONTAINER or is_hugepages(name) else "is no resource of containers"
    return None if _native(name) or _extended(name) else "must not start with 'requests.'"


def quota_resource(name: str) -> str | None:
    """What a quota may limit (ValidateResourceQuotaResourceName)."""
    if fault := formats.qualified(name):
        return fault
    if "/" in name or name in QUOTA_RESOURCES or name.startswith(("hugepages-", "requests.hugepages-")):
        return None
    return "is no resource that a quota can limit"


def pod_resource(name: str) -> str | None:
    """What a whole pod may ask for (validatePodResourceName)."""
    fault = resource_name(name)
    return fault or (None if name in _POD_LEVEL or is_hugepages(name) else "is no resource of whole pods")


def amount(at: At, name: str) -> Iterator[Refusal]:
    """A quantity from 0, whole where parts make no sense (ValidateResourceQuantityValue)."""
    faults = list(not_negative_quantity(at))
    yield from faults
    value = None if faults or at.value is None else quantity(at.value)
    if value is None:
        return
    whole = name in _WHOLE or _extended(name)
    if whole and value.denominator != 1:
        yield at.refuse(f"is {at.value}, expected a whole number of {name}")
    if is_hugepages(name) and (page := quantity(name.removeprefix("hugepages-"))) and value % page:
        yield at.refuse(f"is {at.value}, expected a multiple of {name.removeprefix('hugepages-')}")


def requirements(
    at: At, claims: set[str] | None, name_fault: Callable[[str], str | None] = container_resource
) -> Iterator[Refusal]:
    """`limits`, `requests` and `claims` of a container or pod; `claims` are the names that the pod has."""
    limits = dict(at["limits"].pairs)
    asked = dict(at["requests"].pairs)
    for name, value in [*limits.items(), *asked.items()]:
        if fault := name_fault(name):
            yield value.refuse(f"{shown(name)} {fault}")
        yield from amount(value, name)
    for name, value in asked.items():
        yield from _against_limit(name, value, limits.get(name))
    names = limits.keys() | asked.keys()
    if any(map(is_hugepages, names)) and not names & {"cpu", "memory"}:
        yield at.refuse("huge pages need cpu or memory beside them")
    yield from _claims(at["claims"], claims or set())


def _against_limit(name: str, asked: At, limit: At | None) -> Iterator[Refusal]:
    if limit is None:
        if not _overcommits(name):
            yield asked.refuse(f"{name} needs the same limit")
        return
    first, second = _number(asked), _number(limit)
    if first is None or second is None:
        return
    if first != second and not _overcommits(name):
        yield asked.refuse(f"is {asked.value}, expected the limit, {limit.value}")
    elif first > second:
        yield asked.refuse(f"is {asked.value}, more than the limit of {limit.value}")


def _number(at: At) -> Fraction | None:
    return None if at.value is None or isinstance(at.value, bool | list) else quantity(at.value)


def whole_pod(spec: At) -> Iterator[Refusal]:
    """What a pod asks for against what its containers do (validatePodResourceConsistency)."""
    limits, asked = (dict(spec["resources"][name].pairs) for name in ("limits", "requests"))
    for name, place in {**limits, **asked}.items():
        # What is not asked for the pod is filled in from its containers, and has to keep the limit.
        have, needed = _number(place), _aggregated(spec, name)
        if have is not None and needed > have and (name in asked or _overcommits(name)):
            yield place.refuse(f"is {place.value}, less than what the containers ask for together")
    for container in spec["containers"]:
        for name, limit in container["resources"]["limits"].pairs:
            have = _number(limits[name]) if name in limits else None
            if have is not None and (_number(limit) or 0) > have:
                yield limit.refuse(f"is {limit.value}, more than the limit of the pod, {limits[name].value}")


def _aggregated(spec: At, name: str) -> Fraction:
    """AggregateContainerRequests: containers and sidecars together, or the greatest step on the way there."""
    total = sum((_request(container, name) for container in spec["containers"]), Fraction(0))
    sidecars = most = Fraction(0)
    for container in spec["initContainers"]:
        one = _request(container, name)
        if container["restartPolicy"].text == "Always":
            total += one
            sidecars += one
            one = Fraction(0)
        most = max(most, sidecars + one)
    return max(total, most)


def _request(container: At, name: str) -> Fraction:
    resources = container["resources"]
    asked = resources["requests"][name]
    return _number(resources["limits"][name] if asked.value is None else asked) or Fraction(0)


def _claims(at: At, known: set[str]) -> Iterator[Refusal]:
    seen: set[tuple[str, str]] = set()
    for claim in at:
        name, request = claim["name"].text, claim["request"].text
        if not name:
            yield claim["name"].refuse("is required")
            continue
        if name not in known:
            yield claim["name"].refuse(f"{shown(name)} is not among the pod's resourceClaims")
        if request and (fault := formats.label(request)):
            yield claim["request"].refuse(f"{shown(request)} {fault}")
        if (name, request) in seen or (name, "") in seen or (not request and any(n == name for n, _ in seen)):
            yield claim.refuse(f"repeats {shown(name)}")
        seen.add((name, request))
