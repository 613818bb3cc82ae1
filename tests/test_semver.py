"""Ranges resolve as with Masterminds/semver v3, which Helm, Flux and Argo CD use."""

from __future__ import annotations

import time

import pytest

from gitops_layout.semver import is_exact, newest, parse_range, parse_version


def holds(asked: str, version: str) -> bool:
    wanted, parsed = parse_range(asked), parse_version(version)
    assert wanted is not None
    assert parsed is not None
    return wanted.holds(parsed)


@pytest.mark.parametrize(
    ("asked", "inside", "outside"),
    [
        ("", "1.2.3 0.0.1", "1.2.3-rc.1"),
        ("*", "1.2.3 0.0.1 v2", "1.2.3-rc.1"),
        ("1.2.3", "1.2.3 v1.2.3 1.2.3+build", "1.2.4 1.2.3-rc.1"),
        ("1", "1.0.0 1.9.9", "0.9.9 2.0.0"),
        ("1.2", "1.2.0 1.2.9", "1.3.0 1.1.9"),
        ("1.2.x", "1.2.0 1.2.9", "1.3.0"),
        ("~1", "1.0.0 1.9.9", "2.0.0"),
        ("~1.2.3", "1.2.3 1.2.9", "1.2.2 1.3.0"),
        ("^1.2.3", "1.2.3 1.9.0", "1.2.2 2.0.0"),
        ("^0.2.3", "0.2.3 0.2.9", "0.3.0 0.2.2 1.0.0"),
        ("^0.0.3", "0.0.3", "0.0.4 0.1.3"),
        ("^0.0", "0.0.0 0.0.9", "0.1.0"),
        ("^0", "0.0.0 0.9.9", "1.0.0"),
        (">1.2", "1.3.0 2.0.0", "1.2.9 1.2.0"),
        (">1.2.3", "1.2.4", "1.2.3"),
        ("<=1.2", "1.2.9 1.0.0", "1.3.0"),
        ("<1.2", "1.1.9", "1.2.0"),
        ("!=1.2", "1.3.0", "1.2.0 1.2.5"),
        (">=1.2.0, <2.0.0", "1.2.0 1.9.9", "2.0.0 1.1.9"),
        (">= 1.2.0 < 2.0.0", "1.2.0 1.9.9", "2.0.0 1.1.9"),
        ("1.2 - 1.4.5", "1.2.0 1.4.5", "1.4.6 1.1.9"),
        ("<1.0 || >=2.0", "0.9.0 2.1.0", "1.5.0"),
        # Pre-releases count in a group that names one, and only there.
        (">=1.0.0-0", "1.0.0-alpha 1.1.0-rc.1 1.1.0", "0.9.0"),
        (">=1.0.0-0, <2.0.0", "1.5.0-rc.1 2.0.0-rc.1", "2.0.0"),
        (">=1.0.0-0 <1.1.0 || >=2.0.0", "1.0.0-a 2.0.0", "2.0.0-rc.1"),
        ("~1.2.3-beta.2", "1.2.3-beta.2 1.2.3-beta.11 1.2.4", "1.2.3-beta.1 1.3.0"),
    ],
)
def test_ranges(asked: str, inside: str, outside: str) -> None:
    assert [version for version in inside.split() if not holds(asked, version)] == []
    assert [version for version in outside.split() if holds(asked, version)] == []


def test_the_newest_is_by_number_and_an_exact_text_comes_first() -> None:
    known = ["1.9.0", "1.10.0", "v1.2.0", "2.0.0-rc.1", "main", "1.10.0-rc.2"]
    assert newest(known, "") == "1.10.0"
    assert newest(known, "1.x") == "1.10.0"
    assert newest(known, ">0-0") == "2.0.0-rc.1"
    assert newest(known, "1.2.0") == "v1.2.0"
    assert newest(known, "main") == "main"
    assert newest(known, "3.x") is None
    with pytest.raises(ValueError, match="no version range"):
        newest(known, "latest")


def test_pre_releases_compare_by_number_where_they_are_numbers() -> None:
    order = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0"]
    parsed = [parse_version(text) for text in order]
    assert sorted(parsed, reverse=True) == parsed[::-1]  # type: ignore[type-var]


@pytest.mark.parametrize("text", ["latest", "1.2 .3", "1..2", ">", "1.2.3 - ", "1 || ", "٣.1", "1.2.3; rm"])
def test_what_is_no_range_is_refused(text: str) -> None:
    assert parse_range(text) is None


def test_only_three_numbers_without_an_operator_are_exact() -> None:
    assert [
        text for text in ("1.2.3", "v1.2.3-rc.1+x", "1.2", "=1.2.3", "^1.2.3", "x") if is_exact(text)
    ] == [
        "1.2.3",
        "v1.2.3-rc.1+x",
    ]


def test_a_hostile_range_costs_no_time() -> None:
    started = time.monotonic()
    assert parse_range("1  " * 170 + "!") is None
    assert parse_range("1.2-" + "a." * 250) is None
    assert parse_range("1" * 600) is None
    assert time.monotonic() - started < 10
