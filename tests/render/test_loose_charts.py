"""Charts that nobody installs are rendered to be judged: with variables for what they ask for."""

from __future__ import annotations

from datetime import date

import pytest

from gitops_layout import rules
from gitops_layout.config import Config
from gitops_layout.graph.link import link
from gitops_layout.graph.model import Graph
from gitops_layout.helm.chart import walk
from gitops_layout.helm.fillin import required
from gitops_layout.helm.find import NoHelm, find
from gitops_layout.lint.policy import policy
from gitops_layout.lint.run import lint
from gitops_layout.model import UncheckedClass
from gitops_layout.render.build import Renders
from gitops_layout.repo.load import from_files

pytestmark = pytest.mark.skipif(isinstance(find(), NoHelm), reason="no helm here")

CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1.2.3
          %s
"""
ID = "helm:Chart//web@"


def linked(files: dict[str, str]) -> Graph:
    repo = from_files(files)
    return link(repo, render=Renders(repo))


def found(files: dict[str, str]) -> list[tuple[str, str, int, bool]]:
    graph = linked(files)
    catalogue = rules.load(graph.repo)
    report = lint(
        graph, catalogue, policy=policy(catalogue, Config(), profile="recommended"), today=date(2026, 1, 1)
    )
    return [(f.rule.id, f.file, f.span.line, f.live) for f in report.findings]


def test_a_misplaced_field_of_a_chart_that_nobody_installs_is_found_and_not_live():
    files = {"web/Chart.yaml": CHART, "web/templates/web.yaml": DEPLOYMENT % "serviceAccountName: web"}
    assert found(files) == [("M002", "web/templates/web.yaml", 12, False)]


def test_what_a_chart_requires_is_filled_in_and_judged_by_nobody():
    text = """\
env:
            - name: HOST
              value: {{ required "global.host must be set" .Values.global.host | quote }}
            - name: USER
              value: {{ .Values.db.user }}
          ports:
            - containerPort: {{ .Values.port }}
"""
    files = {"web/Chart.yaml": CHART, "web/templates/web.yaml": DEPLOYMENT % text}
    rendered = linked(files).rendered[ID]
    [item] = rendered.objects
    env = item.data["spec"]["template"]["spec"]["containers"][0]["env"]
    assert rendered.failure is None
    assert [entry["value"] for entry in env] == ["${host}", "${user}"]
    assert found(files) == []


def test_a_template_that_needs_other_values_does_not_hide_the_others():
    files = {
        "web/Chart.yaml": CHART,
        "web/templates/a.yaml": '{{ fail "choose one" }}\n',
        "web/templates/web.yaml": DEPLOYMENT % "commands: [run]",
    }
    failure = linked(files).rendered[ID].failure
    assert failure is not None
    assert failure.kind is UncheckedClass.EXTERNAL
    assert found(files) == [("M002", "web/templates/web.yaml", 12, False)]


def test_subcharts_and_templates_that_are_switched_off_are_judged_too():
    dependency = "dependencies:\n  - {name: db, version: 1.0.0, condition: db.enabled}\n"
    files = {
        "web/Chart.yaml": CHART + dependency,
        "web/values.yaml": "db: {enabled: false}\nweb: {enabled: false}\n",
        "web/templates/web.yaml": "{{ if .Values.web.enabled }}\n"
        + DEPLOYMENT % "commands: [run]"
        + "{{ end }}\n",
        "web/charts/db/Chart.yaml": CHART.replace("web", "db"),
        "web/charts/db/templates/db.yaml": DEPLOYMENT % "arg: [run]",
    }
    assert {place[1:3] for place in found(files)} == {
        ("web/templates/web.yaml", 13),
        ("web/charts/db/templates/db.yaml", 12),
    }


def test_the_own_templates_of_a_chart_whose_dependency_is_elsewhere_are_judged():
    dependency = "dependencies:\n  - {name: db, version: 1.0.0, repository: 'https://charts.example.org'}\n"
    files = {
        "web/Chart.yaml": CHART + dependency,
        "web/Chart.lock": "dependencies:\n  - {name: db, version: 1.0.0}\n",
        "web/templates/web.yaml": DEPLOYMENT % "commands: [run]",
    }
    failure = linked(files).rendered[ID].failure
    assert failure is not None
    assert failure.subject == ("chart", "db")
    assert found(files) == [("M002", "web/templates/web.yaml", 12, False)]


@pytest.mark.parametrize(
    "mistake",
    ["{{- if .Values.on }}\na: b\n", "{{- if not (empty .Values.a .Values.b) }}\na: b\n{{- end }}\n"],
)
def test_what_no_values_mend_is_told_though_a_dependency_is_elsewhere(mistake: str):
    chart = CHART + "dependencies:\n  - {name: db, version: 1.0.0, repository: 'https://charts.test'}\n"
    application = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web, namespace: argocd}
spec:
  project: default
  destination: {server: https://kubernetes.default.svc, namespace: web}
  source: {repoURL: https://git.example.org/acme/fleet, targetRevision: main, path: web}
"""
    files = {"web/Chart.yaml": chart, "web/templates/web.yaml": DEPLOYMENT % "" + mistake}
    assert [each[:2] for each in found(files)] == [("H015", "web/templates/web.yaml")]
    told = [each for each in found({**files, "argo/web.yaml": application}) if each[0] == "H015"]
    assert [(file, live) for _, file, _, live in told] == [("web/templates/web.yaml", True)]


