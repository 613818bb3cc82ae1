"""Other repositories that lie on this machine: split repositories are linked into one graph.

A repository's own config is untrusted like all of it, so whether a folder outside of it may be read is not
decided here: `allowed` says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gitops_layout.agents.urls import filled, matched
from gitops_layout.values import dataclass

__all__ = ["Checkout", "folder_of", "matching"]


@dataclass(frozen=True, slots=True)
class Checkout:
    """Sources whose URL matches `pattern` are the files below `base`: in its folder `rest`, where `*` is replaced.

    `written` is the folder as the config has it.
    """

    pattern: str
    written: str
    base: Path
    rest: str = ""
    allowed: bool = True


def matching(checkouts: Iterable[Checkout], url: str) -> Checkout | None:
    """The first one for a URL."""
    return next((checkout for checkout in checkouts if matched(checkout.pattern, url) is not None), None)


def folder_of(checkout: Checkout, url: str) -> Path | None:
    """The folder for a URL that matches; None where there is none, or where the URL's text would lead out of `base`."""
    folder = (checkout.base / filled(checkout.rest, matched(checkout.pattern, url) or ())).resolve()
    return folder if folder.is_relative_to(checkout.base) and folder.is_dir() else None
