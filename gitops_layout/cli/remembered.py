"""The one place where commands ask the cache: what did this very command say of this very tree?

A command's words are a function of the tool, its options, the day and what the tree holds, so they are
kept by the digest of all of these. A command that finds its words ends before it imports anything that
reads YAML.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import sys
from dataclasses import field
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitops_layout import __version__, bundle
from gitops_layout.repo.ahead import read_by_two
from gitops_layout.repo.contents import Contents
from gitops_layout.repo.digests import State, state, unchanged
from gitops_layout.repo.load import listed
from gitops_layout.store.cache import Cache, digest, place
from gitops_layout.system import cache_dir, write_named
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from gitops_layout.repo.load import Listing
    from gitops_layout.repo.model import Repo

__all__ = ["OWN", "VARIABLE", "Memory", "Said", "command", "option"]

OWN = (".gitops-layout", "gitops.yaml", "gitops.d/")
"""How the paths of our own files begin: they change the meaning of all others."""

VARIABLE = "GITOPS_LAYOUT_NO_CACHE"
"""Set to anything but nothing, `0` or `false`, every command does as with `--no-cache`."""

_LOCK = ".gitops-layout/fetch.lock.yaml"
_TOGETHER = 32
"""Pieces that are kept as one: few enough that an edit of one rewrites little, so many that there are few to read."""


@dataclass(slots=True)
class Said:
    """What a command says and leaves: standard output in pieces, standard error, its exit code, and files
    with their pieces. `note` is what a later run of the command may find useful, and `extra` more of that, kept by the
    digests that the note names.
    """

    out: list[str] = field(default_factory=list)
    err: str = ""
    code: int = 0
    files: dict[str, list[str]] = field(default_factory=dict)
    note: str | None = None
    extra: dict[bytes, bytes] = field(default_factory=dict)
    lasting: bool = True
    """False where something outside the tree had a say."""
    of_commit: bool = True
    """Whether the commit that is checked out had a say, besides the tree."""


@dataclass(frozen=True, slots=True)
class Memory:
    """A listed tree, what was read of it and what is known of it. `key` stands for the command and all around it,
    `commit_key` for that and the commit that is checked out.
    """

    contents: Contents
    state: State
    cache: Cache
    key: bytes
    commit_key: bytes

    @property
    def listing(self) -> Listing:
        """What is there."""
        return self.contents.listing

    @property
    def repo(self) -> Repo:
        """The tree, each of whose files is read once where there is room to keep it."""
        return self.contents.repo()

    def recall(self, tree: bytes | None = None) -> Said | None:
        """What the command said of this tree, or of another with the same options; None where that is not known."""
        for key in (self.key, self.commit_key):
            said = self._recall(digest(b"said", key, tree or self.state.tree))
            if said is not None:
                said.of_commit = key is self.commit_key
                return said
        return None

    def _recall(self, key: bytes) -> Said | None:
        value = self.cache.get(key)
        if value is None:
            return None
        data = json.loads(value)
        groups = [*data["out"], *chain.from_iterable(data["files"].values())]
        names = [name for name, _ in groups]
        if data["note"] is not None:
            names.append(data["note"])
        texts = self.cache.many(bytes.fromhex(name) for name in names)
        if len(texts) != len(set(names)):
            return None
        text = {key.hex(): value.decode() for key, value in texts.items()}
        return Said(
            list(_pieces(data["out"], text)),
            data["err"],
            data["code"],
            {file: list(_pieces(groups, text)) for file, groups in data["files"].items()},
            text[data["note"]] if data["note"] is not None else None,
        )

    def keep(self, said: Said) -> None:
        """Remember, unless what the command read is not what its digest was made of."""
        own = (
            path for path in self.listing.entries if path.startswith(OWN)
        )  # which are read by their names as well
        if not said.lasting or not self.cache.usable:
            return
        if not unchanged(self.listing, self.contents.unsure().union(own)):
            return
        pieces: dict[str, bytes] = {}

        def named(text: str) -> str:
            content = text.encode()
            name = digest(b"piece", content)
            pieces[name.hex()] = content
            return name.hex()

        def grouped(texts: list[str]) -> list[tuple[str, list[int]]]:
            groups = [texts[start : start + _TOGETHER] for start in range(0, len(texts), _TOGETHER)]
            return [(named("".join(group)), [len(text) for text in group]) for group in groups]

        value = {
            "out": grouped(said.out),
            "err": said.err,
            "code": said.code,
            "files": {file: grouped(texts) for file, texts in said.files.items()},
            "note": named(said.note) if said.note is not None else None,
        }
        contents = {bytes.fromhex(name): content for name, content in pieces.items()} | said.extra
        known = self.cache.known(contents)
        for key, content in contents.items():
            if key not in known:
                self.cache.put(key, content)
        key = self.commit_key if said.of_commit else self.key
        self.cache.put(digest(b"said", key, self.state.tree), json.dumps(value).encode())


def _pieces(groups: Iterable[tuple[str, list[int]]], text: Mapping[str, str]) -> Iterator[str]:
    """The pieces that were kept together, one by one."""
    for name, sizes in groups:
        start = 0
        for size in sizes:
            yield text[name][start : start + size]
            start += size


def option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--no-cache`, as every reading verb has it."""
    return click.option(
        "--no-cache", is_flag=True, envvar=VARIABLE, help="Neither use nor keep results of earlier runs."
    )(function)


