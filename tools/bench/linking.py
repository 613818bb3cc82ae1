"""Load + link by the number of files, and the whole with rendering, in processor seconds of one process each.

Not by the clock: what else a shared machine does would show more than what we do.
"""

from __future__ import annotations

import gc
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gitops_layout.agents.delivery import Delivery
from gitops_layout.graph.link import link
from gitops_layout.render.build import Renders
from gitops_layout.render.lookup import Lookup
from gitops_layout.render.rendered import Rendered
from gitops_layout.repo.load import from_work_tree
from gitops_layout.repo.model import Repo
from tools.bench.monorepo import write_monorepo

__all__ = ["Whole", "by_size", "whole"]

SIZES = (55, 552, 2762, 10_000)
"""Apps that make about 1,000, 10,000, 50,000 and 180,000 files."""


@dataclass(frozen=True, slots=True)
class Whole:
    """Processor seconds of one process for load + link + render, of them those that rendering took, and its peak memory."""

    files: int
    deliveries: int
    objects: int
    seconds: float
    rendering: float
    megabytes: float
    roots: tuple[str, ...] = ()
    """The folders of the kustomizations that were built."""

    @property
    def linking(self) -> float:
        """Microseconds of load + link a file, without what the builds take."""
        return (self.seconds - self.rendering) / self.files * 1e6


@dataclass(slots=True)
class _Timed:
    """The renderer with a watch: link asks it in between."""

    renders: Renders
    seconds: float = field(default=0.0)

    def __call__(self, deliveries: Sequence[Delivery], lookup: Lookup, /) -> Mapping[str, Rendered]:
        start = time.process_time()
        found = self.renders(deliveries, lookup)
        self.seconds += time.process_time() - start
        return found

    def reads(self, delivery: Delivery, /) -> frozenset[str]:
        return self.renders.reads(delivery)

    def tree(self, url: str, revision: str, /) -> Repo | None:
        return self.renders.tree(url, revision)


def _measured(root: str, strict: bool) -> Whole:
    gc.disable()  # as every short run of ours does
    start = time.process_time()
    repo = from_work_tree(Path(root))
    render = _Timed(Renders(repo))
    graph = link(repo, render=render)
    seconds = time.process_time() - start
    failed = [item.delivery for item in graph.rendered.values() if item.failure is not None]
    if failed and strict:
        raise SystemExit(f"not rendered: {', '.join(failed[:5])}")
    objects = sum(len(item.objects) for item in graph.rendered.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    built = (
        delivery.source.path or "."
        for delivery in graph.deliveries
        if delivery.renderer == "kustomize" and graph.rendered[delivery.id].failure is None
    )
    roots = tuple(sorted({path for path in built if not strict}))
    return Whole(len(repo.entries), len(graph.deliveries), objects, seconds, render.seconds, peak, roots)


def whole(root: Path, *, strict: bool = True) -> Whole:
    """Load, link and render a work tree in a fresh process: nothing is warm, and its memory is its own.

    Where it is not `strict`, what cannot be rendered may be, and the roots that were built are named.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (str(root), strict))


def by_size(sizes: Sequence[int] = SIZES) -> list[Whole]:
    """The generated monorepo in several sizes, one after another."""
    rows = []
    for apps in sizes:
        with tempfile.TemporaryDirectory(prefix="gitops-layout-bench-") as temporary:
            write_monorepo(Path(temporary), apps)
            rows.append(whole(Path(temporary)))
    return rows
