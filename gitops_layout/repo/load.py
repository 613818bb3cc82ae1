"""Load a Repo from a work tree or from any git revision, without a checkout."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from gitops_layout.errors import UserError
from gitops_layout.model import Unchecked
from gitops_layout.repo.model import MAX_BYTES, Entry, Repo, broken, is_yaml
from gitops_layout.system import git

__all__ = ["from_files", "from_revision", "from_work_tree", "top_level"]

MAX_FILES = 200_000
"""More files than this are refused: no GitOps repository comes near, and a mistaken `lint /` would not end."""

_SKIPPED_FOLDERS = frozenset({".git", ".hg", ".svn", "node_modules", ".venv", "__pycache__", ".terraform"})


def top_level(path: Path) -> Path | None:
    """The git work tree that holds `path`; None outside git or without it."""
    try:
        done = git(path if path.is_dir() else path.parent, "rev-parse", "--show-toplevel", offline=True)
    except UserError:
        return None
    return Path(os.fsdecode(done.stdout.rstrip(b"\n"))) if done.code == 0 else None


def from_files(files: dict[str, str | bytes]) -> Repo:
    """A Repo in memory, for tests and rule examples."""
    contents = {path: data.encode() if isinstance(data, str) else data for path, data in files.items()}
    entries = {path: Entry(len(data)) for path, data in contents.items()}
    return Repo(".", None, entries, contents.__getitem__)


def from_work_tree(root: Path) -> Repo:
    """The files below `root`: what git tracks or would track; every file where there is no git.

    Special files (pipes, sockets, devices) and files that cannot be opened are unchecked, never read.
    Raises UserError when `root` is no folder or holds too many files.
    """
    if not root.is_dir():
        raise UserError(f"{root}: not a folder", "name the folder of a GitOps repository")
    listed = _listed_by_git(root)
    unchecked: list[Unchecked] = []
    paths = listed if listed is not None else _walked(root, unchecked)
    if len(paths) > MAX_FILES:
        raise UserError(f"{root}: more than {MAX_FILES:,} files", "name the folder of one repository")
    entries: dict[str, Entry] = {}
    for path in paths:
        entry, problem = _entry(root, path)
        if entry is not None:
            entries[path] = entry
        if problem is not None:
            unchecked.append(problem)
    if listed is None:
        return Repo(str(root), None, entries, _reader(root), (), tuple(unchecked))
    return Repo(str(root), _head(root), entries, _reader(root), _remotes(root), tuple(unchecked))


def _reader(root: Path) -> Callable[[str], bytes]:
    prefix = f"{root}/"  # joined as text: a Path for each of 20,000 files is what one would wait for

    def content(path: str) -> bytes:
        # O_NOFOLLOW and O_NONBLOCK: what was a plain file when we looked may be a link or a pipe by now.
        handle = os.open(prefix + path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb", buffering=0) as stream:
            return stream.read(MAX_BYTES + 1) or b""

    return content


def _entry(root: Path, path: str) -> tuple[Entry | None, Unchecked | None]:
    problem = _unnameable(path)
    if problem is not None:
        return None, problem
    try:
        status = (root / path).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None, None  # git lists files that were deleted but not yet committed
    except OSError as error:
        return None, broken(f"file {path}", f"cannot be looked at: {error.strerror}")
    if stat.S_ISLNK(status.st_mode):
        return Entry(0, os.fsdecode(os.readlink(root / path))), None
    if not stat.S_ISREG(status.st_mode):
        if stat.S_ISDIR(status.st_mode):
            return None, broken(f"folder {path}", "a git repository inside this one; submodules are not read")
        return None, broken(f"file {path}", "not a regular file") if is_yaml(path) else None
    if not os.access(root / path, os.R_OK):
        return None, broken(f"file {path}", "no permission to read it")
    return Entry(status.st_size), None


def _unnameable(path: str) -> Unchecked | None:
    """Why no document could name this file: bytes that are no text, or a tree made by hand."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return broken(f"file {path.encode(errors='backslashreplace').decode()}", "its name is not UTF-8")
    if not {"", ".", ".."}.isdisjoint(path.split("/")):
        return broken(f"file {path}", "its path is not one that git makes")
    return None


