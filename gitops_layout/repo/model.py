"""A Repo: a tree of files at a revision, and the documents and resources in it."""

from __future__ import annotations

import errno
import re
from bisect import bisect_left
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import field, replace
from functools import cache, cached_property
from itertools import chain, islice, takewhile
from posixpath import basename, join, normpath
from typing import TYPE_CHECKING, Any, cast

from gitops_layout.errors import UserError
from gitops_layout.model import Location, ObjectRef, Path, Span, Unchecked, UncheckedClass
from gitops_layout.patterns import regexp
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from gitops_layout.source.document import Document, Stream, SyntaxProblem

__all__ = [
    "MAX_BYTES",
    "Entry",
    "Repo",
    "Resource",
    "UnreadableError",
    "broken",
    "folders_above",
    "is_aside",
    "is_parked",
    "is_template",
    "is_test_data",
    "is_yaml",
    "object_ref",
]

MAX_BYTES = 10 * 2**20
"""Larger files are not read: an API server refuses objects of 3 MiB, and 10 hold the largest CRD dumps."""

_MAX_LINKS = 40


_TOOLS = frozenset({"tests", "testdata", "fixtures"})


def is_aside(path: str) -> bool:
    """Whether a file lies in a hidden folder or among test data: it is somebody's, but nobody delivers it.

    `test` alone is an environment as often as a folder of tests, so it does not count.
    """
    return is_test_data(path) or any(part.startswith(".") for part in path.split("/")[:-1])


def is_test_data(path: str) -> bool:
    """Whether a file lies in a folder of tests or of what they read."""
    return not _TOOLS.isdisjoint(path.split("/")[:-1])


_MARKS = regexp(r"\{\{|\{%|^[ \t]*+(?:- *+)?<[A-Z][A-Z0-9_]++>[ \t]*+$|<<[^:]", re.MULTILINE)
_QUOTED_MARKS = regexp(r"^[ \t]*+#.*$|(['\"])[^'\"{}\n]*\{\{(?=[^'\"\n]*\}\})[^'\"\n]*+\1", re.MULTILINE)
"""What YAML reads as a text although it has marks in it, as in an ApplicationSet, and comments."""
_SET = regexp(r"^kind: *+ApplicationSet *+$", re.MULTILINE)


def is_template(repo: Repo, path: str) -> bool:
    """Whether a file that is no YAML bears the marks of a template: some tool's, unless an agent reads it.

    What stands below the place where it cannot be read is not the reason. An ApplicationSet is no tool's template: the
    marks are its own, and Argo CD takes them where they are quoted.
    """
    stream = repo.stream(path)
    if not stream.problems:
        return False
    read = "\n".join(stream.text.split("\n")[: stream.problems[0].line])
    return _SET.search(read) is None and _MARKS.search(_QUOTED_MARKS.sub("", read)) is not None


_PARKED = regexp(
    r"(^|/)[._-]*(archived?|archives|attic|bak|deprecated|disabled|old|retired|unused|wip)(?=/)"
    r"|(^|/)(_[\w-]*templates?|skeletons?|boilerplates?)(?=/)"
    r"|(^|[/._-])template\.ya?ml$",
    re.IGNORECASE,
)


def is_parked(path: str) -> bool:
    """Whether a file lies in a folder whose name says that it is out of use or is copied from, or is called a template: an
    agent's object there is no root.

    Only words that mean nothing else: `backup` may be an application, and `examples` may be synced.
    """
    return _PARKED.search(path) is not None


