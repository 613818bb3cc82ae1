"""Where Flux objects pull from: references to sources, resolved as far as the repository tells.

Facts: source-controller v1.9 (Flux 2.9) and the source-watcher's ArtifactGenerator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from posixpath import join, normpath
from typing import Any

from gitops_layout.agents.artifactfolders import filler, pushed_from
from gitops_layout.agents.artifacts import Artifact, Folders, PathPatternError
from gitops_layout.agents.context import Context, text
from gitops_layout.agents.delivery import Assembled, Copied, OfFolders, Revision, Source
from gitops_layout.fields import at
from gitops_layout.model import Location
from gitops_layout.repo.model import Resource

__all__ = ["BUCKET", "Seeker", "clamped", "left_out", "revision_of"]

BUCKET = "bucket://"
"""How a bucket's address starts here: it is no repository that git could clone."""

_TREES = ("GitRepository", "OCIRepository", "Bucket")
_MAX_INCLUDES = 8


def clamped(path: str | None) -> str:
    """A path inside the artifact: the controller never leaves its root, so `../` is cut off."""
    return normpath("/" + (path or ".").replace("\x00", "")).lstrip("/")


def revision_of(reference: Any) -> Revision | None:
    """Flux's own precedence: commit, digest, name (a full reference), semver, tag, branch. A branch is called as people do."""
    for field, kind in (
        ("commit", "commit"), ("digest", "digest"), ("name", "branch"), ("semver", "semver"), ("tag", "tag"),
        ("branch", "branch"),
    ):  # fmt: skip
        value = text(at(reference, field))
        if value is not None:
            name = value.removeprefix("refs/heads/")
            tags = (text(at(reference, "semverFilter")) or "") if field == "semver" else ""
            return Revision("tag" if value.startswith("refs/tags/") else kind, name, tags)  # type: ignore[arg-type]
    return None


def _of_layer(spec: Any, revision: Revision | None) -> Revision | None:
    """The same of the layer that an OCIRepository selects; without a reference it asks for `latest`."""
    layer = text(at(spec, "layerSelector", "mediaType"))
    return replace(revision or Revision("tag", "latest"), layer=layer) if layer is not None else revision


def left_out(spec: Any) -> tuple[str | None, tuple[str, ...]]:
    """What a source's spec says of its artifact: the patterns of `ignore`, the paths of `sparseCheckout`."""
    paths = at(spec, "sparseCheckout")
    listed = paths if isinstance(paths, list) else ()
    return text(at(spec, "ignore")), tuple(path for path in listed if isinstance(path, str))


