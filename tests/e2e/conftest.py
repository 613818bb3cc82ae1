"""Which tests are for which layouts; and the table of a whole run, written where GITOPS_LAYOUT_TABLE says."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_CASE = re.compile(r"test_agents\.py::test_(\w+)\[(\w+)-([\w-]+)-(\w+)\]$")
_HEAD = """\
<!-- Written by `make agents`. -->
Run on {date} by `make agents`; seconds per test, a dash where a layout has no such thing.

| agent | layout | cluster | {columns} |
|---|---|---|{lines}|
"""
_seen: dict[tuple[str, str, str], dict[str, str]] = {}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what a layout does not have: a test that CI selects must not skip."""
    unfit = {item for item in items if not _fits(item)}
    if unfit:
        config.hook.pytest_deselected(items=[item for item in items if item in unfit])
        items[:] = [item for item in items if item not in unfit]


def _fits(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("layouts")
    return marker is None or any(f"-{layout}-" in item.name for layout in marker.args)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    match = _CASE.search(report.nodeid)
    if match is None or (report.when != "call" and report.passed):
        return
    words = f"{report.duration:.0f}" if report.passed else "skipped" if report.skipped else "**failed**"
    _seen.setdefault((match[2], match[3], match[4]), {})[match[1]] = words


def pytest_sessionfinish() -> None:
    target = os.environ.get("GITOPS_LAYOUT_TABLE")
    if not (target and _seen):
        return
    tests = list(dict.fromkeys(test for row in _seen.values() for test in row))
    columns = " | ".join(test.replace("_", " ") for test in tests)
    text = _HEAD.format(
        date=time.strftime("%Y-%m-%d"), columns=columns, lines="---|" * (len(tests) - 1) + "---"
    )
    for place, row in sorted(_seen.items()):
        text += f"| {' | '.join(place)} | {' | '.join(row.get(test, '-') for test in tests)} |\n"
    Path(target).write_text(text)
