"""Files that are called YAML and are read as text alone: what they hold is nobody's declaration."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import basename

from gitops_layout.agents.argocd.globs import matches
from gitops_layout.kustomize.named import named
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo, folders_above, is_yaml

__all__ = ["texts"]

_ACTION = regexp(r"\{\{[^{}]*\.Files\b[^{}]*\}\}")
_LITERAL = regexp(r"\"([^\"\n]+)\"|`([^`\n]+)`")
_VERB = regexp(r"%[a-z]")
_PARSES = ("fromYaml", "fromJson")


def texts(repo: Repo) -> frozenset[str]:
    """The files that are no YAML and that nobody takes for it: inputs of kustomize's generators, and what the templates
    of a chart read by `.Files` without parsing it.
    """
    if not repo.unparsable:
        return frozenset()
    found = set(named(repo, "input"))
    asked: dict[str, tuple[str, ...]] = {}
    for file, _ in repo.unparsable:
        chart = _chart_of(repo, file)
        if chart is None or basename(file).startswith(("values", "Chart.")):
            continue
        if chart not in asked:
            asked[chart] = tuple(_asked(repo, chart))
        inside = file[len(chart) :].lstrip("/")
        if any(matches(pattern, inside, "/") for pattern in asked[chart]):
            found.add(file)
    return frozenset(found)


def _chart_of(repo: Repo, file: str) -> str | None:
    return next((f for f in folders_above(file) if "Chart.yaml" in repo.folders.get(f, ())), None)


def _asked(repo: Repo, chart: str) -> Iterator[str]:
    """The patterns of the files that a chart's templates read as they are."""
    for path in repo.under(f"{chart}/templates" if chart else "templates"):
        text = repo.stream(path).text if is_yaml(path) else repo.text(path)
        if ".Files" in text and not any(word in text for word in _PARSES):
            for action in _ACTION.findall(text):
                for pair in _LITERAL.findall(action):
                    yield _VERB.sub("*", next(filter(None, pair)))
