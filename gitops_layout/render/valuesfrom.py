"""Where the values stand that a HelmRelease takes from ConfigMaps and Secrets (helm-controller v1.6.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from gitops_layout.fields import at
from gitops_layout.helm.assign import assign
from gitops_layout.helm.origins import Written
from gitops_layout.helm.values import parse
from gitops_layout.model import Location, Path

__all__ = ["values_from"]


def values_from(
    spec: Mapping[str, Any],
    values: dict[str, Any],
    found: Callable[[str, str], Mapping[str, str] | None],
    origin: Callable[[str, str], Location | None],
    here: Location,
) -> tuple[list[Written], list[Written]]:
    """What `valuesFrom` writes below and above the inline values. What a ConfigMap gives to one path stands in it; where
    the rest stands is not followed, and what is not seen may be anything.
    """
    listed = spec.get("valuesFrom")
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    given = [(entry, found(str(entry.get("kind")), str(entry.get("name"))) or {}) for entry in entries]
    wholes = [texts.get(_key(entry)) for entry, texts in given if not entry.get("targetPath")]
    targets = [(entry, texts, _target(entry)) for entry, texts in given if entry.get("targetPath")]
    above: list[Written] = []
    for entry, texts, data in targets:
        path, text = _only_path(data), texts.get(_key(entry))
        others = [
            other for other, _, written in targets if other is not entry and at(written, *path) is not None
        ]
        place = origin(str(entry.get("name")), _key(entry)) if entry.get("kind") == "ConfigMap" else None
        alone = not others and not any(whole is None or _sets(whole, path) for whole in wholes)
        value = at(values, *path)
        if place is None or not alone or at(spec.get("values"), *path) is not None or _plain(value) != text:
            above.append(Written(here, data, whole=True, hidden=True))
        else:
            above.append(Written(place, _nested(path, value), whole=True))
    if not wholes:
        return [], above
    seen = all(whole is not None for whole in wholes)
    return [Written(here, values if seen else None, whole=True, hidden=True)], above


def _key(entry: Mapping[str, Any]) -> str:
    return str(entry.get("valuesKey") or "values.yaml")


def _target(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The values that an entry with a `targetPath` writes, with another text in them."""
    data: dict[str, Any] = {}
    with suppress(ValueError):
        assign(data, f"{entry['targetPath']}=x")
    return data


def _only_path(data: Any) -> Path:
    """The keys down to the value; nothing inside a list."""
    path: Path = ()
    while isinstance(data, dict) and len(data) == 1:
        ((key, data),) = data.items()
        path = (*path, key)
    return path


def _nested(path: Path, value: Any) -> Any:
    for step in reversed(path):
        value = {step: value}
    return value


def _sets(text: str, path: Path) -> bool:
    """Whether values in a text say anything of a path; None, they may, and what holds it as well."""
    try:
        data: Any = parse(text, "values")
    except ValueError:
        return True
    for step in path:
        if not isinstance(data, dict):
            return True
        if step not in data:
            return False
        data = data[step]
    return True


def _plain(value: Any) -> str | None:
    """A value as helm writes it into a template; None for what is no plain value."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int) else None
