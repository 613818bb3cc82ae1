"""Checks of kustomizations against what they build: files that nobody lists, and overrides that change nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from posixpath import basename, dirname, join
from typing import Any

from gitops_layout.agents.argocd import sources
from gitops_layout.agents.context import text
from gitops_layout.agents.delivery import Delivery
from gitops_layout.checks.delivered import affected, place
from gitops_layout.fields import at
from gitops_layout.graph.model import Graph
from gitops_layout.kustomize.model import FILE_NAMES, Kustomization, find, mappings
from gitops_layout.model import Hit, ObjectRef, Path
from gitops_layout.patterns import regexp
from gitops_layout.render.rendered import RenderedObject

__all__ = ["image_matches_nothing", "patch_matches_nothing"]

Params = Mapping[str, Any]


def _built(graph: Graph) -> Iterator[tuple[Kustomization, list[RenderedObject], set[str]]]:
    """Each kustomization with the objects of all deliveries that read it, and the files that these read.

    Those that could not be built are left out.
    """
    readers: dict[str, list[RenderedObject]] = defaultdict(list)
    beside: dict[str, set[str]] = defaultdict(set)
    broken: set[str] = set()
    for delivery in graph.deliveries:
        rendered = graph.rendered[delivery.id]
        files = [file for file in rendered.files if basename(file) in FILE_NAMES]
        if rendered.failure is not None or rendered.unseen or (not rendered.objects):
            broken.update(files)
        for file in files:
            readers[file] += rendered.objects
            beside[file] |= rendered.files
    for file, objects in sorted(readers.items()):
        found = find(graph.repo, dirname(file)) if file not in broken else None
        if isinstance(found, Kustomization) and found.data.get("kind") != "Component":
            yield found, objects, beside[file]


def patch_matches_nothing(graph: Graph, params: Params) -> Iterator[Hit]:
    """Patches whose target selects no object: kustomize leaves them out and says nothing."""
    yield from _of_agents(graph)
    for kustomization, objects, files in _built(graph):
        renaming = any(key in kustomization.data for key in ("namePrefix", "nameSuffix"))
        for patch, index, field in _patches(kustomization):
            target = patch.get("target")
            if not isinstance(target, dict) or "$patch" in str(patch.get("patch", "")) or renaming:
                continue
            if any(key in target for key in ("labelSelector", "annotationSelector")) or patch.get("options"):
                continue
            file = text(patch.get("path"))
            if file and "$patch" in graph.repo.text(join(kustomization.folder, file)):
                continue
            kind, name = text(target.get("kind")), text(target.get("name"))
            if not any(_is_target(item.ref, kind, name) for item in objects):
                if any(_is_target(r.ref, kind, name) for f in files for r in graph.repo.objects(f)):
                    continue  # another patch gives it another name, or takes it out
                words = " ".join(filter(None, (kind, name))) or "its target"
                kinds = {item.ref.name for item in objects if item.ref.kind == kind}
                hint = f"; of that kind there is {min(kinds)}" if name and len(kinds) == 1 else ""
                place = kustomization.location.at(field, index, "target")
                if name and any(_is_target(item.ref, kind, None) for item in objects):
                    place = place.at("name")
                yield Hit(place, {"target": words, "hint": hint, "subject": words})


def _of_agents(graph: Graph) -> Iterator[Hit]:
    """The same for the patches that an agent's object adds to a build."""
    for delivery in graph.deliveries:
        rendered = graph.rendered[delivery.id]
        if delivery.agent not in ("flux", "argocd") or rendered.failure is not None or rendered.unseen:
            continue
        for path, patch in _added(delivery) if rendered.objects else ():
            target = patch.get("target")
            if not isinstance(target, dict) or "$patch" in str(patch.get("patch", "")):
                continue
            kind, name = text(target.get("kind")), text(target.get("name"))
            if not name or any(mark in name for mark in "${") or target.keys() & _SELECTING:
                continue
            objects = rendered.objects
            if any(_is_target(item.ref, kind, name) for item in objects):
                continue
            if any(_is_target(r.ref, kind, name) for f in rendered.files for r in graph.repo.objects(f)):
                continue
            same = sorted({item.ref.name for item in objects if kind and item.ref.kind == kind})
            words = " ".join(filter(None, (kind, name)))
            hint = f"; of that kind there is {same[0]}" if len(same) == 1 else ""
            values = {"target": words, "hint": hint, "subject": words}
            field = "name" if same or not kind else "kind"
            yield Hit(place(delivery, *path, "target", field), values, (), affected(delivery))


