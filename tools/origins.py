"""Origins are causes: change what the origin of a rendered value names, build again, and see what changes.

A *claim* is a place in the sources that some leaves of the objects name as who wrote them last. It holds when another
value there changes all these leaves, and no leaf that does not name the place at all (as its writer, or
as an earlier or partial one). Real kustomize builds both times. `python -m tools.origins` does so over samples of the
repositories under GITOPS_LAYOUT_CORPUS and writes docs/origins.md; with names only over the named ones, and writes nothing.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from posixpath import relpath
from random import Random
from typing import Any

from gitops_layout.kustomize import exact
from gitops_layout.kustomize.exact import Build
from gitops_layout.kustomize.fast import Bases, Declined, Fast, Origin, build
from gitops_layout.kustomize.fast.generators import name_hash
from gitops_layout.kustomize.model import FILE_NAMES, Closure
from gitops_layout.kustomize.walk import walk
from gitops_layout.model import Location
from gitops_layout.render.aligned import Aligned
from gitops_layout.repo.load import from_work_tree
from gitops_layout.repo.model import Repo, is_yaml
from gitops_layout.source.typing import NotJsonError, plain
from gitops_layout.system import write_atomic
from tools.repositories import chosen, commit

__all__ = ["Tally", "check"]

TABLE = Path(__file__).resolve().parent.parent / "docs" / "origins.md"
UMBRELLA = ".origins-check"
"""A folder whose kustomization includes the root to check and leaves its objects in their order."""

BATCH = 8
"""Places changed in one build; starting kubectl costs more than building."""

Leaf = tuple[int, tuple[str | int, ...]]
Objects = Sequence[Mapping[str, Any]]

_ABSENT: Any = object()
_WHAT_IT_IS = (("kind",), ("apiVersion",))
_IDENTITY = frozenset({"name", "namespace", "kind", "apiGroup", "key", "port", "containerPort", "protocol", "mountPath", "devicePath", "ip", "topologyKey"})  # fmt: skip
_SELECTING = (("metadata", "labels"), ("metadata", "annotations"))
"""Fields by which patches, references and merges find objects and elements of lists: with another value they
find others.
"""


@dataclass(slots=True)
class Tally:
    """What was found: leaves with and without an exact origin, and `guessed` ones that claim none; claims that held, were `broken` (in words),
    or were set `aside` because the change made other objects or none.
    """

    roots: int = 0
    declined: int = 0
    leaves: int = 0
    unplaced: int = 0
    guessed: int = 0
    held: int = 0
    aside: int = 0
    broken: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Count another tally in."""
        for name in ("roots", "declined", "leaves", "unplaced", "guessed", "held", "aside"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.broken += other.broken

    @property
    def tried(self) -> int:
        """Claims that were put to the test."""
        return self.held + len(self.broken)


@dataclass(frozen=True, slots=True)
class _Change:
    """Another text for a stretch of a file (or at its end: -1). In a batch, a leaf that changes with it holds
    `token`, if it is a text; alone it only has to change.
    """

    place: Location
    file: str
    start: int
    end: int
    text: str
    token: str


@dataclass(frozen=True, slots=True)
class _Real:
    """What real kustomize built, with origins by alignment."""

    objects: Objects
    aligned: Aligned

    def origin(self, index: int, path: tuple[str | int, ...]) -> Origin:
        """Who wrote a value."""
        return self.aligned.origin(index, path)


@dataclass(frozen=True, slots=True)
class _Root:
    """One root under its umbrella: its build, who claims each place, who names it at all, and whose place is a guess."""

    repo: Repo
    fast: Fast | _Real
    claims: Mapping[Location, set[Leaf]]
    parts: Mapping[Location, set[Leaf]]
    guessed: frozenset[Leaf]


def check(repo: Repo, folder: str, rnd: Random, *, places: int, real: bool = False) -> Tally:
    """Put up to `places` claims of the root in a folder to the test: those of our builder, or with `real` those of what
    real kustomize builds.
    """
    umbrella = {"resources": [relpath(folder or ".", UMBRELLA)], "sortOptions": {"order": "fifo"}}
    repo = repo.over({f"{UMBRELLA}/kustomization.yaml": json.dumps(umbrella).encode()})
    closure = walk(repo, UMBRELLA)
    fast = _built_really(repo, closure) if real else build(repo, closure)
    if closure.problems or isinstance(fast, Declined):
        return Tally(declined=1)
    tally, root = Tally(roots=1), _claims(repo, fast)
    tally.guessed = len(root.guessed)
    tally.leaves = sum(len(claimed) for claimed in root.claims.values())
    tally.unplaced = sum(len(leaves) for place, leaves in root.claims.items() if not _is_exact(repo, place))
    changes: list[_Change] = []
    listed = sorted(root.claims, key=lambda place: (place.file, str(place.path), str(place.span)))
    for place in rnd.sample(listed, len(listed)):
        if len(changes) < places and _is_exact(repo, place):
            change = _change(root, place, f"zq{len(changes)}z")
            changes += [change] if change is not None else []
    for start in range(0, len(changes), BATCH):
        _judge(root, changes[start : start + BATCH], tally)
    return tally


def _built_really(repo: Repo, closure: Closure) -> _Real | Declined:
    where = Location(f"{UMBRELLA}/kustomization.yaml")
    built = exact.build(repo, Build(closure))
    if built.problem is not None:
        return Declined(built.problem.why, where)
    return _Real(built.objects, Aligned(repo, closure, built.objects, where))


def _claims(repo: Repo, fast: Fast | _Real) -> _Root:
    claims: dict[Location, set[Leaf]] = {}
    parts: dict[Location, set[Leaf]] = {}
    texts: dict[tuple[str, int, int], Location] = {}
    guessed: set[Leaf] = set()

    def one(place: Location) -> Location:
        # Aliases give one text several places.
        if not _is_exact(repo, place) or not is_yaml(place.file):
            return place
        span = repo.span(place)
        return texts.setdefault((place.file, span.start, span.end), place)

    for index, data in enumerate(fast.objects):
        for path, _ in leaves(data):
            if isinstance(fast, _Real) and fast.aligned.approximate(index, path):
                guessed.add((index, path))
                continue
            origin = fast.origin(index, path)
            claims.setdefault(one(origin.where), set()).add((index, path))
            for place in (origin.where, *origin.earlier):
                parts.setdefault(one(place), set()).add((index, path))
    return _Root(repo, fast, claims, parts, frozenset(guessed))


def leaves(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every plain value and empty container with its path."""
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from leaves(value, (*path, key))
    elif isinstance(data, list) and data:
        for index, value in enumerate(data):
            yield from leaves(value, (*path, index))
    else:
        yield path, data


def _is_exact(repo: Repo, place: Location) -> bool:
    """Whether a place is that of a value, and not only of something around it."""
    if place.span is not None:
        return True
    if not place.path:
        return not is_yaml(place.file)
    documents = repo.documents(place.file) if is_yaml(place.file) else ()
    return any(d.index == place.document and d.has(place.path) for d in documents)


def _change(root: _Root, place: Location, token: str) -> _Change | None:
    """Another value for a place; None where there is no plain value that can be changed alone."""
    claimed = root.claims[place]
    if any(path in _WHAT_IT_IS for _, path in claimed):
        return None
    text = root.repo.text(place.file)
    if not place.path and place.span is None:
        return _Change(place, place.file, -1, -1, token, "")
    span = root.repo.span(place)
    old = text[span.start : span.end]
    if place.span is not None and not is_yaml(place.file):
        # A line of an env file; one without a value would get another key.
        return _Change(place, place.file, span.end, span.end, token if "=" in old else f"={token}", "")
    new = _other(old, token)
    if new is None:
        return None
    values = [_value(root.fast.objects, leaf) for leaf in claimed]
    inner = old.strip("\"'")
    if (
        any(isinstance(v, str) and inner not in v and not inner.endswith(v) for v in values)
        and new == f"{old}{token}"
    ):
        # Only a part of the text arrives: change every part of it.
        new = re.sub(r"[A-Za-z0-9]+", rf"\g<0>{token}", old)
    encoded = place.path[:1] == ("secretGenerator",) or "literals" in place.path
    return _Change(
        place, place.file, span.start, span.end, new, token if token in new and not encoded else ""
    )


def _other(old: str, token: str) -> str | None:
    """A scalar's source with another value of the same type; None where that is not sure."""
    if not old or old[0] in "&*!{[":
        return None
    if old[0] in "|>":
        head, newline, body = old.partition("\n")
        lines = body.split("\n")
        first = next((n for n, line in enumerate(lines) if line.strip()), None)
        if not newline or first is None:
            return None
        lines[first] = f"{lines[first].rstrip()}{token}"
        return f"{head}\n" + "\n".join(lines)
    if "\n" in old:
        return None
    for quote in ('\\"', "''"):  # in a text that is in quotes itself
        if old.startswith(quote):
            return f"{old.removesuffix(quote)}{token}{quote}" if len(old) > len(quote) else None
    if old[0] in "\"'":
        return f"{old[:-1]}{token}{old[0]}" if len(old) > 1 and old[-1] == old[0] else None
    try:
        value = plain(old, "kustomize")
    except NotJsonError:
        return None
    if isinstance(value, bool):
        return "false" if value else "true"
    if isinstance(value, int):
        return str(value + 1)
    return f"{old}{token}" if isinstance(value, str) else None


def _value(objects: Objects, leaf: Leaf) -> Any:
    data: Any = objects[leaf[0]]
    for step in leaf[1]:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return _ABSENT
    return data


def _built(root: _Root, changes: Sequence[_Change]) -> Objects | None:
    """What real kustomize makes of the changed files; None where it makes nothing."""
    files: dict[str, bytes] = {}
    for file in {change.file for change in changes}:
        text = root.repo.text(file)
        inside = [change for change in changes if change.file == file and change.start >= 0]
        for change in sorted(inside, key=lambda change: -change.start):
            text = text[: change.start] + change.text + text[change.end :]
        after = "".join(change.text for change in changes if change.file == file and change.start < 0)
        files[file] = (text.encode() if inside else root.repo.content(file)) + after.encode()
    repo = root.repo.over(files)
    built = exact.build(repo, Build(walk(repo, UMBRELLA)))
    return built.objects if built.problem is None else None


def _judge(root: _Root, batch: Sequence[_Change], tally: Tally) -> None:
    """Build with a batch of changes; what is not as it should be is looked at in halves, down to one change."""
    if not batch:
        return
    after = _built(root, batch)
    changed = _changed(root.fast.objects, after) if after is not None else None
    stays = stray = ""
    if after is not None and changed is not None:
        stays, stray = _staying(root, batch, changed, after), _straying(root, batch, changed)
        if not stays and not stray:
            tally.held += len(batch)
            return
    if len(batch) > 1:
        middle = len(batch) // 2
        _judge(root, batch[:middle], tally)
        _judge(root, batch[middle:], tally)
        return
    place = batch[0].place
    selects = any(path[-1] in _IDENTITY or path[:2] in _SELECTING for _, path in root.claims[place])
    others = after is not None and _fields(root.fast.objects) != _fields(after)
    if after is None or (selects and (others or not stays)):
        tally.aside += 1
    else:
        why = stays or stray or "there are other objects"
        line = root.repo.span(place).line
        tally.broken.append(f"{place.file}:{line} {'.'.join(map(str, place.path))}: {why}")


def _fields(objects: Objects) -> list[list[tuple[str | int, ...]]]:
    return [[path for path, _ in leaves(data)] for data in objects]


def _staying(root: _Root, batch: Sequence[_Change], changed: set[Leaf], after: Objects) -> str:
    """A leaf that does not change although its place does, in words; "" where there is none."""
    for change in batch:
        for leaf in root.claims[change.place]:
            value = _value(after, leaf)
            elsewhere = len(batch) > 1 and isinstance(value, str) and change.token not in value
            if leaf not in changed or elsewhere:
                return f"{_named(root, leaf)} stays {value!r}"
    return ""


def _straying(root: _Root, batch: Sequence[_Change], changed: set[Leaf]) -> str:
    """A leaf that changes although it does not name any of the places, in words; "" where there is none."""
    stray = sorted(changed.difference(root.guessed, *(root.parts[change.place] for change in batch)), key=str)
    return f"{_named(root, stray[0])} changes as well" if stray else ""


def _named(root: _Root, leaf: Leaf) -> str:
    data = root.fast.objects[leaf[0]]
    return f"{data['kind']} {data['metadata']['name']} {'.'.join(map(str, leaf[1]))}"


def _changed(before: Objects, after: Objects) -> set[Leaf] | None:
    """The leaves that differ, are gone or new, but for hashes in names, which come from all of their object;
    None when the objects are not the same.
    """
    if [data["kind"] for data in before] != [data["kind"] for data in after]:
        return None
    ours, theirs = _hashes(before), _hashes(after)
    found: set[Leaf] = set()
    for index, (one, other) in enumerate(zip(before, after, strict=True)):
        mine, new = dict(leaves(one)), dict(leaves(other))
        found |= {
            (index, path)
            for path in mine.keys() | new.keys()
            if _unhashed(mine.get(path, _ABSENT), ours) != _unhashed(new.get(path, _ABSENT), theirs)
        }
    return found


def _hashes(objects: Objects) -> re.Pattern[str] | None:
    found = [
        f"-{name_hash(dict(data))}"
        for data in objects
        if data["kind"] in ("ConfigMap", "Secret") and data.get("apiVersion") == "v1"
    ]
    return re.compile("|".join(map(re.escape, found))) if found else None


def _unhashed(value: Any, hashes: re.Pattern[str] | None) -> Any:
    return hashes.sub("-", value) if hashes is not None and isinstance(value, str) else value


def repository(path: Path, *, roots: int, places: int) -> tuple[Tally, Tally]:
    """Samples of one checked-out repository: of roots that our builder builds, and of those that it leaves to real
    kustomize.
    """
    repo = from_work_tree(path)
    named = [folder for folder, names in repo.folders.items() if any(name in names for name in FILE_NAMES)]
    closures = {folder: walk(repo, folder) for folder in sorted(named)}
    inner = {k.folder for closure in closures.values() for k in closure.kustomizations[1:]}
    fitting = [f for f, closure in closures.items() if f not in inner and not closure.problems]
    rnd, tally, real = Random(path.name), Tally(), Tally()
    for folder in rnd.sample(fitting, min(roots, len(fitting))):
        tally.add(check(repo, folder, rnd, places=places))
    bases = Bases(repo)
    left = [f for f in fitting if isinstance(build(repo, closures[f], bases=bases), Declined)]
    for folder in rnd.sample(left, min(roots, len(left))):
        real.add(check(repo, folder, rnd, places=places, real=True))
    return tally, real


def _row(name: str, tally: Tally) -> str:
    share = f"{tally.unplaced / tally.leaves:.1%}" if tally.leaves else ""
    held = f"{tally.held / tally.tried:.1%}" if tally.tried else ""
    guessed = f"{tally.guessed / (tally.leaves + tally.guessed):.1%}" if tally.leaves else ""
    cells = [
        name,
        tally.roots,
        tally.leaves + tally.guessed,
        share,
        guessed,
        tally.tried,
        tally.held,
        held,
        tally.aside,
    ]
    return f"| {' | '.join(map(str, cells))} |"


def _page(rows: Sequence[str]) -> str:
    head = [
        "repository",
        "roots",
        "leaves",
        "without an origin",
        "guessed",
        "claims tried",
        "held",
        "share",
        "set aside",
    ]
    return "\n".join(
        [
            "# Origins are causes",
            "",
            f"Made on {datetime.now(UTC):%Y-%m-%d} from commit {commit()} by `GITOPS_LAYOUT_CORPUS=FOLDER python -m tools.origins`.",
            "",
            "Every value of a rendered object names the place that wrote it. Here such places, drawn at random from samples of",
            "public repositories that nobody here wrote, are given another value, and real kustomize builds again. A claim holds",
            "when all leaves that name the place as their writer change, and none that does not name it at all (as its writer, an",
            "earlier one, or the writer of a part: an image's new name beside its new tag). The hash in a generated name comes from",
            "everything in its object and is left out. A claim is set aside where the change makes another object or element of a",
            "list (a name, a merge key) or none (kustomize refuses it). *Without an origin* are leaves whose place is only something",
            "around the value: what a generator adds by itself, and patches in texts that keep no lines.",
            "",
            "The last row is about roots that our builder leaves to real kustomize. It follows them as far as it can, and where a",
            "value that it made is the real one, both have one writer; everywhere else the place is *guessed*, `render --origins`",
            "marks it `approximate`, and no claim is made.",
            "",
            f"| {' | '.join(head)} |",
            f"|{' --- |' * len(head)}",
            *rows,
            "",
        ]
    )


def main() -> int:
    """All repositories, or those that are named; exit 1 when fewer than 99 % of the claims hold."""
    paths, whole = chosen(
        "tools.origins", "Change what origins name, build again, and see what changes.", TABLE
    )
    total, real, rows = Tally(), Tally(), []
    for path in paths:
        tally, other = repository(path, roots=8, places=40)
        total.add(tally)
        real.add(other)
        if tally.roots:
            rows.append(_row(path.name.replace("__", "/"), tally))
            print(rows[-1], *tally.broken, *other.broken, sep="\n  ", flush=True)
    rows += [_row("**all**", total), _row("**built by real kustomize**", real)]
    print(*rows[-2:], sep="\n")
    if whole:
        write_atomic(TABLE, _page(rows))
    fine = all(tally.tried and tally.held >= 0.99 * tally.tried for tally in (total, real))
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
