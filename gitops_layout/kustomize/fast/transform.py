"""The transformers of a kustomization, in kustomize's order: its own fields, then `transformers`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from gitops_layout.kustomize.fast.attempts import Step
from gitops_layout.kustomize.fast.config import Config, as_specs
from gitops_layout.kustomize.fast.declined import decline
from gitops_layout.kustomize.fast.fields import (
    affix,
    label,
    label_specs,
    set_images,
    set_namespace,
    set_replicas,
)
from gitops_layout.kustomize.fast.generators import add_hashes
from gitops_layout.kustomize.fast.item import Item
from gitops_layout.kustomize.fast.oddities import check_empty_start, check_oddities
from gitops_layout.kustomize.fast.patches import (
    Patch,
    inline_patch,
    json_patches,
    load_patch,
    patched,
    strategic_patches,
)
from gitops_layout.kustomize.fast.read import Reader
from gitops_layout.kustomize.fast.replacements import replace_values
from gitops_layout.kustomize.fast.tables import Specs
from gitops_layout.model import Location
from gitops_layout.values import dataclass

__all__ = ["Inputs", "run", "steps"]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What transformers read: files, by names relative to their kustomization's folder."""

    reader: Reader
    file: Callable[[str, Location], str]
    """The path of a named file in the repository; the place is that of the name."""


def steps(
    data: Mapping[str, Any], here: Location, config: Config, inputs: Inputs
) -> Iterator[tuple[Location, Step]]:
    """The transformers that a kustomization's fields stand for, each with its place."""
    reader, file = inputs.reader, inputs.file
    if data.get("patchesStrategicMerge"):
        place, texts = here.at("patchesStrategicMerge"), data["patchesStrategicMerge"]
        yield place, lambda items: strategic_patches(reader, items, _strategic(texts, place, inputs))
    for index, entry in enumerate(data.get("patches") or ()):
        yield here.at("patches", index), partial(_patch, entry, here.at("patches", index), inputs)
    if data.get("namespace"):
        where = here.at("namespace")
        yield where, lambda items: set_namespace(items, data["namespace"], where, config.namespace)
    for name, specs in (("namePrefix", config.namePrefix), ("nameSuffix", config.nameSuffix)):
        if data.get(name):
            yield here.at(name), partial(_affix, data[name], here.at(name), specs, name == "namePrefix")
    yield from _labels(data, here, config)
    for index, entry in enumerate(data.get("patchesJson6902") or ()):
        where = here.at("patchesJson6902", index)
        patch = partial(load_patch, reader, entry, where, file, trim=False)
        yield where, partial(_json, patch, entry, where)
    for index, entry in enumerate(data.get("replicas") or ()):
        where = here.at("replicas", index)
        yield where, partial(set_replicas, entry=entry, where=where, specs=config.replicas)
    for name in ("images", "imageTags"):
        for index, entry in enumerate(data.get(name) or ()):
            where = here.at(name, index)
            yield where, partial(set_images, entry=entry, where=where, specs=config.images)
    for index, entry in enumerate(data.get("replacements") or ()):
        where = here.at("replacements", index)
        yield where, partial(_replace, entry, where, inputs)


def _patch(entry: dict[str, Any], where: Location, inputs: Inputs, items: list[Item]) -> list[Item]:
    return patched(inputs.reader, items, load_patch(inputs.reader, entry, where, inputs.file), entry, where)


def _json(patch: Callable[[], Patch], entry: dict[str, Any], where: Location, items: list[Item]) -> None:
    json_patches(items, patch(), entry, where)


def _affix(text: str, where: Location, specs: Specs, prefix: bool, items: list[Item]) -> None:
    affix(items, text, where, specs, prefix=prefix)


def _strategic(texts: Iterable[str], where: Location, inputs: Inputs) -> tuple[Item, ...]:
    """The patches of a list of files and inline texts."""
    found: list[Item] = []
    for index, text in enumerate(texts):
        place = where.at(index)
        if "\n" in text or text.lstrip().startswith("{"):
            patch = inline_patch(inputs.reader, text, place)
        else:
            patch = load_patch(inputs.reader, {"path": text}, place, inputs.file)
        if patch.operations:
            decline("a JSON patch among strategic merge patches", place)
        found += patch.merges
    if not found:
        decline("patches without an object", where)
    return tuple(found)


def _labels(data: Mapping[str, Any], here: Location, config: Config) -> Iterator[tuple[Location, Step]]:
    for index, entry in enumerate(data.get("labels") or ()):
        specs = label_specs(
            config,
            as_specs(entry.get("fields") or []),
            selectors=bool(entry.get("includeSelectors")),
            templates=bool(entry.get("includeTemplates")),
        )
        where, pairs = here.at("labels", index, "pairs"), entry.get("pairs") or {}
        yield where, partial(label, pairs=pairs, specs=specs, where=where)
    for name, specs in (
        ("commonLabels", config.commonLabels),
        ("commonAnnotations", config.commonAnnotations),
    ):
        if data.get(name):
            yield here.at(name), partial(label, pairs=data[name], specs=specs, where=here.at(name))


