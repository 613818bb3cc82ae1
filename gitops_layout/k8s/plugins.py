"""What plugins of Argo CD put a secret in place of, after the build and before the API server sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitops_layout.patterns import regexp

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["filled_in"]

_BY_PATH = regexp(r"<(?:path|secret|vault):[^<>\n]+>")
"""Argo CD Vault Plugin's inline paths (`<path:kv/data/web#host>`), and the like of other plugins (`<secret:host>`)."""
_BY_KEY = regexp(r"<[^<>\n]+>")
_PATH = "avp.kubernetes.io/path"
"""Where the object says in which secret Argo CD Vault Plugin finds its keys (`<host>`)."""


def filled_in(data: Mapping[str, Any], text: str) -> bool:
    """Whether a plugin is to fill in a part of a text of the object."""
    if "<" not in text:
        return False
    metadata = data.get("metadata")
    notes = metadata.get("annotations") if isinstance(metadata, dict) else None
    by_key = isinstance(notes, dict) and _PATH in notes
    return (_BY_KEY if by_key else _BY_PATH).search(text) is not None
