"""What docs/truth.md counts: how often each rule is right, from the verdicts in tests/corpus/labels, and the planted mistakes.

`python -m tools.precision` counts the findings of the checkouts below $GITOPS_LAYOUT_CORPUS anew, into tests/corpus/found.txt.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from gitops_layout import rules
from gitops_layout.cli.loading import configured, load_graph
from gitops_layout.lint.causes import gathered
from gitops_layout.lint.policy import policy
from gitops_layout.lint.run import lint
from gitops_layout.model import Severity
from gitops_layout.rules.model import Rule
from gitops_layout.system import write_atomic
from tests.rules import mutants as tests_mutants
from tests.rules import mutants_more

__all__ = ["BARS", "END", "START", "bars", "between", "labels", "replaced", "table"]

LABELS = Path(__file__).resolve().parent.parent / "tests" / "corpus" / "labels"
FOUND = LABELS.with_name("found.txt")
START, END = "<!-- precision -->", "<!-- /precision -->"
BARS = ("<!-- bars -->", "<!-- /bars -->")
_MUTANTS = ("<!-- mutants -->", "<!-- /mutants -->")
_BARS = {Severity.ERROR: 98, Severity.WARNING: 90, Severity.INFO: 90}
_ENOUGH = 10

_READERS = ("author", "second")


def labels() -> list[dict[str, Any]]:
    """Every verdict: `rule, repo, fingerprint, verdict, fact`, `reader` where it is not the rule's author, and `mended`
    where a wrong finding is no longer reported.
    """
    return [entry for file in sorted(LABELS.glob("*.yaml")) for entry in yaml.safe_load(file.read_text())]


def table() -> str:
    """One row a rule and one for all: right of judged by reader, and how many of the wrong ones still stand."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for entry in labels():
        fate = "right" if entry["verdict"] == "right" else "mended" if entry.get("mended") else "standing"
        for rule in (entry["rule"], "all"):
            counts[rule, entry.get("reader", "author"), fate] += 1
    rules = sorted({rule for rule, _, _ in counts} - {"all"})
    rows = [
        "| rule | author: right of judged | second reader: right of judged | wrong, mended since | wrong, still said |",
        "| --- | --- | --- | --- | --- |",
        *(_row(rule, counts) for rule in [*rules, "all"]),
    ]
    return "\n".join(rows)


def _row(rule: str, counts: Counter[tuple[str, str, str]]) -> str:
    cells = []
    for reader in _READERS:
        right = counts[rule, reader, "right"]
        judged = right + counts[rule, reader, "mended"] + counts[rule, reader, "standing"]
        cells.append(f"{right} of {judged} ({100 * right // judged} %)" if judged else "")
    mended, standing = (
        sum(counts[rule, reader, fate] for reader in _READERS) for fate in ("mended", "standing")
    )
    return f"| {rule} | {cells[0]} | {cells[1]} | {mended or ''} | {standing or ''} |"


def bars() -> str:
    """One row for each rule of which something is known: its severity, what was found and judged, and whether it meets
    the bar. What was wrong and is said no longer does not count.
    """
    found = _found()
    judged: Counter[tuple[str, str]] = Counter()
    for entry in labels():
        fate = "right" if entry["verdict"] == "right" else "mended" if entry.get("mended") else "standing"
        judged[entry["rule"], fate] += 1
    rows = [
        "| rule | severity | findings | judged | right | wrong, mended | wrong, still said | bar | verdict |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for rule in rules.builtin().rules:
        counts = [judged[rule.id, fate] for fate in ("right", "mended", "standing")]
        if not found[rule.id] and not any(counts):
            continue
        profile, severity = _severity(rule)
        bar = _BARS[severity]
        cells = (rule.id, f"{severity.value}{profile}", found[rule.id], sum(counts), *counts, f"{bar} %")
        rows.append(f"| {' | '.join(map(str, cells))} | {_verdict(found[rule.id], counts, bar)} |")
    return "\n".join(rows)


def _verdict(found: int, counts: list[int], bar: int) -> str:
    right, mended, standing = counts
    if not right + standing:
        if not mended:
            return "not judged"
        return "not judged since it was mended" if found else "nothing left to judge"
    if 100 * right < bar * (right + standing):
        return "missed"
    return "met" if sum(counts) >= min(found, _ENOUGH) else "met so far"


def _severity(rule: Rule) -> tuple[str, Severity]:
    """The rule's highest severity where it is told first, and the profile unless that is `recommended`."""
    for profile in ("recommended", "strict"):
        told = [severity for severity in rule.severity[profile].values() if severity is not None]
        if told:
            return "" if profile == "recommended" else f" ({profile})", max(told, key=_BARS.__getitem__)
    return " (off)", Severity.INFO


def _found() -> Counter[str]:
    lines = [line.split() for line in FOUND.read_text().splitlines() if not line.startswith("#")]
    return Counter({rule: int(number) for rule, number in lines})


def mutants() -> str:
    """How many mistakes are planted, of how many rules, and why the others have none."""
    planted = [mutant.rule for mutant in (*tests_mutants.MUTANTS, *mutants_more.MUTANTS)]
    known = len(rules.builtin().rules)
    without = "; ".join(f"{rule}: {why}" for rule, why in sorted(mutants_more.WITHOUT.items()))
    return f"They hold {len(planted)} mistakes, of {len(set(planted))} of {known} rules. Without one are {without}."


def replaced(text: str) -> str:
    """`text` with what is counted between its marks."""
    for (start, end), made in (((START, END), table), (BARS, bars), (_MUTANTS, mutants)):
        text = between(text, start, end, made)
    return text


def between(text: str, start: str, end: str, made: Callable[[], str]) -> str:
    """`text` with what is made between two marks; as it is where they are not there."""
    before, mark, rest = text.partition(start)
    return f"{before}{start}\n\n{made()}\n\n{end}{rest.partition(end)[2]}" if mark else text


def main() -> None:
    """Count the findings of each rule, profile strict, over the checkouts."""
    catalogue = rules.builtin()
    found: Counter[str] = Counter()
    today = datetime.now(UTC).date()
    folders = sorted(path for path in Path(os.environ["GITOPS_LAYOUT_CORPUS"]).iterdir() if path.is_dir())
    for folder in folders:
        graph = load_graph([folder]).graph
        judged = policy(catalogue, configured(graph.repo, None), profile="strict")
        report = gathered(lint(graph, catalogue, policy=judged, today=today))  # as it is told: one a cause
        found.update(finding.rule.id for finding in report.findings)
    head = f"# Findings of each rule in {len(folders)} public repositories, by python -m tools.precision on {today}\n"
    write_atomic(FOUND, head + "".join(f"{rule} {number}\n" for rule, number in sorted(found.items())))


if __name__ == "__main__":
    main()
