"""What a chart's values.schema.json would make helm read besides itself.

helm follows references to `https://` and `file://`, which would be the network or files outside the
repository; so a schema that has any is found ahead, in archives too.
"""

from __future__ import annotations

import io
import json
import tarfile
import zlib
from collections.abc import Iterator
from posixpath import basename
from typing import Any

from gitops_layout.helm.chart import MAX_TOTAL, Chart, Problem
from gitops_layout.model import Location, UncheckedClass
from gitops_layout.repo.model import Repo

__all__ = ["outside"]

_NAME = "values.schema.json"
_DEPTH = 4
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_KNOWN = ("http://json-schema.org/", "https://json-schema.org/")


def outside(repo: Repo, chart: Chart) -> Problem | None:
    """The first reference of the chart's schemas that leads out of them."""
    for place, file in sorted(chart.files.items()):
        if basename(place) == _NAME or place.endswith(".tgz"):
            problem = _checked(place, repo.content(file), Location(file))
            if problem is not None:
                return problem
    for brought in (*chart.fetched.values(), *((chart.own,) if chart.own is not None else ())):
        for path in brought.rglob("*") if brought.is_dir() else (brought,):
            if path.is_file() and (path == brought or path.name == _NAME or path.suffix == ".tgz"):
                problem = _checked(path.name, path.read_bytes(), chart.definition)
                if problem is not None:
                    return problem
    return None


def _checked(place: str, content: bytes, where: Location) -> Problem | None:
    try:
        schemas = [content] if basename(place) == _NAME else list(_packed(content, [MAX_TOTAL], _DEPTH))
        references = [reference for schema in schemas for reference in _references(schema)]
    except (tarfile.TarError, OSError, EOFError, zlib.error, RecursionError, ValueError) as error:
        return Problem(f"{place} cannot be looked into: {error}", where)
    for reference in references:
        why = f"the schema of the chart's values refers to {reference}; nothing is fetched"
        return Problem(why, where, UncheckedClass.EXTERNAL)
    return None


def _packed(content: bytes, left: list[int], depth: int) -> Iterator[bytes]:
    """The schemas in an archive and those in it; `left` are the bytes that may still be unpacked."""
    if depth == 0:
        raise ValueError("archives in archives, too deep")
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        for member in archive:
            left[0] -= member.size + 512
            if left[0] < 0:
                raise ValueError(f"more than {MAX_TOTAL // 2**20} MiB")
            wanted = basename(member.name) == _NAME or member.name.endswith(".tgz")
            stream = archive.extractfile(member) if wanted and member.isfile() else None
            if stream is None:
                continue
            if basename(member.name) == _NAME:
                yield stream.read()
            else:
                yield from _packed(stream.read(), left, depth - 1)


def _references(content: bytes) -> list[str]:
    """The references to elsewhere; of a key that stands twice both count."""
    found: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        for key, value in pairs:
            local = isinstance(value, str) and value.startswith(("#", *_KNOWN))
            if isinstance(value, str) and not local and key in (*_REFERENCES, "$schema"):
                found.append(value)

    try:
        json.loads(content, object_pairs_hook=look)
    except (json.JSONDecodeError, UnicodeDecodeError):
        return found  # helm refuses it in its own words
    return found
