"""Checks of what stands in Secrets behind base64, or beside it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.graph.model import Graph
from gitops_layout.model import Affected, Hit
from gitops_layout.patterns import regexp

__all__ = ["line_break_at_the_end"]

_ONE_LINE = regexp(
    r"(?i:(?:.*[_.-])?(?:password|passwd|passphrase|username|user|token|api[_-]?key|access[_-]?key|secret[_-]?key|client[_-]?secret))"
    r"|.*[a-z](?:Password|Username|Token|ApiKey|AccessKey|SecretKey|ClientSecret)"
)
_MOST = 400


def line_break_at_the_end(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Passwords, names and tokens whose only line break is their last sign."""
    for resource in graph.repo.resources:
        if resource.ref.kind != "Secret" or resource.ref.api_version != "v1" or "sops" in resource.data:
            continue
        for field in ("data", "stringData"):
            values = resource.data.get(field)
            for key, value in values.items() if isinstance(values, dict) else ():
                if not isinstance(value, str) or not _ONE_LINE.fullmatch(str(key)):
                    continue
                text = _decoded(value) if field == "data" else value
                if text is not None and 1 < len(text) <= _MOST and text.find("\n") == len(text) - 1:
                    place = resource.location.at(field, key)
                    values_ = {"name": resource.ref.name, "key": key, "subject": str(key)}
                    yield Hit(place, values_, (), Affected(resource.ref))


def _decoded(value: str) -> str | None:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
