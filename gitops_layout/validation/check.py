"""One object against its schemas, in the schemas' words."""

from __future__ import annotations

import copy
import difflib
import json
from dataclasses import replace
from functools import reduce
from itertools import islice
from operator import getitem
from typing import TYPE_CHECKING, Any, Literal

from gitops_layout.fields import at
from gitops_layout.k8s.strfmt import WORDS as FORMAT_WORDS
from gitops_layout.validation import bundle
from gitops_layout.validation.crds import decoded, filled, marks, speaks
from gitops_layout.validation.rules import RuleProblem, judge
from gitops_layout.validation.versions import lifecycle
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gitops_layout.model import ObjectRef, Path
    from gitops_layout.validation.schemas import Known, Schemas

__all__ = ["SOUND", "Verdict", "Violation", "as_stored", "validate"]

_MOST = 50
"""Violations of one object that are reported: nobody reads more, and a hostile object has a million."""
_WORDS = {
    "minimum": "at least {}", "maximum": "at most {}", "exclusiveMinimum": "more than {}", "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}", "minLength": "at least {} characters", "maxLength": "at most {} characters",
    "minItems": "at least {} items", "maxItems": "at most {} items", "minProperties": "at least {} fields",
    "maxProperties": "at most {} fields", "pattern": "text that matches {}", "const": "{}",
}  # fmt: skip
_INTEGERS = {2**31 - 1: 32, -(2**31): 32, 2**63 - 1: 64, -(2**63): 64}
_STAMPS = (("metadata", "creationTimestamp"), ("metadata", "deletionTimestamp"))


@dataclass(frozen=True, slots=True)
class Violation:
    """What is refused of one value.

    `kind` says by what: a schema's types and bounds, a missing or an unknown field, or a rule in CEL. `newer` is a field
    or word that the packed release of a project does not have, but another release may; `wraps` is an integer that
    an apply takes and cuts to what is `stored`. `near` are names that were perhaps meant. `versions` are the Kubernetes versions that refuse it, empty where all asked do.
    `fields` are all the unknown ones of a mapping where that is one mistake.
    """

    kind: Literal["schema", "missing", "unknown", "newer", "wraps", "cel"]
    path: Path
    message: str
    expected: str = ""
    got: str = ""
    near: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    stored: int | None = None
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """`known` is false where no schema judges the kind in any version; `unjudged` are CEL rules that cannot be run."""

    known: bool
    violations: tuple[Violation, ...] = ()
    unjudged: tuple[RuleProblem, ...] = ()


SOUND = Verdict(known=True)
"""A schema judges it, and refuses nothing."""


def validate(
    ref: ObjectRef,
    data: dict[str, Any],
    *,
    schemas: Schemas,
    kubernetes: Sequence[str],
    apply: bool = False,
) -> Verdict:
    """What the API servers of all `kubernetes` versions (`1.36`) would refuse of an object by their schemas.

    `apply` tells a server-side apply from a create: they differ in nulls and in integers that are too large.
    `data` is the whole object as it is applied; what SOPS adds to it is not looked at, and is there where the schema
    has a field for it: an operator of such a kind decrypts the object itself. Pure but for what `schemas` compiles and keeps.
    """
    if len(kubernetes) == 1 and "sops" not in data:
        candidates = schemas.find(ref, kubernetes=kubernetes[0])
        if candidates and _good(data, candidates[0]):
            return SOUND  # as nearly all are
    encrypted = isinstance(data.get("sops"), dict)
    clear = {key: value for key, value in data.items() if key != "sops"} if encrypted else data
    found: dict[Violation, list[str]] = {}
    unjudged: dict[RuleProblem, None] = {}
    judged: dict[tuple[int, ...], tuple[list[Violation], list[RuleProblem]]] = {}
    known = False
    for version in kubernetes:
        candidates = schemas.find(ref, kubernetes=version)
        if not candidates:
            violations = _unknown_kind(ref, version)
            known = known or bool(violations)
        else:
            known = True
            key = tuple(id(candidate) for candidate in candidates)
            if key not in judged:
                own = encrypted and "sops" in _properties(candidates[0].document, ())
                judged[key] = _judged(ref, data if own else clear, candidates, apply=apply)
            violations, problems = judged[key]
            unjudged |= dict.fromkeys(problems)
        for violation in violations:
            if not (encrypted and _sealed(data, violation.path)):
                found.setdefault(violation, []).append(version)
    everywhere = len(kubernetes)
    rows = (
        violation if len(versions) == everywhere else replace(violation, versions=tuple(versions))
        for violation, versions in found.items()
    )
    return Verdict(known, tuple(rows), tuple(unjudged))


