"""Passwords in URLs: the one function that takes them out of a text, and what values call it when they are made.

Reasons, findings and errors are cleaned where they come into being, so that no output has to think of it; only what goes
to a source (`fetch`) and what is applied (`render`, `reconcile`) has the URL as it is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitops_layout.patterns import regexp

if TYPE_CHECKING:
    import re

__all__ = ["cleaned", "without_passwords"]

_WITH_USER = regexp(r"\b([A-Za-z][A-Za-z0-9+.\-]{0,19})://([^\s/?#\"]*)@")


def without_passwords(text: str) -> str:
    """A text in which every URL has lost what may be a secret in it.

    A web URL loses its user, too: tokens are often written there. `ssh://git@…` keeps it.
    """
    return _WITH_USER.sub(_bare, text) if "@" in text else text


def _bare(found: re.Match[str]) -> str:
    scheme, user = found[1], found[2].partition(":")[0]
    return f"{scheme}://" if scheme.lower() in ("http", "https") else f"{scheme}://{user}@"


def cleaned(value: object, *names: str) -> None:
    """Take passwords out of the texts among these fields of a frozen value that is being made."""
    for name in names:
        text: Any = getattr(value, name)
        if isinstance(text, str) and "@" in text:
            object.__setattr__(value, name, without_passwords(text))
