"""Charts that the repository renders: what is missing, and what Helm refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from posixpath import join, normpath
from typing import Any

from gitops_layout.agents.argocd import sources
from gitops_layout.agents.delivery import Delivery, Source
from gitops_layout.checks.applications import applications, own_hit
from gitops_layout.checks.flux import field_of
from gitops_layout.checks.near import near_name
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.model import Affected, Hit, Location, ObjectRef, Unchecked, UncheckedClass
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo, is_aside

__all__ = ["definition_invalid", "refused"]

_CAUSES = (
    ("chart", regexp(r"has no Chart\.yaml$|^there is no (folder|chart) ")),
    ("values-file", regexp(r"^(values|value) file .* does not exist")),
    ("schema", regexp(r"^the values do not fit the chart's schema")),
    ("template", regexp(r"/templates/|^parse error|^execution error")),
    ("other", regexp("")),
)
"""The causes of a chart that cannot be rendered, told apart by what the renderer says."""


def refused(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Charts of this repository that are not rendered for the cause `cause`."""
    for delivery in graph.deliveries:
        for failure, part in _failures(graph, delivery):
            if failure.kind is not UncheckedClass.BROKEN:
                continue
            cause = next(name for name, words in _CAUSES if words.search(failure.why))
            if cause != params["cause"] or failure.location is None:
                continue
            if cause == "schema" and (delivery.agent == "helm" or _is_later(graph.repo, failure.location)):
                continue  # whoever installs it gives what is asked for
            version = str(delivery.object.get("apiVersion", ""))
            named = ObjectRef(version, delivery.kind, delivery.namespace, delivery.name)
            ref = named if version else None  # nobody's object speaks of a chart that nobody installs
            affected = Affected(ref, delivery.id, delivery.environment, delivery.cluster)
            values = {"source": delivery.name, "why": failure.why, "subject": failure.why}
            place = failure.location if cause != "chart" else field_of(delivery, part, "path", "chart")
            yield Hit(place, values, (), affected)
    if params["cause"] == "values-file":
        yield from _beside_a_chart(graph)


def _is_later(repo: Repo, place: Location) -> bool:
    """Whether what stands there is filled in by somebody else."""
    found = [document.data for document in repo.documents(place.file) if document.index == place.document]
    return bool(found) and _UNSURE.search(str(at(found[0], *place.path))) is not None


def _failures(graph: Graph, delivery: Delivery) -> Iterator[tuple[Unchecked, Delivery]]:
    """Why a delivery's local charts cannot be rendered; of several sources each has a reason and a place of its own."""
    rendered = graph.rendered[delivery.id]
    if not delivery.parts:
        of_chart = delivery.renderer == "chart" and delivery.source.local
        yield from ((rendered.failure, delivery),) if of_chart and rendered.failure is not None else ()
        return
    charts = {
        f", source {number} of {len(delivery.parts)}": part
        for number, part in enumerate(delivery.parts, 1)
        if part.renderer == "chart" and part.source.local
    }
    for failure in (rendered.failure, *rendered.unseen):
        for ending, part in charts.items() if failure is not None else ():
            if failure is not None and failure.what.endswith(ending):
                yield failure, part


def _beside_a_chart(graph: Graph) -> Iterator[Hit]:
    """Value files of this repository that an Application names for a chart from elsewhere, which need not be rendered
    to say that they are not there.
    """
    for delivery in applications(graph):
        given = [part.options["refs"] for part in delivery.parts or (delivery,) if "refs" in part.options]
        refs: Mapping[str, Source] = given[0] if given else {}
        for path, source in sources.listed(delivery.object.get("spec")) if refs else ():
            helm = source.get("helm")
            if not source.get("chart") or not isinstance(helm, dict):
                continue
            listed = helm.get("valueFiles")
            if not isinstance(listed, list) or helm.get("ignoreMissingValueFiles") is True:
                continue
            for index, file in enumerate(listed):
                name, _, rest = file.partition("/") if isinstance(file, str) else ("", "", "")
                if name not in refs or not refs[name].local or not rest or _UNSURE.search(rest):
                    continue
                target = join(refs[name].top, normpath(rest.lstrip("/")))
                if not graph.repo.is_file(target):
                    near = _near_file(graph, target, delivery.root.file)
                    told = f' (did you mean "{name}/{near}"?)' if near is not None else ""
                    why = f"value file {file} does not exist ({target}){told}"
                    yield own_hit(delivery, (*path, "helm", "valueFiles", index), why=why, subject=file)


def _near_file(graph: Graph, target: str, own: str) -> str | None:
    """The file that was perhaps meant: one that ends alike, or is called nearly so; never the Application's `own`."""
    alike = [
        f for f in graph.repo.files if f.endswith(f"/{target}") or ("/" in f and target.endswith(f"/{f}"))
    ]
    return alike[0] if len(alike) == 1 else near_name(target, (f for f in graph.repo.files if f != own))


_UNSURE = regexp(r"[*?\[{$<]")
"""Patterns, and names that are filled in later."""


_KEYS = (
    "apiVersion", "name", "version", "kubeVersion", "description", "type", "keywords", "home", "sources", "dependencies",
    "maintainers", "icon", "appVersion", "deprecated", "annotations", "engine", "condition", "tags", "tillerVersion",
)  # fmt: skip
_NEEDED = ("apiVersion", "name", "version")
_OF_DEPENDENCY = ("name", "version", "repository", "condition", "tags", "enabled", "import-values", "alias")
"""Helm's chart.Metadata and chart.Dependency (helm v4: pkg/chart/v2); case does not matter to its reader."""

_MARKS = regexp(r"\{\{|\{%|<[A-Z_]+>|\$\{")


def definition_invalid(graph: Graph, params: Mapping[str, Any]) -> Iterator[Hit]:
    """Chart.yaml files that lack what helm demands, or have a key that is nearly one of helm's."""
    for folder in graph.repo.charts:
        file = join(folder, "Chart.yaml")
        documents = graph.repo.documents(file)
        data = documents[0].data if documents else None
        if is_aside(file) or not isinstance(data, dict) or _MARKS.search(graph.repo.text(file)):
            continue
        here = Location(file)
        slips = dict(_slips(data, _KEYS))
        for key, meant in slips.items():
            yield Hit(
                here.key_at(key),
                {"problem": f"`{key}` is no key of a chart (did you mean `{meant}`?)", "subject": key},
            )
        known = {str(key).lower() for key, value in data.items() if value not in (None, "")}
        for key in _NEEDED:
            if key.lower() not in known and key not in slips.values():
                yield Hit(
                    here,
                    {"problem": f"the chart has no {key}, without which helm refuses it", "subject": key},
                )
        listed = data.get("dependencies")
        for index, item in enumerate(listed if isinstance(listed, list) else ()):
            place = here.at("dependencies", index)
            for key, meant in _slips(item, _OF_DEPENDENCY) if isinstance(item, dict) else ():
                text = f"`{key}` is no key of a dependency (did you mean `{meant}`?)"
                yield Hit(place.key_at(key), {"problem": text, "subject": f"{index}.{key}"})


def _slips(data: Mapping[Any, Any], known: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Keys that helm does not know, each with the one it is a slip of the pen away from, where that is absent."""
    lower = {key.lower(): key for key in known}
    present = {str(key).lower() for key in data}
    for key in data:
        if isinstance(key, str) and key.lower() not in lower:
            near = get_close_matches(
                key.lower(), [name for name in lower if name not in present], n=1, cutoff=0.8
            )
            if near:
                yield key, lower[near[0]]
