"""What converging does to each file, and why: lock, tree and rendering in, actions out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, Protocol

from gitops_layout.scaffold.conflict import Conflict
from gitops_layout.scaffold.lock import Entry, Lock, blob_id
from gitops_layout.scaffold.merge import marked, put_block
from gitops_layout.scaffold.render import File, Ownership
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from gitops_layout.scaffold.merge import Merged, Side

__all__ = ["YOURS", "Action", "Do", "OnConflict", "Plan", "make", "needs_base"]

YOURS = "yours"
"""Why a seed is kept that people edited, or had before."""
_MARKS = "conflict markers stand in it"
OnConflict = Literal["fail", "markers", "ours", "theirs"]


class Merge(Protocol):
    """`gitops_layout.scaffold.merge.merge`: path, base, the file as it is, the file as rendered."""

    def __call__(
        self, path: str, base: bytes | None, ours: bytes, theirs: bytes, *, prefer: Side | None = None
    ) -> Merged: ...


class Do(StrEnum):
    """What happens to a file."""

    CREATE = "create"
    UPDATE = "update"
    MERGE = "merge"
    DELETE = "delete"
    KEEP = "keep"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Action:
    """One file: `content` is what it will hold, None where nothing is written."""

    path: str
    do: Do
    owner: Ownership
    why: str
    content: bytes | None = None
    conflicts: tuple[Conflict, ...] = ()
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Every generated file's action, sorted by path, and the lock that holds afterwards.

    `relock` says that the lock itself changes: what was generated is remembered differently.
    `warnings` say what a change does in the clusters that its text does not show, `missing` what could not be
    written yet, and what to do about it. `apart` are files of the folder `apart_in`, the repository of an app beside
    this one.
    """

    actions: tuple[Action, ...]
    lock: Lock
    relock: bool
    warnings: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    apart: tuple[Action, ...] = ()
    apart_in: str = ""

    @property
    def shown(self) -> tuple[Action, ...]:
        """All actions; those of the other repository by paths that lead there."""
        there = (replace(action, path=f"{self.apart_in}/{action.path}") for action in self.apart)
        return (*self.actions, *there)

    @property
    def changes(self) -> tuple[Action, ...]:
        """The actions that write or delete."""
        return tuple(action for action in self.actions if action.do not in (Do.KEEP, Do.CONFLICT))

    @property
    def conflicts(self) -> tuple[Action, ...]:
        """The actions that people must decide, written with markers or not written at all."""
        return tuple(action for action in self.actions if action.conflicts)

    @property
    def empty(self) -> bool:
        """Whether the tree and the lock already are what the spec asks for."""
        return not self.changes and not self.conflicts and not self.relock and not self.apart


def make(
    old: Lock | None,
    new: Lock,
    wanted: Mapping[str, File],
    *,
    tree: Mapping[str, bytes],
    bases: Mapping[str, bytes],
    merge: Merge,
    on_conflict: OnConflict = "fail",
    prune: bool = False,
) -> Plan:
    """Compare what was generated, what is there and what is wanted.

    `tree` holds the present bytes of the paths in `wanted` and in the old lock, `bases` the bytes as
    generated last time for those that `needs_base` names and that could be found.
    """
    entries = old.files if old is not None else {}
    prefer: Side | None = on_conflict if on_conflict in ("ours", "theirs") else None
    same_templates = old is not None and old.digest == new.digest
    actions = []
    for path in sorted({*wanted, *entries}):
        file, entry, now = wanted.get(path), entries.get(path), tree.get(path)
        if file is None:
            if action := _removal(path, entries[path], now, prune=prune, prefer=prefer):
                actions.append(action)
        elif decided := _without_merge(path, file, entry, now, same_templates=same_templates):
            actions.append(_unresolved(decided, now))
        elif now is not None and file.owner is not Ownership.ROBOT and (left := marked(now)):
            why = f"{_MARKS}: resolve them, this file is to change again"
            actions.append(Action(path, Do.CONFLICT, file.owner, why, now, left))
        elif now is not None:
            base, known = bases.get(path), entry is not None
            merged = _merge(path, base, now, file, merge=merge, prefer=prefer, known=known)
            actions.append(_marked(merged) if on_conflict == "markers" else merged)
    return Plan(tuple(actions), *_relocked(old, new))


def needs_base(old: Lock | None, wanted: Mapping[str, File], tree: Mapping[str, bytes]) -> dict[str, str]:
    """Paths that both the user and the templates changed, with the blob ids generated last time."""
    entries = old.files if old is not None else {}
    return {
        path: entry.blob
        for path, entry in entries.items()
        if path in wanted
        and path in tree
        and wanted[path].owner in (Ownership.MANAGED, Ownership.FRAGMENT)
        and entry.blob != wanted[path].blob
        and entry.blob != blob_id(tree[path])
    }


