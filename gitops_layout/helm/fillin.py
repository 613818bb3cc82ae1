"""Values that a chart asks for and does not have: whoever installs it gives them.

A chart that nobody installs is rendered to be judged, not to be applied. What it requires is filled in as a variable
(`${host}`), which rules take for a value that is known later, as they do with those that Flux substitutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from posixpath import join
from typing import Any

from gitops_layout.helm.actions import actions, past_comments
from gitops_layout.helm.chart import Chart, Source
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo

__all__ = ["asked_for", "required"]

_STEPS = r"\.Values((?:\.[A-Za-z_]\w*)+)"
_READ = regexp(_STEPS)
_GATE = regexp(r"\s*+\{\{-?\s*+if\s++" + _STEPS + r"\s*+-?\}\}")
"""What decides about a whole template."""
_QUOTED = regexp(r"\"(?:\\.|[^\"\\])*+\"|`[^`]*+`")
_MORE = regexp(
    r"^(?:range|with|if|else|end|define|block|template|include)\b|:="
    r"|\b(?:to\w+|from\w+|default|coalesce|ternary|empty|hasKey|dig|get|and|or|not|eq|ne|gt|lt|ge|le|kindIs|len|int\w*|float\w*"
    r"|index|list|dict|merge\w*|tpl|include|keys|range|semver\w*|add\w*|sub|mul\w*|div|mod|max|min|until\w*|atoi)\b"
)
"""Actions that use a value as more than a text, or do without it."""
_NIL = regexp(rf"([\w.-]+(?:/charts/[\w.-]+)*)/templates/\S+ .*<\$?{_STEPS}>: nil pointer evaluating")


def required(repo: Repo, chart: Chart) -> dict[str, Any]:
    """A variable for each value that templates write out as a text, wherever they read it, and that no values.yaml of
    the chart sets. What they ask about first, or have a default for, may be empty.
    """
    defaults = {source.prefix: _defaults(repo, source) for source in chart.sources}
    found: dict[str, Any] = {}
    for source in chart.sources:
        for path in _gates(repo, source):
            if any(_reached(defaults[other.prefix], _below(path, other)) is False for other in chart.sources):
                _put(found, path, value=True)
        for path in _wanted("\n".join(_templates(repo, source)), source):
            if not any(_has(defaults[other.prefix], path, other) for other in chart.sources):
                _put(found, path)
    return found


def asked_for(chart: Chart, why: str, values: Mapping[str, Any]) -> dict[str, Any] | None:
    """The values with the one for whose absence a render failed; None where it failed otherwise, or again."""
    match = _NIL.search(why)
    source = next((s for s in chart.sources if match is not None and s.prefix == match[1]), None)
    if match is None or source is None:
        return None
    path = _absolute(match[2], source)
    if _reached(values, path) is not None:
        return None
    found = dict(values)
    _put(found, path)
    return found


def _wanted(text: str, source: Source) -> Iterator[tuple[str, ...]]:
    written: dict[str, None] = {}
    otherwise: set[str] = set()
    for action in actions(text):
        bare = _QUOTED.sub('""', action)
        more = _MORE.search(bare) is not None and "required" not in bare
        for steps in _READ.findall(bare):
            if more:
                otherwise.add(steps)
            else:
                written[steps] = None
    for steps in written:
        if not any(other == steps or other.startswith(f"{steps}.") for other in otherwise):
            yield _absolute(steps, source)


def _gates(repo: Repo, source: Source) -> Iterator[tuple[str, ...]]:
    """The values that switch whole templates on."""
    for text in _templates(repo, source):
        match = _GATE.match(text, past_comments(text))
        if match is not None:
            yield _absolute(match[1], source)


def _absolute(steps: str, source: Source) -> tuple[str, ...]:
    names = tuple(steps[1:].split("."))
    return names if names[0] == "global" else (*source.values, *names)


def _templates(repo: Repo, source: Source) -> Iterator[str]:
    folder = repo.resolve(join(source.place, "templates"))
    for file in repo.under(folder) if folder is not None and folder in repo.folders else ():
        yield repo.text(file)


def _defaults(repo: Repo, source: Source) -> Any:
    file = repo.resolve(join(source.place, "values.yaml"))
    documents = repo.documents(file) if file is not None and file in repo.entries else ()
    return documents[0].data if documents else None


def _has(defaults: Any, path: tuple[str, ...], source: Source) -> bool:
    return _reached(defaults, _below(path, source)) not in (None, "")


def _below(path: tuple[str, ...], source: Source) -> tuple[str, ...]:
    """Where a value stands in the values.yaml of a chart; what it does not have stands nowhere."""
    if path[0] == "global" or path[: len(source.values)] != source.values:
        return path if path[0] == "global" else ("\0",)
    return path[len(source.values) :]


def _reached(data: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        if not isinstance(data, dict):
            return data  # what stands in the way is an answer, too
        data = data.get(step)
    return data


def _put(values: dict[str, Any], path: tuple[str, ...], *, value: Any = None) -> None:
    for step in path[:-1]:
        inner = values.get(step)
        values[step] = dict(inner) if isinstance(inner, dict) else {}
        values = values[step]
    values.setdefault(path[-1], f"${{{path[-1]}}}" if value is None else value)
