"""Strategic merge patches, as kustomize applies them.

Lists of the kinds of Kubernetes 1.21 are merged by the keys of their elements, the patch's elements
first (of elements with two keys, only those that are new); all other lists are replaced. The merge walks
the whole object, not only what the patch names: a null that is written as nothing is dropped everywhere.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from gitops_layout.kustomize.fast.declined import decline
from gitops_layout.kustomize.fast.item import Item
from gitops_layout.kustomize.fast.marks import ABSENT, Mark, lifted
from gitops_layout.kustomize.fast.marks import at as value_at
from gitops_layout.kustomize.fast.read import Reader
from gitops_layout.kustomize.fast.tables import ListRule
from gitops_layout.model import Location, Path
from gitops_layout.values import dataclass

__all__ = ["merged"]

_GONE: Any = object()
_DIRECTIVE = "$patch"

Built = tuple[Any, Mark | None]


@dataclass(frozen=True, slots=True)
class _Merge:
    """One object and one patch: `patch` is the place of the patch's root."""

    reader: Reader
    item: Item
    patch: Location

    def written(self, path: Path, below: Path) -> Mark:
        """The mark of a value that the patch writes at `path`, taken from `below` its root."""
        if value_at(self.item.data, path) is ABSENT:
            return Mark(self.patch.at(*below))
        last, before = self.item.origin(path)
        return Mark(self.patch.at(*below), (last, *before))


def merged(reader: Reader, item: Item, patch: dict[str, Any], where: Location) -> tuple[Any, Mark] | None:
    """An item's data and marks after a patch that stands at `where`; None when the patch deletes it."""
    state = _Merge(reader, item, where)
    data, mark = _mapping(state, item.data, item.mark, patch, (), (), None)
    if data is _GONE or mark is None:
        return None
    return data, mark


def _type_of(state: _Merge, data: dict[str, Any]) -> str | None:
    kind, version = data.get("kind"), data.get("apiVersion")
    if not isinstance(kind, str) or not isinstance(version, str) or not kind or not version:
        return None
    return state.reader.rules[0].get(f"{version} {kind}")


def _rule(state: _Merge, type_name: str | None, key: str) -> tuple[list[str] | None, str | None]:
    if type_name is None:
        return None, None
    rule: ListRule = state.reader.rules[1].get(type_name, {}).get(key, (None, ""))
    return rule[0], rule[1]


def _mapping(
    state: _Merge,
    data: dict[str, Any],
    mark: Mark | None,
    patch: dict[str, Any],
    path: Path,
    below: Path,
    type_name: str | None,
) -> Built:
    directive = patch.get(_DIRECTIVE)
    if directive is not None:
        _check_directive(state, directive, path, below)
    if directive == "delete":
        return _GONE, None
    if directive == "replace":
        fresh = _added(state, {k: v for k, v in patch.items() if k != _DIRECTIVE}, below, type_name)
        return fresh, state.written(path, below)
    if type_name is None:
        type_name = _type_of(state, data) or _type_of(state, patch)
    result = dict(data)
    kids: dict[str | int, Mark] = dict(mark.kids) if mark is not None and mark.kids else {}
    for key, old in data.items():
        if key not in patch and (isinstance(old, dict | list) or old is None):
            kept = _untouched(state, old, (*path, key), *_rule(state, type_name, key))
            result[key] = kept
            if kept is _GONE:
                del result[key]
    for key, new in patch.items():
        if key == _DIRECTIVE:
            continue
        old = data.get(key, ABSENT)
        kid = mark.kids.get(key) if mark is not None and mark.kids else None
        value, kid = _field(state, old, kid, new, (*path, key), (*below, key), *_rule(state, type_name, key))
        if value is _GONE:
            result.pop(key, None)
            kids.pop(key, None)
        else:
            result[key] = value
            if kid is not None:
                kids[key] = kid
    return result, Mark(mark.where if mark else None, mark.earlier if mark else (), kids)


def _check_directive(state: _Merge, directive: Any, path: Path, below: Path) -> None:
    place = state.patch.at(*below, _DIRECTIVE)
    if directive not in ("delete", "replace", "merge"):
        decline(f"unknown directive {directive}", place)
    notes = path in (("metadata",), ("metadata", "annotations"))
    if directive != "merge" and (notes or (directive == "replace" and not path)):
        decline("a directive meets what kustomize keeps its notes in", place)


