"""Origins of what real kustomize built: our own builder follows the build as far as it can, and where a value that it
made is the same as the real one, both have one writer. Everywhere else a place is a guess, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from posixpath import join
from typing import TYPE_CHECKING, Any

from gitops_layout.kustomize.model import Closure
from gitops_layout.model import Location, Path
from gitops_layout.patterns import regexp
from gitops_layout.render.origins import ABSENT, Tracer, value_at
from gitops_layout.repo.model import Repo
from gitops_layout.source.reader import read
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from gitops_layout.kustomize.fast import Fast, Origin

__all__ = ["Aligned"]

_HASH = regexp(r"-[0-9a-z]{10}\Z")
_IDENTITY = (
    "name",
    "containerPort",
    "port",
    "protocol",
    "mountPath",
    "key",
    "ip",
    "path",
    "host",
    "kind",
    "namespace",
)
"""Fields that tell the elements of a list apart, those together that an element has."""

Steps = tuple[str | int | None, ...]
"""A path in which None stands for any element of a list."""


@dataclass(frozen=True, slots=True)
class _Write:
    """What a step that was not followed writes into some objects: a field and all below it.

    `elements` are what tells the list elements on the way apart, for each of the steps that has such; `value` is what
    is written, where that is known.
    """

    kind: str | None
    name: str | None
    steps: Steps
    where: Location
    elements: tuple[Mapping[str, Any], ...] = ()
    value: Any = ABSENT

    def may(self, data: Mapping[str, Any], path: Path) -> bool:
        """Whether it may have written the value at `path` of an object, whatever happened to it since."""
        if len(path) < len(self.steps):
            return False
        if any(step is not None and step != there for step, there in zip(self.steps, path, strict=False)):
            return False
        return _fits(self.kind, data.get("kind")) and _fits(self.name, value_at(data, ("metadata", "name")))

    def means(self, data: Mapping[str, Any], path: Path) -> bool:
        """The same, and the list elements on the way are those that it is for."""
        if not self.steps or not self.may(data, path):
            return False
        for length, wanted in enumerate(self.elements, 1):
            element = value_at(data, path[:length]) if wanted else {}
            if not isinstance(element, dict) or any(
                element.get(key) != value for key, value in wanted.items()
            ):
                return False
        return True

    def gives(self, path: Path, value: Any) -> bool:
        """Whether what it writes at `path` is this value, as far as one can tell. What finds an element is not written."""
        if self.value is ABSENT:
            return True
        finds = len(self.elements) > 1 and self.steps[-1] in self.elements[-2]
        return not finds and _same(value_at(self.value, path[len(self.steps) :]), value)


class Aligned:
    """The origins of objects that real kustomize built from a closure; `view` has what it read, `fallback` is the
    place of what nothing explains.
    """

    def __init__(
        self, view: Repo, closure: Closure, objects: Sequence[dict[str, Any]], fallback: Location
    ) -> None:
        self._view = view
        self._closure = closure
        self._objects = objects
        self._tracer = Tracer(view, closure, fallback)
        self._known: dict[tuple[int, Path], tuple[Path | None, bool, bool]] = {}

    @cached_property
    def _trace(self) -> Fast:
        # Only whoever asks for a place waits for the builder.
        from gitops_layout.kustomize.fast import trace

        return trace(self._view, self._closure)

    @cached_property
    def _partners(self) -> list[int | None]:
        """For each object the one of the trace that it is."""
        free: dict[tuple[Any, ...], list[int]] = {}
        for index, data in enumerate(self._trace.objects):
            free.setdefault(_identity(data), []).append(index)
        found = [found.pop(0) if (found := free.get(_identity(data))) else None for data in self._objects]
        for index, data in enumerate(self._objects):
            if found[index] is None:
                same = [n for rest in free.values() for n in rest if _alike(self._trace.objects[n], data)]
                if len(same) == 1:
                    found[index] = same[0]
                    free[_identity(self._trace.objects[same[0]])].remove(same[0])
        return found

    @cached_property
    def _left(self) -> list[_Write]:
        """What the steps write that were not followed, the last one first."""
        return [write for where in reversed(self._trace.left) for write in _writes(self._view, where)]

    def origin(self, index: int, path: Path) -> Origin:
        """Who wrote the value at `path` of the object with this index, and who did before; an absent path: who wrote
        what is nearest above it.
        """
        from gitops_layout.kustomize.fast import Origin

        there, likely, _ = self._followed(index, path)
        partner = self._partners[index]
        if likely and there is not None and partner is not None:
            return self._trace.origin(partner, there)
        return Origin(self._guess(index, path), ())

    def writers(self, index: int, path: Path) -> tuple[Location, ...]:
        """The same places, whose paths lead on into the YAML of texts."""
        there, likely, _ = self._followed(index, path)
        partner = self._partners[index]
        if likely and there is not None and partner is not None:
            return self._trace.writers(partner, there)
        return (self._guess(index, path),)

    def approximate(self, index: int, path: Path) -> bool:
        """Whether the origin of a value is a guess."""
        return not self._followed(index, path)[2]

    def _guess(self, index: int, path: Path) -> Location:
        """The last step that was not followed and names the field; else what looks most like its writer."""
        data = self._objects[index]
        value = value_at(data, path)
        meant = [write for write in self._left if write.means(data, path)]
        given = next((write for write in meant if write.gives(path, value)), None)
        if given is None:
            found = self._tracer.origin(data)(path)
            if not meant or self._holds(found, value):
                return found
            given = meant[0]
        return _inside(self._view, given.where.at(*path[len(given.steps) :]))

    def _holds(self, place: Location, value: Any) -> bool:
        """Whether a file has the value at a place."""
        if place.file not in self._view.entries:
            return False
        documents = self._view.documents(place.file)
        return any(
            d.index == place.document and _same(value_at(d.data, place.path), value) for d in documents
        )

    def _followed(self, index: int, path: Path) -> tuple[Path | None, bool, bool]:
        """The path in the trace's object, and whether it has the same value by the same writers: likely, and for sure."""
        if (index, path) not in self._known:
            self._known[index, path] = self._follow(index, path)
        return self._known[index, path]

    def _follow(self, index: int, path: Path) -> tuple[Path | None, bool, bool]:
        partner, data = self._partners[index], self._objects[index]
        while path and value_at(data, path) is ABSENT:
            path = path[:-1]
        if partner is None:
            return None, False, False
        there = _aligned(data, self._trace.objects[partner], path)
        if there is None or not _same(value_at(data, path), value_at(self._trace.objects[partner], there)):
            return there, False, False
        last = self._trace.writers(partner, there)[0]
        others = [w for w in self._left if w.may(data, path) and not _is_below(last, w.where)]
        return there, not any(write.means(data, path) for write in others), not others


