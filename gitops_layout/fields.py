"""Fields of objects: their values, how their paths are written for people, and where their keys stand."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gitops_layout.patterns import regexp

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitops_layout.model import Location, Path

__all__ = ["at", "dotted", "place_of"]

_PLAIN = regexp(r"[A-Za-z_][\w-]*")


def at(data: Any, *path: str | int, absent: Any = None) -> Any:
    """The value at `path`, `absent` where any step is missing or of another shape."""
    for step in path:
        if isinstance(data, dict):
            data = data.get(step, absent)
        elif isinstance(data, list) and isinstance(step, int) and -len(data) <= step < len(data):
            data = data[step]
        else:
            return absent
    return data


def dotted(path: Path) -> str:
    """`spec.ports[0].port`; keys with dots and slashes stand in brackets, as jsonpath has them."""
    out = ""
    for step in path:
        if isinstance(step, int):
            out += f"[{step}]"
        elif _PLAIN.fullmatch(step):
            out += f".{step}" if out else step
        else:
            out += f"[{json.dumps(step, ensure_ascii=False)}]"
    return out or "the object"


def place_of(object_place: Location, origin: Callable[[Path], Location] | None, path: Path) -> Location:
    """Where the key of a field stands that was written at `object_place`, or, for a rendered object, where its `origin`
    says; what is no key's own place stays as it is.
    """
    place = origin(path) if origin is not None else object_place.at(*path)
    return replace(place, key=True) if place.path[-1:] == path[-1:] and isinstance(path[-1], str) else place
