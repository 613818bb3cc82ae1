"""Flux's variable substitution (`postBuild`), on objects.

The controller substitutes in the object's YAML text and reads that again. So a plain scalar may change its
type (`replicas: ${N}` becomes a number, and so does `"${N}"`, which is written without quotes), and a value
may bring a list or a mapping. Source: fluxcd/pkg/kustomize v1.44.0, compared in
`tests/render/test_envsubst_oracle.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from gitops_layout.fields import at
from gitops_layout.model import Path
from gitops_layout.render.envsubst import ExpansionError, MaySet, Missing, Reference, expand, parse
from gitops_layout.render.envsubst.errors import Reason
from gitops_layout.source.emit import text_of
from gitops_layout.source.reader import read
from gitops_layout.values import dataclass

__all__ = ["DISABLED", "Substituted", "SubstitutionError", "referring", "substitute", "writers"]

DISABLED = "kustomize.toolkit.fluxcd.io/substitute"
_EXACT = 2**53


class SubstitutionError(ValueError):
    """An object that the agent cannot substitute in: why, where in it, and the variables that are not set."""

    def __init__(self, why: str, path: Path = (), unset: tuple[str, ...] = ()) -> None:
        super().__init__(why)
        self.why = why
        self.path = path
        self.unset = unset


@dataclass(frozen=True, slots=True)
class Substituted:
    """An object after substitution, and the variables that were not set, as in Expanded."""

    data: Any
    unset: tuple[str, ...] = ()


def substitute(
    data: dict[str, Any],
    variables: Mapping[str, str],
    *,
    missing: Missing = "error",
    may_set: MaySet = lambda _name: False,
) -> Substituted:
    """Substitute in an object's text, keys included; one that is marked `substitute: disabled` stays. The rest is
    said of `expand`.

    Raises SubstitutionError where the agent fails, and for what would exhaust time or memory.
    """
    marks = (at(data, "metadata", name, DISABLED) for name in ("annotations", "labels"))
    if "disabled" in marks or not any(_expands(text) for _, text in _texts(data)):
        return Substituted(data)
    text = text_of(data)
    try:
        done = expand(text, variables, missing=missing, may_set=may_set)
    except ExpansionError as error:
        raise _located(error, data, variables) from None
    if done.text == text:
        return Substituted(data, tuple(done.unset))
    stream = read(done.text.encode("utf-8", "surrogateescape"), "")
    if stream.problems:
        problem = stream.problems[0]
        why = f"with its variables it is no YAML (line {problem.line}: {problem.message})"
        raise SubstitutionError(why, _first(data))
    result = stream.documents[0].data if stream.documents else None
    if not isinstance(result, dict):
        raise SubstitutionError("with its variables it is no object", _first(data))
    return Substituted(_as_floats(result), tuple(done.unset))


def writers(data: Mapping[str, Any], path: Path) -> tuple[Path, tuple[str, ...]]:
    """What wrote the value at `path` of the result: the text's path in `data`, and the variables in it.

    No variables where substitution wrote nothing there.
    """
    value: Any = data
    for depth, step in enumerate(path):
        if isinstance(value, str):
            return path[:depth], _names(value)
        value = at(value, step)
    return path, _names(value) if isinstance(value, str) else ()


def _as_floats(value: Any) -> Any:
    """Integers that no float64 holds, rounded to one: the controller reads its result as JSON, into floats."""
    match value:
        case dict():
            return {key: _as_floats(item) for key, item in value.items()}
        case list():
            return [_as_floats(item) for item in value]
        case int() if abs(value) > _EXACT:
            return float(value)
        case _:
            return value


def _names(text: str) -> tuple[str, ...]:
    """The variables that a text refers to, those in arguments too, each once."""
    if not _expands(text):
        return ()
    try:
        waiting, names = list(parse(text)), dict[str, None]()
    except ExpansionError:
        return ()
    while waiting:
        part = waiting.pop(0)
        if isinstance(part, Reference):
            names[part.name] = None
            waiting[:0] = part.arguments
    return tuple(names)


def referring(data: Mapping[str, Any], names: AbstractSet[str]) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """The texts of an object that refer to some of these variables, each with those it refers to."""
    for path, text in _texts(data):
        used = tuple(name for name in _names(text) if name in names)
        if used:
            yield path, used


def _expands(text: str) -> bool:
    return "$" in text and ("${" in text or "$$" in text)


def _texts(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every string of an object, keys before their values."""
    match value:
        case dict():
            for key, item in value.items():
                yield (*path, key), key
                yield from _texts(item, (*path, key))
        case list():
            for index, item in enumerate(value):
                yield from _texts(item, (*path, index))
        case str():
            yield path, value


def _first(data: Mapping[str, Any]) -> Path:
    return next((path for path, text in _texts(data) if _expands(text)), ())


def _located(
    error: ExpansionError, data: Mapping[str, Any], variables: Mapping[str, str]
) -> SubstitutionError:
    """The error at the text that causes it; where variables are not set, all of them are named."""
    place: Path = _first(data)
    unset: dict[str, None] = {}
    found = False
    for path, text in _texts(data):
        try:
            if _expands(text):
                expand(text, variables)
        except ExpansionError as other:
            if other.reason is Reason.UNSET:
                unset |= dict.fromkeys(_unset(text, variables))
            if not found and other.reason is error.reason:
                place, found = path, True
    if error.reason is not Reason.UNSET:
        return SubstitutionError(str(error), place)
    return SubstitutionError(str(error), place, tuple(unset) or (error.name,))


def _unset(text: str, variables: Mapping[str, str]) -> tuple[str, ...]:
    try:
        return tuple(expand(text, variables, missing="empty").unset)
    except ExpansionError:
        return ()
