"""The only module that runs processes, writes files and finds cache folders."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from gitops_layout.errors import UserError
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = [
    "Completed",
    "Fork",
    "cache_dir",
    "exclusive",
    "git",
    "private_dir",
    "run",
    "write_atomic",
    "write_named",
]


@dataclass(frozen=True, slots=True)
class Completed:
    """What a finished process left: `code` is None when the time limit ended it."""

    code: int | None
    stdout: bytes
    stderr: str


def run(
    command: Sequence[str | os.PathLike[str]],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout: float = 60,
    memory: int | None = None,
) -> Completed:
    """Run `command` to its end, its whole process group killed after `timeout` seconds.

    `env` is the complete environment (None inherits ours). `memory` is the bytes of data that it may
    hold, where the system can say so (Linux). Raises UserError when the program is not
    there; a non-zero exit is the caller's to judge.
    """
    try:
        process = subprocess.Popen(  # no shell: arguments are passed as they are
            [os.fspath(part) for part in command],
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        if error.filename != os.fspath(command[0]):
            raise
        raise UserError(
            f"{command[0]} is not installed", f"install {command[0]} and put it on PATH"
        ) from None
    if memory is not None and hasattr(resource, "prlimit"):
        with contextlib.suppress(ProcessLookupError):  # it may have ended already
            resource.prlimit(process.pid, resource.RLIMIT_DATA, (memory, memory))
    try:
        stdout, stderr = process.communicate(stdin, timeout)
    except subprocess.TimeoutExpired:
        _kill_group(process)
        stdout, stderr = process.communicate()
        return Completed(None, stdout, stderr.decode(errors="replace"))
    except BaseException:
        _kill_group(process)
        process.communicate()
        raise
    return Completed(process.returncode, stdout, stderr.decode(errors="replace"))


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


class Fork:
    """A copy of this process that makes pieces of bytes while we go on; they wait in a file that has no name."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        """Starts it. Raises OSError where there can be no other process, or no file."""
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        self._at = 0
        try:
            self.child = os.fork()
        except BaseException:
            self._file.close()
            raise
        if self.child == 0:
            self._write(pieces)

    def _write(self, pieces: Iterable[bytes]) -> NoReturn:
        try:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            for piece in pieces:
                self._file.write(len(piece).to_bytes(8, "little") + piece)
                self._file.flush()
        finally:
            os._exit(0)  # whatever went wrong: no piece is a piece that the other makes

    def arrived(self) -> Iterator[bytes]:
        """The pieces that were finished since the last time, without waiting."""
        while len(head := os.pread(self._file.fileno(), 8, self._at)) == 8:
            size = int.from_bytes(head, "little")
            piece = os.pread(self._file.fileno(), size, self._at + 8)
            if len(piece) < size:
                return
            self._at += 8 + size
            yield piece

    def end(self) -> None:
        """End the other process, whatever it is doing."""
        os.kill(self.child, signal.SIGKILL)
        os.waitpid(self.child, 0)
        self._file.close()


# A repository may bring hooks, filters, an fsmonitor or an alternate ssh command in its config:
# none of them may run while we only read.
_GIT_SAFE = (
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.fsmonitor=false",
    "-c", "core.sshCommand=ssh -oBatchMode=yes",
    "-c", "protocol.ext.allow=never",
    "-c", "core.pager=cat",
    "-c", "diff.external=",
    "-c", "credential.interactive=never",
    "-c", "gc.auto=0",
    "-c", "core.quotePath=false",
)  # fmt: skip


def git(
    cwd: Path, *arguments: str, stdin: bytes = b"", timeout: float = 60, offline: bool = False
) -> Completed:
    """Run git in `cwd` with everything switched off that a repository could make it execute.

    With `offline` no transport starts, whatever the repository's config says (a partial clone would fetch
    what it lacks, with the programs that its config names).

    Raises UserError when git is not installed; other failures are in the returned code and stderr.
    """
    env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    env |= {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "LC_ALL": "C",
    }
    if offline:
        env["GIT_ALLOW_PROTOCOL"] = "none"
    return run(["git", *_GIT_SAFE, *arguments], cwd=cwd, env=env, stdin=stdin, timeout=timeout)


def write_atomic(path: Path, data: str | bytes, *, mode: int | None = None) -> None:
    """Write `data` to `path` so that a reader sees the old file or the new one, never a half.

    Creates missing folders. `mode` None keeps an existing file's permissions, 0o644 for a new file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if mode is None:
        try:
            mode = path.stat().st_mode & 0o777
        except FileNotFoundError:
            mode = 0o644
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data.encode() if isinstance(data, str) else data)
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_named(path: Path, data: str | bytes) -> None:
    """The same for a file that the user named. Raises UserError where it cannot be written."""
    try:
        write_atomic(path, data)
    except OSError as error:
        # The temporary file's own name says nothing to anybody.
        raise UserError(
            f"{path} cannot be written: {error.strerror or error}", "name a place where you may write"
        ) from None


@contextlib.contextmanager
def exclusive(folder: Path, *, patience: float, say: Callable[[str], None]) -> Iterator[None]:
    """Hold `folder` against every other process that asks for it so, until the block ends; leaves no trace in it.

    `say` is told when it must wait. Raises UserError (exit code 3) when the other is not done within `patience` seconds.
    A file system that knows no locks gives none.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        deadline = time.monotonic() + patience
        told = False
        while not _locked(handle):
            if not told:
                told = True
                say(f"waiting: another gitops-layout is changing {folder}")
            if time.monotonic() > deadline:
                raise UserError(
                    f"another gitops-layout has been changing {folder} for {patience:.0f} seconds: nothing written",
                    "wait until it is done, or end it",
                    exit_code=3,
                )
            time.sleep(0.05)
        yield
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network file systems
        return True
    return True


def cache_dir(*parts: str) -> Path:
    """The user's cache folder for this tool, created: `GITOPS_LAYOUT_CACHE`, else the platform's own."""
    if own := os.environ.get("GITOPS_LAYOUT_CACHE"):
        root = Path(own)
    else:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        root = Path(home) / "gitops-layout"
    path = root.joinpath(*parts)
    path.mkdir(parents=True, exist_ok=True)
    return path


def private_dir(name: str) -> Path | None:
    """A folder of the user's cache that nobody else can look into or write to; None where that cannot be had."""
    try:
        folder = cache_dir(name)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            return None
        if status.st_mode & 0o077:
            folder.chmod(0o700)
    except (OSError, RuntimeError):  # read-only, full, or no home at all
        return None
    return folder
