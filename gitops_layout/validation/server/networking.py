"""Ingresses, IngressClasses, NetworkPolicies, IPAddresses and ServiceCIDRs.

Source: k8s.io/kubernetes 1.36, pkg/apis/networking/validation/validation.go; table rows name the Go function.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from gitops_layout.k8s import formats
from gitops_layout.validation.server.checks import (
    choice,
    exact,
    named,
    number_or_name,
    one_of,
    option,
    port,
    required,
    selector,
    size,
    valid,
)
from gitops_layout.validation.server.cursor import At, Refusal, Row, evaluate, find, shown

__all__ = ["ingress", "ingress_class", "ip_address", "network_policy", "service_cidr"]

_CLASS = "kubernetes.io/ingress.class"
_BAD_PARTS = ("//", "/./", "/../", "%2f", "%2F")
_BAD_ENDS = ("/..", "/.")

_REFERENCE: tuple[Row, ...] = (
    ("validateIngressTypedLocalObjectReference", "apiGroup", valid(formats.subdomain)),
    ("validateIngressTypedLocalObjectReference", "kind", named(formats.path_segment)),
    ("validateIngressTypedLocalObjectReference", "name", named(formats.path_segment)),
)
_BACKENDS = ("spec.defaultBackend", "spec.rules[].http.paths[].backend!")


def _host(text: str) -> str | None:
    if formats.is_ip(text):
        return "must be a DNS name, not an IP address"
    return formats.wildcard(text) if "*" in text else formats.subdomain(text)


def _tls_host(text: str) -> str | None:
    return formats.wildcard(text) if "*" in text else formats.subdomain(text)


_INGRESS: tuple[Row, ...] = (
    ("validateIngressRules", "spec.rules[].host", valid(_host)),
    ("validateHTTPIngressRuleValue", "spec.rules[].http.paths", required),
    (
        "validateHTTPIngressPath",
        "spec.rules[].http.paths[].pathType",
        choice("Exact", "Prefix", "ImplementationSpecific"),
    ),
    ("validateIngressTLS", "spec.tls[].hosts[]", named(_tls_host)),
    ("validateIngressTLS", "spec.tls[].secretName", valid(formats.subdomain)),
    ("ValidateIngressSpec", "spec.ingressClassName", exact(formats.subdomain)),
)


def ingress(at: At) -> Iterator[Refusal]:
    """ValidateIngressCreate."""
    spec = at["spec"]
    if spec.value is not None and not spec.is_map:
        return
    if not spec["rules"] and spec["defaultBackend"].value is None:
        yield spec.refuse("needs rules or defaultBackend")
    yield from evaluate(_INGRESS, at)
    for path in find(at, "spec.rules[].http.paths[]"):
        yield from _path(path)
    for place in _BACKENDS:
        for backend in find(at, place):
            yield from _backend(backend)
    note, name = at["metadata"]["annotations"][_CLASS], spec["ingressClassName"]
    if note.value is not None and name.value is not None and note.text != name.text:
        yield note.refuse(f"differs from ingressClassName, {shown(name.text)}")


def _path(at: At) -> Iterator[Refusal]:
    path, kind = at["path"], at["pathType"].text
    text = path.text
    if kind in ("Exact", "Prefix"):
        if not text.startswith("/"):
            yield path.refuse(f"{shown(text)} must start with '/'")
        if any(part in text for part in _BAD_PARTS) or text.endswith(_BAD_ENDS):
            yield path.refuse(f"{shown(text)} must not contain '//', '.', '..' or '%2f' as segments")
    elif kind == "ImplementationSpecific" and text and not text.startswith("/"):
        yield path.refuse(f"{shown(text)} must start with '/'")


def _backend(at: At) -> Iterator[Refusal]:
    """validateIngressBackend."""
    if not at.is_map:
        return
    service, resource = at["service"], at["resource"]
    if (service.value is None) == (resource.value is None):
        yield at.refuse("needs either service or resource")
        return
    if resource.is_map:
        yield from evaluate(_REFERENCE, resource)
        return
    yield from named(formats.label)(service["name"])
    name, number = service["port"]["name"], service["port"]["number"]
    if name.text and number.number:
        yield number.refuse("excludes the port's name")
    elif name.text:
        yield from valid(formats.port_name)(name)
    elif number.number:
        yield from port(number)
    else:
        yield service["port"].refuse("is required, by number or by name")


_INGRESS_CLASS: tuple[Row, ...] = (
    ("validateIngressClassSpec", "spec!.controller", named(formats.domain_path)),
    ("validateIngressClassParametersReference", "spec.parameters.apiGroup", exact(formats.subdomain)),
    ("validateIngressClassParametersReference", "spec.parameters.kind", named(formats.path_segment)),
    ("validateIngressClassParametersReference", "spec.parameters.name", named(formats.path_segment)),
    ("validateIngressClassParametersReference", "spec.parameters.scope", one_of("Cluster", "Namespace")),
    ("validateIngressClassParametersReference", "spec.parameters.namespace", valid(formats.label)),
)


def ingress_class(at: At) -> Iterator[Refusal]:
    """ValidateIngressClass."""
    yield from evaluate(_INGRESS_CLASS, at)
    if len(at["spec"]["controller"].text) > 250:
        yield at["spec"]["controller"].refuse("must have at most 250 characters")
    parameters = at["spec"]["parameters"]
    namespace = parameters["namespace"]
    if parameters["scope"].text == "Namespace" and namespace.empty:
        yield namespace.refuse("is required with scope Namespace")
    elif parameters["scope"].text in ("", "Cluster") and namespace.value is not None:
        yield namespace.refuse("excludes scope Cluster")


_POLICY: tuple[Row, ...] = (
    ("ValidateNetworkPolicySpec", "spec.podSelector", selector),
    ("ValidateNetworkPolicySpec", "spec.policyTypes", size(2)),
    ("ValidateNetworkPolicySpec", "spec.policyTypes[]", choice("Ingress", "Egress")),
)
_PEER: tuple[Row, ...] = (
    ("ValidateNetworkPolicyPeer", "podSelector", selector),
    ("ValidateNetworkPolicyPeer", "namespaceSelector", selector),
    ("ValidateIPBlock", "ipBlock.cidr", named(formats.network)),
    ("ValidateIPBlock", "ipBlock.except[]", named(formats.network)),
)


def network_policy(at: At) -> Iterator[Refusal]:
    """ValidateNetworkPolicy."""
    yield from evaluate(_POLICY, at)
    for path in ("spec.ingress[].ports[]", "spec.egress[].ports[]"):
        for item in find(at, path):
            yield from _policy_port(item)
    for path in ("spec.ingress[].from[]", "spec.egress[].to[]"):
        for peer in find(at, path):
            yield from _peer(peer)


def _policy_port(at: At) -> Iterator[Refusal]:
    """ValidateNetworkPolicyPort."""
    if not at.is_map:
        return
    yield from option("TCP", "UDP", "SCTP")(at["protocol"])
    number, end = at["port"], at["endPort"]
    yield from number_or_name(number)
    if end.number is None:
        return
    yield from port(end)
    if number.number is None:
        yield end.refuse("needs a port number beside it")
    elif end.number < number.number:
        yield end.refuse(f"is {end.number}, less than port")


def _peer(at: At) -> Iterator[Refusal]:
    """ValidateNetworkPolicyPeer, ValidateIPBlock."""
    if at.value is not None and not at.is_map:
        return
    selectors = [name for name in ("podSelector", "namespaceSelector") if at[name].value is not None]
    block = at["ipBlock"]
    if not selectors and block.value is None:
        yield at.refuse("needs podSelector, namespaceSelector or ipBlock")
    elif selectors and block.value is not None:
        yield block.refuse(f"excludes {selectors[0]}")
    yield from evaluate(_PEER, at)
    if not formats.is_cidr(block["cidr"].text):
        return
    whole = ipaddress.ip_network(block["cidr"].text)
    for item in block["except"]:
        if formats.is_cidr(item.text) and not _inside(ipaddress.ip_network(item.text), whole):
            yield item.refuse(f"{item.text} must be a smaller network inside {block['cidr'].text}")


def _inside(
    inner: ipaddress.IPv4Network | ipaddress.IPv6Network, outer: ipaddress.IPv4Network | ipaddress.IPv6Network
) -> bool:
    if isinstance(inner, ipaddress.IPv4Network) and isinstance(outer, ipaddress.IPv4Network):
        return inner != outer and inner.subnet_of(outer)
    if isinstance(inner, ipaddress.IPv6Network) and isinstance(outer, ipaddress.IPv6Network):
        return inner != outer and inner.subnet_of(outer)
    return False


_IP_ADDRESS: tuple[Row, ...] = (
    ("validateIPAddressParentReference", "spec!.parentRef", required),
    ("validateIPAddressParentReference", "spec.parentRef.group", valid(formats.subdomain)),
    ("validateIPAddressParentReference", "spec.parentRef.resource", named(formats.path_segment)),
    ("validateIPAddressParentReference", "spec.parentRef.name", named(formats.path_segment)),
    ("validateIPAddressParentReference", "spec.parentRef.namespace", valid(formats.path_segment)),
)


def ip_address(at: At) -> Iterator[Refusal]:
    """ValidateIPAddress."""
    yield from evaluate(_IP_ADDRESS, at)


def service_cidr(at: At) -> Iterator[Refusal]:
    """ValidateServiceCIDR."""
    cidrs = at["spec"]["cidrs"]
    yield from required(cidrs)
    yield from size(2)(cidrs)
    for item in cidrs:
        yield from named(formats.network)(item)
        if formats.is_cidr(item.text) and (fault := formats.canonical(item.text)):
            yield item.refuse(f"{shown(item.text)} {fault}")
    found = [ipaddress.ip_network(text).version for text in cidrs.texts if formats.is_cidr(text)]
    if len(found) == 2 and found[0] == found[1]:
        yield cidrs.refuse("may hold one network of each family")
