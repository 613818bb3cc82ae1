"""What has been found clean before: a repository says the same thing in every environment.

A check is a pure function of the value that it is given. What it found nothing wrong with is remembered by content, and
is not judged again; what it refused is, since refusals say where they stand.
"""

from __future__ import annotations

import hashlib
import marshal
from typing import Any

__all__ = ["Clean", "content", "lean", "lean_content"]

_LONG = 64
_MOST = 200_000
"""Contents that are remembered of one check; then it starts anew."""


def content(value: Any) -> bytes | None:
    """Bytes that are equal only for equal values of plain data, None for what has no such form.

    Version 2 of the format writes no references, so that sharing does not show; `1`, `1.0` and `true` differ.
    """
    try:
        text = marshal.dumps(value, 2)
    except ValueError:  # too deep, or no plain data
        return None
    return text if len(text) <= _LONG else hashlib.blake2b(text, digest_size=20).digest()


class Clean:
    """The contents that one check has found nothing wrong with."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: set[bytes] = set()

    def __contains__(self, key: bytes | None) -> bool:
        return key in self._known

    def add(self, key: bytes | None) -> None:
        """Remember a content; one without form is forgotten."""
        if key is not None:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known.add(key)


def lean(spec: dict[str, Any]) -> dict[str, Any]:
    """A pod spec without what differs between environments and is judged for itself.

    Of containers' `image` the rest of a pod asks whether it is there and has blanks around it (good ones become
    one and the same), of `resources` the `claims`.
    """
    out = dict(spec)
    for kind in ("containers", "initContainers"):
        if isinstance(items := spec.get(kind), list):
            out[kind] = [_lean_container(item) if isinstance(item, dict) else item for item in items]
    return out


def _lean_container(container: dict[str, Any]) -> dict[str, Any]:
    out = dict(container)
    image, resources = out.get("image"), out.get("resources")
    if isinstance(image, str) and image and image == image.strip():
        out["image"] = "image"
    if isinstance(resources, dict):
        out["resources"] = {"claims": resources["claims"]} if "claims" in resources else {}
    return out


_last: list[tuple[dict[str, Any], bytes | None]] = []


def lean_content(spec: dict[str, Any]) -> bytes | None:
    """`content(lean(spec))`; the last one is kept, as several checks ask for it one after the other."""
    if not _last or _last[0][0] is not spec:
        _last[:] = [(spec, content(lean(spec)))]
    return _last[0][1]
