"""What the engine that types CEL says of an expression, as far as it holds for the server's, too.

The server declares its variables with types: `self` with those of the definition's schema, `request` with its own (apiserver:
pkg/cel/common/schemas.go, pkg/admission/plugin/cel/compile.go). Ours knows no such structures, so that a path such as
`self.spec.replicas` is compiled as a variable of the type that the schema says; what is not known is dynamic, and fits everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from gitops_layout.cel import Kind, complaints
from gitops_layout.patterns import regexp
from gitops_layout.values import dataclass

__all__ = ["STRING", "Typed", "typed"]

STRING = r"[rR]?(?:\"[^\"\\]*(?:\\.[^\"\\]*)*\"|'[^'\\]*(?:\\.[^'\\]*)*')"
"""A literal text; raw ones end at the first quote as well."""
_ACCESS = regexp(STRING + r"|(?<![\w.])(has\s*\(\s*)?([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*)+)(?!\w*\s*\()")
_LOOP = regexp(r"(?<![\w.])(\w+)((?:\.\w+)*)\.(?:all|exists|exists_one|filter|map)\(\s*(\w+)\s*,")
_QUOTED = regexp(STRING)
_VAGUE = regexp(r"\b(?:request|namespaceObject|authorizer|variables|device|self|oldSelf)\b")
"""Variables that the server knows more of than our engine."""
_BIND = regexp(r"\bcel\s*\.\s*bind\s*\(")
"""Our engine has it for our own rules; the server has not."""
_LOOPS = regexp(
    r"\.(?:sortBy|transform\w+|existsOne|(?:all|exists|exists_one)\(\s*\w+\s*,\s*\w+\s*,)|\bcel\.bind"
)
"""Macros that our engine does not have: what it says of the variables in them is wrong."""
_FUNCTIONS = frozenset(
    "find findAll slice flatten sort distinct reverse range first last path group serviceAccount resource subresource"
    " namespace name check errored error allowed reason fieldSelector labelSelector named optMap optFlatMap unwrap"
    " unwrapOpt format optional strings quote bind cel".split()
)
"""Functions that the server has and our engine has not, or not for all types, and what stands before their dots."""
_NUMBERS = frozenset(("int", "uint", "double"))
_PLAIN = frozenset(("bool", "bytes", "string", *_NUMBERS))
_WIDER = frozenset(("reverse",))
"""Functions of texts here, and of lists for the server, too."""
_ORDER = frozenset(("_<_", "_<=_", "_>_", "_>=_"))
_OVERLOAD = regexp(r"found no matching overload for '([^']+)' applied to '\((.*)\)'")
_UNDECLARED = regexp(r"undeclared reference to '([\w.]+)'")
_SELECT = regexp(r"expression of type '(\w+)' cannot be the operand of a select operation")
_FORMATS: dict[str, Kind] = {
    "byte": "bytes",
    "duration": "duration",
    "date": "timestamp",
    "date-time": "timestamp",
}
_SCALARS: dict[str, Kind] = {"boolean": "bool", "integer": "int", "number": "double"}
_DEEP = 8


@dataclass(frozen=True, slots=True)
class Typed:
    """What is certainly wrong with an expression, in one clause; else the type that it makes, `any` where nobody knows."""

    fault: str = ""
    made: Kind = "any"


def typed(text: str, scope: Mapping[str, Any], *, objects: bool = False) -> Typed:
    """Compile an expression over `scope`: names of variables with the schemas of their values, None for any value.

    `objects` says that `Object` and `JSONPatch` may be made. Raises UserError where there is no engine.
    """
    found: dict[str, Kind] = {}
    missing: list[str] = []
    renamed = _ACCESS.sub(partial(_renamed, _looped(text, scope), found, missing), text)
    if _BIND.search(_QUOTED.sub('""', text)):
        return Typed("does not compile: there is no function cel.bind")
    if missing:
        return Typed(f"does not compile: {missing[0]}")
    own = {name: _kind(node) for name, node in scope.items()}
    made, words = complaints(renamed, tuple((own | found).items()))
    if _LOOPS.search(text):
        words = tuple(each for each in words if "Syntax error" in each)
        made = "any"
    for each in words:
        if fault := _fault(each, text, tuple(scope), objects=objects):
            return Typed(f"does not compile: {fault}")
    vague = made == "dyn" and _VAGUE.search(_QUOTED.sub('""', renamed))
    return Typed(made="any" if words or vague else made)


def _looped(text: str, scope: Mapping[str, Any]) -> dict[str, Any]:
    """The scope with the variables of loops over lists of objects, as in `self.ports.all(port, port.number > 0)`."""
    found: dict[str, Any] = dict(scope)
    for loop in _LOOP.finditer(text):
        node = found.get(loop[1])
        for step in filter(None, loop[2].split(".")):
            node = _below(node, _unescaped(step)) if isinstance(node, dict) and "cel" not in node else None
        items = node.get("items") if isinstance(node, dict) else None
        name = loop[3]
        found[name] = None if name in found and found[name] is not items else items
    return found


def _renamed(
    scope: Mapping[str, Any], found: dict[str, Kind], missing: list[str], access: re.Match[str]
) -> str:
    """A path as the variable that stands for it; `found` learns its type, `missing` what the schema does not have."""
    name, node = access[2], scope.get(access[2])
    if name is None or node is None:
        return access[0]
    steps = access[3][1:].split(".")
    for number, step in enumerate(steps):
        if _kind(node) not in ("dyn", "any"):
            break
        inner = _below(node, _unescaped(step))
        if inner is None:
            missing.append(f'{".".join((name, *steps[:number]))} has no field "{_unescaped(step)}"')
        if not inner:
            return access[0]
        node = inner
        if (kind := _kind(node)) not in ("dyn", "any") and not access[1]:
            variable = "_".join(("of", name, *steps[: number + 1]))
            found[variable] = kind
            return ".".join((variable, *steps[number + 1 :]))
    return access[0]


def _below(node: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The schema of a field, empty where anything may stand there, None where nothing may."""
    implied = node.get("x-kubernetes-embedded-resource") is True and name in (
        "apiVersion",
        "kind",
        "metadata",
    )
    closed = node.get("type") == "object" and node.get("additionalProperties") in (None, False)
    properties = node.get("properties")
    inner = properties.get(name) if isinstance(properties, dict) else None
    if implied or not closed:
        return {}
    if isinstance(inner, dict):
        return inner
    return {} if node.get("x-kubernetes-preserve-unknown-fields") is True else None


