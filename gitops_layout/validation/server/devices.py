"""Dynamic resource allocation: device classes, claims and their templates, slices.

Source: k8s.io/kubernetes 1.36, pkg/apis/resource/validation/validation.go, with the defaults of
pkg/apis/resource/v1/defaults.go; table rows and functions name the Go function.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from gitops_layout.k8s import formats
from gitops_layout.patterns import regexp
from gitops_layout.validation.server.checks import (
    any_quantity,
    at_least,
    choice,
    distinct,
    exact,
    labels,
    named,
    one_of,
    required,
    size,
)
from gitops_layout.validation.server.cursor import At, Refusal, Row, evaluate, find, shown
from gitops_layout.validation.server.expressions import DEVICE, expression
from gitops_layout.validation.server.metadata import annotation_map
from gitops_layout.validation.server.scheduling import node_selector

__all__ = ["device_class", "resource_claim", "resource_claim_template", "resource_slice"]

_PARAMETERS = 10 * 1024
_TEXT = 64
_NATIVE = regexp(r"(?:[^/]*\.)?kubernetes\.io/")
_IDENTIFIER = regexp(r"[A-Za-z_][A-Za-z0-9_]{0,31}", re.ASCII)
_NUMBER = r"(?:0|[1-9]\d*)"
_PRE = r"(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_SEMVER = regexp(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_PRE}(?:\.{_PRE})*)?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?",
    re.ASCII,
)
_VALUES = ("bool", "int", "string", "version")
"""Lists of them are dropped by default: a feature that is off (DRAListTypeAttributes)."""
_NODES = ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection")


def _qualified(text: str) -> str | None:
    """validateQualifiedName: an identifier of C, a driver's domain before it or not."""
    domain, slash, name = text.partition("/")
    if "/" in name:
        return None  # the server does not look further
    if slash and (not domain or formats.driver(domain)):
        return "must have a domain before the '/'"
    if not _IDENTIFIER.fullmatch(name if slash else domain):
        return "must be letters, digits and '_', at most 32, after an optional domain and '/'"
    return None


def _fully_qualified(text: str) -> str | None:
    return _qualified(text) if "/" in text else "must be a domain and a name, as in example.com/model"


def _pool(text: str) -> str | None:
    """validatePoolName."""
    return next((fault for part in text.split("/") if (fault := formats.subdomain(part))), None)


def _extended(text: str) -> str | None:
    """IsExtendedResourceName."""
    if "/" not in text or _NATIVE.match(text) or text.startswith("requests."):
        return "must have a domain that is not kubernetes.io, as in example.com/gpu"
    return formats.qualified(f"requests.{text}")


_REQUEST: tuple[Row, ...] = (
    ("validateDeviceRequest", "name", named(formats.label)),
    ("validateDeviceRequest", "firstAvailable", size(8)),
    ("validateDeviceRequest", "firstAvailable", distinct("name")),
    ("validateDeviceSubRequest", "firstAvailable[].name", named(formats.label)),
)
_WANTED: tuple[Row, ...] = (
    ("validateDeviceClass", "deviceClassName", named(formats.subdomain)),
    ("validateSelectorSlice", "selectors", size(32)),
    ("validateDeviceAllocationMode", "allocationMode", one_of("All", "ExactCount")),
    ("validateDeviceAllocationMode", "count", at_least(0)),
    ("validateDeviceToleration", "tolerations", size(16)),
    ("Quantity", "capacity.requests{}", any_quantity),
)


def device_class(at: At) -> Iterator[Refusal]:
    """ValidateDeviceClass."""
    spec = at["spec"]
    yield from size(32)(spec["selectors"])
    yield from _selectors(spec["selectors"])
    yield from size(32)(spec["config"])
    for item in spec["config"]:
        yield from _configuration(item)
    yield from exact(_extended)(spec["extendedResourceName"])


def resource_claim(at: At) -> Iterator[Refusal]:
    """ValidateResourceClaim."""
    yield from _claim(at["spec"]["devices"])


def resource_claim_template(at: At) -> Iterator[Refusal]:
    """ValidateResourceClaimTemplate."""
    yield from labels(at["spec"]["metadata"]["labels"])
    yield from annotation_map(at["spec"]["metadata"]["annotations"])
    for name, value in at["spec"]["metadata"].pairs:
        if name not in ("labels", "annotations") and not value.empty:
            yield value.refuse("cannot be set in a template")
    yield from _claim(at["spec"]["spec"]["devices"])


def _claim(at: At) -> Iterator[Refusal]:
    """validateDeviceClaim."""
    for name in ("requests", "constraints", "config"):
        yield from size(32)(at[name])
    yield from distinct("name")(at["requests"])
    names: set[str] = set()
    for request in at["requests"]:
        names.add(request["name"].text)
        names |= {f"{request['name'].text}/{sub['name'].text}" for sub in request["firstAvailable"]}
        yield from _request(request)
    for constraint in at["constraints"]:
        yield from _references(constraint["requests"], names)
        attributes = [constraint[name] for name in ("matchAttribute", "distinctAttribute")]
        given = next((attribute for attribute in attributes if attribute.value is not None), None)
        if given is None:
            yield constraint.refuse("needs matchAttribute or distinctAttribute")
        else:
            yield from exact(_fully_qualified)(given)
    for item in at["config"]:
        yield from _references(item["requests"], names)
        yield from _configuration(item)


