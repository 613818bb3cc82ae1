"""The engine behind our adapter behaves as our rules assume."""

from __future__ import annotations

from typing import Any

import pytest

from gitops_layout.cel import CelError, bind, compile_expression

OBJECT: dict[str, Any] = {
    "kind": "Deployment",
    "metadata": {"name": "wéb", "labels": {"app.kubernetes.io/name": "web"}},
    "spec": {"replicas": 3, "ratio": 1.0, "empty": None},
}


def holds(text: str, **data: Any) -> bool:
    return compile_expression(text, tuple(data)).holds(bind(data))


@pytest.mark.parametrize(
    "text",
    [
        "object.kind in ['Deployment', 'StatefulSet']",
        "object.spec.ratio == 1",
        "size(object.metadata.name) == 3",
        "has(object.spec) && !has(object.spec.absent)",
        "object.?spec.?absent.orValue('none') == 'none'",
        "object.metadata.labels['app.kubernetes.io/name'].split('/').size() == 1",
        "cel.bind(n, object.spec.replicas, n > 2 && n < 4)",
        "object.spec.empty == null",
        # the right side decides although the left one has no value
        "object.absent == 1 || object.kind == 'Deployment'",
    ],
)
def test_what_rules_rely_on_is_true(text: str) -> None:
    assert holds(text, object=OBJECT)
    assert not holds(f"!({text})", object=OBJECT)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("object.kind ==", "Syntax error"),
        ("objct.kind == 'a'", "undeclared reference to 'objct"),
        ("1 + 1", "not true or false"),
        ("'a'.startsWith(1)", "no matching overload"),
    ],
)
def test_a_wrong_expression_does_not_compile(text: str, words: str) -> None:
    with pytest.raises(CelError, match=words):
        compile_expression(text, ("object",))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("object.absent.name == 'a'", "absent"),
        ("object.kind", "string, not true or false"),
        ("object.spec.replicas.all(x, true)", "."),
        ("1 / 0 == 1", "divide by zero"),
    ],
)
def test_what_has_no_truth_value_is_an_error(text: str, words: str) -> None:
    with pytest.raises(CelError, match=words):
        holds(text, object=OBJECT)


def test_an_endless_evaluation_ends() -> None:
    with pytest.raises(CelError, match="budget"):
        holds("object.all(x, object.all(y, x + y >= 0))", object=list(range(200)))


def test_data_that_the_engine_does_not_take_is_an_error() -> None:
    with pytest.raises(CelError, match="out of range"):
        holds("object.n > 1", object={"n": 2**70})
