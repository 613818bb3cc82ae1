"""The template engine against the real one: whatever we evaluate, Go evaluates to the same text."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_layout.agents.applicationset.globs import PatternError, folder_matcher
from gitops_layout.agents.fasttemplate import UnclosedTagError, substitute
from gitops_layout.agents.gotemplate import LimitError, TemplateError, UnsupportedError, render
from gitops_layout.agents.gotemplate.mergo import merge
from gitops_layout.agents.gotemplate.values import StringList, StringMap, from_json
from tests.agents import gooracle

MAPS = {"values": {"region": "eu-west-1", "empty": ""}}
LISTS = {"segments": ["apps", "web", "prod"], "none": []}
DATA: dict[str, Any] = {
    "s": "Hello, wörld! foo-bar_baz",
    "t": "web.prod",
    "e": "",
    "n": 3,
    "big": 12345678,
    "f": 0.25,
    "yes": True,
    "no": False,
    "null": None,
    "l": ["b", "a", "", 2, None, "b"],
    "m": {"k": "v", "n": 1, "inner": {"x": "y", "list": [1, 2]}, "null": None},
    "o": {"a": {"b": 1}, "c": [], "k": ""},
}


@pytest.fixture(scope="module")
def go() -> Iterator[gooracle.Oracle]:
    running = gooracle.start("gotemplate")
    yield running
    running.stop()


def ours(template: str, missing: Any) -> dict[str, Any] | None:
    """The same answer in the oracle's words; None where we say that we do not know."""
    data = from_json(DATA)
    data |= {name: StringMap(value) for name, value in MAPS.items()}
    data |= {name: StringList(value) for name, value in LISTS.items()}
    try:
        return {"text": render(template, data, missing=missing).text}
    except (UnsupportedError, LimitError):
        return None
    except TemplateError as error:
        return {"error": str(error)}


def check(go: gooracle.Oracle, template: str, missing: Any = "default") -> None:
    mine = ours(template, missing)
    if mine is None:
        return
    theirs = go.ask(mode="go", template=template, data=DATA, missingkey=missing, maps=MAPS, lists=LISTS)
    if "error" in mine or "error" in theirs:
        assert ("error" in mine) == ("error" in theirs), (template, mine, theirs)
    else:
        assert mine == theirs, template


