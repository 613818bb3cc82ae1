"""The effects around a plan: read the tree and its lock, find merge bases, write everything or nothing."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gitops_layout import __version__, system
from gitops_layout.errors import UserError
from gitops_layout.scaffold import lock as locks
from gitops_layout.scaffold import plan as plans
from gitops_layout.scaffold import skeletons
from gitops_layout.scaffold.merge import merge
from gitops_layout.scaffold.render import (
    File,
    Ownership,
    answers,
    layouts,
    render,
    render_answers,
    template_digest,
)
from gitops_layout.scaffold.writing import regular, write
from gitops_layout.source.reader import read
from gitops_layout.store.cache import Cache, digest, place

if TYPE_CHECKING:
    from gitops_layout.scaffold.lock import Lock
    from gitops_layout.scaffold.plan import OnConflict, Plan
    from gitops_layout.spec import Spec

__all__ = ["SPEC", "apply", "plan", "regular", "with_parts"]

SPEC = "gitops.yaml"
_CHUNK = 1 << 16


def plan(
    root: Path,
    spec: Spec,
    *,
    spec_file: bytes | None = None,
    spec_name: str = SPEC,
    on_conflict: OnConflict = "fail",
    prune: bool = False,
    trust_hooks: bool = False,
    renamed: Mapping[str, str] | None = None,
    beside: Path | None = None,
) -> Plan:
    """What would make the tree at `root` follow `spec`; reads, writes nothing.

    `spec_file` is the text of a gitops.yaml (or the part of it called `spec_name`) that is written along with
    the tree (`init`, `add`). With `trust_hooks` the templates that apps start from may run what they like.
    `renamed` are apps by the names that they had, `beside` is the folder of the app's repository in layout split.
    Raises UserError (exit code 3) where a path of ours is a link or not a file.
    """
    content = _tree(root, [locks.LOCK]).get(locks.LOCK)
    old = None if content is None else locks.read(content)
    whole = content is not None and spec_file is None and _seen_whole(content)
    if whole and old is not None and (same := _untouched(root, old, spec)) is not None:
        return same
    wanted = render(spec, old.files if old is not None else None)
    del wanted[SPEC]
    new = locks.make(answers(spec), wanted, digest=template_digest(spec.layout))
    new = replace(new, skeletons=skeletons.written(spec, old, renamed or {}))
    paths = {*wanted, *(old.files if old is not None else ())}
    tree = _tree(root, paths, theirs={path for path, file in wanted.items() if file.owner is Ownership.SEED})
    missing = plans.needs_base(old, wanted, tree)
    made = plans.make(
        old,
        new,
        wanted,
        tree=tree,
        bases=_bases(root, old, missing),
        merge=merge,
        on_conflict=on_conflict,
        prune=prune,
    )
    if content is not None and not made.relock:
        _remember_whole(content)
    found = _foreign(made, old) if old is not None else ()
    made = replace(made, warnings=(*_renamed_namespaces(made, tree), *found))
    if skeletons.left(spec, new):
        text = spec_file if spec_file is not None and spec_name == SPEC else _tree(root, [SPEC])[SPEC]
        made = skeletons.added(root, made, spec, text=text, trusted=trust_hooks, beside=beside)
    return made if spec_file is None else _with_spec(root, made, spec_file, spec_name)


def apply(root: Path, plan: Plan) -> None:
    """Carry out a plan: the repository beside this one first, then files, deletions and the lock, all of them or none.

    Nothing is written when a conflict is undecided, a path leads through a link, or the disk or a permission is in
    the way: UserError with exit code 3.
    """
    if undecided := [action for action in plan.actions if action.do is plans.Do.CONFLICT]:
        raise UserError(f"nothing written: {len(undecided)} files in conflict", exit_code=3)
    changes = plan.changes
    regular(root, locks.LOCK)
    if there := {action.path: action for action in plan.apart if action.content is not None}:
        # The lock says afterwards that this was done: a run that ends in between does it again, and keeps what is there.
        executable = {path for path, action in there.items() if action.executable}
        files = {path: action.content for path, action in there.items()}
        write(Path(plan.apart_in), files, executable=executable)
    deletions = {action.path: None for action in changes if action.content is None}
    files = {action.path: action.content for action in changes if action.content is not None}
    files |= deletions
    if plan.relock:
        files[locks.LOCK] = locks.dump(plan.lock)
    write(root, files, executable={action.path for action in changes if action.executable})
    if (content := files.get(locks.LOCK)) is not None:
        _remember_whole(content)


def _untouched(root: Path, old: Lock, spec: Spec) -> Plan | None:
    """The empty plan where spec, templates and every generated file are as the lock remembers them: nothing need be
    rendered to know that. None where anything differs.
    """
    if (
        old.layout != spec.layout
        or old.answers != answers(spec)
        or old.digest != template_digest(spec.layout)
        or skeletons.left(spec, old)
    ):
        return None
    seeds = {path for path, entry in old.files.items() if entry.owner is Ownership.SEED}
    tree = _tree(root, old.files, theirs=seeds)
    if any(path not in tree or locks.blob_id(tree[path]) != entry.blob for path, entry in old.files.items()):
        return None
    keep = (plans.Action(path, plans.Do.KEEP, entry.owner, "") for path, entry in sorted(old.files.items()))
    return plans.Plan(tuple(keep), old, relock=False)


def with_parts(root: Path, made: Plan, parts: Mapping[str, bytes | None]) -> Plan:
    """The plan that also writes these files of tenants; None deletes one."""
    for name, content in parts.items():
        if content is not None:
            made = _with_spec(root, made, content, name)
        else:
            action = plans.Action(
                name, plans.Do.DELETE, Ownership.SEED, "of a tenant that is called otherwise or gone"
            )
            made = replace(made, actions=tuple(sorted((*made.actions, action), key=lambda item: item.path)))
    return made


def _with_spec(root: Path, made: Plan, content: bytes, name: str) -> Plan:
    now = _tree(root, [name]).get(name)
    if now == content:
        return made
    do = plans.Do.CREATE if now is None else plans.Do.UPDATE
    action = plans.Action(name, do, Ownership.SEED, "", content)
    return replace(made, actions=tuple(sorted((*made.actions, action), key=lambda item: item.path)))


def _renamed_namespaces(made: Plan, tree: Mapping[str, bytes]) -> Iterator[str]:
    for action in made.changes:
        if action.content is None or not action.path.endswith("/namespace.yaml"):
            continue
        before, after = _object_name(tree.get(action.path, b"")), _object_name(action.content)
        if before and before != after:
            yield (
                f"{action.path}: namespace {before} becomes {after}: the agent creates everything anew there "
                f"and deletes {before} with all it holds, volumes included"
            )


def _foreign(made: Plan, old: Lock) -> Iterator[str]:
    """Files that were there before anything was generated in their places: a seed yields to them."""
    for action in made.actions:
        if action.do is plans.Do.KEEP and action.why == plans.YOURS and action.path not in old.files:
            yield f"{action.path} was there already and is kept: see that it does what the files beside it expect"


def _object_name(content: bytes) -> str | None:
    match [document.data for document in read(content, "").documents]:
        case [{"metadata": {"name": str(name)}}]:
            return name
        case _:
            return None


def _key(lock: bytes) -> bytes:
    return digest(b"lock", __version__.encode(), lock)


def _seen_whole(lock: bytes) -> bool:
    """Whether a run on this machine has made this very lock, or rendered all that it lists.

    git merges the locks of two branches line by line: then the spec in it may ask for files that neither had (an
    app of one in a cluster of the other), and only rendering tells.
    """
    cache = Cache(place())
    try:
        return cache.get(_key(lock)) is not None
    finally:
        cache.close()


def _remember_whole(lock: bytes) -> None:
    cache = Cache(place())
    cache.put(_key(lock), b"1")
    cache.close()


def _tree(root: Path, paths: Iterable[str], *, theirs: Collection[str] = ()) -> dict[str, bytes]:
    """The bytes of the files that are there; a user's own file may be a link, which is not followed."""
    tree: dict[str, bytes] = {}
    folders: set[str] = set()
    for path in sorted(paths):
        try:
            if regular(root, path, folders):
                tree[path] = _bytes(f"{root}/{path}")
        except UserError:
            if path not in theirs or not (root / path).is_symlink():
                raise
            tree[path] = b""
    return tree


