"""The transformers that write one value into fixed fields: namespace, names, labels, images, replicas."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from gitops_layout.kustomize.fast.config import Config, joined
from gitops_layout.kustomize.fast.declined import decline, refuse
from gitops_layout.kustomize.fast.item import Item, plain_text, unique
from gitops_layout.kustomize.fast.marks import ABSENT, at
from gitops_layout.kustomize.fast.spots import spots
from gitops_layout.kustomize.fast.tables import FieldSpec, Specs, group_version
from gitops_layout.model import Location, Path
from gitops_layout.patterns import regexp

__all__ = ["affix", "label", "label_specs", "set_images", "set_namespace", "set_replicas"]

_BINDINGS = ("RoleBinding", "ClusterRoleBinding")


def set_namespace(
    items: list[Item],
    namespace: str,
    where: Location,
    specs: Specs,
    *,
    subjects: str = "defaultOnly",
    unset_only: bool = False,
) -> None:
    """`namespace`: all that is not surely cluster-scoped, the v1 Namespace itself, and `subjects` of role
    bindings: `defaultOnly` (those named `default`), `allServiceAccounts` or `none`.
    """
    if not plain_text(namespace):
        decline("a namespace that is not plain text", where)

    def write(item: Item, path: Path) -> None:
        old = at(item.data, path)
        if isinstance(old, dict | list):
            decline(f"{'.'.join(map(str, path))} is no plain value", item.origin(path)[0])
        if not unset_only or old in (ABSENT, None, ""):
            item.write(path, namespace, where)

    for item in items:
        item.remember()
        if not item.cluster_scoped:
            write(item, ("metadata", "namespace"))
        if item.kind in _BINDINGS and subjects != "none":
            for path in _subjects(item, "name" if subjects == "defaultOnly" else "kind"):
                write(item, path)
        for spec in specs.of(item.api_version, item.kind):
            if not _is_written_apart(spec, item):
                for path in spots(item, spec):
                    write(item, path)
    unique(items)


def _is_written_apart(spec: FieldSpec, item: Item) -> bool:
    """Whether a namespace field is one that kustomize treats by itself."""
    if spec.path == ("metadata", "name"):
        return item.api_version != "v1"
    return spec.path == ("metadata", "namespace") or (
        spec.kind in _BINDINGS and spec.path == ("subjects", "namespace")
    )


def _subjects(item: Item, key: str) -> Iterator[Path]:
    """The namespaces of a role binding's subjects: of the one called default, or of all accounts."""
    subjects = item.data.get("subjects")
    if subjects is None:
        return
    if not isinstance(subjects, list) or not all(isinstance(subject, dict) for subject in subjects):
        decline("subjects are no list of mappings", item.origin(("subjects",))[0])
    for index, subject in enumerate(subjects):
        if subject.get(key) == {"name": "default", "kind": "ServiceAccount"}[key]:
            yield ("subjects", index, "namespace")


def affix(items: list[Item], text: str, where: Location, specs: Specs, *, prefix: bool) -> None:
    """`namePrefix` or `nameSuffix`: the fields of `specs`, which are names, but for those of CRDs,
    APIServices and Namespaces.
    """
    for item in items:
        kind = item.previous[0][0] if item.previous else item.kind
        group = group_version(item.api_version)[0]
        if kind in ("CustomResourceDefinition", "Namespace"):
            continue
        if kind == "APIService" and group == "apiregistration.k8s.io":
            continue
        for spec in specs.of(item.api_version, kind):
            if spec.path != ("metadata", "name"):
                _affix_field(item, spec, text, where, prefix=prefix)
                continue
            if prefix:
                item.prefixes = (*item.prefixes, text)
            else:
                item.suffixes = (*item.suffixes, text)
            item.remember()
            name = f"{text}{item.name}" if prefix else f"{item.name}{text}"
            if not plain_text(name) or "," in text:
                decline(f"the name {name} is not plain text", where)
            item.write(spec.path, name, where)


def _affix_field(item: Item, spec: FieldSpec, text: str, where: Location, *, prefix: bool) -> None:
    if not spec.selects(item.api_version, item.kind):
        return
    for path in spots(item, spec):
        old = at(item.data, path)
        old = "" if old is ABSENT else old
        name = f"{text}{old}" if prefix else f"{old}{text}"
        if not isinstance(old, str) or not plain_text(name):
            decline(f"{'.'.join(map(str, path))} is not plain text", item.origin(path)[0])
        item.write(path, name, where)


@lru_cache(maxsize=256)
def label_specs(config: Config, extra: tuple[FieldSpec, ...], *, selectors: bool, templates: bool) -> Specs:
    """The fields that one entry of `labels` writes; `extra` are its own."""
    specs = joined(extra, config.labels.fields)
    if selectors:
        return Specs(joined(specs, config.commonLabels.fields))
    if templates:
        specs = joined(specs, config.templateLabels.fields)
    return Specs(joined(specs, (FieldSpec("", "", "", ("metadata", "labels"), create=True),)))


def label(items: Iterable[Item], pairs: Mapping[str, str], specs: Specs, where: Location) -> None:
    """Write labels (or annotations) into every field of `specs`; `where` is the place of the pairs."""
    for item in items:
        fresh: dict[str, list[Path]] = {}
        for spec in specs.of(item.api_version, item.kind):
            for path in spots(item, spec):
                _label_at(item, path, pairs, spec.create, where, fresh)
        item.check_shared(where)
        item.shared += tuple(tuple(paths) for paths in fresh.values() if len(paths) > 1)