def command(
    verb: str,
    root: Path,
    options: Mapping[str, Any],
    run: Callable[[Memory], Said],
    *,
    ready: Callable[[], object] | None,
    use: bool = True,
) -> int:
    """What `verb` said of this tree with these options before, else what `run` says now; printed. Returns the
    exit code. `options` are everything besides the tree that decides it, and `ready` prepares for a run that reads the
    whole tree, as most do.
    """
    gc.disable()  # as in loading: a short life
    contents = Contents(listed(root))
    listing, repo = contents.listing, contents.repo()
    with_cache = Cache(place() if use else None)

    def unknown() -> None:
        if ready is not None:
            read_by_two(repo, contents, ready)

    try:
        key = digest(b"command", _tool(), verb.encode(), _surroundings(listing, options))
        if with_cache.usable:
            known = state(contents, with_cache, _tool(), unknown)
        else:
            known = State(b"")
            unknown()
        commit_key = digest(b"commit", key, (listing.revision or "").encode())
        memory = Memory(contents, known, with_cache, key, commit_key)
        said = memory.recall() if with_cache.usable else None
        if said is None:
            said = run(memory)
            memory.keep(said)
    finally:
        with_cache.close()
    return _deliver(said)


def _deliver(said: Said) -> int:
    for file, texts in said.files.items():
        write_named(Path(file), "".join(texts))
    if said.err:
        click.echo(said.err, nl=False, err=True)
    if said.out:
        click.echo("".join(said.out), nl=False)
    return said.code


def _surroundings(listing: Listing, options: Mapping[str, Any]) -> bytes:
    """All that decides a command's words besides the tool and the contents of the tree."""
    facts = {
        "options": {name: _plain(value) for name, value in sorted(options.items())},
        "root": listing.root,
        "cwd": os.getcwd(),
        "committed": listing.revision is not None,
        "remotes": listing.remotes,
        "tags": listing.tags,
        "unchecked": [repr(entry) for entry in listing.unchecked],
        "day": datetime.now().astimezone().date().isoformat(),
        "helm": _program("helm"),
        "store": list(_store()) if _LOCK in listing.entries else None,
    }
    return json.dumps(facts, default=str).encode()


def _plain(value: Any) -> Any:
    """An option's value; of a file that it names, the content."""
    if isinstance(value, Path):
        try:
            content = hashlib.blake2b(value.read_bytes()).hexdigest() if value.is_file() else None
        except OSError:
            content = "unreadable"
        return [str(value), content]
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def _program(name: str) -> list[Any]:
    import shutil

    found = shutil.which(name)
    if found is None:
        return []
    status = Path(found).stat()
    return [found, status.st_size, status.st_mtime_ns]


def _store() -> Iterator[tuple[str, int, int]]:
    """What was fetched, as far as names and times tell: contents are checked by digest when they are read."""
    for folder, _, files in os.walk(cache_dir("store") / "sha256"):
        for name in files:
            status = os.lstat(os.path.join(folder, name))
            yield name, status.st_size, status.st_mtime_ns


_tools: list[bytes] = []


def _tool() -> bytes:
    """The tool itself: its version, its own files (in a checkout they change without one), Python, and the
    folders of installed packages, whose time changes with each installation.
    """
    if not _tools:
        rows: list[tuple[Any, ...]] = [(__version__, sys.version)]
        rows += [(name, os.stat(name).st_mtime_ns) for name in sys.path if name.endswith("-packages")]
        for base in (Path(__file__).parent.parent, bundle.root() / "rules"):
            for folder, _, files in os.walk(base):
                for name in sorted(files):
                    if not name.endswith(".pyc"):
                        status = os.stat(os.path.join(folder, name))
                        rows.append((folder, name, status.st_size, status.st_mtime_ns))
        _tools.append(digest(repr(rows).encode()))
    return _tools[0]
