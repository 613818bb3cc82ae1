"""The engine as a whole: exit codes, crashes, secrets, hostile input."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_layout import checks
from gitops_layout.lint.report import exit_code
from gitops_layout.model import Severity
from gitops_layout.output.github import report_github
from gitops_layout.output.gitlab import report_gitlab
from gitops_layout.output.json_ import report_json
from gitops_layout.output.sarif import report_sarif
from gitops_layout.output.text import report_text
from tests.lint.support import POD, linted, named, pod

REMOTE = "resources: [https://github.com/acme/platform//crds?ref=v1.0.0]\n"
BROKEN = "a: [\n"
OUTPUTS = (report_text, report_json, report_sarif, report_github, report_gitlab)


@pytest.mark.parametrize(
    ("files", "fail_on", "code"),
    [
        ({"pod.yaml": pod("web:1.0.0")}, Severity.INFO, 0),
        ({"pod.yaml": POD}, Severity.ERROR, 0),
        ({"pod.yaml": POD}, Severity.WARNING, 1),
        ({"kustomization.yaml": REMOTE}, Severity.ERROR, 3),
        ({"kustomization.yaml": REMOTE, "x/pod.yaml": POD}, Severity.WARNING, 1),
        ({"readme.md": "nothing to see"}, Severity.ERROR, 3),
        ({}, Severity.ERROR, 3),
        ({"broken.yaml": BROKEN}, Severity.ERROR, 1),
        ({"docker-compose.yaml": "services: {web: {image: web:latest}}\n"}, Severity.ERROR, 3),
    ],
)
def test_the_exit_code_says_what_happened(
    files: dict[str, str | bytes], fail_on: Severity, code: int
) -> None:
    assert exit_code(linted(files), fail_on) == code


BOOTSTRAP = """\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: apps, namespace: argocd}
spec:
  goTemplate: true
  goTemplateOptions: [missingkey=error]
  generators:
    - git: {repoURL: https://example.test/acme/fleet.git, revision: HEAD, directories: [{path: FOLDERS}]}
  template:
    metadata: {name: "{{.path.basename}}"}
    spec:
      project: default
      source: {repoURL: https://example.test/acme/fleet.git, targetRevision: HEAD, path: "{{.path.path}}"}
      destination: {name: in-cluster, namespace: web}
"""


@pytest.mark.parametrize(("folders", "code"), [("apps/*", 0), ("app/*", 1)])
def test_a_mistake_that_cuts_off_the_agent_itself_fails(folders: str, code: int) -> None:
    """What delivers the agent's objects is delivered by them, and comes from a root that somebody applied."""
    report = linted(
        {
            ".gitops-layout.yaml": "sources: [https://example.test/acme/fleet.git]\n",
            "apps/argocd/kustomization.yaml": "resources: [set.yaml, other.yaml]\n",
            "apps/argocd/set.yaml": BOOTSTRAP.replace("FOLDERS", folders),
            "apps/argocd/other.yaml": """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: other, namespace: argocd}
spec:
  project: default
  source: {repoURL: https://example.test/acme/fleet.git, targetRevision: HEAD, path: infra}
  destination: {name: in-cluster, namespace: infra}
""",
            "apps/web/pod.yaml": pod("web:1.0.0"),
            "infra/pod.yaml": pod("infra:1.0.0", "infra"),
        }
    )
    assert exit_code(report, Severity.ERROR) == code
    assert ("A017", "apps/argocd/set.yaml", 8) in named(report) if code else not report.coverage.open


@pytest.mark.parametrize("kind", ["declared", "allowed"])
def test_accepted_unchecked_things_are_listed_and_pass(kind: str) -> None:
    files: dict[str, str | bytes] = {"kustomization.yaml": REMOTE}
    allowed = ()
    if kind == "declared":
        files[".gitops-layout.yaml"] = (
            "external: [{base: 'https://github.com/acme/*', reason: reviewed there}]\n"
        )
    else:
        allowed = ("external",)
    report = linted(files, allow_unchecked=allowed)
    assert exit_code(report, Severity.INFO) == 0
    assert len(report.coverage.unchecked) == 1
    assert report.coverage.unchecked[0].accepted


def test_what_no_agent_reaches_is_reported_apart_and_does_not_fail() -> None:
    sync = (
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
        "metadata: {name: apps, namespace: flux-system}\n"
        "spec: {interval: 10m, path: ./apps, prune: true, sourceRef: {kind: GitRepository, name: flux-system}}\n"
    )
    report = linted(
        {
            "clusters/prod/apps.yaml": sync,
            "apps/pod.yaml": pod("web:1.0.0"),
            "archive/kustomization.yaml": "resources: [pod.yaml, gone.yaml]\n",
            "archive/pod.yaml": POD,
            "archive/broken.yaml": BROKEN,
        },
        select=["K001", "D001", "V001"],
    )
    assert {(f.rule.id, f.live) for f in report.findings} >= {("K001", False), ("D001", False)}
    assert not any(finding.live for finding in report.findings)
    assert exit_code(report, Severity.INFO) == 0
    assert "no agent reaches" in report_text(report)
    assert all(seen.accepted == "no agent reaches it" for seen in report.coverage.unchecked)


def test_a_finding_of_an_unreached_render_is_not_live_though_its_file_is() -> None:
    sync = (
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
        "metadata: {name: apps, namespace: flux-system}\n"
        "spec:\n  interval: 10m\n  path: ./apps/prod\n  prune: true\n"
        "  sourceRef: {kind: GitRepository, name: flux-system}\n"
        "  postBuild: {substitute: {replicas: '3', tag: 1.0.0}}\n"
    )
    report = linted(
        {
            "clusters/prod/apps.yaml": sync,
            "apps/base/kustomization.yaml": "resources: [web.yaml]\n",
            "apps/base/web.yaml": (
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: web}\n"
                "spec:\n  replicas: ${replicas}\n  selector: {matchLabels: {a: b}}\n  template:\n"
                "    metadata: {labels: {a: b}}\n    spec: {containers: [{name: web, image: web:latest}]}\n"
            ),
            "apps/prod/kustomization.yaml": "resources: [../base]\nimages: [{name: web, newTag: '${tag}'}]\n",
            "apps/dev/kustomization.yaml": "resources: [../base]\n",
        },
        select=["V001", "M"],
    )
    # Only prod is reached: dev's tag stands for nobody, and its variables may be meant for an agent that comes.
    assert [(f.rule.id, f.live) for f in report.findings] == [("V001", False)]


def test_a_crashed_rule_names_itself_and_the_others_still_report(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(graph: object, params: object) -> list[None]:
        raise ZeroDivisionError("by design")

    found = checks.find
    monkeypatch.setattr(checks, "find", lambda name: explode if name.startswith("files") else found(name))
    report = linted({"pod.yaml": POD})
    assert {"D001", "D002"} <= {crash.rule for crash in report.crashes}
    assert ("V001", "pod.yaml", 8) in named(report)
    assert exit_code(report, Severity.ERROR) == 4
    assert "rule D001 failed: ZeroDivisionError: by design" in report_text(report)


def test_a_users_rule_without_a_truth_value_is_a_crash_of_that_rule_alone() -> None:
    rule = (
        "---\nid: ACME001\nname: owned\ngroup: acme\nseverity: error\n"
        "assert: object.metadata.labels.owner != ''\nmessage: m\nhelp: h\n---\n"
    )
    report = linted({"pod.yaml": POD, ".gitops-layout/rules/ACME001-owned.md": rule})
    assert [crash.rule for crash in report.crashes] == ["ACME001"]
    assert "labels" in report.crashes[0].error
    assert "v1/Pod//web" in report.crashes[0].error


PASSWORD = "correct-horse-battery-staple"


@pytest.mark.parametrize(
    "files",
    [
        {
            "s.yaml": f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData:\n  password: {PASSWORD}\n"
        },
        {
            "s.yaml": f"{{apiVersion: v1, kind: Secret, metadata: {{name: s}}, stringData: {{password: {PASSWORD}}}}}\n"
        },
        {
            "s.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n"
            f"  password: one\n  password: {PASSWORD}\n"
        },
        {"s.yaml": f"apiVersion: v1\nkind: Secret\nstringData:\n  password: {PASSWORD}\n {PASSWORD}: [\n"},
        {"s.yaml": f"apiVersion: v1\nkind: Secret\nstringData:\n  password: !!int {PASSWORD}\n"},
        {
            "s.yaml": "apiVersion: v1\nkind: List\nitems:\n  - apiVersion: v1\n    kind: Secret\n"
            f"    metadata: {{name: s, uid: a}}\n    stringData:\n      key: |\n        {PASSWORD}\n"
        },
        {
            "kustomization.yaml": f"secretGenerator:\n  - name: s\n    literals:\n      - password={PASSWORD}\n"
        },
        {"kustomization.yaml": f'secretGenerator:\n  - {{name: s, literals: ["password={PASSWORD}"]}}\n'},
        {
            "kustomization.yaml": "secretGenerator:\n  - name: s\n    envs: [s.env]\n",
            "s.env": f"PASSWORD={PASSWORD}\n",
        },
    ],
)
def test_no_output_shows_a_secret(files: dict[str, str | bytes]) -> None:
    report = linted(files, profile="strict")
    assert report.findings
    for output in OUTPUTS:
        assert PASSWORD not in output(report), output


WORDS = (
    "apiVersion: v1\n",
    "kind: Secret\n",
    "resources:\n",
    "- a.yaml\n",
    "data: {a: b}\n",
    "---\n",
    "&a [*a]\n",
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(
            ["a.yaml", "b/kustomization.yaml", "kustomization.yml", "c.json", "d/Chart.yaml", "e.env"]
        ),
        st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(WORDS), max_size=6).map("".join)),
        max_size=4,
    )
)
def test_no_bytes_crash_the_linter(files: dict[str, str | bytes]) -> None:
    report = linted(files, profile="strict")
    assert not report.crashes
    for output in OUTPUTS:
        assert output(report)