def _request(at: At) -> Iterator[Refusal]:
    if not at.is_map:
        return
    yield from evaluate(_REQUEST, at)
    if (at["exactly"].value is None) == (not at["firstAvailable"]):
        yield at.refuse("needs either exactly or firstAvailable")
        return
    for wanted in [at["exactly"]] if at["exactly"].is_map else at["firstAvailable"]:
        yield from evaluate(_WANTED, wanted)
        yield from _selectors(wanted["selectors"])
        if wanted["allocationMode"].text == "All" and wanted["count"].number:
            yield wanted["count"].refuse("has no place with allocationMode All")
        for toleration in wanted["tolerations"]:
            yield from _toleration(toleration)


def _references(at: At, names: set[str]) -> Iterator[Refusal]:
    """validateRequestNameRef."""
    yield from size(32)(at)
    seen: set[str] = set()
    for item in at:
        if item.text not in names:
            yield item.refuse(f"{shown(item.text)} is not the name of a request")
        elif item.text in seen:
            yield item.refuse(f"repeats {shown(item.text)}")
        seen.add(item.text)


def _selectors(at: At) -> Iterator[Refusal]:
    """validateSelector."""
    for item in at:
        text = item["cel"]["expression"]
        if not item["cel"].is_map:
            yield item["cel"].refuse("is required")
        elif not text.text.strip():
            yield text.refuse("is required")
        elif len(text.text) > _PARAMETERS:
            yield text.refuse(f"must have at most {_PARAMETERS} characters")
        else:
            yield from expression(text, {"device": DEVICE}, makes=("bool",))


def _configuration(at: At) -> Iterator[Refusal]:
    """validateDeviceConfiguration."""
    opaque = at["opaque"]
    if not opaque.is_map:
        yield opaque.refuse("is required")
        return
    yield from named(formats.driver)(opaque["driver"])
    parameters = opaque["parameters"]
    if not parameters.is_map:
        yield parameters.refuse("is required, as a map")
    elif _length(parameters) > _PARAMETERS:
        yield parameters.refuse(f"must have at most {_PARAMETERS} bytes")


def _length(at: At) -> int:
    try:
        return len(json.dumps(at.value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))
    except (TypeError, ValueError, RecursionError):
        return 0


_EFFECTS = ("NoSchedule", "NoExecute", "None")


def _toleration(at: At) -> Iterator[Refusal]:
    """validateDeviceToleration."""
    operator = at["operator"].text
    if at["key"].text:
        yield from exact(formats.qualified)(at["key"])
    yield from one_of("Exists", "Equal")(at["operator"])
    if operator == "Exists" and at["value"].text:
        yield at["value"].refuse("has no place with operator Exists")
    elif operator in ("", "Equal"):
        yield from exact(formats.label_value)(at["value"])
    yield from one_of(*_EFFECTS)(at["effect"])


_SLICE: tuple[Row, ...] = (
    ("ValidateCSIDriverName", "spec!.driver", named(formats.driver)),
    ("validateResourcePool", "spec!.pool!.name", named(_pool)),
    ("validateResourcePool", "spec!.pool!.resourceSliceCount", required),
    ("validateResourcePool", "spec.pool.resourceSliceCount", at_least(1)),
    ("validateResourcePool", "spec.pool.generation", at_least(0)),
    ("validateResourceSliceSpec", "spec.nodeName", exact(formats.subdomain)),
    ("validateResourceSliceSpec", "spec.devices", distinct("name")),
    ("validateResourceSliceSpec", "spec.sharedCounters", size(8)),
    ("validateResourceSliceSpec", "spec.sharedCounters", distinct("name")),
    ("validateCounterSet", "spec.sharedCounters[].name", named(formats.label)),
    ("Quantity", "spec.sharedCounters[].counters{}.value", any_quantity),
)


def resource_slice(at: At) -> Iterator[Refusal]:
    """ValidateResourceSlice."""
    yield from evaluate(_SLICE, at)
    spec = at["spec"]
    if len(spec["pool"]["name"].text) > 253:
        yield spec["pool"]["name"].refuse("must have at most 253 characters")
    yield from _one_place(spec, _NODES)
    if spec["nodeSelector"].is_map and len(spec["nodeSelector"]["nodeSelectorTerms"].value or ()) != 1:
        yield spec["nodeSelector"]["nodeSelectorTerms"].refuse("must have exactly one term")
    # An empty list counts: only an absent one is none.
    if spec["devices"].value is not None and spec["sharedCounters"].value is not None:
        yield spec["sharedCounters"].refuse("excludes devices")
    advanced = any(device["taints"] or device["consumesCounters"] for device in spec["devices"])
    yield from size(64 if advanced else 128)(spec["devices"])
    for counters in find(spec, "sharedCounters[]"):
        yield from _counters(counters["counters"])
    for device in spec["devices"]:
        yield from _device(device, apart=spec["perDeviceNodeSelection"].is_true)


