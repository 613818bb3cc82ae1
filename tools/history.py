"""`make corpus`, in part: lint the commit before and after each mistake that people really made and mended.

GITOPS_LAYOUT_HISTORY names a file of rows (one JSON object a line: id, repo, bad, good, file, lines, also, cause,
decidable, needs, rules), GITOPS_LAYOUT_CORPUS the folder of the repositories with their history. Nothing of the
repositories is kept but ids and counts. Writes docs/truth.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gitops_layout.system import write_atomic

PAGE = Path(__file__).resolve().parent.parent / "docs" / "truth.md"
TIME_LIMIT = 180
_JUDGE = """
import json, sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from gitops_layout import rules
from gitops_layout.cli.loading import load
from gitops_layout.lint.policy import policy
from gitops_layout.lint.run import lint
root, revision = Path(sys.argv[1]), sys.argv[2]
loaded = load(root, revision=revision)
catalogue = rules.load(loaded.graph.repo)
decided = policy(catalogue, loaded.config, profile="strict")
report = lint(loaded.graph, catalogue, policy=decided, today=date.today())
found = [[f.rule.id, f.file, f.span.line, f.span.end_line, f.fingerprint, f.severity.value] for f in report.findings]
seen = [s.unchecked.location for s in report.coverage.unchecked if s.unchecked.kind.value == "broken"]
found += [["broken", place.file, loaded.graph.repo.span(place).line, 0, "", "error"] for place in seen if place]
json.dump({"findings": found, "crashes": [c.rule for c in report.crashes]}, sys.stdout)
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row: whether the mistake was found on a right line, by which rules, and whether they were silent after."""

    row: dict[str, Any]
    found: tuple[str, ...]
    still: tuple[str, ...]
    failed: str = ""

    @property
    def right(self) -> bool:
        """Found before, silent after."""
        return bool(self.found) and not self.still


def judged(root: Path, revision: str) -> tuple[list[list[Any]], str]:
    """Every finding at a revision, and why there are none where the linter failed."""
    command = [sys.executable, "-c", _JUDGE, str(root), revision]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIME_LIMIT, check=False, text=True)
    except subprocess.TimeoutExpired:
        return [], "no answer in time"
    if done.returncode:
        return [], (done.stderr.strip().splitlines() or ["failed"])[-1][:120]
    return json.loads(done.stdout)["findings"], ""


def outcome(row: dict[str, Any], corpus: Path) -> Outcome:
    """Lint both commits of a row."""
    root = corpus / row["repo"].replace("/", "__")
    before, failed = judged(root, row["bad"])
    places = {(row["file"], line) for line in row["lines"]}
    places |= {(item["file"], line) for item in row["also"] for line in item["lines"]}
    hits = [f for f in before if any((f[1], line) in places for line in range(f[2], max(f[2], f[3]) + 1))]
    if failed or not hits:
        return Outcome(row, (), (), failed)
    after, failed = judged(root, row["good"])
    left = {(f[0], f[4]) for f in after if f[4]}
    gone = [f for f in hits if (f[0], f[4]) not in left]
    found = tuple(sorted({f[0] for f in gone} or {f[0] for f in hits}))
    return Outcome(row, found, () if gone else tuple(sorted({f[0] for f in hits})), failed)


def page(outcomes: list[Outcome]) -> str:
    """docs/truth.md."""
    today = datetime.now(UTC).date().isoformat()
    lines = [
        "# Mistakes that people really made",
        "",
        f"Made on {today} by `GITOPS_LAYOUT_HISTORY=FILE GITOPS_LAYOUT_CORPUS=FOLDER python -m tools.history`: the commit",
        "before and after each mending, linted with all rules (`strict`). Found: a finding on one of the right lines.",
        "Silent: that finding is gone after the mending. Rows that need a chart's output are counted apart.",
        "",
        "| rows | found and silent after | found, but reported after too | missed | failed |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, chosen in (
        (
            "A, without charts",
            [o for o in outcomes if o.row["decidable"] == "A" and o.row["needs"] != "chart"],
        ),
        ("A, charts", [o for o in outcomes if o.row["decidable"] == "A" and o.row["needs"] == "chart"]),
        ("B", [o for o in outcomes if o.row["decidable"] == "B"]),
    ):
        right, still = sum(o.right for o in chosen), sum(bool(o.still) for o in chosen)
        failed = sum(bool(o.failed) for o in chosen)
        share = f"{100 * right / len(chosen):.0f} %" if chosen else "-"
        missed = len(chosen) - right - still - failed
        lines.append(f"| {name} ({len(chosen)}) | {right} ({share}) | {still} | {missed} | {failed} |")
    by = Counter(rule for o in outcomes if o.right for rule in o.found)
    lines += ["", "Found by: " + ", ".join(f"{rule} {count}" for rule, count in by.most_common()) + ".", ""]
    lines += [
        "| missed row | class | cause | needs | rules that should see it | why |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for o in outcomes:
        if not o.right:
            why = o.failed or (
                f"{', '.join(o.still)} reported after the mending too" if o.still else "no finding there"
            )
            wanted = ", ".join(o.row["rules"]) or o.row["proposed"] or "-"
            row = o.row
            lines.append(
                f"| {row['id']} | {row['decidable']} | {row['cause']} | {row['needs']} | {wanted} | {why} |"
            )
    return "\n".join(lines) + "\n"


def main() -> int:
    """Judge every row and write the page; 1 where the linter failed on a commit."""
    rows = [
        json.loads(line)
        for line in Path(os.environ["GITOPS_LAYOUT_HISTORY"]).read_text().splitlines()
        if line
    ]
    corpus = Path(os.environ["GITOPS_LAYOUT_CORPUS"])
    rows = [row for row in rows if (corpus / row["repo"].replace("/", "__")).is_dir()]
    only = sys.argv[1:]
    rows = [row for row in rows if not only or row["id"] in only or row["decidable"] in only]
    outcomes = []
    with ProcessPoolExecutor(2) as pool:
        for number, done in enumerate(pool.map(outcome, rows, [corpus] * len(rows)), 1):
            outcomes.append(done)
            state = done.failed or ("found" if done.right else "after too" if done.still else "missed")
            print(
                f"{number}/{len(rows)} {done.row['id']} {done.row['cause']}: {state} {','.join(done.found)}",
                flush=True,
            )
    if not only:
        write_atomic(PAGE, page(outcomes))
    return int(any(o.failed for o in outcomes))


if __name__ == "__main__":
    raise SystemExit(main())
