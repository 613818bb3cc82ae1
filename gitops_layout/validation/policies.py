"""ValidatingAdmissionPolicies of the repository on the objects that it delivers to the same cluster.

A policy acts through bindings that deny; those that warn or audit refuse nothing, unless an audit annotation cannot be made.
It is judged as for a create. What the API server fills in before
policies see an object is filled in for the fields that policies speak of most (`defaulted`). Who asks is not known, so expressions
over `authorizer` or `request.userInfo` are not judged, nor are parameters and namespaces that the repository does not have.

Sources: apiserver 0.36, pkg/admission/plugin/policy/{generic,matching,validating}.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gitops_layout.cel import Binding, CelError, bind, compile_expression
from gitops_layout.k8s.scope import builtin_scope
from gitops_layout.patterns import regexp
from gitops_layout.validation import bundle
from gitops_layout.validation.defaults import defaulted
from gitops_layout.validation.namespaces import Namespaces
from gitops_layout.validation.server.cursor import At
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from gitops_layout.graph.model import Graph
    from gitops_layout.validation.subject import Subject

__all__ = ["Denial", "Unjudged", "denials"]

_GROUP = "admissionregistration.k8s.io"
_NAMESPACE_NAME = "kubernetes.io/metadata.name"  # a label that every namespace has
_VARIABLES = ("object", "oldObject", "request", "params", "namespaceObject")
_ASKER = regexp(r"\bauthorizer\b|\brequest\.userInfo\b")
_PIECES = regexp(r"(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')")
_OWN = regexp(r"\bvariables\.(\w+)")
_MOST = 50_000
_KEY = regexp(r"[Kk]ey not found in map : \"([^\"]*)\"")
_KEYS = regexp("no such key|key not found", re.IGNORECASE)


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
    policies = _distinct(s for s in subjects if _is(s, "ValidatingAdmissionPolicy"))
    bindings = _distinct(s for s in subjects if _is(s, "ValidatingAdmissionPolicyBinding"))
    if not policies or not bindings:
        return
    namespaces = Namespaces(graph, subjects)
    there: dict[str | None, list[Subject]] = defaultdict(list)
    for subject in subjects:
        there[subject.affected.cluster].append(subject)
    named: dict[tuple[str | None, str], list[Subject]] = defaultdict(list)
    for policy in policies:
        named[policy.affected.cluster, policy.ref.name].append(policy)
    for binding in bindings:
        cluster = binding.affected.cluster
        for policy in named.get((cluster, At(binding.data)["spec"]["policyName"].text), ()):
            yield from _bound(policy, binding, there[cluster], namespaces)


def _distinct(subjects: Iterable[Subject]) -> list[Subject]:
    """Each once a cluster: where many deliveries bring the same one, it refuses the same."""
    found: dict[tuple[str | None, str], list[Subject]] = defaultdict(list)
    for subject in subjects:
        known = found[subject.affected.cluster, subject.ref.name]
        if all(subject.data != other.data for other in known):
            known.append(subject)
    return [subject for known in found.values() for subject in known]


_POLICIES = (
    "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding",
)  # fmt: skip
"""What no policy is asked about."""


def _is(subject: Subject, *kinds: str) -> bool:
    return subject.ref.group == _GROUP and subject.ref.kind in kinds


def _bound(
    policy: Subject, binding: Subject, there: Sequence[Subject], namespaces: Namespaces
) -> Iterator[Denial | Unjudged]:
    """What a policy refuses through a binding of what is `there`, in the cluster of both."""
    spec, bound = At(policy.data)["spec"], At(binding.data)["spec"]
    given = _givable(spec, there)
    meant: dict[tuple[str, str], bool] = {}
    seen: set[int] = set()
    for subject in there:
        kind = subject.ref.api_version, subject.ref.kind
        if kind not in meant:
            meant[kind] = not _is(subject, *_POLICIES) and _of_kind(spec["matchConstraints"], subject)
        if not meant[kind] or id(subject.data) in seen:
            continue
        try:
            if not _meant(spec["matchConstraints"], subject, rules=True):
                continue
            seen.add(id(subject.data))
            if bound["matchResources"].is_map and not _meant(bound["matchResources"], subject, rules=False):
                continue
            for where in (spec["matchConstraints"], bound["matchResources"]):
                if not _in_namespace(where["namespaceSelector"], subject, namespaces):
                    break
            else:
                words = _judged(spec, bound, subject, given, namespaces)
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
    if (not at["resourceRules"] and not rules) or any(_rule(rule, subject) for rule in at["resourceRules"]):
        return True
    if at["matchPolicy"].text != "Exact" and any(_equivalent(rule, subject) for rule in at["resourceRules"]):
        raise _UnknownError(
            f"it asks for {subject.ref.kind} in another version than {subject.ref.api_version}"
        )
    return False


def _equivalent(at: At, subject: Subject) -> bool:
    """Whether a rule is for a version of Kubernetes' own kind to which the server would convert the object."""
    group, _, version = subject.ref.api_version.rpartition("/")
    others = [name for name in at["apiVersions"].texts if bundle.served(group, name, subject.ref.kind)]
    return bool(others) and version not in others and _rule(at, subject, version=others[0])


