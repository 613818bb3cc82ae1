"""Charts that kustomizations inflate (`helmCharts`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import basename, dirname, join, normpath

from gitops_layout.agents.context import text
from gitops_layout.checks.instructions import instructions
from gitops_layout.checks.near import near_name
from gitops_layout.kustomize.model import FILE_NAMES, Kustomization, find, mappings, strings
from gitops_layout.model import Location
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo, is_aside

__all__ = ["values_missing"]

_OPEN = regexp(r"\$\{|\{\{|<[A-Z_]+>")
"""Filled in later."""


def values_missing(repo: Repo) -> Iterator[tuple[Location, str]]:
    """Files of values that kustomizations name for charts and that are not there, wherever the chart comes from."""
    for folder, names in repo.folders.items():
        file = next((name for name in FILE_NAMES if name in names), None)
        if file is None or "helmCharts" not in repo.text(join(folder, file)):
            continue
        found = find(repo, folder)
        if not isinstance(found, Kustomization) or is_aside(found.file):
            continue
        for chart, index in mappings(found.data, "helmCharts"):
            one = text(chart.get("valuesFile"))
            named = [(one, ("valuesFile",))] if one else []
            more = strings(chart, "additionalValuesFiles")
            for name, path in [*named, *((each, ("additionalValuesFiles", n)) for each, n in more)]:
                target = normpath(join(folder, name))
                if "://" in name or _OPEN.search(name) or repo.resolve(target) is not None:
                    continue
                if _is_written(repo, target):
                    continue
                near = near_name(basename(target), repo.folders.get(dirname(target), ()))
                told = f' (did you mean "{join(dirname(name), near)}"?)' if near is not None else ""
                why = f"{name}, values of the chart {chart.get('name')}, does not exist{told}"
                yield found.location.at("helmCharts", index, *path), why


def _is_written(repo: Repo, target: str) -> bool:
    """Whether a script or page names the file: by its folder, by a variable for it, or alone in the folder itself."""
    folder, name = dirname(target), basename(target)
    parent = re.escape(basename(folder))
    said = regexp(rf"(?<![\w.-])(?:{parent}|[^\s/]*\$[^\s/]*)/{re.escape(name)}(?![\w-])")
    alone = regexp(rf"(?<![\w.-]){re.escape(name)}(?![\w-])")
    return any(
        name in text and (said.search(text) or (dirname(path) == folder and alone.search(text)))
        for path in instructions(repo)
        for text in (repo.text(path),)
    )
