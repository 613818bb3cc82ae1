"""Build a kustomization here: the same objects as real kustomize, with an origin for every value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from posixpath import join
from typing import Any, NamedTuple

from gitops_layout.kustomize.fast.config import Config, as_specs, configured, default_config
from gitops_layout.kustomize.fast.declined import Declined, DeclinedError, decline
from gitops_layout.kustomize.fast.fields import (
    affix,
    label,
    label_specs,
    set_images,
    set_namespace,
    set_replicas,
)
from gitops_layout.kustomize.fast.forms import check_forms
from gitops_layout.kustomize.fast.generators import absorb, add_hashes, generate
from gitops_layout.kustomize.fast.inline import inside_text
from gitops_layout.kustomize.fast.item import Item, plain_text, unique
from gitops_layout.kustomize.fast.marks import Mark, origin
from gitops_layout.kustomize.fast.order import in_legacy_order
from gitops_layout.kustomize.fast.patches import (
    inline_patch,
    json_patches,
    load_patch,
    patched,
    strategic_patches,
)
from gitops_layout.kustomize.fast.read import Reader, without_added_newline
from gitops_layout.kustomize.fast.references import follow_names
from gitops_layout.kustomize.fast.replacements import replace_values
from gitops_layout.kustomize.model import Closure, Kustomization
from gitops_layout.model import Location, Path
from gitops_layout.repo.model import Repo

__all__ = ["Bases", "Fast", "Origin", "build"]


class Origin(NamedTuple):
    """The place that wrote a value last, and those that wrote it earlier, the latest first."""

    where: Location
    earlier: tuple[Location, ...]


@dataclass(frozen=True, slots=True)
class Fast:
    """A finished build: objects in kustomize's order. The data is shared: never write into it."""

    objects: tuple[dict[str, Any], ...]
    _marks: tuple[Mark, ...]
    _repo: Repo

    def origin(self, index: int, path: Path) -> Origin:
        """Who wrote the value at `path` of the object with this index; an absent path: who wrote what
        is nearest above it.
        """
        where, earlier = origin(self._marks[index], path)
        return Origin(inside_text(self._repo, where), tuple(inside_text(self._repo, e) for e in earlier))


