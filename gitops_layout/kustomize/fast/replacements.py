"""`replacements`: a value of one object copied into fields of others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gitops_layout.kustomize.fast.declined import decline, refuse
from gitops_layout.kustomize.fast.item import Item, plain_text
from gitops_layout.kustomize.fast.marks import ABSENT, at
from gitops_layout.kustomize.fast.read import Reader
from gitops_layout.kustomize.fast.select import SELECTOR_FIELDS, matches_labels, pattern
from gitops_layout.kustomize.fast.spelling import check_dates, spelled
from gitops_layout.kustomize.fast.tables import group_version
from gitops_layout.model import Location, Path
from gitops_layout.patterns import regexp
from gitops_layout.source.typing import NotJsonError, plain, text_key
from gitops_layout.values import dataclass

__all__ = ["replace_values"]

_SOURCE = frozenset(("group", "version", "kind", "name", "namespace", "fieldPath", "options"))
_TARGET = frozenset(("select", "reject", "fieldPaths", "options"))
_OPTIONS = frozenset(("delimiter", "index", "create"))
_TEXTS = SELECTOR_FIELDS | {"fieldPath", "delimiter", "sourceValue"}
_PLAIN_STEP = regexp(r"[A-Za-z0-9_./:@-]+\Z")
_NUMBER = regexp(r"(?:0|-?[1-9][0-9]{0,14})\Z")


def replace_values(reader: Reader, items: list[Item], entry: Mapping[str, Any], where: Location) -> None:
    """One entry of `replacements`, inline; its source and targets must be there."""
    _known(entry, {"source", "sourceValue", "targets"}, where)
    source, targets = entry.get("source"), entry.get("targets")
    if source is not None and entry.get("sourceValue") is not None:
        refuse(
            "a replacement has two sources",
            where.at("sourceValue"),
            "keep source or sourceValue",
            said="value and resource selectors are mutually exclusive",
        )
    if not isinstance(targets, list) or not targets:
        decline("a replacement needs a source and targets", where)
    if isinstance(source, dict):
        found = _read(reader, items, source, where)
    elif entry.get("sourceValue") is not None:
        found = _Value(entry["sourceValue"], where.at("sourceValue"))
    else:
        decline("a replacement needs a source and targets", where)
    for index, target in enumerate(targets):
        place = where.at("targets", index)
        if not isinstance(target, dict):
            decline("a target is no mapping", place)
        _known(target, _TARGET, place)
        for item in _targets(items, target, place):
            item.check_folded(place)
            for field in target.get("fieldPaths") or ["metadata.name"]:
                _copy(reader, item, field, found, target.get("options") or {}, place)
                if item is found.item and at(item.data, found.path) != found.value:
                    decline(
                        "a replacement changes its own source, of which the next targets get a part", place
                    )


@dataclass(frozen=True, slots=True)
class _Value:
    """The text to copy and who wrote it; and, where it stands in an object, the object, the path and what is there."""

    text: str
    written: Location
    item: Item | None = None
    path: Path = ()
    value: Any = None


def _read(reader: Reader, items: list[Item], source: Mapping[str, Any], where: Location) -> _Value:
    """The value of a field of an object."""
    place = where.at("source")
    _known(source, _SOURCE, place)
    item = _source(items, source, place)
    field = source.get("fieldPath") or "metadata.name"
    path = _lookup(item, field, place)
    value = ABSENT if path is None else at(item.data, path)
    if path is None or value in (None, ABSENT) or value == {} or value == []:
        refuse(
            f"the source of a replacement has no field {field}",
            place,
            "correct fieldPath",
            said=f"fieldPath `{re.escape(field)}` is missing for replacement source",
        )
    if isinstance(value, dict | list):
        decline("a replacement copies more than a plain value", place)
    text = spelled(reader, item, path, place)
    options = source.get("options") or {}
    _known(options, _OPTIONS - {"create"}, place.at("options"))
    if options.get("delimiter"):
        parts, index = text.split(options["delimiter"]), options.get("index", 0)
        if not 0 <= index < len(parts):
            refuse(
                f"the source of a replacement has no part {index}",
                place.at("options"),
                f"count from 0 to {len(parts) - 1}",
                said=rf"options\.index {index} is out of bounds",
            )
        text = parts[index]
    item.check_folded(where)
    return _Value(text, item.origin(path)[0], item, path, value)


def _known(data: Mapping[str, Any], fields: frozenset[str] | set[str], where: Location) -> None:
    for key, value in data.items():
        if key not in fields or (key in _TEXTS and not isinstance(value, str)):
            decline(f"{key} is not known here", where.at(key))
        if key == "index" and (not isinstance(value, int) or isinstance(value, bool)):
            decline("index is no number", where.at(key))
        if key == "create" and not isinstance(value, bool):
            decline("create is no boolean", where.at(key))


def _source(items: list[Item], selector: Mapping[str, Any], where: Location) -> Item:
    found = []
    for item in items:
        group, version = group_version(item.api_version)
        if selector.get("group") not in (None, "", group) or selector.get("version") not in (
            None,
            "",
            version,
        ):
            continue
        names = [*item.previous, (item.kind, item.namespace or "default", item.name)]
        if any(
            selector.get("kind") in (None, "", kind)
            and selector.get("name") in (None, "", name)
            and ((selector.get("namespace") or "") == "" or selector["namespace"] == namespace)
            for kind, namespace, name in names
        ):
            found.append(item)
    if len(found) != 1:
        reason = f"{len(found)} objects match the source of a replacement"
        refuse(
            reason,
            where,
            "make kind, name and namespace name one object",
            said=r"nothing selected by|multiple matches for selector",
        )
    return found[0]


def _targets(items: list[Item], target: Mapping[str, Any], where: Location) -> Iterator[Item]:
    select, rejects = target.get("select"), target.get("reject") or []
    if not isinstance(select, dict) or not all(isinstance(reject, dict) for reject in rejects):
        decline("a target needs a selector", where)
    for selector in (select, *rejects):
        _known(selector, SELECTOR_FIELDS, where)
    for item in items:
        if not _labelled(item, select, where) or not any(True for _ in _identities(item, select, where)):
            continue
        rejected = False
        for reject in rejects:
            labels = bool(reject.get("labelSelector") or reject.get("annotationSelector"))
            if labels and _labelled(item, reject, where):
                rejected = True
            named = any(reject.get(key) for key in ("group", "version", "kind", "name", "namespace"))
            if named and any(True for _ in _identities(item, reject, where)):
                rejected = True
        if not rejected:
            yield item


def _usual(value: float, text: str) -> bool:
    """Whether a value is of the type that its text has to kustomize, to which 1.0 and 1e3 are no integers."""
    return isinstance(value, bool) or (isinstance(value, int) and _NUMBER.match(text) is not None)


def _labelled(item: Item, selector: Mapping[str, Any], where: Location) -> bool:
    metadata = item.data["metadata"]
    for key, field in (("labelSelector", "labels"), ("annotationSelector", "annotations")):
        if selector.get(key):
            check_dates(metadata.get(field), where)
    return all(
        not selector.get(key) or matches_labels(selector[key], metadata.get(field) or {}, where)
        for key, field in (("labelSelector", "labels"), ("annotationSelector", "annotations"))
    )


def _identities(item: Item, selector: Mapping[str, Any], where: Location) -> Iterator[tuple[str, str, str]]:
    """What the object is and was, as far as the selector means it."""
    group, version = group_version(item.api_version)
    for kind, namespace, name in (*item.previous, (item.kind, item.namespace, item.name)):
        having = {"group": group, "version": version, "kind": kind, "name": name, "namespace": namespace}
        if all(
            not selector.get(key) or pattern(selector[key], where).match(text) for key, text in having.items()
        ):
            yield kind, namespace, name


def _steps(text: str, where: Location) -> list[str]:
    r"""A field path in steps: cut at dots, but for `\.` and dots inside brackets."""
    steps: list[str] = []
    for part in text.replace("\\.", "\0").split("."):
        if steps and steps[-1].startswith("[") and not steps[-1].endswith("]"):
            steps[-1] += f".{part}"
        else:
            steps.append(part)
    steps = [step.replace("\0", ".") for step in steps]
    for step in steps:
        if step.startswith("[") and "=" not in step:
            step = step.strip("[]")
        inner = step[1:-1].replace("=", "", 1) if step.startswith("[") else step
        if not (step == "*" or _PLAIN_STEP.match(inner)) or step == "-":
            decline(f"the field path {text} is not known to be read alike", where)
    return [step.strip("[]") if step.startswith("[") and "=" not in step else step for step in steps]


def _lookup(item: Item, field: str, where: Location) -> Path | None:
    """The path of a source's field: names, indices, and elements chosen by an exact value; None where it has none."""
    path: list[str | int] = []
    data: Any = item.data
    for step in _steps(field, where):
        if step == "*":
            decline("a source with a wildcard", where)
        key: str | int = step
        if step.startswith("["):
            name, _, wanted = step[1:-1].partition("=")
            if not name:
                decline("a source that chooses elements by their own value", where)
            if not isinstance(data, list):
                refuse(
                    f"the source of a replacement has no list for {step}",
                    where,
                    "correct fieldPath",
                    said="error looking up replacement source",
                )
            key = next((n for n, e in enumerate(data) if isinstance(e, dict) and e.get(name) == wanted), -1)
        elif step.isdigit():
            key = int(step)
            if not isinstance(data, list):
                decline("the source of a replacement has no such list", where)
        data = at(data, (key,))
        if data is ABSENT:
            return None
        path.append(key)
    return tuple(path)


