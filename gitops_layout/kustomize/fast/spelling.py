"""How a plain value is written, which is what kustomize copies and compares: it keeps texts, not what they mean."""

from __future__ import annotations

from typing import Any

from gitops_layout.kustomize.fast.declined import decline
from gitops_layout.kustomize.fast.item import Item, plain_text
from gitops_layout.kustomize.fast.marks import at
from gitops_layout.kustomize.fast.read import Reader
from gitops_layout.model import Location, Path

__all__ = ["check_dates", "is_spelled", "spelled"]

_LARGEST = 1_000_000
"""Numbers from here on may be written with an exponent once a JSON patch went over the object."""
_INT64 = range(-(2**63), 2**63)


def spelled(reader: Reader, item: Item, path: Path, where: Location) -> str:
    """The text of the plain value at `path`; declined unless it is sure to be written in the one usual way."""
    value = at(item.data, path)
    if isinstance(value, str):
        if not is_spelled(value):
            decline("a time may be written in several ways", where)
        noted = item.spelled and path[:2] == ("metadata", "annotations")
        if noted and (value[:1].isdigit() or not plain_text(value)):
            decline("an annotation that may be no text yet", where)
        return value
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, int) and value in _INT64 and (abs(value) < _LARGEST or not item.rewritten):
        text = str(value)
    else:
        decline("a value that may be written in several ways", where)
    if reader.spelling(item.origin(path)[0]) != text:
        decline("a value of unusual spelling", where)
    return text


def is_spelled(text: str) -> bool:
    """Whether a text is written as it is: a date without quotes is read as its midnight, and written as the date."""
    return not text.endswith("T00:00:00Z")


def check_dates(values: dict[str, Any] | None, where: Location) -> None:
    """Decline texts of which it is not known how they are written."""
    if values and any(isinstance(value, str) and not is_spelled(value) for value in values.values()):
        decline("a time may be written in several ways", where)