def _good(data: dict[str, Any], known: Known) -> bool:
    """Whether a schema takes an object, said quickly; False says nothing."""
    if known.ruled and (known.rules is None or speaks(data, known.rules)):
        return False
    if known.drops_status and "status" in data:
        return False
    return bool(known.validator.is_valid(data))


def _sealed(data: Any, path: Path) -> bool:
    """Whether SOPS has encrypted the value at `path`, or wrote it itself."""
    if path[:1] == ("sops",):
        return True
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return False
    return isinstance(data, str) and data.startswith("ENC[")


def _unknown_kind(ref: ObjectRef, version: str) -> list[Violation]:
    """A kind that Kubernetes itself would have to have, and never had by that name."""
    group, _, api = ref.api_version.rpartition("/")
    kinds = bundle.kinds(group, kubernetes=version)
    if not kinds and bundle.is_packed(group) and (own := bundle.homes(ref.kind)):
        # No project whose CRDs we know calls one of its kinds like one of Kubernetes' own.
        own = [home for home in own if bundle.is_own(home)]
        why = f"{ref.api_version} has no kind {ref.kind}; {own[-1]} has" if own else ""
        return [Violation("schema", ("apiVersion",), why, expected=own[-1])] if own else []
    if not kinds or ref.kind == "List" or lifecycle(ref.api_version, ref.kind):
        return []
    if bundle.served(group, api, ref.kind):
        return []
    names = sorted({kind for _, kind in kinds})
    if ref.kind in names:
        versions = sorted(name for name, kind in kinds if kind == ref.kind)
        wanted = " or ".join(f"{group}/{name}" if group else name for name in versions)
        return [
            Violation(
                "schema", ("apiVersion",), f"expected {wanted} for {ref.kind}, got {ref.api_version}", wanted
            )
        ]
    elsewhere = bundle.homes(ref.kind)
    if elsewhere:
        why = f"{ref.api_version} has no kind {ref.kind}; {elsewhere[-1]} has"
        return [Violation("schema", ("apiVersion",), why, expected=elsewhere[-1])]
    near = tuple(difflib.get_close_matches(ref.kind, names, n=1))
    return [Violation("schema", ("kind",), f"{ref.api_version} has no kind {ref.kind}", near=near)]


def _judged(
    ref: ObjectRef, data: dict[str, Any], candidates: Sequence[Known], *, apply: bool
) -> tuple[list[Violation], list[RuleProblem]]:
    """What the first schema refuses, unless another one takes the object: clusters may have different CRDs."""
    first: tuple[list[Violation], list[RuleProblem]] | None = None
    for known in candidates:
        verdict = _by_schema(ref, data, known, apply=apply)
        if not verdict[0]:
            return verdict
        first = first or verdict
    return first or ([], [])


def _by_schema(
    ref: ObjectRef, data: dict[str, Any], known: Known, *, apply: bool
) -> tuple[list[Violation], list[RuleProblem]]:
    if known.drops_status and "status" in data:
        mistyped = [*_mistyped_status(data, known)] if apply else []
        if mistyped:
            return mistyped, []
        data = {key: value for key, value in data.items() if key != "status"}
    valid, written = known.validator.is_valid(data), data
    if valid and not known.ruled:
        return [], []
    if known.structural is not None:
        data = filled(data, known.structural, known.definitions, apply=apply)
        valid = known.validator.is_valid(data)
    if not valid:
        return list(islice(_errors(ref, data, known, written, apply=apply), _MOST)), []
    if known.structural is None:
        return [], []
    found: list[Violation] = []
    problems: list[RuleProblem] = []
    seen = decoded(data, known.structural, known.definitions) if known.formed else data
    for mark in marks(data, known.structural, known.definitions):
        found += _twice(mark.path, mark.value, mark.keys)
        value = reduce(getitem, mark.path, seen)
        for rule in mark.rules:
            match judge(f"{ref.group}/{ref.kind}", rule, value):
                case RuleProblem() as problem:
                    problems.append(problem)
                case str(words):
                    found.append(Violation("cel", mark.path, words))
    return found[:_MOST], problems


