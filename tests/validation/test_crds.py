"""Kinds that a CustomResourceDefinition defines: structure, defaults, rules, and definitions gone wrong."""

from __future__ import annotations

import time
from typing import Any

import pytest

from gitops_layout.cel import apart
from gitops_layout.fields import dotted
from gitops_layout.validation.check import Verdict
from gitops_layout.validation.crds import Crd, crds
from gitops_layout.validation.schemas import Schemas
from tests.validation.support import verdict

RULE = {"rule": "self.min <= self.max", "message": "min is over max"}


def judged(schema: dict[str, Any], spec: Any) -> Verdict:
    return verdict(queue(spec), schemas=Schemas([(crd(schema), None)]))


def crd(spec_schema: dict[str, Any]) -> Crd:
    root = {"type": "object", "properties": {"spec": spec_schema}}
    return Crd("acme.example", "v1", "Queue", root, True)


def queue(spec: Any) -> dict[str, Any]:
    return {"apiVersion": "acme.example/v1", "kind": "Queue", "metadata": {"name": "a"}, "spec": spec}


def said(schema: dict[str, Any], spec: Any) -> list[tuple[str, str]]:
    return [(dotted(v.path), v.message) for v in judged(schema, spec).violations]


def fields(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize(
    ("schema", "spec", "accepted"),
    [
        (fields(), {"a": 1}, False),
        ({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, {"a": 1}, True),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {"a": "b"}, True),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {"a": 1}, False),
        (fields(a={"x-kubernetes-int-or-string": True}), {"a": "5%"}, True),
        (fields(a={"x-kubernetes-int-or-string": True}), {"a": 5.5}, False),
        (fields(a={"type": "integer", "minimum": 1, "exclusiveMinimum": True}), {"a": 1}, False),
        (fields(a={"type": "string"}), {"a": None}, True),
        ({**fields(a={"type": "string"}), "required": ["a"]}, {"a": None}, False),
        ({**fields(a={"type": "string", "default": "x"}), "required": ["a"]}, {}, True),
        ({**fields(a={"type": "string", "nullable": True}), "required": ["a"]}, {"a": None}, True),
        (fields(a={"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}), {"a": ["x", "x"]}, False),
        (fields(a={"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True}), {"a": {"kind": "B", "apiVersion": "v1", "x": 1}}, True),
        (fields(a={"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True}), {"a": {"x": 1}}, False),
        ({**fields(a={"type": "string"}, b={"type": "string"}), "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"a": "x"}, True),
        ({**fields(a={"type": "string"}, b={"type": "string"}), "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"a": "x", "b": "y"}, False),
    ],
)  # fmt: skip
def test_structural_schemas_judge_as_the_api_server_does(
    schema: dict[str, Any], spec: dict[str, Any], *, accepted: bool
) -> None:
    assert (said(schema, spec) == []) == accepted


def test_a_status_is_dropped_as_a_create_drops_it_and_metadata_is_closed() -> None:
    schemas = Schemas([(crd(fields()), None)])
    assert not verdict({**queue({}), "status": {"any": 1}}, schemas=schemas).violations
    named = {**queue({}), "metadata": {"name": "a", "lables": {}}}
    (violation,) = verdict(named, schemas=schemas).violations
    assert (violation.path, violation.near) == (("metadata", "lables"), ("labels",))


def test_items_of_a_map_list_have_keys_of_their_own() -> None:
    item = fields(name={"type": "string"})
    schema = fields(a={"type": "array", "items": item, "x-kubernetes-list-map-keys": ["name"]})
    assert said(schema, {"a": [{"name": "x"}, {"name": "y"}]}) == []
    twice = said(schema, {"a": [{"name": "x"}, {"name": "x"}]})
    assert twice == [("spec.a[1]", 'an item with name "x" stands in the list already')]


def test_rules_see_defaults_and_stand_at_their_value() -> None:
    number = {"type": "integer"}
    schema = {**fields(min=number, max={**number, "default": 3}), "x-kubernetes-validations": [RULE]}
    assert said(schema, {"min": 2}) == []
    assert said(schema, {"min": 5}) == [("spec", "min is over max")]
    (violation,) = judged(schema, {"min": 5}).violations
    assert violation.kind == "cel"


def test_escaped_names_are_found() -> None:
    rule = {"rule": "self.__namespace__ == self.a__dash__b"}
    text = {"type": "string"}
    schema = {**fields(**{"namespace": text, "a-b": text}), "x-kubernetes-validations": [rule]}
    assert said(schema, {"namespace": "x", "a-b": "x"}) == []
    assert len(said(schema, {"namespace": "x", "a-b": "y"})) == 1


def test_transition_rules_say_nothing_and_rules_beyond_our_engine_are_told() -> None:
    rules = [{"rule": "self == oldSelf"}, {"rule": "self.find('[0-9]+') == '1'"}]
    found = judged(fields(a={"type": "string", "x-kubernetes-validations": rules}), {"a": "1"})
    assert not found.violations
    (problem,) = found.unjudged
    assert problem.rule == rules[1]["rule"]
    assert problem.kind == "acme.example/Queue"


def test_a_refusal_is_told_in_the_words_of_the_rule() -> None:
    made = {"rule": "self.size() < 3", "message": "too long", "messageExpression": "self + ' is too long'"}
    broken = {**made, "messageExpression": "self.absent"}

    for rule, words in ((made, "abcd is too long"), (broken, "too long")):
        schema = fields(a={"type": "string", "x-kubernetes-validations": [rule]})
        (violation,) = judged(schema, {"a": "abcd"}).violations
        assert violation.message == words


def test_a_text_that_a_function_does_not_take_is_refused() -> None:
    rule = {"rule": "quantity(self).isLessThan(quantity('1Gi'))", "message": "too much"}
    schema = fields(a={"type": "string", "x-kubernetes-validations": [rule]})

    assert said(schema, {"a": "512Mi"}) == []
    assert len(said(schema, {"a": "2Gi"})) == len(said(schema, {"a": "lots"})) == 1


def test_rules_see_bytes_where_the_format_says_so() -> None:
    rule = {"rule": "size(self) == 3"}
    schema = fields(a={"type": "string", "format": "byte", "x-kubernetes-validations": [rule]})

    assert said(schema, {"a": "YWJj"}) == []
    assert [path for path, _ in said(schema, {"a": "YWJjZA=="})] == ["spec.a"]


def test_rules_see_numbers_as_such() -> None:
    rule = {"rule": "self * 2.0 < 7.0"}
    schema = fields(a={"type": "number", "x-kubernetes-validations": [rule]})

    assert [len(said(schema, {"a": number})) for number in (3, 3.25, 4)] == [0, 0, 1]


def test_an_evaluation_that_fails_refuses_the_value() -> None:
    schema = fields(
        a={
            "type": "string",
            "x-kubernetes-validations": [{"rule": "int(self) > 1 && self.split(',')[1] != ''"}],
        }
    )

    assert [len(said(schema, {"a": text})) for text in ("x", "2", "1")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("self" + ".replace('a', 'aaaaaaaaaa')" * 10 + " != ''", "a"),
        ("self.split('').map(x, self.split('')).size() > 0", "a" * 20_000),
        ("'a'" + ".replace('a', 'aaaaaaaaaa')" * 10 + " != self", "a"),
        ("self.split('').all(x, self.split('').indexOf(x) >= 0)", "b" * 30_000),
    ],
)
def test_a_rule_that_makes_too_much_is_stopped_and_told(
    rule: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "_SECONDS", 2)
    schema = fields(a={"type": "string", "x-kubernetes-validations": [{"rule": rule}]})

    found = judged(schema, {"a": value})

    assert not found.violations
    (problem,) = found.unjudged
    assert "seconds" in problem.why or "MB" in problem.why or "budget" in problem.why


def test_a_costly_rule_that_comes_to_an_end_is_judged() -> None:
    rule = {"rule": "self.split(',').map(each, each.replace('a', 'b')).join(',') != 'b,b'"}
    schema = fields(a={"type": "string", "x-kubernetes-validations": [rule]})

    assert said(schema, {"a": "a," * 5_000}) == []
    assert len(said(schema, {"a": "a,b"})) == 1


def test_a_rule_that_does_not_end_is_stopped_and_told() -> None:
    rule = {"rule": "self.all(a, self.all(b, self.all(c, a + b + c >= 0)))"}
    schema = fields(a={"type": "array", "items": {"type": "integer"}, "x-kubernetes-validations": [rule]})
    started = time.monotonic()
    found = judged(schema, {"a": list(range(3000))})
    assert time.monotonic() - started < 60
    assert [problem.rule for problem in found.unjudged] == [rule["rule"]]


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        fields(a={"type": "string", "pattern": "("}),
        fields(a={"type": "string", "pattern": "(?=x)"}),
        fields(a={"$ref": "#"}),
        fields(a={"type": "strin"}),
        fields(a=[1]),
        {"type": "object", "properties": 3},
        {"type": "object", "required": "a"},
        fields(**{f"a{n}": {"type": "string"} for n in range(120_000)}),
        deep(5000),
    ],
    ids=["pattern", "look-ahead", "ref", "type", "list", "properties", "required", "huge", "deep"],
)
def test_a_definition_that_cannot_be_used_is_told_and_others_still_judge(schema: dict[str, Any]) -> None:
    other = Crd("acme.example", "v1", "Topic", {"type": "object"}, False)
    schemas = Schemas([(crd(schema), None), (other, None)])
    assert verdict(queue({}), schemas=schemas).known is False
    ((name, _),) = schemas.broken
    assert name == "acme.example/Queue"
    topic = {"apiVersion": "acme.example/v1", "kind": "Topic", "metadata": {"name": "a"}, "x": 1}
    assert [v.path for v in verdict(topic, schemas=schemas).violations] == [("x",)]


def test_of_two_definitions_one_has_to_take_the_object() -> None:
    narrow, wide = crd(fields(a={"type": "string"})), crd(fields(a={"type": "string"}, b={"type": "string"}))
    schemas = Schemas([(narrow, None), (wide, None)])
    assert not verdict(queue({"b": "x"}), schemas=schemas).violations
    assert verdict(queue({"c": "x"}), schemas=schemas).violations


def test_only_served_versions_of_a_definition_count() -> None:
    schema = {"schema": {"openAPIV3Schema": {"type": "object"}}}
    versions = [{"name": "v1", "served": False, **schema}, {"name": "v2", "served": True, **schema}, "odd"]
    data = {"spec": {"group": "a.b", "names": {"kind": "C"}, "versions": versions}}
    assert [found.version for found in crds(data)] == ["v2"]
    assert list(crds({"spec": 3})) == []
