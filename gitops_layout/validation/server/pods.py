"""Pods and pod templates.

Source: k8s.io/kubernetes 1.36, pkg/apis/core/validation/validation.go (ValidatePodSpec,
ValidatePodTemplateSpec, ValidatePodCreate) and pkg/apis/core/v1/defaults.go for what is filled in first.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from gitops_layout.k8s import formats
from gitops_layout.validation.server.checks import (
    between,
    distinct,
    exact,
    ip,
    labels,
    named,
    one_of,
    option,
    required,
    size,
    valid,
)
from gitops_layout.validation.server.clean import Clean, content, lean, lean_content
from gitops_layout.validation.server.containers import Pod, containers
from gitops_layout.validation.server.cursor import At, Refusal, Row, evaluate, find, shown
from gitops_layout.validation.server.metadata import annotation_map
from gitops_layout.validation.server.resources import (
    amount,
    container_resource,
    pod_resource,
    requirements,
    whole_pod,
)
from gitops_layout.validation.server.scheduling import affinity, spreading, tolerations
from gitops_layout.validation.server.security import pod_annotations, pod_security
from gitops_layout.validation.server.volumes import volumes

__all__ = ["affordable", "bare_pod", "binding", "pod_template", "template"]

_GRACE = 30


def _search_domain(text: str) -> str | None:
    return None if text == "." else formats.subdomain_underscore(text.removesuffix("."))


_TABLE: tuple[Row, ...] = (
    ("validateRestartPolicy", "restartPolicy", one_of("Always", "OnFailure", "Never")),
    ("validateDNSPolicy", "dnsPolicy", one_of("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")),
    ("ValidatePodSpec", "nodeSelector", labels),
    ("validatePodDNSConfig", "dnsConfig.nameservers", size(3)),
    ("validatePodDNSConfig", "dnsConfig.nameservers[]", ip),
    ("validatePodDNSConfig", "dnsConfig.searches", size(32)),
    ("validatePodDNSConfig", "dnsConfig.searches[]", exact(_search_domain)),
    ("validatePodDNSConfig", "dnsConfig.options[].name", required),
    ("validateReadinessGates", "readinessGates[].conditionType", named(formats.qualified)),
    ("validateSchedulingGates", "schedulingGates[].name", named(formats.qualified)),
    ("validateSchedulingGates", "schedulingGates", distinct("name")),
    ("ValidatePodSpec", "serviceAccountName", valid(formats.subdomain)),
    ("ValidatePodSpec", "nodeName", valid(formats.subdomain)),
    ("ValidatePodSpec", "activeDeadlineSeconds", between(1, 2**31 - 1)),
    ("ValidatePodSpec", "hostname", valid(formats.label)),
    ("ValidatePodSpec", "subdomain", valid(formats.label)),
    ("ValidateHostAliases", "hostAliases[].ip", required),
    ("ValidateHostAliases", "hostAliases[].ip", ip),
    ("ValidateHostAliases", "hostAliases[].hostnames[]", exact(formats.subdomain)),
    ("ValidatePodSpec", "priorityClassName", valid(formats.subdomain)),
    ("ValidateRuntimeClassName", "runtimeClassName", exact(formats.subdomain)),
    ("ValidatePreemptionPolicy", "preemptionPolicy", option("PreemptLowerPriority", "Never")),
    ("validatePodResourceClaim", "resourceClaims[].name", named(formats.label)),
    ("validatePodResourceClaim", "resourceClaims", distinct("name")),
    ("validatePodResourceClaim", "resourceClaims[].resourceClaimName", valid(formats.subdomain)),
    ("validatePodResourceClaim", "resourceClaims[].resourceClaimTemplateName", valid(formats.subdomain)),
    ("validatePodHostName", "hostnameOverride", exact(formats.subdomain)),
)


def template(at: At) -> Iterator[Refusal]:
    """A pod template with metadata and spec (ValidatePodTemplateSpec)."""
    if at.value is not None and not at.is_map:
        return
    meta, spec = at["metadata"], _struct(at["spec"])
    yield from labels(meta["labels"])
    yield from annotation_map(meta["annotations"])
    yield from pod_annotations(meta["annotations"], spec)
    yield from _pod_spec(spec, bare=False, owner="")
    if spec["ephemeralContainers"]:
        yield spec["ephemeralContainers"].refuse("has no place in a template")


def _struct(at: At) -> At:
    return At({}, at.path) if at.value is None else at


def bare_pod(at: At) -> Iterator[Refusal]:
    """A Pod (ValidatePodCreate); `at` is the object."""
    spec = _struct(at["spec"])
    yield from pod_annotations(at["metadata"]["annotations"], spec)
    yield from _pod_spec(spec, bare=True, owner=at["metadata"]["name"].text)
    if spec["ephemeralContainers"]:
        yield spec["ephemeralContainers"].refuse("cannot be set in a new pod")
    if spec["nodeName"].text and spec["schedulingGates"]:
        yield spec["nodeName"].refuse("excludes schedulingGates")


def pod_template(at: At) -> Iterator[Refusal]:
    """A PodTemplate (ValidatePodTemplate); `at` is the object."""
    yield from template(at["template"])


def binding(at: At) -> Iterator[Refusal]:
    """A Binding of a pod to a node (ValidatePodBinding); `at` is the object."""
    yield from one_of("Node")(at["target"]["kind"])
    yield from required(at["target"]["name"])


def _pod_spec(at: At, *, bare: bool, owner: str) -> Iterator[Refusal]:
    if at.is_map and not _taken(at.value, bare=bare, owner=owner):
        yield from _judged(at, bare=bare, owner=owner)


_lean: dict[bool, Clean] = {True: Clean(), False: Clean()}
_amount = Clean()


def _taken(spec: dict[str, Any], *, bare: bool, owner: str) -> bool:
    """Whether a pod is clean: what it shares with those of other environments, and its containers' amounts."""
    key, clean = lean_content(spec) if not owner else content([lean(spec), owner]), _lean[bare]
    if key not in clean:
        if any(True for _ in _judged(At(lean(spec)), bare=bare, owner=owner)):
            return False
        clean.add(key)
    return affordable(spec)


