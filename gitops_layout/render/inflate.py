"""`helmCharts:` of kustomizations, rendered as kustomize has helm render them, and put in their place as files.

Facts: kustomize v5.8.1 (HelmChartInflationGenerator, types/helmchartargs.go): values are the chart's own or
`valuesFile`, with `valuesInline` merged in; a chart without a namespace gets that of its kustomization or of
the nearest one that includes it; the namespace transformer leaves what a chart renders alone. A chart is
taken from the chart home where it stands there, else from what `fetch` brought.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from posixpath import join, normpath
from typing import Any

from gitops_layout.agents.context import text
from gitops_layout.agents.delivery import Delivery
from gitops_layout.fields import at
from gitops_layout.helm import chart as charts
from gitops_layout.helm.find import NoHelm, find
from gitops_layout.helm.template import Release, template
from gitops_layout.helm.values import parse
from gitops_layout.kustomize.model import BuildClass, Closure, Kustomization, Problem, references
from gitops_layout.model import Location, UncheckedClass
from gitops_layout.repo.model import MAX_BYTES, Repo
from gitops_layout.values import dataclass

__all__ = ["Inflated", "helm_flags", "inflate"]

_GENERATED = "internal.config.kubernetes.io/helm-generated"
"""The mark by which kustomize knows what a chart rendered; it takes the mark off again."""

_TEXTS = (
    "name",
    "version",
    "repo",
    "releaseName",
    "namespace",
    "valuesFile",
    "valuesMerge",
    "kubeVersion",
    "nameTemplate",
)
_FLAGS = (("includeCRDs", "--include-crds"), ("skipTests", "--skip-tests"), ("skipHooks", "--no-hooks"))


@dataclass(slots=True)
class Inflated:
    """Kustomizations without `helmCharts` and the files that take their place, where each of these stands in
    the repository, what was read for them, and the charts that could not be rendered.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    places: dict[str, Location] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)


class _RefusedError(Exception):
    """Why one chart is not rendered."""

    def __init__(
        self, why: str, place: Location, kind: BuildClass = BuildClass.OTHER, chart: str = ""
    ) -> None:
        super().__init__(why)
        self.problem = Problem(kind, why, place, ("chart", chart) if kind is BuildClass.HELM else None)


def inflate(
    repo: Repo,
    closure: Closure,
    *,
    fetched: charts.Fetched = charts.nothing_fetched,
    restricted: bool = True,
    flags: Sequence[str] = (),
) -> Inflated:
    """Render every chart that the closure's kustomizations list. `flags` are what the agent tells helm about
    the cluster, which outranks what the kustomizations say.
    """
    done = Inflated()
    namespaces = _namespaces(repo, closure)
    for owner in closure.kustomizations:
        listed = owner.data.get("helmCharts")
        if not isinstance(listed, list) or not listed:
            continue
        data = {
            name: value for name, value in owner.data.items() if name not in ("helmCharts", "helmGlobals")
        }
        resources = data.get("resources")
        added: list[Any] = list(resources) if isinstance(resources, list) else []
        for index, entry in enumerate(listed):
            where = owner.location.at("helmCharts", index)
            inflating = _Chart(repo, owner, where, namespaces.get(owner.folder, ""), restricted, done.read)
            try:
                content = inflating.rendered(entry, fetched, flags)
            except _RefusedError as refused:
                done.problems.append(refused.problem)
                continue
            if content:
                name = f"helm-chart-{index}.gitops-layout.json"
                done.files[join(owner.folder, name)] = content
                done.places[join(owner.folder, name)] = where
                added.append(name)
        done.files[owner.file] = json.dumps({**data, "resources": added}, ensure_ascii=False).encode()
    return done


def _namespaces(repo: Repo, closure: Closure) -> dict[str, str]:
    """The namespace that each kustomization's charts get where they name none."""
    entered = {kustomization.folder: kustomization for kustomization in closure.kustomizations}
    found: dict[str, str] = {}
    waiting = [(closure.kustomizations[0].folder, "")] if closure.kustomizations else []
    while waiting:
        folder, inherited = waiting.pop()
        if folder in found:
            continue
        owner = entered[folder]
        found[folder] = text(owner.data.get("namespace")) or inherited
        for reference in references(owner):
            real = repo.resolve(join(folder, reference.target))
            if reference.kind in ("resource", "component") and real in entered:
                waiting.append((real, found[folder]))
    return found


