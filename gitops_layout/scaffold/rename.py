"""A name in gitops.yaml changes: its files move, and what people wrote into them moves along.

Nothing is written here: what comes out is a Plan like any other.
"""

from __future__ import annotations

import os
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path
from posixpath import dirname
from typing import TYPE_CHECKING

from gitops_layout.scaffold import converge
from gitops_layout.scaffold import lock as locks
from gitops_layout.scaffold.conflict import Conflict
from gitops_layout.scaffold.merge import merge
from gitops_layout.scaffold.plan import Action, Do, Plan
from gitops_layout.scaffold.render import Ownership, places, render

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gitops_layout.scaffold.plan import OnConflict
    from gitops_layout.scaffold.render import File
    from gitops_layout.spec import Spec
    from gitops_layout.spec.model import App

__all__ = ["moves", "plan"]


def moves(old: Spec, new: Spec) -> dict[str, str]:
    """Generated paths that a new name moves: from where, to where."""
    before, after = places(old), places(new.model_copy(update={"apps": _as_before(old, new)}))
    return {path: after[key] for key, path in before.items() if key in after and after[key] != path}


def plan(
    root: Path,
    old: Spec,
    new: Spec,
    *,
    spec_file: bytes,
    spec_name: str = converge.SPEC,
    on_conflict: OnConflict = "fail",
) -> Plan:
    """What makes the tree follow a spec in which only names differ.

    A moved file keeps what people wrote into it: their changes against the old rendering are brought into the new
    one, a contradiction is a conflict, settled as `on_conflict` says. Files of their own below a folder that moves as a whole move with it.
    """
    moved = moves(old, new)
    before, after = render(old), render(new)
    pairs = [*zip(old.apps, _as_before(old, new), strict=True)]
    renamed = {a.name: b.name for a, b in pairs}
    made = converge.plan(
        root,
        new,
        spec_file=spec_file,
        spec_name=spec_name,
        on_conflict=on_conflict,
        prune=True,  # what is generated no more has moved
        renamed=renamed,
    )
    actions = {action.path: action for action in made.actions}
    sources = {path: (root / path).read_bytes() for path in moved if converge.regular(root, path)}
    for path, content in sources.items():
        target = moved[path]
        actions[target] = _moved(path, target, before[path].content, after[target], content, on_conflict)
        actions[path] = Action(path, Do.DELETE, after[target].owner, f"moves to {target}")
    for path in _deleted(root, moved):
        target = moved[path]
        if after[target].owner is Ownership.SEED and not converge.regular(root, target):
            actions[target] = Action(target, Do.KEEP, Ownership.SEED, f"{path} was deleted by you")
    started = {
        f"src/{a.name}": f"src/{b.name}" for a, b in pairs if a.skeleton is not None and a.name != b.name
    }
    for path, target in _own_files(root, moved, started):
        content = (root / path).read_bytes()
        actions[target] = Action(target, Do.CREATE, Ownership.SEED, f"yours, moved from {path}", content)
        actions[path] = Action(path, Do.DELETE, Ownership.SEED, f"yours, moves to {target}")
    for target in {action.path for action in actions.values() if action.do is Do.CREATE} - {*sources}:
        if converge.regular(root, target):
            clash = (Conflict("", "a file of yours", f"what {target} is to hold"),)
            actions[target] = replace(actions[target], do=Do.CONFLICT, why="is in the way", conflicts=clash)
    return replace(made, actions=tuple(actions[path] for path in sorted(actions)))


def _as_before(old: Spec, new: Spec) -> list[App]:
    """The apps in the order they had: files of gitops.d/ are read by their names, and a tenant's new name may sort
    elsewhere.
    """
    by_name = {app.name: app for app in new.apps}
    others = iter([app for app in new.apps if app.name not in {before.name for before in old.apps}])
    return [by_name[app.name] if app.name in by_name else next(others) for app in old.apps]


def _deleted(root: Path, moved: Mapping[str, str]) -> Iterator[str]:
    """Files that were generated under the old name and are not there any more."""
    if not converge.regular(root, locks.LOCK):
        return
    known = locks.read((root / locks.LOCK).read_bytes()).files
    yield from (path for path in moved if path in known and not converge.regular(root, path))


def _moved(
    path: str, target: str, base: bytes, file: File, content: bytes, on_conflict: OnConflict
) -> Action:
    why = f"moved from {path}"
    if content == base:
        return Action(target, Do.CREATE, file.owner, why, file.content)
    aligned = _line_by_line(base, content, file.content)
    if aligned is not None:
        return Action(target, Do.CREATE, file.owner, f"{why} with your edits", aligned)
    prefer = on_conflict if on_conflict in ("ours", "theirs") else None
    merged = merge(target, base, content, file.content, prefer=prefer)
    if merged.conflicts and on_conflict == "markers":
        why = f"{why}: conflict markers to resolve"
        return Action(target, Do.CREATE, file.owner, why, merged.content, merged.conflicts)
    if merged.conflicts:
        why = f"{why}: your edits contradict the new name"
        return Action(target, Do.CONFLICT, file.owner, why, merged.content, merged.conflicts)
    return Action(target, Do.CREATE, file.owner, f"{why} with your edits", merged.content)


def _line_by_line(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """Our text with every line that we left alone as it is under the new name.

    A new name changes words and no lines, so that even a list item that carries it is told from one that went. None
    where the lines are others after all, or where we edited one that carries the name.
    """
    old, new, text = (content.splitlines(keepends=True) for content in (base, theirs, ours))
    if len(old) != len(new):
        return None
    lines: list[bytes] = []
    for tag, start, end, first, last in SequenceMatcher(None, old, text, autojunk=False).get_opcodes():
        if tag == "equal":
            lines += new[start:end]
        elif old[start:end] == new[start:end]:
            lines += text[first:last]
        else:
            return None
    return b"".join(lines)


def _own_files(root: Path, moved: Mapping[str, str], started: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """People's files below folders that move as a whole, and where they go; `started` are such folders besides."""
    folders = {
        dirname(path): dirname(target) for path, target in moved.items() if dirname(path) != dirname(target)
    } | dict(started)
    seen: set[str] = set()
    for folder in sorted(folders, key=lambda name: (-name.count("/"), name)):
        for parent, _, names in os.walk(root / folder):
            for name in sorted(names):
                path = (Path(parent) / name).relative_to(root).as_posix()
                if path not in moved and path not in seen and converge.regular(root, path):
                    seen.add(path)
                    yield path, f"{folders[folder]}/{path.removeprefix(f'{folder}/')}"
