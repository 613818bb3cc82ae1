"""Which source line may have written a rendered value: a guess, made by aligning the render with what the build read.

Where real kustomize built and `aligned` could not follow it, we know what went in and what came out, not the steps
between. A value is looked for
where it can have been written last, outermost first: image overrides, namespace, replicas, patches,
then the resource file itself. The place is one whose value is equal; where none is, the nearest
ancestor in the object's own file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field
from functools import cached_property
from typing import Any

from gitops_layout.fields import at
from gitops_layout.kustomize.model import Closure, Kustomization, references
from gitops_layout.model import Location, Path
from gitops_layout.repo.model import Repo, Resource
from gitops_layout.source.reader import read
from gitops_layout.values import dataclass

__all__ = ["ABSENT", "Tracer", "value_at"]

_LIST_KEYS = ("name", "mountPath", "containerPort", "key", "port", "ip", "path", "host", "kind")
_SELECTORS = frozenset({"apiVersion", "kind", "name"})
"""Fields by which a patch finds what it changes: it repeats them, it does not write them."""
ABSENT: Any = object()
"""What stands at a path that leads nowhere."""


@dataclass(frozen=True)
class Tracer:
    """The sources of one build; `fallback` is the place of an object that no file explains."""

    repo: Repo
    closure: Closure
    fallback: Location
    _sources: dict[tuple[str, str], list[Resource]] = field(default_factory=dict, repr=False)

    def origin(self, data: dict[str, Any]) -> Callable[[Path], Location]:
        """The look-up for one rendered object."""
        source = self._resource(data)
        patches = [(written, place) for written, place in self._written if _same_object(written, data)]
        generator = self._generator(data) if source is None else None
        base = source.location if source is not None else generator or self.fallback

        def locate(path: Path) -> Location:
            value = value_at(data, path)
            while value is ABSENT and path:  # what a patch left out is missing where the patch wrote
                path = path[:-1]
                value = value_at(data, path)
            overriding = self._override(data, path, value)
            if overriding is not None:
                return overriding
            own = base.at(*_align(data, source.data, path)) if source is not None else base
            if source is not None and path and path[-1] in _SELECTORS and _equal_at(source, own, value):
                return own
            for written, place in patches if path else ():
                found = _align(data, written, path)
                if len(found) == len(path) and value_at(written, found) == value:
                    return _inside(self.repo, place.at(*found))
            return own

        return locate

    @cached_property
    def _resources(self) -> dict[str, list[Resource]]:
        """Resources of the build's files by kind, patches left out."""
        patched = {location.file for location in self._patch_files}
        by_kind: dict[str, list[Resource]] = {}
        for resource in self.repo.resources:
            if resource.file in self.closure.files and resource.file not in patched:
                by_kind.setdefault(resource.ref.kind, []).append(resource)
        return by_kind

    @cached_property
    def _named(self) -> dict[tuple[str, str], list[Resource]]:
        """The same by kind and name: where a name is kept, no other resource need be looked at."""
        named: dict[tuple[str, str], list[Resource]] = {}
        for resource in (resource for same in self._resources.values() for resource in same):
            named.setdefault((resource.ref.kind, resource.ref.name), []).append(resource)
        return named

    @cached_property
    def _patch_files(self) -> list[Location]:
        """Patch files, those of outer kustomizations first."""
        found = []
        for kustomization in self.closure.kustomizations:
            for reference in references(kustomization):
                real = self.repo.resolve(f"{kustomization.folder}/{reference.target}".lstrip("/"))
                if reference.kind == "patch" and real is not None:
                    found.append(Location(real))
        return found

    @cached_property
    def _patches(self) -> list[Resource]:
        files = {location.file: index for index, location in enumerate(self._patch_files)}
        found = [resource for resource in self.repo.resources if resource.file in files]
        return sorted(found, key=lambda resource: files[resource.file])

    @cached_property
    def _written(self) -> list[tuple[dict[str, Any], Location]]:
        """What patches write and where: those that stand as text in a kustomization, then those in files."""
        return [*self._inline(), *((patch.data, patch.location) for patch in self._patches)]

    def _inline(self) -> Iterator[tuple[dict[str, Any], Location]]:
        for kustomization in self.closure.kustomizations:
            for field_name, below in (("patches", ("patch",)), ("patchesStrategicMerge", ())):
                listed = kustomization.data.get(field_name)
                for index, item in enumerate(listed if isinstance(listed, list) else ()):
                    text = at(item, *below) if below else item
                    if not isinstance(text, str) or "\n" not in text:
                        continue
                    place = kustomization.location.at(field_name, index, *below)
                    for document in read(text.strip(), place.file).documents:
                        if isinstance(document.data, dict):
                            yield document.data, place.at(document.index)

    def _resource(self, data: dict[str, Any]) -> Resource | None:
        name, namespace = at(data, "metadata", "name"), at(data, "metadata", "namespace")
        kind = str(data.get("kind"))
        candidates = [
            resource
            for resource in self._named.get((kind, str(name))) or self._resources.get(kind, [])
            if resource.ref.group == str(data.get("apiVersion")).rpartition("/")[0]
        ]

        def distance(resource: Resource) -> tuple[bool, bool, int]:
            other = resource.ref.name
            return (other != name, resource.ref.namespace not in ("", namespace), len(str(name)) - len(other))

        named = [r for r in candidates if r.ref.name and isinstance(name, str) and r.ref.name in name]
        return min(named, key=distance, default=None)

    def _generator(self, data: dict[str, Any]) -> Location | None:
        kind = {"ConfigMap": "configMapGenerator", "Secret": "secretGenerator"}.get(str(data.get("kind")))
        name = str(at(data, "metadata", "name"))
        if kind is None:
            return None
        for kustomization, index, item in self._entries(kind):
            if isinstance(item.get("name"), str) and item["name"] in name:
                return kustomization.location.at(kind, index)
        return None

    def _entries(self, field_name: str) -> Iterator[tuple[Kustomization, int, dict[str, Any]]]:
        for kustomization in self.closure.kustomizations:
            listed = kustomization.data.get(field_name)
            for index, item in enumerate(listed if isinstance(listed, list) else ()):
                if isinstance(item, dict):
                    yield kustomization, index, item

    def _override(self, data: dict[str, Any], path: Path, value: Any) -> Location | None:
        """A field of a kustomization that wrote this value."""
        if path and path[-1] == "image" and isinstance(value, str):
            return self._image(value)
        if path == ("metadata", "namespace"):
            for kustomization in self.closure.kustomizations:
                if kustomization.data.get("namespace") == value:
                    return kustomization.location.at("namespace")
        if path == ("spec", "replicas"):
            for kustomization, index, item in self._entries("replicas"):
                if item.get("count") == value and str(item.get("name")) in str(at(data, "metadata", "name")):
                    return kustomization.location.at("replicas", index, "count")
        return None

    def _image(self, value: str) -> Location | None:
        """The override that gave the image its digest, else its tag, else its name.

        One entry may rename what another one tags, so names are followed back through `newName`.
        """
        base = value.partition("@")[0]
        names = {base[: base.rfind(":")] if base.rfind(":") > base.rfind("/") else base}
        entries = list(self._entries("images"))
        for _ in entries:
            names |= {str(item.get("name")) for _, _, item in entries if item.get("newName") in names}
        for option, mark in (("digest", "@"), ("newTag", ":"), ("newName", "")):
            for kustomization, index, item in entries:
                given = item.get(option)
                if str(item.get("name")) in names and given is not None and f"{mark}{given}" in value:
                    return kustomization.location.at("images", index, option)
        return None


