"""Versions and settings of apps on their way from environment to environment.

What an environment runs stands in two folders of their own, `version/` and `settings/` of its overlay: promoting
copies their bytes, so that nothing else of an environment moves with them, and comparing them says who is behind.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gitops_layout.diff.objects import ObjectChange, object_changes
from gitops_layout.errors import UserError
from gitops_layout.graph.link import link
from gitops_layout.patterns import regexp
from gitops_layout.render.build import Renders
from gitops_layout.repo.load import from_files
from gitops_layout.repo.model import is_yaml
from gitops_layout.scaffold.structure import dump, load
from gitops_layout.scaffold.writing import regular, write
from gitops_layout.semver import parse_version
from gitops_layout.source.reader import read
from gitops_layout.spec.words import MOVING_TAGS
from gitops_layout.store.lock import LOCK
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from gitops_layout.render.rendered import Rendered
    from gitops_layout.spec import Spec

__all__ = [
    "Part",
    "Promotion",
    "Skew",
    "Standing",
    "apply",
    "distance",
    "promotion",
    "release",
    "skew",
    "version_in",
]

Part = Literal["version", "settings"]
_PATCHED = ("/targetRevision", "/tag", "/version")
_MARKER = regexp(rb"[ \t]*#[ \t]*\{\s*\"\$imagepolicy\"[^\n]*")
_TAG = regexp(rb"(?m)^.*\b(newTag|tag): [^#\s]+")
_DIGEST = regexp(rb"(?m)^.*\bdigest: sha256:[0-9a-f]+")
_VERSION = regexp(r"^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|sha256:[0-9a-f]{64})$")


@dataclass(frozen=True, slots=True)
class Promotion:
    """Files to write (None: to delete), by path; what that changes in the rendered objects; what to mind.

    `unseen` says why the objects could not be compared, None where they could.
    """

    files: Mapping[str, bytes | None]
    changes: tuple[ObjectChange, ...] = ()
    warnings: tuple[str, ...] = ()
    unseen: str | None = None


def promotion(
    root: Path, spec: Spec, app: str, *, source: str | None, to: str, parts: tuple[Part, ...]
) -> Promotion:
    """What brings an app's version or settings from one environment into another.

    `source` is the environment that `to` is promoted from, if None. Raises UserError for names that are not in the
    spec, and where the app's environment has no such folder.
    """
    start = _from(spec, app, source, to)
    home = _home(spec, app)
    tree = _files(root, home)
    if home != f"apps/{app}":  # what a component is set to differs from cluster to cluster
        parts = ("version",)
    files: dict[str, bytes | None] = {}
    for part in parts:
        here, there = (f"{home}/envs/{environment}/{part}/" for environment in (start, to))
        given = {path.removeprefix(here): content for path, content in tree.items() if path.startswith(here)}
        if not given:
            raise UserError(f"{here} holds nothing to promote", "gitops-layout scaffold makes it anew")
        _readable(here, given)
        old = {path.removeprefix(there): content for path, content in tree.items() if path.startswith(there)}
        given = {name: _own_marker(data, old.get(name, b"")) for name, data in given.items()}
        files |= {f"{there}{name}": data for name, data in given.items() if old.get(name) != data}
        files |= {f"{there}{name}": None for name in old if name not in given}
    return _shown(root, tree, f"{_home(spec, app)}/envs/{to}", files, tuple(_skipped(spec, app, start, to)))


def _readable(folder: str, files: Mapping[str, bytes]) -> None:
    """Raises UserError for what would be broken in the next environment as well."""
    for name, content in files.items():
        for problem in read(content, name).problems[:1] if is_yaml(name) else ():
            place = f"{folder}{name}:{problem.line}:{problem.column}"
            raise UserError(f"{place}: {problem.message}", "mend it before it is promoted")


def _own_marker(content: bytes, before: bytes) -> bytes:
    """A file as it is promoted: the marker by which Flux writes an environment's versions stays where it is, and the
    digest beside a tag is Flux's to write as well.
    """
    content = _MARKER.sub(b"", content)
    marker = _MARKER.search(before)
    if marker is None:
        return content
    named = marker[0].replace(b':digest"', b':tag"').replace(b"\\", rb"\\")
    content = _TAG.sub(rb"\g<0>" + named, content, count=1)
    return _DIGEST.sub(rb"\g<0>" + named.replace(b':tag"', b':digest"'), content, count=1)


def release(root: Path, spec: Spec, app: str, *, to: str, version: str) -> Promotion:
    """What makes an environment run `version`, a tag or a digest (`sha256:…`): how CI brings in a new build."""
    _known(spec, app, to)
    if not _VERSION.match(version) or version in MOVING_TAGS:
        raise UserError(
            f"--version {version}: not a tag or digest that stays", "name one such as 1.4.0 or sha256:…"
        )
    tree = _files(root, _home(spec, app))
    folder = f"{_home(spec, app)}/envs/{to}/version/"
    path = next(
        (folder + name for name in ("values.yaml", "kustomization.yaml") if folder + name in tree), None
    )
    if path is None:
        raise UserError(f"{folder} names no version", "gitops-layout scaffold makes it anew")
    content = _with_version(tree[path], path, version)
    files: dict[str, bytes | None] = {path: content} if content != tree[path] else {}
    return _shown(root, tree, f"{_home(spec, app)}/envs/{to}", files, ())


def _with_version(content: bytes, path: str, version: str) -> bytes:
    """The file of a `version/` folder with another version in it."""
    document = load(content)
    digest = version.startswith("sha256:")
    match document:
        case {"images": [{"name": _} as image, *_]}:
            field, other = ("digest", "newTag") if digest else ("newTag", "digest")
        case {"image": {} as image}:
            field, other = ("digest", "tag") if digest else ("tag", "digest")
        case {"patches": [{"patch": str(patch)}, *_]} if (old := _patched(patch)) is not None:
            if parse_version(version) is None:
                raise UserError(f"--version {version}: not the version of a chart", "name one such as 1.4.0")
            return content.replace(f"value: {old}".encode(), f"value: {version}".encode(), 1)
        case _:
            raise UserError(f"{path}: nothing to give a version", "set the version by hand")
    image[field] = version
    image.pop(other, None)
    return dump(document, like=content)


def _patched(patch: str) -> str | None:
    """The version that a patch of an agent object sets, a chart's."""
    match [document.data for document in read(patch, "").documents]:
        case [[{"op": _, "path": str(path), "value": str(version)}]] if path.endswith(_PATCHED):
            return version
        case _:
            return None


