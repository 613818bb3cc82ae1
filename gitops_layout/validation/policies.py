"""ValidatingAdmissionPolicies of the repository on the objects that it delivers to the same cluster.

A policy acts through bindings that deny; it is judged as for a create. What the API server fills in before
policies see an object is filled in for the fields that policies speak of most (`defaulted`). Who asks is not known, so expressions
over `authorizer` or `request.userInfo` are not judged, nor are parameters and namespaces that the repository does not have.

Sources: apiserver 0.36, pkg/admission/plugin/policy/{generic,matching,validating}.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitops_layout.cel import Binding, CelError, bind, compile_expression
from gitops_layout.k8s.pods import pod_spec
from gitops_layout.k8s.scope import builtin_scope
from gitops_layout.validation.namespaces import Namespaces
from gitops_layout.validation.server.cursor import At

if TYPE_CHECKING:
    from gitops_layout.graph.model import Graph
    from gitops_layout.validation.subject import Subject

__all__ = ["Denial", "Unjudged", "denials"]

_GROUP = "admissionregistration.k8s.io"
_NAMESPACE_NAME = "kubernetes.io/metadata.name"  # a label that every namespace has
_VARIABLES = ("object", "oldObject", "request", "params", "namespaceObject")
_ASKER = re.compile(r"\bauthorizer\b|\brequest\.userInfo\b")
_PIECES = re.compile(r"(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')")
_OWN = re.compile(r"\bvariables\.(\w+)")
_MOST = 50_000
_KEY = re.compile(r"[Kk]ey not found in map : \"([^\"]*)\"")
_KEYS = re.compile("no such key|key not found", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Denial:
    """An object that a policy denies, the policy, and the server's words."""

    subject: Subject
    policy: Subject
    message: str


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A policy that could not be judged on an object, and why."""

    policy: Subject
    why: str


def denials(graph: Graph, subjects: Sequence[Subject]) -> Iterator[Denial | Unjudged]:
    """What the denying policies of each cluster refuse of the objects delivered to it."""
    policies = [s for s in subjects if _is(s, "ValidatingAdmissionPolicy")]
    bindings = [s for s in subjects if _is(s, "ValidatingAdmissionPolicyBinding")]
    if not policies or not bindings:
        return
    namespaces = Namespaces(graph, subjects)
    for binding in bindings:
        spec = At(binding.data)["spec"]
        if "Deny" not in spec["validationActions"].texts:
            continue
        for policy in policies:
            same = policy.affected.cluster == binding.affected.cluster
            if same and policy.ref.name == spec["policyName"].text:
                yield from _bound(policy, binding, subjects, namespaces)


def _is(subject: Subject, kind: str) -> bool:
    return subject.ref.group == _GROUP and subject.ref.kind == kind


def _bound(
    policy: Subject, binding: Subject, subjects: Sequence[Subject], namespaces: Namespaces
) -> Iterator[Denial | Unjudged]:
    spec, bound = At(policy.data)["spec"], At(binding.data)["spec"]
    seen: set[int] = set()
    for subject in subjects:
        if subject.ref.group == _GROUP or subject.affected.cluster != policy.affected.cluster:
            continue
        if id(subject.data) in seen or not _meant(spec["matchConstraints"], subject, rules=True):
            continue
        seen.add(id(subject.data))
        if bound["matchResources"].is_map and not _meant(bound["matchResources"], subject, rules=False):
            continue
        try:
            for where in (spec["matchConstraints"], bound["matchResources"]):
                if not _in_namespace(where["namespaceSelector"], subject, namespaces):
                    break
            else:
                words = _judged(spec, bound, subject, subjects, namespaces)
                if words is not None:
                    yield Denial(subject, policy, words)
        except _UnknownError as problem:
            yield Unjudged(policy, str(problem))


class _UnknownError(Exception):
    """What the verdict depends on and the repository does not tell."""


# Which objects a policy is meant for


def _meant(at: At, subject: Subject, *, rules: bool) -> bool:
    """Whether a MatchResources covers the creation of an object, but for its namespace."""
    labels = At(subject.data)["metadata"]["labels"].value
    if not _selects(at["objectSelector"], labels if isinstance(labels, dict) else {}):
        return False
    if any(_rule(rule, subject) for rule in at["excludeResourceRules"]):
        return False
    return (not at["resourceRules"] and not rules) or any(
        _rule(rule, subject) for rule in at["resourceRules"]
    )


def _rule(at: At, subject: Subject) -> bool:
    group, _, version = subject.ref.api_version.rpartition("/")
    scope = builtin_scope(group, subject.ref.kind)
    wanted = at["scope"].text or "*"
    names = at["resourceNames"].texts
    return (
        bool({"*", group} & set(at["apiGroups"].texts))
        and bool({"*", version} & set(at["apiVersions"].texts))
        and bool({"*", "CREATE"} & set(at["operations"].texts))
        and bool({"*", "*/*", _plural(subject.ref.kind)} & set(at["resources"].texts))
        and (not names or subject.ref.name in names)
        and (wanted == "*" or scope is None or (wanted == "Namespaced") == scope)
    )


def _plural(kind: str) -> str:
    """The resource of a kind, as the API server guesses it (meta.UnsafeGuessKindToResource)."""
    name = kind.lower()
    if name.endswith("endpoints"):
        return name
    if name.endswith("s"):
        return f"{name}es"
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"


def _selects(at: At, labels: Mapping[str, Any]) -> bool:
    """A LabelSelector on labels; one that is absent or empty selects everything."""
    wanted = at["matchLabels"].value
    if any(labels.get(key) != value for key, value in (wanted if isinstance(wanted, dict) else {}).items()):
        return False
    return all(_expressed(item, labels) for item in at["matchExpressions"])


def _expressed(at: At, labels: Mapping[str, Any]) -> bool:
    """One of `matchExpressions` on labels."""
    value, values = labels.get(at["key"].text), at["values"].texts
    return {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }.get(at["operator"].text, False)


def _in_namespace(at: At, subject: Subject, namespaces: Namespaces) -> bool:
    if at.empty:
        return True
    if builtin_scope(subject.ref.group, subject.ref.kind) is False:
        # A Namespace is selected by its own labels, everything else of the cluster always.
        own = At(subject.data)["metadata"]["labels"].value
        labels = {**(own if isinstance(own, dict) else {}), _NAMESPACE_NAME: subject.ref.name}
        return (subject.ref.group, subject.ref.kind) != ("", "Namespace") or _selects(at, labels)
    found = namespaces.of(subject)
    if found is None:
        keys = {*(at["matchLabels"].value or {}), *(item["key"].text for item in at["matchExpressions"])}
        name = namespaces.name(subject)
        if name and any(
            not _expressed(item, {_NAMESPACE_NAME: name})
            for item in at["matchExpressions"]
            if item["key"].text == _NAMESPACE_NAME
        ):
            return False
        if not name or keys - {_NAMESPACE_NAME}:
            raise _UnknownError(f"the labels of namespace {name or '(none)'} are not in the repository")
        return _selects(at, {_NAMESPACE_NAME: name})
    return _selects(at, found.labels)


# What it says of one


def _judged(
    spec: At, bound: At, subject: Subject, subjects: Sequence[Subject], namespaces: Namespaces
) -> str | None:
    """The words of the denial, None where there is none."""
    fails = spec["failurePolicy"].text != "Ignore"
    namespace = namespaces.of(subject)
    own = {item["name"].text: item["expression"].text for item in spec["variables"]}
    for params in _params(spec, bound, subject, subjects, namespaces):
        group, _, version = subject.ref.api_version.rpartition("/")
        kind = {"group": group, "version": version, "kind": subject.ref.kind}
        request = {
            "kind": kind,
            "resource": {"group": group, "version": version, "resource": _plural(subject.ref.kind)},
            "operation": "CREATE",
            "name": subject.ref.name,
            "namespace": namespaces.name(subject),
        }
        data = {
            "object": defaulted(subject.data, namespaces.name(subject)),
            "oldObject": None,
            "request": request,
            "params": params,
            "namespaceObject": None if namespace is None else dict(namespace.data),
        }
        binding = _binding(data)
        if not _conditions(spec, binding, fails=fails):
            return None
        for item in spec["validations"]:
            text = _composed(item["expression"].text, own)
            if namespace is None and "namespaceObject" in text:
                raise _UnknownError("it asks for a namespace that is not in the repository")
            try:
                if _holds(text, binding):
                    continue
            except CelError as error:
                if not _KEYS.search(str(error)):
                    raise _UnknownError(str(error)) from None
                if fails:
                    key = _KEY.search(str(error))
                    words = f"no such key: {key[1]}" if key else str(error)
                    return f"expression '{item['expression'].text}' resulted in error: {words}"
                continue
            return _words(item, binding, own)
    return None


def _binding(data: dict[str, Any]) -> Binding:
    try:
        return bind(data)
    except CelError as error:
        raise _UnknownError(str(error)) from None


def _holds(text: str, binding: Binding) -> bool:
    if _ASKER.search(text):
        raise _UnknownError("it asks who sends the request")
    return compile_expression(text, _VARIABLES).holds(binding)


def _conditions(spec: At, binding: Binding, *, fails: bool) -> bool:
    for condition in spec["matchConditions"]:
        try:
            if not _holds(condition["expression"].text, binding):
                return False
        except CelError as error:
            if fails:
                raise _UnknownError(f"condition {condition['name'].text}: {error}") from None
            return False
    return True


def _composed(text: str, own: Mapping[str, str], depth: int = 0) -> str:
    """The expression with the policy's variables written out, so that they are evaluated only where used."""
    if depth > 20 or len(text) > _MOST:
        raise _UnknownError("its variables are too deeply nested")
    pieces = _PIECES.split(text)
    for number in range(0, len(pieces), 2):
        pieces[number] = _OWN.sub(
            lambda match: f"({_composed(own[match[1]], own, depth + 1)})" if match[1] in own else match[0],
            pieces[number],
        )
    whole = "".join(pieces)
    if len(whole) > _MOST:
        raise _UnknownError("its variables are too long")
    return whole


