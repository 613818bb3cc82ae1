"""What several checks of one run look at is made once, and only when one of them asks."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

__all__ = ["once"]

_Subject = TypeVar("_Subject")
_Made = TypeVar("_Made")


def once(make: Callable[[_Subject], _Made]) -> Callable[[_Subject], _Made]:
    """`make`, asked again only for another subject than the last: a run has one graph and one repository, by
    identity, and nothing is kept beyond the last one.
    """
    last: list[tuple[_Subject, _Made]] = []

    @wraps(make)
    def made(subject: _Subject, /) -> _Made:
        if not last or last[0][0] is not subject:
            last[:] = [(subject, make(subject))]
        return last[0][1]

    return made
