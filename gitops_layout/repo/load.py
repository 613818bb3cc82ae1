"""Load a Repo from a work tree or from any git revision, without a checkout."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Generic, TypeVar

from gitops_layout.errors import UserError
from gitops_layout.model import Unchecked
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import MAX_BYTES, Entry, Repo, UnreadableError, broken, is_yaml
from gitops_layout.system import git
from gitops_layout.values import dataclass

__all__ = ["Listing", "from_files", "from_revision", "from_work_tree", "listed", "top_level"]

_COMMIT = regexp(r"[0-9a-f]{7,64}")

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


def from_files(
    files: dict[str, str | bytes],
    links: Mapping[str, str] | None = None,
    tags: Mapping[str, Iterable[str]] | None = None,
) -> Repo:
    """A Repo in memory, for tests and rule examples.

    `links` are symbolic links with their targets, `tags` the paths of the files that each tag holds.
    """
    contents = {path: data.encode() if isinstance(data, str) else data for path, data in files.items()}
    entries = {path: Entry(len(data)) for path, data in contents.items()}
    entries |= {path: Entry(0, target) for path, target in (links or {}).items()}

    def holds_at(revision: str, path: str) -> bool | None:
        held = (tags or {}).get(revision)
        return None if held is None else any(f"{file}/".startswith(f"{path}/") for file in held)

    return Repo(".", None, entries, contents.__getitem__, holds_at=holds_at)


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a work tree as they were when we looked, none of them read: what a Repo is made of.

    `tags` are all tags with what they stand for, as git prints them: what other revisions hold may be asked later.
    """

    root: str
    entries: Mapping[str, Entry]
    revision: str | None = None
    remotes: tuple[str, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()
    tags: str = ""


def from_work_tree(root: Path | Listing) -> Repo:
    """The files below `root`."""
    listing = root if isinstance(root, Listing) else listed(root)
    return Repo(
        listing.root,
        listing.revision,
        listing.entries,
        _reader(listing.root),
        listing.remotes,
        listing.unchecked,
        _holding(Path(listing.root)) if _is_top(listing) else _nothing,
    )


def listed(root: Path) -> Listing:
    """The files below `root`: what git tracks or would track; every file where there is no git.

    Special files (pipes, sockets, devices) and files that cannot be opened are unchecked, never read.
    Raises UserError when `root` is no folder or holds too many files.
    """
    if not root.is_dir():
        raise UserError(f"{root}: not a folder", "name the folder of a GitOps repository")
    about = _Aside(lambda: _about(root))
    closed: list[Unchecked] = []
    others = _Aside(lambda: _names(root, "--others", "--exclude-standard", closed=closed))
    entries: dict[str, Entry] = {}
    unchecked: list[Unchecked] = []
    tracked = _names(root, "--cached", "--deduplicate")
    if tracked is not None:
        _look(root, tracked, entries, unchecked)
        _look(root, others.result() or [], entries, unchecked)
        unchecked += closed
        entries = dict(sorted(entries.items()))
        revision, remotes, tags = about.result()
        return Listing(str(root), entries, revision, remotes, tuple(unchecked), tags)
    others.result()
    about.result()
    _look(root, _walked(root, unchecked), entries, unchecked)
    return Listing(str(root), entries, unchecked=tuple(unchecked))


def _look(root: Path, paths: list[str], entries: dict[str, Entry], unchecked: list[Unchecked]) -> None:
    if len(paths) + len(entries) > MAX_FILES:
        raise UserError(f"{root}: more than {MAX_FILES:,} files", "name the folder of one repository")
    prefix, user = f"{root}/", os.geteuid()  # text, not a Path for each of 20,000 files
    named = _all_nameable(paths)
    lstat, regular, readable = os.lstat, stat.S_IFREG, stat.S_IRUSR
    for path in paths:
        try:
            status = lstat(prefix + path) if named else None
        except OSError:
            status = None
        if (
            status is not None  # nearly every file is a plain one of the user's own
            and stat.S_IFMT(status.st_mode) == regular
            and (user == 0 or (status.st_uid == user and status.st_mode & readable))
        ):
            entries[path] = Entry(status.st_size, None, _signature(status))
            continue
        entry, problem = _entry(prefix, path, user)
        if entry is not None:
            entries[path] = entry
        if problem is not None:
            unchecked.append(problem)


_Result = TypeVar("_Result")


class _Aside(Generic[_Result]):
    """A function that runs in a thread: git looks at the tree while we do."""

    def __init__(self, function: Callable[[], _Result]) -> None:
        self._result: list[_Result] = []
        self._error: BaseException | None = None
        self._function = function
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result.append(self._function())
        except BaseException as error:  # raised again where it is asked for
            self._error = error

    def result(self) -> _Result:
        """What the function gave, once it has ended; raises what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result[0]


def _reader(root: str) -> Callable[[str], bytes]:
    prefix = f"{root}/"  # joined as text: a Path for each of 20,000 files is what one would wait for

    def content(path: str) -> bytes:
        # O_NOFOLLOW and O_NONBLOCK: what was a plain file when we looked may be a link or a pipe by now.
        try:
            handle = os.open(prefix + path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                return _whole(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise UnreadableError(path, error) from None

    return content


_CHUNK = 64 * 2**10
"""Bytes asked for at once: most files are smaller, and a buffer for the largest would cost more than the read."""


def _whole(handle: int) -> bytes:
    """All that a file holds, or enough to see that it is too large. Raises OSError, also for a pipe nobody fills."""
    found = os.read(handle, _CHUNK)
    if len(found) < _CHUNK:
        return found
    parts, size = [found], len(found)
    while found and size <= MAX_BYTES:
        found = os.read(handle, _CHUNK)
        parts.append(found)
        size += len(found)
    return b"".join(parts)


def _entry(prefix: str, path: str, user: int) -> tuple[Entry | None, Unchecked | None]:
    problem = _unnameable(path)
    if problem is not None:
        return None, problem
    try:
        status = os.lstat(prefix + path)
    except (FileNotFoundError, NotADirectoryError):
        return None, None  # git lists files that were deleted but not yet committed
    except OSError as error:
        return None, broken(f"file {path}", f"cannot be looked at: {error.strerror}")
    if stat.S_ISLNK(status.st_mode):
        return Entry(0, os.fsdecode(os.readlink(prefix + path))), None
    if not stat.S_ISREG(status.st_mode):
        if stat.S_ISDIR(status.st_mode):
            return None, broken(f"folder {path}", "a git repository inside this one; submodules are not read")
        return None, broken(f"file {path}", "not a regular file") if is_yaml(path) else None
    owned = status.st_uid == user and status.st_mode & stat.S_IRUSR
    if not owned and user != 0 and not os.access(prefix + path, os.R_OK):
        return None, broken(f"file {path}", "no permission to read it")
    return Entry(status.st_size, None, _signature(status)), None


def _signature(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


_ODD = tuple(f"{a}{part}{b}" for part in ("", ".", "..") for a in "/\0" for b in "/\0")


def _all_nameable(paths: list[str]) -> bool:
    """Whether `_unnameable` finds nothing in any of the paths, asked once for all."""
    whole = "\0".join(["", *paths, ""]) if paths else ""
    try:
        whole.encode()
    except UnicodeEncodeError:
        return False
    return not any(part in whole for part in _ODD)


def _unnameable(path: str) -> Unchecked | None:
    """Why no document could name this file: bytes that are no text, or a tree made by hand."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return broken(f"file {path.encode(errors='backslashreplace').decode()}", "its name is not UTF-8")
    if not {"", ".", ".."}.isdisjoint(path.split("/")):
        return broken(f"file {path}", "its path is not one that git makes")
    return None


_CLOSED = regexp(r"warning: could not open directory '(.+?)/?': (.+)")


def _names(root: Path, *options: str, closed: list[Unchecked] | None = None) -> list[str] | None:
    """The files that git lists; None outside git or without it. Folders that it cannot list are added to `closed`."""
    try:
        done = git(root, "ls-files", "-z", *options, offline=True)
    except UserError:
        return None
    if done.code != 0:
        return None
    if closed is not None and done.stderr:
        for folder, why in _CLOSED.findall(done.stderr):
            closed.append(broken(f"folder {folder}", f"cannot be listed: {why}"))
    names = os.fsdecode(done.stdout).rstrip("\0")
    if not names:
        return []
    return [name.rstrip("/") for name in names.split("\0")] if "/\0" in f"{names}\0" else names.split("\0")


def _walked(root: Path, unchecked: list[Unchecked]) -> list[str]:
    def refused(error: OSError) -> None:
        folder = os.path.relpath(os.fsdecode(error.filename), root)
        shown = folder.encode(errors="backslashreplace").decode()
        unchecked.append(broken(f"folder {shown}", f"cannot be listed: {error.strerror}"))

    paths: list[str] = []
    waiting = [("", str(root))]
    while waiting and len(paths) <= MAX_FILES:
        prefix, folder = waiting.pop()
        try:
            with os.scandir(folder) as found:
                for entry in found:
                    if not entry.is_dir(follow_symlinks=False):
                        paths.append(prefix + entry.name)
                    elif entry.name not in _SKIPPED_FOLDERS:
                        waiting.append((f"{prefix}{entry.name}/", entry.path))
        except OSError as error:
            refused(error)
    return sorted(paths)


def _about(root: Path) -> tuple[str | None, tuple[str, ...], str]:
    """The commit that is checked out, the remotes' URLs, and the tags; nothing outside git."""
    try:
        return _head(root), _remotes(root), _tags(root)
    except UserError:
        return None, (), ""


def _tags(root: Path) -> str:
    done = git(
        root, "for-each-ref", "--count=10000", "--format=%(objectname) %(refname)", "refs/tags", offline=True
    )
    return done.stdout.decode(errors="replace") if done.code == 0 else ""


_MOST_ASKED = 100
"""Questions about other revisions that one run answers; each is a process."""


def _is_top(listing: Listing) -> bool:
    """Whether the root is a clone's own: git's paths and ours are the same there."""
    return listing.revision is not None and os.path.lexists(f"{listing.root}/.git")


def _holding(root: Path) -> Callable[[str, str], bool | None]:
    """Whether a path exists at a tag or commit, as far as the clone has that; answered once each."""
    known: dict[tuple[str, str], bool | None] = {}

    def holds_at(revision: str, path: str) -> bool | None:
        key = (revision, path)
        if key not in known:
            if len(known) >= _MOST_ASKED:
                return None
            known[key] = _asked(root, revision, path)
        return known[key]

    return holds_at


def _asked(root: Path, revision: str, path: str) -> bool | None:
    name = revision.removeprefix("refs/tags/")
    for reference in (name if _COMMIT.fullmatch(name) else "", f"refs/tags/{name}"):
        if reference and "\n" not in f"{reference}{path}":
            asked = f"{reference}^{{commit}}\n{reference}:{path}\n".encode(errors="surrogateescape")
            done = git(root, "cat-file", "--batch-check", stdin=asked, offline=True)
            answers = done.stdout.splitlines()
            if done.code == 0 and len(answers) == 2 and answers[0].split(b" ")[1:2] == [b"commit"]:
                return not answers[1].endswith(b" missing")
    return None


def _nothing(_revision: str, _path: str) -> None:
    """Outside git no other revision is known."""


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