def _words(item: At, binding: Binding, own: Mapping[str, str]) -> str:
    fixed = item["message"].text.strip() or f"failed expression: {item['expression'].text.strip()}"
    if not item["messageExpression"].text.strip():
        return fixed
    try:
        text = _composed(item["messageExpression"].text, own)
        words = compile_expression(text, _VARIABLES, words=True).words(binding).strip()
    except (CelError, _UnknownError):
        return fixed  # as the server does
    return words if words and "\n" not in words else fixed


def _params(
    spec: At, bound: At, subject: Subject, subjects: Sequence[Subject], namespaces: Namespaces
) -> Iterator[Any]:
    """The objects that the binding gives the policy as parameters; one None where it has none."""
    kind, reference = spec["paramKind"], bound["paramRef"]
    if not kind.is_map or not reference.is_map:
        yield None
        return
    where = reference["namespace"].text or namespaces.name(subject)
    found = [
        other.data
        for other in subjects
        if (other.ref.api_version, other.ref.kind) == (kind["apiVersion"].text, kind["kind"].text)
        and other.affected.cluster == subject.affected.cluster
        and namespaces.name(other) in ("", where)
        and (
            other.ref.name == reference["name"].text
            if reference["name"].text
            else _selects(reference["selector"], At(other.data)["metadata"]["labels"].value or {})
        )
    ]
    if not found:
        raise _UnknownError(
            f"its parameters ({kind['kind'].text} {reference['name'].text}) are not in the repository"
        )
    yield from found


