"""Verdicts on single objects: what is refused, where, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from gitops_layout.fields import dotted
from tests.validation.support import verdict


def container(**fields: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web"},
        "spec": {"containers": [{"name": "web", "image": "web:1", **fields}]},
    }


def said(data: dict[str, Any], *versions: str) -> list[tuple[str, str]]:
    return [(dotted(v.path), v.message) for v in verdict(data, *versions).violations]


def config(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, **fields}


@pytest.mark.parametrize(
    ("data", "path", "words"),
    [
        (container(ports=[{"containerPort": "80"}]), ".ports[0].containerPort", 'expected integer, got string "80"'),
        (container(ports=[{}]), ".ports[0]", 'required field "containerPort" is missing'),
        (container(ports=[{"containerPort": 2**31}]), ".ports[0].containerPort", "expected at most 2147483647, got integer 2147483648"),
        (container(args=["a", 1]), ".args[1]", "expected string, got integer 1"),
        (container(tty="yes"), ".tty", 'expected boolean, got string "yes"'),
        (container(env={"A": "b"}), ".env", "expected array, got an object"),
        (container(resources={"limits": {"cpu": True}}), ".resources.limits.cpu", "expected number or string, got boolean true"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_said_in_the_schemas_words(data: dict[str, Any], path: str, words: str) -> None:
    assert said(data) == [(f"spec.containers[0]{path}", words)]


def test_an_unknown_field_stands_at_its_own_path_with_the_name_that_was_meant() -> None:
    (violation,) = verdict(container(imagePullPolcy="Always")).violations
    assert violation.kind == "unknown"
    assert violation.path == ("spec", "containers", 0, "imagePullPolcy")
    assert violation.near == ("imagePullPolicy",)


def test_quantities_ports_and_nulls_are_taken_as_the_server_takes_them() -> None:
    limits = {"cpu": 1.5, "memory": "64Mi", "pods": 3}
    probe = {"httpGet": {"port": "http"}, "timeoutSeconds": None}
    assert said(container(resources={"limits": limits}, livenessProbe=probe, command=None)) == []


def test_a_secrets_values_are_never_shown() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"token": "hunter2!"}}
    assert said(secret) == [("data.token", "expected padded base64, got string")]
    assert "hunter2" not in str(verdict(secret))
    number = {**secret, "data": None, "stringData": {"pin": 482716}}
    assert "482716" not in str(verdict(number))


def test_what_sops_wrote_is_left_alone_and_what_it_did_not_is_judged() -> None:
    sealed = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "a"},
        "data": {"token": "ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]"},
        "sops": {"mac": "ENC[x]", "age": []},
    }
    assert said(sealed) == []
    plain = config(data={"replicas": "ENC[AES256_GCM,x]"}, sops={"mac": "x"}, extra=1)
    assert said(plain) == [("extra", 'unknown field "extra"')]


def test_a_misspelt_kind_of_kubernetes_is_refused_and_a_strangers_kind_is_unknown() -> None:
    made_up = {"apiVersion": "apps/v1", "kind": "Deploymnt", "metadata": {"name": "a"}}
    (violation,) = verdict(made_up).violations
    assert violation.near == ("Deployment",)
    wrong_group = {"apiVersion": "apps/v1", "kind": "Job", "metadata": {"name": "a"}}
    assert said(wrong_group) == [("apiVersion", "apps/v1 has no kind Job; batch/v1 has")]
    wrong_version = {"apiVersion": "batch/v2", "kind": "Job", "metadata": {"name": "a"}}
    assert said(wrong_version) == [("apiVersion", "expected batch/v1 for Job, got batch/v2")]
    stranger = {"apiVersion": "apps.example.com/v1", "kind": "Deployment", "metadata": {"name": "a"}}
    assert verdict(stranger).known is False
    assert not verdict(stranger).violations


def test_what_only_some_versions_refuse_names_them() -> None:
    pod = {**container(), "spec": {**container()["spec"], "hostnameOverride": "web"}}
    (violation,) = verdict(pod, "1.31", "1.37").violations
    assert violation.versions == ("1.31",)
    (everywhere,) = verdict(container(x=1), "1.31", "1.37").violations
    assert everywhere.versions == ()


def test_a_hostile_object_is_judged_in_bounds() -> None:
    assert len(verdict(config(**{f"field{n}": n for n in range(20_000)})).violations) <= 50
    many = container(args=[1] * 100_000)
    assert len(verdict(many).violations) <= 50
