"""The only module that runs processes, writes files and finds cache folders."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import resource
import signal
import stat
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

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
    "in_parallel",
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
    """Run `command` to its end, its whole process group killed after `timeout` seconds, or when we end before, however
    that comes about.

    `env` is the complete environment (None inherits ours). `memory` is the bytes of data that it may
    hold, where the system can say so (Linux). Raises UserError when the program is not
    there; a non-zero exit is the caller's to judge.
    """
    _watch.start()
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
    _watch.over(process.pid)
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
    finally:
        _watch.done(process.pid)
    return Completed(process.returncode, stdout, stderr.decode(errors="replace"))


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


class _Watch:
    """Knows which process groups of ours run, and has a shell that kills them when we are gone, even if nothing could
    tell us to go: it reads from us until there is nobody to write any more.
    """

    # The pipe from us ends with us; what is named then and was not taken back is killed.
    _SCRIPT = (
        'while read -r sign group; do case $sign in +) set -- "$@" $group ;; *) for one do shift;'
        ' [ "$one" = "$group" ] || set -- "$@" "$one"; done ;; esac; done; for one do kill -9 "-$one"; done'
    )

    def __init__(self) -> None:
        self._shell: subprocess.Popen[bytes] | None = None
        self._groups: set[int] = set()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Have the shell run, ahead of whatever it is to watch."""
        with self._lock:
            if self._shell is None:
                with contextlib.suppress(OSError):  # no shell: then only what we are told of ends them
                    self._shell = subprocess.Popen(
                        ["/bin/sh", "-c", self._SCRIPT, "sh"],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL,
                        start_new_session=True,
                    )
                    atexit.register(self.close)

    def over(self, group: int) -> None:
        """A process group has started."""
        with self._lock:
            self._groups.add(group)
            self._tell(f"+ {group}\n")

    def done(self, group: int) -> None:
        """It has ended."""
        with self._lock:
            self._groups.discard(group)
            self._tell(f"- {group}\n")

    def _tell(self, line: str) -> None:
        if self._shell is not None and self._shell.stdin is not None:
            with contextlib.suppress(OSError):  # somebody ended it
                os.write(self._shell.stdin.fileno(), line.encode())

    def end(self) -> None:
        """Kill all that runs."""
        with self._lock:
            for group in self._groups:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)

    def close(self) -> None:
        """Let the shell go."""
        if self._shell is not None and self._shell.stdin is not None:
            self._shell.stdin.close()
            self._shell.wait()

    def forked(self) -> None:
        """In a copy of this process: the shell waits for the other one alone."""
        if self._shell is not None and self._shell.stdin is not None:
            os.close(self._shell.stdin.fileno())


_watch = _Watch()

T = TypeVar("T")
R = TypeVar("R")


def in_parallel(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """What `work` makes of each item, by as many threads as there are processors, in order.

    Where one raises, or we are interrupted, the rest is not begun, and the processes that run are killed: they would
    be waited for.
    """
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        tasks = [pool.submit(work, item) for item in items]
        try:
            return [task.result() for task in tasks]
        except BaseException:
            for task in tasks:
                task.cancel()
            while not all(task.done() for task in tasks):
                _watch.end()
                time.sleep(0.01)
            raise


class Fork:
    """A copy of this process that makes pieces of bytes while we go on; they wait in a file that has no name."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        """Starts it. Raises OSError where there can be no other process, or no file."""
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        self._at = 0
        parent = os.getpid()
        try:
            self.child = os.fork()
        except BaseException:
            self._file.close()
            raise
        if self.child == 0:
            self._write(pieces, parent)

    def _write(self, pieces: Iterable[bytes], parent: int) -> NoReturn:
        try:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            _watch.forked()
            for piece in pieces:
                if os.getppid() != parent:
                    os._exit(0)  # nobody waits for it any more
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
        named = Path(os.environ.get("XDG_CACHE_HOME", ""))
        home = named if named.is_absolute() else Path.home() / ".cache"  # as the specification has it
        root = home / "gitops-layout"
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
