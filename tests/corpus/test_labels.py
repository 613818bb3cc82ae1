"""Verdicts on findings are complete, name a rule, and are given once by each reader."""

from __future__ import annotations

from collections import Counter

from gitops_layout import rules
from tools.precision import END, START, labels, replaced, table

KEYS = {"rule", "repo", "fingerprint", "verdict", "fact"}


def test_every_verdict_is_complete_and_names_a_rule() -> None:
    known = rules.builtin().by_id
    for entry in labels():
        assert KEYS <= entry.keys() <= KEYS | {"reader", "mended"}, entry
        assert entry["rule"] in known, entry
        assert entry["verdict"] in ("right", "wrong"), entry
        assert entry["fact"], entry
        assert entry.get("reader", "second") == "second", entry
        assert "mended" not in entry or entry["verdict"] == "wrong", entry


def test_no_reader_judges_a_finding_twice() -> None:
    judged = Counter(
        (entry["rule"], entry["repo"], entry["fingerprint"], entry.get("reader")) for entry in labels()
    )

    assert [finding for finding, times in judged.items() if times > 1] == []


def test_the_table_counts_every_verdict_once() -> None:
    last = table().split("\n")[-1]

    right = sum(entry["verdict"] == "right" for entry in labels())
    assert sum(int(cell.split(" of ")[0]) for cell in last.split(" | ")[1:3]) == right
    assert replaced(f"a\n{START}\nold\n{END}\nb\n") == f"a\n{START}\n\n{table()}\n\n{END}\nb\n"
