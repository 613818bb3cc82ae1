"""Why the fast builder leaves a build to real kustomize."""

from __future__ import annotations

import re
from typing import NoReturn

from gitops_layout.model import Location
from gitops_layout.values import dataclass

__all__ = ["Declined", "DeclinedError", "decline", "refuse"]


@dataclass(frozen=True, slots=True)
class Declined:
    """A build that real kustomize must do: what stands at `location` is not known to build alike here.

    Without a `remedy` it says nothing about the build: kustomize may take it or refuse it. With one, it is
    what kustomize refuses the build for, if nothing else before: `said` is found in its words then, and the remedy is what
    to do about it. Where that is `certain`, kustomize need not be asked: all it does before is known to go well here.
    """

    reason: str
    location: Location
    remedy: str | None = None
    said: str = ""
    certain: bool = False

    def confirmed(self, words: str) -> bool:
        """Whether this is what kustomize's own words complain of."""
        return self.remedy is not None and re.search(self.said, words) is not None


class DeclinedError(Exception):
    """Ends a fast build; `location` may be filled in by a caller that knows it better."""

    def __init__(
        self,
        reason: str,
        location: Location | None = None,
        remedy: str | None = None,
        *,
        said: str = "",
        certain: bool = False,
    ) -> None:
        super().__init__(reason)
        self.said = said
        self.certain = certain
        self.reason = reason
        self.location = location
        self.remedy = remedy

    def at(self, where: Location) -> Declined:
        """The same as a result; `where` is its place unless it knows a better one."""
        return Declined(self.reason, self.location or where, self.remedy, self.said, self.certain)


def decline(reason: str, location: Location | None = None) -> NoReturn:
    """Leave this build to real kustomize."""
    raise DeclinedError(reason, location)


def refuse(reason: str, location: Location, remedy: str, *, said: str, certain: bool = False) -> NoReturn:
    """Leave to real kustomize what it is known to refuse; the remedy is an act: `name an object …`. By the pattern `said`
    one knows kustomize's complaint about it.
    """
    raise DeclinedError(reason, location, remedy, said=said, certain=certain)
