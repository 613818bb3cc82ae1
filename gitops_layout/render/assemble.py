"""The tree of an artifact that Flux assembles from other sources' files, and the way back from it to these files.

Facts: source-watcher v2.2 (internal/builder): `from` is a name or a pattern of Go's fs.Glob, in which `**` is no more
than `*`, and what matches is copied like `cp -r`; `exclude` are doublestar patterns; `Merge` joins two YAML files as
Helm joins values; `Extract` takes doublestar patterns and unpacks archives; at last Flux's own defaults, and no `.sourceignore`, leave files out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from io import BytesIO
from posixpath import basename, dirname, join, normpath, relpath
from typing import TYPE_CHECKING, Any

from gitops_layout.agents.applicationset.globs import PatternError, folder_matcher
from gitops_layout.agents.argocd.globs import alternatives
from gitops_layout.agents.artifactfolders import is_glob
from gitops_layout.agents.delivery import Copied
from gitops_layout.model import Location, Path
from gitops_layout.render.artifact import leaves_out
from gitops_layout.repo.model import Entry, Repo
from gitops_layout.source.emit import text_of
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from gitops_layout.source.document import Document

__all__ = ["ROOT", "AssemblyError", "Tree", "assemble"]

ROOT = "@artifact"
"""The folder where an artifact's files lie in its tree: no path in it is like one of the repository."""

MAX_FILES = 100_000
"""More are not put together: every generator may copy the whole repository any number of times."""

MAX_UNPACKED = 100 * 2**20
"""Bytes that come out of archives: of one, more are refused by Flux, too."""

Way = Callable[[Location], Location]
"""A place in a file of the artifact to the place that it was copied from."""


class AssemblyError(Exception):
    """Flux cannot make the artifact, for the reason given, by the fault of the copy at `location`."""

    def __init__(self, why: str, location: Location) -> None:
        super().__init__(why)
        self.why = why
        self.location = location


def _stay(location: Location) -> Location:
    return location


