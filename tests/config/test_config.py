"""What users write in .gitops-layout.yaml, and what we say when they slip."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

import jsonschema
import pytest

from gitops_layout.config import Config, parse
from gitops_layout.config.schema import json_schema
from gitops_layout.errors import UserError
from gitops_layout.model import Location, Severity
from gitops_layout.source.reader import read

FULL = """\
select: [V, image-mutable-tag]
ignore:
  - rules: V001
    paths: [apps/**]
    reason: moves to digests next quarter
    until: 2027-01-31
exclude: vendor/**
profile: strict
severity:
  V001: {prod: error, nonprod: off}
  secrets: error
fail-on: warning
environments:
  - {name: live}
  - {name: stage, tier: prod, paths: [stage/**], destinations: ["eu-*"], from: dev}
clusters:
  - {name: eu-1, environment: live, server: https://eu-1.example.org}
agent: external
sources: [https://git.example.org/acme/fleet, {url: "oci://ghcr.io/acme/*", checkout: "../*"}]
external:
  - {chart: "oci://ghcr.io/acme/*", reason: private registry}
"""


def test_every_key_arrives() -> None:
    config = parse(FULL)
    assert config.select == ("V", "image-mutable-tag")
    assert config.ignore[0].until == date(2027, 1, 31)
    assert config.ignore[0].location == Location(".gitops-layout.yaml", ("ignore", 0))
    assert config.exclude == ("vendor/**",)
    assert config.severity["V001"] == {"prod": Severity.ERROR, "nonprod": None}
    assert config.severity["secrets"]["nonprod"] is Severity.ERROR
    assert config.fail_on is Severity.WARNING
    assert (config.environments[1].destinations, config.environments[1].source) == (("eu-*",), "dev")
    assert config.sources == ("https://git.example.org/acme/fleet",)
    assert [(c.pattern, c.folder) for c in config.checkouts] == [("oci://ghcr.io/acme/*", "../*")]
    assert [e.tier for e in config.environments] == ["prod", "prod"]
    assert (config.external[0].kind, config.external[0].pattern) == ("chart", "oci://ghcr.io/acme/*")


def test_the_published_schema_takes_what_we_take() -> None:
    jsonschema.validate(read(FULL, "c", mode="kustomize").documents[0].data, json_schema())


def test_an_empty_file_is_the_defaults() -> None:
    assert parse("# nothing yet\n") == Config(file=".gitops-layout.yaml")


def test_all_slips_are_named_together_with_their_lines() -> None:
    with pytest.raises(UserError) as caught:
        parse(
            "profil: strict\n"
            "ignore:\n"
            "  - rule: V001\n"
            "    reason: because\n"
            "severity: {V001: eror}\n"
            "external:\n"
            "  - {chart: a, base: b, reason: both}\n"
        )
    assert caught.value.message.splitlines() == [
        '.gitops-layout.yaml:1:1: unknown key "profil" (did you mean "profile"?)',
        ".gitops-layout.yaml:3:5: ignore[0] lacks `rules`",
        '.gitops-layout.yaml:3:5: unknown key "rule" (did you mean "rules"?)',
        ".gitops-layout.yaml:5:18: severity.V001: input should be 'error', 'warning', 'info' or 'off'",
        ".gitops-layout.yaml:7:5: external[0]: name exactly one of chart, base, source or kind",
    ]
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("profile: a\nprofile: b\n", "2:1: profile stands twice"),
        ("select: [\n", "2:1: "),
        ("- a\n", "1:1: the file: input should be a mapping"),
        ("environments: [live]\n", r"1:16: environments\[0\]: input should be a mapping"),
        ("a: 1\n---\nb: 1\n", "holds 2 documents"),
    ],
)
def test_a_file_that_is_no_config_is_refused(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        parse(text)


def test_reading_no_config_imports_no_pydantic() -> None:
    code = "import sys, gitops_layout.config; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