def _is_below(place: Location, above: Location) -> bool:
    return place.file == above.file and place.path[: len(above.path)] == above.path


def _identity(data: Mapping[str, Any]) -> tuple[Any, ...]:
    # A namespace that is a mapping or a list is wrong, but kustomize builds it.
    names = (("apiVersion",), ("kind",), ("metadata", "namespace"), ("metadata", "name"))
    return tuple(str(value_at(data, path)) for path in names)


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two may be one object: of one kind, one's name a part of the other's but for a hash."""
    if (one.get("apiVersion"), one.get("kind")) != (other.get("apiVersion"), other.get("kind")):
        return False
    ours, theirs = (_HASH.sub("", str(value_at(data, ("metadata", "name")))) for data in (one, other))
    return ours in theirs or theirs in ours


def _same(one: Any, other: Any) -> bool:
    return one is not ABSENT and type(one) is type(other) and bool(one == other)


def _aligned(data: Any, traced: Any, path: Path) -> Path | None:
    """The same place in the trace's object: elements of lists are found again by what they are."""
    done: list[str | int] = []
    for step in path:
        match data, traced, step:
            case dict(), dict(), str() if step in data and step in traced:
                found: str | int | None = step
            case list(), list(), int() if step < len(data):
                found = _element(data, traced, step)
            case _:
                return None
        if found is None:
            return None
        data, traced = data[step], traced[found]
        done.append(found)
    return tuple(done)


def _element(values: list[Any], traced: list[Any], step: int) -> int | None:
    value = values[step]
    if step < len(traced) and traced[step] == value and type(traced[step]) is type(value):
        return step
    equal = [index for index, other in enumerate(traced) if other == value]
    if len(equal) == 1:
        return equal[0]
    if not isinstance(value, dict):
        return None
    named = _named(value)
    alike = [
        index
        for index, other in enumerate(traced)
        if isinstance(other, dict) and named and all(other.get(key) == text for key, text in named.items())
    ]
    return alike[0] if len(alike) == 1 else None


def _fits(wanted: str | None, text: Any) -> bool:
    if not wanted:
        return True
    try:
        return wanted in str(text) or re.fullmatch(wanted[:200], str(text)[:300]) is not None
    except re.error:
        return False


