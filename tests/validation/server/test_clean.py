"""What was clean once is not judged again, and what differs from it is."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from gitops_layout.validation.server import refusals
from gitops_layout.validation.server.clean import content

CONTAINER = {
    "name": "web",
    "image": "web:1",
    "ports": [{"name": "http", "containerPort": 80}],
    "resources": {"requests": {"memory": "1Mi"}, "limits": {"memory": "2Mi"}},
}
GOOD: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [CONTAINER]}},
    },
}
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [CONTAINER]}}
HERE = ("spec", "template", "spec", "containers", 0)


def changed(data: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    result = copy.deepcopy(data)
    place: Any = result
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return result


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("metadata", "name"), "Web"),
        (("metadata", "namespace"), "a_b"),
        (("metadata", "labels"), {"app": "-"}),
        (("spec", "replicas"), -1),
        (("spec", "template", "metadata", "labels"), {"app": "other"}),
        ((*HERE, "image"), ""),
        ((*HERE, "ports"), [{"name": "HTTP", "containerPort": 80}]),
        ((*HERE, "resources", "requests", "memory"), "3Mi"),
        ((*HERE, "resources", "claims"), [{"name": "absent"}]),
    ],
)
def test_another_environment_is_refused_for_what_differs(path: tuple[str | int, ...], value: Any):
    bad = changed(GOOD, path, value)
    for _ in range(2):
        assert list(refusals(GOOD, apply=True)) == []
        assert list(refusals(bad, apply=True))


def test_a_bare_pod_may_have_no_blanks_around_an_image_that_was_good():
    assert list(refusals(POD, apply=False)) == []
    assert list(refusals(changed(POD, ("spec", "containers", 0, "image"), " web:1"), apply=False))


def test_contents_tell_numbers_texts_and_truth_apart_and_not_who_shares_what():
    values = [1, 1.0, True, "1", [1], {"a": 1}, {"a": True}, None, []]
    assert len({content(value) for value in values}) == len(values)
    item = {"name": "a"}
    assert content([item, item]) == content([item, dict(item)])


def test_what_is_too_deep_for_a_content_is_judged_each_time():
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    assert content(deep) is None
    bad = changed(GOOD, ("metadata", "labels"), {"app": "web", "deep": deep, "b": "-"})
    assert list(refusals(bad, apply=True))
