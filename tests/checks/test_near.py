"""What is a misspelt name, and what is another one."""

from __future__ import annotations

import pytest

from gitops_layout.checks.near import is_typo


@pytest.mark.parametrize(
    ("name", "other", "typo"),
    [
        ("shopp", "shop", True),
        ("app", "apps", True),
        ("appz", "apps", True),
        ("palt-form", "platform", False),
        ("platfrom", "platform", True),
        ("team-platform", "team-platfrom", True),
        ("teamplatform", "team-platform", True),
        ("prod-us", "prod-eu", False),
        ("infra2", "infra", False),
        ("team-1", "team-2", False),
        ("west", "east", False),
        ("shop-web", "shop", False),
        ("billing", "shop", False),
    ],
)
def test_a_name_is_misspelt_where_one_letter_is_wrong(name: str, other: str, typo: bool) -> None:
    assert is_typo(name, other) is typo
    assert is_typo(other, name) is typo