def apply(root: Path, made: Promotion) -> None:
    """Write the files, all of them or none; UserError where a path leads through a link."""
    write(root, made.files)


def _from(spec: Spec, app: str, source: str | None, to: str) -> str:
    _known(spec, app, to)
    start = source or _predecessor(spec, app, to)
    if start is None:
        raise UserError(
            f"environment {to} is promoted from none", "name one: --from ENV, or --version V for a build"
        )
    _known(spec, app, start)
    if start == to:
        raise UserError(f"--from and --to are both {to}", "name two environments")
    return start


def _deployed(spec: Spec) -> dict[str, list[str]]:
    """The environments of every app and component, by its name; an app of the same name comes first."""
    components = {item.name: item.environments or [] for item in spec.components}
    return components | {item.name: item.environments or [] for item in spec.apps}


def _home(spec: Spec, name: str) -> str:
    """The folder of an app or component."""
    app = name in {item.name for item in spec.apps}
    return f"apps/{name}" if app else f"infrastructure/controllers/{name}"


def _predecessor(spec: Spec, app: str, environment: str) -> str | None:
    """Where an app's environment is promoted from: the nearest before it that the app is in."""
    runs_in = _deployed(spec).get(app, [])
    source = spec.environment(environment).from_
    while source is not None and source not in runs_in:
        source = spec.environment(source).from_
    return source


