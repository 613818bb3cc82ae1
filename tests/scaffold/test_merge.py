"""Merging: everyday edits on both sides, and what must not be decided by a machine."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_layout.scaffold import structure
from gitops_layout.scaffold.merge import merge, put_block
from gitops_layout.source.reader import read

BASE = b"""\
# delivered by Flux
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
spec:
  interval: 10m
  prune: true
resources:
  - base.yaml
containers:
  - name: web
    image: web:1
  - name: proxy
    image: proxy:1
"""


def _merged(ours: bytes, theirs: bytes) -> bytes:
    result = merge("a.yaml", BASE, ours, theirs)
    assert result.conflicts == ()
    return result.content


def test_edits_of_adjacent_keys_merge() -> None:
    merged = _merged(BASE.replace(b"prune: true", b"prune: false"), BASE.replace(b"10m", b"5m"))
    assert merged == BASE.replace(b"prune: true", b"prune: false").replace(b"10m", b"5m")


def test_items_appended_by_both_sides_are_both_kept() -> None:
    ours = BASE.replace(b"base.yaml\n", b"base.yaml\n  - mine.yaml # keep me\n")
    merged = _merged(ours, BASE.replace(b"base.yaml\n", b"base.yaml\n  - generated.yaml\n"))
    assert sorted(yaml.safe_load(merged)["resources"]) == ["base.yaml", "generated.yaml", "mine.yaml"]
    assert b"mine.yaml # keep me" in merged
    assert merged.startswith(b"# delivered by Flux\n")


@pytest.mark.parametrize("note", [b"# note\n", b"\n# a\n# b\n\n"])
def test_a_comment_at_the_end_stays_there(note: bytes) -> None:
    theirs = BASE.replace(b"  - name: proxy\n    image: proxy:1\n", b"  - name: agent\n    image: agent:1\n")
    assert _merged(BASE + note, theirs) == theirs + note
    assert _merged(BASE + note, BASE + b"  - name: agent\n    image: agent:1\n").endswith(b"agent:1\n" + note)


def test_a_changed_list_item_and_an_added_one_merge() -> None:
    ours = BASE.replace(b"image: proxy:1\n", b"image: proxy:2\n")
    theirs = BASE + b"  - name: agent\n    image: agent:1\n"
    assert [item["image"] for item in yaml.safe_load(_merged(ours, theirs))["containers"]] == [
        "web:1",
        "proxy:2",
        "agent:1",
    ]


def test_what_the_template_dropped_goes_and_what_the_user_dropped_stays_away() -> None:
    merged = yaml.safe_load(
        _merged(
            BASE.replace(b"  interval: 10m\n", b""), BASE.replace(b"  - base.yaml\n", b"  - other.yaml\n")
        )
    )
    assert merged["spec"] == {"prune": True}
    assert merged["resources"] == ["other.yaml"]


@pytest.mark.parametrize(
    ("ours", "theirs", "where"),
    [
        ((b"10m", b"1m"), (b"10m", b"5m"), "spec.interval"),
        ((b"  interval: 10m\n", b""), (b"10m", b"5m"), "spec.interval"),
        ((b"10m", b"1m"), (b"  interval: 10m\n", b""), "spec.interval"),
        ((b"web:1", b"web:2"), (b"web:1", b"web:3"), "containers[web].image"),
    ],
)
def test_one_value_changed_twice_is_a_conflict_with_both_values(
    ours: tuple[bytes, bytes], theirs: tuple[bytes, bytes], where: str
) -> None:
    mine, generated = BASE.replace(*ours), BASE.replace(*theirs)
    result = merge("a.yaml", BASE, mine, generated)
    assert [item.where for item in result.conflicts] == [where]
    assert b"<<<<<<< yours" in result.content
    assert merge("a.yaml", BASE, mine, generated, prefer="ours").content == mine
    assert merge("a.yaml", BASE, mine, generated, prefer="theirs").content == generated


def test_deciding_one_conflict_keeps_the_other_edits() -> None:
    ours = BASE.replace(b"10m", b"1m").replace(b"web:1", b"web:2")
    result = merge("a.yaml", BASE, ours, BASE.replace(b"10m", b"5m"), prefer="theirs")
    assert result.content == BASE.replace(b"10m", b"5m").replace(b"web:1", b"web:2")


def test_the_order_of_arguments_is_never_mixed() -> None:
    base = b"args: [serve, --a]\n"
    result = merge("a.yaml", base, b"args: [serve, --a, --b]\n", b"args: [serve, --c, --a]\n")
    assert [item.where for item in result.conflicts] == ["args"]


def test_a_line_merge_that_doubles_a_key_is_not_taken() -> None:
    base = b"a: 1\nb: 1\nc: 1\nd: 1\ne: 1\n"
    result = merge("a.yaml", base, b"new: 1\n" + base, base + b"new: 1\n")
    assert result.conflicts == ()
    assert result.content == b"new: 1\n" + base


def test_anchors_and_several_documents_are_left_to_lines() -> None:
    base = b"a: &x {k: 1}\nb: *x\nc: 1\nd: 1\ne: 1\n"
    result = merge("a.yaml", base, base.replace(b"k: 1", b"k: 2"), base.replace(b"e: 1", b"e: 2"))
    assert result.content == base.replace(b"k: 1", b"k: 2").replace(b"e: 1", b"e: 2")
    base = b"a: 1\nb: 1\n---\nc: 1\n"
    assert merge("a.yaml", base, base.replace(b"a: 1", b"a: 2"), base.replace(b"b: 1", b"b: 2")).conflicts


def test_a_comment_of_the_user_is_never_lost() -> None:
    ours = BASE.replace(
        b"  - base.yaml\n", b"  - base.yaml\n  # until the migration is done\n  - mine.yaml\n"
    )
    theirs = BASE.replace(b"  - base.yaml\n", b"  - generated.yaml\n")
    result = merge("a.yaml", BASE, ours, theirs)
    assert b"# until the migration is done" in result.content


def test_a_comment_right_above_what_goes_goes_with_it() -> None:
    base = b"resources:\n  - web.yaml\n  - api.yaml\n  - last.yaml\n"
    ours = b"resources:\n  # web first\n  - web.yaml\n  # then\n  # api\n  - api.yaml\n  # the last\n  - last.yaml\n"
    ours += b"patches: [{path: mine.yaml}]\n"
    for gone in (b"web", b"api"):
        theirs = base.replace(b"  - %s.yaml\n" % gone, b"")
        notes = {b"web": b"  # web first\n", b"api": b"  # then\n  # api\n"}[gone]
        merged = merge("a.yaml", base, ours, theirs).content
        assert merged == ours.replace(notes + b"  - %s.yaml\n" % gone, b"")


def test_an_item_in_braces_keeps_them() -> None:
    base = b"spec: {prune: true}\n"
    ours = b"spec: {prune: true, dependsOn: [{name: mine}]}\n"
    theirs = b"spec: {prune: true, dependsOn: [{name: infra}]}\n"
    merged = merge("a.yaml", base, ours, theirs).content
    assert b"{name: mine}" in merged
    assert b"{name: infra}" in merged


@pytest.mark.parametrize("prefer", [None, "ours", "theirs"])
def test_a_comment_beside_what_goes_drops_nothing_else(prefer: Any) -> None:
    base = b"resources:\n  - a.yaml\n  - b.yaml\n  - c.yaml\n"
    ours = base.replace(b"  - b.yaml\n", b"  - b.yaml\n  # mine:\n  # not yet\n  - mine.yaml\n")
    theirs = base.replace(b"  - b.yaml\n", b"  - new.yaml\n")
    result = merge("a.yaml", base, ours, theirs, prefer=prefer)
    assert result.conflicts == ()
    assert sorted(_data(result.content)["resources"]) == ["a.yaml", "c.yaml", "mine.yaml", "new.yaml"]
    assert b"  # mine:\n  # not yet\n  - mine.yaml\n" in result.content


@pytest.mark.parametrize("prefer", ["ours", "theirs"])
def test_only_what_collides_is_decided(prefer: Any) -> None:
    ours = BASE.replace(b"10m", b"1m").replace(
        b"  - base.yaml\n", b"  # all of it\n  - base.yaml\n  - mine.yaml\n"
    )
    theirs = BASE.replace(b"10m", b"5m").replace(b"  - base.yaml\n", b"  - base.yaml\n  - generated.yaml\n")
    data = _data(merge("a.yaml", BASE, ours, theirs, prefer=prefer).content)
    assert sorted(data["resources"]) == ["base.yaml", "generated.yaml", "mine.yaml"]
    assert data["spec"]["interval"] == {"ours": "1m", "theirs": "5m"}[prefer]


def test_the_marked_block_is_replaced_and_the_rest_kept() -> None:
    block = b"# gitops-layout: begin\n* @new\n# gitops-layout: end\n"
    assert (
        put_block(b"# gitops-layout: begin\n* @old\n# gitops-layout: end\n/x @me\n", block)
        == block + b"/x @me\n"
    )
    assert put_block(b"/x @me\n", block) == block + b"/x @me\n"


_SCALARS = st.one_of(
    st.sampled_from(
        ["a", "1", "true", "null", "x y", "# c", "1e3", "2020-01-01", "ü", "two\nlines\n", "- d", ""]
    ),
    st.integers(-3, 3),
    st.booleans(),
    st.none(),
)
_ITEMS = st.fixed_dictionaries({"name": st.sampled_from("pqrs")}, optional={"v": _SCALARS, "w": _SCALARS})
_VALUES = st.recursive(
    _SCALARS | st.lists(_SCALARS, max_size=3) | st.lists(_ITEMS, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from(["k1", "k2", "on"]), inner, max_size=3),
    max_leaves=6,
)
_TEXTS = st.builds(
    lambda data, flow: yaml.safe_dump(data, default_flow_style=flow, sort_keys=False).encode(),
    st.dictionaries(st.sampled_from(["k1", "k2", "k3", "args"]), _VALUES, max_size=4),
    st.sampled_from([True, False]),
)


def _data(content: bytes) -> Any:
    (document,) = read(content, "").documents
    return document.data


@given(_TEXTS, _TEXTS)
@settings(max_examples=150, deadline=None)
def test_a_change_of_one_side_alone_is_taken_as_it_is(base: bytes, changed: bytes) -> None:
    for ours, theirs in ((changed, base), (base, changed), (changed, changed)):
        merged = structure.merge(base, ours, theirs)
        if merged is not None:  # None: left to lines, such as a date that only some readers take for one
            assert merged.conflicts == ()
            assert merged.data == _data(changed)


@given(_TEXTS, _TEXTS, _TEXTS, st.sampled_from(["ours", "theirs"]))
@settings(max_examples=150, deadline=None)
def test_a_preference_leaves_no_conflict_and_text_says_what_was_merged(
    base: bytes, ours: bytes, theirs: bytes, prefer: Any
) -> None:
    merged = structure.merge(base, ours, theirs, prefer=prefer)
    if merged is not None:
        assert merged.conflicts == ()
        assert _data(merged.content) == merged.data


def test_windows_line_endings_stay() -> None:
    ours = BASE.replace(b"prune: true", b"prune: false").replace(b"\n", b"\r\n")
    merged = merge("a.yaml", BASE, ours, BASE.replace(b"10m", b"5m"))
    assert merged.content == ours.replace(b"10m", b"5m")