def _writes(view: Repo, where: Location) -> Iterator[_Write]:
    """What a step of a kustomization writes that stands at a place, as far as it says so itself."""
    if where.file not in view.entries:
        return
    entry = next(
        (value_at(d.data, where.path) for d in view.documents(where.file) if d.index == where.document), None
    )
    match where.path:
        case ("patches" | "patchesJson6902", int()) if isinstance(entry, dict):
            yield from _patched(view, where, entry)
        case ("patchesStrategicMerge",) if isinstance(entry, list):
            for index, text in enumerate(entry):
                if isinstance(text, str):
                    inline = "patch" if "\n" in text else "path"
                    yield from _patched(view, where.at(index), {inline: text}, here=where.at(index))
        case ("replacements", int()) if isinstance(entry, dict):
            yield from _replaced(where, entry)
        case ("openapi",):  # the schema says how lists are merged: any patch may have written another element
            yield _Write(None, None, (), where)
        case ("namePrefix" | "nameSuffix",):
            yield _Write(None, None, ("metadata", "name"), where)
        case _:
            return


def _patched(
    view: Repo, where: Location, entry: Mapping[str, Any], here: Location | None = None
) -> Iterator[_Write]:
    target = entry.get("target")
    selector = target if isinstance(target, dict) else {}
    kind, name = (value if isinstance(value := selector.get(key), str) else None for key in ("kind", "name"))
    text, path = entry.get("patch"), entry.get("path")
    if isinstance(text, str) and text.strip():
        place, documents = here or where.at("patch"), read(text.strip(), where.file).documents
    elif isinstance(path, str):
        real = view.resolve(join(where.file.rpartition("/")[0], path))
        if real is None or real not in view.entries:
            return
        place, documents = Location(real), view.documents(real)
    else:
        return
    for document in documents:
        root = place.at(document.index) if place.path else Location(place.file, (), document.index)
        if isinstance(document.data, list):
            yield from _operations(document.data, root, kind, name)
        elif isinstance(document.data, dict):
            own = value_at(document.data, ("metadata", "name"))
            meant = (
                kind or str(document.data.get("kind")),
                name or (own if isinstance(own, str) and not selector else None),
            )
            for steps, below, elements in _leaves(document.data, (), (), ()):
                if steps[0] not in ("apiVersion", "kind") and steps != ("metadata", "name"):
                    value = value_at(document.data, below)
                    yield _Write(*meant, steps, root.at(*below), elements, value)


def _operations(
    operations: list[Any], root: Location, kind: str | None, name: str | None
) -> Iterator[_Write]:
    for index, operation in reversed(list(enumerate(operations))):
        match operation:
            case {"path": str(pointer), **rest} if pointer.startswith("/") and rest.get("op") != "test":
                names = (step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])
                steps: Steps = tuple(None if step == "-" or step.isdigit() else step for step in names)
                where = root.at(index, *(("value",) if "value" in rest else ()))
                yield _Write(kind, name, steps, where, value=rest.get("value", ABSENT))
            case _:
                continue


def _replaced(where: Location, entry: Mapping[str, Any]) -> Iterator[_Write]:
    targets = entry.get("targets")
    for number, target in enumerate(targets if isinstance(targets, list) else ()):
        match target:
            case {"select": dict(select), "fieldPaths": list(paths)}:
                for index, path in enumerate(paths):
                    if not isinstance(path, str):
                        continue
                    parts = re.split(r"(?<!\\)\.", path)
                    steps: Steps = tuple(
                        None if part[:1] in "[*" or part.isdigit() else part.replace("\\.", ".")
                        for part in parts
                        if part
                    )
                    yield _Write(
                        select.get("kind"),
                        select.get("name"),
                        steps,
                        where.at("targets", number, "fieldPaths", index),
                    )
            case _:
                continue


def _leaves(
    data: Any, steps: Steps, below: Path, elements: tuple[Mapping[str, Any], ...]
) -> Iterator[tuple[Steps, Path, tuple[Mapping[str, Any], ...]]]:
    """The plain values of a patch: the fields that they are for, where they stand in it, and the list elements on the way.

    Elements that the patch deletes are left out.
    """
    if isinstance(data, dict) and data:
        for key, value in data.items():
            if not key.startswith("$"):
                yield from _leaves(value, (*steps, key), (*below, key), (*elements, {}))
    elif isinstance(data, list) and data:
        for index, value in enumerate(data):
            if not (isinstance(value, dict) and value.get("$patch") == "delete"):
                yield from _leaves(value, (*steps, None), (*below, index), (*elements, _named(value)))
    elif steps:
        yield steps, below, elements


def _named(element: Any) -> Mapping[str, Any]:
    """What tells an element of a list apart from the others."""
    if not isinstance(element, dict):
        return {}
    return {key: element[key] for key in _IDENTITY if isinstance(element.get(key), str | int)}


def _inside(view: Repo, place: Location) -> Location:
    from gitops_layout.kustomize.fast.inline import inside_text

    return inside_text(view, place, known=True)
