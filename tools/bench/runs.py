"""What a measured run cost."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Run"]


@dataclass(frozen=True, slots=True)
class Run:
    """Seconds by the clock, and of all processors together."""

    what: str
    clock: float
    processor: float
