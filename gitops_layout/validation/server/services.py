"""Services, Endpoints, EndpointSlices.

Source: k8s.io/kubernetes 1.36, pkg/apis/core/validation/validation.go (validateService) and
pkg/apis/discovery/validation/validation.go; table rows name the Go function.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from gitops_layout.k8s import formats
from gitops_layout.validation.server.checks import (
    between,
    choice,
    distinct,
    duplicates,
    exact,
    ip,
    labels,
    number_or_name,
    one_of,
    option,
    port,
    required,
    size,
    valid,
)
from gitops_layout.validation.server.cursor import At, Refusal, Row, evaluate, shown

__all__ = ["endpoint_slice", "endpoints", "service"]

_PROTOCOLS = one_of("TCP", "UDP", "SCTP")
_HINTS, _MODE = "service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"
_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"

_SERVICE: tuple[Row, ...] = (
    ("validateService", "spec.type", one_of("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")),
    ("validateService", "spec.selector", labels),
    ("validateService", "spec.sessionAffinity", one_of("ClientIP", "None")),
    ("validateServicePort", "spec.ports", distinct("name")),
    ("validateServicePort", "spec.ports[].name", valid(formats.label)),
    ("validateServicePort", "spec.ports[].port", required),
    ("validateServicePort", "spec.ports[].port", port),
    ("validateServicePort", "spec.ports[].protocol", _PROTOCOLS),
    ("validateServicePort", "spec.ports[].appProtocol", exact(formats.qualified)),
    ("supportedServiceIPFamily", "spec.ipFamilies[]", choice("IPv4", "IPv6")),
    (
        "supportedServiceIPFamilyPolicy",
        "spec.ipFamilyPolicy",
        option("SingleStack", "PreferDualStack", "RequireDualStack"),
    ),
    ("validateServiceInternalTrafficFieldsValue", "spec.internalTrafficPolicy", option("Cluster", "Local")),
    ("validateServiceExternalTrafficPolicy", "spec.externalTrafficPolicy", one_of("Cluster", "Local")),
    (
        "validateServiceTrafficDistribution",
        "spec.trafficDistribution",
        option("PreferClose", "PreferSameZone", "PreferSameNode"),
    ),
    ("validateLoadBalancerClassField", "spec.loadBalancerClass", valid(formats.qualified)),
    ("validateServiceExternalTrafficPolicy", "spec.healthCheckNodePort", between(0, 65535)),
)


def service(at: At) -> Iterator[Refusal]:
    """ValidateServiceCreate."""
    yield from evaluate(_SERVICE, at)
    spec = At({}, at["spec"].path) if at["spec"].value is None else at["spec"]
    if not spec.is_map:
        return
    kind = spec["type"].text or "ClusterIP"
    yield from _by_type(spec, kind)
    yield from _ports(spec, kind)
    yield from _addresses(at, spec, kind)
    if spec["sessionAffinity"].text == "ClientIP":  # otherwise the server drops the settings
        yield from between(1, 86400)(spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"])
    yield from _traffic(spec, kind)
    notes = at["metadata"]["annotations"]
    if notes[_HINTS].text and notes[_MODE].text and notes[_HINTS].text != notes[_MODE].text:
        yield notes[_MODE].refuse(f"differs from the annotation {_HINTS}")


def _headless(spec: At) -> bool:
    return spec["clusterIP"].text == "None" or spec["clusterIPs"].texts[:1] == ["None"]


def _by_type(spec: At, kind: str) -> Iterator[Refusal]:
    if kind in ("NodePort", "LoadBalancer") and _headless(spec):
        yield spec["clusterIP"].refuse(f"None is not for type {kind}")
    if kind == "ExternalName":
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if not spec[name].empty:
                yield spec[name].refuse("is not for type ExternalName")
        name = spec["externalName"].text.removesuffix(".")
        if not name:
            yield spec["externalName"].refuse("is required for type ExternalName")
        elif fault := formats.subdomain(name):
            yield spec["externalName"].refuse(f"{shown(name)} {fault}")
    elif not spec["ports"] and not _headless(spec):
        yield spec["ports"].refuse("is required, with at least one port")
    if kind != "LoadBalancer":
        for name in ("loadBalancerSourceRanges", "allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if not spec[name].empty:
                yield spec[name].refuse("is for type LoadBalancer only")


def _ports(spec: At, kind: str) -> Iterator[Refusal]:
    ports = [item for item in spec["ports"] if item.is_map]
    for item in ports:
        if len(ports) > 1 and not item["name"].text:
            yield item["name"].refuse("is required where there are several ports")
        # The server fills in `port` for 0 and "".
        if item["targetPort"].value not in (0, ""):
            yield from number_or_name(item["targetPort"])
        if item["nodePort"].number and kind == "ClusterIP":
            yield item["nodePort"].refuse("is not for type ClusterIP")
    yield from duplicates(
        spec["ports"], lambda item: (item["nodePort"].number or None, item["protocol"].text or "TCP")
    )
    yield from duplicates(spec["ports"], lambda item: (item["port"].number, item["protocol"].text or "TCP"))


def _addresses(at: At, spec: At, kind: str) -> Iterator[Refusal]:
    for address in spec["externalIPs"]:
        yield from _endpoint_ip(address)
    for network in spec["loadBalancerSourceRanges"]:
        if network.text and (fault := formats.network(network.text.strip())):
            yield network.refuse(f"{shown(network.text)} {fault}")
    note = at["metadata"]["annotations"][_RANGES]
    if note.value is not None and not spec["loadBalancerSourceRanges"]:
        if kind != "LoadBalancer":
            yield note.refuse("is for type LoadBalancer only")
        for part in note.text.strip().split(",") if note.text.strip() else ():
            if fault := formats.network(part.strip()):
                yield note.refuse(f"{shown(part)} {fault}")
    if kind != "ExternalName":
        yield from _cluster_ips(spec)
        yield from duplicates(spec["ipFamilies"], lambda item: (item.text,))
        yield from _single_stack(spec)


def _cluster_ips(spec: At) -> Iterator[Refusal]:
    """ValidateServiceClusterIPsRelatedFields."""
    one, several = spec["clusterIP"], spec["clusterIPs"]
    texts = several.texts
    if one.text and texts and texts[0] != one.text:
        yield several.refuse("must start with clusterIP")
    if not one.text and texts:
        yield several.refuse("needs clusterIP beside it")
    if len(texts) > 2 or (len(texts) > 1 and "None" in texts):
        yield several.refuse("may hold two addresses, or None alone")
        return
    for place in [one, *several] if not texts else several:
        if place.text not in ("", "None"):
            yield from ip(place)
    found = [ipaddress.ip_address(text).version for text in texts if formats.is_ip(text)]
    if len(found) == 2 and found[0] == found[1]:
        yield several.refuse("may hold one address of each family")
    for family, version in zip(spec["ipFamilies"], found or _version(one), strict=False):
        if family.text in ("IPv4", "IPv6") and family.text != f"IPv{version}":
            yield family.refuse("differs from the family of the address")


def _single_stack(spec: At) -> Iterator[Refusal]:
    """initIPFamilyFields: two families or addresses, and a policy that wants one, as it does where it is absent."""
    if spec["ipFamilyPolicy"].text in ("", "SingleStack"):
        for name in ("ipFamilies", "clusterIPs"):
            if len(spec[name].texts) > 1:
                yield spec[name].refuse("needs ipFamilyPolicy PreferDualStack or RequireDualStack")


def _version(at: At) -> list[int]:
    return [ipaddress.ip_address(at.text).version] if formats.is_ip(at.text) else []


def _traffic(spec: At, kind: str) -> Iterator[Refusal]:
    """validateServiceExternalTrafficPolicy."""
    policy, check = spec["externalTrafficPolicy"], spec["healthCheckNodePort"]
    reachable = kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and bool(spec["externalIPs"]))
    if policy.text and not reachable:
        yield policy.refuse("is for services that can be reached from outside only")
    if check.number and not (kind == "LoadBalancer" and policy.text == "Local"):
        yield check.refuse("is for type LoadBalancer with externalTrafficPolicy: Local only")


def _endpoint_ip(at: At) -> Iterator[Refusal]:
    """ValidateEndpointIP: an address that a service can send to."""
    faults = list(ip(at))
    yield from faults
    if faults or not at.text:
        return
    address = ipaddress.ip_address(at.text)
    if address.is_unspecified or address.is_loopback or address.is_link_local or _local_multicast(at.text):
        yield at.refuse(f"{at.text} is an address of one machine or link")


def _local_multicast(text: str) -> bool:
    return text.startswith("224.0.0.") or text.lower().startswith("ff02:")


_SUBSETS: tuple[Row, ...] = (
    ("validateEndpointAddress", "addresses[].hostname", valid(formats.label)),
    ("validateEndpointAddress", "notReadyAddresses[].hostname", valid(formats.label)),
    ("validateEndpointAddress", "addresses[].nodeName", exact(formats.subdomain)),
    ("validateEndpointAddress", "notReadyAddresses[].nodeName", exact(formats.subdomain)),
    ("validateEndpointPort", "ports[].name", valid(formats.label)),
    ("validateEndpointPort", "ports[].port", required),
    ("validateEndpointPort", "ports[].port", port),
    ("validateEndpointPort", "ports[].protocol", _PROTOCOLS),
    ("validateEndpointPort", "ports[].appProtocol", valid(formats.qualified)),
)


def endpoints(at: At) -> Iterator[Refusal]:
    """ValidateEndpoints."""
    for subset in at["subsets"]:
        if not subset.is_map:
            continue
        if not subset["addresses"] and not subset["notReadyAddresses"]:
            yield subset.refuse("needs addresses or notReadyAddresses")
        yield from evaluate(_SUBSETS, subset)
        for kind in ("addresses", "notReadyAddresses"):
            for address in subset[kind]:
                yield from required(address["ip"])
                yield from _endpoint_ip(address["ip"])
        ports = [item for item in subset["ports"] if item.is_map]
        for item in ports if len(ports) > 1 else ():
            yield from required(item["name"])


_SLICE: tuple[Row, ...] = (
    ("validateAddressType", "addressType", choice("IPv4", "IPv6", "FQDN")),
    ("validateEndpoints", "endpoints", size(1000)),
    ("validateEndpoints", "endpoints[].addresses", required),
    ("validateEndpoints", "endpoints[].addresses", size(100)),
    ("validateEndpoints", "endpoints[].nodeName", exact(formats.subdomain)),
    ("validateEndpoints", "endpoints[].hostname", valid(formats.label)),
    ("validateHints", "endpoints[].hints.forZones", size(8)),
    ("validateHints", "endpoints[].hints.forZones", distinct("name")),
    ("validateHints", "endpoints[].hints.forZones[].name", exact(formats.label_value)),
    ("validateHints", "endpoints[].hints.forNodes", size(8)),
    ("validateHints", "endpoints[].hints.forNodes", distinct("name")),
    ("validateHints", "endpoints[].hints.forNodes[].name", exact(formats.subdomain)),
    ("validatePorts", "ports[].name", valid(formats.label)),
    ("validatePorts", "ports[].protocol", option("TCP", "UDP", "SCTP")),
    ("validatePorts", "ports[].appProtocol", valid(formats.qualified)),
)


def endpoint_slice(at: At) -> Iterator[Refusal]:
    """ValidateEndpointSliceCreate; deprecatedTopology is dropped before (dropTopologyOnV1)."""
    yield from evaluate(_SLICE, at)
    family = at["addressType"].text
    names: set[str] = set()
    for item in at["ports"]:
        if item.is_map and item["name"].text in names:
            yield item["name"].refuse("is the name of another port")
        names.add(item["name"].text)
    for endpoint in at["endpoints"]:
        for address in endpoint["addresses"]:
            if family == "FQDN":
                if formats.subdomain(address.text.removesuffix(".")) or "." not in address.text:
                    yield address.refuse("is no domain name")
            elif family:
                yield from _endpoint_ip(address)
                if _version(address) and f"IPv{_version(address)[0]}" != family:
                    yield address.refuse(f"is no {family} address")
