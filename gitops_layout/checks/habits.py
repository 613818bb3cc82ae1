"""Checks of what a repository says over and over: a value that is one sign off, or another environment's.

Pure; the texts of a repository are collected once a graph.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import groupby
from posixpath import basename, dirname, join
from typing import Any

from gitops_layout.checks.once import once
from gitops_layout.graph.model import Graph
from gitops_layout.model import Hit, Location, Path, Related
from gitops_layout.patterns import regexp
from gitops_layout.repo.model import is_aside, is_parked
from gitops_layout.values import dataclass

__all__ = ["another_files_constant", "is_slip", "one_sign_off"]

Params = Mapping[str, Any]

_PLAIN = regexp(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{7,149}")
"""What may be a name that others must spell alike: no blanks, no template, no prose."""
_PROSE = frozenset({"description", "title", "summary", "image", "tag", "version", "targetRevision", "ref"})
_TYPE = frozenset({"apiVersion", "kind"})
"""What a document is, and not what its file is about."""
_LARGE = 200_000


@dataclass(frozen=True, slots=True)
class _Text:
    """A text of a document, and where it stands in that; `called` are the keys on the way to it."""

    value: str
    called: tuple[str, ...]
    document: Location
    path: Path

    @property
    def location(self) -> Location:
        """Where it stands: few of very many texts are asked."""
        return self.document.at(*self.path)


@once
def _texts(graph: Graph) -> tuple[_Text, ...]:
    """The names in manifests and values, CustomResourceDefinitions left out."""
    repo = graph.repo
    found: list[_Text] = []
    for file in repo.manifests:
        if is_aside(file) or is_parked(file) or repo.entries[file].size > _LARGE:
            continue
        for document in repo.documents(file):
            data = document.data
            if isinstance(data, dict) and data.get("kind") not in ("CustomResourceDefinition", "Secret"):
                _collect(data, (), (), Location(file, (), document.index), found)
    return tuple(found)


def _collect(data: Any, called: tuple[str, ...], path: Path, here: Location, found: list[_Text]) -> None:
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        below = (*called, key) if isinstance(key, str) else called
        if isinstance(value, str):
            if below and below[-1] not in _PROSE and _PLAIN.fullmatch(value):
                found.append(_Text(value, below, here, (*path, key)))
        elif isinstance(value, dict | list) and len(path) < 40:
            _collect(value, below, (*path, key), here, found)


def one_sign_off(graph: Graph, params: Params) -> Iterator[Hit]:
    """Values that one file alone has, one sign away from what many files say under that key."""
    files: dict[tuple[str, ...], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    first: dict[tuple[tuple[str, ...], str], _Text] = {}
    for text in _texts(graph):
        key = _key(text.called)
        files[key][text.value].add(text.document.file)
        first.setdefault((key, text.value), text)
    declared: frozenset[str] | None = None
    for key, values in files.items():
        usual = {value: len(there) for value, there in values.items() if len(there) >= params["many"]}
        if not usual:
            continue
        near: dict[str, set[str]] = defaultdict(set)
        for value in usual:
            for form in _forms(value):
                near[form].add(value)
        for value, there in values.items():
            meant = (
                {o for form in _forms(value) for o in near.get(form, ()) if o != value}
                if len(there) == 1
                else set()
            )
            scheme = value.partition("://")[0]
            slips = [
                o for o in meant if is_slip(value, o) and ("://" not in value or o.startswith(f"{scheme}://"))
            ]
            if len(slips) != 1:
                continue
            if declared is None:
                declared = frozenset(r.ref.name for r in graph.repo.resources) | graph.repo.folders.keys()
            text = first[key, value]
            if value in declared or _is_path(graph, text) or sum(value in v for v in files.values()) > 1:
                continue
            other = first[key, slips[0]]
            values_ = {
                "value": value, "usual": slips[0], "count": usual[slips[0]], "key": text.called[-1], "subject": value,
            }  # fmt: skip
            related = (Related(other.location, f"one of {usual[slips[0]]} files that say so"),)
            yield Hit(text.location, values_, related)


def _key(called: tuple[str, ...]) -> tuple[str, ...]:
    """What a value is called: `name` says little without what it is the name of."""
    return (
        called[-2:]
        if called[-1] in ("name", "namespace", "value", "key", "path") and called[0] == "spec"
        else called[-1:]
    )


def _is_path(graph: Graph, text: _Text) -> bool:
    repo = graph.repo
    return any(
        repo.resolve(path) is not None for path in (text.value, join(dirname(text.document.file), text.value))
    )


def _forms(value: str) -> Iterator[str]:
    """The value, and the value without one of its signs: two values one sign apart have one in common."""
    yield value
    yield from (value[:index] + value[index + 1 :] for index in range(len(value)))


def is_slip(one: str, other: str) -> bool:
    """Whether two values differ by one letter too many or too few, or by one punctuation mark: numbers tell things
    apart.
    """
    if len(one) == len(other):
        signs = [(a, b) for a, b in zip(one, other, strict=True) if a != b]
        return len(signs) == 1 and not any(sign.isalnum() for sign in signs[0])
    longer, shorter = sorted((one, other), key=len, reverse=True)
    if len(longer) - len(shorter) != 1:
        return False
    index = next((i for i, (a, b) in enumerate(zip(longer, shorter, strict=False)) if a != b), len(shorter))
    inside = 0 < index < len(shorter)
    return longer[index + 1 :] == shorter[index:] and not longer[index].isdigit() and inside


def another_files_constant(graph: Graph, params: Params) -> Iterator[Hit]:
    """A value that all files of one name share, but for one that says what the files of another name share."""
    groups: dict[tuple[str, str, tuple[str, ...]], dict[str, list[_Text]]] = defaultdict(dict)
    for file, texts in groupby(_texts(graph), lambda text: text.document.file):
        home, name = dirname(dirname(file)), basename(file)
        for text in texts:
            if text.called[-1] not in _TYPE:
                groups[home, name, text.called].setdefault(file, []).append(text)
    constants: dict[tuple[str, tuple[str, ...]], dict[str, tuple[str, _Text]]] = defaultdict(dict)
    odd: list[tuple[str, str, tuple[str, ...], _Text]] = []
    for (home, name, called), files in groups.items():
        if len(files) < params["many"]:
            continue
        single = {file: texts[0] for file, texts in files.items() if len(texts) == 1}
        count = Counter(text.value for text in single.values())
        usual, often = count.most_common(1)[0] if count else ("", 0)
        if often < params["many"]:
            continue
        constants[home, called][name] = usual, next(t for t in single.values() if t.value == usual)
        rest = [text for text in single.values() if text.value != usual]
        if len(rest) == 1:
            odd.append((home, name, called, rest[0]))
    for home, name, called, text in odd:
        others = constants[home, called]
        usual, example = others[name]
        whose = [other for other, (value, _) in others.items() if value == text.value and other != name]
        if whose:
            related = (Related(example.location, f"what the other {name} say"),)
            values = {
                "value": text.value,
                "usual": usual,
                "other": whose[0],
                "name": name,
                "subject": text.value,
            }
            yield Hit(text.location, values, related)
