"""Label selectors, on clusters' labels and on any generator's parameters (argo-cd v3.6.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gitops_layout.agents.applicationset.model import ProblemKind, StopError
from gitops_layout.model import Path
from gitops_layout.patterns import regexp

__all__ = ["selects"]

_NAME = regexp(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\Z")
_PREFIX = regexp(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")

Test = Callable[[Mapping[str, str]], bool]


def selects(selector: Any, path: Path) -> Test:
    """The test that a selector makes of labels. Raises StopError for what Argo CD refuses."""
    if not isinstance(selector, dict):
        raise StopError(ProblemKind.WRONG_TYPE, "the selector is no mapping", path)
    tests: list[Test] = []
    labels = selector.get("matchLabels") or {}
    if not isinstance(labels, dict):
        raise StopError(ProblemKind.WRONG_TYPE, "matchLabels is no mapping", (*path, "matchLabels"))
    for key, value in labels.items():
        if not isinstance(value, str):
            raise StopError(ProblemKind.WRONG_TYPE, "the value is no string", (*path, "matchLabels", key))
        _check_key(key, (*path, "matchLabels", key))
        tests.append(_is_in(key, (value,), wanted=True))
    expressions = selector.get("matchExpressions") or []
    if not isinstance(expressions, list):
        raise StopError(ProblemKind.WRONG_TYPE, "matchExpressions is no list", (*path, "matchExpressions"))
    for index, expression in enumerate(expressions):
        tests.append(_expression(expression, (*path, "matchExpressions", index)))
    return lambda given: all(test(given) for test in tests)


def _expression(expression: Any, path: Path) -> Test:
    match expression:
        case {"key": str(key), "operator": str(operator)}:
            values = expression.get("values") or []
        case _:
            raise StopError(ProblemKind.WRONG_TYPE, "an expression needs key and operator", path)
    _check_key(key, (*path, "key"))
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise StopError(ProblemKind.WRONG_TYPE, "values is no list of strings", (*path, "values"))
    if operator in ("In", "NotIn"):
        if not values:
            raise StopError(ProblemKind.INVALID, f"{operator} needs values", path)
        return _is_in(key, tuple(values), wanted=operator == "In")
    if operator in ("Exists", "DoesNotExist"):
        if values:
            raise StopError(ProblemKind.INVALID, f"{operator} takes no values", path)
        return lambda given: (key in given) == (operator == "Exists")
    raise StopError(ProblemKind.INVALID, f'"{operator}" is no selector operator', (*path, "operator"))


def _is_in(key: str, values: tuple[str, ...], *, wanted: bool) -> Test:
    return lambda given: (key in given and given[key] in values) == wanted


def _check_key(key: str, path: Path) -> None:
    prefix, slash, name = key.rpartition("/")
    bad_prefix = slash and (not _PREFIX.match(prefix) or len(prefix) > 253)
    if bad_prefix or not _NAME.match(name):
        raise StopError(ProblemKind.INVALID, f'"{key}" is no label key', path)