def _one_place(at: At, names: tuple[str, ...]) -> Iterator[Refusal]:
    """Exactly one of the fields that say which nodes have the devices."""
    for flag in ("allNodes", "perDeviceNodeSelection"):
        if flag in names and at[flag].value is False:
            yield at[flag].refuse("must be true or absent")
    if at["nodeSelector"].value is not None:
        yield from node_selector(at["nodeSelector"])
    given = [name for name in names if at[name].value not in (None, "", False)]
    if len(given) != 1:
        yield at.refuse(f"needs exactly one of {', '.join(names)}")


_DEVICE: tuple[Row, ...] = (
    ("validateDevice", "name", named(formats.label)),
    ("validateDeviceTaint", "taints", size(16)),
    ("validateDeviceTaint", "taints[].key", named(formats.qualified)),
    ("validateDeviceTaint", "taints[].value", exact(formats.label_value)),
    ("validateDeviceTaint", "taints[].effect", choice(*_EFFECTS)),
    ("Quantity", "capacity{}.value", any_quantity),
    ("Quantity", "nodeAllocatableResourceMappings{}.allocationMultiplier", any_quantity),
    ("Quantity", "consumesCounters[].counters{}.value", any_quantity),
    ("validateDevice", "consumesCounters", size(2)),
    ("validateDevice", "consumesCounters", distinct("counterSet")),
    ("validateDeviceCounterConsumption", "consumesCounters[].counterSet", named(formats.label)),
    ("validateDeviceBindingParameters", "bindingConditions", size(4)),
    ("validateDeviceBindingParameters", "bindingFailureConditions", size(4)),
    ("validateDeviceBindingParameters", "bindingConditions[]", named(formats.qualified)),
    ("validateDeviceBindingParameters", "bindingFailureConditions[]", named(formats.qualified)),
)


def _device(at: At, *, apart: bool) -> Iterator[Refusal]:
    """validateDevice; `apart` where each device names its nodes."""
    if not at.is_map:
        return
    yield from evaluate(_DEVICE, at)
    if apart:
        yield from exact(formats.subdomain)(at["nodeName"])
        yield from _one_place(at, _NODES[:3])
    else:
        for name in _NODES[:3]:
            if at[name].value is not None:
                yield at[name].refuse("needs perDeviceNodeSelection: true in the slice")
    pairs = [*at["attributes"].pairs, *at["capacity"].pairs]
    if len(pairs) > 32:
        yield at.refuse(f"has {len(pairs)} attributes and capacities, at most 32 are allowed")
    for key, value in pairs:
        if fault := _qualified(key):
            yield value.refuse(f"key {shown(key)} {fault}")
    for _, value in at["attributes"].pairs:
        yield from _attribute(value)
    for _, value in at["capacity"].pairs:
        if value["requestPolicy"].value is not None and not at["allowMultipleAllocations"].is_true:
            yield value["requestPolicy"].refuse("needs allowMultipleAllocations: true")
    for consumed in at["consumesCounters"]:
        yield from _counters(consumed["counters"])
    yield from _conditions(at["bindingConditions"], at["bindingFailureConditions"])


def _attribute(at: At) -> Iterator[Refusal]:
    """validateDeviceAttribute."""
    given = [name for name in _VALUES if at[name].value is not None]
    if len(given) != 1:
        yield at.refuse("needs exactly one value")
    for name in ("string", "version"):
        text = at[name]
        if len(text.text.encode("utf-8", "replace")) > _TEXT:
            yield text.refuse(f"must have at most {_TEXT} characters")
        if name == "version" and text.is_text and not _SEMVER.fullmatch(text.text):
            yield text.refuse(f"{shown(text.text)} is no semantic version such as 1.2.3")


def _counters(at: At) -> Iterator[Refusal]:
    if not at.value:
        yield at.refuse("is required")
    pairs = list(at.pairs)
    if len(pairs) > 32:
        yield at.refuse(f"has {len(pairs)} counters, at most 32 are allowed")
    for key, value in pairs:
        if fault := formats.label(key):
            yield value.refuse(f"key {shown(key)} {fault}")


def _conditions(holding: At, failing: At) -> Iterator[Refusal]:
    for one, other in ((holding, failing), (failing, holding)):
        if one and not other:
            yield other.refuse(f"is required beside {one.path[-1]}")
        if len(set(one.texts)) != len(one.texts):
            yield one.refuse("repeats a condition")
    if set(holding.texts) & set(failing.texts):
        yield failing.refuse("must not overlap with bindingConditions")