def _copy(
    reader: Reader, item: Item, field: Any, found: _Value, options: Mapping[str, Any], where: Location
) -> None:
    _known(options, _OPTIONS, where.at("options"))
    if not isinstance(field, str):
        decline("a field path is no text", where)
    steps = _steps(field, where)
    if steps[:2] == ["metadata", "annotations"] and len(steps) == 2:
        decline("a replacement writes what kustomize keeps its notes in", where)
    paths = list(_matches(item.data, steps, (), bool(options.get("create")), where))
    if not paths:
        refuse(
            f"a target has no field {field}",
            where,
            "correct the path, or set options.create",
            said=f'unable to find field "{re.escape(field)}"',
        )
    for path in paths:
        _write(reader, item, path, found, options, where)
    if field in ("kind", "apiVersion") or steps[:2] in (["metadata", "name"], ["metadata", "namespace"]):
        _still_plain(item, where)


def _still_plain(item: Item, where: Location) -> None:
    for value in (item.data.get("kind"), item.data["metadata"].get("name")):
        if not isinstance(value, str) or not value or not isinstance(plain(value, "kustomize"), str):
            decline("a replacement changes what the object is", where)


def _matches(data: Any, steps: list[str], path: Path, create: bool, where: Location) -> Iterator[Path]:
    if not steps:
        yield path
        return
    step = steps[0]
    if step.isdigit() or step == "*" or step.startswith("["):
        if data is None or not isinstance(data, list):
            decline("a target has no such list", where)
        yield from _in_list(data, steps, path, create, where)
        return
    if not isinstance(data, dict):
        # kustomize looks into texts that hold YAML.
        decline("a field path leads through a plain value", where)
    if step not in data or data[step] is None:
        if not create or step in data:
            return
        if not all(_PLAIN_STEP.match(rest) and text_key(rest) for rest in steps):
            decline("a field path that would create a list", where)
        yield (*path, *steps)
        return
    yield from _matches(data[step], steps[1:], (*path, step), create, where)


