"""What an expression may make of its data at the worst. The engine bounds its loops, and not what a text or list grows to."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from gitops_layout.patterns import regexp
from gitops_layout.values import dataclass

__all__ = ["LIMIT", "Cost", "cost", "weight"]

LIMIT = 500_000_000
"""Characters and items that may be handled in this process; seconds, and a few hundred MB, at the worst."""

_LITERAL = regexp(r"[rR]?(?:\"[^\"\\]*(?:\\.[^\"\\]*)*\"|'[^'\\]*(?:\\.[^'\\]*)*')", re.DOTALL)
_MAKER = regexp(
    r"\.(?:replace|split|join|format|map|transform\w+|flatten|indexOf|lastIndexOf|isSorted|min|max|sum)\s*\("
    r"|\bsets\.\w+\s*\("
)
"""What makes a text or list out of each part of another, or takes a whole list over to Python."""
_LOOP = regexp(r"\.(?:all|exists|exists_one|existsOne|filter|map|transform\w+)\s*\(")
_STEPS = 10_000
"""Steps of loops that the engine takes before it gives up."""


@dataclass(frozen=True, slots=True)
class Cost:
    """How often an expression makes something of a whole, whether in a loop, and the length of its own literals."""

    makers: int
    joins: int
    loops: bool
    literals: int

    def worst(self, weight: int) -> int:
        """Characters and items handled at the worst, for data of `weight` characters."""
        whole = max(weight + self.literals, 2)
        # Beyond 64 makers of two characters there is no limit that it could keep.
        steps = _STEPS if self.loops and (self.makers or self.joins) else 1
        handled: int = whole ** min(self.makers or 1, 64)
        return steps * (self.joins + 1) * handled


def cost(text: str) -> Cost:
    """Read off an expression what it may cost."""
    literals = sum(len(found[0]) - 2 for found in _LITERAL.finditer(text))
    bare = _LITERAL.sub('""', text)
    # Two lists are compared item by item.
    makers = sum(1 + found[0].startswith("sets") for found in _MAKER.finditer(bare))
    return Cost(
        makers, bare.count("+"), _LOOP.search(bare) is not None,
        literals + bare.count(","),
    )  # fmt: skip


def weight(data: Mapping[str, Any]) -> int:
    """The characters of the data."""
    return len(json.dumps(data, default=str))
