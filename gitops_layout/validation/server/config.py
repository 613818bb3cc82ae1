"""ConfigMaps, Secrets, Namespaces, ResourceQuotas, LimitRanges.

Source: k8s.io/kubernetes 1.36, pkg/apis/core/validation/validation.go; functions name the Go function.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain

from gitops_layout.k8s import formats
from gitops_layout.k8s.quantity import quantity
from gitops_layout.validation.server.checks import (
    base64,
    choice,
    distinct,
    keys,
    not_negative_quantity,
    option,
)
from gitops_layout.validation.server.cursor import At, Refusal, shown
from gitops_layout.validation.server.resources import (
    QUOTA_RESOURCES,
    amount,
    container_resource,
    quota_resource,
    resource_name,
)

__all__ = ["config_map", "limit_range", "namespace", "resource_quota", "secret"]

_LIMIT = 1024 * 1024
_ACCOUNT = "kubernetes.io/service-account.name"


def config_map(at: At) -> Iterator[Refusal]:
    """ValidateConfigMap."""
    data, binary = at["data"], at["binaryData"]
    yield from keys(formats.config_key)(data)
    yield from keys(formats.config_key)(binary)
    for key, value in binary.pairs:
        yield from base64(value)
        if data.is_map and key in data.value:
            yield value.refuse("is a key of data, too")
    size = sum(len(value.text.encode("utf-8", "replace")) for _, value in data.pairs)
    size += sum(_decoded_size(value.text) for _, value in binary.pairs)
    if size > _LIMIT:
        yield at["data"].refuse(f"holds {size} bytes, at most {_LIMIT} are allowed")


def _decoded_size(text: str) -> int:
    return len(text) * 3 // 4 - text.count("=", -2)


def secret(at: At) -> Iterator[Refusal]:
    """ValidateSecret; stringData becomes data before."""
    if at["sops"].is_map:
        return  # still encrypted: what the server sees is not known
    yield from keys(formats.config_key)(at["data"])
    yield from keys(formats.config_key)(at["stringData"])
    for _, value in at["data"].pairs:
        yield from base64(value)
    size = sum(_decoded_size(value.text) for _, value in at["data"].pairs)
    size += sum(len(value.text.encode("utf-8", "replace")) for _, value in at["stringData"].pairs)
    if size > _LIMIT:
        yield at["data"].refuse(f"holds {size} bytes, at most {_LIMIT} are allowed")
    yield from _typed_secret(at)


def _typed_secret(at: At) -> Iterator[Refusal]:
    have = {key for key, _ in chain(at["data"].pairs, at["stringData"].pairs)}
    match at["type"].text:
        case "kubernetes.io/service-account-token":
            note = at["metadata"]["annotations"][_ACCOUNT]
            if not note.text:
                yield note.refuse("is required for this type of Secret")
        case "kubernetes.io/dockercfg":
            yield from _registry(at, ".dockercfg")
        case "kubernetes.io/dockerconfigjson":
            yield from _registry(at, ".dockerconfigjson")
        case "kubernetes.io/basic-auth":
            if not have & {"username", "password"}:
                yield at["data"].refuse("needs username or password for this type of Secret")
        case "kubernetes.io/ssh-auth":
            if not _content(at, "ssh-privatekey"):
                yield at["data"].refuse("needs ssh-privatekey for this type of Secret")
        case "kubernetes.io/tls":
            for key in ("tls.crt", "tls.key"):
                if key not in have:
                    yield at["data"].refuse(f"needs {key} for this type of Secret")


def _content(at: At, key: str) -> bytes | None:
    """The decoded value of a key; None where there is none."""
    plain, encoded = at["stringData"][key], at["data"][key]
    if isinstance(plain.value, str):
        return plain.text.encode("utf-8", "replace")
    if isinstance(encoded.value, str) and formats.is_base64(encoded.text):
        return binascii.a2b_base64(encoded.text)
    return None


def _registry(at: At, key: str) -> Iterator[Refusal]:
    if key not in {name for name, _ in chain(at["data"].pairs, at["stringData"].pairs)}:
        yield at["data"].refuse(f"needs {key} for this type of Secret")
        return
    content = _content(at, key)
    try:
        parsed = {} if content is None else json.loads(content)
    except (ValueError, RecursionError):
        parsed = ()
    if not isinstance(parsed, dict | None):
        place = at["stringData"] if at["stringData"][key].text else at["data"]
        yield place[key].refuse("is no JSON object")


_LEVELS = ("privileged", "baseline", "restricted")
_SECURITY = "pod-security.kubernetes.io/"


def namespace(at: At) -> Iterator[Refusal]:
    """ValidateNamespace; the levels of pod security (pod-security-admission, api.PolicyToEvaluate)."""
    labels = dict(at["metadata"]["labels"].pairs)  # a null is an empty label, not an absent one
    for mode in ("enforce", "audit", "warn"):
        for level in filter(None, [labels.get(f"{_SECURITY}{mode}")]):
            yield from option(*_LEVELS)(level)
        version = labels.get(f"{_SECURITY}{mode}-version")
        if (
            version is not None
            and version.is_text
            and not re.fullmatch(r"latest|v1\.(0|[1-9][0-9]*)", version.text)
        ):
            yield version.refuse(f"is {shown(version.text)}, expected latest or a version such as v1.36")
    for item in at["spec"]["finalizers"]:
        if item.text and (
            formats.qualified(item.text) or ("/" not in item.text and item.text != "kubernetes")
        ):
            yield item.refuse(
                f"{shown(item.text)} must be kubernetes or have a domain, as in example.com/name"
            )


_POD_COUNTS = {"pods"}
_POD_AMOUNTS = {"cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"}
_SCOPES: dict[str, set[str]] = {
    "Terminating": _POD_COUNTS | _POD_AMOUNTS,
    "NotTerminating": _POD_COUNTS | _POD_AMOUNTS,
    "NotBestEffort": _POD_COUNTS | _POD_AMOUNTS,
    "PriorityClass": _POD_COUNTS | _POD_AMOUNTS,
    "CrossNamespacePodAffinity": _POD_COUNTS | _POD_AMOUNTS,
    "BestEffort": _POD_COUNTS,
    "VolumeAttributesClass": {"persistentvolumeclaims", "requests.storage"},
}
_VALUED_SCOPES = ("PriorityClass", "VolumeAttributesClass")
_OPPOSITES = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})


def resource_quota(at: At) -> Iterator[Refusal]:
    """ValidateResourceQuota."""
    hard, scopes = at["spec"]["hard"], at["spec"]["scopes"]
    for name, value in hard.pairs:
        if fault := quota_resource(name):
            yield value.refuse(f"{shown(name)} {fault}")
        yield from amount(value, name)
    limited = {name for name, _ in hard.pairs if name in QUOTA_RESOURCES or "hugepages-" in name}
    expressions = [item for item in at["spec"]["scopeSelector"]["matchExpressions"] if item.is_map]
    for item in [*scopes, *(item["scopeName"] for item in expressions)]:
        yield from choice(*_SCOPES)(item)
        if unfit := limited - _SCOPES.get(item.text, limited):
            yield item.refuse(f"scope {item.text} cannot limit {', '.join(sorted(unfit))}")
    for item in expressions:
        yield from _scope_expression(item)
    for chosen in (set(scopes.texts), {item["scopeName"].text for item in expressions}):
        if any(pair <= chosen for pair in _OPPOSITES):
            yield at["spec"].refuse("has scopes that exclude each other")


def _scope_expression(at: At) -> Iterator[Refusal]:
    operator, values = at["operator"], at["values"]
    yield from choice("In", "NotIn", "Exists", "DoesNotExist")(operator)
    if (
        at["scopeName"].text in _SCOPES
        and at["scopeName"].text not in _VALUED_SCOPES
        and operator.text != "Exists"
    ):
        yield operator.refuse(f"must be Exists for the scope {at['scopeName'].text}")
    if operator.text in ("In", "NotIn") and not values:
        yield values.refuse(f"is required with operator {operator.text}")
    if operator.text in ("Exists", "DoesNotExist") and values:
        yield values.refuse(f"must be empty with operator {operator.text}")


_BOUNDS = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
_ORDERED = (
    ("min", "max"),
    ("min", "defaultRequest"),
    ("defaultRequest", "max"),
    ("defaultRequest", "default"),
    ("min", "default"),
    ("default", "max"),
)


def limit_range(at: At) -> Iterator[Refusal]:
    """ValidateLimitRange."""
    limits = at["spec"]["limits"]
    yield from distinct("type")(limits)
    for item in limits:
        if item.is_map:
            yield from _limit(item)


def _limit(at: At) -> Iterator[Refusal]:
    kind = at["type"]
    if "/" not in kind.text:
        yield from choice("Pod", "Container", "PersistentVolumeClaim")(kind)
    elif fault := formats.qualified(kind.text):
        yield kind.refuse(f"{shown(kind.text)} {fault}")
    form = container_resource if kind.text in ("Pod", "Container") else resource_name
    for bound in _BOUNDS:
        for name, value in at[bound].pairs:
            yield from (value.refuse(f"{shown(name)} {fault}") for fault in [form(name)] if fault)
            if quantity(value.value) is None:
                yield from not_negative_quantity(value)
    if kind.text == "Pod":
        for bound in ("default", "defaultRequest"):
            if at[bound].value:
                yield at[bound].refuse("has no place with type Pod")
    if kind.text == "PersistentVolumeClaim" and "storage" not in {
        n for b in ("min", "max") for n, _ in at[b].pairs
    }:
        yield at.refuse("needs min or max of storage with type PersistentVolumeClaim")
    # The server's own defaults: default from max, defaultRequest from default, else from min.
    yield from _bounds(at, kind.text)


def _bounds(at: At, kind: str) -> Iterator[Refusal]:
    names = dict.fromkeys(name for bound in _BOUNDS for name, _ in at[bound].pairs)
    for name in names:
        values = _limits_of(at, kind, name)
        for low, high in _ORDERED:
            if low in values and high in values and values[low] > values[high]:
                place = low if at[low][name].value is not None else high
                yield at[place][name].refuse(f"{low} of {name} is more than {high}")
        ratio = values.get("maxLimitRequestRatio")
        if ratio is not None and ratio < 1:
            yield at["maxLimitRequestRatio"][name].refuse("must be at least 1")
        if (
            ratio is not None
            and values.get("min")
            and "max" in values
            and ratio > values["max"] / values["min"]
        ):
            yield at["maxLimitRequestRatio"][name].refuse("is more than max divided by min")


def _limits_of(at: At, kind: str, name: str) -> dict[str, Fraction]:
    """The numbers of one resource; for containers with the server's defaults (v1.SetDefaults_LimitRangeItem)."""
    values: dict[str, Fraction] = {}
    for bound in _BOUNDS:
        raw = dict(at[bound].pairs).get(name)
        number = None if raw is None or isinstance(raw.value, bool | list) else quantity(raw.value)
        if number is not None and not (kind == "Pod" and bound.startswith("default")):
            values[bound] = number
    if kind == "Container":
        for source, target in (("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")):
            if source in values:
                values.setdefault(target, values[source])
    return values
