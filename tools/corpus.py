"""`make corpus`: lint every repository under GITOPS_LAYOUT_CORPUS and write the table in docs/corpus.md.

The repositories stay where they are; nothing of them is kept but counts. Exit 1 when one makes the linter
crash or is not answered in time.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gitops_layout.system import write_atomic

TABLE = Path(__file__).resolve().parent.parent / "docs" / "corpus.md"
TIME_LIMIT = 300


@dataclass(frozen=True, slots=True)
class Row:
    """One repository's outcome."""

    name: str
    commit: str
    code: int | None
    seconds: float
    megabytes: int
    report: dict[str, Any]

    @property
    def crashed(self) -> bool:
        """Whether the linter failed rather than the repository."""
        return self.code is None or self.code == 4 or not self.report

    def cells(self) -> list[str]:
        """The row as it stands in the table."""
        coverage = self.report.get("coverage", {})
        findings = [finding for finding in self.report.get("findings", []) if finding["live"]]
        rules = Counter(f"{finding['rule']}" for finding in findings)
        unchecked = Counter(
            entry["class"] for entry in coverage.get("unchecked", []) if not entry["accepted"]
        )
        counts = [str(coverage.get(key, "")) for key in ("files", "deliveries", "objects")]
        return [
            self.name,
            self.commit,
            *counts,
            ", ".join(f"{rule} {count}" for rule, count in sorted(rules.items())) or "none",
            ", ".join(f"{count} {kind}" for kind, count in sorted(unchecked.items())) or "none",
            "no answer" if self.code is None else str(self.code),
            f"{self.seconds:.1f}",
            str(self.megabytes),
        ]


def lint(folder: Path) -> Row:
    """Run the linter as a user would and measure the process."""
    started = time.monotonic()
    command = [sys.executable, "-m", "gitops_layout", "lint", "--format", "json"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=TIME_LIMIT, check=False)
        code, report = done.returncode, _report(done.stdout)
    except subprocess.TimeoutExpired:
        code, report = None, {}
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    head = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=folder, capture_output=True, text=True, check=False
    )
    return Row(
        folder.name.replace("__", "/"), head.stdout.strip(), code, time.monotonic() - started, peak, report
    )


def _report(output: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(output)
    except json.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def table(rows: list[Row]) -> str:
    """The page."""
    head = [
        "repository",
        "commit",
        "files",
        "deliveries",
        "objects",
        "live findings",
        "unchecked",
        "exit",
        "s",
        "peak MB so far",
    ]
    lines = [
        "# Real repositories",
        "",
        f"Made on {datetime.now(UTC):%Y-%m-%d} by `GITOPS_LAYOUT_CORPUS=FOLDER make corpus`: `gitops-layout lint` without",
        "configuration on public repositories that nobody here wrote. Unchecked entries that no agent reaches are left out.",
        "",
        f"| {' | '.join(head)} |",
        f"|{' --- |' * len(head)}",
        *(f"| {' | '.join(row.cells())} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Lint them all."""
    folder = os.environ.get("GITOPS_LAYOUT_CORPUS")
    if not folder:
        print("set GITOPS_LAYOUT_CORPUS to a folder of checked-out repositories", file=sys.stderr)
        return 2
    rows = []
    for path in sorted(Path(folder).iterdir()):
        if path.is_dir():
            rows.append(lint(path))
            print(" | ".join(rows[-1].cells()), flush=True)
    write_atomic(TABLE, table(rows))
    return 1 if any(row.crashed for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