def _itself(path: str) -> frozenset[str]:
    return frozenset({path})


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of a source below the folder `base`; `way` leads from places in them to what they are copies of, and
    `came` tells the files of this repository that one consists of.
    """

    repo: Repo
    way: Way = _stay
    came: Callable[[str], frozenset[str]] = _itself
    base: str = ""


@dataclass(frozen=True, slots=True)
class _File:
    content: Callable[[], bytes]
    size: int
    way: Way
    came: frozenset[str]
    unpacked: bool = False


def assemble(copies: Sequence[Copied], tree_of: Callable[[Copied], Tree]) -> Tree:
    """The artifact that the copies make of the trees of their sources. Raises AssemblyError where they make none."""
    files: dict[str, _File] = {}
    for copy in copies:
        try:
            _copied(files, copy, tree_of(copy))
        except PatternError as error:
            raise AssemblyError(str(error), copy.location) from error
        if len(files) > MAX_FILES:
            raise AssemblyError(f"more than {MAX_FILES} files", copy.location)
    twice = next((path for path in files for above in _above(path) if above in files), None)
    if twice is not None:
        raise AssemblyError(f"{dirname(twice)} is both a file and a folder of it", copies[-1].location)
    placed = {join(ROOT, path): file for path, file in files.items()}
    entries = {path: Entry(file.size) for path, file in placed.items()}
    repo = Repo(ROOT, None, entries, lambda path: placed[path].content())
    leaves = leaves_out(repo, own=False)
    kept = repo.without({path for path in entries if leaves(path) is not None})

    def way(location: Location) -> Location:
        file = placed.get(location.file)
        if file is not None:
            return file.way(replace(location, file=location.file.removeprefix(f"{ROOT}/")))
        return location

    def came(path: str) -> frozenset[str]:
        return placed[path].came if path in placed else frozenset()

    return Tree(kept, way, came, ROOT)


def _above(path: str) -> Iterator[str]:
    while path := dirname(path):
        yield path


def _copied(files: dict[str, _File], copy: Copied, tree: Tree) -> None:
    """Add what one copy brings."""
    for pattern in copy.exclude:
        _doublestar(pattern)  # a malformed one fails the artifact, whatever it would meet
    if copy.strategy == "Extract":
        _extract(files, copy, tree)
        return
    if not is_glob(copy.pattern):
        _copy_named(files, copy, tree)
        return
    found = [path for path in _matching(tree, copy.pattern.split("/")) if path]
    if not found:
        raise AssemblyError(f"nothing matches {copy.pattern}", copy.location)
    root = _selection_root(copy.pattern)
    kept = [path for path in found if not _excluded(copy.exclude, path, root)]
    if not kept:
        raise AssemblyError(f"all that matches {copy.pattern} is excluded", copy.location)
    prefix = copy.pattern.removesuffix("/**") + "/" if copy.pattern.endswith("/**") else ""
    for path in kept:
        target = _clean(join(copy.target, path.removeprefix(prefix)), copy)
        if join(tree.base, path) in tree.repo.entries:
            _put(files, copy, tree, path, target)
        else:
            _copy_folder(files, copy, tree, path, target, root)


def _copy_named(files: dict[str, _File], copy: Copied, tree: Tree) -> None:
    """A file or a folder by its name, as `cp -r` takes it."""
    path = _clean(copy.pattern, copy)
    place = join(tree.base, path).rstrip("/")
    if place in tree.repo.entries:
        if _excluded(copy.exclude, path, ""):
            return
        target = _clean(copy.target, copy)
        inside = (
            copy.target.endswith("/") or not target or any(name.startswith(f"{target}/") for name in files)
        )
        _put(files, copy, tree, path, join(target, basename(path)) if inside else target)
    elif place in tree.repo.folders:
        _copy_folder(files, copy, tree, path, _clean(join(copy.target, basename(path)), copy), path)
    else:
        raise AssemblyError(f"{copy.pattern} is not in the source", copy.location)


def _extract(files: dict[str, _File], copy: Copied, tree: Tree) -> None:
    """What the archives hold that a copy names: of a pattern, in which `**` goes deep here, all else is passed over."""
    base = f"{tree.base}/" if tree.base else ""
    if is_glob(copy.pattern):
        wanted, root = _doublestar(copy.pattern), _selection_root(copy.pattern)
        inside = sorted(path[len(base) :] for path in tree.repo.entries if path.startswith(base))
        found = [path for path in inside if _fits(wanted, path)]
        if not found:
            raise AssemblyError(f"nothing matches {copy.pattern}", copy.location)
        named = [path for path in found if not _excluded(copy.exclude, path, root)]
        if not named:
            raise AssemblyError(f"all that matches {copy.pattern} is excluded", copy.location)
        named = [path for path in named if _is_archive(path)]
    else:
        path = _clean(copy.pattern, copy)
        if f"{base}{path}" not in tree.repo.entries:
            raise AssemblyError(f"no file of the source is called {copy.pattern}", copy.location)
        named = [] if _excluded(copy.exclude, path, "") else [path]
        if named and not _is_archive(path):
            raise AssemblyError(f"{path} is no .tar.gz or .tgz, which Extract asks for", copy.location)
    for path in named:
        _unpack(files, copy, tree, path)


def _is_archive(path: str) -> bool:
    return path.lower().endswith((".tar.gz", ".tgz"))


def _unpack(files: dict[str, _File], copy: Copied, tree: Tree, path: str) -> None:
    """The files of one archive. What is found in them is placed at the copy: an archive has no lines."""
    # Imported when the first archive is met.
    from gitops_layout.store.archive import RefusedError
    from gitops_layout.store.archive import files as packed

    place = join(tree.base, path)
    came, target = tree.came(place), _clean(copy.target, copy)
    left = MAX_UNPACKED - sum(file.size for file in files.values() if file.unpacked)
    try:
        for name, content in packed(BytesIO(tree.repo.content(place)), limit=max(left, 0)):
            files[join(target, name)] = _File(
                partial(bytes, content), len(content), lambda _: copy.location.at("from"), came, True
            )
    except RefusedError as error:
        raise AssemblyError(f"{path} cannot be unpacked: {error}", copy.location) from error


def _clean(path: str, copy: Copied) -> str:
    clean = normpath(path) if path else "."
    if clean.startswith(("/", "../")) or clean == ".." or "\0" in clean:
        raise AssemblyError(f"{path} leads out of the source or the artifact", copy.location)
    return "" if clean == "." else clean


def _selection_root(pattern: str) -> str:
    parts = pattern.split("/")
    return "/".join(parts[: next(number for number, part in enumerate(parts) if is_glob(part))])


def _matching(tree: Tree, parts: Sequence[str]) -> Iterator[str]:
    """Files and folders of the source, name by name."""
    matchers = [folder_matcher(part) for part in parts]
    found = [""]
    for matcher in matchers:
        found = [
            join(folder, name)
            for folder in found
            for name in tree.repo.folders.get(join(tree.base, folder).rstrip("/"), ())
            if matcher(name)
        ]
    yield from found


def _copy_folder(
    files: dict[str, _File], copy: Copied, tree: Tree, folder: str, target: str, root: str
) -> None:
    """All below a folder but what is excluded, by itself or with a folder on the way to it; nothing is merged."""
    start = join(tree.base, folder).rstrip("/")
    out: dict[str, bool] = {folder: False}
    for place in tree.repo.under(start):
        path = relpath(place, tree.base) if tree.base else place
        if not _is_out(path, out, copy.exclude, root):
            rest = path[len(folder) :].lstrip("/")
            files[join(target, rest)] = _file(tree, path)
        if len(files) > MAX_FILES:
            return


def _is_out(path: str, known: dict[str, bool], patterns: Sequence[str], root: str) -> bool:
    if not patterns:
        return False
    if path not in known:
        above = dirname(path)
        known[path] = (bool(above) and _is_out(above, known, patterns, root)) or _excluded(
            patterns, path, root
        )
    return known[path]


def _excluded(patterns: Sequence[str], path: str, root: str) -> bool:
    """By its path from the source's root or from the selected folder, or where the pattern has no slash by its name."""
    paths = [path, path[len(root) + 1 :]] if root and path.startswith(f"{root}/") else [path]
    return any(
        _fits(_doublestar(pattern), name)
        for pattern in patterns
        for name in (*paths, *([] if "/" in pattern else [basename(path)]))
    )


