"""What a definition's schema says about itself: rules in CEL, defaults, fields to select by.

Source: k8s.io/apiextensions-apiserver 0.36, pkg/apis/apiextensions/validation/validation.go (ValidateCustomResourceSelectableFields
and x-kubernetes-validations), pkg/apiserver/schema/cel (ValidFieldPath) and pkg/apiserver/schema/defaulting (ValidateDefaults).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gitops_layout.patterns import regexp
from gitops_layout.validation.server.celtypes import STRING
from gitops_layout.validation.server.checks import one_of
from gitops_layout.validation.server.clean import content
from gitops_layout.validation.server.cursor import At, Refusal, shown
from gitops_layout.validation.server.expressions import expression

__all__ = ["default", "rules", "selectable"]

_TEXT = regexp(STRING)
_OLD = regexp(r"\boldSelf\b")
_STEP = regexp(r"\.([^.\[\]]*)|\['((?:[^'\\]|\\.)*)'\]")
_MOST_SELECTABLE = 8
_EITHER = {"integer", "string"}
_LOOSE = frozenset(("type", "default", "description", "title", "nullable"))
_TYPES: dict[str, type] = {"string": str, "boolean": bool, "integer": int}


def rules(schema: At, *, root: bool) -> Iterator[Refusal]:
    """`x-kubernetes-validations` of one schema; `root` where it is that of a whole object."""
    node = {**schema.value, "x-kubernetes-embedded-resource": True} if root else schema.value
    for rule in schema["x-kubernetes-validations"]:
        if rule.is_map:
            yield from _rule(rule, schema, node)


def _rule(at: At, schema: At, node: dict[str, Any]) -> Iterator[Refusal]:
    rule, message, optional = at["rule"].text.strip(), at["message"].text, at["optionalOldSelf"]
    scope = {"self": node, "oldSelf": None if optional.is_true else node}
    if not rule:
        yield at["rule"].refuse("is required")
    yield from expression(at["rule"], scope, makes=("bool",))
    yield from expression(at["messageExpression"], scope, makes=("string",))
    if optional.value is not None and not _OLD.search(_TEXT.sub("", rule)):
        yield optional.refuse("is for rules with oldSelf only")
    if at["fieldPath"].text and _field(schema, at["fieldPath"].text, brackets=True) is None:
        yield at["fieldPath"].refuse(f"{shown(at['fieldPath'].text)} leads to no field of the schema")
    if message and not message.strip():
        yield at["message"].refuse("must not be blank")
    elif re.search(r"[\n\r]", message.strip()):
        yield at["message"].refuse("must not contain line breaks")
    elif re.search(r"[\n\r]", rule) and not message.strip():
        yield at["message"].refuse("is required where the rule has several lines")
    yield from one_of(
        "FieldValueRequired", "FieldValueForbidden", "FieldValueInvalid", "FieldValueDuplicate"
    )(at["reason"])


def _field(schema: At, path: str, *, brackets: bool) -> At | None:
    """The schema that a path leads to; None where it leads nowhere."""
    place = 0
    while place < len(path):
        step = _STEP.match(path, place)
        if step is None or (step[2] is not None and not brackets):
            return None
        name, place = step[1] if step[2] is None else step[2], step.end()
        fields = schema["properties"]
        schema = fields[name] if fields.is_map else schema["additionalProperties"]
        if not schema.is_map:
            return None
    return schema


def selectable(at: At, schema: At) -> Iterator[Refusal]:
    """`selectableFields` of a version."""
    seen: set[str] = set()
    for item in at:
        path = item["jsonPath"]
        if not path.text:
            continue
        found = _field(schema, path.text, brackets=False)
        if found is None:
            yield path.refuse(f"{shown(path.text)} leads to no field of the schema")
        elif path.text.startswith(".metadata.") or found["type"].text not in ("string", "boolean", "integer"):
            yield path.refuse(
                f"{shown(path.text)} must lead to a string, boolean or integer outside metadata"
            )
        elif path.text in seen:
            yield path.refuse(f"repeats {shown(path.text)}")
        seen.add(path.text)
    if len(seen) > _MOST_SELECTABLE:
        yield at.refuse(f"has {len(seen)} fields, at most {_MOST_SELECTABLE} are allowed")


def default(schema: At) -> Iterator[Refusal]:
    """A default against the schema that it stands in."""
    value, kind = schema["default"].value, schema["type"].text
    if value is None or (schema.value.keys() <= _LOOSE and type(value) is _TYPES.get(kind)):
        return
    if fault := _unfit(content(schema.value), schema):
        yield schema["default"].refuse(f"does not fit its own schema: {fault}")


_known: dict[bytes | None, str] = {}


def _unfit(key: bytes | None, schema: At) -> str:
    if key is None or key not in _known:
        if len(_known) > 10_000:
            _known.clear()
        _known[key] = _judged(schema.value)
    return _known[key]


def _judged(schema: dict[str, Any]) -> str:
    from gitops_layout.validation.crds import SchemaError, decoded, marks
    from gitops_layout.validation.rules import judge
    from gitops_layout.validation.schemas import closed

    try:
        value = schema["default"]
        # What is an integer or a string may be anything here: the schema that the server asks has no type then.
        errors = closed(schema).iter_errors(value)
        error = next((e for e in errors if e.kind.name != "type" or not {*e.kind.types} >= _EITHER), None)
        if error is not None:
            return str(error.message).split("\n", 1)[0][:200]
        failed = (
            judge("", rule, mark.value)
            for mark in marks(decoded(value, schema, {}), schema, {})
            for rule in mark.rules
        )
        return next((words for words in failed if isinstance(words, str)), "")
    except (SchemaError, AttributeError, TypeError, ValueError, RecursionError):
        return ""  # what is wrong with the schema itself is said there
