"""What the templates pin, read from the one file that says it: `templates/shared/versions.jinja`."""

from __future__ import annotations

import ast
import re
from functools import cache

from gitops_layout import bundle
from gitops_layout.patterns import regexp
from gitops_layout.values import dataclass

__all__ = ["Pins", "pins"]

_FILE = "templates/shared/versions.jinja"
_TABLE = regexp(r"set (\w+) = (\{.*?\n\})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Pins:
    """`date` is the day of the look-up; `versions` are tools and agents by name, `actions` workflow actions by name,
    each with its commit and its version, `charts` those of components, each with its repository and its version.
    """

    date: str
    versions: dict[str, str]
    actions: dict[str, tuple[str, str]]
    charts: dict[str, tuple[str, str]]


@cache
def pins() -> Pins:
    """The pins of this release."""
    text = (bundle.root() / _FILE).read_text("utf-8")
    tables = {name: ast.literal_eval(table) for name, table in _TABLE.findall(text)}
    versions = dict(tables["versions"])
    date = versions.pop("date")
    actions = {name: (commit, version) for name, (commit, version) in tables["actions"].items()}
    charts = {name: (repo, version) for name, (repo, version) in tables["charts"].items()}
    return Pins(date, versions, actions, charts)
