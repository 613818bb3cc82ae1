"""Variables, compared with the modules that Flux's kustomize-controller expands them with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_layout.render.envsubst import ExpansionError, Missing, Reason, expand
from gitops_layout.render.substitute import SubstitutionError, substitute
from gitops_layout.source.emit import text_of
from tests.agents.gooracle import Oracle, start

THEIR_WORDS = {
    Reason.NAME: "unable to parse variable name",
    Reason.UNCLOSED: "missing closing brace",
    Reason.ARGUMENT: "unable to parse substitution within function",
    Reason.MALFORMED: "bad substitution",
    Reason.UNSET: "variable not set (strict mode)",
    Reason.RANGE: "panic",
}


@pytest.fixture(scope="module")
def flux() -> Iterator[Oracle]:
    """The modules in a process of their own."""
    oracle = start("envsubst")
    yield oracle
    oracle.stop()


OPERATORS = [
    *(":-", ":=", ":+", ":?", "=", "-", "+", "?", ":", "#", "##", "%", "%%", "/", "//", "/#", "/%"),
    *(",", ",,", "^", "^^", ",^", "", "[@]", "###", "/ /"),
]
names = st.sampled_from(["a", "b", "gone", "_x1", "A", "1", "é"])
pieces = st.sampled_from([
     "$", "$$", "${", "}", "{", "/", ":", "#", "%", "*", "?", "[a-z]", "[^", "]", "\\", "\\/", "-1", "0", "2", "99",
     "a", "ab", "x y", "é", "😀", "ß", "İ", "\n", "=", "-", " ", '"', "'", "9223372036854775807",
])  # fmt: skip
words = st.lists(pieces, max_size=4).map("".join)
expressions = st.recursive(
    words,
    lambda inner: st.one_of(
        st.builds("${{{}{}{}}}".format, names, st.sampled_from(OPERATORS), inner),
        st.builds("${{{}/{}/{}}}".format, names, inner, inner),
        st.builds("${{{}:{}:{}}}".format, names, inner, inner),
        st.builds("${{#{}}}".format, names),
        st.builds("{}{}".format, inner, inner),
    ),
    max_leaves=8,
)
values = st.one_of(words, st.text(alphabet="ab/.é😀-ßİ", max_size=8))
known = st.dictionaries(st.sampled_from(["a", "b", "_x1", "A"]), values, max_size=4)
cases = st.lists(st.tuples(expressions, known, st.booleans()), min_size=20, max_size=60)


def ours(text: str, variables: dict[str, str], *, strict: bool) -> dict[str, str]:
    try:
        done = expand(text, variables, missing="error" if strict else "empty")
    except ExpansionError as error:
        return {"error": THEIR_WORDS[error.reason] + (f': "{error.name}"' if error.name else "")}
    # What is no UTF-8 any more cannot be said in JSON.
    shown = done.text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    return {"text": "".join("\ufffd" if "\udc80" <= c <= "\udcff" else c for c in shown)} if shown else {}


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases)
def test_texts_are_expanded_as_flux_expands_them(
    flux: Oracle, asked: list[tuple[str, dict[str, str], bool]]
) -> None:
    request: list[dict[str, Any]] = [
        {"text": text, "vars": variables, "strict": strict} for text, variables, strict in asked
    ]
    for case, theirs in zip(request, flux.ask(cases=request)["cases"], strict=True):
        if "panic" in theirs.get("error", ""):
            theirs["error"] = "panic"
        assert ours(case["text"], case["vars"], strict=case["strict"]) == theirs, case


keys = st.sampled_from(["k", "a10", "a9", "a-b", "${a}", "x${b:=y}", "yes", "long-" * 40])
strings = st.one_of(
    expressions,
    st.builds("{}${{{}}}{}".format, words, names, words),
    st.sampled_from(["${a}", "${b}m", "x: ${a}", "${a} # c", "- ${a}", "l1\n${a}\nl3\n", " ${a}", "${a:=" + "w " * 60 + "}", "~", "0777"]),
)  # fmt: skip
trees = st.recursive(
    st.one_of(strings, st.sampled_from([1, True, None, "", 1.5])),
    lambda inner: st.dictionaries(keys, inner, max_size=3) | st.lists(inner, max_size=3),
    max_leaves=6,
)
plain_values = st.one_of(
    values,
    st.sampled_from(["3", "true", "[1, 2]", "{x: y}", "", "a: b", "# c", "1.0", "0x1F", "2001-01-01", "'q'", "&a", "*a", "!!int 3", "1e3", "@x"]),
)  # fmt: skip
objects = st.tuples(
    st.dictionaries(keys, trees, max_size=3),
    st.dictionaries(st.sampled_from(["a", "b", "_x1", "A", "no-name"]), plain_values, max_size=4),
    st.booleans(),
    st.sampled_from([{}, {}, {}, {"labels": {"kustomize.toolkit.fluxcd.io/substitute": "disabled"}}]),
)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(objects, min_size=10, max_size=30))
def test_objects_are_substituted_as_flux_substitutes_them(flux: Oracle, asked: list[Any]) -> None:
    request: list[dict[str, Any]] = []
    for data, variables, strict, marks in asked:
        whole = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x", **marks}, "data": data}
        variables.pop("no-name", None)
        request.append({"object": whole, "vars": variables, "strict": strict, "always": True})
    for case, theirs in zip(request, flux.ask(cases=request)["cases"], strict=True):
        if "yaml" not in theirs:
            continue  # no build makes it: kustomize cannot read what it wrote
        assert text_of(case["object"]) == theirs["yaml"], case["object"]
        # Lines are joined where variables are collected.
        variables = {name: value.replace("\n", "") for name, value in case["vars"].items()}
        missing: Missing = "error" if case["strict"] else "empty"
        expected = (as_go_reads(theirs.get("value")), bool(theirs.get("error")))
        assert made(case["object"], variables, missing) == expected, case


def test_an_integer_that_no_float_holds_is_rounded_as_flux_rounds_it(flux: Oracle) -> None:
    data = {
        "apiVersion": "v1",
        "kind": "X",
        "metadata": {"name": "x"},
        "data": {"k": "${a}9223372036854775807"},
    }

    (theirs,) = flux.ask(cases=[{"object": data, "vars": {}, "strict": False, "always": True}])["cases"]

    assert theirs["value"]["data"]["k"] == 9223372036854776000
    assert made(data, {}, "empty") == (as_go_reads(theirs["value"]), False)


def as_go_reads(value: Any) -> Any:
    """JSON as Go reads it where no type is given: what is too large for a float64's digits is rounded."""
    return json.loads(json.dumps(value), parse_int=lambda text: int(text) if len(text) < 16 else float(text))


def made(data: dict[str, Any], variables: dict[str, str], missing: Missing) -> tuple[Any, bool]:
    """What ours makes of an object, and whether it refuses it."""
    try:
        return substitute(data, variables, missing=missing).data, False
    except SubstitutionError:
        return None, True
