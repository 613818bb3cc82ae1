"""Flux ArtifactGenerators: which files of which sources make up an ExternalArtifact.

Source: the source-watcher's ArtifactGenerator API, v1beta1 (v2.2), and its controller.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from gitops_layout.model import Location
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import Repo, Resource
from gitops_layout.values import dataclass

__all__ = [
    "ANY_NAME",
    "GROUP",
    "Artifact",
    "Copy",
    "Folders",
    "PathPatternError",
    "artifacts",
    "is_generator",
]

GROUP = "source.extensions.fluxcd.io"

MAX_ARTIFACTS = 10_000
"""That many one generator may make by its `pathPattern`; of one that makes more none is followed."""

ANY_NAME = "{}"
"""Stands for the names of the artifacts that a `pathPattern` makes of folders which are not known here."""

_TARGET = "@artifact/"
_STRATEGIES = ("Overwrite", "Merge", "Extract")
_CAPTURE = regexp(r"\{([^{}]*)\}")
_FIXED = regexp(r"([^/*?\[{]+(/|$))*")
_NAME = regexp(r"[A-Za-z_][A-Za-z0-9_]*")
_LABEL = regexp(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Copy:
    """What of the source called `alias` fits `pattern`, to `target` below the root of the artifact: as written."""

    alias: str
    pattern: str
    target: str
    exclude: tuple[str, ...]
    strategy: str
    location: Location


@dataclass(frozen=True, slots=True)
class Folders:
    """A `pathPattern`: an artifact for each folder of the source called `alias` that fits `pattern`, by the template
    of its `name`; its copies as they are written, the captures not filled in.
    """

    alias: str
    pattern: str
    name: str
    copies: tuple[Copy, ...] = ()

    def among(self, folders: Iterable[str]) -> list[tuple[str, tuple[Copy, ...]]]:
        """The artifact's name and copies for each of its source's folders that fits: captures stand for themselves in
        copies, and in lower case in names. Raises PathPatternError where the controller makes none.
        """
        made: list[tuple[str, tuple[Copy, ...]]] = []
        names, fits = _CAPTURE.findall(self.pattern), re.compile(_expression(self.pattern, "([^/]+)"))
        for match in filter(None, map(fits.fullmatch, sorted(folders))):
            captured = dict(zip(names, match.groups(), strict=True))
            wrong = next((value for value in captured.values() if _LABEL.fullmatch(value) is None), None)
            if wrong is not None:
                raise PathPatternError(f"pathPattern captures {wrong!r}, which is no label's value")
            if len(made) == MAX_ARTIFACTS:
                raise PathPatternError(f"pathPattern fits more than {MAX_ARTIFACTS:,} folders")
            lowered = {key: value.lower() for key, value in captured.items()}
            made.append((_filled(self.name, lowered), tuple(_with(copy, captured) for copy in self.copies)))
        return made

    def may_make(self, name: str) -> bool:
        """Whether an artifact of some folder could have the name."""
        return re.fullmatch(_expression(self.name, ".+"), name) is not None


def _expression(template: str, capture: str) -> str:
    parts = _CAPTURE.split(template)
    return "".join(capture if number % 2 else re.escape(part) for number, part in enumerate(parts))


def _with(copy: Copy, captured: Mapping[str, str]) -> Copy:
    return replace(copy, pattern=_filled(copy.pattern, captured), target=_filled(copy.target, captured))


class PathPatternError(Exception):
    """The controller makes no artifact by a `pathPattern`; the message says why."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """An artifact of the generator at `location`: its copies, in order, and the sources by their aliases, each as
    (kind, namespace, name).

    `folders` is the `pathPattern` that makes it: the copies are those of a folder of this repository, and count only
    where that is the pattern's source; there are none where no folder here fits. `unknown` says why its files cannot
    be told.
    """

    location: Location
    sources: Mapping[str, tuple[str, str, str]]
    copies: tuple[Copy, ...] = ()
    folders: Folders | None = None
    unknown: str | None = None

    def starts(self, alias: str) -> list[str]:
        """The paths in a source that it has to have, as far as they are no patterns."""
        own = self.folders
        patterns = [
            copy.pattern for copy in (own.copies if own is not None else self.copies) if copy.alias == alias
        ]
        if own is not None and own.alias == alias:
            patterns.append(own.pattern)
        starts = (_FIXED.match(pattern) for pattern in patterns)
        return [match[0].rstrip("/") for match in starts if match is not None]


def is_generator(resource: Resource) -> bool:
    """Whether it makes ExternalArtifacts."""
    return resource.ref.kind == "ArtifactGenerator" and resource.ref.group == GROUP


def artifacts(repo: Repo, resources: Iterable[Resource]) -> dict[tuple[str, str], list[Artifact]]:
    """Every artifact that the generators among `resources` make, by (namespace, name): each cluster's own."""
    found: dict[tuple[str, str], list[Artifact]] = {}
    for resource in filter(is_generator, resources):
        namespace = resource.ref.namespace or "flux-system"
        for name, artifact in _made_by(repo, resource, namespace):
            found.setdefault((namespace, name), []).append(artifact)
    return found