def _known(spec: Spec, app: str, environment: str) -> None:
    from gitops_layout.spec.checks import did_you_mean

    apps = _deployed(spec)
    if app not in apps:
        raise UserError(f"no app {app} in gitops.yaml{did_you_mean(app, list(apps))}")
    if environment not in apps[app]:
        hint = did_you_mean(environment, apps[app])
        raise UserError(
            f"app {app} is not in environment {environment}{hint}", f"it is in {', '.join(apps[app])}"
        )


def _skipped(spec: Spec, app: str, start: str, to: str) -> Iterator[str]:
    """Stages between the two that the app is in and that this promotion leaps over."""
    runs_in = _deployed(spec)[app]
    chain: list[str] = []
    step = spec.environment(to).from_
    while step is not None and step != start:
        chain.append(step)
        step = spec.environment(step).from_
    if step is None:
        yield f"{to} is not promoted from {start}: gitops.yaml says from {spec.environment(to).from_ or 'none'}"
    elif skipped := [name for name in reversed(chain) if name in runs_in]:
        yield f"this skips {', '.join(skipped)}"


def _shown(
    root: Path,
    tree: Mapping[str, bytes],
    overlay: str,
    files: dict[str, bytes | None],
    warnings: tuple[str, ...],
) -> Promotion:
    """The promotion with what it changes in the environment's objects: what kustomize builds, and what charts make
    of their values.
    """
    folder = _built_in(root, overlay)
    tree = {**tree, **_files(root, folder), **_pulling(root, overlay)}
    if folder.endswith(".yaml"):
        tree[folder] = (root / folder).read_bytes()
    if regular(root, LOCK):  # which charts were fetched
        tree[LOCK] = (root / LOCK).read_bytes()
    later = {path: content for path, content in {**tree, **files}.items() if content is not None}
    before, after = _rendered(dict(tree), folder), _rendered(later, folder)
    for side in (before, after):
        if not side or side[0].failure is not None:
            why = side[0].failure.why if side and side[0].failure else f"{folder} is no kustomization"
            return Promotion(files, (), warnings, why)
    if (hidden := _unseen(before) or _unseen(after)) is not None:
        before, after = before[:1], after[:1]
        warnings = (*warnings, f"what the chart makes of it was not compared: {hidden}")
    old, new = ([(item.ref, item.data) for part in side for item in part.objects] for side in (before, after))
    return Promotion(files, tuple(object_changes(old, new)), warnings)


def _unseen(built: list[Rendered]) -> str | None:
    """Why the objects of a chart that is delivered here are not known; None where they are, or there is no chart."""
    first, *releases = built
    if failed := next((item.failure for item in releases if item.failure is not None), None):
        return failed.why
    agents = {"HelmRelease", "Application"} & {item.ref.kind for item in first.objects}
    return (
        "gitops-layout diff shows it where the chart is here or fetched" if agents and not releases else None
    )


def _built_in(root: Path, overlay: str) -> str:
    """What gives the objects that carry a version: the overlay, the folder where Argo CD's Application of a published
    chart is built, or the file of its Application of a chart of one's own.
    """
    wanted = f"/{overlay}/version"
    places = {"*/*/*/*/kustomization.yaml": True, "*/apps/*/*.yaml": False}
    for pattern, is_folder in places.items():
        for file in sorted((root / "clusters").glob(pattern)):
            path = file.relative_to(root).as_posix()
            if regular(root, path) and wanted in file.read_text(errors="replace"):
                return path.rpartition("/")[0] if is_folder else path
    return overlay


def _pulling(root: Path, overlay: str) -> dict[str, bytes]:
    """The Flux Kustomization that delivers the overlay to the first of its clusters: a release finds its values there."""
    for file in sorted((root / "clusters").glob("*/apps/*/*.yaml")):
        path = file.relative_to(root).as_posix()
        if regular(root, path) and f"path: ./{overlay}\n".encode() in (content := file.read_bytes()):
            return {path: content}
    return {}


