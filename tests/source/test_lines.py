"""Reading by lines against reading by events: the same data, or declined."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_layout.source.document import Text
from gitops_layout.source.events import by_events
from gitops_layout.source.lines import by_lines
from gitops_layout.source.reader import read
from gitops_layout.source.typing import Mode

CORPUS = os.environ.get("GITOPS_LAYOUT_CORPUS")

VALUES = (
    "", "a", "a b", "a:b", "a: b", "a:", "a#b", "a #b", "# c", "1", "0777", "1e3", "yes", "y", "~", "null", "-", "-a", "--a",
    "- a", "?", "? a", "---", "--- a", "...", "'a'", "''", "'a''b'", '"a"', '"a\\n"', '""', "'a' b", "'a':", "[]", "{}", "[a, b]",
    "[a, ]", "[a,b]", "[ a b , 'c' ]", "{a: b}", "{a: b, a: c}", "{a: 'b', y: 2}", "{a:b}", "{a}", "[{a: b}]", "[a", "*a", "&a b",
    "!t b", "|", "|-", "|+", "|2", ">", "> # c", "| # c", ">-", "{a: [b, {c: d}], e: {}}", "[[a], [], {b: c}]", "[a]]", "{a: [b}", "[a, [b]", "{a: {b: c, b: d}}", "@a", "%a", "`a", "<<", "=", "a\tb", "\ta", "ä", "a\u2028b", "a\u00a0b", "a\\b",
    "$(x)", "${X}", "{{ x }}", "a {{ x }}", "2001-01-01", "1:30", "*", "a, b", "(a)", "a'b", 'a"b', ".inf", "0x1F", "'a' # b", "[a] # b", "[a]#b",
)  # fmt: skip
KEYS = ("", "a: ", "b: ", "a:", "- ", "- a: ", "-   b: ", "-", "- - ", "'a': ", '"b" : ', "y: ", "1: ", "null: ", "<<: ", "? ", "a b: ", "a/b.c: ",)  # fmt: skip

line = st.builds(
    lambda indent, key, value, end: " " * indent + key + value + end,
    st.integers(0, 5),
    st.sampled_from(KEYS),
    st.sampled_from(VALUES),
    st.sampled_from(("", "", "", " ", " # c", "  # c: d", "\r")),
)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def check(text: str, mode: Mode) -> bool:
    """Whether the text was read by lines; fails where both readers differ."""
    source = Text(text, lambda _: None)
    found = by_lines(source.ended, mode)
    if found is None:
        return False
    documents, problems = by_events(source, "", mode)
    assert not problems
    assert not any(document.duplicates for document in documents)
    assert same(found, [document.data for document in documents])
    return True


@settings(max_examples=1500, deadline=None)
@given(
    st.lists(line, max_size=6), st.sampled_from(("\n", "\n", "")), st.sampled_from(("kubectl", "kustomize"))
)
def test_texts_of_odd_lines_are_read_alike_or_declined(lines: list[str], end: str, mode: Mode):
    check("\n".join(lines) + end, mode)


@pytest.mark.parametrize("first", KEYS)
@pytest.mark.parametrize("mode", ["kubectl", "kustomize"])
def test_every_value_under_every_key_is_read_alike_or_declined(first: str, mode: Mode):
    for value in VALUES:
        for following in (
            "",
            "\n  c: d",
            "\n- c",
            "\nc: d",
            "\n    c\n",
            "\n\n  c\n\n d\n",
            "\n   \n  c",
            "\n  # c\n  d",
        ):
            check(f"{first}{value}{following}", mode)


def test_a_common_manifest_is_read_by_lines():
    text = """\
# a comment
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web # another
  labels: {app: web, tier: 'front'}
---
spec:
  containers:
  - name: web
    args: ["--a", b]
    image: example.com/web:1.0
    ports:
      - containerPort: 80
        name: http
  -
    name: other
    command:
    - sh
  script: |
    set -e

      echo "hi"
  last:
"""
    assert check(text, "kubectl")


def test_places_in_a_file_that_was_read_by_lines_are_those_of_its_events():
    text = "a:\n  - b: c\n    d: |\n      e\n---\nf: [g]\n"
    stream = read(text, "x.yaml")
    spans = [stream.documents[0].span(("a", 0, "d")), stream.documents[1].span(("f", 0))]
    assert [(span.line, span.column, text[span.start : span.end]) for span in spans] == [
        (3, 8, "|\n      e"),
        (6, 5, "g"),
    ]


@pytest.mark.parametrize(
    "text",
    ["[" + "a " * 5000, "{a: " + "b-" * 5000, "a: " + "b " * 5000 + ":", "'" + "a'" * 5000, "- " * 5000],
)
def test_lines_that_nearly_fit_are_declined_without_trying_every_way(text: str):
    start = time.process_time()
    assert by_lines(text + "\n", "kubectl") is None
    assert time.process_time() - start < 10


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS, reason="GITOPS_LAYOUT_CORPUS names no folder of repositories")
def test_every_file_of_the_corpus_is_read_alike_or_declined():
    found = [path for path in Path(CORPUS or ".").rglob("*.y*ml") if path.is_file()]
    files = [path for path in found if path.stat().st_size < 200_000]
    taken = sum(_checked(path) for path in files)
    assert taken > len(files) * 0.6


def _checked(path: Path) -> bool:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        return False
    return check(text, "kubectl") and check(text, "kustomize")
