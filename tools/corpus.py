"""`make corpus`: lint every repository under GITOPS_LAYOUT_CORPUS and write the table in docs/corpus.md.

The repositories stay where they are; nothing of them is kept but counts. Exit 1 when one makes the linter
crash or is not answered in time.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gitops_layout.system import write_atomic

TABLE = Path(__file__).resolve().parent.parent / "docs" / "corpus.md"
TIME_LIMIT = 300
REASONS = 4
"""So many causes of not looking are named in a row."""


@dataclass(frozen=True, slots=True)
class Row:
    """One repository's outcome."""

    name: str
    commit: str
    code: int | None
    seconds: float
    megabytes: int
    reached: int
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
        counts = [str(coverage.get(key, "")) for key in ("files", "deliveries", "objects")]
        return [
            self.name,
            self.commit,
            counts[0],
            str(self.reached),
            *counts[1:],
            ", ".join(f"{rule} {count}" for rule, count in sorted(rules.items())) or "none",
            self._unchecked(coverage),
            "no answer" if self.code is None else str(self.code),
            f"{self.seconds:.1f}",
            str(self.megabytes),
        ]

    def _unchecked(self, coverage: dict[str, Any]) -> str:
        """By class and the most frequent reasons; names are left out of a reason, so that equal causes are counted."""
        entries = [entry for entry in coverage.get("unchecked", []) if not entry["accepted"]]
        causes = Counter((entry["class"], _reason(entry["why"])) for entry in entries)
        shown = [f"{count} {kind}: {why}" for (kind, why), count in causes.most_common(REASONS)]
        rest = len(entries) - sum(count for _, count in causes.most_common(REASONS))
        return "; ".join([*shown, *([f"{rest} more"] if rest else [])]) or "none"


_REASONS = (
    ("chart not fetched", "chart not fetched"),
    ("is not rendered: helm", "helm is not installed"),
    ("needs helm", "helm is not installed"),
    ("is remote", "remote base"),
    ("the source is", "another repository"),
    ("is on branch", "another branch"),
    (" is oci://", "another repository"),
    (" is https://", "another repository"),
    (" is ssh://", "another repository"),
    ("no file defines", "no file defines the source"),
    ("no delivery brings", "variables from outside"),
    ("holds a variable", "path holds a variable"),
    ("is a plugin", "plugin"),
    ("does not exist", "missing file"),
    ("line ", "not YAML"),
    ("no schema", "kind without schema"),
)


def _reason(why: str) -> str:
    known = next((words for part, words in _REASONS if part in why), None)
    text = known or re.split(r"[:;]", why)[0]
    return (text if len(text) <= 60 else f"{text[:59]}…").replace("|", "/")


def lint(folder: Path) -> Row:
    """Run the linter as a user would and measure the process."""
    started = time.monotonic()
    code, output, peak = _measured(folder, "lint", "--no-cache", "--format", "json")
    seconds = time.monotonic() - started
    _, listing, _ = _measured(folder, "graph", "--no-cache", "--format", "json")
    files = _report(listing).get("files", [])
    reached = sum(file["state"] == "delivered" for file in files)
    head = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=folder, capture_output=True, text=True, check=False
    )
    name = folder.name.replace("__", "/")
    return Row(name, head.stdout.strip(), code, seconds, peak, reached, _report(output))


def _measured(folder: Path, *arguments: str) -> tuple[int | None, bytes, int]:
    """Exit code (None: no answer in time), standard output, and the peak memory of that very process in MB."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gitops_layout", *arguments],
            cwd=folder,
            stdout=output,
            stderr=subprocess.DEVNULL,
        )
        timer = threading.Timer(TIME_LIMIT, process.kill)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        code = process.returncode if process.returncode >= 0 else None
        return code, output.read(), usage.ru_maxrss // 1024


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
        "reached",
        "deliveries",
        "objects",
        "live findings",
        "unchecked",
        "exit",
        "s",
        "MB",
    ]
    lines = [
        "# Real repositories",
        "",
        f"Made on {datetime.now(UTC):%Y-%m-%d} by `GITOPS_LAYOUT_CORPUS=FOLDER make corpus`: `gitops-layout lint` without",
        "configuration, cache or network on public repositories that nobody here wrote. `reached` counts the YAML files that",
        "are delivered; MB is the peak of that process alone. Unchecked entries that no agent reaches are left out.",
        "",
        "Somebody who had not written the graph held deliveries of these repositories against the agents' documentation, by",
        "eye: which, what was compared, and what came of it stands in `tests/corpus/deliveries.yaml`, which a test holds.",
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
