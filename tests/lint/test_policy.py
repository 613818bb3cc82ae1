"""Selection, severities, ignores: what decides whether a finding counts."""

from __future__ import annotations

import pytest

from gitops_layout.errors import UserError
from gitops_layout.lint.policy import glob_matches
from gitops_layout.model import Severity
from gitops_layout.rules.model import PROFILES
from tests.lint.support import POD, linted, named, pod

KUSTOMIZATION = "resources: [../../base]\n"


def environments(*names: str) -> dict[str, str | bytes]:
    overlays: dict[str, str | bytes] = {f"envs/{name}/kustomization.yaml": KUSTOMIZATION for name in names}
    return {"base/pod.yaml": POD, "base/kustomization.yaml": "resources: [pod.yaml]\n", **overlays}


def test_one_cause_is_one_finding_and_production_decides_how_bad_it_is() -> None:
    report = linted(environments("dev", "prod", "staging"))
    assert named(report) == [("V001", "base/pod.yaml", 8)]
    finding = report.findings[0]
    assert finding.severity is Severity.ERROR
    assert [a.environment for a in finding.affected] == ["prod", "dev", "staging"]


def test_outside_production_a_moving_tag_is_a_warning() -> None:
    assert [f.severity for f in linted(environments("dev")).findings] == [Severity.WARNING]


@pytest.mark.parametrize(
    ("config", "severity"),
    [
        ("severity: {V001: info}\n", Severity.INFO),
        ("severity: {versioned: {prod: warning, nonprod: off}}\n", Severity.WARNING),
        ("profile: strict\n", Severity.ERROR),
    ],
)
def test_the_config_decides_over_the_rule(config: str, severity: Severity) -> None:
    report = linted({**environments("dev", "prod"), ".gitops-layout.yaml": config})
    assert [f.severity for f in report.findings if f.rule.id == "V001"] == [severity]


def test_a_group_switches_no_opt_in_rule_on_and_its_name_does() -> None:
    files: dict[str, str | bytes] = {**environments("prod")}
    for word in ("ALL", "versioned", "V0"):
        assert {f.rule.id for f in linted(files, select=[word]).findings} == {"V001"}
    assert {f.rule.id for f in linted(files, select=["image-no-digest"]).findings} == {"V002"}
    config = "severity: {versioned: error}\n"
    assert {f.rule.id for f in linted({**files, ".gitops-layout.yaml": config}).findings} == {"V001"}


def test_a_rule_switched_off_is_silent() -> None:
    files = {**environments("prod"), ".gitops-layout.yaml": "severity: {image-mutable-tag: off}\n"}
    assert named(linted(files)) == []


def test_a_private_key_is_told_in_every_profile() -> None:
    key = "\n".join(
        f"    {line}"
        for line in (
            "-----BEGIN PRIVATE KEY-----",
            "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj",
            "-----END PRIVATE KEY-----",
        )
    )
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web}}\ndata:\n  tls.key: |\n{key}\n"
    for profile in PROFILES:
        found = linted({"web.yaml": text}, profile=profile).findings
        assert ("S005", Severity.ERROR) in [(f.rule.id, f.severity) for f in found], profile


def test_selecting_a_rule_by_hand_runs_it_although_the_profile_leaves_it_out() -> None:
    files: dict[str, str | bytes] = {**environments("dev")}
    assert named(linted(files, profile="minimal")) == []
    assert [f.severity for f in linted(files, profile="minimal", select=["V001"]).findings] == [
        Severity.WARNING
    ]


def test_the_command_lines_selection_replaces_the_configs() -> None:
    files = {**environments("prod"), ".gitops-layout.yaml": "select: [secrets]\n"}
    assert named(linted(files)) == []
    chosen = named(linted(files, select=["versioned"]))
    assert ("V001", "base/pod.yaml", 8) in chosen
    left = named(linted(files, select=["versioned"], ignore=["V001"]))
    assert left == [finding for finding in chosen if finding[0] != "V001"]


@pytest.mark.parametrize(
    "config", ["select: [V0I]\n", "severity: {V0I: error}\n", "ignore: [{rules: V0I, reason: because}]\n"]
)
def test_a_misspelt_rule_in_the_config_is_named_with_its_line(config: str) -> None:
    with pytest.raises(UserError, match=r'^\.gitops-layout\.yaml:1:\d+: no rule is called "V0I"'):
        linted({"a.yaml": POD, ".gitops-layout.yaml": config})