def _mistyped_status(data: dict[str, Any], known: Known) -> Iterator[Violation]:
    """An apply is merged by types before a status is dropped; bounds and words do not count there."""
    for error in known.validator.iter_errors({"status": data["status"]}):
        path: Path = tuple(error.instance_path)
        value = error.instance
        if (
            path[:1] == ("status",)
            and error.kind.name == "type"
            and value is not None
            and not isinstance(value, float)
        ):
            yield _value_violation("type", path, error, _got(value))


def _twice(path: Path, items: Any, keys: tuple[str, ...]) -> Iterator[Violation]:
    """Items of a list that have the same keys."""
    seen: set[str] = set()
    for number, item in enumerate(items) if keys and isinstance(items, list) else ():
        if not isinstance(item, dict):
            continue
        name = json.dumps([item.get(key) for key in keys])
        if name in seen:
            words = ", ".join(f"{key} {_value(item.get(key))}" for key in keys)
            yield Violation("schema", (*path, number), f"an item with {words} stands in the list already")
        seen.add(name)


_MANY = 3
"""So many unknown fields of one mapping are one mistake: a block that stands too deep, or in the wrong place."""


def _errors(
    ref: ObjectRef, data: dict[str, Any], known: Known, written: dict[str, Any], *, apply: bool
) -> Iterator[Violation]:
    """What a schema refuses of an object; `written` is the same before defaults, and with its nulls."""
    secret = ref.kind == "Secret"
    of = f" in {known.release}" if known.release else ""
    release = of
    errors = list(known.validator.iter_errors(data))
    lacking = {tuple(error.instance_path) for error in errors if error.kind.name == "required"}
    for error in errors:
        path: Path = tuple(error.instance_path)
        if apply and not known.built_in and error.kind.name == "format" and path in _STAMPS:
            continue  # of what is applied, the server does not read them
        of = "" if path[:1] == ("metadata",) else release  # every kind has the same metadata, of Kubernetes
        match error.kind.name:
            case "additionalProperties":
                names = sorted(_properties(known.document, path))
                if len(error.kind.unexpected) >= _MANY:
                    listed = ", ".join(f'"{name}"' for name in error.kind.unexpected)
                    many: Literal["newer", "unknown"] = "newer" if of else "unknown"
                    first, fields = (*path, error.kind.unexpected[0]), tuple(error.kind.unexpected)
                    yield Violation(many, first, f"unknown fields {listed}{of}", fields=fields)
                    continue
                for name in error.kind.unexpected:
                    near = tuple(difflib.get_close_matches(name, names, n=1))
                    near = near or _longer(written, path, name, names)
                    home = "" if near else _one_level_off(known.document, written, path, name)
                    # A later version may have more fields, and still wants those that this one requires.
                    slip = near or home or path in lacking
                    kind: Literal["newer", "unknown"] = "newer" if of and not slip else "unknown"
                    yield Violation(kind, (*path, name), f'unknown field "{name}"{home or of}', near=near)
            case "falseSchema" if isinstance(below := at(data, *path), dict):
                yield from (Violation("unknown", (*path, name), f'unknown field "{name}"') for name in below)
            case "required":
                yield Violation("missing", path, f'required field "{error.kind.property}" is missing')
            case "maximum" | "minimum" if apply and known.built_in and error.kind.value in _INTEGERS:
                yield _wrapped(path, error.instance, _INTEGERS[error.kind.value])
            case name:
                got = _kind_of(error.instance) if secret else _got(error.instance)
                violation = _value_violation(name, path, error, got)
                yield replace(violation, kind="newer") if of and name == "enum" else violation