def _bytes(place: str) -> bytes:
    """What a plain file holds; without Python's buffers, in a third of the time."""
    handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        parts = [*iter(partial(os.read, handle, _CHUNK), b"")]
    finally:
        os.close(handle)
    return b"".join(parts)


def _bases(root: Path, old: Lock | None, missing: Mapping[str, str]) -> dict[str, bytes]:
    """Files as generated last time: out of git's object store, else by rendering the lock again."""
    if old is None or not missing:
        return {}
    found = _from_git(root, missing)
    if len(found) < len(missing):
        again = _again(old)
        found |= {
            path: again[path].content
            for path, blob in missing.items()
            if path not in found and path in again and again[path].blob == blob
        }
    return found


def _from_git(root: Path, missing: Mapping[str, str]) -> dict[str, bytes]:
    asked = "".join(f"{blob}\n" for blob in missing.values())
    done = system.git(root, "cat-file", "--batch", stdin=asked.encode())
    if done.code != 0:
        return {}
    found: dict[str, bytes] = {}
    rest = done.stdout
    for path, blob in missing.items():
        header, _, rest = rest.partition(b"\n")
        words = header.split()
        if len(words) != 3:
            continue
        size = int(words[2])
        content, rest = rest[:size], rest[size + 1 :]
        if words[1] == b"blob" and locks.blob_id(content) == blob:
            found[path] = content
    return found


def _again(old: Lock) -> dict[str, File]:
    """What the lock's spec renders to, if today's templates are those it was rendered with."""
    from jinja2 import TemplateError

    if old.layout not in layouts() or template_digest(old.layout) != old.digest:
        return {}
    try:
        return render_answers({**old.answers, "layout": old.layout})
    except (TemplateError, KeyError, TypeError, ValueError):  # a lock that somebody edited
        return {}