def _field(
    state: _Merge,
    old: Any,
    mark: Mark | None,
    new: Any,
    path: Path,
    below: Path,
    keys: list[str] | None,
    type_name: str | None,
) -> Built:
    if isinstance(path[-1], str) and path[-1].startswith("$"):
        decline(f"directive {path[-1]}", state.patch.at(*below))
    if new is None:
        if path == ("metadata", "annotations") or path == ("metadata",):
            decline("a null deletes what kustomize keeps its notes in", state.patch.at(*below))
        return _GONE, None
    if old is ABSENT or old is None:
        fresh = _added_value(state, new, below, keys, type_name)
        return fresh, None if fresh is _GONE else state.written(path, below)
    if isinstance(new, dict):
        if not isinstance(old, dict):
            decline("the patch has a mapping where the object has none", state.patch.at(*below))
        return _mapping(state, old, mark, new, path, below, type_name)
    if isinstance(new, list):
        if not isinstance(old, list):
            decline("the patch has a list where the object has none", state.patch.at(*below))
        if keys is None:
            _no_directives(state, new, below)
            return new, state.written(path, below)
        return _merged_list(state, old, mark, new, path, below, keys, type_name)
    if isinstance(old, dict | list):
        decline("the patch has a plain value where the object has none", state.patch.at(*below))
    _check_style(state, old, new, path, below)
    return new, state.written(path, below)


def _check_style(state: _Merge, old: Any, new: Any, path: Path, below: Path) -> None:
    """A merged value is written in the style of the one it replaces: in quotes a number is a text, and
    folded lines may come back as others.
    """
    # A date that was written without quotes is no text to kustomize.
    is_text = isinstance(new, str) and not new.endswith("T00:00:00Z")
    if not isinstance(old, str) or (is_text and "\n" not in new):
        return
    where, earlier = state.item.origin(path)
    # The style is that of whoever wrote the field first, unless a whole mapping was replaced since.
    known = not state.item.rewritten and all(place.path[-1:] == path[-1:] for place in earlier)
    style = state.reader.first_character((where, *earlier)[-1]) if known else ""
    if not style or style in (">!*&" if is_text else "'\"|>!*&"):
        decline("a value takes the style of a text that it replaces", state.patch.at(*below))


def _untouched(state: _Merge, value: Any, path: Path, keys: list[str] | None, type_name: str | None) -> Any:
    """A value that the patch does not name: the same, or _GONE, or a copy without nulls of no spelling."""
    if value is None:
        where = state.item.origin(path)[0]
        spelled = state.item.rewritten or not state.reader.bare_null(where)
        return None if spelled else _GONE
    if isinstance(value, dict):
        if type_name is None:
            type_name = _type_of(state, value)
        changed: dict[str, Any] | None = None
        for key, old in value.items():
            if isinstance(old, dict | list) or old is None:
                kept = _untouched(state, old, (*path, key), *_rule(state, type_name, key))
                if kept is not old:
                    changed = dict(value) if changed is None else changed
                    if kept is _GONE:
                        del changed[key]
                    else:
                        changed[key] = kept
        return value if changed is None else changed
    if isinstance(value, list) and keys is not None:
        _identities(state, value, keys, path)
        if not keys:
            return value
        elements = [_untouched(state, old, (*path, n), None, type_name) for n, old in enumerate(value)]
        return value if all(a is b for a, b in zip(elements, value, strict=True)) else elements
    return value


def _added_value(state: _Merge, new: Any, below: Path, keys: list[str] | None, type_name: str | None) -> Any:
    if isinstance(new, dict):
        return _added(state, new, below, type_name)
    if not isinstance(new, list):
        return new
    if keys is None:
        _no_directives(state, new, below)
        return new
    kept = [e for e in new if not (isinstance(e, dict) and e.get(_DIRECTIVE) == "delete" and len(e) > 1)]
    if len(kept) != len(new):
        decline("a directive deletes from a list that is not there", state.patch.at(*below))
    _identities(state, new, keys, below)
    if not keys:
        return new
    return [_added(state, element, (*below, n), type_name) for n, element in enumerate(new)]