def _replace(entry: Any, place: Location, inputs: Inputs, items: list[Item]) -> None:
    """One replacement, or those in a file that holds one or a list of them."""
    if not isinstance(entry, dict):
        decline("a replacement is no mapping", place)
    if not entry.get("path"):
        replace_values(inputs.reader, items, {k: v for k, v in entry.items() if k != "path"}, place)
        return
    if any(entry.get(key) for key in ("source", "targets")) or not isinstance(entry["path"], str):
        decline("a replacement is either a path or inline", place)
    file = Location(inputs.file(entry["path"], place.at("path")))
    stream = inputs.reader.repo.stream(file.file)
    if stream.problems or len(stream.documents) != 1 or stream.documents[0].duplicates:
        decline("replacements that may be read in two ways", file)
    check_empty_start(stream.text, file)
    check_oddities(stream.text, stream.documents, file)
    listed = stream.documents[0].data
    places = [file.at(n) for n in range(len(listed))] if isinstance(listed, list) else [file]
    for one, spot in zip(listed if isinstance(listed, list) else [listed], places, strict=True):
        if not isinstance(one, dict):
            decline("a replacement is no mapping", spot)
        replace_values(inputs.reader, items, one, spot)


def run(plugin: Item, items: list[Item], inputs: Inputs) -> list[Item]:
    """The items after a built-in transformer with a configuration of its own; its form is known."""
    data, here, reader = plugin.data, plugin.origin(())[0], inputs.reader
    match plugin.kind:
        case "PatchTransformer":
            return patched(reader, items, load_patch(reader, data, here, inputs.file), data, here)
        case "PatchStrategicMergeTransformer":
            return strategic_patches(reader, items, _strategic_plugin(data, here, inputs))
        case "PatchJson6902Transformer":
            patch = load_patch(reader, data, here, inputs.file, trim=False, text="jsonOp")
            json_patches(items, patch, data, here)
        case "ReplacementTransformer":
            for index, entry in enumerate(data.get("replacements") or ()):
                _replace(entry, here.at("replacements", index), inputs, items)
        case "HashTransformer":
            add_hashes(items)
        case kind:
            _write_fields(kind, data, here, items, Specs(as_specs(data.get("fieldSpecs") or [])))
    return items


def _write_fields(
    kind: str, data: Mapping[str, Any], here: Location, items: list[Item], specs: Specs
) -> None:
    """The transformers that write one value into the fields that they name."""
    match kind:
        case "NamespaceTransformer":
            _namespace(data, here, items, specs)
        case "LabelTransformer" | "AnnotationsTransformer":
            field = "labels" if kind == "LabelTransformer" else "annotations"
            if data.get(field):
                label(items, data[field], specs, here.at(field))
        case "ImageTagTransformer":
            set_images(items, data.get("imageTag") or {}, here.at("imageTag"), specs)
        case "ReplicaCountTransformer":
            set_replicas(items, data.get("replica") or {}, here.at("replica"), specs)
        case "PrefixTransformer" | "SuffixTransformer" | "PrefixSuffixTransformer":
            for name in ("prefix", "suffix"):
                if name.title() in kind:
                    if not data.get(name) or not data.get("fieldSpecs"):
                        decline(f"a {name} transformer without {name} or fields", here)
                    affix(items, data[name], here.at(name), specs, prefix=name == "prefix")
        case _:
            decline(f"{kind} is no transformer", here)


def _strategic_plugin(data: Mapping[str, Any], here: Location, inputs: Inputs) -> tuple[Item, ...]:
    found: tuple[Item, ...] = ()
    if data.get("paths"):
        found = _strategic(data["paths"], here.at("paths"), inputs)
    if data.get("patches"):
        patch = inline_patch(inputs.reader, data["patches"], here.at("patches"))
        if patch.operations:
            decline("a JSON patch among strategic merge patches", here.at("patches"))
        found += patch.merges
    if not found:
        decline("patches without an object", here)
    return found


_SUBJECTS = {None: "defaultOnly", "": "defaultOnly"}


def _namespace(data: Mapping[str, Any], here: Location, items: list[Item], specs: Specs) -> None:
    namespace = data["metadata"].get("namespace")
    subjects = _SUBJECTS.get(data.get("setRoleBindingSubjects"), data.get("setRoleBindingSubjects"))
    if subjects not in ("defaultOnly", "allServiceAccounts", "none"):
        decline(f"unknown subjects {subjects}", here.at("setRoleBindingSubjects"))
    if namespace:
        place = here.at("metadata", "namespace")
        set_namespace(
            items, namespace, place, specs, subjects=subjects, unset_only=bool(data.get("unsetOnly"))
        )
