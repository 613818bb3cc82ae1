"""`buildMetadata`: annotations that say where each object comes from, and a label that says who built it.

Any entry makes kustomize carry the annotations through the whole build, where patches see them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from posixpath import join, normpath
from typing import Any

from gitops_layout.kustomize.exact import KUSTOMIZE_VERSION
from gitops_layout.kustomize.fast.declined import decline
from gitops_layout.kustomize.fast.item import Item, plain_text
from gitops_layout.kustomize.fast.marks import ABSENT, at
from gitops_layout.kustomize.model import is_remote
from gitops_layout.model import Location
from gitops_layout.patterns import regexp

__all__ = ["check", "described", "finish", "keep", "located", "moved", "options"]

_ORIGIN = ("metadata", "annotations", "config.kubernetes.io/origin")
_MANAGED_BY = ("metadata", "labels", "app.kubernetes.io/managed-by")
_KNOWN = ("managedByLabel", "originAnnotations")
_PLAIN = regexp(r"[A-Za-z0-9_./@ -]+\Z")


def options(data: Mapping[str, Any], where: Location) -> frozenset[str]:
    """What a root asks for; `transformerAnnotations` is left to kustomize."""
    listed = data.get("buildMetadata") or []
    for index, option in enumerate(listed):
        if option not in _KNOWN:
            decline(f"buildMetadata {option} is left to kustomize", where.at("buildMetadata", index))
    return frozenset(listed)


def located(items: Iterable[Item], file: str, where: Location) -> None:
    """Note the file (as named) that objects were read from; `where` names it."""
    for item in items:
        _note(item, ("path: ", normpath(file), "\n"), where)


def described(item: Item, file: str, where: Location, plugin: Item | None) -> None:
    """Note the file that configures the generator of an object: a kustomization's field or a plugin."""
    if plugin is None:
        rest = f"\nconfiguredBy:\n  apiVersion: builtin\n  kind: {item.kind}Generator\n"
    else:
        rest = f"\nconfiguredBy:\n  apiVersion: builtin\n  kind: {plugin.kind}\n  name: {plugin.name}\n"
        if plugin.namespace:
            rest += f"  namespace: {plugin.namespace}\n"
    _note(item, ("configuredIn: ", file, rest), where)


def moved(items: Iterable[Item], target: str, where: Location) -> None:
    """Make notes relative to a kustomization that includes theirs as `target`."""
    if is_remote(target) or ".gitops-layout/" in target:
        decline("the origin of a remote base", where)
    for item in items:
        if item.source is None:
            continue
        before = "".join(item.source)
        head, file, rest = item.source
        item.source = (head, normpath(join(target, file)), rest)
        if at(item.data, _ORIGIN) == before:
            _write(item, where)


def keep(new: Item, old: Item) -> None:
    """Keep the note of the object that a generated one is merged into."""
    text = at(old.data, _ORIGIN)
    if text is not ABSENT:
        new.source = old.source
        new.write(_ORIGIN, text, old.origin(_ORIGIN)[0])


def check(items: Iterable[Item]) -> None:
    """Decline where a patch took a note away: kustomize then takes the object for the patch's own."""
    for item in items:
        if item.source is None or at(item.data, _ORIGIN) != "".join(item.source):
            decline("a patch changes what kustomize notes in annotations", item.origin(_ORIGIN)[0])


def _note(item: Item, source: tuple[str, str, str], where: Location) -> None:
    item.source = source
    _write(item, where)


def _write(item: Item, where: Location) -> None:
    assert item.source is not None
    file = item.source[1]
    if not _PLAIN.match(file) or not plain_text(file):
        decline(f"the path {file} is not plain text", where)
    item.write(_ORIGIN, "".join(item.source), where)


def finish(items: Iterable[Item], wanted: frozenset[str], where: Location) -> None:
    """Add the label, and take the annotations away unless they are wanted; `where` is `buildMetadata`."""
    for item in items:
        if "managedByLabel" in wanted:
            item.write(_MANAGED_BY, f"kustomize-{KUSTOMIZE_VERSION}", where)
        annotations = item.data["metadata"].get("annotations")
        if "originAnnotations" not in wanted and annotations and _ORIGIN[-1] in annotations:
            item.remove(_ORIGIN)
            if not item.data["metadata"]["annotations"]:
                item.remove(_ORIGIN[:-1])
