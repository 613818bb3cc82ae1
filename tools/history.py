"""`make corpus`, in part: lint the commit before and after each mistake that people really made and mended.

GITOPS_LAYOUT_HISTORY names a file of rows (one JSON object a line: id, repo, bad, good, file, lines, also, cause,
decidable, needs, rules), GITOPS_LAYOUT_CORPUS the folder of the repositories with their history. Nothing of the
repositories is kept but ids and counts.

    python -m tools.history [--results FILE] [--again] [A | B | ID | CAUSE …]

Each commit is loaded once, two at a time: a quarter of an hour on an idle machine. It can be made in parts: outcomes are
appended to FILE, rows that it has are not judged again (with `--again`, those that were missed are), and once it has all of
class A, docs/truth.md's part is written.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gitops_layout.system import write_atomic

PAGE = Path(__file__).resolve().parent.parent / "docs" / "truth.md"
REASONS = Path(__file__).resolve().parent.parent / "tests" / "corpus" / "missed.txt"
TIME_LIMIT = 400
_JUDGE = """
import json, sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from gitops_layout import rules
from gitops_layout.cli.loading import load
from gitops_layout.lint.policy import policy
from gitops_layout.lint.run import lint
root, revision, only = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
loaded = load(root, revision=revision)
catalogue = rules.load(loaded.graph.repo)
decided = policy(catalogue, loaded.config, profile="strict", select=only)
usual = policy(catalogue, loaded.config, profile="recommended").rules
report = lint(loaded.graph, catalogue, policy=decided, today=date.today())
found = [[f.rule.id, f.file, f.span.line, f.span.end_line, f.fingerprint, f.severity.value] for f in report.findings]
seen = [s.unchecked for s in report.coverage.unchecked if s.unchecked.kind.value == "broken" and s.unchecked.location]
found += [
    ["broken", u.location.file, loaded.graph.repo.span(u.location).line, 0, u.what + u.location.file, "error"]
    for u in seen
]
told = {f.rule.id for f in report.findings if any((usual.get(f.rule.id) or {}).values())} | {"broken"}
json.dump({"findings": found, "usual": sorted(told), "crashes": [c.rule for c in report.crashes]}, sys.stdout)
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row: by which rules the mistake was found on a right line, and which of them were silent after its mending.

    `quiet` holds those that report so only with `--profile strict`.
    """

    id: str
    found: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    quiet: tuple[str, ...] = ()
    failed: str = ""

    @property
    def right(self) -> bool:
        """Found before, silent after."""
        return bool(self.silent)


def judged(root: Path, revision: str, *only: str) -> tuple[list[list[Any]], set[str], str]:
    """Every finding at a revision (of the rules `only`, if any), which of their rules report without `strict`, and why there
    are none where the linter failed.
    """
    command = [sys.executable, "-c", _JUDGE, str(root), revision, *only]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIME_LIMIT, check=False, text=True)
    except subprocess.TimeoutExpired:
        return [], set(), "no answer in time"
    if done.returncode:
        return [], set(), (done.stderr.strip().splitlines() or ["failed"])[-1][:120]
    answer = json.loads(done.stdout)
    return (
        answer["findings"],
        set(answer["usual"]),
        ", ".join(f"{rule} crashed" for rule in answer["crashes"]),
    )


def outcome(row: dict[str, Any], corpus: Path) -> Outcome:
    """Lint both commits of a row."""
    root = corpus / row["repo"].replace("/", "__")
    before, usual, failed = judged(root, row["bad"])
    places = {(row["file"], line) for line in row["lines"]}
    places |= {(item["file"], line) for item in row["also"] for line in item["lines"]}
    hits = [f for f in before if any((f[1], line) in places for line in range(f[2], max(f[2], f[3]) + 1))]
    found = tuple(sorted({f[0] for f in hits}))
    if failed or not hits:
        return Outcome(row["id"], found, failed=failed)
    after, _, failed = judged(root, row["good"], *(rule for rule in found if rule != "broken"))
    left = {(f[0], f[4]) for f in after}
    silent = {f[0] for f in hits if (f[0], f[4]) not in left}
    return Outcome(row["id"], found, tuple(sorted(silent)), tuple(sorted(silent - usual)), failed)


def page(rows: list[dict[str, Any]], outcomes: dict[str, Outcome]) -> str:
    """The part of docs/truth.md."""
    today = datetime.now(UTC).date().isoformat()
    lines = [
        f"Made on {today} at {_commit()} by `GITOPS_LAYOUT_HISTORY=FILE GITOPS_LAYOUT_CORPUS=FOLDER python -m tools.history`: the commit",
        "before and after each mending, linted with all rules (`strict`). Found: a finding on one of the right lines.",
        "Silent: that finding is gone after the mending. Rows that need a chart's output are counted apart.",
        "",
        "| rows | found and silent after | without `strict` | found, but reported after too | missed | failed |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, chosen in _classes(rows).items():
        done = [outcomes[row["id"]] for row in chosen]
        right = [o for o in done if o.right]
        usual = sum(set(o.silent) > set(o.quiet) for o in right)
        still = sum(bool(o.found) and not o.right and not o.failed for o in done)
        failed = sum(bool(o.failed) and not o.right for o in done)
        share = f"{100 * len(right) / len(done):.0f} %" if done else "-"
        missed = len(done) - len(right) - still - failed
        lines.append(
            f"| {name} ({len(done)}) | {len(right)} ({share}) | {usual} | {still} | {missed} | {failed} |"
        )
    by = Counter(rule for o in outcomes.values() for rule in o.silent)
    lines += ["", "Found by: " + ", ".join(f"{rule} {count}" for rule, count in by.most_common()) + ".", ""]
    lines += [
        "| missed row | class | cause | needs | outcome | why |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    reasons = _reasons()
    for row in rows:
        o = outcomes[row["id"]]
        if not o.right:
            still_told = f"{', '.join(o.found)} reported after the mending too" if o.found else ""
            told = o.failed or still_told or "no finding there"
            why = reasons.get(row["id"], "")
            cells = (row["id"], row["decidable"], row["cause"], row["needs"], told, why)
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _commit() -> str:
    command = ["git", "-C", str(PAGE.parent), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()


def _classes(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    certain = [row for row in rows if row["decidable"] == "A"]
    return {
        "A, without charts": [row for row in certain if row["needs"] != "chart"],
        "A, charts": [row for row in certain if row["needs"] == "chart"],
        "B": [row for row in rows if row["decidable"] == "B"],
    }


def _reasons() -> dict[str, str]:
    """Why rows are missed, in our words: `id: reason` lines."""
    lines = REASONS.read_text(encoding="utf-8").splitlines() if REASONS.is_file() else []
    return dict(line.split(": ", 1) for line in lines if ": " in line and not line.startswith("#"))


def _kept(results: Path | None) -> dict[str, Outcome]:
    lines = results.read_text().splitlines() if results is not None and results.is_file() else []
    kept = [json.loads(line) for line in lines]
    return {
        item["id"]: Outcome(
            item["id"], tuple(item["found"]), tuple(item["silent"]), tuple(item["quiet"]), item["failed"]
        )
        for item in kept
    }


def _chosen(row: dict[str, Any], wanted: list[str]) -> bool:
    return not wanted or bool({row["id"], row["decidable"], row["cause"]}.intersection(wanted))


def main() -> int:
    """Judge the rows asked for; 1 where the linter failed on a commit."""
    parser = argparse.ArgumentParser(prog="python -m tools.history")
    parser.add_argument("wanted", nargs="*", metavar="A|B|ID|CAUSE")
    parser.add_argument("--results", type=Path)
    parser.add_argument("--again", action="store_true")
    given = parser.parse_args()
    history, corpus = os.environ["GITOPS_LAYOUT_HISTORY"], Path(os.environ["GITOPS_LAYOUT_CORPUS"])
    rows = [json.loads(line) for line in Path(history).read_text().splitlines() if line]
    rows = [row for row in rows if (corpus / row["repo"].replace("/", "__")).is_dir()]
    outcomes = _kept(given.results)
    known = {o.id for o in outcomes.values() if o.right or not given.again}
    todo = [row for row in rows if _chosen(row, given.wanted) and row["id"] not in known]
    with ProcessPoolExecutor(2) as pool:
        for number, done in enumerate(pool.map(outcome, todo, [corpus] * len(todo)), 1):
            outcomes[done.id] = done
            if given.results is not None:
                with given.results.open("a") as kept:
                    print(json.dumps(asdict(done)), file=kept)
            state = done.failed or ("found" if done.right else "after too" if done.found else "missed")
            print(
                f"{number}/{len(todo)} {done.id}: {state} {','.join(done.silent or done.found)}", flush=True
            )
    if all(row["id"] in outcomes for row in rows if row["decidable"] == "A"):
        write_part(PAGE, "mistakes", page([row for row in rows if row["id"] in outcomes], outcomes))
    return int(any(o.failed for o in outcomes.values()))


def write_part(file: Path, name: str, text: str) -> None:
    """Put a generated part between its marks in a page."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, _, rest = file.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    write_atomic(file, f"{before}{begin}\n{text}\n{end}{after}")


if __name__ == "__main__":
    raise SystemExit(main())