_Names = tuple[Callable[[str], bool] | None, ...]
"""A pattern by its names; None is a `**`, which stands for any number of them."""


def _doublestar(pattern: str) -> tuple[_Names, ...]:
    """A doublestar pattern without its braces. Raises PatternError for a malformed one."""
    try:
        found = alternatives(pattern)
    except ValueError as error:
        raise PatternError(f"{pattern}: {error}") from error
    return tuple(
        tuple(None if part == "**" else folder_matcher(part.replace("[!", "[^")) for part in text.split("/"))
        for text in found
    )


def _fits(patterns: tuple[_Names, ...], path: str) -> bool:
    return any(_fits_names(names, path.split("/")) for names in patterns)


def _fits_names(pattern: _Names, names: Sequence[str]) -> bool:
    states = {0}
    for name in names:
        states = _skipped(pattern, states)
        states = {
            state if pattern[state] is None else state + 1
            for state in states
            if state < len(pattern) and ((matcher := pattern[state]) is None or matcher(name))
        }
    return len(pattern) in _skipped(pattern, states)


def _skipped(pattern: _Names, states: set[int]) -> set[int]:
    found = set(states)
    for state in states:
        while state < len(pattern) and pattern[state] is None:
            state += 1
            found.add(state)
    return found


def _file(tree: Tree, path: str) -> _File:
    place = join(tree.base, path)

    def way(location: Location) -> Location:
        return tree.way(replace(location, file=place))

    return _File(partial(tree.repo.content, place), tree.repo.entries[place].size, way, tree.came(place))


def _put(files: dict[str, _File], copy: Copied, tree: Tree, path: str, target: str) -> None:
    file = _file(tree, path)
    there = files.get(target)
    if copy.strategy == "Merge" and there is not None:
        file = _merged(there, target, file, copy)
    files[target] = file


def _merged(below: _File, name: str, above: _File, copy: Copied) -> _File:
    """Two YAML files as one: maps key by key, all else as the upper one has it."""
    from gitops_layout.source.reader import read

    layers: list[tuple[Document, Way]] = []
    data: dict[str, Any] = {}
    for file in (below, above):
        stream = read(file.content(), name)
        if stream.problems:
            raise AssemblyError(f"{name} cannot be merged: {stream.problems[0].message}", copy.location)
        for document in stream.documents:
            if document.data is None:
                continue
            if not isinstance(document.data, dict):
                raise AssemblyError(f"{name} cannot be merged: it holds no map", copy.location)
            layers.append((document, file.way))
            data = _over(data, document.data)
    content = text_of(data).encode()

    def way(location: Location) -> Location:
        path: Path = location.path
        upper = next(((d, w) for d, w in reversed(layers) if d.has(path)), None)
        document, further = upper if upper is not None else layers[-1]
        return further(replace(location, document=document.index, span=None))

    return _File(lambda: content, len(content), way, below.came | above.came)


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        mine = merged.get(key)
        merged[key] = _over(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return merged
