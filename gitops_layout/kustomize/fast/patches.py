"""The three fields that patch: `patches`, `patchesStrategicMerge` and `patchesJson6902`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from gitops_layout.kustomize.fast.declined import decline, refuse
from gitops_layout.kustomize.fast.item import Item, check_key, unique
from gitops_layout.kustomize.fast.jsonpatch import apply_operations
from gitops_layout.kustomize.fast.merge import merged
from gitops_layout.kustomize.fast.oddities import check_empty_start, check_oddities
from gitops_layout.kustomize.fast.read import Reader, kustomized, objects, without_added_newline
from gitops_layout.kustomize.fast.select import selected
from gitops_layout.model import Location
from gitops_layout.source.document import Stream
from gitops_layout.source.reader import read
from gitops_layout.values import dataclass

__all__ = ["Patch", "inline_patch", "json_patches", "load_patch", "patched", "strategic_patches"]


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch as read: the objects of a strategic merge, or the operations of a JSON patch at `place`."""

    merges: tuple[Item, ...]
    operations: list[Any]
    place: Location


def load_patch(
    reader: Reader,
    entry: dict[str, Any],
    where: Location,
    file: Callable[[str, Location], str],
    *,
    trim: bool = True,
    text: str = "patch",
) -> Patch:
    """Read an entry's `path` or the inline patch in its field `text`; `file` gives a named file's path in
    the repository.
    """
    place = where.at(text)
    inline, path = entry.get(text) or "", entry.get("path") or ""
    # kustomize trims the text, but for JSON patches of their own field, which decides whether a last block
    # scalar has its newline.
    inline = inline.strip() if trim else inline
    if bool(inline.strip()) == bool(path):
        decline(f"a patch needs either path or {text}", where)
    if path:
        place = Location(file(path, where.at("path")))
        return _from_stream(reader, reader.repo.stream(place.file), place, None)
    return _from_stream(reader, read(inline, where.file), place, inline)


def inline_patch(reader: Reader, text: str, where: Location) -> Patch:
    """Read the text of a patch that stands in a list of patches itself."""
    return _from_stream(reader, read(text, where.file), where, text)


def _from_stream(reader: Reader, stream: Stream, place: Location, text: str | None) -> Patch:
    if stream.problems:
        decline(stream.problems[0].message, place)
    if not stream.documents:
        decline("an empty patch", place)
    first = stream.documents[0].data
    if isinstance(first, list):
        if len(stream.documents) > 1 or stream.documents[0].duplicates:
            decline("a JSON patch that may be read in two ways", place)
        return Patch((), _operations(stream, place), place if text is None else place.at(0))
    documents = reader.documents(place.file) if text is None else kustomized(stream, place)
    return Patch(tuple(objects(documents, place, patch=True)), [], place)


def _operations(stream: Stream, place: Location) -> list[Any]:
    document, text = stream.documents[0], stream.text
    if "<<" in text:
        decline("a JSON patch may write a merge key", place)
    if text.startswith("["):
        try:
            json.loads(text)
        except ValueError:
            decline("a JSON patch that starts like JSON and is none", place)
    check_empty_start(text, place)
    check_oddities(text, stream.documents, place, escapes=not text.startswith("["))
    if not text.endswith("\n"):
        document = without_added_newline(document, text)
    operations: list[Any] = document.data
    if not operations:
        decline("an empty patch", place)
    return operations


def patched(
    reader: Reader,
    items: list[Item],
    patch: Patch,
    entry: dict[str, Any],
    where: Location,
) -> list[Item]:
    """The items after one entry of `patches`."""
    target = entry.get("target")
    if patch.operations:
        if not target:
            decline("a JSON patch needs a target", where)
        for item in selected(items, target, where.at("target")):
            item.remember()
            apply_operations(item, patch.operations, patch.place)
        return items
    options = entry.get("options") or {}
    if target is None:
        for merge in patch.merges:
            _merge_into(reader, _only(items, merge), merge, options)
            items = [item for item in items if item.data]
        return items
    if len(patch.merges) != 1:
        decline("a patch with a target holds one object", where)
    return _merge_all(reader, items, selected(items, target, where.at("target")), patch.merges[0], options)