def _kind(node: Any, depth: int = 0) -> Kind:
    """The type of a schema's values (SchemaDeclType)."""
    if not isinstance(node, dict) or depth > _DEEP or node.get("x-kubernetes-int-or-string") is True:
        return "dyn"
    if "cel" in node:
        made: Kind = node["cel"]
        return made
    match node.get("type"):
        case "string":
            form = node.get("format")
            return _FORMATS.get(form, "string") if isinstance(form, str) else "string"
        case "array":
            return ("list", _kind(node.get("items"), depth + 1))
        case "object" if isinstance(extra := node.get("additionalProperties"), dict):
            return ("map", _kind(extra, depth + 1))
        case str(kind):
            return _SCALARS.get(kind, "dyn")
    return "dyn"


def _fault(words: str, text: str, variables: tuple[str, ...], *, objects: bool) -> str:
    """What one complaint of the engine says of the server's; empty for what may be our engine's fault."""
    if "Syntax error" in words:
        return words.rpartition("Syntax error: ")[2]
    if "has() argument must be" in words:
        return "has() takes a field, as in has(object.spec)"
    if found := _SELECT.search(words):
        return f"a {found[1]} has no fields" if found[1] in _PLAIN else ""
    if found := _UNDECLARED.search(words):
        name = found[1].partition(".")[0]
        if name in _FUNCTIONS or (objects and name in ("Object", "JSONPatch", "jsonpatch", "escapeKey")):
            return ""
        if re.search(rf"(?<!\w){re.escape(name)}\s*\(", text):
            return f"there is no function {name}, or it does not take this"
        return f"there is no variable {name}, only {', '.join(variables)}"
    if found := _OVERLOAD.search(words):
        kinds = tuple(found[2].split(", "))
        numbers = found[1] in _ORDER and set(kinds) <= _NUMBERS
        nulls = (
            "null_type" in kinds and not _PLAIN & set(kinds) and "list(" not in words and "map(" not in words
        )
        return (
            ""
            if numbers or nulls or found[1] in _WIDER
            else f"{found[1].strip('_@')} does not take ({found[2]})"
        )
    return ""


def _unescaped(name: str) -> str:
    for escaped, plain in (
        ("__dot__", "."),
        ("__dash__", "-"),
        ("__slash__", "/"),
        ("__underscores__", "__"),
    ):
        name = name.replace(escaped, plain)
    return re.sub(r"^__(\w+?)__$", r"\1", name)


def literals(text: str) -> Iterator[tuple[str, str]]:
    """Functions whose argument is one literal text, with what it says; the server looks into these when it compiles."""
    for found in _LITERAL.finditer(text):
        quoted = found[2]
        raw = quoted[0] in "rR"
        inner = quoted[2:-1] if raw else quoted[1:-1]
        if raw or "\\" not in inner:
            yield found[1], inner


_LITERAL = regexp(r"\b(matches|timestamp|duration)\(\s*(" + STRING + r")\s*\)")