def _added(state: _Merge, new: dict[str, Any], below: Path, type_name: str | None) -> Any:
    """A mapping that only the patch has: as it is, without nulls and directives."""
    directive = new.get(_DIRECTIVE)
    if directive == "delete":
        return _GONE
    if directive not in (None, "merge", "replace"):
        decline(f"unknown directive {directive}", state.patch.at(*below, _DIRECTIVE))
    if type_name is None:
        type_name = _type_of(state, new)
    result = {}
    for key, value in new.items():
        if key == _DIRECTIVE or value is None:
            continue
        if key.startswith("$"):
            decline(f"directive {key}", state.patch.at(*below, key))
        fresh = _added_value(state, value, (*below, key), *_rule(state, type_name, key))
        if fresh is not _GONE:
            result[key] = fresh
    return result


def _no_directives(state: _Merge, values: list[Any], below: Path) -> None:
    if any(isinstance(value, dict) and _DIRECTIVE in value for value in values):
        decline("a directive in a list that is not merged", state.patch.at(*below))
    if _holds_null(values):
        # One that is written as nothing (`a:`) comes out as an empty text.
        decline("a null in a list that is not merged", state.patch.at(*below))


def _holds_null(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_holds_null(item) for item in value.values())
    return any(_holds_null(item) for item in value) if isinstance(value, list) else value is None


def _merged_list(
    state: _Merge,
    old: list[Any],
    mark: Mark | None,
    new: list[Any],
    path: Path,
    below: Path,
    keys: list[str],
    type_name: str | None,
) -> Built:
    new_at = list(enumerate(new))
    first = next((e for e in new if isinstance(e, dict) and _DIRECTIVE in e), None)
    if first is not None and len(first) == 1:
        directive = first[_DIRECTIVE]
        new_at = [(n, e) for n, e in new_at if not (isinstance(e, dict) and e.get(_DIRECTIVE) == directive)]
        if directive == "delete":
            return _GONE, None
        if directive == "replace":
            return _replaced_list(state, new_at, path, below, keys, type_name)
        if directive != "merge" or any(isinstance(e, dict) and _DIRECTIVE in e for _, e in new_at):
            decline("mixed directives in a list", state.patch.at(*below))
    return _merged_elements(state, old, mark, new_at, path, below, keys, type_name)


def _merged_elements(
    state: _Merge,
    old: list[Any],
    mark: Mark | None,
    new_at: list[tuple[int, Any]],
    path: Path,
    below: Path,
    keys: list[str],
    type_name: str | None,
) -> Built:
    """The elements of both sides: the patch's first, where one key tells them apart; else only what is new there."""
    ours = _identities(state, [element for _, element in new_at], keys, below, path)
    theirs = _identities(state, old, keys, path)
    elements = [*old, *(element for _, element in new_at)]
    if ours and theirs and not _told_apart([*theirs, *ours], elements, keys):
        decline("list elements are named by different fields", state.patch.at(*below))
    position = {identity: n for n, identity in enumerate(theirs)}
    merged: dict[int, tuple[Any, Mark]] = {}
    values: list[Any] = []
    kids: dict[str | int, Mark] = {}

    def put(value: Any, kid: Mark) -> None:
        if value is not _GONE:
            kids[len(values)] = kid
            values.append(value)

    in_place = any(len(identity) > 1 for identity in (*ours, *theirs))
    for (index, element), identity in zip(new_at, ours, strict=True):
        n = position.get(identity)
        built = _element(state, old, n, element, path, (*below, index), keys, type_name)
        if n is None or not in_place:
            put(*built)
        if n is not None:
            merged[n] = built
    for n, element in enumerate(old):
        if n not in merged:
            kept = _untouched(state, element, (*path, n), None, type_name) if keys else element
            put(kept, lifted(state.item.mark, (*path, n)))
        elif in_place:
            put(*merged[n])
    return values, Mark(mark.where if mark else None, mark.earlier if mark else (), kids)


