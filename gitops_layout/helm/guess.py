"""Render a chart that nobody installs, to judge its templates: with its own values, and variables for what it asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from posixpath import basename, join
from typing import Any

from gitops_layout.helm.chart import Chart, Problem, dependencies
from gitops_layout.helm.fillin import asked_for, required
from gitops_layout.helm.find import Helm, Library
from gitops_layout.helm.kept import Store
from gitops_layout.helm.template import Release, Templated, template
from gitops_layout.model import UncheckedClass
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo

__all__ = ["guessed", "is_certain"]

_TRIES = 8
"""So often a chart is rendered, with one value more or one template less each time."""

_SCHEMA = "values.schema.json"
_NEEDED = {"apiVersion": "v2", "name": "chart", "version": "0.0.0"}
_OF_ANY_VALUES = regexp(
    r"parse error(?! on)|function \S+ not defined|wrong number of args for \w+", re.IGNORECASE
)
_OF_ITS_TEMPLATES = regexp(
    r"template \"?([^\s\"]+)\"? not defined|no template \"?([^\s\"]+)\"? associated", re.IGNORECASE
)
"""What helm says of templates that fail whatever values they get; the latter may be in a chart that is not there."""

_TEMPLATE = regexp(r"[\w.-]+(?:/charts/[\w.-]+)*/templates/[^\s:()\"]+")


def guessed(
    helm: Helm | Library,
    repo: Repo,
    chart: Chart,
    release: Release,
    *,
    flags: tuple[str, ...],
    kept: Store | None = None,
    whole: bool = True,
) -> tuple[Templated, Problem | None]:
    """The objects that can be made, and the worst of what kept others from being made.

    Subcharts that are here are switched on (not `whole`: others are missing); what is filled in fits no schema of values, so that is left out.
    """
    values: dict[str, Any] = {**required(repo, chart)}
    _switch_on(repo, chart, values)
    files = {place: file for place, file in chart.files.items() if basename(place) != _SCHEMA}
    chart = replace(chart, files=files, texts={**_whole(repo, chart), **chart.texts})
    worst: Problem | None = None
    result = Templated()
    for _ in range(_TRIES):
        given = replace(release, values=(json.dumps(values).encode(),), flags=flags, guess=True)
        result = template(helm, repo, chart, given, kept)
        if result.problem is None:
            break
        more = asked_for(chart, result.problem.why, values)
        if more is not None:
            values = more
            continue
        certain = is_certain(result.problem.why, whole=whole or _is_own(repo, chart, result.problem.why))
        if worst is None or (certain and worst.kind is not UncheckedClass.BROKEN):
            worst = result.problem if certain else _perhaps(result.problem)
        lost = _culprit(repo, chart, result.problem.why)
        if not lost:
            break
        chart = replace(chart, files={p: f for p, f in chart.files.items() if p not in lost})
    return result, worst


def is_certain(why: str, *, whole: bool) -> bool:
    """Whether helm refuses a chart's templates for what no values change, nor, unless it is `whole`, the dependencies that
    are not here.
    """
    return bool(_OF_ANY_VALUES.search(why) or (whole and _OF_ITS_TEMPLATES.search(why)))


def _is_own(repo: Repo, chart: Chart, why: str) -> bool:
    """Whether a helper that no file defines is called after the chart itself, and after none of its dependencies."""
    found = _OF_ITS_TEMPLATES.search(why)
    documents = repo.documents(join(chart.folder, "Chart.yaml"))
    data = documents[0].data if documents else None
    name = data.get("name") if isinstance(data, dict) else None
    if found is None or not isinstance(name, str):
        return False
    others = {str(item.get(key)) for item in dependencies(repo, chart.folder) for key in ("name", "alias")}
    return (found[1] or found[2]).startswith(f"{name}.") and name not in others


def _perhaps(problem: Problem) -> Problem:
    why = f"{problem.why} (rendered with its own values, and perhaps meant for others)"
    return replace(problem, why=why, kind=UncheckedClass.EXTERNAL)


def _whole(repo: Repo, chart: Chart) -> Mapping[str, bytes]:
    """A Chart.yaml with what helm cannot do without; that it lacks it is told elsewhere."""
    documents = repo.documents(join(chart.folder, "Chart.yaml"))
    data = documents[0].data if documents else None
    if not isinstance(data, dict) or all(isinstance(data.get(key), str) for key in _NEEDED):
        return {}
    return {"Chart.yaml": json.dumps({**_NEEDED, **data}, ensure_ascii=False).encode()}


def _switch_on(repo: Repo, chart: Chart, values: dict[str, Any]) -> None:
    """Fulfil the conditions of the subcharts that are here."""
    here = {source.values[-1] for source in chart.sources if len(source.values) == 1}
    for item in dependencies(repo, chart.folder):
        condition = item.get("condition")
        if isinstance(condition, str) and str(item.get("alias") or item.get("name")) in here:
            path = condition.split(",")[0].strip().split(".")
            inner = values
            for step in path[:-1]:
                below = inner.setdefault(step, {})
                if not isinstance(below, dict):
                    break
                inner = below
            else:
                inner[path[-1]] = True


def _culprit(repo: Repo, chart: Chart, why: str) -> set[str]:
    """The place of the template that helm was about to render; helpers are everybody's."""
    match = _TEMPLATE.search(why)
    found = chart.source(match[0]) if match is not None else None
    if found is None or basename(found[1]).startswith("_"):
        return set()
    file = repo.resolve(join(found[0].place, found[1]))
    return {place for place, known in chart.files.items() if known == file}