def test_a_deliverys_finding_stands_in_the_patch_that_wrote_the_field() -> None:
    files: dict[str, str | bytes] = {
        "clusters/prod/apps.yaml": (
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
            "metadata: {name: apps, namespace: flux-system}\n"
            "spec: {interval: 10m, path: ./apps/prod, prune: true, sourceRef: {kind: GitRepository, name: flux-system}}\n"
        ),
        "apps/base/kustomization.yaml": "resources: [release.yaml]\n",
        "apps/base/release.yaml": (
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: db, namespace: db}\n"
            "spec:\n  interval: 1h\n  chart:\n    spec:\n      chart: db\n"
            "      sourceRef: {kind: HelmRepository, name: db, namespace: flux-system}\n"
        ),
        "apps/prod/kustomization.yaml": "resources: [../base]\npatches: [{path: version.yaml}]\n",
        "apps/prod/version.yaml": (
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: db, namespace: db}\n"
            'spec:\n  chart:\n    spec:\n      version: ">=1.0.0"\n'
        ),
    }
    assert ("V003", "apps/prod/version.yaml", 7) in named(linted(files))


def test_a_long_list_costs_no_more_than_its_length() -> None:
    containers = "".join(f"    - {{name: c{n}, image: 'app{n}:latest'}}\n" for n in range(6_000))
    text = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec:\n  containers:\n{containers}"
    started = time.process_time()
    assert len(linted({"pod.yaml": text}).findings) == 6_000
    assert time.process_time() - started < 12  # seconds; converting the object for each item takes 25


