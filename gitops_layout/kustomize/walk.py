"""Everything a kustomize build reads, found without starting anything.

Only a closure without problems is safe to hand to a foreign binary: each file it will read has been proved
to lie inside the repository.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import field
from posixpath import dirname, join, normpath
from typing import Any

from gitops_layout.kustomize.bounds import file_bound
from gitops_layout.kustomize.form import faults, inline, misspelt
from gitops_layout.kustomize.model import (
    FILE_NAMES,
    BuildClass,
    Closure,
    Kustomization,
    Problem,
    Reference,
    find,
    generator_inputs,
    is_inline,
    is_remote,
    mappings,
    references,
)
from gitops_layout.model import Location, Path, Span
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo
from gitops_layout.source.document import Stream
from gitops_layout.source.reader import read
from gitops_layout.values import dataclass

__all__ = ["walk"]

MAX_DEPTH = 100
"""Longer chains of kustomizations are refused; real ones have six links."""

MAX_BUILDS = 10_000
"""Builds within one build; the largest real trees need a few hundred."""

MAX_PATH = 1_000
"""Longer paths are refused: a git tree can hold some that no file system can."""

_OPEN_IT = "give whoever runs this the right to read it"


@dataclass(slots=True)
class _Walk:
    repo: Repo
    files: set[str] = field(default_factory=set)
    entered: dict[str, Kustomization] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)
    uses: dict[str, list[str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add(
        self, kind: BuildClass, why: str, location: Location, subject: tuple[str, str] | None = None
    ) -> None:
        self.problems.append(Problem(kind, why, location, subject))

    def lacking(self, paths: list[str], why: str, location: Location) -> None:
        """None of these is there, or one is but may not be read."""
        unread = next((found for path in paths if (found := self.repo.unread(path)) is not None), None)
        if unread is not None:
            remedy = f": {_OPEN_IT}" if "ermission" in unread and "; " not in unread else ""
            self.add(BuildClass.UNREADABLE, f"{unread}{remedy}", location)
        else:
            self.add(BuildClass.MISSING, why, location)


def walk(repo: Repo, folder: str) -> Closure:
    """Follow every reference of the kustomization in `folder`."""
    state = _Walk(repo)
    real = repo.resolve(folder, state.files)
    if real is None or real not in repo.folders:
        state.lacking([folder], f"there is no folder {folder or '.'}", Location(folder))
    else:
        _enter(state, real, Location(real))
        if not state.problems and _builds(state, real, {}) > MAX_BUILDS:
            why = f"kustomizations that include each other in several ways: more than {MAX_BUILDS} builds"
            state.add(BuildClass.OTHER, why, state.entered[real].location)
    return Closure(folder, frozenset(state.files), tuple(state.entered.values()), tuple(state.problems))


def _builds(state: _Walk, folder: str, known: dict[str, int]) -> int:
    """How often kustomize builds a folder to build this one: it builds anew each time one is included."""
    if folder not in known:
        known[folder] = 1 + sum(_builds(state, child, known) for child in state.uses.get(folder, ()))
    return known[folder]


def _enter(state: _Walk, folder: str, referrer: Location) -> None:
    if state.open:
        state.uses.setdefault(state.open[-1], []).append(folder)
    if folder in state.open:
        chain = " → ".join(name or "." for name in (*state.open[state.open.index(folder) :], folder))
        state.add(BuildClass.CYCLE, f"the folders include each other: {chain}", referrer)
        return
    if folder in state.entered:
        return
    if len(state.open) >= MAX_DEPTH:
        why = f"kustomizations include each other more than {MAX_DEPTH} levels deep"
        state.add(BuildClass.OTHER, why, referrer)
        return
    found = find(state.repo, folder)
    if found is None:
        state.lacking(
            [join(folder, name) for name in FILE_NAMES],
            f"{folder or '.'} has no kustomization.yaml",
            referrer,
        )
        return
    if isinstance(found, Problem):
        state.problems.append(found)
        return
    state.entered[folder] = found
    state.files.add(found.file)
    state.problems += faults(found)
    state.open.append(folder)
    for reference in references(found):
        _follow(state, found, reference)
    state.open.pop()


_FETCHED = regexp(r"https?:", re.IGNORECASE)


def _follow(state: _Walk, owner: Kustomization, reference: Reference) -> None:
    repo, target, where = state.repo, reference.target, reference.location
    if reference.kind == "plugin" and is_inline(target):
        _inline_plugin(state, owner, target, where)
        return
    if _FETCHED.match(target):  # kustomize asks the network first, even where such a file exists
        state.add(BuildClass.REMOTE, f"{target} is remote; nothing is fetched", where, ("base", target))
        return
    path = join(owner.folder, target)
    lexical = normpath(path)
    if lexical.count("/") > MAX_DEPTH or len(lexical) > MAX_PATH:
        state.add(
            BuildClass.OTHER, f"a path of more than {MAX_DEPTH} folders or {MAX_PATH} characters", where
        )
        return
    links: set[str] = set()
    real = None if target.startswith("/") else repo.resolve(path, links)
    if real is None:
        _unresolved(state, reference, lexical)
        return
    state.files |= links
    if real in repo.entries:
        state.files.add(real)
        problems = repo.stream(real).problems if reference.kind != "input" else ()
        if problems and (unread := repo.unread(real)) is not None:
            state.add(BuildClass.UNREADABLE, unread, where)
            return
        if problems and (unkept := file_bound(repo, real)) is not None:
            why = f"{target} is not given to kustomize: {unkept[0].message}"
            state.add(BuildClass.NO_MANIFEST, why, unkept[1])
        if reference.kind == "component":
            state.add(BuildClass.WRONG_KIND, f"components must name folders; {target} is a file", where)
        elif reference.kind == "plugin":
            _plugin(state, owner, real, where)
        return
    if reference.kind == "plugin":
        _plugin_folder(state, real, where)
    elif reference.kind in ("resource", "component"):
        _enter(state, real, where)
        _check_kind(state, real, reference)
    else:
        state.add(BuildClass.MISSING, f"{target} is a folder, a file is needed", where)


def _check_kind(state: _Walk, folder: str, reference: Reference) -> None:
    child = state.entered.get(folder)
    if child is not None and child.is_component != (reference.kind == "component"):
        kind = child.data.get("kind") or "Kustomization"
        why = f"{reference.target} is a {kind}, listed under {'resources' if child.is_component else 'components'}"
        state.add(BuildClass.WRONG_KIND, why, reference.location)


def _unresolved(state: _Walk, reference: Reference, lexical: str) -> None:
    target, where = reference.target, reference.location
    if is_remote(target):
        why = f"{target} is remote; nothing is fetched"
        state.add(BuildClass.REMOTE, why, where, ("base", target))
    elif target.startswith("/") or lexical.startswith("../") or _leaves(state.repo, lexical):
        why = f"{target} leads out of the repository: name something inside it"
        if state.repo.revision is None:
            why += ", or, where this is no git repository, put an empty .gitops-layout.yaml into the folder above both"
        state.add(BuildClass.OUTSIDE, why, where)
    else:
        entry = state.repo.entries.get(lexical)
        is_link = entry is not None and entry.target is not None
        why = f"is a link to {entry.target}, which does not exist" if is_link and entry else "does not exist"
        state.lacking([lexical], f"{target} {why} ({lexical})", where)


def _leaves(repo: Repo, path: str) -> bool:
    """Whether a link on the way to `path` leads out of the repository; one that leads nowhere inside does not."""
    for _ in range(MAX_DEPTH):
        parts = path.split("/")
        prefixes = ("/".join(parts[: n + 1]) for n in range(len(parts)))
        link = next(
            (p for p in prefixes if (e := repo.entries.get(p)) is not None and e.target is not None), None
        )
        if link is None:
            return False
        target = repo.entries[link].target or ""
        path = normpath(join(dirname(link), target, path[len(link) + 1 :]))
        if path.startswith(("/", "../")) or path == "..":
            return True
    return False  # a circle of links


_BUILTIN_INPUTS = {"ConfigMapGenerator", "SecretGenerator"}
_BUILTIN_PATHS = {
    "PatchTransformer": "path",
    "PatchJson6902Transformer": "path",
    "PatchStrategicMergeTransformer": "paths",
    "ValueAddTransformer": "targetFilePath",
}
_BUILTIN_WITHOUT_FILES = {
    "AnnotationsTransformer",
    "HashTransformer",
    "ImageTagTransformer",
    "LabelTransformer",
    "LegacyOrderTransformer",
    "NamespaceTransformer",
    "PrefixTransformer",
    "PrefixSuffixTransformer",
    "ReplicaCountTransformer",
    "SortOrderTransformer",
    "SuffixTransformer",
}


def _plugin_folder(state: _Walk, folder: str, where: Location) -> None:
    """Transformer configs behind kustomizations: every object of that build would be one."""
    _enter(state, folder, where)
    child = state.entered.get(folder)
    if child is None or folder in state.open:
        return
    changing = sorted(child.data.keys() - {"apiVersion", "kind", "metadata", "resources"})
    if changing:
        why = f"{folder} makes transformers or generators with {', '.join(changing)}, which is not supported yet"
        state.add(BuildClass.PLUGIN, why, where)
        return
    state.open.append(folder)
    for reference in references(child):
        real = state.repo.resolve(join(folder, reference.target))
        if real is not None and real in state.repo.entries:
            _plugin(state, child, real, reference.location)
        elif real is not None:
            _plugin_folder(state, real, reference.location)
    state.open.pop()


def _plugin(state: _Walk, owner: Kustomization, file: str, where: Location) -> None:
    """A generator, transformer or validator config: built-in ones are followed, others would run code."""
    stream = state.repo.stream(file)
    if stream.problems:
        problem = stream.problems[0]
        span = Span(problem.line, problem.column, problem.line, problem.column + 1, 0, 0)
        why = f"it is no YAML: {problem.message}: correct it"
        state.add(BuildClass.NO_MANIFEST, why, Location(file, span=span))
        return
    if (path := _ambiguous(stream)) is not None:
        index, below = path
        why = f"{below[-1] if below else file} can be read in two ways: put its value in quotes"
        state.add(BuildClass.PLUGIN, why, Location(file, below, index))
        return
    for document in stream.documents:
        _plugin_config(state, owner, document.data, Location(file, (), document.index), where)


def _inline_plugin(state: _Walk, owner: Kustomization, text: str, where: Location) -> None:
    """The same as the text of a kustomization; what kustomize could not use it would take for a name."""
    stream = read(text, owner.file)
    if not _is_unambiguous(stream):
        state.add(BuildClass.PLUGIN, "a plugin's configuration cannot be read in one way only", where)
        return
    for document in read(text, owner.file, mode="kustomize").documents:
        data = document.data if isinstance(document.data, dict) else {}
        metadata = data.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        if not isinstance(name, str) or not name:
            state.add(BuildClass.PLUGIN, "a plugin's configuration needs a metadata.name", where)
        else:
            _plugin_config(state, owner, data, where, where)


def _is_unambiguous(stream: Stream) -> bool:
    return not stream.problems and _ambiguous(stream) is None


def _ambiguous(stream: Stream) -> tuple[int, Path] | None:
    """The document and the path in it of the first value that kubectl and kustomize read as different ones. A name
    and labels are kustomize's alone, and lead to no file.
    """
    typed = read(stream.text, stream.file, mode="kustomize")
    ours, theirs = ([_settings(document.data) for document in file.documents] for file in (stream, typed))
    for document, one, other in zip(stream.documents, ours, theirs, strict=False):
        if one != other:
            return document.index, _differing(one, other)
    return (0, ()) if len(ours) != len(theirs) else None


def _settings(data: Any) -> Any:
    return {**data, "metadata": None} if isinstance(data, dict) else data


def _differing(one: Any, other: Any) -> Path:
    """The path of the first value that differs; of what holds it where a key does."""
    match one, other:
        case dict(), dict() if one.keys() == other.keys():
            pairs: Iterable[tuple[str | int, Any, Any]] = ((key, one[key], other[key]) for key in one)
        case list(), list() if len(one) == len(other):
            pairs = ((index, *both) for index, both in enumerate(zip(one, other, strict=True)))
        case _:
            return ()
    return next((step, *_differing(a, b)) for step, a, b in pairs if a != b)


def _plugin_config(state: _Walk, owner: Kustomization, data: Any, here: Location, where: Location) -> None:
    data = data if isinstance(data, dict) else {}
    kind = str(data.get("kind"))
    state.problems += misspelt(data, here)
    if not _is_builtin(data):
        why = f"{data.get('apiVersion')} {kind} is a plugin; plugins are never run"
        state.add(BuildClass.PLUGIN, why, where)
    elif kind == "HelmChartInflationGenerator":
        chart = str(data.get("name"))
        why = f"chart {chart} is inflated by helm, which this build does not do"
        state.add(BuildClass.HELM, why, where, ("chart", chart))
    elif kind in _BUILTIN_INPUTS:
        for reference in generator_inputs(data, here):
            _follow(state, owner, reference)
    elif kind in _BUILTIN_PATHS:
        _follow_paths(state, owner, data.get(_BUILTIN_PATHS[kind]), here.at(_BUILTIN_PATHS[kind]))
    elif kind == "ReplacementTransformer":
        for item, index in mappings(data, "replacements"):
            _follow_paths(state, owner, item.get("path"), here.at("replacements", index, "path"))
    elif kind not in _BUILTIN_WITHOUT_FILES:
        state.add(BuildClass.PLUGIN, f"built-in {kind} is not supported yet", where)


def _is_builtin(data: dict[str, Any]) -> bool:
    """Whether kustomize itself implements it: a function annotation turns any kind into a program to run."""
    metadata = data.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    runs = isinstance(annotations, dict) and any(str(key).endswith("/function") for key in annotations)
    return data.get("apiVersion") == "builtin" and not runs


def _follow_paths(state: _Walk, owner: Kustomization, value: Any, here: Location) -> None:
    targets = value if isinstance(value, list) else [value]
    for target in targets:
        if isinstance(target, str) and is_inline(target):
            state.problems += inline(owner, target, here)
        elif isinstance(target, str):
            _follow(state, owner, Reference("patch", target, here))