def _element(
    state: _Merge,
    old: list[Any],
    n: int | None,
    element: Any,
    path: Path,
    below: Path,
    keys: list[str],
    type_name: str | None,
) -> tuple[Any, Mark]:
    """One element of the patch, merged into the object's element of the same identity (`old[n]`)."""
    fresh = Mark(state.patch.at(*below))
    if not keys:
        return element, fresh if n is None else state.written((*path, n), below)
    if element.get(_DIRECTIVE) == "replace":
        decline("a directive replaces one element of a list", state.patch.at(*below))
    if n is None:
        return _added(state, element, below, type_name), fresh
    mark = lifted(state.item.mark, (*path, n))
    # What tells the element apart is no change: it stays where the object has it.
    element = {key: value for key, value in element.items() if key not in keys or old[n].get(key) != value}
    value, kid = _mapping(state, old[n], mark, element, (*path, n), below, type_name)
    return value, kid or mark


def _replaced_list(
    state: _Merge,
    new_at: list[tuple[int, Any]],
    path: Path,
    below: Path,
    keys: list[str],
    type_name: str | None,
) -> Built:
    _identities(state, [element for _, element in new_at], keys, below)
    values: list[Any] = []
    kids: dict[str | int, Mark] = {}
    for index, element in new_at:
        if keys and _DIRECTIVE in element:
            decline("mixed directives in a list", state.patch.at(*below))
        kids[len(values)] = Mark(state.patch.at(*below, index))
        values.append(_added(state, element, (*below, index), type_name) if keys else element)
    fresh = state.written(path, below)
    return values, Mark(fresh.where, fresh.earlier, kids)


Identity = tuple[tuple[str, str], ...]


def _shape(identity: Identity) -> tuple[str, ...]:
    return tuple(key for key, _ in identity)


def _identities(
    state: _Merge, values: list[Any], keys: list[str], path: Path, target: Path | None = None
) -> list[Identity]:
    """What tells the elements of a merged list apart; declined unless all have it and no two the same."""
    found = [_identity(state, value, keys, path) for value in values]
    if len(set(found)) != len(found) or not _told_apart(found, values, keys):
        decline(f"elements of {'.'.join(map(str, target or path))} cannot be told apart", state.patch)
    return found


def _told_apart(found: list[Identity], values: list[Any], keys: list[str]) -> bool:
    """Whether it is known what kustomize takes for the same element. Of two keys the second may be missing (a port's
    protocol) where the first is enough: it takes an element that lacks it for any that has the same first.
    """
    if len({_shape(identity) for identity in found}) < 2:
        return True
    if len(keys) != 2 or any(identity[0][0] != keys[0] for identity in found):
        return False
    if any(_DIRECTIVE in value or value.get(keys[1], "?") in (None, "") for value in values):
        return False
    counts = Counter(identity[0] for identity in set(found))
    return all(len(identity) == 2 or counts[identity[0]] == 1 for identity in found)


def _spelled_oddly(state: _Merge, value: int) -> bool:
    """Whether a number may be written otherwise than in its digits: 80 and 0x50 are two elements to kustomize."""
    return value in state.item.unusual or value in state.reader.unusual(state.item.origin(())[0].file)


def _identity(state: _Merge, value: Any, keys: list[str], path: Path) -> Identity:
    if not keys:
        if not isinstance(value, str) or not value:
            decline(f"{'.'.join(map(str, path))} lists what is no text", state.patch)
        return (("", value),)
    if not isinstance(value, dict):
        decline(f"{'.'.join(map(str, path))} lists what is no mapping", state.patch)
    named = []
    for key in keys:
        text = value.get(key)
        if text is None or text == "":
            continue
        if isinstance(text, bool) or not isinstance(text, str | int):
            decline(f"{key} of an element is no text", state.patch)
        if isinstance(text, str) and text.endswith("T00:00:00Z"):
            decline(f"{key} of an element may be a date", state.patch)
        if isinstance(text, int) and _spelled_oddly(state, text):
            decline(f"{key} of an element may be a number of unusual spelling", state.patch)
        named.append((key, str(text)))
    if not named:
        decline(f"an element of {'.'.join(map(str, path))} has no {keys[0]}", state.patch)
    return tuple(named)