def test_a_template_that_a_dependency_elsewhere_may_bring_is_not_missed():
    chart = CHART + "dependencies:\n  - {name: db, version: 1.0.0, repository: 'https://charts.test'}\n"
    files = {"web/Chart.yaml": chart, "web/templates/web.yaml": '{{ include "db.secret" . }}\n'}
    assert found(files) == []


def test_a_key_that_a_template_writes_twice_is_found_at_its_line():
    twice = DEPLOYMENT % "image: web:1.2.4"
    files = {"web/Chart.yaml": CHART, "web/templates/web.yaml": twice}
    assert ("D002", "web/templates/web.yaml") in [place[:2] for place in found(files)]


def test_a_kind_of_kubernetes_under_a_project_that_has_none_by_that_name_is_refused():
    job = "apiVersion: argoproj.io/v1alpha1\nkind: CronJob\nmetadata: {name: web}\nspec: {}\n"
    assert found({"web/Chart.yaml": CHART, "web/templates/web.yaml": job}) == [
        ("M001", "web/templates/web.yaml", 1, False)
    ]


def test_subcharts_libraries_and_skeletons_are_nobodys_to_install():
    files = {
        "lib/Chart.yaml": CHART.replace("web", "lib") + "type: library\n",
        "lib/templates/_a.tpl": '{{ define "a" }}{{ end }}\n',
        "starter/Chart.yaml": "apiVersion: v2\nname: <CHARTNAME>\nversion: 1.0.0\n",
        "starter/templates/a.yaml": "a: 1\n",
        "web/Chart.yaml": CHART,
        "web/charts/db/Chart.yaml": CHART.replace("web", "db"),
        "web/charts/db/templates/a.yaml": "{{/* nothing */}}\n",
        "web/templates/web.yaml": DEPLOYMENT % "tty: true",
    }
    assert [delivery.id for delivery in linked(files).deliveries] == [ID]


@pytest.mark.parametrize(
    "text",
    ["{{" * 200_000, '{{ "' * 200_000, "{{/*" * 200_000, "{{/* a */}}\n" * 2000 + "{{ if .Values.enabled }}"],
    ids=["open actions", "open texts", "open comments", "comments at the head"],
)
def test_a_template_of_nothing_but_beginnings_is_read_once(text: str):
    repo = from_files(
        {"web/Chart.yaml": CHART, "web/values.yaml": "enabled: false\n", "web/templates/a.yaml": text}
    )
    wanted = required(repo, walk(repo, "web"))
    assert wanted == ({"enabled": True} if "if" in text else {})


def test_what_agents_objects_of_a_chart_would_deliver_is_not_seen_though_the_chart_is_rendered():
    application = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: {{ .Values.name }}}\n"
    )
    repo = from_files({"apps/Chart.yaml": CHART, "apps/templates/web.yaml": application})
    graph = link(repo, render=Renders(repo))
    catalogue = rules.load(repo)
    report = lint(graph, catalogue, policy=policy(catalogue, Config()), today=date(2026, 1, 1))
    missed = [seen for seen in report.coverage.unchecked if seen.accepted is None]
    assert [seen.unchecked.subject for seen in missed] == [("chart", "apps")]
