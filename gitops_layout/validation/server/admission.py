"""Webhook configurations and admission policies.

Source: k8s.io/kubernetes 1.36, pkg/apis/admissionregistration/validation/validation.go; table rows name
the Go function.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from gitops_layout.k8s import formats
from gitops_layout.patterns import regexp
from gitops_layout.validation.server.checks import (
    base64,
    between,
    choice,
    distinct,
    named,
    option,
    port,
    required,
    selector,
    size,
    valid,
)
from gitops_layout.validation.server.cursor import At, Refusal, Row, evaluate, find, shown
from gitops_layout.validation.server.expressions import HOOK, expression, policy_expressions

__all__ = ["admission_policy", "client_config", "policy_binding", "review_versions", "webhooks"]

_OPERATIONS = ("*", "CREATE", "UPDATE", "DELETE", "CONNECT")
_IDENTIFIER = regexp(r"[_a-zA-Z][_a-zA-Z0-9]*")
_RESERVED = frozenset(
    "true false null in as break const continue else for function if import let loop package namespace return"
    " var void while".split()
)


def _blank(at: At) -> Iterator[Refusal]:
    if not at.text.strip() and (at.value is None or isinstance(at.value, str)):
        yield at.refuse("is required")


_CONDITIONS: tuple[Row, ...] = (
    ("validateMatchConditions", "matchConditions", size(64)),
    ("validateMatchConditions", "matchConditions", distinct("name")),
    ("validateMatchCondition", "matchConditions[].name", named(formats.qualified)),
    ("validateMatchCondition", "matchConditions[].expression", _blank),
)
_WEBHOOK: tuple[Row, ...] = (
    ("validateValidatingWebhook", "name", named(formats.full_name)),
    ("validateValidatingWebhook", "failurePolicy", option("Ignore", "Fail")),
    ("validateValidatingWebhook", "matchPolicy", option("Exact", "Equivalent")),
    ("validateValidatingWebhook", "sideEffects", choice("None", "NoneOnDryRun")),
    ("validateValidatingWebhook", "timeoutSeconds", between(1, 30)),
    ("validateValidatingWebhook", "namespaceSelector", selector),
    ("validateValidatingWebhook", "objectSelector", selector),
    ("validateMutatingWebhook", "reinvocationPolicy", option("Never", "IfNeeded")),
    ("[]byte", "clientConfig.caBundle", base64),
    *_CONDITIONS,
)


def webhooks(at: At) -> Iterator[Refusal]:
    """ValidateValidatingWebhookConfiguration, ValidateMutatingWebhookConfiguration."""
    yield from distinct("name")(at["webhooks"])
    for hook in at["webhooks"]:
        if not hook.is_map:
            continue
        yield from evaluate(_WEBHOOK, hook)
        for rule in hook["rules"]:
            yield from _rule(rule)
        for condition in hook["matchConditions"]:
            yield from expression(condition["expression"], HOOK, makes=("bool",))
        yield from client_config(hook["clientConfig"])
        yield from review_versions(hook["admissionReviewVersions"])


def review_versions(at: At) -> Iterator[Refusal]:
    """validateAdmissionReviewVersions; CRD conversions have the same rule."""
    yield from required(at)
    for version in at:
        yield from named(formats.dns1035)(version)
    if len(set(at.texts)) != len(at.texts):
        yield at.refuse("repeats a version")
    if at and not {"v1", "v1beta1"} & set(at.texts):
        yield at.refuse("must include v1 or v1beta1")


def client_config(at: At) -> Iterator[Refusal]:
    """How a webhook is reached (apiserver: pkg/util/webhook/validation.go)."""
    url, service = at["url"], at["service"]
    if (url.value is None) == (service.value is None):
        yield at.refuse("needs either url or service")
    elif isinstance(url.value, str):
        yield from _url(url)
    elif service.is_map:
        yield from required(service["name"])
        yield from required(service["namespace"])
        yield from port(service["port"])
        yield from _url_path(service["path"])


def _url(at: At) -> Iterator[Refusal]:
    try:
        parts = urlsplit(at.text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme != "https" or not parts.netloc:
        yield at.refuse(f"{shown(at.text)} must be an https URL with a host")
    elif "@" in parts.netloc or parts.query or parts.fragment:
        yield at.refuse(f"{shown(at.text)} must not have a user, a query or a fragment")


def _url_path(at: At) -> Iterator[Refusal]:
    text = at.text
    if text in ("", "/"):
        return
    steps = text[1:].removesuffix("/").split("/")
    if not text.startswith("/") or any(not step or formats.subdomain(step) for step in steps):
        yield at.refuse(f"{shown(text)} must be '/' and segments of a-z, 0-9, '-' and '.'")


def _rule(at: At) -> Iterator[Refusal]:
    """validateRuleWithOperations, validateRule, validateResources."""
    if not at.is_map:
        return
    for name in ("operations", "apiGroups", "apiVersions", "resources"):
        yield from required(at[name])
    for name in ("operations", "apiGroups", "apiVersions"):
        if "*" in at[name].texts and len(at[name].texts) > 1:
            yield at[name].refuse("'*' excludes others")
    for operation in at["operations"]:
        yield from choice(*_OPERATIONS)(operation)
    for name in ("apiVersions", "resources"):
        for item in at[name]:
            yield from required(item)
    yield from option("Cluster", "Namespaced", "*")(at["scope"])
    yield from _resources(at["resources"])
    for resource in at["resourceNames"]:
        yield from valid(formats.path_segment)(resource)
    if len(set(at["resourceNames"].texts)) != len(at["resourceNames"].texts):
        yield at["resourceNames"].refuse("repeats a name")


def _resources(at: At) -> Iterator[Refusal]:
    texts = at.texts
    if "*/*" in texts and len(texts) > 1:
        yield at.refuse("'*/*' excludes others")
    # As the server does: only the last entry without a subresource counts.
    plain = [text for text in texts if "/" not in text]
    if "*" in texts and plain and plain[-1] != "*":
        yield at.refuse("'*' excludes others without subresource")
    wide: set[str] = set()
    wild: set[str] = set()
    for item in at:
        name, slash, sub = item.text.partition("/")
        if not slash:
            continue
        if name in wide or sub in wild:
            yield item.refuse("is covered by an earlier '*'")
        if sub == "*":
            wide.add(name)
        if name == "*":
            wild.add(sub)


def _policy_variable(at: At) -> Iterator[Refusal]:
    yield from _blank(at)
    if at.text.strip() and (not _IDENTIFIER.fullmatch(at.text) or at.text in _RESERVED):
        yield at.refuse(f"{shown(at.text)} must be a CEL identifier")


def _group_version(text: str) -> str | None:
    group, slash, version = text.rpartition("/")
    if "/" in group or not version or (slash and formats.subdomain(group)) or formats.dns1035(version):
        return "must be a group and a version, as in apps/v1"
    return None


def _lower_dns1035(text: str) -> str | None:
    return formats.dns1035(text.lower())


def _not_blank(at: At) -> Iterator[Refusal]:
    if at.text and not at.text.strip():
        yield at.refuse("must not be blank")


_POLICY: tuple[Row, ...] = (
    ("validateValidatingAdmissionPolicySpec", "spec.failurePolicy", option("Ignore", "Fail")),
    ("validateValidatingAdmissionPolicySpec", "spec!.matchConstraints", required),
    ("validateValidatingAdmissionPolicySpec", "spec.matchConstraints.resourceRules", required),
    ("validateParamKind", "spec.paramKind.apiVersion", named(_group_version)),
    ("validateParamKind", "spec.paramKind.kind", named(_lower_dns1035)),
    ("validateVariable", "spec.variables[].name", _policy_variable),
    ("validateVariable", "spec.variables[].expression", _blank),
    ("validateValidation", "spec.validations[].expression", _blank),
    ("validateValidation", "spec.validations[].messageExpression", _not_blank),
    (
        "validateValidation",
        "spec.validations[].reason",
        option("Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"),
    ),
    ("validateAuditAnnotation", "spec.auditAnnotations", size(20)),
    ("validateAuditAnnotation", "spec.auditAnnotations", distinct("key")),
    ("validateAuditAnnotation", "spec.auditAnnotations[].valueExpression", _blank),
    ("validateMutatingAdmissionPolicySpec", "spec.reinvocationPolicy", option("Never", "IfNeeded")),
    ("validateMutation", "spec.mutations[].applyConfiguration.expression", _blank),
    ("validateMutation", "spec.mutations[].jsonPatch.expression", _blank),
    ("validateMutation", "spec.mutations[].patchType", choice("ApplyConfiguration", "JSONPatch")),
    *((function, f"spec.{path}", check) for function, path, check in _CONDITIONS),
)


def admission_policy(at: At) -> Iterator[Refusal]:
    """ValidateValidatingAdmissionPolicy, ValidateMutatingAdmissionPolicy."""
    spec = at["spec"]
    yield from evaluate(_POLICY, at)
    yield from _match_resources(spec["matchConstraints"])
    yield from policy_expressions(spec, mutating=at["kind"].text == "MutatingAdmissionPolicy")
    if at["kind"].text == "MutatingAdmissionPolicy":
        yield from required(spec["mutations"])
        yield from choice("Never", "IfNeeded")(spec["reinvocationPolicy"])
        for mutation in spec["mutations"]:
            yield from _mutation(mutation)
        for operation in find(spec, "matchConstraints.resourceRules[].operations[]"):
            if operation.text == "DELETE":
                yield operation.refuse("is nothing that a policy can mutate")
        return
    if not spec["validations"] and not spec["auditAnnotations"]:
        yield spec["validations"].refuse("is required, or auditAnnotations")
    for message in find(spec, "validations[].message"):
        if re.search(r"[\n\r]", message.text.strip()):
            yield message.refuse("must not contain line breaks")
        elif message.text and not message.text.strip():
            yield message.refuse("must not be blank")
    for key in find(spec, "auditAnnotations[].key"):
        if fault := formats.qualified(f"{at['metadata']['name'].text}/{key.text}"):
            yield key.refuse(f"{shown(key.text)} {fault}")


def _mutation(at: At) -> Iterator[Refusal]:
    for kind, name in (("ApplyConfiguration", "applyConfiguration"), ("JSONPatch", "jsonPatch")):
        if at["patchType"].text == kind and at[name].value is None:
            yield at[name].refuse(f"is required with patchType {kind}")
        elif at["patchType"].text and at["patchType"].text != kind and at[name].value is not None:
            yield at[name].refuse(f"excludes patchType {at['patchType'].text}")


def _match_resources(at: At) -> Iterator[Refusal]:
    yield from option("Exact", "Equivalent")(at["matchPolicy"])
    yield from selector(at["namespaceSelector"])
    yield from selector(at["objectSelector"])
    for name in ("resourceRules", "excludeResourceRules"):
        for rule in at[name]:
            yield from _rule(rule)


def policy_binding(at: At) -> Iterator[Refusal]:
    """ValidateValidatingAdmissionPolicyBinding, ValidateMutatingAdmissionPolicyBinding."""
    spec = At({}, at["spec"].path) if at["spec"].value is None else at["spec"]
    yield from named(formats.subdomain)(spec["policyName"])
    yield from _match_resources(spec["matchResources"])
    reference = spec["paramRef"]
    if reference.is_map:
        yield from valid(formats.path_segment)(reference["name"])
        yield from selector(reference["selector"])
        if bool(reference["name"].text) == (reference["selector"].value is not None):
            yield reference.refuse("needs either name or selector")
        yield from choice("Allow", "Deny")(reference["parameterNotFoundAction"])
    if at["kind"].text == "MutatingAdmissionPolicyBinding":
        return
    actions = spec["validationActions"]
    yield from required(actions)
    for action in actions:
        yield from choice("Deny", "Warn", "Audit")(action)
    if len(set(actions.texts)) != len(actions.texts):
        yield actions.refuse("repeats an action")
    if {"Deny", "Warn"} <= set(actions.texts):
        yield actions.refuse("Deny and Warn exclude each other")
