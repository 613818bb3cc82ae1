"""Why the fast builder leaves a build to real kustomize."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from gitops_layout.model import Location

__all__ = ["Declined", "DeclinedError", "decline"]


@dataclass(frozen=True, slots=True)
class Declined:
    """A build that real kustomize must do: what stands at `location` is not known to build alike here.

    It says nothing about the build: kustomize may take it or refuse it.
    """

    reason: str
    location: Location


class DeclinedError(Exception):
    """Ends a fast build; `location` may be filled in by a caller that knows it better."""

    def __init__(self, reason: str, location: Location | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.location = location


def decline(reason: str, location: Location | None = None) -> NoReturn:
    """Leave this build to real kustomize."""
    raise DeclinedError(reason, location)
