"""A chart in the repository: everything that helm reads of it, proved to lie inside.

Dependencies that are not vendored below `charts/` are put there, as the agents do before they render
(`helm dependency build`; Flux: source-controller's chart builder, v1.9.5). Both look only at the chart's
own dependencies: those of a `file://` dependency must be vendored in it, else they are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path
from posixpath import basename, join, normpath
from typing import Any

from gitops_layout.model import Location, Unchecked, UncheckedClass
from gitops_layout.repo.model import MAX_BYTES, Repo
from gitops_layout.values import dataclass

__all__ = [
    "Chart",
    "Fetched",
    "Problem",
    "Source",
    "dependencies",
    "nothing_fetched",
    "walk",
    "without_absent",
]

MAX_TOTAL = 100 * 2**20
"""Bytes of one chart: helm itself takes no larger archive."""
MAX_FILES = 20_000

Fetched = Callable[..., Path | None]
"""(repository URL, chart name, version as written, and the expression that the tags match of which a range chooses) to what `fetch` brought: the archive, or the chart's folder."""


def nothing_fetched(_url: str, _name: str, _version: str, _tags: str = "") -> None:
    """The look-up where nothing was fetched."""
    return


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a chart is not rendered, at the place that causes it."""

    why: str
    location: Location
    kind: UncheckedClass = UncheckedClass.BROKEN
    subject: tuple[str, str] | None = None

    def unchecked(self, what: str, delivery: str) -> Unchecked:
        """The same as an entry of the coverage list."""
        return Unchecked(what, self.kind, self.why, self.location, self.subject, delivery)


@dataclass(frozen=True, slots=True)
class Source:
    """One chart among those rendered together: `prefix` is how helm names it (`web/charts/db`), `place`
    its folder or archive in the repository, `values` the path of its values in the parent's.
    """

    prefix: str
    place: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """The chart in `folder` of the repository.

    `files` maps each place in the copy that helm gets to a file of the repository, `fetched` to an archive
    or a folder that was brought. `sources` are the charts in it, the longest prefix first. A chart that was
    fetched whole has nothing of this, only its `own` archive or folder. `texts` are places that helm gets otherwise than
    they stand in `files`.
    """

    folder: str
    files: Mapping[str, str]
    fetched: Mapping[str, Path]
    sources: tuple[Source, ...]
    problems: tuple[Problem, ...]
    own: Path | None = None
    texts: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def is_archive(self) -> bool:
        """Whether the repository holds it as an archive."""
        return self.files.keys() == {"chart.tgz"}

    @property
    def definition(self) -> Location:
        """Its Chart.yaml, or the archive."""
        if self.is_archive:
            return Location(self.folder)
        return Location(join(self.folder, "Chart.yaml"))

    def source(self, template: str) -> tuple[Source, str] | None:
        """The chart that a template belongs to, by the path that helm prints, and the path inside it."""
        for source in self.sources:
            if template.startswith(f"{source.prefix}/"):
                return source, template.removeprefix(f"{source.prefix}/")
        return None


@dataclass(slots=True)
class _Walk:
    repo: Repo
    fetched: Fetched
    files: dict[str, str] = field(default_factory=dict)
    brought: dict[str, Path] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    size: int = 0

    def add(self, why: str, location: Location) -> None:
        self.problems.append(Problem(why, location))


def walk(repo: Repo, folder: str, *, fetched: Fetched = nothing_fetched) -> Chart:
    """Collect the chart in `folder`; only one without problems is safe to hand to helm."""
    state = _Walk(repo, fetched)
    real = repo.resolve(folder)
    if real is not None and real in repo.entries and real.endswith(".tgz"):
        state.files["chart.tgz"] = real
        if repo.entries[real].size > MAX_BYTES:
            state.add(f"{real} is larger than {MAX_BYTES // 2**20} MiB", Location(real))
    elif real is None or real not in repo.folders:
        state.add(f"there is no folder {folder or '.'}", Location(folder))
    else:
        _collect(state, real, "", (real,))
        _chart(state, real)
    sources = tuple(sorted(state.sources, key=lambda source: -len(source.prefix)))
    return Chart(folder, state.files, state.brought, sources, tuple(state.problems))


def without_absent(repo: Repo, chart: Chart) -> Chart | None:
    """The same without the dependencies that were not fetched, so that its own templates can still be judged.

    None where something else keeps it from being rendered, or where it has no templates.
    """
    absent = {problem.location for problem in chart.problems if problem.subject is not None}
    if len(absent) < len(chart.problems) or not any(place.startswith("templates/") for place in chart.files):
        return None
    file = next(iter(absent)).file
    data = _data(repo, file)
    if isinstance(data, str):
        return None
    kept = [item for item, where in _dependencies(repo, chart.folder, data) if where not in absent]
    text = json.dumps({**data, "dependencies": kept}, ensure_ascii=False).encode()
    return replace(chart, problems=(), texts={basename(file): text})


def dependencies(repo: Repo, folder: str) -> list[dict[str, Any]]:
    """The declared dependencies of the chart in a folder."""
    data = _data(repo, join(folder, "Chart.yaml"))
    return [] if isinstance(data, str) else [item for item, _ in _dependencies(repo, folder, data)]


def _chart(state: _Walk, folder: str) -> None:
    definition = Location(join(folder, "Chart.yaml"))
    if not state.repo.is_file(definition.file):
        state.add(f"{folder or '.'} has no Chart.yaml", Location(folder))
        return
    data = _data(state.repo, definition.file)
    if isinstance(data, str):
        state.add(data, definition)
        return
    vendored = _subcharts(state, folder, Source(str(data.get("name")), folder), data, 0)
    for dependency, where in _dependencies(state.repo, folder, data):
        name = dependency.get("name")
        if isinstance(name, str) and name and name not in vendored:
            _bring(state, folder, str(data.get("name")), dependency, where)


def _data(repo: Repo, file: str) -> dict[str, Any] | str:
    stream = repo.stream(file)
    if stream.problems:
        problem = stream.problems[0]
        return f"{file}:{problem.line}:{problem.column}: {problem.message}"
    data = stream.documents[0].data if stream.documents else None
    return data if isinstance(data, dict) else f"{file} is no mapping"


def _dependencies(
    repo: Repo, folder: str, data: Mapping[str, Any]
) -> Iterator[tuple[dict[str, Any], Location]]:
    """The declared dependencies; charts of apiVersion v1 keep them in a file of their own."""
    here, listed = Location(join(folder, "Chart.yaml")), data.get("dependencies")
    if data.get("apiVersion") == "v1" and repo.is_file(join(folder, "requirements.yaml")):
        here = Location(join(folder, "requirements.yaml"))
        own = _data(repo, here.file)
        listed = own.get("dependencies") if isinstance(own, dict) else None
    for index, item in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(item, dict):
            yield item, here.at("dependencies", index)


def _subcharts(
    state: _Walk, folder: str, source: Source, data: Mapping[str, Any], depth: int
) -> frozenset[str]:
    """Note a chart and those vendored in it, and return their names: folders and archives in `charts/`."""
    state.sources.append(source)
    declared = [item for item, _ in _dependencies(state.repo, folder, data)]
    names: set[str] = set()
    inside = state.repo.resolve(join(folder, "charts"))
    children = state.repo.folders.get(inside, ()) if inside is not None and depth < 10 else ()
    for child in children:
        path = state.repo.resolve(f"{inside}/{child}")
        if path is None or child.startswith(("_", ".")):
            continue
        found = _data(state.repo, join(path, "Chart.yaml")) if path in state.repo.folders else None
        if isinstance(found, dict):
            name = str(found.get("name"))
            names.add(name)
            for part in _named(source, name, path, declared):
                _subcharts(state, path, part, found, depth + 1)
        elif child.endswith(".tgz"):
            for item in declared:
                if child.startswith(f"{item.get('name')}-"):
                    names.add(str(item.get("name")))
                    state.sources.extend(_named(source, str(item.get("name")), path, declared))
    return frozenset(names)


def _named(parent: Source, name: str, place: str, declared: list[dict[str, Any]]) -> list[Source]:
    """A subchart under each name that its parent gives it: aliases, else its own."""
    matching = [item for item in declared if item.get("name") == name]
    names = {str(item.get("alias") or name) for item in matching} or {name}
    return [Source(f"{parent.prefix}/charts/{used}", place, (*parent.values, used)) for used in sorted(names)]


def _bring(state: _Walk, folder: str, parent: str, dependency: Mapping[str, Any], where: Location) -> None:
    """Put a dependency that is not vendored where helm looks for it."""
    name, url = str(dependency["name"]), str(dependency.get("repository") or "")
    place = "charts/" + re.sub(r"[^A-Za-z0-9-]", "-", name)
    while any(file == place or file.startswith(f"{place}/") for file in state.files):
        place += "-"  # helm goes by the name in Chart.yaml, so any free one will do
    if not url:
        state.add(f"dependency {name} is not below charts/, and names no repository", where)
    elif not url.startswith("file://"):
        version = str(dependency.get("version") or "")
        brought = state.fetched(url, name, version)
        if brought is not None:
            state.brought[place if brought.is_dir() else f"{place}.tgz"] = brought
            return
        why = f"chart not fetched: dependency {name} of {url}"
        state.problems.append(Problem(why, where, UncheckedClass.EXTERNAL, ("chart", name)))
    else:
        target = url.removeprefix("file://")
        real = None if target.startswith("/") else state.repo.resolve(join(folder, target))
        if real is None or real not in state.repo.folders:
            outside = target.startswith("/") or normpath(join(folder, target)).startswith("..")
            why = "leads out of the repository" if outside else "does not exist"
            state.add(f"dependency {name}: {url} {why}", where.at("repository"))
            return
        _collect(state, real, place, (real,))
        found = _data(state.repo, join(real, "Chart.yaml"))
        if isinstance(found, dict):
            used = str(dependency.get("alias") or name)
            _subcharts(state, real, Source(f"{parent}/charts/{used}", real, (used,)), found, 1)


def _collect(state: _Walk, folder: str, place: str, open_folders: tuple[str, ...]) -> None:
    """Every file below `folder`, links replaced by what they lead to."""
    repo = state.repo
    for name in repo.folders[folder]:
        path, target = join(folder, name), f"{place}/{name}".lstrip("/")
        real = repo.resolve(path)
        if real is None:
            state.add(f"{path} is a link that leads to nothing inside the repository", Location(path))
        elif real in repo.folders:
            if real in open_folders:
                state.add(f"{path} is a link to a folder that it stands in", Location(path))
            else:
                _collect(state, real, target, (*open_folders, real))
        elif target not in state.files:
            state.files[target] = real
            state.size += repo.entries[real].size
            if repo.entries[real].size > MAX_BYTES:
                state.add(f"{path} is larger than {MAX_BYTES // 2**20} MiB", Location(path))
        if state.size > MAX_TOTAL or len(state.files) > MAX_FILES:
            if not state.problems:
                why = f"the chart has more than {MAX_FILES:,} files or {MAX_TOTAL // 2**20} MiB"
                state.add(why, Location(folder))
            return