def _label_at(
    item: Item,
    path: Path,
    pairs: Mapping[str, str],
    create: bool,
    where: Location,
    fresh: dict[str, list[Path]],
) -> None:
    holder = at(item.data, path)
    if holder is None and not create:
        decline(f"{'.'.join(map(str, path))} is null", item.origin(path)[0])
    if holder is not ABSENT and not isinstance(holder, dict | None):
        decline(f"{'.'.join(map(str, path))} is no mapping", item.origin(path)[0])
    for key, value in pairs.items():
        old = at(item.data, (*path, key))
        if isinstance(old, dict | list):
            decline(f"label {key} is no text", item.origin((*path, key))[0])
        if old is ABSENT:
            fresh.setdefault(key, []).append((*path, key))
        item.write((*path, key), value, where.at(key))


_SAFE_IMAGE = regexp(r"[A-Za-z0-9_./:@-]+\Z")
_TAGGED = regexp(r"(:[a-zA-Z0-9_.{}-]*)?(@sha256:[a-zA-Z0-9_.{}-]*)?\Z")


def _is_image(name: str, text: str) -> bool:
    """Whether an image is called so: a pattern to kustomize, in which a point stands for any character."""
    head = text[: len(name)]
    if head != name:
        pairs = zip(name, head, strict=False)
        if len(head) < len(name) or any(a != b and (a != "." or b == "\n") for a, b in pairs):
            return False
    return _TAGGED.match(text, len(name)) is not None


def set_images(items: Iterable[Item], entry: Mapping[str, Any], where: Location, specs: Specs) -> None:
    """One entry of `images`: every `image` below `containers` and `initContainers`, wherever they are,
    then the fields of pods and pod templates.
    """
    name = entry.get("name") or ""
    if not _SAFE_IMAGE.match(name):
        decline("an image whose name is a pattern", where.at("name"))
    for item in items:
        if item.kind == "CustomResourceDefinition":
            continue
        places: list[Path] = []
        _containers(item, item.data, (), places)
        for path in places:
            _set_image(item, path, entry, where)
        for spec in specs.of(item.api_version, item.kind):
            for path in spots(item, spec, creates=False):
                value = at(item.data, path)
                if isinstance(value, dict | list):
                    decline("an image is no text", item.origin(path)[0])
                _set_image(item, path, entry, where)


def _containers(item: Item, data: Any, path: Path, found: list[Path]) -> None:
    if isinstance(data, dict):
        for key, value in data.items():
            if isinstance(value, dict | list):
                _containers(item, value, (*path, key), found)
                if key in ("containers", "initContainers") and isinstance(value, list):
                    found += _images_of(item, value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            if isinstance(value, dict | list):
                _containers(item, value, (*path, index), found)


def _images_of(item: Item, containers: list[Any], path: Path) -> Iterator[Path]:
    for index, container in enumerate(containers):
        if container is None:
            continue
        if not isinstance(container, dict):
            decline("a container is no mapping", item.origin((*path, index))[0])
        if "image" in container:
            if isinstance(container["image"], dict | list):
                decline("an image is no text", item.origin((*path, index, "image"))[0])
            yield (*path, index, "image")


def _set_image(item: Item, path: Path, entry: Mapping[str, Any], where: Location) -> None:
    old = at(item.data, path)
    if not isinstance(old, str):
        return
    if not _is_image(entry["name"], old):
        return
    name, tag, digest = split_image(old)
    name = entry.get("newName") or name
    field = "newName"
    new_tag, new_digest, suffix = (entry.get(key) or "" for key in ("newTag", "digest", "tagSuffix"))
    if new_tag or new_digest:
        tag, digest = new_tag, new_digest
        field = "newTag" if new_tag else "digest"
    elif suffix:
        tag, digest, field = tag + suffix, "", "tagSuffix"
    new = name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    if not plain_text(new):
        decline(f"the image {new} is not plain text", where)
    # The tag matters most: a new name alone leaves the place to whoever wrote the tag.
    named = (where.at("newName"),) if entry.get("newName") else ()
    place = where.at(field) if field != "newName" else None
    if new == old and place is not None and item.origin(path)[0] == place:
        return  # a container is met again among the fields of pods
    item.write_over(path, new, place, *named)


def split_image(image: str) -> tuple[str, str, str]:
    """Name, tag and digest of an image; what is missing is empty."""
    slash = max(image.find("/"), 0)
    sign, colon = image.find("@", slash), image.find(":", slash)
    if sign >= 0 and (colon < 0 or sign < colon):
        return image[:sign], "", image[sign + 1 :]
    if sign >= 0:
        return image[:colon], image[colon + 1 : sign], image[sign + 1 :]
    if colon >= 0:
        return image[:colon], image[colon + 1 :], ""
    return image, "", ""


def set_replicas(items: list[Item], entry: Mapping[str, Any], where: Location, specs: Specs) -> None:
    """One entry of `replicas`: workloads that are or were called so; there must be one."""
    name, count = entry.get("name") or "", entry.get("count", 0)
    found = False
    for spec in specs.fields:
        for item in items:
            if not any(known[3] == name and spec.selects(known[0], known[1]) for known in item.ids):
                continue
            found = True
            if not spec.selects(item.api_version, item.kind):
                continue
            for path in spots(item, spec):
                if isinstance(at(item.data, path), dict | list | str):
                    decline("replicas is no number", item.origin(path)[0])
                item.write(path, count, where.at("count"))
    if not found:
        refuse(
            f"no workload is called {name}",
            where.at("name"),
            "use the name before any prefix or suffix",
            said=f"resource with name {re.escape(name)} does not match",
        )
