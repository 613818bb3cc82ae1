"""Names that refer to other objects follow them when they are renamed or get a namespace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from gitops_layout.kustomize.fast.config import Config
from gitops_layout.kustomize.fast.declined import decline
from gitops_layout.kustomize.fast.item import Item, plain_text
from gitops_layout.kustomize.fast.marks import at
from gitops_layout.kustomize.fast.tables import Reference, group_version
from gitops_layout.model import Path
from gitops_layout.values import dataclass

__all__ = ["follow_names"]

_Tree = dict[str, Any]
_LEAF = ""
"""Key of a tree node under which the references that end there are listed; no field is called so."""


@dataclass(frozen=True, slots=True)
class _Names:
    """All objects, and those that a reference can mean by each name that they have had."""

    items: list[Item]
    by_name: dict[str, list[Item]]


def follow_names(items: list[Item], config: Config) -> None:
    """Rewrite every reference to an object whose name or namespace the build has changed."""
    by_name: dict[str, list[Item]] = {}
    for item in items:
        for name in {name for _, _, name in item.previous}:
            by_name.setdefault(name, []).append(item)
    names = _Names(items, by_name)
    for item in items:
        kind = item.previous[0][0] if item.previous else item.kind
        tree = _tree(config, kind, *group_version(item.api_version))
        hits = sorted(_hits(item, item.data, tree, ()), key=lambda hit: hit[0].order)
        reachable = _reachable(item)
        for reference, path in hits:
            _update(item, reference, path, names, reachable)


@lru_cache(maxsize=1024)
def _tree(config: Config, kind: str, group: str, version: str) -> _Tree:
    """The references of one kind, their paths joined into a tree."""
    tree: _Tree = {}
    api_version = f"{group}/{version}" if group else version
    for reference in config.references:
        if reference.spec.selects(api_version, kind):
            node = tree
            for step in reference.spec.path:
                node = node.setdefault(step, {})
            node.setdefault(_LEAF, []).append(reference)
    return tree


def _hits(item: Item, data: Any, tree: _Tree, path: Path) -> Iterator[tuple[Reference, Path]]:
    """Every value that may be a reference; declined where kustomize stumbles over the object's form."""
    leaves = tree.get(_LEAF)
    if leaves:
        for reference in leaves:
            yield reference, path
        if len(tree) == 1:
            return
    if data is None:
        return
    if isinstance(data, dict):
        for step, below in tree.items():
            if step and step in data:
                yield from _hits(item, data[step], below, (*path, step))
    elif isinstance(data, list):
        for index, element in enumerate(data):
            yield from _hits(item, element, tree, (*path, index))
    elif tree:
        decline(f"{'.'.join(map(str, path))} is no mapping", item.origin(path)[0])


def _reachable(referrer: Item) -> Callable[[Item], bool]:
    """Which objects a referrer can mean: cluster-scoped ones, those of its namespace, and for a
    RoleBinding those in the namespaces of its service accounts.
    """
    if referrer.cluster_scoped:
        return lambda _: True
    namespaces: set[str] = set()
    if referrer.kind == "RoleBinding":
        for subject in referrer.data.get("subjects") or []:
            if not isinstance(subject, dict) or not isinstance(subject.get("kind", ""), str):
                decline("subjects are no list of mappings", referrer.origin(("subjects",))[0])
            if subject.get("kind") == "ServiceAccount" and "namespace" in subject:
                if not isinstance(subject["namespace"], str):
                    decline("a subject's namespace is no text", referrer.origin(("subjects",))[0])
                namespaces.add(subject["namespace"])
    own = referrer.effective_namespace

    def reachable(target: Item) -> bool:
        space = target.effective_namespace
        return target.cluster_scoped or space == own or target.namespace in namespaces

    return reachable


def _update(
    item: Item,
    reference: Reference,
    path: Path,
    names: _Names,
    reachable: Callable[[Item], bool],
) -> None:
    value = at(item.data, path)
    if isinstance(value, list):
        for index, element in enumerate(value):
            if isinstance(element, list):
                decline("a reference is a list of lists", item.origin(path)[0])
            _update(item, reference, (*path, index), names, reachable)
    elif isinstance(value, dict):
        _update_mapping(item, reference, path, value, names, reachable)
    elif isinstance(value, str) and value in names.by_name:
        candidates = [target for target in names.by_name[value] if reachable(target)]
        target = _referral(item, reference, candidates, spaced=False)
        if target is not None and target.name != value:
            _rename(item, path, target)


