"""The one module that keeps Secret values out of everything we print.

Values are hidden in objects, in single fields of a diff, and in the texts of API errors, which quote
what they refuse.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from gitops_layout.passwords import without_passwords
from gitops_layout.patterns import regexp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gitops_layout.model import Path

__all__ = ["MASK", "is_secret", "mask_object", "mask_text", "mask_value", "printable", "secret_values"]

MASK = "***"

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_QUOTED = regexp(r'"(?:[^"\\]|\\.)*"|`[^`]*`|\'(?:[^\'\\]|\\.)*\'')
_GOT = regexp(r"\bgot .*")  # how typed-patch errors end: the value as Go prints it, unquoted
_SHORTEST = 4  # replacing every "1" of a message would hide nothing and make it unreadable


def is_secret(data: Mapping[str, Any]) -> bool:
    """Whether an object is a core Secret (of any version, even a wrong one)."""
    return data.get("kind") == "Secret" and "/" not in str(data.get("apiVersion", ""))


def mask_object(data: Mapping[str, Any]) -> dict[str, Any]:
    """A copy to print: a Secret's values are hidden, its keys stay; other objects are unchanged."""
    if not is_secret(data):
        return dict(data)
    masked = dict(data)
    for field in ("data", "stringData"):
        if field in masked:
            values = masked[field]
            masked[field] = dict.fromkeys(values, MASK) if isinstance(values, dict) else MASK
    metadata = masked.get("metadata")
    if isinstance(metadata, dict) and _LAST_APPLIED in (metadata.get("annotations") or {}):
        masked["metadata"] = metadata | {"annotations": metadata["annotations"] | {_LAST_APPLIED: MASK}}
    return masked


def printable(value: Any) -> Any:
    """A value, or what is left of an object when it is masked, with no password in the URLs of its texts."""
    match value:
        case str():
            return without_passwords(value)
        case dict():
            return {key: printable(held) for key, held in value.items()}
        case list():
            return [printable(held) for held in value]
    return value


def mask_value(data: Mapping[str, Any], path: Path, value: object) -> object:
    """`value`, the field at `path` of `data`, as it may be printed."""
    if not is_secret(data) or value is None:
        return printable(value)
    if path[:1] in (("data",), ("stringData",)) or path == ("metadata", "annotations", _LAST_APPLIED):
        return MASK
    if path == ("metadata", "annotations") and isinstance(value, dict) and _LAST_APPLIED in value:
        return value | {_LAST_APPLIED: MASK}
    return value


def secret_values(objects: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Every form in which the values of the Secrets among `objects` may turn up in a text."""
    return frozenset(
        form
        for data in objects
        if is_secret(data)
        for field in ("data", "stringData")
        if isinstance(data.get(field), dict)
        for value in data[field].values()
        for form in _forms(value, encoded=field == "data")
        if len(form) >= _SHORTEST
    )


def _forms(value: object, *, encoded: bool) -> Iterator[str]:
    text = str(value)
    yield text
    if not encoded:
        yield base64.b64encode(text.encode()).decode()
        return
    try:
        plain = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):  # not base64, or bytes that are no text
        return
    yield plain
    yield from (line for line in plain.splitlines() if line != plain)


def mask_text(text: str, values: Iterable[str], *, about: Mapping[str, Any] | None = None) -> str:
    """A message with every one of `values` hidden.

    Where the message is `about` a Secret, everything it quotes is hidden too, except for what is no
    secret: the object's kind, version, name, namespace and keys.
    """
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, MASK)
    if about is None or not is_secret(about):
        return text
    text = _GOT.sub(f"got {MASK}", text)
    harmless = {"Secret", "v1", *_harmless(about)}
    return _QUOTED.sub(lambda match: match[0] if match[0][1:-1] in harmless else f'"{MASK}"', text)


def _harmless(data: Mapping[str, Any]) -> Iterator[str]:
    metadata = data.get("metadata")
    if isinstance(metadata, dict):
        yield from (str(metadata[key]) for key in ("name", "namespace") if key in metadata)
    for field in ("data", "stringData"):
        if isinstance(data.get(field), dict):
            yield from map(str, data[field])
