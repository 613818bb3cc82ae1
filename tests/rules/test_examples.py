"""Every example of every rule is run: bad ones are reported on their marked lines, good ones are silent."""

from __future__ import annotations

import pytest

from gitops_layout import rules
from gitops_layout.cli.rules_ import problems
from gitops_layout.rules.model import PRINCIPLES, Rule

CATALOGUE = rules.builtin()


@pytest.mark.parametrize("rule", CATALOGUE.rules, ids=lambda rule: rule.id)
def test_a_rule_does_what_its_page_says(rule: Rule) -> None:
    assert list(problems(rule, CATALOGUE)) == []


@pytest.mark.parametrize("group", [*PRINCIPLES, "layout", "kustomize", "secrets"])
def test_every_principle_and_group_has_two_rules_at_least(group: str) -> None:
    assert len(CATALOGUE.select(group, "")) >= 2


def test_the_first_letter_of_an_id_is_its_groups() -> None:
    letters = {(rule.id[0], rule.group) for rule in CATALOGUE.rules}
    assert len(letters) == len({letter for letter, _ in letters})