@dataclass(slots=True)
class _Chart:
    """One entry of a kustomization, on its way to objects."""

    repo: Repo
    owner: Kustomization
    where: Location
    namespace: str
    restricted: bool
    read: set[str]

    def rendered(self, entry: Any, fetched: charts.Fetched, flags: Sequence[str]) -> bytes:
        """The objects as one JSON list, empty where there are none. Raises _RefusedError."""
        if not isinstance(entry, dict):
            raise _RefusedError("the chart is no mapping", self.where, BuildClass.SCHEMA)
        for option in _TEXTS:
            if entry.get(option) is not None and not isinstance(entry[option], str):
                raise _RefusedError(f"{option} is no text", self.where.at(option), BuildClass.SCHEMA)
        name = text(entry.get("name"))
        if name is None or "/" in name or name in (".", ".."):
            raise _RefusedError("the chart has no usable name", self.where, BuildClass.SCHEMA)
        chart, local = self._chart(name, entry, fetched)
        values = self._values(entry, local)
        helm = find()
        if isinstance(helm, NoHelm):
            raise _RefusedError(
                f"chart {name} is not rendered: {helm.why}", self.where, BuildClass.HELM, name
            )
        release = Release(
            _release_name(entry, self.where),
            text(entry.get("namespace")) or self.namespace or "default",
            tuple(values),
            flags=(*_flags(entry, flags),),
        )
        done = template(helm, self.repo, chart, release)
        if done.problem is not None:
            place = done.problem.location if done.problem.location.file in self.repo.entries else self.where
            kind = BuildClass.HELM if done.problem.kind is UncheckedClass.EXTERNAL else BuildClass.OTHER
            raise _RefusedError(done.problem.why, place, kind, name)
        items = [_marked(item.data) for item in done.objects]
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}).encode() if items else b""

    def _chart(
        self, name: str, entry: Mapping[str, Any], fetched: charts.Fetched
    ) -> tuple[charts.Chart, str | None]:
        """The chart, and its folder in the repository where it has one."""
        home = text(at(self.owner.data, "helmGlobals", "chartHome")) or "charts"
        url, version = text(entry.get("repo")) or "", text(entry.get("version")) or ""
        parts = (home, f"{name}-{version}", name) if url and version else (home, name)
        folder = self.repo.resolve(normpath(join(self.owner.folder, *parts)))
        if folder is not None and folder in self.repo.folders:
            chart = charts.walk(self.repo, folder, fetched=fetched)
            self.read |= set(chart.files.values())
            for problem in chart.problems:
                external = problem.kind is UncheckedClass.EXTERNAL
                kind = BuildClass.HELM if external else BuildClass.OTHER
                raise _RefusedError(problem.why, problem.location, kind, (problem.subject or ("", name))[1])
            return chart, folder
        if not url:
            raise _RefusedError(f"there is no chart {'/'.join(parts)}", self.where, BuildClass.MISSING)
        brought = fetched(url, name, version)
        if brought is None:
            raise _RefusedError(f"chart not fetched: {name} of {url}", self.where, BuildClass.HELM, name)
        return charts.Chart("", {}, {}, (), (), brought), None

    def _values(self, entry: Mapping[str, Any], local: str | None) -> Iterator[bytes]:
        """What helm gets besides the chart's own values, later ones over earlier ones."""
        file, inline = text(entry.get("valuesFile")), entry.get("valuesInline")
        how = text(entry.get("valuesMerge")) or "override"
        if how not in ("merge", "override", "replace"):
            raise _RefusedError("valuesMerge is merge, override or replace", self.where, BuildClass.SCHEMA)
        if inline is not None and not isinstance(inline, dict):
            raise _RefusedError("valuesInline is no mapping", self.where, BuildClass.SCHEMA)
        if file is not None:
            base: dict[str, Any] | None = self._file(file, "valuesFile")
        elif inline and how == "merge":
            base = self._file(f"{local}/values.yaml", "", root="") if local is not None else None
            if base is None:
                why = "valuesMerge: merge over the values of a chart from outside is not supported yet"
                raise _RefusedError(why, self.where, BuildClass.HELM, str(entry.get("name")))
        else:
            base = {}
        if inline and base is not None:
            base = {"override": _merged(base, inline), "merge": _merged(inline, base)}.get(how, inline)
        yield json.dumps(base or {}).encode()
        more = entry.get("additionalValuesFiles")
        for index, other in enumerate(more if isinstance(more, list) else ()):
            if isinstance(other, str):
                yield json.dumps(self._file(other, "additionalValuesFiles", index)).encode()

    def _file(self, name: str, *field_: str | int, root: str | None = None) -> dict[str, Any]:
        where = self.where.at(*(step for step in field_ if step != ""))
        folder = self.owner.folder if root is None else root
        path = (
            self.repo.resolve(join(folder, name)) if "://" not in name and not name.startswith("/") else None
        )
        if path is None or path not in self.repo.entries or self.repo.entries[path].size > MAX_BYTES:
            raise _RefusedError(f"values file {name} does not exist here", where, BuildClass.MISSING)
        inside = not self.owner.folder or path.startswith(f"{self.owner.folder}/")
        if self.restricted and root is None and not inside:
            raise _RefusedError(
                f"values file {name} is not below its kustomization", where, BuildClass.OUTSIDE
            )
        self.read.add(path)
        try:
            data: dict[str, Any] = parse(self.repo.content(path), path)
        except ValueError as error:
            raise _RefusedError(f"values file {name}: {error}", Location(path)) from error
        return data


