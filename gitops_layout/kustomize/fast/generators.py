"""ConfigMaps and Secrets that a kustomization generates, and the hashes in their names."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from posixpath import basename
from typing import Any, Literal

from gitops_layout.kustomize.fast.buildmetadata import keep
from gitops_layout.kustomize.fast.declined import decline, refuse
from gitops_layout.kustomize.fast.item import Item, check_key, plain_text
from gitops_layout.kustomize.fast.marks import Mark
from gitops_layout.kustomize.fast.oddities import check_text
from gitops_layout.kustomize.fast.spelling import check_dates
from gitops_layout.model import Location, Span

__all__ = ["absorb", "add_hashes", "generate", "name_hash"]

Pair = tuple[str, bytes, Location]
Open = Callable[[str, Location], tuple[str, bytes]]
"""Gives a named file's path in the repository and its content."""


def generate(
    kind: Literal["ConfigMap", "Secret"],
    entry: dict[str, Any],
    options: dict[str, Any],
    where: Location,
    opened: Open,
    named: Location | None = None,
) -> Item:
    """The object of one generator entry; `options` are the kustomization's, its place is `where`'s file.

    `named` is the place of the name where that is not a field of the entry.
    """
    name = entry.get("name") or ""
    namespace = entry.get("namespace") or ""
    if not name or not plain_text(name) or "," in name or (namespace and not plain_text(namespace)):
        decline("a generator whose name or namespace is not plain text", where)
    here = Location(where.file, ("generatorOptions",))
    own = entry.get("options") or {}
    item = Item({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}, Mark(where))
    item.mark.kids = {"metadata": Mark(where, (), None if named is None else {"name": Mark(named)})}
    if kind == "Secret":
        item.write(("type",), entry.get("type") or "Opaque", where.at("type"))
    if namespace:
        item.write(("metadata", "namespace"), namespace, where.at("namespace"))
    _add_data(item, kind, entry, where, opened)
    for field in ("labels", "annotations"):
        written = {**(options.get(field) or {}), **(own.get(field) or {})}
        for key in sorted(written):
            place = where.at("options") if key in (own.get(field) or {}) else here
            item.write(("metadata", field, key), written[key], place.at(field, key))
    if own.get("immutable") or options.get("immutable"):
        place = here if options.get("immutable") else where.at("options")
        item.write(("immutable",), True, place.at("immutable"))
    item.generated = True
    item.hashed = not (own.get("disableNameSuffixHash") or options.get("disableNameSuffixHash"))
    return item


def _add_data(item: Item, kind: str, entry: dict[str, Any], where: Location, opened: Open) -> None:
    seen: set[str] = set()
    data: dict[str, str] = {}
    binary: dict[str, str] = {}
    kids: dict[str, dict[str | int, Mark]] = {"data": {}, "binaryData": {}}
    for key, content, place in _pairs(entry, where, opened):
        if key in seen:
            refuse(
                f"the generator repeats the key {key}",
                place,
                "keep one of them",
                said="illegally repeats the key",
            )
        seen.add(key)
        check_key(key, place)
        text = None if kind == "Secret" else _text(content)
        field = "data" if text is not None or kind == "Secret" else "binaryData"
        kids[field][key] = Mark(place)
        if text is not None:
            check_text(text, place)
            data[key] = text
        else:
            (data if kind == "Secret" else binary)[key] = encoded(content)
    for field, values in (("data", data), ("binaryData", binary)):
        if values or (kind == "Secret" and field == "data"):
            item.write((field,), values, where)
            marks = item.mark.kids or {}
            item.mark = Mark(where, (), {**marks, field: Mark(where, (), kids[field])})


def _text(content: bytes) -> str | None:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def encoded(content: bytes) -> str:
    """Base64 as kustomize writes it: in lines of 70 characters, each ended, unless it is one short line."""
    text = base64.b64encode(content).decode("ascii")
    if len(text) < 70:
        return text
    return "".join(f"{text[start : start + 70]}\n" for start in range(0, len(text), 70))


def _pairs(entry: dict[str, Any], where: Location, opened: Open) -> Iterator[Pair]:
    envs = [(name, where.at("envs", index)) for index, name in enumerate(entry.get("envs") or [])]
    if entry.get("env"):
        envs.append((entry["env"], where.at("env")))
    for name, place in envs:
        yield from _env_lines(*opened(name, place), place)
    for index, literal in enumerate(entry.get("literals") or []):
        place = where.at("literals", index)
        key, equals, value = literal.partition("=")
        if not key or not equals:
            refuse(
                f"the literal {literal} has no value", place, "write key=value", said="invalid literal source"
            )
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        yield key, value.encode(), place
    for index, source in enumerate(entry.get("files") or []):
        place = where.at("files", index)
        key, equals, name = source.partition("=")
        if (equals and (not key or not name)) or "=" in name:
            decline("a file source is path or key=path", place)
        path, content = opened(name if equals else source, place)
        yield (key if equals else basename(source)), content, Location(path)


# A key without a value takes that of kustomize's own environment, which is empty but for these.
_ENVIRONMENT = ("HOME", "PATH", "TMPDIR", "GOGC")


