"""Many files at once: all of a change is there after the next run, or nothing, whatever stops this one.

New contents are staged in `.gitops-layout/pending/`; a list of steps, written last of all, decides that the change
happens, and then each file is moved to its place. A process that dies before the list has changed nothing, one that
dies after it is finished by the next run.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from gitops_layout import system
from gitops_layout.errors import UserError
from gitops_layout.scaffold.lock import blob_id
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

__all__ = ["PENDING", "changing", "delete", "finish", "regular", "write"]

PENDING = ".gitops-layout/pending"
_STEPS = "steps.json"
_DROP = f"to keep the tree as it is delete {PENDING}, then run gitops-layout scaffold"


@dataclass(frozen=True, slots=True)
class _Step:
    """`staged` is the file below `PENDING` with the new content, None to delete; `before` the blob id of the old one,
    None where there was none.
    """

    path: str
    staged: str | None
    before: str | None


@contextlib.contextmanager
def changing(
    root: Path, *, only_plan: bool, say: Callable[[str], None], patience: float = 60
) -> Iterator[None]:
    """Have the repository to oneself for the length of the block, and whole: a run that was interrupted is finished
    first. `say` is told of that, and when another process must be waited for.

    A folder that is not there is made, and taken away again if it stays empty. Raises UserError (exit code 3) when
    the other process is not done within `patience` seconds, or what was interrupted cannot be finished.
    """
    made = [] if only_plan else list(_made(root))
    try:
        with contextlib.ExitStack() as stack:
            if root.is_dir():
                stack.enter_context(system.exclusive(root, patience=patience, say=say))
                if finished := finish(root, only_plan=only_plan):
                    say(finished)
            yield
    finally:
        for folder in made:
            with contextlib.suppress(OSError):  # it is not empty: that is the usual case
                folder.rmdir()


def write(root: Path, files: Mapping[str, bytes | None], *, executable: Collection[str] = ()) -> None:
    """Write the files in this order (None: delete), all of them or none.

    Raises UserError with exit code 3 where a path leads through a link, and where the disk or a permission is in the
    way: then the tree is as it was.
    """
    for path in files:
        regular(root, path)
    if not files:
        return
    try:
        steps = _stage(root, files, executable)
    except OSError as error:
        _clear(root)
        raise UserError(f"nothing written: {_words(root, error)}", _mend(error), exit_code=3) from None
    _carry_out(root, steps)
    _clear(root)


def finish(root: Path, *, only_plan: bool = False) -> str | None:
    """Carry out what an interrupted run had decided to do; what was done, in words, or None.

    Raises UserError (exit code 3) where files have changed since, where the list came with the repository instead of
    a run of ours, and for a plan, which writes nothing.
    """
    if not os.path.lexists(root / PENDING):
        return None
    if only_plan and (root / PENDING / _STEPS).exists():
        raise UserError("a run was interrupted here", "finish it: gitops-layout scaffold", exit_code=3)
    if only_plan:
        return None
    if not regular(root, f"{PENDING}/{_STEPS}"):
        _clear(root)
        return None
    if system.git(root, "ls-files", "--", PENDING).stdout:
        raise UserError(
            f"{PENDING} was committed: refusing to carry out what it lists", f"delete {PENDING}", exit_code=3
        )
    steps = _listed(root)
    left = [step for step in steps if _left(root, step)]
    _carry_out(root, left)
    _clear(root)
    return f"finished a run that was interrupted: {len(steps)} files" if left else None


def regular(root: Path, path: str, folders: set[str] | None = None) -> bool:
    """Whether `path` is a plain file reached through plain folders; False when it is absent.

    A link on the way could lead anywhere, and a lock may have been written by anybody: UserError. `folders` remembers
    the plain ones between calls that look at one moment.
    """
    parts = path.split("/")
    foreign = os.sep != "/" and os.sep in path
    if foreign or not {"", ".", "..", ".git"}.isdisjoint(parts):
        raise UserError(f"{path!r} is not a path inside the repository", exit_code=3)
    known = folders if folders is not None else set()
    place = str(root)  # thousands of paths: strings are three times as fast
    folder = f"{place}/{path}".rpartition("/")[0]
    first, place = (len(parts) - 1, folder) if folder in known else (0, place)
    for index, part in enumerate(parts[first:], first):
        place = f"{place}/{part}"
        if place in known:
            continue
        try:
            mode = os.lstat(place).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}", exit_code=3) from None
        last = index == len(parts) - 1
        if not (stat.S_ISREG(mode) if last else stat.S_ISDIR(mode)):
            kind = "a symbolic link" if stat.S_ISLNK(mode) else "not a file" if last else "not a folder"
            name = "/".join(parts[: index + 1])
            raise UserError(
                f"{name} is {kind}: refusing to write {path}", "replace it by a plain one", exit_code=3
            )
        if not last:
            known.add(place)
    return True


def delete(root: Path, path: str) -> None:
    """Remove a file if it is there, and the folders that this leaves empty."""
    (root / path).unlink(missing_ok=True)
    folder = (root / path).parent
    while folder != root:
        with contextlib.suppress(FileNotFoundError):
            if any(folder.iterdir()):
                return
            folder.rmdir()
        folder = folder.parent


def _made(root: Path) -> Iterator[Path]:
    """The folders that had to be made so that `root` is one, innermost first."""
    missing = [folder for folder in (root, *root.parents) if not folder.exists()]
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{root}: {error.strerror}", _mend(error), exit_code=3) from None
    yield from missing


def _stage(root: Path, files: Mapping[str, bytes | None], executable: Collection[str]) -> list[_Step]:
    """Put the new contents and the list of steps beside the tree; nothing in it changes yet."""
    folder = root / PENDING
    folder.mkdir(parents=True)
    (folder / ".gitignore").write_text("*\n")  # nobody commits half a change
    steps = []
    for number, (path, content) in enumerate(files.items()):
        before = _bytes(root / path)
        if content is not None:
            try:
                _write_staged(folder / str(number), content, like=root / path)
                if path in executable:
                    (folder / str(number)).chmod(0o755)
            except OSError as error:
                error.filename = str(root / path)  # the name that people know
                raise
        staged = None if content is None else str(number)
        steps.append(_Step(path, staged, None if before is None else blob_id(before)))
    rows = [[step.path, step.staged, step.before] for step in steps]
    system.write_atomic(folder / _STEPS, json.dumps({"version": 1, "steps": rows}))
    return steps


def _write_staged(target: Path, content: bytes, *, like: Path) -> None:
    target.write_bytes(content)
    with contextlib.suppress(FileNotFoundError):
        mode = like.stat().st_mode & 0o777
        if mode != target.stat().st_mode & 0o777:
            target.chmod(mode)


def _listed(root: Path) -> list[_Step]:
    """The steps that an interrupted run left; none of them leads out of the repository."""
    try:
        data = json.loads((root / PENDING / _STEPS).read_bytes())
        if data["version"] != 1:
            raise ValueError
        steps = [
            _Step(str(path), None if staged is None else str(int(staged)), before)
            for path, staged, before in data["steps"]
        ]
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"{PENDING}/{_STEPS} is not a list that gitops-layout wrote", _DROP, exit_code=3
        ) from None
    for step in steps:
        regular(root, step.path)
        if step.staged is not None:
            regular(root, f"{PENDING}/{step.staged}")
    return steps


def _left(root: Path, step: _Step) -> bool:
    """Whether a step is still to be done; UserError when its file is neither as it was nor as it is to be."""
    now = _bytes(root / step.path)
    if step.staged is None:
        done, wanted = now is None, None
    else:
        wanted = _bytes(root / PENDING / step.staged)
        done = wanted is None  # it was moved to its place
    known = (step.before, None if wanted is None else blob_id(wanted))
    if not done and (None if now is None else blob_id(now)) not in known:
        raise UserError(f"a run was interrupted here, and {step.path} has changed since", _DROP, exit_code=3)
    return not done or step.staged is None  # folders of a deleted file may be left


def _carry_out(root: Path, steps: Sequence[_Step]) -> None:
    """Move every file to its place; where one cannot be, all is put back, and UserError says why."""
    done: list[tuple[str, bytes | None]] = []
    for step in steps:
        done.append((step.path, _bytes(root / step.path)))
        try:
            if step.staged is None:
                delete(root, step.path)
            else:
                _move(root / PENDING / step.staged, root / step.path)
        except OSError as error:
            why = f"{step.path}: {error.strerror}"
            if _put_back(root, done):
                _clear(root)
                raise UserError(f"nothing written: {why}", _mend(error), exit_code=3) from None
            raise UserError(
                f"stopped after {len(done) - 1} of {len(steps)} files: {why}",
                "mend it and run gitops-layout scaffold: it goes on from here",
                exit_code=3,
            ) from None


def _move(staged: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        staged.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:  # a folder of the tree that lies on another disk
            raise
        system.write_atomic(target, staged.read_bytes())


def _put_back(root: Path, done: Iterable[tuple[str, bytes | None]]) -> bool:
    try:
        for path, before in reversed([*done]):
            if before is None:
                delete(root, path)
            elif _bytes(root / path) != before:
                system.write_atomic(root / path, before)
    except OSError:
        return False
    return True


def _clear(root: Path) -> None:
    """Forget what was pending, the list first, so that a half of it is never taken for a whole."""
    folder = root / PENDING
    with contextlib.suppress(OSError):
        (folder / _STEPS).unlink(missing_ok=True)
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        folder.parent.rmdir()  # if it has no lock


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", exit_code=3) from None


def _words(root: Path, error: OSError) -> str:
    name = os.path.relpath(os.fspath(error.filename or root), root)
    return f"{root if name.startswith('.gitops-layout') else name}: {error.strerror}"


def _mend(error: OSError) -> str:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return "make room, then run it again"
        case errno.EROFS | errno.EACCES | errno.EPERM:
            return "run it where you may write"
        case _:
            return "mend it, then run it again"
