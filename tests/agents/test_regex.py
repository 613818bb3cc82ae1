"""Expressions of strangers: Python's engine stands in for Go's only where both say the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gitops_layout.agents.gotemplate.errors import FunctionError
from gitops_layout.agents.gotemplate.regex import compile_regex, searcher

_ATOMS = ["a", "b", "/", r"\.", ".", ".*", ".+", "^", "$", "[a-b]+", "(a|b)", "(a)*", "ya?ml", "-", "x?", "|"]
_EXPRESSIONS = st.lists(st.sampled_from(_ATOMS), min_size=1, max_size=6).map("".join)


@given(expression=_EXPRESSIONS, text=st.text("ab/.-xyml\n", max_size=9))
def test_an_expression_is_found_where_gos_engine_finds_it(expression: str, text: str) -> None:
    try:
        exact = compile_regex(expression)
    except FunctionError:
        return
    assert searcher(expression)(text) is (exact.search(text) is not None)