def _made_by(repo: Repo, resource: Resource, namespace: str) -> Iterator[tuple[str, Artifact]]:
    given = resource.data.get("spec")
    spec = given if isinstance(given, dict) else {}
    sources = {
        item["alias"]: (str(item.get("kind")), str(item.get("namespace") or namespace), str(item.get("name")))
        for item in _mappings(spec.get("sources"))
        if isinstance(item.get("alias"), str)
    }
    items = [
        (item, resource.location.at("spec", "artifacts", index))
        for index, item in enumerate(_mappings(spec.get("artifacts")))
        if isinstance(item.get("name"), str)
    ]
    pattern = spec.get("pathPattern")
    for item, place in items:
        artifact = _artifact(item, sources, place)
        if not pattern:
            yield item["name"], artifact
        elif isinstance(pattern, str):
            yield from _by_folders(repo, pattern, item["name"], artifact)


def _by_folders(repo: Repo, pattern: str, name: str, artifact: Artifact) -> Iterator[tuple[str, Artifact]]:
    """An artifact for each folder here that fits, and one for all names that folders of another source may give."""
    alias, _, below = pattern.removeprefix("@").partition("/")
    folders = Folders(alias, below, name, artifact.copies)
    refused = artifact.unknown or _refused(pattern, folders)
    if refused is None and alias not in artifact.sources:
        refused = f"its pathPattern names @{alias}, no source of the generator"
    yield ANY_NAME, replace(artifact, folders=folders, copies=(), unknown=refused)
    if refused is None:
        with suppress(PathPatternError):  # whoever asks for one is told when it is known whose folders count
            for made, copies in folders.among(repo.folders):
                yield made, replace(artifact, folders=folders, copies=copies)


def _refused(pattern: str, folders: Folders) -> str | None:
    """Why the controller takes no such pattern, if it does not."""
    names = _CAPTURE.findall(folders.pattern)
    if not pattern.startswith("@") or "/" not in pattern:
        return "its pathPattern must be @ALIAS/PATTERN"
    if len(set(names)) < len(names) or not all(map(_NAME.fullmatch, names)):
        return "the captures of its pathPattern must be different names"
    texts = (folders.name, *(text for copy in folders.copies for text in (copy.pattern, copy.target)))
    used = dict.fromkeys(name for text in texts for name in _CAPTURE.findall(text))
    unknown = next((name for name in used if name not in names), None)
    return None if unknown is None else f"it names {{{unknown}}}, which its pathPattern does not capture"


def _filled(text: str, captured: Mapping[str, str]) -> str:
    return _CAPTURE.sub(lambda match: captured.get(match[1], match[0]), text)


def _artifact(
    item: dict[str, Any], sources: Mapping[str, tuple[str, str, str]], location: Location
) -> Artifact:
    copies = []
    for index, entry in enumerate(_mappings(item.get("copy"))):
        copy = _copy(entry, location.at("copy", index))
        if isinstance(copy, str):
            return Artifact(location, sources, unknown=copy)
        if copy.alias not in sources:
            return Artifact(
                location, sources, unknown=f"a copy names @{copy.alias}, no source of the generator"
            )
        copies.append(copy)
    if not copies:
        return Artifact(location, sources, unknown="the artifact of an ArtifactGenerator copies nothing")
    return Artifact(location, sources, tuple(copies))


def _copy(entry: Mapping[str, Any], location: Location) -> Copy | str:
    """One copy, or why it cannot be told."""
    source, target = entry.get("from"), entry.get("to")
    if not isinstance(source, str) or not source.startswith("@") or "/" not in source:
        return "`from` of a copy must be @ALIAS/PATTERN"
    if not isinstance(target, str) or not target.startswith(_TARGET):
        return f"`to` of a copy must begin with {_TARGET}"
    alias, _, pattern = source[1:].partition("/")
    listed = entry.get("exclude")
    exclude = listed if isinstance(listed, list) else []
    strategy = entry.get("strategy") or "Overwrite"
    if strategy not in _STRATEGIES:
        return f"a copy has strategy {strategy}; Flux has {', '.join(_STRATEGIES)}"
    return Copy(
        alias,
        pattern,
        target.removeprefix(_TARGET),
        tuple(text for text in exclude if isinstance(text, str)),
        strategy,
        location,
    )


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