class Seeker:
    """Looks up the sources that one agent object names: it lives in `namespace` of `cluster`, in file `near`."""

    def __init__(self, context: Context, cluster: str, namespace: str, near: str) -> None:
        self.context = context
        self.cluster = cluster
        self.namespace = namespace
        self.near = near

    def tree(self, reference: Any, path: Any) -> Source:
        """The source that a `sourceRef` names, and the path inside this repository where it is this one."""
        folder = clamped(path) if isinstance(path, str) or path is None else None
        kind, name = text(at(reference, "kind")), text(at(reference, "name"))
        if kind is None or name is None:
            return Source(None, None, folder, foreign="the sourceRef names no source")
        where = text(reference.get("namespace")) or self.namespace
        artifact = self._artifact(kind, where, name)
        if artifact is not None:
            return self._from_artifact(artifact, name, folder)
        return self._from_source((kind, where, name), folder)

    def chart(self, spec: Mapping[str, Any]) -> tuple[Source, Mapping[str, Any]]:
        """Where a HelmRelease's chart comes from, and the chart's own spec (a HelmChart's, inline or by
        reference).
        """
        reference = spec.get("chartRef")
        if not isinstance(reference, dict):
            given = at(spec, "chart", "spec")
            chart = given if isinstance(given, dict) else {}
            return self.repository_chart(chart, self.namespace), chart
        kind, name = text(reference.get("kind")) or "", text(reference.get("name")) or ""
        where = text(reference.get("namespace")) or self.namespace
        artifact = self._artifact(kind, where, name)
        if artifact is not None:
            return self._from_artifact(artifact, name, ""), {}
        found = self.context.source(kind, where, name, near=self.near, cluster=self.cluster)
        if found is None:
            missing = f"no file defines {kind or 'the chartRef,'} {where}/{name}"
            return Source(None, None, None, name or None, foreign=missing), {}
        own = at(found.data, "spec")
        if kind == "HelmChart" and isinstance(own, dict):
            source = Seeker(self.context, self.cluster, where, found.file).repository_chart(own, where)
            stated = _written(found, "spec", "version")
            return replace(source, defined=source.defined or found.location, stated=stated), own
        if kind != "OCIRepository":
            # A Git repository's or bucket's root as a chart: the API takes OCIRepository and the like alone.
            return self._from_source((kind, where, name), ""), {}
        url, revision = text(at(own, "url")), revision_of(at(own, "ref"))
        stated = _written(found, "spec", "ref", revision.kind if revision is not None else "tag")
        return Source(url, revision, None, name, defined=found.location, stated=stated), {}

    def _artifact(self, kind: str, where: str, name: str) -> Artifact | None:
        if kind != "ExternalArtifact":
            return None
        return self.context.artifact(where, name, near=self.near)

    def _from_artifact(self, artifact: Artifact, name: str, folder: str | None, depth: int = 0) -> Source:
        """A source whose files are put together from those of others."""
        place = artifact.location
        if artifact.unknown is not None:
            return Source(None, None, folder, defined=place, foreign=artifact.unknown)
        if depth > _MAX_INCLUDES:
            why = f"more than {_MAX_INCLUDES} artifacts are made of each other"
            return Source(None, None, folder, defined=place, foreign=why)
        seeker = Seeker(self.context, self.cluster, self.namespace, place.file)
        sources = {alias: seeker._whole(key, depth) for alias, key in artifact.sources.items()}
        made, chosen = artifact.copies, None
        for alias, (kind, _, _) in artifact.sources.items():
            if kind == "OCIRepository" and sources[alias].local and not sources[alias].top:
                top = pushed_from(self.context.repo, artifact.starts(alias))
                sources[alias] = replace(sources[alias], top=top)
        if artifact.folders is not None:
            by = sources[artifact.folders.alias]
            if not by.local or by.assembled is not None or by.top:
                chosen, made = OfFolders(by, artifact.folders, name, place), artifact.folders.copies
            elif not made:
                why = self._no_folder(artifact.folders, name)
                return Source(None, None, folder, defined=place, foreign=why)
        copies = tuple(
            Copied(sources[c.alias], c.pattern, c.target, c.exclude, c.strategy, c.location) for c in made
        )
        used = [copy.source for copy in copies]
        lead = next((source for source in used if not source.local), used[0])
        told = folder is not None and chosen is None
        here = filler(self.context.repo, copies, folder or "") if told else None
        return replace(lead, path=here, defined=place, assembled=Assembled(copies, folder, chosen))

    def _no_folder(self, folders: Folders, name: str) -> str:
        """Why a pattern for folders of this repository makes no artifact of the name."""
        try:
            folders.among(self.context.repo.folders)
        except PathPatternError as error:
            return f"its generator makes no artifact: {error}"
        return f"no folder that fits the pathPattern {folders.pattern} makes an artifact called {name}"

    def _whole(self, key: tuple[str, str, str], depth: int) -> Source:
        """All of a source, as a generator takes it."""
        kind, where, name = key
        artifact = self._artifact(kind, where, name)
        if artifact is not None:
            return self._from_artifact(artifact, name, "", depth + 1)
        source = self._from_source(key, "")
        found = self.context.source(kind, where, name, near=self.near, cluster=self.cluster)
        if kind == "GitRepository" and found is not None and at(found.data, "spec", "include"):
            why = f"GitRepository {where}/{name} includes others, which an artifact made of it is not shown with yet"
            return replace(source, local=False, foreign=why)
        return source

    def _from_source(self, key: tuple[str, str, str], folder: str | None, depth: int = 0) -> Source:
        kind, where, name = key
        found = self.context.source(kind, where, name, near=self.near, cluster=self.cluster)
        if found is None:
            # Bootstrap makes this source in the cluster; no file defines it.
            if name == "flux-system" and kind in ("GitRepository", "OCIRepository"):
                return Source(None, None, self._pushed(kind, folder), local=True)
            return Source(None, None, folder, foreign=f"no file defines {kind} {where}/{name}")
        spec, place = at(found.data, "spec"), found.location
        if kind == "ExternalArtifact":
            why = f"ExternalArtifact {where}/{name} is filled by something in the cluster"
            return Source(None, None, folder, defined=place, foreign=why)
        if kind not in _TREES:
            return Source(None, None, folder, defined=place, foreign=f"{kind} {where}/{name} holds no files")
        included = _included(spec, folder) if kind == "GitRepository" and folder else None
        if included is not None and depth < _MAX_INCLUDES:
            other, inner = included
            return self._from_source(("GitRepository", where, other), inner, depth + 1)
        url, revision = _address(kind, spec), revision_of(at(spec, "ref"))
        revision = _of_layer(spec, revision) if kind == "OCIRepository" else revision
        if url is None:
            return Source(None, revision, folder, defined=place, foreign=f"{kind} {where}/{name} has no URL")
        top = self.context.inside(url) if kind == "Bucket" else self.context.here(url)
        if top is None:
            foreign: str | None = f"{kind} {where}/{name} is {url}"
        else:
            folder = (
                join(top, folder or "").rstrip("/")
                if top and folder is not None
                else self._pushed(kind, folder)
            )
            foreign = None
        ignore, sparse = left_out(spec)
        return Source(
            url,
            revision,
            folder,
            local=top is not None,
            defined=place,
            foreign=foreign,
            ignore=ignore,
            sparse=sparse,
            top=top or "",
        )

    def _pushed(self, kind: str, folder: str | None) -> str | None:
        """The folder here of a path in an artifact that may hold one top folder alone: `flux push artifact --path`.

        Taken where the path does not exist as it is, and exactly one top folder has it.
        """
        if kind != "OCIRepository" or not folder:
            return folder
        return join(pushed_from(self.context.repo, [folder]), folder)

    def repository_chart(self, chart: Mapping[str, Any], namespace: str) -> Source:
        """A chart's source: a folder of files (its `version` is not looked at), else a repository's chart."""
        reference, name = chart.get("sourceRef"), text(chart.get("chart"))
        version = text(chart.get("version"))
        kind, source = text(at(reference, "kind")) or "", text(at(reference, "name")) or ""
        where = text(at(reference, "namespace")) or namespace
        if kind in _TREES:
            return self._from_source((kind, where, source), clamped(name))
        found = self.context.source(kind, where, source, near=self.near, cluster=self.cluster)
        url = text(at(found.data, "spec", "url")) if found is not None else None
        revision = Revision("version", version) if version is not None else None
        place = found.location if found else None
        missing = f"no file defines {kind} {where}/{source}" if source else "no source names a chart"
        return Source(
            url,
            revision,
            None,
            name or source or None,
            defined=place,
            foreign=missing if found is None else None,
        )


def _written(found: Resource, *path: str | int) -> Location:
    """Where a source's field was written."""
    return found.origin(path) if found.origin is not None else found.location.at(*path)


def _address(kind: str, spec: Any) -> str | None:
    if kind != "Bucket":
        return text(at(spec, "url"))
    endpoint, name = text(at(spec, "endpoint")), text(at(spec, "bucketName"))
    return f"{BUCKET}{endpoint}/{name}" if endpoint and name else None


def _included(spec: Any, folder: str) -> tuple[str, str] | None:
    """The other repository (its name, and the path there) that a path comes from by `include`."""
    listed = at(spec, "include")
    for item in listed if isinstance(listed, list) else ():
        name = text(at(item, "repository", "name"))
        target = clamped(text(at(item, "toPath")) or name)
        if name is not None and target and f"{folder}/".startswith(f"{target}/"):
            inner = join(clamped(text(at(item, "fromPath"))), folder[len(target) :].lstrip("/"))
            return name, clamped(inner)
    return None
