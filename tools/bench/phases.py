"""Where the time of load + link + render goes: processor seconds by phase, other programs' with those who wait for them."""

from __future__ import annotations

import gc
import multiprocessing
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gitops_layout.graph.link import link
from gitops_layout.kustomize import exact, fast
from gitops_layout.render import build
from gitops_layout.render.build import Renders
from gitops_layout.render.charts import Charts
from gitops_layout.repo import load, model

__all__ = ["PHASES", "phases"]

_STEPS: tuple[tuple[str, Any, str], ...] = (
    ("files", load, "from_work_tree"),
    ("reading YAML", model.Repo, "stream"),
    ("what builds read", build, "walk"),
    ("our builder", fast, "build"),
    ("real kustomize", exact, "build_all"),
    ("charts", Charts, "__call__"),
    ("agents' steps", build, "finish"),
    ("broken builds in part", Renders, "_part"),
)
"""Each phase with the function that is all of it, but for the phases inside."""

PHASES = (*(name for name, _, _ in _STEPS), "the rest of linking")


class _Watch:
    """Phases inside one another: only the innermost runs."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = dict.fromkeys(PHASES, 0.0)
        self._open = [PHASES[-1]]
        self._since = self._now()

    @staticmethod
    def _now() -> float:
        times = os.times()
        return time.process_time() + times.children_user + times.children_system

    def turn(self) -> None:
        """Book what has passed to the phase that runs."""
        now = self._now()
        self.spent[self._open[-1]] += now - self._since
        self._since = now

    def over(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function as a phase."""

        def watched(*arguments: Any, **options: Any) -> Any:
            self.turn()
            self._open.append(name)
            try:
                return function(*arguments, **options)
            finally:
                self.turn()
                self._open.pop()

        return watched


def _measured(root: str) -> Mapping[str, float]:
    gc.disable()  # as every short run of ours does
    watch = _Watch()
    for name, holder, attribute in _STEPS:
        setattr(holder, attribute, watch.over(name, getattr(holder, attribute)))
    repo = load.from_work_tree(Path(root))
    link(repo, render=Renders(repo))
    watch.turn()
    return watch.spent


def phases(root: Path) -> Mapping[str, float]:
    """Processor seconds by phase, in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (str(root),))
