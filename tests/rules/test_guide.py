"""The guide for rule authors names everything that the code offers."""

from __future__ import annotations

from pathlib import Path

from gitops_layout.lint.facts import FACTS
from gitops_layout.rules.frontmatter import KEYS

GUIDE = (Path(__file__).parents[2] / "docs" / "writing-rules.md").read_text("utf-8")


def test_every_key_and_every_fact_is_in_the_guide() -> None:
    missing = [word for word in (*KEYS, *FACTS) if f"`{word}`" not in GUIDE and word != "scope"]
    assert missing == []
