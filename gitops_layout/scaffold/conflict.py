"""What both sides changed, each its own way."""

from __future__ import annotations

from gitops_layout.values import dataclass

__all__ = ["Conflict"]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Both sides changed `where` (dotted path or line), each its own way."""

    where: str
    ours: str
    theirs: str
