"""Flux ArtifactGenerators: which files of which sources make up an ExternalArtifact.

Source: the source-watcher's ArtifactGenerator API, v1beta1 (v2.2), and its controller.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gitops_layout.model import Location
from gitops_layout.repo.model import Repo, Resource

__all__ = ["GROUP", "Artifact", "Copy", "artifacts", "is_generator"]

GROUP = "source.extensions.fluxcd.io"

MAX_ARTIFACTS = 10_000
"""That many one generator may make by its `pathPattern`; of one that makes more none is followed."""

_TARGET = "@artifact/"
_CAPTURE = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


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
class Artifact:
    """An artifact of the generator at `location`: its copies, in order, and the sources by their aliases, each as
    (kind, namespace, name).

    `pattern` is the alias of the source by whose folders a `pathPattern` named it: it is one only if that source is
    this repository. `unknown` says why its files cannot be told.
    """

    location: Location
    sources: Mapping[str, tuple[str, str, str]]
    copies: tuple[Copy, ...] = ()
    pattern: str | None = None
    unknown: str | None = None


def is_generator(resource: Resource) -> bool:
    """Whether it makes ExternalArtifacts."""
    return resource.ref.group == GROUP and resource.ref.kind == "ArtifactGenerator"


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
    if not pattern:
        for item, place in items:
            yield item["name"], _artifact(item, sources, place)
    elif isinstance(pattern, str):
        yield from _by_folders(repo, pattern, items, sources)


def _by_folders(
    repo: Repo,
    pattern: str,
    items: list[tuple[dict[str, Any], Location]],
    sources: Mapping[str, tuple[str, str, str]],
) -> Iterator[tuple[str, Artifact]]:
    """An artifact for each folder that fits, whose captures stand for themselves in names (there in lower case) and
    copies. A pattern that the controller refuses makes none.
    """
    alias, _, folders = pattern.removeprefix("@").partition("/")
    names = _CAPTURE.findall(folders)
    if not pattern.startswith("@") or len(set(names)) < len(names) or not all(map(_NAME.fullmatch, names)):
        return
    parts = _CAPTURE.split(folders)
    fits = re.compile("".join("([^/]+)" if n % 2 else re.escape(part) for n, part in enumerate(parts)))
    found = [match for folder in sorted(repo.folders) if (match := fits.fullmatch(folder)) is not None]
    if len(found) * len(items) > MAX_ARTIFACTS:
        return
    for match in found:
        captured = dict(zip(names, match.groups(), strict=True))
        lowered = {name: text.lower() for name, text in captured.items()}
        for item, place in items:
            yield _filled(item["name"], lowered), _artifact(item, sources, place, alias, captured)


def _filled(text: str, captured: Mapping[str, str]) -> str:
    return _CAPTURE.sub(lambda match: captured.get(match[1], match[0]), text)


def _artifact(
    item: dict[str, Any],
    sources: Mapping[str, tuple[str, str, str]],
    location: Location,
    pattern: str | None = None,
    captured: Mapping[str, str] | None = None,
) -> Artifact:
    copies = []
    for index, entry in enumerate(_mappings(item.get("copy"))):
        copy = _copy(entry, location.at("copy", index), captured or {})
        if isinstance(copy, str):
            return Artifact(location, sources, unknown=copy)
        if copy.alias not in sources:
            return Artifact(
                location, sources, unknown=f"a copy names @{copy.alias}, no source of the generator"
            )
        copies.append(copy)
    if not copies:
        return Artifact(location, sources, unknown="the artifact of an ArtifactGenerator copies nothing")
    return Artifact(location, sources, tuple(copies), pattern)


def _copy(entry: Mapping[str, Any], location: Location, captured: Mapping[str, str]) -> Copy | str:
    """One copy, or why it cannot be told."""
    source, target = entry.get("from"), entry.get("to")
    if not isinstance(source, str) or not source.startswith("@") or "/" not in source:
        return "`from` of a copy must be @ALIAS/PATTERN"
    if not isinstance(target, str) or not target.startswith(_TARGET):
        return f"`to` of a copy must begin with {_TARGET}"
    alias, _, pattern = _filled(source[1:], captured).partition("/")
    listed = entry.get("exclude")
    exclude = listed if isinstance(listed, list) else []
    strategy = entry.get("strategy") or "Overwrite"
    if strategy not in ("Overwrite", "Merge"):
        return f"a copy has strategy {strategy}, which is not supported yet"
    return Copy(
        alias,
        pattern,
        _filled(target.removeprefix(_TARGET), captured),
        tuple(text for text in exclude if isinstance(text, str)),
        strategy,
        location,
    )


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
