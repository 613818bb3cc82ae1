"""What it costs to judge what is rendered already: schemas, and what the API server's code refuses."""

from __future__ import annotations

import gc
import multiprocessing
import tempfile
import time
from pathlib import Path

from gitops_layout.checks.server import metadata_invalid
from gitops_layout.graph.link import link
from gitops_layout.render.build import Renders
from gitops_layout.repo.load import from_work_tree
from gitops_layout.validation.judged import judged
from tools.bench.monorepo import write_monorepo

__all__ = ["validating"]


def _measured(root: str) -> tuple[int, float, float]:
    gc.disable()
    repo = from_work_tree(Path(root))
    graph = link(repo, render=Renders(repo))
    start = time.process_time()
    count = len(judged(graph).subjects)
    between = time.process_time()
    if list(metadata_invalid(graph, {})):  # it asks for everything that the server refuses
        raise SystemExit("the generated monorepo is refused")
    return count, (between - start) / count * 1e6, (time.process_time() - between) / count * 1e6


def validating(apps: int) -> tuple[int, float, float]:
    """Objects of the generated monorepo, and microseconds an object: by schemas, by the server's own rules.

    In a fresh process, so that reading schemas and compiling them is part of it.
    """
    with tempfile.TemporaryDirectory(prefix="gitops-layout-bench-") as temporary:
        write_monorepo(Path(temporary), apps)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(_measured, (temporary,))
