"""The files of charts that `fetch` brought, or that lie in archives: what a release takes from them, and what their
templates may do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import IO

from gitops_layout.helm.chart import Chart
from gitops_layout.repo.model import Entry, Repo
from gitops_layout.repo.unpacked import from_unpacked
from gitops_layout.store.archive import RefusedError, files

__all__ = ["files_of", "libraries"]

_LIMIT = 64 * 2**20
_DEPTH = 10


def files_of(chart: Path) -> Repo:
    """The files of an archive, or of a folder, by their paths in the chart; none of an archive that is refused."""
    if chart.is_dir():
        return from_unpacked(chart)
    with chart.open("rb") as source:
        contents = {name.partition("/")[2]: content for name, content in _unpacked(source)}
    entries = {name: Entry(len(content)) for name, content in contents.items() if name}
    return Repo(str(chart), None, entries, contents.__getitem__)


def libraries(repo: Repo, chart: Chart) -> list[str]:
    """The templates of a chart's dependencies that lie in archives or were fetched."""
    archives = [BytesIO(repo.content(file)) for place, file in chart.files.items() if place.endswith(".tgz")]
    found = [text for archive in archives for text in _templates(_unpacked(archive))]
    for path in chart.fetched.values():
        brought = files_of(path)
        found += _templates((name, brought.content(name)) for name in brought.entries)
    return found


def _templates(files: Iterator[tuple[str, bytes]], depth: int = 0) -> Iterator[str]:
    for name, content in files:
        if "/templates/" in f"/{name}" and b"{{" in content:
            yield content.decode(errors="replace")
        elif name.endswith(".tgz") and depth < _DEPTH:
            yield from _templates(_unpacked(BytesIO(content)), depth + 1)


def _unpacked(source: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    with suppress(OSError, RefusedError):  # helm says what is wrong with it
        yield from files(source, limit=_LIMIT)
