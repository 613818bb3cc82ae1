"""The reader against the real kubectl, and its positions against the text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_layout.source.events import MAX_DEPTH
from gitops_layout.source.reader import read
from tests.kubectl import read_objects

HEADER = "apiVersion: example.test/v1\nkind: Probe\nmetadata:\n  name: probe\n"

TRICKY = """\
yes on Off NO y N true False TRUE null ~ Null 0777 0o777 0899 08 09.5 0o8 1e3 12e4567 685e4 1:30 12:30:45
2001-01-01 1_000 1__0 1_ _1 1_000.5 1_0e1 0x_1F 0x1F 0b11 0b2 -0x1f 0x 0xg 0o + - . +5 +.5 -.5 .5 5. 1.0 -0
0.0 -0.0 1e-7 1.e3 .e3 0.1e1 012e3 00 1.2.3 1e15 1e16 12345678.0 = << 1e400 3.0e0
0777777777777777777777777 v1.2 1.20 1d 512Mi 0.5m !!x""".split()
TRICKY.remove("!!x")
TRICKY.remove("<<")


def ours(text: str) -> list[Any]:
    """Our reading, without the object that every test document starts with."""
    stream = read(text, "f.yaml")
    assert stream.problems == ()
    return [document.data for document in stream.documents]


def kubectl(text: str) -> list[Any]:
    objects = read_objects(text)
    assert isinstance(objects, list), objects
    return objects


def same(left: Any, right: Any) -> bool:
    """Equal with types, except that JSON has one kind of number."""
    return json.dumps(_numbers(left), sort_keys=True) == json.dumps(_numbers(right), sort_keys=True)


def _numbers(value: Any) -> Any:
    match value:
        case bool():
            return value
        case int() | float():
            return f"number {float(value)!r}" if value else "number 0.0"
        case dict():
            return {key: _numbers(item) for key, item in value.items()}
        case list():
            return [_numbers(item) for item in value]
        case _:
            return value


def test_tricky_scalars_are_typed_as_kubectl_types_them():
    text = HEADER + "values:\n" + "".join(f"- {scalar}\n" for scalar in TRICKY)
    left, right = ours(text)[0]["values"], kubectl(text)[0]["values"]
    wrong = [(s, a, b) for s, a, b in zip(TRICKY, left, right, strict=True) if not same(a, b)]
    assert wrong == []


def test_tricky_scalars_as_keys_are_named_as_kubectl_names_them():
    keys = [key for key in TRICKY if key not in ("null", "~", "Null")]
    text = HEADER + "".join(f"m{i}: {{{key}: v}}\n" for i, key in enumerate(keys))
    left, right = ours(text)[0], kubectl(text)[0]
    assert [
        (keys[i], left[f"m{i}"], right[f"m{i}"]) for i in range(len(keys)) if left[f"m{i}"] != right[f"m{i}"]
    ] == []


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("a: 1\na: 2\nb: {c: 1, c: 3}\n", id="duplicate keys: the last wins"),
        pytest.param("a: &x {k: 1}\nb: *x\nc: &x {k: 2}\nd: *x\n", id="an anchor is defined twice"),
        pytest.param("a: &x {k: 1, l: 2}\nb:\n  <<: *x\n  k: 3\n", id="merge key"),
        pytest.param(
            "a: &x {k: 1}\ny: &y {k: 2, m: 5}\nb:\n  <<: [*x, *y]\n", id="merge list: the first wins"
        ),
        pytest.param("a: &x {k: 1}\nb:\n  k: 7\n  <<: *x\n", id="merge after own key"),
        pytest.param("a: !foo bar\nb: !!str 1\nc: !!int '7'\nd: ! 12\n", id="tags"),
        pytest.param("a: !!binary aGVsbG8=\nf: !!float 3\n", id="binary and float"),
        pytest.param("a: |\n  one\n  two", id="a block scalar that the file's end cuts off"),
        pytest.param("a: >-\n  one\n  two\n\n  three\nb: |+\n  keep\n\n", id="folded and kept"),
        pytest.param("a: \"x\\ty\\u00e9\\\n  z\"\nb: 'it''s'\n", id="quotes"),
        pytest.param('a: 1\t# tab before a comment\nb: {\t"c":\t1}\n', id="tabs"),
        pytest.param("a:\nb: ''\nc: []\nd: {}\ne: ~\n", id="empty values"),
    ],
)
def test_documents_are_read_as_kubectl_reads_them(body: str):
    text = HEADER + body
    assert same(ours(text), kubectl(text))


def test_multi_document_bom_and_crlf_are_read_as_kubectl_reads_them():
    text = f"\ufeff---\n# first\n{HEADER}---\n# nothing\n---\n{HEADER}a: on\n...\n".replace("\n", "\r\n")
    assert same(ours(text), kubectl(text))


@pytest.mark.parametrize(
    ("body", "line", "column", "word"),
    [
        ("a: [1, 2\nb: 3\n", 6, 2, "flow sequence"),
        ("\ta: 1\n", 5, 1, "indentation"),
        ("a: @x\n", 5, 4, "character that cannot start any token"),
        ("a: .inf\n", 5, 4, "JSON"),
        ("{a: 1}: b\n", 5, 1, "key"),
        ("? [a]\n: b\n", 5, 3, "key"),
        ("null: b\n", 5, 1, "null"),
        ("a: *nowhere\n", 5, 4, "nowhere"),
        ("a: {{ x }}\n", 5, 5, "key"),
        ("a: &x [*x]\n", 5, 8, "itself"),
        ("a: !!int x\n", 5, 4, "!!int"),
        ("a: {<<: 1}\n", 5, 9, "merge"),
    ],
)
def test_what_kubectl_refuses_is_a_problem_with_its_place(body: str, line: int, column: int, word: str):
    text = HEADER + body
    assert isinstance(read_objects(text), str)
    (problem,) = read(text, "f.yaml").problems
    assert (problem.line, problem.column) == (line, column), problem
    assert word in problem.message


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("metadata:\n  name: web\n  namespace:web\nspec: {}\n", 3, 3),
        ('a: 1\nb: "never closed\nc: 2\nd: 3\n', 2, 4),
        ("a: [1, 2\nb: 3\n", 2, 2),
    ],
)
def test_a_mistake_is_placed_where_it_begins(text: str, line: int, column: int):
    (problem,) = read(text, "f.yaml").problems
    assert (problem.line, problem.column) == (line, column)


def test_documents_before_a_syntax_error_are_kept():
    stream = read("a: 1\n---\nb: [\n", "f.yaml")
    assert [document.data for document in stream.documents] == [{"a": 1}]
    assert len(stream.problems) == 1


def test_bytes_that_are_not_utf8_are_named_with_their_place():
    (problem,) = read(b"a: 1\nbc: \xff\n", "f.yaml").problems
    assert (problem.message, problem.line, problem.column) == ("not UTF-8 text", 2, 5)


@pytest.mark.parametrize(
    "bomb",
    [
        "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)),
        "[" * 100_000,
        "a: " + "{a: " * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1),
    ],
    ids=["billion laughs", "open brackets", "deep nesting"],
)
def test_bombs_are_refused_in_bounded_time(bomb: str):
    assert len(read(bomb, "f.yaml").problems) == 1


def test_every_duplicate_key_is_reported_with_both_places():
    document = read("a:\n  b: 1\n  c: 2\n  b: 3\n", "f.yaml").documents[0]
    (duplicate,) = document.duplicates
    assert duplicate.path == ("a", "b")
    assert (duplicate.first.line, duplicate.second.line, duplicate.second.column) == (2, 4, 3)


def test_positions_of_keys_values_and_absent_paths():
    document = read("\ufeffa:\n  - name: \u00e9\u00e9\n    image: x:1 # note\n", "f.yaml").documents[0]
    value, key = document.span(("a", 0, "image")), document.span(("a", 0, "image"), key=True)
    assert (value.line, value.column, value.end_line, value.end_column) == (3, 12, 3, 15)
    assert (key.line, key.column, key.end_column) == (3, 5, 10)
    assert document.source.text[value.start : value.end] == "x:1"
    assert document.span(("a", 0, "ports", 3)) == document.span(("a", 0))


def test_an_alias_stands_where_it_is_written_and_its_children_at_the_anchor():
    document = read("a: &x\n  k: 1\nb: *x\n", "f.yaml").documents[0]
    assert document.span(("b",)).line == 3
    assert document.span(("b", "k")).line == 2


SCALARS = st.one_of(
    st.sampled_from(TRICKY),
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"[-+0-9._eExob]{1,8}", fullmatch=True).filter(
        lambda s: s not in ("-", ".", "---", "...") and not s.startswith(("---", "...", "- "))
    ),
    st.text(
        st.characters(
            codec="utf-8",
            exclude_categories=("Cc", "Cs", "Cn", "Co"),
            exclude_characters="\u2028\u2029\ufeff",
        ),
        max_size=12,
    ).map(lambda s: json.dumps(s, ensure_ascii=False)),
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(SCALARS, min_size=20, max_size=60))
def test_generated_scalars_are_typed_as_kubectl_types_them(scalars: list[str]):
    text = HEADER + "values:\n" + "".join(f"- {scalar}\n" for scalar in scalars)
    left, right = ours(text)[0]["values"], kubectl(text)[0]["values"]
    assert [(s, a, b) for s, a, b in zip(scalars, left, right, strict=True) if not same(a, b)] == []


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=80)
    | st.text(alphabet="ab:-[]{}&*!|>'\"#%@`,?<~ \n\t\r1.", max_size=60).map(str.encode)
)
def test_any_bytes_are_read_or_refused_with_a_place(content: bytes):
    stream = read(content, "f.yaml")
    for problem in stream.problems:
        assert 1 <= problem.line <= content.count(b"\n") + 2
        assert problem.column >= 1
    for document in stream.documents:
        json.dumps(document.data)


@pytest.mark.parametrize(
    ("plain", "width", "levels", "refused"),
    [(0, 10, 2, False), (0, 10, 3, True), (90, 30, 2, True), (200, 30, 2, False), (3000, 100, 2, True)],
)
def test_the_measure_against_alias_bombs_is_that_of_kubectl(
    plain: int, width: int, levels: int, *, refused: bool
):
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
    text += f"plain: [{','.join('x' * plain)}]\nz0: &z0 [{','.join(['{a: b}'] * 10)}]\n"
    text += "".join(f"z{i}: &z{i} [{','.join([f'*z{i - 1}'] * width)}]\n" for i in range(1, levels + 1))
    assert isinstance(read_objects(text), str) is refused
    assert [problem.bound for problem in read(text, "a.yaml").problems] == [True] * refused


def test_numbers_as_keys_that_json_has_not_are_named_or_refused_as_kubectl_does():
    text = HEADER + "".join(
        f"m{i}: {{{key}: v}}\n"
        for i, key in enumerate(("._5", ".1_0", ".5_", "+.Inf", "-.inf", ".NaN", "1e39", "-3.5e38"))
    )
    assert ours(text) == kubectl(text)
    for key in (2**63, 2**64 - 1):
        refused = HEADER + f"m: {{{key}: v}}\n"
        assert isinstance(read_objects(refused), str)
        assert [problem.line for problem in read(refused, "a.yaml").problems] == [5]


def test_json_may_escape_a_character_in_two_halves_and_yaml_may_not():
    text = r'{"a": "\ud83e\udd14 \\ud83e \ud83e", "b": 1}'
    (document,) = read(text, "a.json").documents
    assert document.data == {"a": "🤔 \\ud83e \ufffd", "b": 1}
    assert read(text, "a.yaml").problems
