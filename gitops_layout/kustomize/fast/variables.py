"""`vars`: `$(NAME)` in fields made for it takes the value of another object's field, once all else is done."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gitops_layout.kustomize.fast.config import Config
from gitops_layout.kustomize.fast.declined import decline, refuse
from gitops_layout.kustomize.fast.item import Id, Item
from gitops_layout.kustomize.fast.marks import ABSENT, at
from gitops_layout.kustomize.fast.read import Reader
from gitops_layout.kustomize.fast.spelling import spelled
from gitops_layout.kustomize.fast.spots import spots
from gitops_layout.model import Location, Path
from gitops_layout.patterns import regexp
from gitops_layout.values import dataclass

__all__ = ["Variable", "claim", "joined_variables", "substitute"]

_STEP = regexp(r"[A-Za-z_][\w/-]*\Z")
_STEPS = regexp(r"([^\[\]]*)\[(\d+)\]\Z")


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable: the object and the field whose value it has, and where it is declared."""

    name: str
    target: Id
    steps: Path
    where: Location


def joined_variables(known: Mapping[str, Variable], more: Iterable[Variable]) -> Mapping[str, Variable]:
    """Both; kustomize refuses two of one name, even if they are the same."""
    result = dict(known)
    for variable in more:
        if variable.name in result:
            decline(f"variable {variable.name} is declared twice", variable.where)
        result[variable.name] = variable
    return result


def claim(items: list[Item], entries: Iterable[Mapping[str, Any]], where: Location) -> list[Variable]:
    """The variables of one kustomization; the objects that they mean keep their names.

    `where` is the place of `vars`. Objects are found by what they are or were, exactly; an empty
    namespace stands for any.
    """
    found = []
    for index, entry in enumerate(entries):
        variable = _variable(entry, where.at(index))
        matching = [item for item in items if any(_means(variable, known) for known in item.ids)]
        if len(matching) > 1:
            decline(f"{len(matching)} objects match the variable {variable.name}", where.at(index, "objref"))
        for item in matching:
            item.variables = (*item.variables, variable.name)
        found.append(variable)
    return found


def _variable(entry: Mapping[str, Any], where: Location) -> Variable:
    reference = entry.get("objref") or {}
    group, version = reference.get("group") or "", reference.get("version") or ""
    written = reference.get("apiVersion") or ""
    if written.count("/") == 1:
        group, version = written.split("/")
    elif written and "/" not in written:
        version = written
    api_version = f"{group}/{version}" if group else version
    kind, namespace, name = (reference.get(key) or "" for key in ("kind", "namespace", "name"))
    spelled = "fieldRef" if "fieldRef" in entry else "fieldref"
    field, path = next(iter((entry.get(spelled) or {}).items()), ("fieldPath", None))
    steps = tuple(_steps(path or "metadata.name", where.at(spelled, field)))
    return Variable(entry.get("name") or "", (api_version, kind, namespace, name), steps, where)


def _steps(path: str, where: Location) -> Iterator[str | int]:
    for part in path.split("."):
        match = _STEPS.match(part)
        name = match[1] if match else part
        if name.isdigit() and not match:
            yield int(name)
        elif _STEP.match(name):
            yield name
        elif name or not match:
            decline(f"the field path {path} is not known to be read alike", where)
        if match:
            yield int(match[2])


def _means(variable: Variable, known: Id) -> bool:
    api_version, kind, namespace, name = variable.target
    if (api_version, kind, name) != (known[0], known[1], known[3]):
        return False
    return not namespace or namespace == known[2]


def substitute(reader: Reader, items: list[Item], variables: Mapping[str, Variable], config: Config) -> None:
    """Put every variable's value in its places; one without an object or a field is declined."""
    if not variables:
        return
    values = {name: _value(reader, items, variables[name]) for name in sorted(variables)}
    for item in items:
        item.check_folded(next(iter(variables.values())).where)
        visited: dict[Path, bool] = {}
        for spec in config.varReference.of(item.api_version, item.kind):
            for path in spots(item, spec, creates=False, reads=True):
                for leaf in _leaves(item, path):
                    _replace(item, leaf, values, visited)


_Value = tuple[Any, Location]


def _value(reader: Reader, items: list[Item], variable: Variable) -> _Value:
    """A variable's value and who wrote it."""
    item = next((item for item in items if variable.name in item.variables), None)
    if item is None:
        reason = f"no object matches the variable {variable.name}"
        refuse(
            reason,
            variable.where.at("objref"),
            "give its exact apiVersion, kind and name",
            said=rf"var '\{{{re.escape(variable.name)} .* cannot be mapped",
        )
    value = at(item.data, variable.steps)
    if value is ABSENT or value is None or isinstance(value, dict | list | float):
        decline(f"the variable {variable.name} has no plain value", variable.where)
    where = item.origin(variable.steps)[0]
    spelled(reader, item, variable.steps, variable.where)
    if isinstance(value, str) and "$" in value:
        decline(f"the value of the variable {variable.name} may be replaced again", variable.where)
    return value, where


def _leaves(item: Item, path: Path) -> Iterator[Path]:
    """The texts at a place: the value itself, or those directly in it."""
    value = at(item.data, path)
    if isinstance(value, dict):
        for key, text in value.items():
            if isinstance(text, str):
                yield (*path, key)
    elif isinstance(value, list):
        for index, text in enumerate(value):
            if not isinstance(text, str) or text.endswith("T00:00:00Z"):
                decline(f"{'.'.join(map(str, path))} lists what is no text", item.origin(path)[0])
            yield (*path, index)
    elif isinstance(value, str):
        yield path


_REFERENCE = regexp(r"\$(?:\$|\(([^)]*)\)|\(|(.))", re.DOTALL)


def _text(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _replace(item: Item, path: Path, values: Mapping[str, _Value], visited: dict[Path, bool]) -> None:
    text: str = at(item.data, path)
    if "$" not in text:
        return
    if path in visited:
        if visited[path]:
            decline("an escaped dollar is read twice", item.origin(path)[0])
        return
    visited[path] = "$$" in text
    whole = _REFERENCE.fullmatch(text)
    if whole is not None and whole[1] in values:
        value, where = values[whole[1]]
        # Whatever an annotation is written as, it ends as a text.
        item.write(path, _text(value) if path[:2] == ("metadata", "annotations") else value, where)
        return
    used: list[Location] = []

    def replaced(match: re.Match[str]) -> str:
        if match[1] in values:
            value, where = values[match[1]]
            used.append(where)
            return _text(value)
        if match[2] is not None and not match[2].isascii():
            decline("a dollar before a letter that kustomize breaks", item.origin(path)[0])
        return "$" if match[0] == "$$" else match[0]

    new = _REFERENCE.sub(replaced, text)
    if new != text:
        # The text is still its writer's; the variables are parts of it.
        item.write_over(path, new, None, *used)
