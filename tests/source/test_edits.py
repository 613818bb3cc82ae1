"""Edits of text: they change what is meant and nothing else, or they are not made."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_layout.source.edits import Do, edit
from gitops_layout.source.reader import read


def edited(text: str, do: Do, path: tuple[str | int, ...], value: Any = None) -> str | None:
    made = edit(read(text, "x.yaml").documents[0], do, path, value)
    return None if made is None else f"{text[: made[0]]}{made[2]}{text[made[1] :]}"


@pytest.mark.parametrize(
    ("text", "do", "path", "value", "wanted"),
    [
        ("a: 1 # one\nb: 2\n", "remove", ("a",), None, "b: 2\n"),
        ("a: 1\nb: {c: 1, d: 2} # two\n", "remove", ("b", "c"), None, "a: 1\nb: {d: 2} # two\n"),
        ("a: 1\nb: {c: 1, d: 2}\n", "remove", ("b", "d"), None, "a: 1\nb: {c: 1}\n"),
        ("m:\n  p:\n    x: 1\n  q: 2\n", "remove", ("m", "p", "x"), None, "m:\n  q: 2\n"),
        ("s:\n  m:\n    l:\n      - a\n      - b\n", "remove", ("s", "m", "l", 0), None, "s:\n  m:\n    l:\n      - b\n"),
        ("l:\n  - a\n  - b # last\n", "remove", ("l", 1), None, "l:\n  - a\n"),
        ("s:\n  status:\n    a: 1\n    b: [1]\n# end\n", "remove", ("s", "status", "a"), None, "s:\n  status:\n    b: [1]\n# end\n"),
        ("a: 'x' # q\n", "replace", ("a",), "y", "a: 'y' # q\n"),
        ("a: x\n", "replace", ("a",), "yes", 'a: "yes"\n'),
        ("a: 1\n", "replace", ("a",), True, "a: true\n"),
        ("resource: # typo\n  - a\n", "rename", ("resource",), "resources", "resources: # typo\n  - a\n"),
        ("spec:\n  a: 1\n", "set", ("spec", "prune"), True, "spec:\n  a: 1\n  prune: true\n"),
        ("spec:\n  a: 1\n# end\nb: 2", "set", ("spec", "c", "d"), "x", "spec:\n  a: 1\n  c:\n    d: x\n# end\nb: 2"),
        ("p: {automated: {}}\n", "set", ("p", "automated", "selfHeal"), True, "p: {automated: {selfHeal: true}}\n"),
        ("p: {automated: { prune: true }}\n", "set", ("p", "automated", "heal"), 1, "p: {automated: { prune: true, heal: 1}}\n"),
        ("p:\n  automated:\n  b: 1\n", "set", ("p", "automated", "heal"), True, "p:\n  automated:\n    heal: true\n  b: 1\n"),
        ("p:\n  automated: true\n", "set", ("p", "automated"), False, "p:\n  automated: false\n"),
        ("a: 1\r\nb:\r\n  c: 1\r\n", "set", ("b", "d"), 2, "a: 1\r\nb:\r\n  c: 1\r\n  d: 2\r\n"),
        ("s:\n  l:\n    - a # only\n  x: 1\n", "remove", ("s", "l", 0), None, "s:\n  x: 1\n"),
        ("s:\n  l:\n  - a # one\n  # end\nb: 1\n", "add", ("s", "l"), "b", "s:\n  l:\n  - a # one\n  - b\n  # end\nb: 1\n"),
        ("s:\n  l:\n    - {name: a}\n", "add", ("s", "l"), {"name": "b", "x": 1}, "s:\n  l:\n    - {name: a}\n    - name: b\n      x: 1\n"),
        ("s: {l: [ a, ]}\n", "add", ("s", "l"), {"name": "b"}, "s: {l: [ a, {name: b}]}\n"),
        ("s: {l: []}\n", "add", ("s", "l"), "b", "s: {l: [b]}\n"),
        ("s:\n  x: 1\n", "add", ("s", "l"), "b", "s:\n  x: 1\n  l:\n    - b\n"),
        ("l:\n  - a.yaml # one\n", "wrap", ("l", 0), "path", "l:\n  - path: a.yaml # one\n"),
        ("l: [a.yaml]\n", "wrap", ("l", 0), "path", "l: [{path: a.yaml}]\n"),
        ("l:\n  - |\n    a: 1\n", "wrap", ("l", 0), "patch", None),
        ("m:\n  a: 1\n  b:\n    c: 1\n\n  b:\n    c: 2\n", "single", ("m", "b"), None, "m:\n  a: 1\n  b:\n    c: 2\n"),
        ("b:\n- 1\n- 2\nb: 3\n", "single", ("b",), None, "b: 3\n"),
        ("c: # all\n  a: x # one\n  b: y\nd: 1\n", "nest", ("c",), ("l", {"s": True}, "p"),
         "l: # all\n  - s: true\n    p:\n      a: x # one\n      b: y\nd: 1\n"),
        ("c: {a: x} # one\n", "nest", ("c",), ("l", {"s": True}, "p"), "l: [{s: true, p: {a: x}}] # one\n"),
        ("m: {a: 1, a: 2}\n", "single", ("m", "a"), None, None),
        ("l:\n  - name: a\n    x: 1\n", "remove", ("l", 0, "name"), None, None),  # its dash would be lost
        ("a: &x {b: 1}\nc: *x\n", "replace", ("a", "b"), 2, None),  # would change c as well
        ("a: [1]\n", "rename", ("b",), "c", None),
    ],
)  # fmt: skip
def test_an_edit_touches_only_what_it_means(
    text: str, do: Do, path: tuple[str | int, ...], value: Any, wanted: str | None
) -> None:
    assert edited(text, do, path, value) == wanted


_SCALARS = st.one_of(
    st.booleans(), st.integers(-9, 99), st.sampled_from(["x", "yes", "1e3", "a b", "#", "", "é:"])
)
_KEYS = st.sampled_from(["a", "b", "name", "on", "x.y/z"])
_DATA = st.dictionaries(
    _KEYS,
    st.recursive(
        _SCALARS,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_KEYS, inner, max_size=3)),
        max_leaves=8,
    ),
    min_size=1,
)


@settings(max_examples=300, deadline=None)
@given(_DATA, st.data(), st.booleans())
def test_whatever_is_edited_the_rest_stays(data: dict[str, Any], draw: st.DataObject, flow: bool) -> None:
    text = yaml.safe_dump(data, default_flow_style=flow, sort_keys=False, allow_unicode=True)
    document = read(text, "x.yaml").documents[0]
    path: tuple[str | int, ...] = ()
    target: Any = document.data
    while isinstance(target, dict | list) and target and (not path or draw.draw(st.booleans())):
        step = draw.draw(
            st.sampled_from(list(target) if isinstance(target, dict) else list(range(len(target))))
        )
        path, target = (*path, step), target[step]
    do = draw.draw(st.sampled_from(["remove", "replace", "rename", "set"]))
    value = "renamed" if do == "rename" else draw.draw(_SCALARS)
    after = edited(text, do, path, value)
    if after is None:
        return
    again = read(after, "x.yaml").documents[0].data
    gone = Counter() if do == "rename" else Counter(_leaves(target))
    come = Counter([json.dumps(value)]) if do in ("replace", "set") else Counter()
    assert Counter(_leaves(again)) == Counter(_leaves(document.data)) - gone + come
    if do in ("replace", "set"):
        found: Any = again
        for step in path:
            found = found[step]
        assert json.dumps(found) == json.dumps(value)


def _leaves(data: Any) -> list[str]:
    match data:
        case dict():
            return [leaf for item in data.values() for leaf in _leaves(item)]
        case list():
            return [leaf for item in data for leaf in _leaves(item)]
        case _:
            return [json.dumps(data)]
