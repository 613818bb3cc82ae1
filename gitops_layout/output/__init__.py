"""Reports as text: one module a format; each returns text and prints nothing."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from gitops_layout.lint.report import Report

__all__ = ["FORMATS", "by_name"]

_REPORTS = {
    "json": ("json_", "report_json"),
    "sarif": ("sarif", "report_sarif"),
    "github": ("github", "report_github"),
    "gitlab": ("gitlab", "report_gitlab"),
}
FORMATS = ("text", *_REPORTS)


def by_name(form: str) -> Callable[[Report], str]:
    """The writer of a format, imported only when asked for."""
    module, function = _REPORTS[form]
    writer: Callable[[Report], str] = getattr(import_module(f"{__name__}.{module}"), function)
    return writer
