"""One mistake is told once: by the rule that says most of it, as long as that one is told."""

from __future__ import annotations

from gitops_layout import rules
from tests.lint.support import linted, named

SOPS = "creation_rules:\n  - path_regex: .*\\.sops\\.yaml$\n    age: age1example\n"
SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: token, namespace: web}
stringData:
  token: 9f8a7b6c5d4e3f2a1b0c
  password: correct-horse-battery
"""
FILES: dict[str, str | bytes] = {".sops.yaml": SOPS, "web/token.sops.yaml": SECRET}


def test_a_secret_that_was_to_be_encrypted_is_one_finding() -> None:
    assert named(linted(FILES)) == [("S004", "web/token.sops.yaml", 5)]


def test_whoever_ignores_the_rule_that_says_most_sees_what_it_stood_for() -> None:
    config = "ignore:\n  - {rules: [S004], paths: [web/**], reason: the file is a sample}\n"
    report = linted({**FILES, ".gitops-layout.yaml": config})
    assert {rule for rule, _, _ in named(report)} == {"S001"}


def test_a_rule_that_is_not_asked_covers_nothing() -> None:
    assert {rule for rule, _, _ in named(linted(FILES, select=["S001"]))} == {"S001"}


def test_a_file_that_no_build_takes_is_told_once_where_its_name_is_missing() -> None:
    service = "apiVersion: v1\nkind: Service\nmetadata: {generateName: web-}\nspec: {ports: [{port: 80}]}\n"
    files: dict[str, str | bytes] = {
        "web/kustomization.yaml": "resources: [service.yaml]\n",
        "web/service.yaml": service,
    }
    assert [rule for rule, _, _ in named(linted(files))] == ["D006"]


def test_a_misnamed_kustomization_is_told_where_another_one_means_it() -> None:
    files: dict[str, str | bytes] = {
        "web/kustomization.yaml": "resources: [settings]\n",
        "web/settings/kustomize.yaml": "resources: [map.yaml]\n",
        "web/settings/map.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
    }
    report = linted(files)
    assert named(report) == [("K001", "web/kustomization.yaml", 1)]
    assert [place.file for place in report.findings[0].related] == ["web/settings/kustomize.yaml"]


def test_every_rule_that_is_covered_is_one() -> None:
    catalogue = rules.builtin()
    named_rules = {other for rule in catalogue.rules for other in rule.covers}
    assert named_rules <= catalogue.by_id.keys()
