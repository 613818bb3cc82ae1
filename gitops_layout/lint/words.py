"""A rule's texts with their `{dotted.fields}` filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gitops_layout.passwords import without_passwords
from gitops_layout.patterns import regexp

__all__ = ["UnfilledError", "filled"]

_FIELD = regexp(r"\{([A-Za-z_][\w.-]*)\}")


class UnfilledError(Exception):
    """A rule's message names a field that the rule does not give."""


def filled(template: str, values: Mapping[str, object]) -> str:
    """A message with its `{dotted.fields}` filled in; what an object lacks is `(none)`."""

    def look_up(match: re.Match[str]) -> str:
        root, *steps = match[1].split(".")
        if root not in values:
            raise UnfilledError(f"its message names {{{root}}}, which it does not give")
        value: Any = values[root]
        for step in steps:
            value = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, bool):
            return str(value).lower()
        return "(none)" if value is None else _one_line(without_passwords(str(value)))

    return _FIELD.sub(look_up, template)


def _one_line(text: str) -> str:
    """Foreign text made harmless for a terminal and a single line."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    return clean if len(clean) <= 200 else f"{clean[:199]}…"
