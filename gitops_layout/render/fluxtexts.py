"""The texts of a kustomization as Flux reads it: what is a number or a boolean where a text belongs becomes one.

Flux reads the kustomization of a delivery's own path by sigs.k8s.io/yaml into kustomize's types and writes it anew before
it builds; kustomize itself, which reads all others, refuses them. That reader sees only what stands in no embedded type:
the names of generators and of targets stay what they are, and are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gitops_layout.source.typing import float_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitops_layout.model import Path

__all__ = ["texts"]

_LISTS = (
    "resources", "components", "bases", "crds", "configurations", "generators", "transformers", "validators",
    "patchesStrategicMerge", "buildMetadata",
)  # fmt: skip
_PLACES: tuple[tuple[str, ...], ...] = (
    ("namespace",), ("namePrefix",), ("nameSuffix",), ("commonLabels", "*"), ("commonAnnotations", "*"), ("labels", "*", "pairs", "*"),
    ("images", "*", "*"), ("replicas", "*", "name"), ("generatorOptions", "labels", "*"), ("generatorOptions", "annotations", "*"),
    ("secretGenerator", "*", "type"), ("patches", "*", "path"), ("patches", "*", "patch"), ("replacements", "*", "path"),
    ("vars", "*", "name"), ("vars", "*", "objref", "name"), ("vars", "*", "objref", "namespace"), ("metadata", "name"),
    ("metadata", "labels", "*"), ("metadata", "annotations", "*"), ("openapi", "*"), ("sortOptions", "order"),
    *((name, "*") for name in _LISTS),
)  # fmt: skip
_PLAIN = 1_000_000
"""Whole numbers from here on are written with an exponent where they are floats."""


def texts(data: Mapping[str, Any], spelling: Callable[[Path], str]) -> Mapping[str, Any]:
    """A kustomization with its texts as Flux reads them; the same one where they are texts already. `spelling` tells how
    the value at a path is written.
    """
    result: Any = data
    for steps in _PLACES:
        if steps[0] in data:
            result = _with(result, steps, (), spelling)
    return result if isinstance(result, Mapping) else data


def _with(value: Any, steps: tuple[str, ...], path: Path, spelling: Callable[[Path], str]) -> Any:
    if not steps:
        return _text(value, path, spelling)
    step, rest = steps[0], steps[1:]
    if isinstance(value, dict):
        keys = list(value) if step == "*" else [step] if step in value else []
        new = {key: _with(value[key], rest, (*path, key), spelling) for key in keys}
        if step == "*" and not rest:
            new = {key: "" if found is None else found for key, found in new.items()}
        return {**value, **new} if any(new[key] is not value[key] for key in keys) else value
    if isinstance(value, list) and step == "*":
        found = [_with(one, rest, (*path, index), spelling) for index, one in enumerate(value)]
        return found if any(a is not b for a, b in zip(found, value, strict=True)) else value
    return value


def _text(value: Any, path: Path, spelling: Callable[[Path], str]) -> Any:
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return float_text(value)
        case int() if abs(value) >= _PLAIN and _is_float(spelling(path)):
            return float_text(float(value))
        case int():
            return str(value)
    return value


def _is_float(written: str) -> bool:
    return not written.lower().startswith(("0x", "-0x", "+0x")) and any(c in ".eE" for c in written)
