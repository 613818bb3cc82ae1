"""`lint`, `explain` and `rules` as a user meets them: arguments, files, exit codes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gitops_layout.cli import _run
from gitops_layout.config import parse
from tests.lint.support import POD, pod

REMOTE = "resources: [https://github.com/acme/platform//crds?ref=v1.0.0]\n"
RULE = """\
---
id: ACME001
name: owner-label
group: acme
severity: error
scope: {kinds: [v1/Pod]}
assert: '"owner" in facts.labels'
message: "{object.metadata.name} has no owner"
help: add the label
---
Why.

```yaml bad
apiVersion: v1
kind: Pod
metadata: {name: web} # expect: ACME001
```

```yaml good
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {owner: shop}}
```

```yaml good
apiVersion: v1
kind: Service
metadata: {name: web}
```
"""


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    (tmp_path / ".git").mkdir()  # the root; not a working one, so files are found by walking


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["gitops-layout", *arguments])
    return _run()


def write(**files: str) -> None:
    for name, text in files.items():
        path = Path(name.replace("__", "/") + ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_findings_exit_1_only_from_the_wanted_severity_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(pod=POD)
    assert run(monkeypatch, "lint") == 0
    assert "pod.yaml:8:14: warning[V001 image-mutable-tag]" in capsys.readouterr().out
    assert run(monkeypatch, "lint", "--fail-on", "warning") == 1
    write(**{".gitops-layout": "fail-on: warning\n"})
    assert run(monkeypatch, "lint") == 1


def test_incomplete_runs_say_so_last(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(kustomization=REMOTE)
    assert run(monkeypatch, "lint") == 3
    assert capsys.readouterr().err == "incomplete: not everything was checked (1 external)\n"
    assert run(monkeypatch, "lint", "--allow-unchecked", "external") == 0


def test_a_baseline_makes_the_next_run_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    write(pod=POD, remote__kustomization=REMOTE)
    assert run(monkeypatch, "lint", "--fail-on", "info") == 1
    assert run(monkeypatch, "lint", "--write-baseline") == 0
    first = Path(".gitops-layout/baseline.json").read_bytes()
    assert run(monkeypatch, "lint", "--fail-on", "info") == 0
    assert run(monkeypatch, "lint", "--write-baseline") == 0
    assert Path(".gitops-layout/baseline.json").read_bytes() == first
    write(new=pod("other:latest", "other"))
    assert run(monkeypatch, "lint", "--fail-on", "warning") == 1


def test_a_baseline_lifts_no_score(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(pod=POD)
    scores = []
    for _ in range(2):
        assert run(monkeypatch, "lint", "--score") == 0
        scores.append(capsys.readouterr().out)
        assert run(monkeypatch, "lint", "--write-baseline") == 0
        capsys.readouterr()
    assert scores[0] == scores[1]
    assert "V001" in scores[0]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--diff", "HEAD"],
        ["--kubernetes-version", "1.12"],
        ["--schema-location", "https://example.org/schemas"],
        ["--crds", "nowhere"],
        ["nowhere"],
        ["--select", "V999"],
        ["--env", "moon"],
        ["--config", "nowhere.yaml"],
        ["--baseline", "nowhere.json"],
        ["--write-baseline", "pod.yaml"],
        ["--format", "yaml"],
    ],
)
def test_what_cannot_be_done_is_said_and_exits_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    write(pod=POD)
    assert run(monkeypatch, "lint", *arguments) == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert error.strip()


def test_output_goes_where_it_is_sent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(pod=POD)
    run(monkeypatch, "lint", "--format", "json", "--output", "report.json", "--output", "sarif=out/r.sarif")
    assert capsys.readouterr().out == ""
    assert json.loads(Path("report.json").read_text())["findings"][0]["rule"] == "V001"
    assert json.loads(Path("out/r.sarif").read_text())["version"] == "2.1.0"
    run(monkeypatch, "lint", "--format", "json")
    assert json.loads(capsys.readouterr().out)["coverage"]["objects"] == 1


def test_github_actions_get_annotations_unasked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(pod=POD)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    run(monkeypatch, "lint")
    assert capsys.readouterr().out.startswith("::warning file=pod.yaml,line=8,")


def test_a_starter_config_is_written_once_and_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    write(pod=pod("web:1.0.0"))
    assert run(monkeypatch, "lint", "--init") == 0
    assert run(monkeypatch, "lint") == 0
    assert run(monkeypatch, "lint", "--init") == 2


STAGED = {
    "clusters/staging/web.yaml": ("stage", "./apps/web/staging"),
    "clusters/production/web.yaml": ("prod", "./apps/web/production"),
}


def test_what_init_writes_says_what_was_detected_and_accepts_what_cannot_be_seen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for file, (_, path) in STAGED.items():
        Path(file).parent.mkdir(parents=True)
        Path(file).write_text(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
            "metadata: {name: web, namespace: flux-system}\n"
            f"spec: {{interval: 1h, prune: true, path: {path}, sourceRef: {{kind: GitRepository, name: flux-system}}}}\n"
        )
        Path(path).mkdir(parents=True)
        Path(path, "kustomization.yaml").write_text("resources: [special.yaml]\n")
        Path(path, "special.yaml").write_text(
            "apiVersion: example.test/v1\nkind: Special\nmetadata: {name: a}\n"
        )
    assert run(monkeypatch, "lint") == 3
    assert run(monkeypatch, "lint", "--init") == 0
    config = parse(Path(".gitops-layout.yaml").read_bytes())
    assert [(e.name, e.tier, e.source) for e in config.environments] == [
        ("production", "prod", "staging"),
        ("staging", "nonprod", None),
    ]
    assert [(c.name, c.environment) for c in config.clusters] == [
        ("production", "production"),
        ("staging", "staging"),
    ]
    assert config.agent == "flux"
    assert config.external[0].reason.startswith("detected by --init on ")
    text = Path(".gitops-layout.yaml").read_text()
    assert "  # folder clusters/production\n" in text
    assert "apps/web/production/special.yaml:2\n" in text
    capsys.readouterr()
    assert run(monkeypatch, "lint", "--format", "json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["findings"] == []
    assert all(entry["accepted"] for entry in report["coverage"]["unchecked"])


def test_init_declares_one_thing_that_is_out_of_sight_and_no_others_of_its_kind_and_nothing_that_fetch_brings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def generated(name: str, owner: str) -> str:
        return (
            f"apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {{name: {name}, namespace: argocd}}\n"
            f"spec:\n  generators: [{{scmProvider: {{github: {{organization: {owner}}}}}}}]\n"
            "  template: {metadata: {name: '{{path}}'}, spec: {project: web, destination: {name: in-cluster},"
            " source: {repoURL: 'https://example.test/acme', path: '{{path}}'}}}\n"
        )

    write(web__kustomization=REMOTE, one=generated("one", "acme"))
    assert run(monkeypatch, "lint", "--init") == 0
    config = parse(Path(".gitops-layout.yaml").read_bytes())
    assert [(entry.kind, entry.pattern) for entry in config.external] == [
        ("kind", "ApplicationSet/argocd/one")
    ]
    write(two=generated("two", "other"))
    capsys.readouterr()
    assert run(monkeypatch, "lint", "--format", "json") == 3
    report = json.loads(capsys.readouterr().out)
    seen = {entry["what"]: entry["accepted"] is not None for entry in report["coverage"]["unchecked"]}
    assert (seen["ApplicationSet argocd/one"], seen["ApplicationSet argocd/two"]) == (True, False)


def test_what_init_leaves_to_fetch_is_a_comment_that_can_be_taken_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(kustomization=REMOTE)
    assert run(monkeypatch, "lint", "--init") == 0
    assert run(monkeypatch, "lint") == 3
    file = Path(".gitops-layout.yaml")
    head, _, rest = file.read_text().partition("# `gitops-layout fetch` brings 1 base, pinned by a lock")
    explained, _, declared = rest.partition("left alone:\n")
    assert explained
    file.write_text(head + "".join(line.removeprefix("# ") for line in declared.splitlines(keepends=True)))
    (entry,) = parse(file.read_bytes()).external
    assert (entry.kind, entry.pattern) == ("base", "https://github.com/acme/platform//crds?ref=v1.0.0")
    assert run(monkeypatch, "lint") == 0


def test_init_says_that_a_chart_may_bring_the_agents_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    write(web__pod=pod("web:1.0.0"))
    Path("argocd").mkdir()
    needs = "dependencies: [{name: argocd-apps, version: 2.0.0, repository: 'https://example.test/charts'}]\n"
    Path("argocd/Chart.yaml").write_text(f"apiVersion: v2\nname: argocd\nversion: 0.0.0\n{needs}")
    assert run(monkeypatch, "lint", "--allow-unchecked", "broken") == 3
    assert run(monkeypatch, "lint", "--init") == 0
    text = Path(".gitops-layout.yaml").read_text()
    assert "# no agent object was seen, but chart argocd may bring some" in text
    assert "no agent object pulls a path" not in text


def test_another_branch_of_this_repository_is_not_another_repository_to_init(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(web__pod=pod("web:1.0.0"))
    for name, path, revision in (("here", "web", "HEAD"), ("there", "gone", "dev")):
        source = f"{{repoURL: 'https://example.test/acme/fleet', path: {path}, targetRevision: {revision}}}"
        Path(f"{name}.yaml").write_text(
            f"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}, namespace: argocd}}\n"
            f"spec:\n  project: default\n  source: {source}\n  destination: {{name: in-cluster, namespace: web}}\n"
        )
    assert run(monkeypatch, "lint", "--init") == 0
    text = Path(".gitops-layout.yaml").read_text()
    assert '  - "https://example.test/acme/fleet"\n' in text
    assert "another repository" not in text


def test_a_repositorys_own_rule_is_tested_explained_and_applied(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(".gitops-layout/rules")
    folder.mkdir(parents=True)
    (folder / "ACME001-owner-label.md").write_text(RULE)
    write(pod=pod("web:1.0.0"))
    assert run(monkeypatch, "rules", "test") == 1
    assert "is not what is printed" in capsys.readouterr().err
    run(monkeypatch, "rules", "test", "--update")
    assert run(monkeypatch, "rules", "test") == 0
    assert run(monkeypatch, "lint") == 1
    capsys.readouterr()
    assert run(monkeypatch, "explain", "owner-label") == 0
    assert "error[ACME001 owner-label] web has no owner" in capsys.readouterr().out
    assert run(monkeypatch, "rules", "list") == 0
    assert "ACME001  owner-label" in capsys.readouterr().out


def test_explain_prints_the_page_and_names_the_nearest_rule(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "explain", "V001") == 0
    assert "principle: versioned" in capsys.readouterr().out
    assert run(monkeypatch, "explain", "image-mutable-tagg") == 2
    assert 'did you mean "image-mutable-tag"?' in capsys.readouterr().err


def test_only_ones_own_rules_are_updated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert run(monkeypatch, "rules", "test", "--update") == 2
    assert not (tmp_path / "rules").exists()


def test_a_chart_of_agents_objects_that_nobody_installs_is_unchecked_until_the_config_says_why_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "apps/templates").mkdir(parents=True)
    (tmp_path / "apps/Chart.yaml").write_text("apiVersion: v2\nname: apps\nversion: 1.0.0\n")
    (tmp_path / "apps/templates/web.yaml").write_text(
        "{{- if .Values.on }}\napiVersion: argoproj.io/v1alpha1\nkind: Application\n"
        "metadata: {name: web}\n{{- end }}\n"
    )
    assert run(monkeypatch, "lint", str(tmp_path)) == 3
    assert "name the chart under `external:`" in capsys.readouterr().out
    (tmp_path / ".gitops-layout.yaml").write_text("external: [{chart: apps, reason: installed by hand}]\n")
    assert run(monkeypatch, "lint", str(tmp_path)) == 0


def test_init_does_not_declare_a_kind_of_flux_for_an_older_version_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(
        "apiVersion: notification.toolkit.fluxcd.io/v1alpha1\nkind: Alert\nmetadata: {name: a, namespace: b}\n---\n"
        "apiVersion: example.org/v1\nkind: Odd\nmetadata: {name: o, namespace: b}\n"
    )
    run(monkeypatch, "lint", "--init")
    text = (tmp_path / ".gitops-layout.yaml").read_text()
    declared = [line for line in text.splitlines() if line.startswith("  - {kind:")]
    assert len(declared) == 1
    assert "example.org/Odd" in declared[0]
    assert '#   - {kind: "notification.toolkit.fluxcd.io/Alert"' in text


def test_init_declares_no_local_chart_because_helm_is_not_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "bin"
    bare.mkdir()
    (bare / "git").symlink_to(str(shutil.which("git")))
    monkeypatch.setenv("PATH", str(bare))
    monkeypatch.setattr("gitops_layout.helm.find.find_spec", lambda _name: None)
    root = tmp_path / "repository"
    for name, text in {
        "charts/web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
        "charts/web/templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n",
        "apps/web.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
        "metadata: {name: web, namespace: argocd}\nspec: {project: default, destination: {name: a, namespace: b}, "
        "source: {repoURL: https://example.org/own.git, path: charts/web}}\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / ".git").mkdir()
    monkeypatch.chdir(root)
    assert run(monkeypatch, "lint", "--init", ".") == 0
    text = (root / ".gitops-layout.yaml").read_text()
    assert "external:" not in text
    assert "# 1 chart not rendered, as helm is not installed" in text


@pytest.mark.parametrize("into", [">&-", ">/dev/null", "| head -c 1 >/dev/null"])
def test_whoever_listens_or_not_the_exit_code_is_the_same(into: str) -> None:
    write(a="kind: [")
    command = f"{sys.executable} -m gitops_layout lint {into}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
