"""How an Application is put together: generator templates over the common one, and `templatePatch`."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from gitops_layout.agents.applicationset.model import ProblemKind, StopError
from gitops_layout.agents.argocd.fields import mistyped
from gitops_layout.agents.gotemplate.encoding import read_json, read_yaml
from gitops_layout.agents.gotemplate.errors import FunctionError
from gitops_layout.model import Path

__all__ = ["differing", "filled", "patched"]

_RAW = frozenset({"valuesObject"})
"""Free-form fields of an Application: to Argo CD they are one value."""


def filled(own: dict[str, Any], common: dict[str, Any]) -> dict[str, Any]:
    """A generator's own template, its empty fields taken from the common one."""
    done = copy.deepcopy(own)
    for key, value in common.items():
        mine = done.get(key)
        if key in _RAW and mine is not None:
            continue
        if isinstance(mine, dict) and isinstance(value, dict):
            done[key] = filled(mine, value)
        elif not mine:
            done[key] = copy.deepcopy(value)
    return done


def patched(application: dict[str, Any], text: str, path: Path) -> dict[str, Any]:
    """The Application with a rendered templatePatch merged into it; its project stays what it was.

    Argo CD merges strategically by its own Go type: mappings key by key, null deletes, lists are
    replaced (finalizers are joined), `$patch: replace | delete` in a mapping. Raises StopError.
    """
    patch = _read(text, path)
    if patch is None:
        return application
    for name in ("metadata", "spec"):
        if patch.get(name) is not None and not isinstance(patch[name], dict):
            raise StopError(ProblemKind.WRONG_TYPE, f"the patch's {name} is no mapping", path)
    done = _merged(application, patch, path)
    for name in ("metadata", "spec"):
        if not isinstance(done.get(name), dict):
            done[name] = {}
    if (wrong := mistyped(done["spec"])) is not None and mistyped(application["spec"]) is None:
        name, words = wrong
        why = f"{name} of the patch has to be {words}: Argo CD refuses it, and makes nothing of the whole set"
        raise StopError(ProblemKind.WRONG_TYPE, why, path)
    before = application["spec"].get("project")
    done["spec"] = {key: value for key, value in done["spec"].items() if key != "project"}
    if before is not None:
        done["spec"]["project"] = before
    return done


def differing(before: Any, after: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of what is in `after` and was not, or otherwise, in `before`."""
    if before == after:
        return
    yield path
    if isinstance(after, dict):
        known = before if isinstance(before, dict) else {}
        for key, value in after.items():
            yield from differing(known.get(key), value, (*path, key))


def _read(text: str, path: Path) -> dict[str, Any] | None:
    try:
        patch = read_json(text) if text.strip().startswith("{") else read_yaml(text)
    except (FunctionError, ValueError) as error:
        raise StopError(ProblemKind.INVALID, f"the rendered patch cannot be read: {error}", path) from error
    if patch is not None and not isinstance(patch, dict):
        raise StopError(ProblemKind.INVALID, "the rendered patch is no mapping", path)
    return _whole(patch) if patch is not None else None


def _whole(value: Any) -> Any:
    """The value with whole numbers as integers again."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {key: _whole(item) for key, item in value.items()}
        case list():
            return [_whole(item) for item in value]
        case _:
            return value


def _merged(original: dict[str, Any], patch: dict[str, Any], path: Path) -> dict[str, Any]:
    directive = patch.get("$patch")
    if directive is not None:
        if directive == "delete":
            return {}
        if directive != "replace":
            raise StopError(ProblemKind.INVALID, f"$patch: {directive} is no directive of a mapping", path)
        return {key: value for key, value in patch.items() if key != "$patch"}
    done = dict(original)
    for key, value in patch.items():
        if key.startswith("$"):
            raise StopError(ProblemKind.UNSUPPORTED, f"{key} in a templatePatch is not evaluated here", path)
        mine = done.get(key)
        if value is None:
            done.pop(key, None)
        elif isinstance(mine, dict) and isinstance(value, dict):
            if key in _RAW:
                _check_raw(mine, value, path)
            done[key] = _merged(mine, value, path)
        elif isinstance(value, dict) and "$patch" in value:
            continue  # a directive for a mapping that is not there: Argo CD drops all of it
        elif key == "finalizers" and isinstance(mine, list) and isinstance(value, list):
            done[key] = [*value, *(item for item in mine if item not in value)]
        else:
            done[key] = _clean(value)
    return done


def _check_raw(mine: dict[str, Any], value: dict[str, Any], path: Path) -> None:
    """Argo CD's merge knows no fields inside of valuesObject: it fails on a mapping or list that both have."""
    for key, item in value.items():
        if isinstance(item, dict | list) and type(item) is type(mine.get(key)):
            why = f"Argo CD cannot merge {key} of valuesObject, which the template has too: keep it in one of them"
            raise StopError(ProblemKind.INVALID, why, path)


def _clean(value: Any) -> Any:
    """The value without nulls and directives."""
    match value:
        case dict():
            return {k: _clean(v) for k, v in value.items() if v is not None and not k.startswith("$")}
        case list():
            return [_clean(item) for item in value]
        case _:
            return value
