"""What generators do with parameter sets: flatten them, combine them, key them (argo-cd v3.6.1)."""

from __future__ import annotations

from typing import Any

from gitops_layout.agents.gotemplate.argo import normalize
from gitops_layout.agents.gotemplate.errors import FunctionError
from gitops_layout.agents.gotemplate.values import StringList, measure, text_of

__all__ = ["Params", "combined", "flat", "path_params", "texts"]

Params = dict[str, Any]


def flat(params: Params) -> dict[str, str]:
    """Nested parameters as `a.b.0` → text, which is what selectors and fasttemplate see.

    Path segments (a list of strings) stay one value. Raises FunctionError for what is too large.
    """
    measure(params)
    found: dict[str, str] = {}

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                walk(f"{prefix}.{key}", item)
        elif isinstance(value, list) and not isinstance(value, StringList):
            for index, item in enumerate(value):
                walk(f"{prefix}.{index}", item)
        else:
            found[prefix] = text_of(value)

    for key, value in params.items():
        walk(key, value)
    return found


def texts(params: Params) -> dict[str, str]:
    """Every value as text, not flattened."""
    for value in params.values():
        measure(value)
    return {key: text_of(value) for key, value in params.items()}


def combined(first: Params, second: Params) -> Params:
    """Two sets of text parameters in one. Raises FunctionError where they disagree."""
    one, other = texts(first), texts(second)
    for key, value in other.items():
        if one.get(key, value) != value:
            raise FunctionError(f'both generators yield "{key}", one {one[key]!r} and one {value!r}')
    return {**one, **other}


def path_params(path: str, *, go: bool, prefix: str, file: str | None = None) -> Params:
    """The `path` parameters of a folder, or of the folder of a file: nested for Go templates, else dotted."""
    segments = path.split("/")
    known: dict[str, str] = {"basename": segments[-1] or ".", "basenameNormalized": normalize(segments[-1])}
    if file is not None:
        known |= {"filename": file, "filenameNormalized": normalize(file)}
    if go:
        nested: Params = {"path": path, **known, "segments": StringList(segments)}
        return {prefix: {"path": nested}} if prefix else {"path": nested}
    name = f"{prefix}.path" if prefix else "path"
    numbered = {f"{name}[{index}]": segment for index, segment in enumerate(segments) if segment}
    return {name: path, **{f"{name}.{key}": value for key, value in known.items()}, **numbered}