def affordable(spec: dict[str, Any]) -> bool:
    """Whether the limits and requests of all containers are clean: what `lean` leaves out.

    Where the whole pod has some, too, that cannot be said of each container alone.
    """
    if isinstance(spec.get("resources"), dict):
        return False
    lists = (spec.get(kind) for kind in ("containers", "initContainers"))
    items = (item for found in lists if isinstance(found, list) for item in found if isinstance(item, dict))
    return all(_amounts_taken(item.get("resources")) for item in items)


def _amounts_taken(resources: Any) -> bool:
    """Whether limits and requests are clean."""
    if not isinstance(resources, dict):
        return True  # as it stands in the lean spec
    amounts = {"limits": resources.get("limits"), "requests": resources.get("requests")}
    key = content(amounts)
    if key not in _amount:
        if any(True for _ in requirements(At(amounts), None)):
            return False
        _amount.add(key)
    return True


def _judged(at: At, *, bare: bool, owner: str) -> Iterator[Refusal]:
    usable, refusals = volumes(at["volumes"], owner, bare=bare)
    yield from refusals
    yield from evaluate(_TABLE, at)
    grace = at["terminationGracePeriodSeconds"].number
    claims = {name.text for name in find(at, "resourceClaims[].name")}
    pod = Pod(
        volumes=usable,
        claims=claims,
        grace=_GRACE if grace is None else max(grace, 1) if grace < 0 else grace,
        restart=at["restartPolicy"].text,
        host_users=at["hostUsers"].value is not False,
        os=at["os"]["name"].text,
        bare=bare,
    )
    yield from chain(
        containers(at, pod),
        pod_security(at),
        affinity(at["affinity"]),
        spreading(at["topologySpreadConstraints"]),
        tolerations(at["tolerations"]),
        _names(at),
        _claims(at["resourceClaims"]),
        _host_network(at),
        _amounts(at, claims),
    )


def _names(at: At) -> Iterator[Refusal]:
    """validatePodDNSConfig, validatePodHostName; serviceAccount is an older name of serviceAccountName."""
    if not at["serviceAccountName"].text:
        yield from valid(formats.subdomain)(at["serviceAccount"])
    if at["dnsPolicy"].text == "None" and not at["dnsConfig"]["nameservers"]:
        yield at["dnsConfig"]["nameservers"].refuse("is required with dnsPolicy None")
    override = at["hostnameOverride"]
    if override.value is not None:
        if at["setHostnameAsFQDN"].is_true or at["hostNetwork"].is_true:
            yield override.refuse("excludes setHostnameAsFQDN and hostNetwork")
        if len(override.text) > 64:
            yield override.refuse("must have at most 64 characters")


def _claims(at: At) -> Iterator[Refusal]:
    for claim in at:
        if claim.is_map and (claim["resourceClaimName"].value is None) == (
            claim["resourceClaimTemplateName"].value is None
        ):
            yield claim.refuse("needs either resourceClaimName or resourceClaimTemplateName")


def _host_network(at: At) -> Iterator[Refusal]:
    """validatePodHostNetworkDeps; a missing host port is filled in or free to be missing."""
    if not at["hostNetwork"].is_true:
        return
    for port in find(at, "containers[].ports[]"):
        host = port["hostPort"].number
        if host and host != port["containerPort"].number:
            yield port["hostPort"].refuse("must equal containerPort with hostNetwork: true")


def _amounts(at: At, claims: set[str]) -> Iterator[Refusal]:
    """validatePodResources, validateOverhead."""
    resources = at["resources"]
    if resources.is_map:
        if resources["claims"].value is not None:
            yield resources["claims"].refuse("has no place in the resources of a whole pod")
        yield from requirements(resources, claims, pod_resource)
        yield from whole_pod(at)
    for name, value in at["overhead"].pairs:
        if fault := container_resource(name):
            yield value.refuse(f"{shown(name)} {fault}")
        yield from amount(value, name)