# What the server fills in first

_POD = {
    "restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler",
    "terminationGracePeriodSeconds": 30, "securityContext": {},
}  # fmt: skip
_CONTAINER = {
    "resources": {}, "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
}  # fmt: skip
_SPECS: dict[str, dict[str, Any]] = {
    "Deployment": {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600},
    "StatefulSet": {"replicas": 1, "revisionHistoryLimit": 10, "podManagementPolicy": "OrderedReady"},
    "ReplicaSet": {"replicas": 1},
    "DaemonSet": {"revisionHistoryLimit": 10},
    "Job": {"backoffLimit": 6, "completions": 1, "parallelism": 1, "completionMode": "NonIndexed", "suspend": False},
    "CronJob": {"concurrencyPolicy": "Allow", "suspend": False, "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1},
    "Service": {"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster"},
}  # fmt: skip


def defaulted(data: dict[str, Any], namespace: str) -> dict[str, Any]:
    """A copy of an object with what the server fills in, where policies are likely to look."""
    result = copy.deepcopy(data)
    if namespace and isinstance(result.get("metadata"), dict):
        result["metadata"].setdefault("namespace", namespace)
    spec = result.get("spec")
    if isinstance(spec, dict) and builtin_scope(
        str(data.get("apiVersion")).rpartition("/")[0], str(data.get("kind"))
    ):
        _fill(spec, _SPECS.get(str(data.get("kind")), {}))
    found = pod_spec(result)
    if found is not None:
        _fill(found[0], _POD)
        for kind in ("containers", "initContainers"):
            for container in At(found[0])[kind]:
                if container.is_map and container.value:
                    _fill(container.value, {**_CONTAINER, "imagePullPolicy": _pull(container["image"].text)})
                    for port in container["ports"]:
                        if port.is_map and port.value:
                            _fill(port.value, {"protocol": "TCP"})
    return result


def _pull(image: str) -> str:
    tag = image.rpartition("/")[2].partition("@")[0].partition(":")[2]
    return "Always" if tag == "latest" or (not tag and "@" not in image) else "IfNotPresent"


def _fill(target: dict[str, Any], defaults: Mapping[str, Any]) -> None:
    for key, value in defaults.items():
        if target.get(key) is None:
            target[key] = copy.deepcopy(value)
