"""The baseline knows findings by content: edits elsewhere do not bring them back, new mistakes show."""

from __future__ import annotations

import pytest

from gitops_layout.errors import UserError
from gitops_layout.lint import run
from gitops_layout.lint.baseline import dump, parse
from gitops_layout.lint.report import exit_code
from gitops_layout.model import Severity
from tests.lint.support import POD, linted, named, pod

TWO = POD + "    - name: proxy\n      image: proxy:latest\n"
REMOTE = "resources: [https://github.com/acme/platform//crds?ref=v1.0.0]\n"


def prints(text: str) -> set[str]:
    return {finding.fingerprint for finding in linted({"pod.yaml": text}).findings}


@pytest.mark.parametrize(
    "changed",
    [
        "# a comment\n\n" + TWO,
        TWO.replace("  containers:", "  restartPolicy: Always\n  containers:"),
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n---\n" + TWO,
        # a container in front of the others moves their indices
        TWO.replace("    - name: web\n", "    - name: first\n      image: first:1.0.0\n    - name: web\n", 1),
        TWO.replace("web:latest", "web:edge"),
    ],
)
def test_a_fingerprint_survives_edits_around_it(changed: str) -> None:
    assert prints(changed) == prints(TWO)


def test_a_fingerprint_survives_new_words(monkeypatch: pytest.MonkeyPatch) -> None:
    before = prints(TWO)
    filled = run.filled
    monkeypatch.setattr(run, "filled", lambda template, values: f"reworded: {filled(template, values)}")
    assert prints(TWO) == before


def test_equal_mistakes_have_fingerprints_of_their_own() -> None:
    assert len(prints(TWO)) == 2
    twice = POD + "---\n" + POD
    images = [found.fingerprint for found in linted({"pod.yaml": twice}).findings if found.rule.id == "V001"]
    assert len(images) == len(set(images)) == 2


def test_the_next_run_is_clean_and_a_new_mistake_shows() -> None:
    files: dict[str, str | bytes] = {"pod.yaml": POD, "remote/kustomization.yaml": REMOTE}
    first = linted(files)
    assert exit_code(first, Severity.WARNING) == 1
    assert exit_code(first, Severity.ERROR) == 3
    kept = parse(dump(first.findings, first.coverage.open))
    second = linted(files, baseline=kept)
    assert named(second) == []
    assert exit_code(second, Severity.INFO) == 0
    assert [seen.accepted for seen in second.coverage.unchecked] == ["in the baseline"]
    planted = linted(files | {"new.yaml": pod("other:latest", "other")}, baseline=kept)
    assert named(planted) == [("V001", "new.yaml", 8)]


def test_a_baseline_is_the_same_bytes_for_the_same_findings() -> None:
    report = linted({"b.yaml": POD, "a.yaml": TWO})
    assert dump(report.findings, ()) == dump(tuple(reversed(report.findings)), ())


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"version": 2, "findings": [], "unchecked": []}', '{"version": 1, "findings": [1]}'],
)
def test_a_file_that_is_no_baseline_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"baseline\.json: .*baseline"):
        parse(text)


def test_no_secret_value_is_in_a_fingerprints_input() -> None:
    """Hashed values could be guessed: the fingerprint must not depend on them."""
    text = "secretGenerator:\n  - name: db\n    literals: [password=correct-horse]\n"
    first = linted({"kustomization.yaml": text}).findings
    other = linted({"kustomization.yaml": text.replace("correct-horse", "battery-staple")}).findings
    assert [f.fingerprint for f in first] == [f.fingerprint for f in other] != []