def folders_above(path: str) -> Iterator[str]:
    """The folders that a path lies in, from the nearest one on; the last is the top, ""."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def is_yaml(path: str) -> bool:
    """Whether the file name says YAML (or JSON, which is YAML)."""
    return path.endswith((".yaml", ".yml", ".json"))


_GONE = "it was there when the run began, and is no longer a file"
_CLOSED = "it cannot be read"


class UnreadableError(UserError):
    """A file of the tree that cannot be read after all; `why` says so, and what to do.

    Where nobody can do without the file, the run ends as incomplete.
    """

    def __init__(self, path: str, error: OSError) -> None:
        self.path = path
        gone = error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)
        self.why = (
            f"{_GONE}; run again"
            if gone
            else f"{_CLOSED}: {error.strerror}; make it readable, or keep it out of the repository"
        )
        super().__init__(f"{path}: {self.why}", exit_code=3)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: `size` in bytes, and for a symbolic link its `target` as stored.

    `signature` is what changes with a plain file of a work tree: size, mtime_ns, ctime_ns, inode.
    """

    size: int
    target: str | None = None
    signature: tuple[int, int, int, int] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Resource:
    """A document that is a Kubernetes object by its looks: apiVersion and kind are strings.

    `origin` tells for a rendered object where each value was written; None where all stand at `location`.
    """

    ref: ObjectRef
    data: dict[str, Any]
    location: Location
    origin: Callable[[Path], Location] | None = field(default=None, compare=False, repr=False)

    @property
    def file(self) -> str:
        """The file it stands in."""
        return self.location.file


class _Layer(dict[str, "Stream"]):
    """What was read of a view: of files that are not its own the streams `below` count."""

    __slots__ = ("_below", "_own")

    def __init__(self, below: Mapping[str, Stream], own: AbstractSet[str]) -> None:
        self._below = below
        self._own = own

    def __missing__(self, path: str) -> Stream:
        if path in self._own:
            raise KeyError(path)
        return self._below[path]


def _unknown(_revision: str, _path: str) -> None:
    """Where there is no git, nobody knows what another revision holds."""


