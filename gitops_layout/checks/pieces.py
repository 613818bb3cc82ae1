"""Checks of what is certain about a part of an object: patches that nothing builds, and kinds without a schema.

What a patch says stands in the object that it completes, whatever the rest is: labels, annotations and the values of
environment variables are texts in every kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gitops_layout.graph.model import Graph
from gitops_layout.model import Affected, Hit, Location, Path
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import is_aside, is_parked
from gitops_layout.validation.judged import judged

__all__ = ["text_expected"]

_MAPS = frozenset({"labels", "annotations", "matchLabels", "commonLabels"})
_FREE = frozenset(
    {"values", "valuesObject", "parameters", "data", "stringData", "schema", "input", "inputs", "status"}
)
"""Below these keys a chart, a program or a schema decides what is what."""
_DEEP = 30
_AGENTS = regexp(r"kustomize\.config\.k8s\.io/.*")


def text_expected(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Truth values and numbers where every kind has texts."""
    for subject in judged(graph).subjects:
        if not subject.verdict.known:
            yield from _found(subject.data, subject.origin, subject.ref.kind, subject.affected)
    read = {
        file for rendered in graph.rendered.values() if rendered.failure is None for file in rendered.files
    }
    told = {subject.origin(()) for subject in judged(graph).unread if subject.verdict.known}  # by M001
    for resource in graph.repo.resources:
        if resource.file in read or is_parked(resource.file) or is_aside(resource.file):
            continue
        if resource.location in told:
            continue
        if _AGENTS.fullmatch(resource.ref.api_version) or not (
            "." in resource.ref.group or resource.ref.group in _OWN
        ):
            continue
        here = resource.location
        place: Callable[[Path], Location] = lambda path, here=here: here.at(*path)  # type: ignore[misc]  # noqa: E731
        yield from _found(resource.data, place, resource.ref.kind, Affected(resource.ref))


_OWN = frozenset({"", "apps", "batch", "autoscaling", "policy", "extensions"})


def _found(
    data: Mapping[str, Any], origin: Callable[[Path], Location], kind: str, who: Affected
) -> Iterator[Hit]:
    for path, value in _texts(data, (), ""):
        told = str(value).lower() if isinstance(value, bool) else str(value)
        field = ".".join(str(step) for step in path if isinstance(step, str))
        yield Hit(origin(path), {"kind": kind, "field": field, "value": told, "subject": field}, (), who)


def _texts(data: Any, path: Path, above: str) -> Iterator[tuple[Path, Any]]:
    """What is no text although it has to be one, below a key called `above`."""
    if len(path) > _DEEP:
        return
    if isinstance(data, list):
        for index, item in enumerate(data):
            if (
                above == "env"
                and isinstance(item, dict)
                and _is_variable(item)
                and _is_scalar(item.get("value"))
            ):
                yield (*path, index, "value"), item["value"]
            elif isinstance(item, dict | list):
                yield from _texts(item, (*path, index), "")
    elif isinstance(data, dict):
        for key, value in data.items():
            if key in _MAPS and isinstance(value, dict) and _of_metadata(key, above):
                yield from (((*path, key, name), item) for name, item in value.items() if _is_scalar(item))
            elif isinstance(value, dict | list) and key not in _FREE:
                yield from _texts(value, (*path, key), str(key))


def _of_metadata(key: str, above: str) -> bool:
    return above == "metadata" if key in ("labels", "annotations") else above.lower().endswith("selector")


def _is_variable(item: Mapping[str, Any]) -> bool:
    return isinstance(item.get("name"), str) and item.keys() <= {"name", "value"}


def _is_scalar(value: Any) -> bool:
    return isinstance(value, bool | int | float)