def _of_kind(at: At, subject: Subject) -> bool:
    """Whether a rule of a MatchResources may cover an object of this one's kind, in any version."""
    group = subject.ref.api_version.rpartition("/")[0]
    resources = {"*", "*/*", _plural(subject.ref.kind)}
    return any(
        bool({"*", group} & set(rule["apiGroups"].texts)) and bool(resources & set(rule["resources"].texts))
        for rule in at["resourceRules"]
    )


def _rule(at: At, subject: Subject, *, version: str = "") -> bool:
    group, _, own = subject.ref.api_version.rpartition("/")
    version = version or own
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
    spec: At, bound: At, subject: Subject, given: Sequence[Subject], namespaces: Namespaces
) -> str | None:
    """The words of the denial, None where there is none."""
    fails = spec["failurePolicy"].text != "Ignore"
    namespace = namespaces.of(subject)
    own = {item["name"].text: item["expression"].text for item in spec["variables"]}
    in_no_namespace = builtin_scope(subject.ref.group, subject.ref.kind) is False
    deny = "Deny" in bound["validationActions"].texts
    for params in _params(spec, bound, subject, given, namespaces):
        group, _, version = subject.ref.api_version.rpartition("/")
        kind = {"group": group, "version": version, "kind": subject.ref.kind}
        resource = {"group": group, "version": version, "resource": _plural(subject.ref.kind)}
        request = {
            "kind": kind,
            "requestKind": kind,
            "resource": resource,
            "requestResource": resource,
            "dryRun": False,
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
        matches = _conditions(spec, binding, fails=fails)
        if isinstance(matches, str) and deny:
            return matches
        if matches is not True:
            continue
        for item in spec["validations"] if deny else ():
            text = _composed(item["expression"].text, own)
            if namespace is None and not in_no_namespace and "namespaceObject" in text:
                raise _UnknownError("it asks for a namespace that is not in the repository")
            try:
                if _holds(text, binding):
                    continue
            except CelError as error:
                if not _KEYS.search(str(error)):
                    raise _UnknownError(str(error)) from None
                if fails:
                    return _failed(item["expression"].text, str(error))
                continue
            return _words(item, binding, own)
        refused = _annotated(spec, binding, own) if fails else None
        if refused is not None:
            return refused
    return None


def _annotated(spec: At, binding: Binding, own: Mapping[str, str]) -> str | None:
    """Why an audit annotation cannot be made, which denies whatever the binding's actions are."""
    for item in spec["auditAnnotations"]:
        try:
            text = _composed(item["valueExpression"].text, own)
            if not _ASKER.search(text):
                compile_expression(text, _VARIABLES, words=True).words(binding)
        except (CelError, _UnknownError) as error:
            if _KEY.search(str(error)):
                return _failed(item["valueExpression"].text, str(error))
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


def _conditions(spec: At, binding: Binding, *, fails: bool) -> bool | str:
    """Whether all conditions hold; one that does not outdoes those that end in an error, whose words deny."""
    wrong: list[tuple[At, str]] = []
    for condition in spec["matchConditions"]:
        try:
            if not _holds(condition["expression"].text, binding):
                return False
        except (CelError, _UnknownError) as error:
            wrong.append((condition, str(error)))
    if not wrong:
        return True
    if any(not _KEYS.search(words) for _, words in wrong):
        condition, words = wrong[0]
        raise _UnknownError(
            words if words.startswith("it asks") else f"condition {condition['name'].text}: {words}"
        )
    return _failed(wrong[0][0]["expression"].text, wrong[0][1]) if fails else False


def _failed(expression: str, words: str) -> str:
    """What the server says of an expression that asks for a key that is not there."""
    key = _KEY.search(words)
    return f"expression '{expression}' resulted in error: {f'no such key: {key[1]}' if key else words}"


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


def _givable(spec: At, there: Sequence[Subject]) -> list[Subject]:
    """What is of the kind that a policy takes as its parameters."""
    kind = spec["paramKind"]["apiVersion"].text, spec["paramKind"]["kind"].text
    return [other for other in there if (other.ref.api_version, other.ref.kind) == kind]


def _params(
    spec: At, bound: At, subject: Subject, given: Sequence[Subject], namespaces: Namespaces
) -> Iterator[Any]:
    """The objects that the binding gives the policy as parameters, of those `given`; one None where it has none."""
    kind, reference = spec["paramKind"], bound["paramRef"]
    if not kind.is_map or not reference.is_map:
        yield None
        return
    where = reference["namespace"].text or namespaces.name(subject)
    found = [
        other.data
        for other in given
        if namespaces.name(other) in ("", where)
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
