"""Which tests are for which layouts; and the table of a whole run, kept where GITOPS_LAYOUT_TABLE says.

The table is written anew after every test, so that a run that was stopped has its rows; with GITOPS_LAYOUT_RESUME the
next one leaves out what passed there, and adds its own.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

_CASE = re.compile(r"test_agents\.py::test_(\w+)\[(\w+)-([\w-]+)-(\w+)\]$")
_HEAD = """\
<!-- Written by `make agents`. -->
{when} by `make agents`; seconds per test, a dash where a layout has no such thing.

| agent | layout | cluster | {columns} |
|---|---|---|{lines}|
"""
_Place = tuple[str, str, str]
_seen: dict[_Place, dict[str, str]] = {}
_days: set[str] = set()


def pytest_sessionstart() -> None:
    _seen.clear()
    _days.clear()
    if os.environ.get("GITOPS_LAYOUT_RESUME") and (table := _table()) is not None and table.is_file():
        text = table.read_text()
        _seen.update(_rows(text))
        _days.update(re.findall(r"\d{4}-\d{2}-\d{2}", text))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what a layout does not have: a test that CI selects must not skip."""
    unfit = {item for item in items if not _fits(item) or _passed(item)}
    if unfit:
        config.hook.pytest_deselected(items=[item for item in items if item in unfit])
        items[:] = [item for item in items if item not in unfit]


def _fits(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("layouts")
    return marker is None or any(f"-{layout}-" in item.name for layout in marker.args)


def _passed(item: pytest.Item) -> bool:
    """Whether the table that is resumed says so."""
    match = _CASE.search(item.nodeid)
    return match is not None and _seen.get((match[2], match[3], match[4]), {}).get(match[1], "").isdigit()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    match = _CASE.search(report.nodeid)
    if match is None or (report.when != "call" and report.passed):
        return
    words = f"{report.duration:.0f}" if report.passed else "skipped" if report.skipped else "**failed**"
    _seen.setdefault((match[2], match[3], match[4]), {})[match[1]] = words
    _days.add(time.strftime("%Y-%m-%d"))
    if (table := _table()) is not None:
        table.write_text(_written())


def _table() -> Path | None:
    named = os.environ.get("GITOPS_LAYOUT_TABLE")
    return Path(named) if named else None


def _written() -> str:
    tests = list(dict.fromkeys(test for row in _seen.values() for test in row))
    columns = " | ".join(test.replace("_", " ") for test in tests)
    when = f"Run on {' and '.join(sorted(_days))}"
    text = _HEAD.format(when=when, columns=columns, lines="---|" * (len(tests) - 1) + "---")
    for place, row in sorted(_seen.items()):
        text += f"| {' | '.join(place)} | {' | '.join(row.get(test, '-') for test in tests)} |\n"
    return text


def _rows(text: str) -> Iterator[tuple[_Place, dict[str, str]]]:
    """The cells of a table that was written above, without its dashes."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    for agent, layout, cluster, *cells in lines[1:]:
        tests = [name.replace(" ", "_") for name in lines[0][3:]]
        yield (
            (agent, layout, cluster),
            {test: cell for test, cell in zip(tests, cells, strict=True) if cell != "-"},
        )
