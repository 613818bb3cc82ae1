"""Whether CEL expressions compile, as far as our engine can tell for the server's.

The server compiles every expression of a policy, webhook or CRD (apiserver: pkg/cel/environment). Named is what certainly
does not: syntax, names that nothing declares, fields that the server's own variables do not have, functions that do not
take what they are given, literals that are no pattern or time, and results that are certainly of another type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.errors import UserError
from gitops_layout.k8s import formats
from gitops_layout.patterns import regexp
from gitops_layout.validation.server.celtypes import Typed, literals, typed
from gitops_layout.validation.server.cursor import At, Refusal, shown

__all__ = ["DEVICE", "HOOK", "expression", "policy_expressions"]

_LIMIT = 10_000
_NAMES = {
    "bool": "true or false",
    "string": "text",
    "null": "null",
    "list": "a list of JSONPatch",
    "dyn": "any value",
}
_TRUTH = ("bool",)
_ONE_PATCH = regexp(r"\s*JSONPatch\s*\{[^{}]*\}\s*")
_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}


def _object(*texts: str, **others: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {**dict.fromkeys(texts, _TEXT), **others}}


_TEXT_MAP = {"type": "object", "additionalProperties": _TEXT}
_METADATA = {
    **_object("name", "namespace", labels=_TEXT_MAP, annotations=_TEXT_MAP),
    "x-kubernetes-preserve-unknown-fields": True,
}
_RESOURCE = _object("group", "version", "resource")
_KIND = _object("group", "version", "kind")
_REQUEST = _object(
    "subResource", "requestSubResource", "name", "namespace", "operation",
    kind=_KIND, resource=_RESOURCE, requestKind=_KIND, requestResource=_RESOURCE,
    userInfo=_object("username", "uid", groups=_TEXTS, extra={"type": "object", "additionalProperties": _TEXTS}),
    dryRun={"type": "boolean"}, options={},
)  # fmt: skip
DEVICE = _object("driver", attributes={}, capacity={}, allowMultipleAllocations={"type": "boolean"})
"""The server's own variables, typed as it does (apiserver: pkg/admission/plugin/cel/compile.go; DRA: cel/compile.go)."""
HOOK: Mapping[str, Any] = dict.fromkeys(("object", "oldObject"), None) | {
    "request": _REQUEST,
    "authorizer": None,
}
_POLICY: Mapping[str, Any] = {**HOOK, "namespaceObject": _object(metadata=_METADATA, spec={}, status={})}


def expression(
    at: At, scope: Mapping[str, Any], *, makes: tuple[str, ...] = (), objects: bool = False
) -> Iterator[Refusal]:
    """What is certainly wrong with one expression over `scope` (see `typed`).

    `makes` are the types of which the result has to be; none says that any will do.
    """
    judged = _judged(at, scope, objects=objects)
    if judged.fault:
        yield at.refuse(judged.fault)
        return
    made = judged.made if isinstance(judged.made, str) else judged.made[0]
    if makes and made not in makes and made != "any":
        yield at.refuse(
            f"makes {_NAMES.get(made, made)}, not {' or '.join(_NAMES.get(each, each) for each in makes)}"
        )


def _judged(at: At, scope: Mapping[str, Any], *, objects: bool = False) -> Typed:
    text = at.text
    if not text.strip() or len(text) > _LIMIT:
        return Typed()
    try:
        judged = typed(text, scope, objects=objects)
    except UserError:
        return Typed()  # there is no engine, which those who need it say
    wrong = next((fault for name, inner in literals(text) if (fault := _literal(name, inner))), "")
    return Typed(judged.fault or wrong, judged.made)


def _literal(name: str, text: str) -> str:
    match name:
        case "matches" if fault := formats.regex(text):
            return f"does not compile: {shown(text)} {fault}"
        case "timestamp" if not formats.is_time(text):
            return f"does not compile: {shown(text)} is no time"
        case "duration" if formats.timeout(text):
            return f"does not compile: {shown(text)} is no duration"
    return ""


def policy_expressions(spec: At, *, mutating: bool) -> Iterator[Refusal]:
    """All expressions of an admission policy; its own variables exist for those that follow them, with their types."""
    own: dict[str, Any] = {}
    known = {**_POLICY, "variables": {"type": "object", "properties": own}}
    if spec["paramKind"].value is not None:
        known["params"] = None
    for condition in spec["matchConditions"]:
        without = {name: node for name, node in known.items() if name != "variables"}
        yield from expression(condition["expression"], without, makes=_TRUTH)
    for variable in spec["variables"]:
        yield from expression(variable["expression"], known)
        own[variable["name"].text] = {"cel": _judged(variable["expression"], known).made}
    for validation in spec["validations"]:
        yield from expression(validation["expression"], known, makes=_TRUTH)
        without = {name: node for name, node in known.items() if name != "authorizer"}
        yield from expression(validation["messageExpression"], without, makes=("string",))
    for annotation in spec["auditAnnotations"]:
        yield from expression(annotation["valueExpression"], known, makes=("string", "null"))
    for mutation in spec["mutations"] if mutating else ():
        yield from expression(
            mutation["applyConfiguration"]["expression"], known, makes=("Object",), objects=True
        )
        patch = mutation["jsonPatch"]["expression"]
        yield from expression(patch, known, makes=("list",), objects=True)
        if _ONE_PATCH.fullmatch(patch.text[:_LIMIT]):
            yield patch.refuse("makes one JSONPatch, not a list of them")
