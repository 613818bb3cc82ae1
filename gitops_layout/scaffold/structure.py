"""The three-way merge of two YAML trees over their common base."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import field
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from gitops_layout.scaffold.conflict import Conflict
from gitops_layout.source.reader import read
from gitops_layout.values import dataclass

__all__ = ["UNREADABLE", "Structured", "dump", "load", "merge", "without_comments"]

UNREADABLE: Any = object()
"""Data that equals nothing."""

_MISSING: Any = object()

# What names an item of a list, in order of trust; `mountPath` because volumes may be mounted twice.
_IDENTITIES = ("name", "path", "repo", "id", "key", "mountPath", "containerPort", "port")
# Lists whose order is their meaning: never taken apart.
_ATOMIC = frozenset({"command", "args"})


@dataclass(frozen=True, slots=True)
class Structured:
    """The merged file: its plain data and its text, and the comments of what was taken out of it."""

    data: Any
    content: bytes
    conflicts: tuple[Conflict, ...] = ()
    beside: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Merge:
    prefer: Literal["ours", "theirs"] | None
    conflicts: list[Conflict] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    """Lines of our file, counted from 0, in which stood what was taken away."""

    def settle(self, where: str, ours: Any, theirs: Any) -> Any:
        """What stands after both sides changed a value: _MISSING for nothing."""
        if self.prefer is None:
            self.conflicts.append(Conflict(where.removeprefix("."), _words(ours), _words(theirs)))
        return theirs if self.prefer == "theirs" else ours


def merge(
    base: bytes | None, ours: bytes, theirs: bytes, *, prefer: Literal["ours", "theirs"] | None = None
) -> Structured | None:
    """`ours` with the changes from `base` to `theirs`; None where a structural merge cannot be trusted."""
    body, tail = _tailed(ours)
    trees = [load(content) for content in (base or b"{}\n", body, theirs)]
    if any(not isinstance(tree, CommentedMap) for tree in trees):
        return None
    old, tree, new = trees
    state = _Merge(prefer)
    _merge_maps(state, old, tree, new, "")
    if state.conflicts:
        return Structured(UNREADABLE, ours, tuple(state.conflicts))
    beside = _above(body, state.gone)
    content = without_comments(dump(tree, like=body), beside) + tail
    kept = _comments(ours) - _comments(base or b"") - beside
    if lost := kept - _comments(content):
        content = _put_back(content, ours, lost)
    stream = read(content, "")
    if stream.problems or len(stream.documents) != 1 or stream.documents[0].data != json.loads(_text(tree)):
        return None
    if kept - _comments(content):
        return None
    return Structured(stream.documents[0].data, content, (), frozenset(beside))


def _tailed(content: bytes) -> tuple[bytes, bytes]:
    """A file without the comments at its end, and these: to the reader they are the last item's, and go where that goes."""
    lines = content.splitlines(keepends=True)
    end = len(lines)
    while end and (lines[end - 1].startswith(b"#") or not lines[end - 1].strip()):
        end -= 1
    if (
        not end
        or not any(line.startswith(b"#") for line in lines[end:])
        or not lines[end - 1].endswith(b"\n")
    ):
        return content, b""
    return b"".join(lines[:end]), b"".join(lines[end:])


def load(content: bytes) -> Any:
    """The one document of a file with its comments; None where it is none, several, or uses anchors."""
    stream = read(content, "")
    if stream.problems or len(stream.documents) != 1 or stream.documents[0].duplicates:
        return None
    try:
        tree = _yaml().load(content.decode("utf-8-sig").replace("\r\n", "\n"))
    except (YAMLError, ValueError):
        return None
    # ruamel types a few plain scalars (dates, 0o17) unlike kubectl: such a file is not safe to rewrite
    if _text(tree) != _text(stream.documents[0].data) or _shares(tree, set()):
        return None
    return tree