@dataclass(slots=True)
class Bases:
    """What builds of one repository share: files as read, and the kustomizations built so far."""

    repo: Repo
    reader: Reader = field(init=False)
    built: dict[tuple[str, bool], tuple[tuple[Item, ...], Config]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reader = Reader(self.repo)


def build(
    repo: Repo,
    closure: Closure,
    *,
    restricted: bool = False,
    overrides: Sequence[tuple[str, bytes]] = (),
    bases: Bases | None = None,
) -> Fast | Declined:
    """Build a closure as `exact.build` would, or say why real kustomize has to.

    `restricted` keeps files below their kustomization (kustomize's default); `overrides` are files
    that replace the repository's. `bases` carries over what earlier builds of the same repository read.
    """
    if closure.problems:
        return Declined(closure.problems[0].why, closure.problems[0].location)
    root = closure.kustomizations[0]
    view = repo.over(dict(overrides)) if overrides else repo
    if bases is None or any(path != root.file for path, _ in overrides):
        bases = Bases(view)
    state = _Build(view, bases, {k.folder: k for k in closure.kustomizations}, restricted)
    try:
        items = _finished(*_accumulated(state, root, [], default_config()), root)
    except DeclinedError as declined:
        return Declined(declined.reason, declined.location or root.location)
    return Fast(tuple(item.data for item in items), tuple(item.mark for item in items), view)


@dataclass(frozen=True, slots=True)
class _Build:
    view: Repo
    bases: Bases
    kustomizations: Mapping[str, Kustomization]
    restricted: bool

    def resolved(self, folder: str, target: str, where: Location) -> str:
        """The real path of a reference."""
        real = None if target.startswith("/") else self.view.resolve(join(folder, target))
        if real is None:
            decline(f"{target} does not exist", where)
        return real

    def file(self, folder: str, target: str, where: Location) -> str:
        """The real path of a file that a kustomization names."""
        real = self.resolved(folder, target, where)
        if real not in self.view.entries:
            decline(f"{target} is no file", where)
        if self.restricted and folder and not real.startswith(f"{folder}/"):
            decline(f"{target} lies outside the kustomization's folder", where)
        return real

    def base(self, folder: str, where: Location) -> tuple[list[Item], Config]:
        """The objects of the kustomization in a folder, the caller's own to change, and its configuration."""
        key = (folder, self.restricted)
        if key not in self.bases.built:
            found = self.kustomizations.get(folder)
            if found is None or found.is_component:
                decline(f"{folder} is no kustomization", where)
            made, config = _accumulated(self, found, [], default_config())
            self.bases.built[key] = tuple(made), config
        made_once, config = self.bases.built[key]
        return [item.copy() for item in made_once], config


def _accumulated(
    state: _Build, kustomization: Kustomization, items: list[Item], config: Config
) -> tuple[list[Item], Config]:
    """What a kustomization makes of `items` (those of its parent, for a component) and its resources, and
    the configuration that holds for who includes it.
    """
    data, here, folder = _checked_data(state, kustomization), kustomization.location, kustomization.folder
    for name in ("resources", "bases"):
        for index, target in enumerate(data.get(name) or ()):
            where = here.at(name, index)
            real = state.resolved(folder, target, where)
            if real in state.view.entries:
                state.file(folder, target, where)
                items.extend(item.copy() for item in state.bases.reader.items(real))
            else:
                found, theirs = state.base(real, where)
                items.extend(found)
                config = config.merged(theirs)
    unique(items)
    for index, target in enumerate(data.get("configurations") or ()):
        config = _configured(state, config, folder, target, here.at("configurations", index))
    _generate(state, data, kustomization, items)
    for index, target in enumerate(data.get("components") or ()):
        where = here.at("components", index)
        component = state.kustomizations.get(state.resolved(folder, target, where))
        if component is None or not component.is_component:
            decline(f"{target} is no component", where)
        items, config = _accumulated(state, component, items, config)
        unique(items)
    items = _transformed(state, data, kustomization, items, config)
    unique(items)
    return items, config


def _configured(state: _Build, config: Config, folder: str, target: str, where: Location) -> Config:
    file = state.file(folder, target, where)
    stream = state.view.stream(file)
    if stream.problems or len(stream.documents) != 1 or stream.documents[0].duplicates:
        decline("a configuration that may be read in two ways", where)
    return configured(config, stream.documents[0].data, Location(file))


def _checked_data(state: _Build, kustomization: Kustomization) -> dict[str, Any]:
    """The kustomization's data, its forms known."""
    here, data = kustomization.location, kustomization.data
    stream = state.view.stream(kustomization.file)
    if stream.problems or len(stream.documents) != 1 or stream.documents[0].duplicates:
        decline("a kustomization of several documents or with a key that stands twice", here)
    if not stream.text.endswith("\n"):
        data = without_added_newline(stream.documents[0], stream.text).data
    check_forms(data, here)
    return data


def _generate(state: _Build, data: dict[str, Any], owner: Kustomization, items: list[Item]) -> None:
    def opened(target: str, where: Location) -> tuple[str, bytes]:
        real = state.file(owner.folder, target, where)
        return real, state.view.content(real)

    options = data.get("generatorOptions") or {}
    for name, kind in (("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")):
        for index, entry in enumerate(data.get(name) or ()):
            where = owner.location.at(name, index)
            behavior = entry.get("behavior") or "create"
            if behavior not in ("create", "merge", "replace"):
                decline(f"unknown behavior {behavior}", where.at("behavior"))
            made = generate("Secret" if kind == "Secret" else "ConfigMap", entry, options, where, opened)
            absorb(items, made, behavior, where)


def _transformed(
    state: _Build, data: dict[str, Any], owner: Kustomization, items: list[Item], config: Config
) -> list[Item]:
    """The built-in transformers, in kustomize's order."""
    here, reader = owner.location, state.bases.reader

    def file(target: str, where: Location) -> str:
        return state.file(owner.folder, target, where)

    items = strategic_patches(reader, items, _strategic(state, data, owner))
    for index, entry in enumerate(data.get("patches") or ()):
        where = here.at("patches", index)
        items = patched(reader, items, load_patch(reader, entry, where, file), entry, where)
    if data.get("namespace"):
        if not plain_text(data["namespace"]):
            decline("a namespace that is not plain text", here.at("namespace"))
        set_namespace(items, data["namespace"], here.at("namespace"), config.namespace)
    for name in ("namePrefix", "nameSuffix"):
        if data.get(name):
            affix(items, data[name], here.at(name), prefix=name == "namePrefix")
    _label(data, here, items, config)
    for index, entry in enumerate(data.get("patchesJson6902") or ()):
        where = here.at("patchesJson6902", index)
        json_patches(items, load_patch(reader, entry, where, file), entry, where)
    for index, entry in enumerate(data.get("replicas") or ()):
        set_replicas(items, entry, here.at("replicas", index), config.replicas)
    for index, entry in enumerate(data.get("images") or ()):
        set_images(items, entry, here.at("images", index), config.images)
    for index, entry in enumerate(data.get("replacements") or ()):
        if not isinstance(entry, dict):
            decline("a replacement is no mapping", here.at("replacements", index))
        replace_values(items, entry, here.at("replacements", index))
    return items


def _strategic(state: _Build, data: dict[str, Any], owner: Kustomization) -> tuple[Item, ...]:
    """The patches of `patchesStrategicMerge`, files and inline text."""
    found: list[Item] = []
    for index, text in enumerate(data.get("patchesStrategicMerge") or ()):
        where = owner.location.at("patchesStrategicMerge", index)
        if "\n" in text or text.lstrip().startswith("{"):
            patch = inline_patch(state.bases.reader, text, where)
        else:
            patch = load_patch(state.bases.reader, {"path": text}, where, partial(state.file, owner.folder))
        if patch.operations:
            decline("a JSON patch under patchesStrategicMerge", where)
        found += patch.merges
    if data.get("patchesStrategicMerge") and not found:
        decline("patches without an object", owner.location.at("patchesStrategicMerge"))
    return tuple(found)


def _label(data: dict[str, Any], here: Location, items: list[Item], config: Config) -> None:
    for index, entry in enumerate(data.get("labels") or ()):
        specs = label_specs(
            config,
            as_specs(entry.get("fields") or []),
            selectors=bool(entry.get("includeSelectors")),
            templates=bool(entry.get("includeTemplates")),
        )
        label(items, entry.get("pairs") or {}, specs, here.at("labels", index, "pairs"))
    for name, specs in (
        ("commonLabels", config.commonLabels),
        ("commonAnnotations", config.commonAnnotations),
    ):
        if data.get(name):
            label(items, data[name], specs, here.at(name))


def _finished(items: list[Item], config: Config, root: Kustomization) -> list[Item]:
    """The last steps, which only the root takes: hashes, references, order, what kustomize keeps to itself."""
    add_hashes(items)
    follow_names(items, config)
    unique(items)
    items = [item for item in items if not _is_local(item)]
    for item in items:
        if "annotations" in item.data["metadata"] and not item.data["metadata"]["annotations"]:
            item.remove(("metadata", "annotations"))
    order = (root.data.get("sortOptions") or {}).get("order", "legacy")
    if order == "fifo":
        return items
    if order != "legacy":
        decline(f"unknown order {order}", root.location.at("sortOptions", "order"))
    return in_legacy_order(items)


def _is_local(item: Item) -> bool:
    """Whether an annotation keeps the object out of the result."""
    annotations = item.data["metadata"].get("annotations") or {}
    return bool(annotations.get("config.kubernetes.io/local-config", "false") != "false")