def _without_merge(
    path: str, file: File, entry: Entry | None, now: bytes | None, *, same_templates: bool
) -> Action | None:
    """What can be decided without comparing texts; None when both sides must be merged."""
    keep = Action(path, Do.KEEP, file.owner, "")
    if now is None:
        if entry is None:
            return Action(path, Do.CREATE, file.owner, "", file.content)
        if file.owner is Ownership.SEED:
            return replace(keep, why="deleted by you")
        return Action(path, Do.CREATE, file.owner, "was deleted; gitops.yaml still asks for it", file.content)
    here = blob_id(now)
    if here == file.blob:
        return keep
    untouched = entry is not None and entry.blob == here
    # An untouched seed follows the spec; once newer templates would write it otherwise it is the user's.
    if file.owner is Ownership.SEED and not (untouched and same_templates):
        return replace(keep, why=YOURS)
    if untouched:
        return Action(path, Do.UPDATE, file.owner, "", file.content)
    if entry is not None and entry.blob == file.blob:
        return replace(keep, why="edited by you")
    if file.owner is Ownership.ROBOT:
        return replace(keep, why="set by promotion or a bot")
    return None


def _unresolved(action: Action, now: bytes | None) -> Action:
    """The action; one that keeps a file in which conflict markers stand says so."""
    if action.do is not Do.KEEP or action.owner not in (Ownership.MANAGED, Ownership.FRAGMENT):
        return action
    left = marked(now or b"")
    return replace(action, why=f"{_MARKS}: resolve them", conflicts=left) if left else action


def _merge(
    path: str,
    base: bytes | None,
    now: bytes,
    file: File,
    *,
    merge: Merge,
    prefer: Side | None,
    known: bool,
) -> Action:
    """`known` files were generated before: in others nothing is ours, so that nothing need be brought into them."""
    if base is None and file.owner is Ownership.FRAGMENT and not path.endswith(".yaml"):
        return _settled(path, put_block(now, file.content), now, file)
    if base is None and file.owner is Ownership.MANAGED:
        if prefer == "ours" and known:
            return _settled(path, merge(path, None, now, file.content, prefer=prefer).content, now, file)
        if prefer is not None:
            return _settled(path, now if prefer == "ours" else file.content, now, file)
        why = "differs from what is generated, and nothing tells who changed what"
        whole = merge(path, b"", now, file.content)
        conflicts = whole.conflicts or (Conflict("", "this file", "the generated one"),)
        return Action(path, Do.CONFLICT, file.owner, why, whole.content, conflicts)
    merged = merge(path, base, now, file.content, prefer=prefer)
    if merged.conflicts:
        why = "changed by you and by gitops.yaml or the templates"
        return Action(path, Do.CONFLICT, file.owner, why, merged.content, merged.conflicts)
    return _settled(path, merged.content, now, file)


def _settled(path: str, content: bytes, now: bytes, file: File) -> Action:
    if content == now:
        return Action(path, Do.KEEP, file.owner, "edited by you")
    return Action(path, Do.MERGE, file.owner, "your edits and ours", content)


def _marked(action: Action) -> Action:
    if action.do is not Do.CONFLICT:
        return action
    return replace(action, do=Do.MERGE, why="conflict markers to resolve")


def _removal(
    path: str, entry: Entry, now: bytes | None, *, prune: bool, prefer: Side | None
) -> Action | None:
    """A file no longer generated; None when it is gone already.

    Bots' edits are no reason to keep a file: what they wrote stays in git's history.
    """
    if now is None:
        return None
    delete = Action(path, Do.DELETE, entry.owner, "no longer in gitops.yaml")
    if blob_id(now) == entry.blob or entry.owner is Ownership.ROBOT or prune or prefer == "theirs":
        return delete
    if prefer == "ours":
        return Action(path, Do.KEEP, entry.owner, "no longer generated: yours from now on")
    why = "no longer in gitops.yaml, but edited by you: --prune deletes it, --on-conflict ours keeps it"
    return Action(path, Do.CONFLICT, entry.owner, why, None, (Conflict("", "edited", "removed"),))


def _relocked(old: Lock | None, new: Lock) -> tuple[Lock, bool]:
    """The lock to keep; a newer tool alone, with the same result, is no reason to touch the file."""
    if old is not None and replace(new, tool=old.tool) == old:
        return old, False
    return new, True
