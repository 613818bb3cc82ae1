"""Every rule that says it can mend its findings does, in its own bad examples: once, and with nothing else touched."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from gitops_layout import rules
from gitops_layout.cli.rules_ import judge
from gitops_layout.lint import fix
from gitops_layout.lint.report import Report
from gitops_layout.rules.examples import Example, examples
from gitops_layout.rules.model import Rule

CATALOGUE = rules.builtin()
MENDING = [rule for rule in CATALOGUE.rules if rule.mend is not None]
CONFIG = replace(next(rule for rule in CATALOGUE.rules if rule.check == "engine"), id="ALL")
"""Stands for all rules together: so examples of rules about ignores are judged."""


def _mended(example: Example, report: Report) -> tuple[Example, int]:
    findings = [finding for finding in report.findings if finding.fix is not None]
    made = fix.apply(findings, example.files)
    return replace(example, files={**example.files, **made.files}), len(made.findings)


def _told(example: Example, rule: Rule) -> Counter[tuple[str, str]]:
    return Counter((found.rule.id, found.file) for found in judge(rule, example, CATALOGUE).findings)


def _comments(example: Example) -> Counter[str]:
    lines = (line for text in example.files.values() for line in text.splitlines() if "#" in line)
    return Counter(line.partition("#")[2] for line in lines)


@pytest.mark.parametrize("rule", MENDING, ids=lambda rule: rule.id)
def test_a_fix_mends_its_example_and_touches_nothing_else(rule: Rule) -> None:
    mended = 0
    for example in (example for example in examples(rule) if example.bad):
        before = judge(rule, example, CATALOGUE)
        after, count = _mended(example, before)
        mended += count
        left = judge(rule, after, CATALOGUE)
        assert len(left.findings) == len(before.findings) - count
        assert _mended(after, left) == (after, 0), "a second run changes something"
        worse = {identity for identity, _ in _told(after, CONFIG) - _told(example, CONFIG)}
        assert worse <= set(HIDDEN.get(rule.id, ())), "the fix brings forth other findings"
        if count and rule.id not in REMOVING:
            assert _comments(after) == _comments(example)
    assert mended, "no example is mended"


REMOVING = {"A026", "D002", "D005", "P005", "P006", "P007", "R005"}
"""Rules whose fix takes away the lines that are wrong, with what is noted there."""
HIDDEN = dict.fromkeys(("A015", "A019", "L014"), ("D011", "P003"))
"""What can be said only of Applications that such a mistake keeps from coming about."""