def _in_list(data: list[Any], steps: list[str], path: Path, create: bool, where: Location) -> Iterator[Path]:
    step = steps[0]
    if step.isdigit():
        if int(step) >= len(data):
            decline("a target has no such element", where)
        yield from _matches(data[int(step)], steps[1:], (*path, int(step)), create, where)
        return
    if step == "*":
        for index, element in enumerate(data):
            yield from _matches(element, steps[1:], (*path, index), create, where)
        return
    name, _, wanted = step[1:-1].partition("=")
    chosen = pattern(f".*(?:{wanted}).*".replace("(?:^", "(?:"), where) if not name else None
    found = False
    for index, element in enumerate(data):
        if chosen is not None or not isinstance(element, dict):
            decline("a target chooses elements that are no mappings", where)
        value = element.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            decline(f"{name} of an element is no text", where)
        if re.search(wanted, value):
            found = True
            yield from _matches(element, steps[1:], (*path, index), create, where)
    if not found and create:
        decline("a field path that would create an element", where)


def _write(
    reader: Reader, item: Item, path: Path, found: _Value, options: Mapping[str, Any], where: Location
) -> None:
    text, old = found.text, at(item.data, path)
    if options.get("delimiter"):
        if old is ABSENT or isinstance(old, dict | list) or old is None:
            decline("a delimiter needs a plain value", where)
        parts = spelled(reader, item, path, where).split(options["delimiter"])
        index = options.get("index", 0)
        if index < 0:
            parts.insert(0, text)
        elif index >= len(parts):
            parts.append(text)
        else:
            parts[index] = text
        text = options["delimiter"].join(parts)
    if isinstance(old, dict | list) or old is None:
        decline("a replacement of more than a plain value", where)
    if isinstance(old, str):
        spelled(reader, item, path, where)  # a time stays one, and takes no text
    if isinstance(old, str) and not plain_text(text) and item.origin(path)[1]:
        decline("a replacement writes what may not stay a text", where)
    # Whatever an annotation is written as, it ends as a text.
    value = text if path[:2] == ("metadata", "annotations") else _typed(text, old, where)
    item.write(path, value, found.written)
    item.check_shared(where)


def _typed(text: str, old: Any, where: Location) -> Any:
    """What the text becomes in a field: texts stay texts, a number must stay one, new fields are read anew."""
    if isinstance(old, str):
        return text
    try:
        value = plain(text, "kustomize") if text else None
    except NotJsonError:
        decline("a replacement writes what JSON has not", where)
    if old is ABSENT:
        # A number stays one until a patch is merged over it, which makes a text of it.
        if not isinstance(value, str) or re.match(r"\d{4}-", text) or "\n" in text:
            decline("a replacement creates a value of unsure type", where)
        return value
    if type(value) is not type(old) or (isinstance(value, int | float) and not _usual(value, text)):
        decline("a replacement changes a value's type", where)
    return value