def _inside(repo: Repo, place: Location) -> Location:
    """A place that may lie inside a text of a kustomization; the builder is imported only for that."""
    from gitops_layout.kustomize.fast.inline import inside_text

    return inside_text(repo, place, known=True)


def _equal_at(source: Resource, place: Location, value: Any) -> bool:
    return bool(value_at(source.data, place.path[len(source.location.path) :]) == value)


def _same_object(patch: dict[str, Any], data: dict[str, Any]) -> bool:
    name, other = at(patch, "metadata", "name"), at(data, "metadata", "name")
    return patch.get("kind") == data.get("kind") and isinstance(name, str) and name in str(other)


def value_at(data: Any, path: Path) -> Any:
    """The value at a path of plain data; ABSENT where it leads nowhere."""
    for step in path:
        match data, step:
            case dict(), str() if step in data:
                data = data[step]
            case list(), int() if step < len(data):
                data = data[step]
            case _:
                return ABSENT
    return data


def _align(rendered: Any, source: Any, path: Path) -> Path:
    """`path` of the render as a path of the source, list items found again by name; as far as it goes."""
    done: list[str | int] = []
    for step in path:
        rendered = at(rendered, step)
        if isinstance(step, str):
            found: str | int | None = step if isinstance(source, dict) and step in source else None
        else:
            found = _index(rendered, source, step)
        if found is None:
            break
        source = at(source, found)
        done.append(found)
    return tuple(done)


def _shared(one: dict[str, Any], other: dict[str, Any]) -> int:
    """How many fields two mappings have alike."""
    return sum(other.get(key, ABSENT) == value for key, value in one.items())


def _index(item: Any, source: Any, same: int) -> int | None:
    if not isinstance(source, list):
        return None
    if isinstance(item, dict):
        left = [index for index, other in enumerate(source) if isinstance(other, dict)]
        for key in _LIST_KEYS:
            if key in item:
                alike = [index for index in left if source[index].get(key) == item[key]]
                if alike:
                    # Two ports of one number differ in their protocol.
                    return max(alike, key=lambda index: _shared(item, source[index]))
                left = [index for index in left if key not in source[index]]  # it may have been added
    if item in source:
        return source.index(item)
    keyless = isinstance(item, dict | list) and not any(key in item for key in _LIST_KEYS)
    return same if keyless and same < len(source) else None
