"""Kustomizations as files: which one a folder has, and what it refers to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field
from enum import StrEnum
from posixpath import join
from typing import Any, Literal

from gitops_layout.model import Location, Span, Unchecked, UncheckedClass
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo
from gitops_layout.source.reader import read
from gitops_layout.values import dataclass

__all__ = [
    "FILE_NAMES",
    "GROUP",
    "REFERENCE_LISTS",
    "VERSIONS",
    "BuildClass",
    "Closure",
    "Kustomization",
    "Problem",
    "Reference",
    "find",
    "generator_inputs",
    "is_inline",
    "is_remote",
    "mappings",
    "references",
    "strings",
]

GROUP = "kustomize.config.k8s.io/"
"""How the `apiVersion`s of kustomize's own documents begin, which no API server knows."""

VERSIONS = {"Kustomization": f"{GROUP}v1beta1", "Component": f"{GROUP}v1alpha1"}
"""The `apiVersion` of each that we write, and take for written where there is none."""

FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""The names kustomize recognises, in its order."""


class BuildClass(StrEnum):
    """Why a build fails or cannot be tried; the classes were found over 6,717 real builds."""

    REMOTE = "remote"
    HELM = "helm-needed"
    PLUGIN = "plugin"
    COMPONENT = "component-alone"
    MISSING = "missing-file"
    EMPTY = "empty"
    OUTSIDE = "outside"
    NOT_YAML = "kustomization-not-yaml"
    SCHEMA = "kustomization-schema"
    NO_MANIFEST = "not-a-manifest"
    CYCLE = "cycle"
    WRONG_KIND = "wrong-kind"
    AMBIGUOUS = "two-kustomizations"
    UNREADABLE = "unreadable"
    OTHER = "other"

    @property
    def unchecked(self) -> UncheckedClass:
        """What lies outside the repository is external, all else is its own fault."""
        if self in (BuildClass.REMOTE, BuildClass.HELM, BuildClass.PLUGIN):
            return UncheckedClass.EXTERNAL
        return UncheckedClass.BROKEN


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a closure cannot be built, on the line that causes it.

    `subject` is what the config can declare as external (`base` or `chart`, and its text).
    """

    kind: BuildClass
    why: str
    location: Location
    subject: tuple[str, str] | None = None

    def unchecked(self, what: str, delivery: str | None = None) -> Unchecked:
        """The same as an entry of the coverage list."""
        return Unchecked(what, self.kind.unchecked, self.why, self.location, self.subject, delivery)


@dataclass(frozen=True, slots=True)
class Kustomization:
    """A kustomization file: its `folder`, `file`, and data typed as kustomize types it."""

    folder: str
    file: str
    data: dict[str, Any]
    named: list[tuple[Reference, ...]] = field(default_factory=list, repr=False, compare=False)
    """What `references` found, once it was asked."""

    @property
    def is_component(self) -> bool:
        """Whether it is made to be included under `components`."""
        return self.data.get("kind") == "Component"

    @property
    def location(self) -> Location:
        """The whole file."""
        return Location(self.file)


@dataclass(frozen=True, slots=True)
class Reference:
    """One thing a kustomization names; `target` as written, relative to its folder.

    `resource` and `component` may be folders, `plugin` is a generator, transformer or validator
    config (file or folder), the rest are files.
    """

    kind: Literal["resource", "component", "patch", "input", "config", "plugin"]
    target: str
    location: Location


@dataclass(frozen=True, slots=True)
class Closure:
    """Everything a build of `root` reads: `files` (links among them), the kustomizations in the order
    in which they are entered (the root first), and the problems met on the way.
    """

    root: str
    files: frozenset[str]
    kustomizations: tuple[Kustomization, ...]
    problems: tuple[Problem, ...]


_REMOTE_HOST = regexp(r"([\w.-]+@)?[\w-]+(\.[\w-]+)*\.[A-Za-z]{2,}(:\d+)?[:/]")


def is_remote(target: str) -> bool:
    """Whether a reference that is no local file would be fetched (kustomize: URL, scp form, host/path)."""
    if "://" in target or target.startswith(("git@", "git::")):
        return True
    if target.startswith((".", "/")):
        return False
    return _REMOTE_HOST.match(target) is not None


def find(repo: Repo, folder: str) -> Kustomization | Problem | None:
    """A folder's kustomization; None where it has none, a Problem where it cannot be used."""
    try:
        found: Kustomization | Problem | None = repo.kustomizations[folder]
    except KeyError:
        found = repo.kustomizations[folder] = _find(repo, folder)
    return found