_SELECTING = frozenset({"labelSelector", "annotationSelector"})


def _added(delivery: Delivery) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The patches of an agent's object with their places, those of a Kustomization or of an Application's sources."""
    spec = delivery.object.get("spec")
    if delivery.agent == "argocd" and delivery.kind == "Application":
        holders = [((*path, "kustomize"), at(source, "kustomize")) for path, source in sources.listed(spec)]
    else:
        holders = [(("spec",), spec)] if delivery.kind == "Kustomization" else []
    for path, holder in holders:
        for patch, index in mappings(holder, "patches") if isinstance(holder, dict) else ():
            yield (*path, "patches", index), patch


def _patches(kustomization: Kustomization) -> Iterator[tuple[dict[str, Any], int, str]]:
    for field in ("patches", "patchesJson6902"):
        for patch, index in mappings(kustomization.data, field):
            yield patch, index, field


def _is_target(ref: ObjectRef, kind: str | None, name: str | None) -> bool:
    """Whether kind and name fit; a name that was given a prefix or suffix later fits as well."""
    if kind and not _fits(kind, ref.kind):
        return False
    return not name or _fits(name, ref.name) or name in ref.name


_PLAIN = regexp(r"[A-Za-z0-9-]+")
"""A target that means no more than it says: most do."""


def _fits(pattern: str, word: str) -> bool:
    if _PLAIN.fullmatch(pattern):
        return pattern == word
    from gitops_layout.agents.gotemplate.errors import FunctionError
    from gitops_layout.agents.gotemplate.regex import searcher

    try:
        return searcher(f"^(?:{pattern})$")(word)
    except FunctionError:
        return True


def image_matches_nothing(graph: Graph, params: Params) -> Iterator[Hit]:
    """Image overrides whose name no image of the build has, nor gets another name from a later override."""
    known: dict[int, set[str]] = {}
    for kustomization, objects, files in _built(graph):
        images = list(mappings(kustomization.data, "images"))
        if not images or not objects:
            continue
        names = known.setdefault(id(objects), _images(objects))
        for image, index in images:
            name, instead = text(image.get("name")), text(image.get("newName"))
            if not name or name in names or instead in names:
                continue  # the rest asks all kustomizations that are built along
            if names.isdisjoint(_renamed(graph, instead, files)):
                yield Hit(kustomization.location.at("images", index, "name"), {"name": name, "subject": name})


def _renamed(graph: Graph, name: str | None, files: set[str]) -> set[str]:
    """What becomes of a name that an override gives, by the overrides of all kustomizations that are built together."""
    found: set[str] = set()
    waiting = [name] if name else []
    renames = [
        (text(image.get("name")), text(image.get("newName")))
        for file in files
        if name and basename(file) in FILE_NAMES and isinstance(one := find(graph.repo, dirname(file)), Kustomization)
        for image, _ in mappings(one.data, "images")
    ]  # fmt: skip
    while waiting:
        given = waiting.pop()
        if given not in found:
            found.add(given)
            waiting += [new for old, new in renames if old == given and new]
    return found


def _images(objects: list[RenderedObject]) -> set[str]:
    """The names of all images, wherever they stand: every text under a key that ends in `image`, or right below one."""
    found: set[str] = set()
    for item in objects:
        _add_images(item.data, found)
    return {_name(image) for image in found}


def _add_images(data: Any, found: set[str], *, above: bool = False) -> None:
    """Adds the texts; `above` says that the key of `data` itself ends so."""
    if isinstance(data, dict):
        for key, value in data.items():
            own = str(key)[-5:].lower() == "image"
            if isinstance(value, dict | list):
                _add_images(value, found, above=own)
            elif (own or above) and isinstance(value, str):
                found.add(value)
    elif isinstance(data, list):
        for value in data:
            name = value.get("name") if isinstance(value, dict) else None
            own = isinstance(name, str) and name[-5:].lower() == "image"
            if isinstance(value, dict | list):
                _add_images(value, found, above=own)
            elif above and isinstance(value, str):
                found.add(value)


def _name(image: str) -> str:
    """An image without tag and digest."""
    head, slash, last = image.partition("@")[0].rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"