def _env_lines(path: str, content: bytes, place: Location) -> Iterator[Pair]:
    text = _text(content)
    if text is None or "\0" in text:
        decline("an env file that is no text", place)
    offset = 0
    for number, raw in enumerate(text.split("\n")):
        line = raw.removesuffix("\r")
        if number == 0:
            line = line.removeprefix("\ufeff")
        if len(line) > 60_000:
            decline("an env file with a very long line", place)
        stripped = line.lstrip(" \t\v\f\r\x85\xa0")
        if stripped != line.lstrip():
            decline("an env file with unusual spaces", place)
        if stripped and not stripped.startswith("#"):
            key, equals, value = stripped.partition("=")
            if not equals and key in _ENVIRONMENT:
                decline(f"{key} would be taken from the environment", Location(path))
            if key:
                column = raw.find(stripped) + 1
                span = Span(number + 1, column, number + 1, column + len(stripped), offset + column - 1, offset + column - 1 + len(stripped))  # fmt: skip
                yield key, value.encode(), Location(path, span=span)
        offset += len(raw) + 1


def absorb(items: list[Item], new: Item, behavior: str, where: Location) -> None:
    """Add a generated object, or merge it into or put it in place of the one that has its name."""
    if behavior not in ("merge", "replace"):
        if any(new.id in item.ids for item in items):
            refuse(
                f"{new.kind} {new.name} exists already",
                where,
                "set behavior to merge or replace",
                said="exists; can not use behavior",
            )
        items.append(new)
        return
    old = _absorbing(items, new, behavior, where)
    old.check_folded(where)
    for field in ("labels", "annotations"):
        _keep(new, old, ("metadata", field), drop_empty=True)
    if behavior == "merge":
        for field in ("data", "binaryData"):
            _keep(new, old, (field,), drop_empty=True)
    last = old.origin(("metadata", "name"))[0]
    if new.name != old.name:
        new.write(("metadata", "name"), old.name, last)
    if old.namespace:
        new.write(("metadata", "namespace"), old.namespace, old.origin(("metadata", "namespace"))[0])
    elif new.namespace:
        new.remove(("metadata", "namespace"))
    new.previous, new.prefixes, new.suffixes = old.previous, old.prefixes, old.suffixes
    new.hashed, new.variables = new.hashed and old.hashed, old.variables
    if behavior == "merge":
        keep(new, old)
    if sum(new.id in item.ids[-1:] for item in items) != 1:
        decline(f"several objects are {new.kind} {old.name}", where)
    items[items.index(old)] = new


def _absorbing(items: list[Item], new: Item, behavior: str, where: Location) -> Item:
    """The object that a generated one is merged into or replaces."""
    found = [item for item in items if new.id in item.ids]
    if not found:
        reason = f"there is no {new.kind} {new.name} to {behavior}"
        refuse(
            reason,
            where.at("name"),
            "name one of this build and its namespace, or leave out behavior",
            said="does not exist; cannot merge or replace",
        )
    if len(found) > 1:
        decline(f"{len(found)} objects match the generator {new.name}", where.at("name"))
    return found[0]


def _keep(new: Item, old: Item, path: tuple[str, ...], *, drop_empty: bool) -> None:
    """Write the old object's entries that the new one does not have; the new one's own stay."""
    theirs: Any = old.data
    ours: Any = new.data
    for step in path:
        theirs, ours = (theirs or {}).get(step), (ours or {}).get(step)
    if theirs is not None and (
        not isinstance(theirs, dict) or not all(isinstance(value, str) for value in theirs.values())
    ):
        decline(f"{'.'.join(path)} holds what is no text", old.origin(path)[0])
    check_dates(theirs, old.origin(path)[0])
    for key, value in (theirs or {}).items():
        where = old.origin((*path, key))[0]
        check_key(key, where)
        if key not in (ours or {}):
            new.write((*path, key), value, where)
        else:
            mine = new.origin((*path, key))[0]
            new.write((*path, key), value, where)
            new.write((*path, key), ours[key], mine)
    if drop_empty and ours == {} and not theirs:
        new.remove(path)


_TO_LETTERS = str.maketrans("013ae", "ghkmt")


def name_hash(data: dict[str, Any]) -> str:
    """kustomize's hash of a ConfigMap or Secret: ten letters and digits; the name plays no part in it."""
    seen: dict[str, Any] = {"kind": data["kind"], "name": "", "data": data.get("data", "")}
    if data["kind"] == "Secret":
        seen["type"] = data.get("type", "")
        optional = "stringData"
    else:
        optional = "binaryData"
    if isinstance(data.get(optional), dict):
        seen[optional] = data[optional]
    text = json.dumps(seen, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return hashlib.sha256(text.encode()).hexdigest()[:10].translate(_TO_LETTERS)


def add_hashes(items: list[Item]) -> None:
    """Give every object that asks for it the hash of its content as the end of its name."""
    for item in items:
        if not item.hashed:
            continue
        place, _ = item.origin(("metadata", "name"))
        for field in ("data", "binaryData", "stringData"):
            values = item.data.get(field, {})
            if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
                decline(f"{field} holds what is no text", place)
            check_dates(values, place)
        if item.kind not in ("ConfigMap", "Secret") or not isinstance(item.data.get("type", ""), str):
            decline("a hash is asked for an object of another kind", place)
        item.remember()
        name = f"{item.name}-{name_hash(item.data)}"
        item.write(("metadata", "name"), name, place)
