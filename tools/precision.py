"""How often each rule is right, counted from the verdicts in tests/corpus/labels: a table for docs/truth.md."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import yaml

__all__ = ["END", "START", "labels", "replaced", "table"]

LABELS = Path(__file__).resolve().parent.parent / "tests" / "corpus" / "labels"
START, END = "<!-- precision -->", "<!-- /precision -->"

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


def replaced(text: str) -> str:
    """`text` with the table between its two marks."""
    before, _, rest = text.partition(START)
    return f"{before}{START}\n\n{table()}\n\n{END}{rest.partition(END)[2]}"