def _update_mapping(
    item: Item,
    reference: Reference,
    path: Path,
    value: dict[str, Any],
    names: _Names,
    reachable: Callable[[Item], bool],
) -> None:
    """A reference by name and namespace: both follow."""
    name = value.get("name")
    if not isinstance(name, str):
        decline("a reference without a name", item.origin(path)[0])
    candidates = [target for target in names.by_name.get(name, ()) if reachable(target)]
    if "namespace" in value:
        namespace = value["namespace"]
        if not isinstance(namespace, str):
            decline("a reference whose namespace is no text", item.origin((*path, "namespace"))[0])
        if candidates:
            candidates = _in_namespace(candidates, namespace, names, reachable)
    target = _referral(item, reference, candidates, spaced=True)
    if target is None or (target.name == name and not target.namespace):
        return
    if target.name != name:
        _rename(item, (*path, "name"), target)
    if target.namespace and target.namespace != value.get("namespace"):
        where = target.origin(("metadata", "namespace"))[0]
        item.write((*path, "namespace"), target.namespace, where)


def _in_namespace(
    candidates: list[Item], namespace: str, names: _Names, reachable: Callable[[Item], bool]
) -> list[Item]:
    """Those that were in the namespace; where no object at all was, those that are in it now."""

    def was_in(target: Item) -> bool:
        return (target.previous[0][1] if target.previous else target.effective_namespace) == namespace

    if any(was_in(target) and reachable(target) for target in names.items):
        return [target for target in candidates if was_in(target)]
    return [target for target in candidates if target.effective_namespace == namespace]


def _rename(item: Item, path: Path, target: Item) -> None:
    if not plain_text(target.name):
        decline(f"the name {target.name} is not plain text", item.origin(path)[0])
    item.write(path, target.name, target.origin(("metadata", "name"))[0])


def _referral(item: Item, reference: Reference, candidates: list[Item], *, spaced: bool) -> Item | None:
    """The one object that is meant; None where none is. Several that differ are declined."""
    found = [
        target for target in candidates if _was(target, reference.kind, reference.group, reference.version)
    ]
    if reference.spec.path[-2:] == ("roleRef", "name") and found:
        role = item.data.get("roleRef")
        if (
            isinstance(role, dict)
            and isinstance(role.get("apiGroup"), str)
            and isinstance(role.get("kind"), str)
        ):
            found = [target for target in found if _was(target, role["kind"], role["apiGroup"], "")]
    if not item.cluster_scoped:
        own = item.effective_namespace
        found = [
            target
            for target in found
            if target.cluster_scoped or target.kind == "ServiceAccount" or target.effective_namespace == own
        ]
    if len(found) <= 1:
        return found[0] if found else None
    found = [target for target in found if _same_affixes(target, item, empty=True)]
    if len(found) > 1:
        found = [target for target in found if _same_affixes(target, item, empty=False)]
    if not found:
        return None
    first = found[0]
    for other in found[1:]:
        if other.name != first.name or (spaced and other.namespace != first.namespace):
            decline(f"{first.name} may mean several objects", item.origin(())[0])
    return first


def _was(target: Item, kind: str, group: str, version: str) -> bool:
    own_group, own_version = group_version(target.api_version)
    if group not in ("", own_group) or version not in ("", own_version):
        return False
    return any(kind in ("", old) for old, _, _ in target.previous)


def _same_affixes(one: Item, other: Item, *, empty: bool) -> bool:
    return all(
        (empty and (not ours or not theirs)) or _same_end(ours, theirs)
        for ours, theirs in ((one.prefixes, other.prefixes), (one.suffixes, other.suffixes))
    )


def _same_end(ours: tuple[str, ...], theirs: tuple[str, ...]) -> bool:
    shorter, longer = sorted((ours, theirs), key=len)
    return not longer if not shorter else longer[-len(shorter) :] == shorter
