"""Where `templates/` and `rules/` are: in the checkout we run from, else inside the installed package."""

from __future__ import annotations

from functools import cache
from pathlib import Path

__all__ = ["root"]


@cache
def root() -> Path:
    """The real folder that holds `templates/`, `rules/` and `copier.yml` (Copier needs a real path)."""
    package = Path(__file__).parent
    checkout = package.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / "rules").is_dir():
        return checkout
    return package / "_bundle"