def call(names: str, *arguments: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A call of one of the functions, in parentheses, or with its last argument piped in."""
    head = st.sampled_from(names.split())
    plain = st.tuples(head, *arguments).map(lambda words: f"({' '.join(words)})")
    piped = st.tuples(head, *arguments).map(lambda words: f"({words[-1]} | {' '.join(words[:-1])})")
    return plain | piped if arguments else plain


def expressions() -> st.SearchStrategy[str]:
    """Expressions of all types, mostly well typed."""
    fields = st.sampled_from(
        """. $ .s .t .e .n .big .f .yes .no .null .l .m .o .m.k .m.inner.x .m.inner.list .m.null .zz .m.zz .zz.y
        .values .values.region .values.zz .segments .none $.m.n .s.x .null.x .m.inner.zz.y""".split()
    )
    texts = st.sampled_from(
        [
            '"a"',
            '"b-c"',
            '"-"',
            '""',
            '"web"',
            '"é\\n"',
            "`x\\y`",
            '"3"',
            '"{{.n}}"',
            '"a: 1"',
            '"[1,2]"',
            '"0x1F"',
            '"1.0"',
        ]
    )
    numbers = st.sampled_from("0 1 2 3 -1 7 10 1.5 -2.75 0x10 1e3 017 'a' 100000000".split())
    constants = st.sampled_from(["true", "false"])
    patterns = st.sampled_from(
        [
            '"[a-z]+"',
            '"^w"',
            '"(o)(.)"',
            '"o*"',
            '"(?i)HELLO"',
            '"\\\\w+-?"',
            '"[^a-z]"',
            '"a|b|"',
            '"(?P<n>o+)"',
            '"("',
            '"x*?"',
            '"b$"',
        ]
    )
    leaf = fields | texts | numbers | constants

    def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        text = st.one_of(texts, st.sampled_from([".s", ".t", ".m.k", ".values.region"]), inner)
        number = numbers | inner
        lists = (
            st.sampled_from([".l", ".segments", ".none", ".m.inner.list", '(splitList "-" .s)', "(until 3)"])
            | inner
        )
        maps = st.sampled_from([".m", ".o", ".m.inner", '(dict "a" 1 "b" .l)', "(dict)"]) | inner
        return st.one_of(
            call(
                "upper lower title trim quote squote toString b64enc b64dec normalize nospace sha1sum base dir clean ext",
                text,
            ),
            call(
                "slugify sha256sum adler32sum regexQuoteMeta atoi b32enc fromYaml fromJson fromYamlArray html urlquery",
                text,
            ),
            call("trunc repeat indent nindent", number, text),
            call("substr", number, number, text),
            call("replace", text, text, text),
            call(
                "contains hasPrefix hasSuffix trimSuffix trimPrefix trimAll split splitList cat", text, text
            ),
            call("splitn", text, number, text),
            call("regexMatch regexFind mustRegexFind", patterns, text),
            call(
                "regexReplaceAll regexReplaceAllLiteral",
                patterns,
                text,
                texts | st.sampled_from(['"<$1${n}>"', '"$0x$$"']),
            ),
            call("regexSplit regexFindAll", patterns, text, number),
            call("add sub mul max min add1f addf subf mulf", number, number),
            call("div mod divf maxf minf", number, number),
            call("int int64 float64 ceil floor add1 toDecimal until", number),
            call("round untilStep seq", number, number),
            call("eq ne lt le gt ge", inner, inner),
            call("eq", inner, inner, inner),
            call("and or default ternary coalesce list print println all any", inner, inner),
            call(
                "not empty typeOf kindOf toJson toPrettyJson toRawJson toYaml len quote deepCopy int", inner
            ),
            call("ternary", inner, inner, inner),
            call("first last rest initial reverse uniq compact sortAlpha toStrings len toYaml", lists),
            call("append prepend has without concat", lists, inner),
            call("has", inner, lists),
            call("join", texts, lists),
            call("slice chunk index", lists, number),
            call("index get hasKey", maps, texts | st.sampled_from(['"k"', '"inner"', '"a"'])),
            call("pick omit", maps, texts | st.just('"k"')),
            call("set", maps, texts, inner),
            call("dig", st.just('"inner" "x"'), inner, maps),
            call("pluck", st.just('"k"'), maps, maps),
            call("merge mergeOverwrite deepEqual", maps, maps),
            call(
                "printf",
                st.sampled_from(
                    [
                        '"%v"',
                        '"%s-%d"',
                        '"%q"',
                        '"%05d|%-4s|"',
                        '"%.2f"',
                        '"%t%%"',
                        '"%x"',
                        '"%6.1f|%+d"',
                        '"%5v|%05v"',
                        '"%g|%e"',
                    ]
                ),
                inner,
                inner,
            ),
            call("tpl", texts, st.just("$")),
            call(
                "typeIs kindIs",
                st.sampled_from(['"string"', '"map"', '"int64"', '"slice"', '"[]string"']),
                inner,
            ),
        )

    return st.recursive(leaf, grown, max_leaves=6)


def templates() -> st.SearchStrategy[str]:
    """Whole templates: text, actions with and without trimming, control structures, variables."""
    expression = expressions()
    open_, close = st.sampled_from(["{{", "{{ ", "{{- "]), st.sampled_from(["}}", " }}", " -}}"])
    text = st.sampled_from(["", " ", "\n", "a", " b\n ", "{", "}}", "-"])
    action = st.tuples(open_, expression, close).map("".join)
    leaf = text | action

    def block(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        head = st.sampled_from(
            "if|with|range|range $x :=|range $i, $x :=|with $x :=|if $x :=|with $x := 1 | add".split("|")
        )
        body = st.tuples(
            inner,
            st.sampled_from(["", "{{$x}}", "{{.}}", "{{break}}", "{{continue}}", "{{ $x = 1 }}", "{{$i}}"]),
            inner,
        )
        tail = st.sampled_from(
            ["", "{{else}}no", "{{ else if .s }}s", "{{ else with .s }}{{.}}", "{{else}}{{.}}"]
        )
        return st.tuples(
            st.sampled_from(["", "{{ $x := 0 }}", "{{/* c */}}", "{{- /* c */ -}}\n"]),
            open_,
            head,
            st.just(" "),
            expression,
            close,
            body.map("".join),
            tail,
            st.sampled_from(["{{end}}", "{{ end -}} \n"]),
        ).map("".join)

    whole = st.recursive(
        leaf, lambda inner: st.lists(inner, max_size=3).map("".join) | block(inner), max_leaves=5
    )
    defined = st.sampled_from(
        ["", '{{define "d"}}<{{.}}>{{end}}{{template "d" .s}}', '{{block "b" .m}}{{.k}}{{end}}']
    )
    return st.tuples(defined, whole).map("".join)


# ORACLE_EXAMPLES raises the number for a longer search than a test run should take.
relaxed = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    max_examples=int(os.environ.get("ORACLE_EXAMPLES", "150")),
)


@relaxed
@given(template=templates(), missing=st.sampled_from(["default", "zero", "error"]))
def test_a_generated_template_gives_the_same_text_or_the_same_refusal(
    go: gooracle.Oracle, template: str, missing: str
) -> None:
    check(go, template, missing)


@relaxed
@given(template=st.text(alphabet=list("{}-.$|:=()\"`' \nabxs01e,/*_é"), max_size=24))
def test_any_characters_parse_or_fail_as_in_go(go: gooracle.Oracle, template: str) -> None:
    check(go, template)
    check(go, "{{" + template + "}}")


numbers = (
    st.integers(-(10**7), 10**7) | st.floats(-1e300, 1e300, allow_nan=False) | st.integers(-(2**60), 2**60)
)
words = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cn", "Co"]), max_size=12) | st.sampled_from(
    "yes no null ~ 1e3 0o7 0x1 1_000 12:30 2024-01-01 on y =  - #a a#b a: b: - * & ! % @ .5 . .inf 1. true".split(
        " "
    )
)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)


@relaxed
@given(value=json_values)
def test_any_value_prints_and_encodes_as_in_go(go: gooracle.Oracle, value: Any) -> None:
    for template in (
        "{{ .v }}",
        "{{ toJson .v }}",
        "{{ toPrettyJson .v }}",
        "{{ printf `%q` (toString .v) }}",
    ):
        theirs = go.ask(mode="go", template=template, data={"v": value}, missingkey="default")
        assert {"text": render(template, from_json({"v": value})).text} == theirs, template


@relaxed
@given(value=json_values)
def test_any_value_becomes_the_same_yaml(go: gooracle.Oracle, value: Any) -> None:
    theirs = go.ask(mode="go", template="{{ toYaml .v }}", data={"v": value}, missingkey="default")
    try:
        mine = render("{{ toYaml .v }}", from_json({"v": value})).text
    except UnsupportedError:
        return
    except TemplateError:
        mine = None
    assert mine == theirs.get("text")


@relaxed
@given(
    pattern=st.text(alphabet=list("ab-^$|()[]*+?.{}12,\\dwsbBQEiP<>:n"), max_size=10),
    text=st.text(alphabet="abAB1- \n", max_size=8),
)
def test_any_regular_expression_matches_as_in_go(go: gooracle.Oracle, pattern: str, text: str) -> None:
    for template in (
        '{{ mustRegexReplaceAll .p .t "<$0|$1>" }}',
        "{{ range mustRegexFindAll .p .t -1 }}[{{.}}]{{end}}",
        "{{ range mustRegexSplit .p .t 3 }}[{{.}}]{{end}}",
    ):
        data = {"p": pattern, "t": text}
        theirs = go.ask(mode="go", template=template, data=data, missingkey="default")
        try:
            mine = {"text": render(template, data).text}
        except (UnsupportedError, LimitError):
            continue
        except TemplateError as error:
            mine = {"error": str(error)}
        assert mine.get("text") == theirs.get("text"), (pattern, text, mine, theirs)


@relaxed
@given(
    one=st.dictionaries(st.sampled_from("abc"), json_values),
    other=st.dictionaries(st.sampled_from("abc"), json_values),
    override=st.booleans(),
)
def test_maps_merge_as_mergo_merges_them(
    go: gooracle.Oracle, one: dict[str, Any], other: dict[str, Any], override: bool
) -> None:
    theirs = go.ask(mode="merge", data=one, other=other, override=override)
    mine: dict[str, Any] = copy.deepcopy(one)
    merge(mine, copy.deepcopy(other), override=override)
    assert from_json(mine) == from_json(theirs.get("value", {}))


@relaxed
@given(text=st.text(alphabet=list("{}ab.\n "), max_size=24))
def test_any_text_is_substituted_as_by_fasttemplate(go: gooracle.Oracle, text: str) -> None:
    params = {"a": "A", "a.b": "{{b}}", "b": 1, "": "never"}
    theirs = go.ask(mode="fast", template=text, data=params)
    try:
        assert substitute(text, params).text == theirs.get("text")
    except UnclosedTagError:
        assert "error" in theirs


@relaxed
@given(pattern=st.text(alphabet=list("ab*?[]^-\\/é"), max_size=9))
def test_any_pattern_matches_folders_as_gos_path_match(go: gooracle.Oracle, pattern: str) -> None:
    names = [
        "",
        "a",
        "b",
        "ab",
        "ba",
        "aab",
        "a/b",
        "ab/ab",
        "a/b/a",
        "é",
        "*",
        "a-b",
        "^",
        "]",
        "a]",
        "-",
        "a/-",
    ]
    theirs = go.ask(mode="match", template=pattern, names=names).get("value", [])
    try:
        matches = folder_matcher(pattern)
    except PatternError:
        assert theirs == []  # Argo CD goes on where path.Match complains
    else:
        assert [name for name in names if matches(name)] == theirs