USER_RULES = {
    ".gitops-layout/rules/ACME001-host-known.md": """\
---
id: ACME001
name: host-known
group: acme
severity: error
scope: {on: source, kinds: [networking.k8s.io/Ingress], each: spec.rules}
params: {suffix: .example.org}
assert: item.?host.orValue("").endsWith(params.suffix)
message: "{object.metadata.name} serves {item.host}, not {params.suffix}"
help: h
---
""",
    ".gitops-layout/rules/ACME002-backend-there.md": """\
---
id: ACME002
name: backend-there
group: acme
severity: error
references:
  - from: [networking.k8s.io/Ingress]
    path: "spec.rules[].http.paths[].backend.service"
    to: [v1/Service]
message: "{from} sends to {kind} {name}"
help: h
---
""",
}


def test_a_users_rules_judge_lists_and_follow_references() -> None:
    ingress = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, namespace: shop}
spec:
  rules:
    - host: shop.example.org
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
    - host: shop.example.com
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: wbe
                port: {number: 80}
"""
    service = (
        "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {ports: [{port: 80}]}\n"
    )
    files = {**USER_RULES, "ingress.yaml": ingress, "service.yaml": service}
    report = linted(files, select=["ACME001", "ACME002"])
    assert [(*row, f.message) for row, f in zip(named(report), report.findings, strict=True)] == [
        ("ACME001", "ingress.yaml", 8, "shop serves shop.example.com, not .example.org"),
        ("ACME002", "ingress.yaml", 15, "Ingress sends to Service wbe"),
    ]


def test_the_report_says_which_other_revisions_agents_follow() -> None:
    application = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: NAME, namespace: argocd}
spec:
  project: default
  source: {repoURL: "https://git.test/acme/fleet.git", targetRevision: REVISION, path: web}
  destination: {name: eu, namespace: web}
"""
    revisions = {"a": "v1.0", "b": "HEAD", "c": "v1.0", "d": "main"}
    files: dict[str, str | bytes] = {
        f"apps/{name}.yaml": application.replace("NAME", name).replace("REVISION", revision)
        for name, revision in revisions.items()
    }
    report = linted({**files, "web/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"})
    assert report.coverage.follows == (("v1.0", 2),)
    assert "Checked is this tree; 2 deliveries follow v1.0, which may hold something else" in report_text(
        report
    )