def _listed_by_git(root: Path) -> list[str] | None:
    try:
        done = git(
            root,
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
            "--deduplicate",
            offline=True,
        )
    except UserError:
        return None
    if done.code != 0:
        return None
    return sorted(os.fsdecode(name).rstrip("/") for name in done.stdout.split(b"\0") if name)


def _walked(root: Path, unchecked: list[Unchecked]) -> list[str]:
    def refused(error: OSError) -> None:
        folder = os.path.relpath(os.fsdecode(error.filename), root)
        shown = folder.encode(errors="backslashreplace").decode()
        unchecked.append(broken(f"folder {shown}", f"cannot be listed: {error.strerror}"))

    paths: list[str] = []
    for folder, folders, files in os.walk(root, onerror=refused):
        linked = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        folders[:] = sorted(name for name in folders if name not in _SKIPPED_FOLDERS and name not in linked)
        base = os.path.relpath(folder, root)
        prefix = "" if base == "." else f"{base}/"
        paths.extend(prefix + name for name in (*files, *linked))
        if len(paths) > MAX_FILES:
            break
    return sorted(paths)


def _head(root: Path) -> str | None:
    done = git(root, "rev-parse", "--verify", "--quiet", "HEAD", offline=True)
    return done.stdout.decode().strip() or None if done.code == 0 else None


def _remotes(root: Path) -> tuple[str, ...]:
    done = git(root, "config", "--get-regexp", r"^remote\..*\.url$", offline=True)
    return tuple(
        line.split(" ", 1)[1] for line in done.stdout.decode(errors="replace").splitlines() if " " in line
    )


def from_revision(root: Path, revision: str) -> Repo:
    """The tree of a git revision, read from the object store: nothing is checked out, no filter runs.

    Raises UserError when `revision` names no commit here.
    """
    done = git(
        root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", offline=True
    )
    if done.code != 0:
        raise UserError(
            f"no revision {revision!r} in {root}", "fetch it, or name a branch, tag or commit that is here"
        )
    commit = done.stdout.decode().strip()
    listing = git(root, "ls-tree", "-r", "-z", "--long", "--full-tree", commit, offline=True)
    if listing.code != 0:
        raise UserError(f"cannot list {revision}: {listing.stderr.strip()}", "run `git fsck`")
    blobs: dict[str, tuple[str, int, bool]] = {}
    unchecked: list[Unchecked] = []
    for row in listing.stdout.split(b"\0"):
        if not row:
            continue
        meta, name = row.split(b"\t", 1)
        mode, kind, blob, size = meta.decode().split()
        path = os.fsdecode(name)
        if kind == "commit":
            unchecked.append(broken(f"folder {path}", "a submodule; submodules are not read"))
        elif (problem := _unnameable(path)) is not None:
            unchecked.append(problem)
        elif not size.isdigit():
            unchecked.append(broken(f"file {path}", "its content is not in this clone"))
        else:
            blobs[path] = (blob, int(size), mode == "120000")
    wanted = {
        blob for path, (blob, size, link) in blobs.items() if link or (is_yaml(path) and size <= MAX_BYTES)
    }
    contents = _blobs(root, wanted)

    def content(path: str) -> bytes:
        blob = blobs[path][0]
        if blob not in contents:
            contents.update(_blobs(root, {blob}))
        return contents.get(blob, b"")

    entries = {
        path: Entry(size, os.fsdecode(contents.get(blob, b"")) if link else None)
        for path, (blob, size, link) in blobs.items()
    }
    return Repo(str(root), commit, entries, content, _remotes(root), tuple(unchecked))


def _blobs(root: Path, ids: set[str]) -> dict[str, bytes]:
    """The contents of blobs by id, in one process."""
    out = git(
        root, "cat-file", "--batch", stdin="".join(f"{blob}\n" for blob in sorted(ids)).encode(), offline=True
    ).stdout
    contents: dict[str, bytes] = {}
    at = 0
    while at < len(out):
        end = out.index(b"\n", at)
        fields = out[at:end].decode().split()
        at = end + 1
        if len(fields) != 3:  # "<id> missing": a partial clone
            continue
        size = int(fields[2])
        contents[fields[0]] = out[at : at + size]
        at += size + 1
    return contents
