"""Whether CEL expressions compile, as far as our engine can tell for the server's.

The server compiles every expression of a policy, webhook or CRD (apiserver: pkg/cel/environment) with
functions that our engine lacks. So only four faults are named: syntax, variables that nothing declares, fields that
the server's own variables do not have, and results that are certainly of another type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gitops_layout.cel import CelError, result_type
from gitops_layout.errors import UserError
from gitops_layout.patterns import regexp
from gitops_layout.validation.server.cursor import At, Refusal

__all__ = ["expression", "policy_expressions"]

_LIMIT = 10_000
_UNDECLARED = regexp(r"<input>:\d+:\d+: undeclared reference to '([\w.]+)'")
_TWO_VARIABLES = regexp(r"\.\w+\(\s*\w+\s*,\s*\w+\s*,")
_STRING = regexp(r"\"[^\"]*\"|'[^']*'")
_VARIABLE = regexp(r"\bvariables\.(\w+)")
_LIBRARIES = frozenset(
    "base64 cel cidr duration encoders format ip jsonpatch lists math net optional quantity regex semver sets strings"
    " timestamp url".split()
)
_FIELDS = {
    "request": frozenset(
        "kind resource subResource requestKind requestResource requestSubResource name namespace operation userInfo"
        " dryRun options".split()
    ),
    "namespaceObject": frozenset(("metadata", "spec", "status")),
    "device": frozenset(("driver", "attributes", "capacity", "allowMultipleAllocations")),
}
"""What the variables have that the server types itself (apiserver: pkg/admission/plugin/cel/compile.go; DRA: cel/compile.go)."""
_TYPED = regexp(r"\b(?:request|namespaceObject|authorizer|variables|device|self|oldSelf)\b")
"""Variables whose values have types for the server that they do not have for our engine."""
_NAMES = {"BOOL": "true or false", "STRING": "text", "NULL": "null"}
_TRUTH = ("BOOL",)
_POLICY = ("object", "oldObject", "request", "namespaceObject", "authorizer", "variables")


def expression(at: At, variables: tuple[str, ...], *, makes: tuple[str, ...] = ()) -> Iterator[Refusal]:
    """What is certainly wrong with one expression over `variables`.

    `makes` are the types of which the result has to be, of `BOOL`, `STRING` and `NULL`; none says that any will do.
    """
    text = at.text
    if not text.strip() or len(text) > _LIMIT:
        return
    bare = _STRING.sub('""', text)
    for name in variables:
        for field in re.findall(rf"(?<![\w.]){name}\.(\w+)", bare) if name in _FIELDS else ():
            if field not in _FIELDS[name]:
                yield at.refuse(f"does not compile: {name} has no {field}")
                return
    try:
        made = result_type(text, variables)
    except UserError:
        return  # there is no engine, which those who need it say
    except CelError as error:
        if fault := _fault(str(error), text, variables):
            yield at.refuse(fault)
        return
    # What is dynamic to us only because we do not know a type is left alone.
    if makes and made not in makes and not (made == "DYN" and _TYPED.search(bare)):
        yield at.refuse(f"makes {made.lower()}, not {' or '.join(_NAMES[each] for each in makes)}")


def _fault(words: str, text: str, variables: tuple[str, ...]) -> str | None:
    if "Syntax error" in words:
        return f"does not compile: {words.rpartition('Syntax error: ')[2][:200]}"
    found = _UNDECLARED.match(words)
    name = found[1].partition(".")[0] if found else ""
    opened = "[({]" if name in ("Object", "JSONPatch") else r"\("
    called = re.search(rf"(?<![\w.]){re.escape(name)}\s*{opened}", text)
    if not name or name in variables or name in _LIBRARIES or called or _TWO_VARIABLES.search(text):
        return None
    # A method that our engine lacks is reported by its bare name, too.
    if not re.search(rf"(?<![\w.]){re.escape(name)}\b", _STRING.sub('""', text)):
        return None
    return f"does not compile: there is no variable {name}, only {', '.join(variables)}"


def policy_expressions(spec: At, *, mutating: bool) -> Iterator[Refusal]:
    """All expressions of an admission policy; its own variables exist for those that follow them."""
    known = (*_POLICY, "params") if spec["paramKind"].value is not None else _POLICY
    for condition in spec["matchConditions"]:
        yield from expression(condition["expression"], known[:5] + known[6:], makes=_TRUTH)
    declared: set[str] = set()
    for variable in spec["variables"]:
        yield from expression(variable["expression"], known)
        yield from _own(variable["expression"], declared)
        declared.add(variable["name"].text)
    for validation in spec["validations"]:
        yield from expression(validation["expression"], known, makes=_TRUTH)
        yield from _own(validation["expression"], declared)
        yield from expression(validation["messageExpression"], known[:4] + known[5:], makes=("STRING",))
        yield from _own(validation["messageExpression"], declared)
    for annotation in spec["auditAnnotations"]:
        yield from expression(annotation["valueExpression"], known, makes=("STRING", "NULL"))
        yield from _own(annotation["valueExpression"], declared)
    for mutation in spec["mutations"] if mutating else ():
        for kind in ("applyConfiguration", "jsonPatch"):
            yield from expression(mutation[kind]["expression"], known)
            yield from _own(mutation[kind]["expression"], declared)


def _own(at: At, declared: set[str]) -> Iterator[Refusal]:
    for name in dict.fromkeys(_VARIABLE.findall(_STRING.sub('""', at.text[:_LIMIT]))):
        if name not in declared:
            yield at.refuse(f"does not compile: variables has no {name}")
