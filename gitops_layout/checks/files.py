"""Checks of files as such: can they be read, and do they say one thing only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from posixpath import basename, dirname
from typing import Any

from gitops_layout.checks.once import once
from gitops_layout.graph.model import Graph
from gitops_layout.graph.texts import texts
from gitops_layout.model import Affected, Change, Hit, Location, Path, Related, Span
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo, is_aside, is_template, is_yaml
from gitops_layout.source.document import Duplicate

__all__ = ["built_from", "discreet", "duplicate_key", "is_live", "list_wrapper", "manifests", "unparsable"]

_EXPRESSION = regexp(r"\$\{\{.*\}\}")
"""A key of Azure Pipelines' templates, such as `${{ else }}`: what stands below takes its place."""
_QUOTED = regexp(r"(['\"]).*?\1")


@once
def manifests(repo: Repo) -> tuple[str, ...]:
    """YAML files of the repository that are no chart's templates and no tool's own files."""
    return tuple(
        path
        for path in repo.files
        if is_yaml(path) and repo.entries[path].target is None
        if "/." not in f"/{path}" and not _in_chart(repo, path)
    )


def built_from(graph: Graph) -> frozenset[str]:
    """The files that some build reads: that a folder of manifests is applied as it lies says of none that it is meant."""
    bare = {delivery.id for delivery in graph.deliveries if delivery.agent == "plain"}
    return frozenset().union(*(rendered.files for key, rendered in graph.rendered.items() if key not in bare))


def _in_chart(repo: Repo, path: str) -> bool:
    """Whether a chart renders the file: below `templates/` or `charts/` of a folder with a Chart.yaml."""
    folder = dirname(path)
    while folder:
        parent = dirname(folder)
        if folder.rpartition("/")[2] in ("templates", "charts") and "Chart.yaml" in repo.folders.get(
            parent, ()
        ):
            return True
        folder = parent
    return False


def is_live(graph: Graph, path: str) -> bool:
    """Whether a file is delivered; where no agent says what is, a file that cannot be read may be."""
    if graph.is_live(path):
        return True
    if any(d.live and d.agent in ("flux", "argocd") for d in graph.deliveries):
        return False
    repo = graph.repo
    manifest = is_yaml(path) and not is_aside(path) and not _in_chart(repo, path)
    return manifest and bool(repo.stream(path).problems)


def _nobodys(path: str) -> bool:
    """Whether a file that no agent reads is somebody's test data, or a program's output rather than a manifest."""
    return is_aside(path) or path.endswith(".json")


def unparsable(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Files that are no YAML; those with template marks are somebody's templates."""
    repo = graph.repo
    plain = texts(repo)
    for path in manifests(repo):
        stream = repo.stream(path)
        if not stream.problems or path in plain:
            continue
        if not graph.is_live(path) and (is_template(repo, path) or _nobodys(path)):
            continue
        for problem in stream.problems:
            span = Span(problem.line, problem.column, problem.line, problem.column + 1, 0, 0)
            yield Hit(Location(path, span=span), {"problem": discreet(repo, path, problem.message)})


def discreet(repo: Repo, path: str, words: str) -> str:
    """What the reader says about a file: it quotes what it refuses, and in a Secret's file that is masked."""
    text = repo.stream(path).text if is_yaml(path) else ""
    return _QUOTED.sub("'…'", words) if "Secret" in text or "secretGenerator" in text else words


def duplicate_key(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Keys that stand twice in one mapping, of a file or of what a chart's template writes. Where three or more do, a block
    was pasted, and that is one mistake.
    """
    for path in manifests(graph.repo):
        if is_aside(path) and not graph.is_live(path):
            continue
        for document in graph.repo.documents(path):
            then = _then(path, document.data)
            mappings: dict[Path, list[Duplicate]] = {}
            own = then == _OF_OBJECTS
            for twice in document.duplicates:
                if not own and _EXPRESSION.fullmatch(str(twice.path[-1])):
                    continue  # whatever evaluates it does so before there is a mapping
                mappings.setdefault(twice.path[:-1], []).append(twice)
            for repeated in mappings.values():
                others = list(dict.fromkeys(str(twice.path[-1]) for twice in repeated[1:]))
                pasted = len(others) > 1
                more = f", and with it {', '.join(others)}" if pasted else ""
                for twice in repeated[:1] if pasted else repeated:
                    place = Location(path, twice.path, document.index, span=twice.second)
                    before = Location(path, twice.path, document.index, span=twice.first)
                    values = {
                        "key": str(twice.path[-1]),
                        "more": more,
                        "then": then,
                        "subject": _dotted(twice.path),
                    }
                    whole = Change("single", Location(path, twice.path, document.index))
                    unsure = pasted or _lists(path, document.data, twice.path)
                    related = (Related(before, "first written here"),)
                    yield Hit(place, values, related, Affected(), () if unsure else (whole,))
    for delivery in graph.deliveries:
        for key, place in graph.rendered[delivery.id].doubled:
            who = Affected(None, delivery.id, delivery.environment, delivery.cluster)
            values = {"key": str(key[-1]), "more": "", "then": _OF_OBJECTS, "subject": _dotted(key)}
            yield Hit(place, values, (), who)


def _lists(path: str, data: Any, where: Path) -> bool:
    """Whether a kustomization has two lists of one key: both are meant then, and the first must not be taken for old."""
    for step in where:
        data = data[step]
    return isinstance(data, list) and basename(path).lower().startswith("kustomization")


_OF_OBJECTS = "kubectl takes the last one, kustomize refuses the file"


def _then(path: str, data: Any) -> str:
    """What the programs that read such a file do with a key that it has twice."""
    if (isinstance(data, dict) and {"apiVersion", "kind"} & data.keys()) or basename(path).lower().startswith(
        "kustomization"
    ):
        return _OF_OBJECTS
    if "values" in basename(path):
        return "Helm takes the last one and says nothing"
    return "programs do not agree which of them counts"


def list_wrapper(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Documents of `kind: List`, in files that are delivered."""
    for path in graph.repo.manifests:
        if not graph.is_live(path):
            continue
        for document in graph.repo.documents(path):
            match document.data:
                case {"apiVersion": "v1", "kind": "List", "items": list(items)}:
                    yield Hit(Location(path, ("kind",), document.index), {"count": len(items)})


def _dotted(path: tuple[str | int, ...]) -> str:
    return ".".join(str(step) for step in path)