def strategic_patches(reader: Reader, items: list[Item], merges: tuple[Item, ...]) -> list[Item]:
    """The items after `patchesStrategicMerge`."""
    for merge in merges:
        items = _merge_all(reader, items, [_only(items, merge)], merge, {})
    return items


def json_patches(items: list[Item], patch: Patch, entry: dict[str, Any], where: Location) -> None:
    """Apply one entry of `patchesJson6902`."""
    target = entry.get("target")
    if not target or not target.get("name") or not patch.operations:
        decline("a JSON patch needs a target with a name", where)
    for item in selected(items, target, where.at("target")):
        apply_operations(item, patch.operations, patch.place)


def _only(items: list[Item], merge: Item) -> Item:
    found = [item for item in items if merge.id in item.ids]
    if not found:
        reason = f"the patch of {merge.kind} {merge.name} matches no object"
        elsewhere = any(item.kind == merge.kind and item.name == merge.name for item in items)
        field = "namespace" if elsewhere and "namespace" in merge.data.get("metadata", {}) else "name"
        refuse(
            reason,
            merge.origin(("metadata", field))[0],
            "name an object of this build, or give the patch a target",
            said=rf"no matches for Id [^;]*/{re.escape(merge.name)}\.",
            certain=True,
        )
    if len(found) > 1:
        decline(f"{len(found)} objects match the patch of {merge.kind} {merge.name}", merge.origin(())[0])
    return found[0]


def _merge_all(
    reader: Reader, items: list[Item], targets: list[Item], merge: Item, options: dict[str, Any]
) -> list[Item]:
    """The way of patches with targets: the patch's labels become texts, what is emptied is dropped."""
    place = merge.origin(())[0]
    for field in ("labels", "annotations"):
        values = merge.data["metadata"].get(field) or {}
        if not all(isinstance(value, str) for value in values.values()):
            decline(f"{field} of a patch with a target must be texts", place.at("metadata", field))
        for key in values:
            check_key(key, place.at("metadata", field, key))
        if field in merge.data["metadata"] and not values:
            decline(f"empty {field} of a patch with a target", place.at("metadata", field))
    for item in targets:
        for key in item.data["metadata"].get("labels") or {}:
            check_key(key, place)
        _merge_into(reader, item, merge, options)
    kept = [item for item in items if item.data]
    unique(kept)
    return kept


def _merge_into(reader: Reader, item: Item, merge: Item, options: dict[str, Any]) -> None:
    """Merge a patch into one item; name, namespace and kind stay unless the options say otherwise."""
    place = merge.origin(())[0]
    merge.check_folded(place)
    rename, retype = bool(options.get("allowNameChange")), bool(options.get("allowKindChange"))
    if rename or retype:
        if None in (merge.data["metadata"].get("annotations") or {}).values():
            decline("options make kustomize write a null among a patch's annotations", place)
        item.remember()
    metadata = {
        key: value
        for key, value in merge.data["metadata"].items()
        if key != "namespace" and (key != "name" or rename)
    }
    if metadata.get("annotations") == {}:
        del metadata["annotations"]
    # apiVersion and kind say whom the patch means; the object keeps its own.
    patch = {
        key: value for key, value in merge.data.items() if key != "apiVersion" and (retype or key != "kind")
    }
    patch["metadata"] = metadata
    item.unusual |= merge.unusual
    done = merged(reader, item, patch, place)
    if done is None:
        item.data = {}
        return
    item.data, item.mark = done
    item.check_shared(place)
    item.spelled, item.large = item.spelled or merge.spelled, item.large or merge.large
    if not item.namespace and "namespace" in item.data["metadata"]:
        item.remove(("metadata", "namespace"))
