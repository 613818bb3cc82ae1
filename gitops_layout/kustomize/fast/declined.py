"""Why the fast builder leaves a build to real kustomize."""

from __future__ import annotations

from typing import NoReturn

from gitops_layout.model import Location
from gitops_layout.values import dataclass

__all__ = ["Declined", "DeclinedError", "decline", "refuse"]


@dataclass(frozen=True, slots=True)
class Declined:
    """A build that real kustomize must do: what stands at `location` is not known to build alike here.

    Without a `remedy` it says nothing about the build: kustomize may take it or refuse it. With one, it is
    what kustomize refuses the build for, and the remedy is what to do about it. Where that is `certain`, kustomize need
    not be asked: all it does before is known to go well here.
    """

    reason: str
    location: Location
    remedy: str | None = None
    certain: bool = False


class DeclinedError(Exception):
    """Ends a fast build; `location` may be filled in by a caller that knows it better."""

    def __init__(
        self,
        reason: str,
        location: Location | None = None,
        remedy: str | None = None,
        *,
        certain: bool = False,
    ) -> None:
        super().__init__(reason)
        self.certain = certain
        self.reason = reason
        self.location = location
        self.remedy = remedy


def decline(reason: str, location: Location | None = None) -> NoReturn:
    """Leave this build to real kustomize."""
    raise DeclinedError(reason, location)


def refuse(reason: str, location: Location, remedy: str, *, certain: bool = False) -> NoReturn:
    """Leave to real kustomize what it is known to refuse; the remedy is an act: `name an object …`."""
    raise DeclinedError(reason, location, remedy, certain=certain)
