"""How Go's dario.cat/mergo merges maps, its surprises included (v1.0.2)."""

from __future__ import annotations

from typing import Any

from gitops_layout.agents.gotemplate.errors import FunctionError
from gitops_layout.agents.gotemplate.values import StringMap

__all__ = ["merge"]


def merge(target: dict[str, Any], source: dict[str, Any], *, override: bool = False) -> None:
    """Merge `source` into `target` in place; `target` then shares the parts it took over.

    Without `override` only empty values are filled; with it even an empty value or list of `source` wins,
    but maps are merged key by key. Raises FunctionError where mergo panics.
    """
    if isinstance(target, StringMap) and not isinstance(source, StringMap) and source:
        raise FunctionError("a map[string]interface {} cannot be merged into a map[string]string")
    for key, value in source.items():
        present, old = key in target, target.get(key)
        if value is None:
            if override:
                target[key] = None
            continue
        if isinstance(value, dict) and isinstance(old, dict):
            merge(old, value, override=override)
            if old:
                continue
        if override or not present or not old:
            target[key] = value
