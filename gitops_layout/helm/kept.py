"""What helm said of a chart before, by the digest of everything that it was given then.

helm starts in a tenth of a second and is asked once a release, so in a repository of charts it is nearly all the time of a
run. A chart that draws lots (`randAlphaNum`, `genCA`) stays with what it drew.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from gitops_layout import __version__
from gitops_layout.helm.chart import Chart
from gitops_layout.helm.find import Helm, Library
from gitops_layout.repo.model import Repo
from gitops_layout.store.cache import digest
from gitops_layout.system import Completed

__all__ = ["Store", "keep", "key", "recalled"]

_FORM = b"1"
"""Another one where the same helm is started otherwise: with other limits, or another environment."""

_LARGEST = 16 * 2**20
"""Bytes of one answer: larger ones are not kept."""


class Store(Protocol):
    """Bytes by keys of 20 bytes, for several threads at a time; what is put may be lost."""

    def get(self, key: bytes) -> bytes | None:
        """What was put, if it is still there."""

    def put(self, key: bytes, value: bytes) -> None:
        """Keep it."""


def key(helm: Helm | Library, repo: Repo, chart: Chart, release: str) -> bytes:
    """Stands for the helm, the chart's files and the release, which is told by its `repr`."""
    if isinstance(helm, Helm):
        status = helm.program.stat()
        name = f"{helm.version} {status.st_size} {status.st_mtime_ns}"
    else:
        name = f"library {version('helm-python-sdk')}"
    return digest(_FORM, __version__.encode(), name.encode(), release.encode(), *_contents(repo, chart))


def recalled(store: Store, name: bytes) -> Completed | None:
    """How helm ended; None where that is not known."""
    value = store.get(name)
    if value is None:
        return None
    unpacker = zlib.decompressobj()
    head, _, output = unpacker.decompress(value, 2 * _LARGEST).partition(b"\n")
    code, error = json.loads(head)
    return Completed(code, output, error)


def keep(store: Store, name: bytes, done: Completed) -> None:
    """Keep how helm ended, unless that has to do with this machine or is too much."""
    if done.code is not None and len(done.stdout) + len(done.stderr) < _LARGEST:
        head = json.dumps([done.code, done.stderr]).encode()
        store.put(name, zlib.compress(head + b"\n" + done.stdout, 1))


def _contents(repo: Repo, chart: Chart) -> Iterator[bytes]:
    for place, path in sorted(chart.files.items()):
        yield from (place.encode(), chart.texts.get(place) or repo.content(path))
    brought = [*sorted(chart.fetched.items()), *([("", chart.own)] if chart.own is not None else [])]
    for place, where in brought:
        yield from (b"fetched", place.encode(), *_brought(where))


def _brought(where: Path) -> Iterator[bytes]:
    if not where.is_dir():
        yield where.read_bytes()
        return
    for file in sorted(where.rglob("*")):
        if file.is_file():
            yield from (file.relative_to(where).as_posix().encode(), file.read_bytes())