def dump(tree: Any, *, like: bytes) -> bytes:
    """The tree as text, its lists indented and its lines ended as `like` does."""
    if b"\r\n" in like:
        return dump(tree, like=like.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    for offset in (2, 0):
        if _dumped(load(like), offset) == like:
            return _dumped(tree, offset)
    return _dumped(tree, 2 if b"\n  - " in like or b"\n- " not in like else 0)


def _yaml() -> YAML:
    reader = YAML()
    reader.preserve_quotes = True
    reader.width = 10_000
    reader.brace_single_entry_mapping_in_flow_sequence = True  # `[{name: a}]` stays so
    return reader


def _dumped(tree: Any, offset: int) -> bytes:
    writer = _yaml()
    writer.indent(mapping=2, sequence=2 + offset, offset=offset)
    stream = io.BytesIO()
    writer.dump(tree, stream)
    return stream.getvalue()


def _merge_maps(state: _Merge, old: Any, tree: Any, new: Any, where: str) -> None:
    for key in [key for key in old if key not in new and key in tree]:
        if _same(tree[key], old[key]) or state.settle(f"{where}.{key}", tree[key], _MISSING) is _MISSING:
            state.gone.append(tree.lc.key(key)[0])
            del tree[key]
    for position, key in enumerate(new):
        before, here, there = old.get(key, _MISSING), tree.get(key, _MISSING), new[key]
        value = _merged(state, before, here, there, f"{where}.{key}")
        if value is _MISSING:
            tree.pop(key, None)
        elif here is _MISSING:
            tree.insert(_after(tree, list(new)[:position]), key, value)
        elif value is not here:
            tree[key] = value


def _merged(state: _Merge, old: Any, here: Any, there: Any, where: str) -> Any:
    """One value, three ways; containers are merged in place."""
    if _same(here, there) or _same(old, there):
        return here
    untouched = _same(old, here)
    if isinstance(here, CommentedMap) and isinstance(there, CommentedMap):
        _merge_maps(state, old if isinstance(old, CommentedMap) else CommentedMap(), here, there, where)
        return here
    if isinstance(here, CommentedSeq) and isinstance(there, CommentedSeq):
        before = old if isinstance(old, CommentedSeq) else CommentedSeq()
        name = None if where.rpartition(".")[2] in _ATOMIC else _identity(before, here, there)
        if name is not None:
            _merge_lists(state, before, here, there, where, name)
            # Item by item, comments and style stay; another order is theirs alone to have.
            return there if untouched and not _same(here, there) else here
    return there if untouched else state.settle(where, here, there)


def _merge_lists(
    state: _Merge, old: Any, tree: Any, new: Any, where: str, name: Callable[[Any], str]
) -> None:
    before = {name(item): item for item in old}
    lines = {name(item): tree.lc.item(index)[0] for index, item in enumerate(tree)}
    wanted = {name(item): item for item in new}
    for label, item in before.items():
        index = _index(tree, label, name)
        if label in wanted or index is None:
            continue
        place = f"{where}[{label}]"
        if _same(tree[index], item) or state.settle(place, tree[index], _MISSING) is _MISSING:
            state.gone.append(lines[label])
            del tree[index]
    labels = list(wanted)
    for position, (label, item) in enumerate(wanted.items()):
        index = _index(tree, label, name)
        here = _MISSING if index is None else tree[index]
        value = _merged(state, before.get(label, _MISSING), here, item, f"{where}[{label}]")
        if index is None and value is not _MISSING:
            places = [
                found for other in labels[:position] if (found := _index(tree, other, name)) is not None
            ]
            tree.insert(max(places, default=-1) + 1 if places else len(tree), value)
        elif index is not None and value is _MISSING:
            del tree[index]
        elif index is not None and value is not here:
            tree[index] = value


def _index(items: Any, label: str, name: Callable[[Any], str]) -> int | None:
    return next((index for index, item in enumerate(items) if name(item) == label), None)


def _identity(*lists: Any) -> Callable[[Any], str] | None:
    """What tells the items of these lists apart; None where nothing does."""
    by_field = [lambda item, field=field: _field(item, field) for field in _IDENTITIES]
    for name in (_object, *by_field, _declared, _text):
        labels = [[name(item) for item in items] for items in lists]
        if all("" not in row and len(set(row)) == len(row) for row in labels):
            return name
    return None


def _declared(item: Any) -> str:
    """What an entry of `external:` in .gitops-layout.yaml speaks of."""
    return next((f"{key} {text}" for key in ("source", "chart", "base") if (text := _field(item, key))), "")


def _object(item: Any) -> str:
    match item:
        case {"apiVersion": str(version), "kind": str(kind), "metadata": {"name": str(name), **rest}}:
            return f"{version}/{kind}/{rest.get('namespace', '')}/{name}"
        case _:
            return ""


def _field(item: Any, field: str) -> str:
    value = item.get(field) if isinstance(item, CommentedMap) else None
    return str(value) if isinstance(value, str | int) else ""


def _after(tree: Any, earlier: Iterable[Any]) -> int:
    """Where in a map a key belongs that follows `earlier` ones: behind the last of those it has."""
    keys = list(tree)
    places = [keys.index(key) for key in earlier if key in tree]
    return max(places) + 1 if places else len(keys)


def _same(one: Any, other: Any) -> bool:
    if one is _MISSING or other is _MISSING:
        return one is other
    return _text(one) == _text(other)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _words(value: Any) -> str:
    return "removed" if value is _MISSING else _text(value)


def _shares(tree: Any, seen: set[int]) -> bool:
    """Whether a container stands in two places (an alias), or a map merges another one in."""
    if not isinstance(tree, CommentedMap | CommentedSeq):
        return bool(getattr(getattr(tree, "anchor", None), "value", None))
    if id(tree) in seen or tree.anchor.value is not None or getattr(tree, "merge", None):
        return True
    seen.add(id(tree))
    return any(_shares(item, seen) for item in (tree.values() if isinstance(tree, CommentedMap) else tree))


def _put_back(content: bytes, ours: bytes, lost: set[str]) -> bytes:
    """The text with comments that went with what they followed; they stand again before the line they stood before.

    Where that line is gone or stands twice, a comment follows the line it followed, else it ends the file. Whoever
    calls looks whether the text still says the same.
    """
    lines = content.decode().splitlines(keepends=True)
    mine = ours.decode("utf-8-sig").splitlines(keepends=True)
    for index, line in enumerate(mine):
        if line.strip() not in lost:
            continue
        code = [(at, text) for at, text in enumerate(mine) if text.strip() not in lost and text.strip()]
        below = next((text for at, text in code if at > index), "")
        above = next((text for at, text in reversed(code) if at < index), "")
        place = lines.index(below) if lines.count(below) == 1 else None
        if place is None:
            place = lines.index(above) + 1 if lines.count(above) == 1 else len(lines)
            while (
                place < len(lines) and lines[place].strip() in lost
            ):  # of the same block, put there before it
                place += 1
        lines.insert(place, line if line.endswith("\n") else f"{line}\n")
    return "".join(lines).encode()


def _above(content: bytes, lines: Iterable[int]) -> set[str]:
    """The comments right above these lines, as far in as they; without those that stand twice."""
    texts = content.decode("utf-8-sig").splitlines()
    found = []
    for line in lines:
        indent = len(texts[line]) - len(texts[line].lstrip())
        while line and texts[line - 1].startswith(f"{' ' * indent}#"):
            line -= 1
            found.append(texts[line].strip())
    stripped = [text.strip() for text in texts]
    return {text for text in found if stripped.count(text) == 1}


def without_comments(content: bytes, comments: Collection[str]) -> bytes:
    """The text without the lines that are one of these comments."""
    if not comments:
        return content
    lines = content.decode().splitlines(keepends=True)
    return "".join(line for line in lines if line.strip() not in comments).encode()


def _comments(content: bytes) -> set[str]:
    lines = content.decode(errors="replace").splitlines()
    return {line.strip() for line in lines if line.lstrip().startswith("#")}