@dataclass(frozen=True)
class Repo:
    """A tree of files: a work tree, a git revision, or in memory.

    Paths are relative to the root, with `/`, normalised; "" is the root itself. `content` reads one
    file's bytes, or raises UnreadableError. `holds_at` says whether a path exists at a tag or commit of the clone, None
    where the clone does not have that. Nothing outside the tree is ever read: a link that leaves it resolves to None.
    """

    root: str
    revision: str | None
    entries: Mapping[str, Entry]
    content: Callable[[str], bytes]
    remotes: tuple[str, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()
    holds_at: Callable[[str, str], bool | None] = field(default=_unknown, repr=False, compare=False)
    _streams: dict[str, Stream] = field(default_factory=dict, repr=False, compare=False)
    kustomizations: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """What the layer above made of the kustomizations by their folders: every build asks for the same ones."""

    @cached_property
    def folders(self) -> Mapping[str, tuple[str, ...]]:
        """Each folder's direct children (names), sorted; folders of links are not entered."""
        children: dict[str, set[str]] = {"": set()}
        for path in self.entries:
            while path:
                parent, _, name = path.rpartition("/")
                known = parent in children
                children.setdefault(parent, set()).add(name)
                if known:
                    break
                path = parent
        return {folder: tuple(sorted(names)) for folder, names in children.items()}

    def unread(self, path: str) -> str | None:
        """What keeps a path from being read that is there all the same, in words; None where nothing does."""
        for entry in self.unchecked:
            _, _, place = entry.what.partition(" ")
            if path == place or path.startswith(f"{place}/"):
                return f"{place}: {entry.why}"
        problems = self.stream(path).problems if path in self.entries else ()
        if problems and problems[0].message.startswith((_GONE, _CLOSED)):
            return f"{path}: {problems[0].message}"
        return None

    def resolve(self, path: str, links: set[str] | None = None) -> str | None:
        """The real path inside the tree, links followed; None when it is absent or leaves the tree.

        The links passed on the way are added to `links`.
        """
        entry = self.entries.get(path)
        if entry is not None and entry.target is None:
            return path
        passed: list[str] = []
        real = self._resolve(path, passed)
        if real is not None and links is not None:
            links.update(passed)
        return real

    def _resolve(self, path: str, passed: list[str]) -> str | None:
        clean = normpath(path) if path else ""
        if clean == ".":
            clean = ""
        if clean.startswith(("../", "/")) or clean == ".." or "\x00" in clean:
            return None
        plain = self.entries.get(clean)
        if clean in self.folders or (plain is not None and plain.target is None):
            return clean  # nothing is listed behind a link, so none lies on the way
        return self._walked(clean, passed)

    def _walked(self, clean: str, passed: list[str]) -> str | None:
        """Step by step as the kernel goes: behind a link `..` is the parent of where the link leads."""
        done: list[str] = []
        waiting = clean.split("/")[::-1]
        while waiting:
            part = waiting.pop()
            if part in ("", "."):
                continue
            if part == "..":
                if not done:
                    return None
                done.pop()
                continue
            here = "/".join((*done, part))
            entry = self.entries.get(here)
            if entry is None and here not in self.folders:
                return None
            if entry is None or entry.target is None:
                if entry is not None and waiting:
                    return None
                done.append(part)
                continue
            if len(passed) >= _MAX_LINKS or entry.target.startswith("/"):
                return None
            passed.append(here)
            waiting += entry.target.split("/")[::-1]
        return "/".join(done)

    def is_file(self, path: str) -> bool:
        """Whether `path` is a file of the tree, links followed."""
        real = self.resolve(path)
        return real is not None and real in self.entries

    def is_folder(self, path: str) -> bool:
        """Whether `path` is a folder of the tree, links followed."""
        real = self.resolve(path)
        return real is not None and real in self.folders

    def under(self, folder: str) -> Iterator[str]:
        """All files below `folder`, sorted, links not followed."""
        prefix = f"{folder}/" if folder else ""
        start = bisect_left(self.files, prefix)
        return takewhile(lambda path: path.startswith(prefix), islice(self.files, start, None))

    @cached_property
    def files(self) -> tuple[str, ...]:
        """All paths, sorted."""
        return tuple(sorted(self.entries))

    def over(self, files: Mapping[str, bytes]) -> Repo:
        """The same repository with some files written over: what an agent's own working copy holds."""
        # Layers, not copies: every delivery may write something over, and the repository may be large.
        entries = ChainMap(
            {path: Entry(len(data)) for path, data in files.items()},
            cast("MutableMapping[str, Entry]", self.entries),
        )

        def content(path: str) -> bytes:
            return files[path] if path in files else self.content(path)

        streams = _Layer(self._streams, files.keys())
        view = replace(self, entries=entries, content=content, _streams=streams, kustomizations={})
        if all(path in self.entries for path in files):
            view.__dict__["folders"] = self.folders  # the same names: what is known of them stays
        return view

    def without(self, paths: AbstractSet[str]) -> Repo:
        """The same repository with some files not there."""
        entries = {path: e for path, e in self.entries.items() if path not in paths}
        return replace(self, entries=entries, kustomizations={})

    def stream(self, path: str) -> Stream:
        """The YAML of a file, read once: documents and what is wrong with them."""
        known = self._streams.get(path)  # by its real path, which most are asked by
        if known is not None and path in self.entries:
            return known
        real = self.resolve(path)
        if real is None or real not in self.entries:
            return _unread(path, "the file is not in the repository")
        try:
            return self._streams[real]
        except KeyError:
            stream = self._streams[real] = self._read(real)
            return stream

    def give(self, path: str, stream: Stream) -> None:
        """What another process read of a file, for `stream` to have it."""
        self._streams[path] = stream

    def _read(self, path: str) -> Stream:
        if self.entries[path].size > MAX_BYTES:
            return _unread(path, f"larger than {MAX_BYTES // 2**20} MiB, not read")
        try:
            content = self.content(path)
        except UnreadableError as error:
            return _unread(path, error.why)
        return _reader()(content, path)

    def text(self, path: str) -> str:
        """A file's decoded text ("" where it cannot be decoded), without BOM."""
        real = self.resolve(path)
        if real is None or real not in self.entries or self.entries[real].size > MAX_BYTES:
            return ""
        try:
            return self.content(real).decode("utf-8-sig", errors="replace")
        except UnreadableError:
            return ""  # whoever needs it has its stream's problem

    def documents(self, path: str) -> tuple[Document, ...]:
        """The documents of a YAML file that could be read."""
        return self.stream(path).documents

    def span(self, location: Location) -> Span:
        """Line and column of a place; of its nearest existing ancestor where the path is absent."""
        if location.span is not None:
            return location.span
        documents = self.documents(location.file) if is_yaml(location.file) else ()
        if location.document >= len(documents):
            return Span(1, 1, 1, 1, 0, 0)
        return documents[location.document].span(location.path, key=location.key)

    @cached_property
    def charts(self) -> tuple[str, ...]:
        """Folders that hold a Helm chart."""
        return tuple(
            path.removesuffix("Chart.yaml").rstrip("/")
            for path in self.files
            if basename(path) == "Chart.yaml"
        )

    @cached_property
    def _chart_parts(self) -> tuple[str, ...]:
        return tuple(join(chart, part) for chart in self.charts for part in ("templates/", "charts/"))

    @cached_property
    def manifests(self) -> tuple[str, ...]:
        """The files that we read as YAML: not a chart's templates and subcharts, not links to others."""
        return tuple(
            path
            for path in self.files
            if is_yaml(path) and self.entries[path].target is None and not path.startswith(self._chart_parts)
        )

    @cached_property
    def resources(self) -> tuple[Resource, ...]:
        """Every document of every manifest that looks like a Kubernetes object, `List`s opened."""
        return tuple(chain.from_iterable(map(self.objects, self.manifests)))

    def objects(self, path: str) -> tuple[Resource, ...]:
        """Every document of one file that looks like a Kubernetes object, `List`s opened."""
        try:
            return self._objects[path]
        except KeyError:
            each = [
                _resources(document.data, Location(path, (), document.index))
                for document in self.documents(path)
            ]
            found = self._objects[path] = tuple(chain.from_iterable(each))
            return found

    @cached_property
    def _objects(self) -> dict[str, tuple[Resource, ...]]:
        """What `objects` found: linking, delivering and judging all ask for it."""
        return {}

    @cached_property
    def unparsable(self) -> tuple[tuple[str, SyntaxProblem], ...]:
        """Files that could not be read whole, each with what is wrong."""
        return tuple((path, problem) for path in self.manifests for problem in self.stream(path).problems)


@cache
def _reader() -> Callable[[str | bytes, str], Stream]:
    """The reader of YAML, imported with the first file: a run that finds its result in the cache needs none."""
    from gitops_layout.source.reader import read

    return read


def _unread(path: str, why: str) -> Stream:
    from gitops_layout.source.document import Stream, SyntaxProblem

    return Stream(path, "", (), (SyntaxProblem(why, 1, 1),))


def object_ref(data: Mapping[str, Any], api_version: str, kind: str) -> ObjectRef:
    """An object's identity; parts that are no strings (templates) are empty."""
    metadata = data.get("metadata")
    name, namespace = (
        (metadata.get("name"), metadata.get("namespace")) if isinstance(metadata, dict) else ("", "")
    )
    return ObjectRef(
        api_version,
        kind,
        namespace if isinstance(namespace, str) else "",
        name if isinstance(name, str) else "",
    )


def _resources(data: Any, location: Location) -> Iterable[Resource]:
    # Spelt out, for every document passes here: a `match` on mappings takes twice as long.
    if not isinstance(data, dict):
        return ()
    api_version, kind = data.get("apiVersion"), data.get("kind")
    if not isinstance(api_version, str) or not isinstance(kind, str):
        return ()
    items = data.get("items") if kind == "List" and api_version == "v1" else None
    if isinstance(items, list):
        return [r for n, item in enumerate(items) for r in _resources(item, location.at("items", n))]
    return (Resource(object_ref(data, api_version, kind), data, location),)


def broken(what: str, why: str, location: Location | None = None) -> Unchecked:
    """Shorthand for what the repository itself got wrong."""
    return Unchecked(what, UncheckedClass.BROKEN, why, location)