def _find(repo: Repo, folder: str) -> Kustomization | Problem | None:
    names = [name for name in FILE_NAMES if name in repo.folders.get(folder, ())]
    if not names:
        return None
    file = join(folder, names[0])
    if len(names) > 1:
        listed = " and ".join(names)
        return Problem(BuildClass.AMBIGUOUS, f"kustomize refuses {listed} in one folder", Location(file))
    stream = repo.stream(file)
    if stream.problems:
        problem = stream.problems[0]
        if (unread := repo.unread(file)) is not None:
            return Problem(BuildClass.UNREADABLE, unread, Location(file))
        span = Span(problem.line, problem.column, problem.line, problem.column + 1, 0, 0)
        why = f"it is no YAML: {problem.message}: correct it, for kustomize refuses the whole folder"
        return Problem(BuildClass.NOT_YAML, why, Location(file, span=span))
    if not stream.documents:
        return Problem(BuildClass.EMPTY, "kustomization.yaml is empty", Location(file))
    data = stream.documents[0].data
    if not isinstance(data, dict):
        return Problem(BuildClass.SCHEMA, "a kustomization must be a mapping", Location(file))
    return Kustomization(folder, file, data)


def strings(data: dict[str, Any], name: str) -> Sequence[tuple[str, int]]:
    """The texts that a list holds, with their places in it; none for a field that is absent, as most are."""
    value = data.get(name)
    if not isinstance(value, list):
        return ()
    return [(item, index) for index, item in enumerate(value) if isinstance(item, str)]


def mappings(data: dict[str, Any], name: str) -> Sequence[tuple[dict[str, Any], int]]:
    """The mappings that a list holds, with their places in it."""
    value = data.get(name)
    if not isinstance(value, list):
        return ()
    return [(item, index) for index, item in enumerate(value) if isinstance(item, dict)]


REFERENCE_LISTS: tuple[tuple[str, Literal["resource", "component", "config", "plugin"]], ...] = (
    ("resources", "resource"),
    ("bases", "resource"),
    ("components", "component"),
    ("configurations", "config"),
    ("crds", "config"),
    ("generators", "plugin"),
    ("transformers", "plugin"),
    ("validators", "plugin"),
)


def references(kustomization: Kustomization) -> tuple[Reference, ...]:
    """Everything that the kustomization names, in file order of the fields; inline YAML is left out."""
    if not kustomization.named:
        kustomization.named.append(tuple(_references(kustomization)))
    return kustomization.named[0]


def _references(kustomization: Kustomization) -> Iterator[Reference]:
    data, here = kustomization.data, kustomization.location
    for name, kind in REFERENCE_LISTS:
        for target, index in strings(data, name):
            yield Reference(kind, target, here.at(name, index))
    for target, index in strings(data, "patchesStrategicMerge"):
        if not is_inline(target):
            yield Reference("patch", target, here.at("patchesStrategicMerge", index))
    for target, index in strings(data, "patches"):
        # kustomize refuses a list of names here; the files are patches all the same, no objects.
        yield Reference("patch", target, here.at("patches", index))
    for name in ("patches", "patchesJson6902", "replacements"):
        for item, index in mappings(data, name):
            if isinstance(item.get("path"), str):
                yield Reference("patch", item["path"], here.at(name, index, "path"))
    openapi = data.get("openapi")
    if isinstance(openapi, dict) and isinstance(openapi.get("path"), str):
        yield Reference("config", openapi["path"], here.at("openapi", "path"))
    for name in ("configMapGenerator", "secretGenerator"):
        for item, index in mappings(data, name):
            yield from generator_inputs(item, here.at(name, index))


def is_inline(text: str) -> bool:
    """Whether a list entry is YAML of its own rather than the name of a file."""
    if "\n" not in text and ":" not in text and "{" not in text:
        return False
    stream = read(text, "inline")
    return bool(stream.problems) or any(isinstance(item.data, (dict, list)) for item in stream.documents)


def generator_inputs(generator: dict[str, Any], here: Location) -> Iterator[Reference]:
    """The files that a ConfigMap or Secret generator reads."""
    for target, index in strings(generator, "files"):
        yield Reference("input", target.partition("=")[2] or target, here.at("files", index))
    for target, index in strings(generator, "envs"):
        yield Reference("input", target, here.at("envs", index))
    if isinstance(generator.get("env"), str):
        yield Reference("input", generator["env"], here.at("env"))