def _release_name(entry: Mapping[str, Any], where: Location) -> str:
    """helm is asked to make up a name where there is none, and takes this one then."""
    given, made = text(entry.get("releaseName")), text(entry.get("nameTemplate"))
    if made is None:
        return given or "release-name"
    if given is not None:
        raise _RefusedError("helm takes releaseName or nameTemplate, not both", where)
    if "{{" in made:
        raise _RefusedError(
            f"nameTemplate {made} makes another name each time",
            where,
            BuildClass.HELM,
            str(entry.get("name")),
        )
    return made


def _flags(entry: Mapping[str, Any], told: Sequence[str]) -> Iterator[str]:
    version, listed = text(entry.get("kubeVersion")), entry.get("apiVersions")
    if version and not any(flag.startswith("--kube-version") for flag in told):
        yield f"--kube-version={version}"
    if isinstance(listed, list) and not any(flag.startswith("--api-versions") for flag in told):
        yield from (f"--api-versions={item}" for item in listed if isinstance(item, str))
    yield from (flag for name, flag in _FLAGS if entry.get(name) is True)
    yield from told


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """kustomize's merge of values: mappings key by key, null takes away, all else is replaced."""
    done = dict(base)
    for key, value in over.items():
        mine = done.get(key)
        if value is None:
            done.pop(key, None)
        elif isinstance(value, dict):
            done[key] = _merged(mine if isinstance(mine, dict) else {}, value)
        else:
            done[key] = value
    return done


def _marked(data: dict[str, Any]) -> dict[str, Any]:
    metadata = data.get("metadata")
    if not isinstance(metadata, dict):
        return data
    annotations = metadata.get("annotations")
    known = annotations if isinstance(annotations, dict) else {}
    return {**data, "metadata": {**metadata, "annotations": {**known, _GENERATED: "true"}}}


def helm_flags(delivery: Delivery) -> tuple[str, ...]:
    """What an Application says about the cluster to charts in its kustomizations."""
    given = delivery.options.get("kustomize")
    options: Mapping[str, Any] = given if isinstance(given, dict) else {}
    version, listed = options.get("kubeVersion"), options.get("apiVersions")
    flags = [f"--kube-version={version}"] if isinstance(version, str) and version else []
    if isinstance(listed, list):
        flags += [f"--api-versions={item}" for item in listed if isinstance(item, str)]
    return tuple(flags)
