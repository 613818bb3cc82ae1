"""Flux's variable substitution (`postBuild`), on objects.

The controller substitutes in the object's YAML text, so a plain scalar may change its type:
`replicas: ${N}` becomes a number, `"${N}"` was written without quotes as well and becomes one too.
Supported: `${VAR}`, `${VAR:=default}`, `${VAR:-default}`, `${VAR-default}`, `$$` for a dollar sign.
Source: fluxcd/pkg/envsubst and kustomize-controller's documentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gitops_layout.source.typing import NotJsonError, plain

__all__ = ["DISABLED", "Substituted", "SubstitutionError", "substitute"]

DISABLED = "kustomize.toolkit.fluxcd.io/substitute"

_VARIABLE = re.compile(r"\$\$|\$\{([A-Za-z_]\w*)(?:(:=|=|:-|-)([^{}]*))?\}|\$\{[^}]*\}")
# go-yaml writes a string without quotes when it starts so and holds neither `: ` nor ` #`.
_PLAIN = re.compile(r"[$\w./][^\n]*\Z")


MAX_INSERTED = 8 * 2**20
"""Characters that variables may bring into one object; an API server refuses objects of 3 MiB."""


class SubstitutionError(ValueError):
    """Variables that would blow an object up."""


@dataclass(slots=True)
class Substituted:
    """An object after substitution, the names that nothing defined, and forms that we do not know yet."""

    data: Any
    undefined: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    inserted: int = 0


def substitute(data: dict[str, Any], variables: Mapping[str, str]) -> Substituted:
    """Substitute in every string of an object, keys included; undefined names are left as they are.

    Raises SubstitutionError where the variables bring more than `MAX_INSERTED` characters.
    """
    metadata = data.get("metadata")
    marks = (metadata.get(name) for name in ("annotations", "labels")) if isinstance(metadata, dict) else ()
    if any(isinstance(mark, dict) and mark.get(DISABLED) == "disabled" for mark in marks):
        return Substituted(data)
    result = Substituted(None)
    result.data = _walk(data, variables, result)
    return result


def _walk(value: Any, variables: Mapping[str, str], result: Substituted) -> Any:
    match value:
        case dict():
            return {
                _text(key, variables, result): _walk(item, variables, result) for key, item in value.items()
            }
        case list():
            return [_walk(item, variables, result) for item in value]
        case str() if "$" in value:
            replaced = _text(value, variables, result)
            return replaced if replaced == value else _typed(value, replaced)
        case _:
            return value


def _text(text: str, variables: Mapping[str, str], result: Substituted) -> str:
    def replace(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        name, operator, default = match[1], match[2], match[3]
        if name is None:
            result.unknown.add(match[0])
            return match[0]
        value = variables.get(name)
        if value or (value is not None and operator in (None, "=", "-")):
            result.inserted += len(value)
            if result.inserted > MAX_INSERTED:
                raise SubstitutionError(
                    f"variables bring more than {MAX_INSERTED // 2**20} MiB into one object"
                )
            return value
        if operator is not None:
            return default
        result.undefined.add(name)
        return match[0]

    return _VARIABLE.sub(replace, text) if "$" in text else text


def _typed(original: str, replaced: str) -> Any:
    unquoted = _PLAIN.match(original) and ": " not in original and " #" not in original
    if not unquoted or ": " in replaced or "\n" in replaced:
        return replaced
    try:
        return plain(replaced, "kubectl") if replaced else None
    except NotJsonError:
        return replaced
