"""What is judged: a delivered object and what is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitops_layout.model import Affected, Location, ObjectRef, Path
    from gitops_layout.validation.check import Verdict

__all__ = ["Subject"]


@dataclass(frozen=True, slots=True)
class Subject:
    """A delivered object, where its values come from, whom it belongs to, and what its schema says.

    `applied` says that whoever delivers it has the server apply it, and does not create it. `shape` is equal for
    objects that the server judges alike (`validation.server.shape`).
    """

    ref: ObjectRef
    data: dict[str, Any]
    origin: Callable[[Path], Location]
    affected: Affected
    live: bool
    verdict: Verdict
    applied: bool = False
    shape: bytes | None = None