def _rendered(files: dict[str, bytes], place: str) -> list[Rendered]:
    """What is built at a place, and then the releases of charts in it; empty where nothing is."""
    repo = from_files({**files})
    graph = link(repo, render=Renders(repo))
    found = [item for item in graph.deliveries if place in (item.source.path, item.root.file)]
    releases = [item for item in graph.deliveries if item.kind == "HelmRelease" and item.live]
    return [
        graph.rendered[item.id]
        for first in found[:1]
        for item in (first, *(release for release in releases if release.cluster == first.cluster))
    ]


def _files(root: Path, folder: str) -> dict[str, bytes]:
    """The plain files below a folder, by path; links are not followed."""
    found: dict[str, bytes] = {}
    for parent, _, names in os.walk(root / folder):
        for name in sorted(names):
            path = (Path(parent) / name).relative_to(root).as_posix()
            if regular(root, path):
                found[path] = (root / path).read_bytes()
    return found


class Standing(StrEnum):
    """How an environment's version stands to that of the environment it is promoted from."""

    FIRST = "first"
    SAME = "same"
    BEHIND = "behind"
    AHEAD = "ahead"
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True)
class Skew:
    """An app in an environment: what it runs, and how that stands to where it is promoted from.

    `distance` is in words (`2 minor`), empty where versions cannot be compared. `settings` says whether its
    settings are the same, None where there is nothing to compare with.
    """

    app: str
    environment: str
    version: str | None
    source: str | None
    source_version: str | None
    standing: Standing
    distance: str = ""
    settings: bool | None = None


def skew(root: Path, spec: Spec, app: str | None = None) -> Iterator[Skew]:
    """Every app (or the one named) in every environment of it, in the order of the spec.

    An environment whose predecessor the app is not in is compared with the one before that.
    """
    known = _deployed(spec)
    if app is not None and app not in known:
        from gitops_layout.spec.checks import did_you_mean

        raise UserError(f"no app {app} in gitops.yaml{did_you_mean(app, list(known))}")
    names = [*(item.name for item in spec.apps), *(item.name for item in spec.components)]
    for name in names if app is None else [app]:
        home = _home(spec, name)
        tree = _files(root, f"{home}/envs")
        for environment in known[name]:
            yield _standing(tree, name, home, environment, _predecessor(spec, name, environment))


def _standing(tree: Mapping[str, bytes], app: str, home: str, environment: str, source: str | None) -> Skew:
    version = version_in(tree, f"{home}/envs/{environment}/version/")
    if source is None:
        return Skew(app, environment, version, None, None, Standing.FIRST)
    other = version_in(tree, f"{home}/envs/{source}/version/")
    here, there = (_part(tree, f"{home}/envs/{name}/settings/") for name in (environment, source))
    standing, words = distance(version, other)
    return Skew(app, environment, version, source, other, standing, words, here == there)


def _part(tree: Mapping[str, bytes], folder: str) -> dict[str, bytes]:
    return {path.removeprefix(folder): content for path, content in tree.items() if path.startswith(folder)}


def version_in(tree: Mapping[str, bytes], folder: str) -> str | None:
    """The version that a `version/` folder names: an image's tag or digest, or a chart's version."""
    for name in ("values.yaml", "kustomization.yaml"):
        documents = read(tree[folder + name], folder).documents if folder + name in tree else []
        match documents[0].data if documents else None:
            case {"images": [{"newTag": found} | {"digest": found}, *_]} if found:
                return str(found)
            case {"image": {"tag": found} | {"digest": found}} if found:
                return str(found)
            case {"patches": [{"patch": str(patch)}, *_]}:
                return _patched(patch)
    return None


def distance(version: str | None, source: str | None) -> tuple[Standing, str]:
    """How `version` stands to `source`, and how far: the first part of a semantic version that differs."""
    if version == source:
        return Standing.SAME, ""
    here, there = (parse_version(text) if text else None for text in (version, source))
    if here is None or there is None or here == there:
        return Standing.DIFFERS, ""
    standing = Standing.BEHIND if here < there else Standing.AHEAD
    for part in ("major", "minor", "patch"):
        if steps := abs(getattr(here, part) - getattr(there, part)):
            return standing, f"{steps} {part}"
    return standing, "a pre-release"