def test_the_configs_ignore_holds_for_its_paths_only() -> None:
    config = "ignore:\n  - {rules: V001, paths: demo/**, reason: shows the newest build}\n"
    files: dict[str, str | bytes] = {
        "demo/a/pod.yaml": POD,
        "shop/pod.yaml": POD,
        ".gitops-layout.yaml": config,
    }
    report = linted(files)
    assert named(report) == [("V001", "shop/pod.yaml", 8)]
    assert report.coverage.ignored == 1


def test_excluded_files_are_not_reported() -> None:
    files = {"demo/pod.yaml": POD, ".gitops-layout.yaml": "exclude: demo\n"}
    assert named(linted(dict(files))) == []


@pytest.mark.parametrize(
    "line",
    [
        "      image: web:latest # gitops-layout: ignore[V001] demo",
        "      # gitops-layout: ignore[V001, S001] demo\n      image: web:latest",
        "      # gitops-layout: ignore[versioned] demo until=2026-01-15\n      # another comment\n\n      image: web:latest",
    ],
)
def test_an_inline_ignore_silences_its_own_line_or_the_next(line: str) -> None:
    text = POD.replace("      image: ghcr.io/acme/web:latest", line)
    assert "V001" not in {rule for rule, _, _ in named(linted({"pod.yaml": text}))}, text


def test_an_inline_ignore_silences_no_other_line() -> None:
    two = POD + "    - name: proxy\n      image: proxy:latest # gitops-layout: ignore[V001] demo\n"
    assert named(linted({"pod.yaml": two})) == [("V001", "pod.yaml", 8)]


def test_an_ignore_in_an_overlay_counts_where_the_tag_is_written() -> None:
    files = environments("prod")
    files["envs/prod/kustomization.yaml"] = (
        KUSTOMIZATION
        + "images:\n  - name: ghcr.io/acme/web\n    newTag: edge # gitops-layout: ignore[V001] demo\n"
    )
    assert named(linted(files)) == []


def test_nothing_is_said_about_unused_ignores_when_only_some_rules_ran() -> None:
    text = pod("web:1.0.0 # gitops-layout: ignore[V001] demo")
    assert named(linted({"pod.yaml": text})) == [("C002", "pod.yaml", 8)]
    assert named(linted({"pod.yaml": text}, ignore=["S001"])) == []


def test_paths_filter_what_is_reported_not_what_is_seen() -> None:
    files: dict[str, str | bytes] = {"a/pod.yaml": POD, "b/pod.yaml": POD}
    assert named(linted(files, paths=("b",))) == [("V001", "b/pod.yaml", 8)]
    assert named(linted(files, paths=("b/pod.yaml",))) == [("V001", "b/pod.yaml", 8)]
    empty = linted(files | {"c/readme.md": "c"}, paths=("c",))
    assert [seen.unchecked.what for seen in empty.coverage.open] == ["path c"]


def test_an_environment_filters_what_concerns_it() -> None:
    files = environments("dev", "prod")
    files["envs/dev/kustomization.yaml"] = (
        KUSTOMIZATION + "images: [{name: ghcr.io/acme/web, newTag: edge}]\n"
    )
    assert {f for _, f, _ in named(linted(files, environment="prod"))} == {"base/pod.yaml"}
    assert {f for _, f, _ in named(linted(files, environment="dev"))} == {"envs/dev/kustomization.yaml"}


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("apps/**", "apps/a/b.yaml", True),
        ("apps/*", "apps/b.yaml", True),
        ("apps/*.yaml", "apps/a/b.yaml", False),
        ("apps", "apps/a/b.yaml", True),
        ("app", "apps/a.yaml", False),
        ("**/dev/**", "dev/a.yaml", True),
        ("**/dev/**", "a/b/dev/c/d.yaml", True),
        ("a?.yaml", "ab.yaml", True),
        ("a.yaml", "aXyaml", False),
    ],
)
def test_globs_name_files_or_folders(pattern: str, path: str, matches: bool) -> None:
    assert glob_matches(path, [pattern]) is matches
