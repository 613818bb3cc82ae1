"""The values of a release, merged as helm and Flux merge them.

Facts: github.com/fluxcd/pkg/chartutil v1.27.2 (ChartValuesFromReferences), as helm-controller v1.6.4
(Flux 2.9) calls it. Argo CD hands files and parameters to helm, which merges them itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from gitops_layout.helm.assign import assign
from gitops_layout.source.reader import read

__all__ = ["Merged", "Missing", "Texts", "flux_values", "merge", "parse"]

Texts = Callable[[str, str], Mapping[str, str] | None]
"""(kind, name) to the texts by key of a ConfigMap or Secret in the release's namespace."""

_KINDS = ("ConfigMap", "Secret")


@dataclass(frozen=True, slots=True)
class Missing:
    """An entry of `valuesFrom` that nobody brings: its index, its kind and name, and what is not there."""

    index: int
    kind: str
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Merged:
    """The values that the controller hands to helm, the entries it would wait for, and the entry
    (its index, and why) that it refuses.
    """

    values: dict[str, Any]
    missing: tuple[Missing, ...] = ()
    refused: tuple[int, str] | None = None


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` over `below`: maps merge, everything else (lists, null) replaces. Inner values are shared."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        both = isinstance(value, dict) and isinstance(under, dict)
        merged[key] = merge(under, value) if both else value  # type: ignore[arg-type]
    return merged


def parse(text: str | bytes, file: str) -> dict[str, Any]:
    """A values file: its first document, {} where it is empty. Raises ValueError with line and reason."""
    stream = read(text, file)
    if stream.problems:
        problem = stream.problems[0]
        raise ValueError(f"line {problem.line}, column {problem.column}: {problem.message}")
    data = stream.documents[0].data if stream.documents else {}
    if not isinstance(data, dict):
        raise ValueError("the values are no mapping")
    return data


def flux_values(spec: Mapping[str, Any], texts: Texts) -> Merged:
    """A HelmRelease's values: `valuesFrom` in order, then `values` over all.

    A `targetPath` is written into the values merged so far *with* the inline ones, so it outranks an
    inline value below the same top-level key unless an earlier entry has that key, too: the controller
    shares the inner maps, and so do we.
    """
    given = spec.get("values")
    inline: dict[str, Any] = deepcopy(given) if isinstance(given, dict) else {}
    merged: dict[str, Any] = {}
    missing: list[Missing] = []
    listed = spec.get("valuesFrom")
    for index, entry in enumerate(listed if isinstance(listed, list) else ()):
        if not isinstance(entry, dict):
            return Merged(merged, tuple(missing), (index, "an entry of valuesFrom must be a mapping"))
        kind, name = str(entry.get("kind")), str(entry.get("name"))
        if kind not in _KINDS:
            return Merged(merged, tuple(missing), (index, f"valuesFrom takes no {kind}"))
        found, key = texts(kind, name), str(entry.get("valuesKey") or "values.yaml")
        if found is None or key not in found:
            if entry.get("optional") is not True:
                why = "nothing brings it, or it is encrypted" if found is None else f"it has no key {key}"
                missing.append(Missing(index, kind, name, why))
            continue
        try:
            merged = _over(merged, inline, entry, found[key])
        except ValueError as error:
            return Merged(merged, tuple(missing), (index, f"{kind} {name}, key {key}: {error}"))
    return Merged(merge(merged, inline), tuple(missing))


def _over(
    merged: dict[str, Any], inline: dict[str, Any], entry: Mapping[str, Any], text: str
) -> dict[str, Any]:
    target = entry.get("targetPath")
    if not isinstance(target, str) or not target:
        return merge(merged, parse(text, "values"))
    merged = merge(merged, inline)
    if entry.get("literal") is True:
        for character in "\\,[]{}":
            text = text.replace(character, f"\\{character}")
        assign(merged, f"{target}={text}", strings=True)
    elif text[:1] in ("'", '"') and text.endswith(text[:1]):
        unquoted = text.strip("'\"")
        assign(merged, f"{target}={unquoted}", strings=True)
    else:
        assign(merged, f"{target}={text}")
    return merged