def as_stored(data: dict[str, Any], verdict: Verdict) -> dict[str, Any]:
    """The object with the integers that an apply stores in place of those that wrap; itself where none does."""
    wrapping = [(v.path, v.stored) for v in verdict.violations if v.stored is not None]
    if not wrapping:
        return data
    result = copy.deepcopy(data)
    for path, stored in wrapping:
        place: Any = result
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = stored
    return result


def _wrapped(path: Path, value: Any, bits: int) -> Violation:
    """What an apply makes of an integer; beyond 64 bits JSON has floats, which become the least integer."""
    least = -(2**63)
    kept = value if least <= value < -least else least
    stored = (kept + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)
    words = f"{_value(value)} is more than {bits} bits hold: the server stores {stored}"
    return Violation("wraps", path, words, stored=stored)


def _value_violation(name: str, path: Path, error: Any, got: str) -> Violation:
    match name:
        case "type":
            expected = " or ".join(t for t in error.kind.types if t != "null") or "null"
        case "enum":
            expected = "one of " + ", ".join(_value(option) for option in error.kind.options)
        case "format":
            expected = FORMAT_WORDS.get(error.kind.format, error.kind.format)
        case "uniqueItems":
            expected = "a list without repetition"
        case _ if name in _WORDS:
            expected = _WORDS[name].format(error.kind.value)
        case "anyOf" | "oneOf":
            expected = "one of the combinations of fields that the schema describes"
        case "not":
            expected = "none of the combinations of fields that the schema forbids"
        case _:
            expected = f"what the schema's `{name}` demands"
    return Violation("schema", path, f"expected {expected}, got {got}", expected, got)


def _properties(document: dict[str, Any], path: Path) -> set[str]:
    """The fields that a schema names for the object at `path`."""
    node: Any = _resolved(document, document)
    for step in path:
        if not isinstance(node, dict):
            return set()
        if isinstance(step, int):
            below = node.get("items")
        else:
            below = (node.get("properties") or {}).get(step, node.get("additionalProperties"))
        node = _resolved(below, document)
    return set(node.get("properties") or ()) if isinstance(node, dict) else set()


def _one_level_off(document: dict[str, Any], data: Any, path: Path, name: str) -> str:
    """Where a field belongs that is indented a level too deep or not deep enough; no release has it where it stands."""
    above = path[:-1] if path and isinstance(path[-1], str) else path[:-2]
    if path and name in _properties(document, above) and not _has(data, above, name):
        return f" (it belongs beside {next(str(step) for step in reversed(path) if isinstance(step, str))})"
    there = at(data, *path)
    empty = [key for key, value in there.items() if value in (None, {})] if isinstance(there, dict) else []
    left = [key for key in empty if name in _properties(document, (*path, key))]
    if len(left) == 1:
        return f" (it belongs into {left[0]}, which is empty)"
    beside = sorted(_properties(document, path))
    inner = [other for other in beside if name in _properties(document, (*path, other, 0))]
    return f" (it belongs into the items of {inner[0]})" if len(inner) == 1 and len(name) >= _LONG else ""


def _longer(data: Any, path: Path, name: str, names: list[str]) -> tuple[str, ...]:
    """The one name that ends so (`secretName` for `name`), where the object that it would be moved to has it already."""
    ends = [other for other in names if other.endswith(f"{name[:1].upper()}{name[1:]}")]
    above = path[:-1] if path and isinstance(path[-1], str) else path[:-2]
    fits = len(ends) == 1 and not _has(data, path, ends[0]) and _has(data, above, name)
    return tuple(ends) if path and fits else ()


def _has(data: Any, path: Path, name: str) -> bool:
    there = at(data, *path)
    return isinstance(there, dict) and name in there


_LONG = 8
"""Shorter names are many a field's."""


def _resolved(node: Any, document: dict[str, Any]) -> Any:
    for _ in range(len(document.get("$defs") or ()) + 1):
        ref = node.get("$ref") if isinstance(node, dict) else None
        if not isinstance(ref, str):
            return node
        node = (document.get("$defs") or {}).get(ref.rpartition("/")[2])
    return None


def _kind_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "a list"
    return "an object"


def _got(value: Any) -> str:
    kind = _kind_of(value)
    return f"{kind} {_value(value)}" if isinstance(value, bool | int | float | str) else kind


def _value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"
