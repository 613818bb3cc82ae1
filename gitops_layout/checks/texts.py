"""Texts inside manifests: quotes that have no partner, marks of a merge, and JSON that is none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from posixpath import splitext
from typing import Any

from gitops_layout.checks.delivered import delivered
from gitops_layout.checks.files import manifests
from gitops_layout.graph.model import Graph
from gitops_layout.model import Hit, Location, Path, Span
from gitops_layout.patterns import regexp

__all__ = ["broken_json", "conflict_marker", "malformed_digest", "stray_quote"]

Params = Mapping[str, Any]

_MARKERS = ("<<<<<<< ", "=======", ">>>>>>> ")


def conflict_marker(graph: Graph, params: Params) -> Iterator[Hit]:
    """Files with all three marks of a merge that somebody committed before it was done."""
    read = set(manifests(graph.repo))
    beside = [path for path in graph.repo.files if _steers(path) and path not in read]
    for path in (*manifests(graph.repo), *beside):
        text = graph.repo.stream(path).text if path in read else graph.repo.text(path)
        if _MARKERS[0] not in text or _MARKERS[2] not in text:
            continue
        lines = text.split("\n")
        starts = [n for n, line in enumerate(lines, 1) if line.startswith(_MARKERS[0])]
        if starts and any(line.rstrip() == _MARKERS[1] for line in lines):
            first = starts[0]
            span = Span(first, 1, first, len(lines[first - 1]) + 1, 0, 0)
            yield Hit(Location(path, span=span), {"count": len(starts), "subject": "conflict"})


def _steers(path: str) -> bool:
    """Whether a file says who reviews and what CI runs: no manifest, and as broken with marks in it."""
    if path.rpartition("/")[2] in ("CODEOWNERS", ".gitlab-ci.yml"):
        return True
    return path.startswith(".github/workflows/") and path.endswith((".yaml", ".yml"))


_NAMES = frozenset(
    {"name", "namespace", "host", "hostname", "serviceName", "secretName", "claimName", "storageClassName", "schedule",
     "cluster", "serviceAccountName", "ingressClassName", "image", "tag", "repository", "url", "path", "key"}
)  # fmt: skip
"""Fields whose value is a name or an address: none of them holds a quote."""
_FREE = ("data", "stringData")
"""Where keys are what somebody calls them."""
_TYPOGRAPHIC = "\u201c\u201d\u201e\u2018\u2019\u201a\u00ab\u00bb"


def stray_quote(graph: Graph, params: Params) -> Iterator[Hit]:
    """Names and addresses that begin or end with a quote without a partner, which is then part of them."""
    for path in manifests(graph.repo):
        text = graph.repo.stream(path).text
        if not graph.is_live(path) or not any(quote in text for quote in ("\"'" + _TYPOGRAPHIC)):
            continue
        for document in graph.repo.documents(path):
            for value, where in _texts(document.data, ()):
                if where and where[-1] in _NAMES and where[0] not in _FREE and (quote := _stray(value)):
                    values = {"field": str(where[-1]), "quote": quote, "subject": ".".join(map(str, where))}
                    yield Hit(Location(path, where, document.index), values)


def _stray(value: str) -> str:
    if len(value) < 2 or any(sign in value for sign in "${}\n"):
        return ""
    if value[0] in _TYPOGRAPHIC or value[-1] in _TYPOGRAPHIC:
        return value[0] if value[0] in _TYPOGRAPHIC else value[-1]
    for quote in ('"', "'"):
        if (
            value.count(quote) == 1
            and (value.startswith(quote) or value.endswith(quote))
            and " " not in value
        ):
            return quote
    return ""


def _texts(value: Any, at: Path) -> Iterator[tuple[str, Path]]:
    match value:
        case str():
            yield value, at
        case dict():
            for key, item in value.items():
                yield from _texts(item, (*at, key))
        case list():
            for index, item in enumerate(value):
                yield from _texts(item, (*at, index))


_DIGEST = regexp(r"@sha256:([0-9A-Za-z]*)")
_LENGTH = 64


def malformed_digest(graph: Graph, params: Params) -> Iterator[Hit]:
    """Digests of images that are too short, too long, or no hexadecimal numbers."""
    for path in manifests(graph.repo):
        text = graph.repo.stream(path).text
        if "@sha256:" not in text or not graph.is_live(path):
            continue
        for number, line in enumerate(text.split("\n"), 1):
            for found in _DIGEST.finditer(line) if "@sha256:" in line else ():
                digest = found[1]
                if "#" in line[: found.start()] or line[found.end() :].startswith(
                    ("$", "{", "<", "…", "...")
                ):
                    continue
                if digest and (len(digest) != _LENGTH or not re.fullmatch(r"[0-9a-f]+", digest)):
                    wrong = f"{len(digest)} digits" if len(digest) != _LENGTH else "a digit that is none"
                    span = Span(number, found.start() + 1, number, found.end() + 1, 0, 0)
                    yield Hit(Location(path, span=span), {"wrong": wrong, "subject": digest})


_LATER = regexp(r"\$\{|\{\{|\{%|<%|\$[A-Z_]+|<[A-Z_]+>|^\s*//|/\*", re.MULTILINE)
"""What is filled in or taken out before somebody reads it as JSON."""


def broken_json(graph: Graph, params: Params) -> Iterator[Hit]:
    """Entries of ConfigMaps that are called JSON and are none."""
    seen: set[tuple[str, Path]] = set()
    for item in delivered(graph).of("", "ConfigMap"):
        data = item.data.get("data")
        for key, value in data.items() if isinstance(data, dict) else ():
            if splitext(str(key))[1] != ".json" or not isinstance(value, str) or not value.strip():
                continue
            place = item.object.origin(("data", key))
            if (place.file, place.path) in seen:
                continue
            seen.add((place.file, place.path))
            try:
                json.loads(value)
            except ValueError as error:
                if not isinstance(error, json.JSONDecodeError) or _LATER.search(_around(value, error.pos)):
                    continue
                if (error.msg == "Extra data" and _is_stream(value)) or _JSON5.match(value):
                    continue
                where = _line_of(graph, place, key, error.lineno)
                values = {
                    "key": key, "name": item.ref.name, "problem": error.msg, "line": error.lineno, "subject": key,
                }  # fmt: skip
                yield Hit(where, values, item.named(where), item.affected)


_JSON5 = regexp(r"\s*+\{\s*+[A-Za-z_$][\w$]*+\s*+:")
"""An object whose first key is bare: JSON5, whose readers take trailing commas too."""


def _is_stream(value: str) -> bool:
    """Whether it is several values of JSON one behind the other, as `jq` and readers of logs take them."""
    decode, start = json.JSONDecoder().raw_decode, 0
    try:
        while start < len(value):
            _, end = decode(value, start)
            start = end + len(value[end:]) - len(value[end:].lstrip())
    except ValueError:
        return False
    return True


def _around(value: str, position: int) -> str:
    """What stands where the reader stopped; marks in texts elsewhere (the legends of a dashboard) are no marks."""
    start = value.rfind("\n", 0, max(0, value.rfind("\n", 0, position))) + 1
    end = value.find("\n", position)
    return value[max(start, position - 200) : min(end if end >= 0 else len(value), position + 200)]


def _line_of(graph: Graph, place: Location, key: str, number: int) -> Location:
    """The line of the file that line `number` of a literal block stands on; else the key."""
    if place.file not in graph.repo.entries or place.path[-1:] != (key,):
        return place
    start = graph.repo.span(replace(place, key=True)).line
    lines = graph.repo.stream(place.file).text.split("\n")
    written = lines[start - 1].split("#")[0].rstrip() if start <= len(lines) else ""
    if not re.search(r":\s*\|[-+]?$", written) or start + number > len(lines):
        return replace(place, key=True)
    line = start + number
    width = len(lines[line - 1])
    return Location(
        place.file, span=Span(line, width - len(lines[line - 1].lstrip()) + 1, line, width + 1, 0, 0)
    )
