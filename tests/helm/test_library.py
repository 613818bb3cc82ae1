"""helm's library (the extra `[helm]`) against the helm program, and the charts that it may not render."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gitops_layout.helm.capabilities import reads_cluster
from gitops_layout.helm.chart import walk
from gitops_layout.helm.find import Helm, Library, find
from gitops_layout.helm.template import Release, template
from gitops_layout.model import UncheckedClass
from gitops_layout.repo.load import from_files

pytest.importorskip("helm_python", reason="the extra [helm] has no wheel for this machine")

LIBRARY = Library(Path(sys.executable))
CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
SHOWS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-%s, namespace: {{ .Release.Namespace }}}
data:
  values: {{ toJson .Values | quote }}
  release: "{{ .Release.IsInstall }} {{ .Release.Revision }} {{ .Release.Service }} {{ .Chart.Version }}"
  dns: {{ getHostByName "localhost" | quote }}
  cluster: {{ lookup "v1" "Secret" "" "" | toJson | quote }}
"""
SHARED = (
    "apiVersion: v2\nname: shared\ntype: library\nversion: 0.1.0\n",
    '{{ define "shared.labels" }}{app: {{ .Release.Name }}}{{ end }}',
)
CHARTS = {
    "plain": {"templates/a.yaml": SHOWS % "a", "values.yaml": "n: 1\nbig: 1000000\nlist: [1, a]\n"},
    "files": {"templates/a.yaml": SHOWS % "a", "templates/NOTES.txt": "no: object\n", "templates/_x.yaml": "a: b\n",
              "templates/empty.yaml": "{{ if .Values.no }}a: b{{ end }}\n", "templates/b.yaml": "a: 1\n---\nb: 2\n"},
    "crds and hooks": {"crds/c.yaml": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n",
              "templates/h.yaml": "kind: Job\napiVersion: batch/v1\nmetadata: {name: h, annotations: {helm.sh/hook: pre-install}}\n"},
    "a condition, an alias and imported values": {
        "Chart.yaml": CHART + "dependencies:\n- {name: sub, version: 1.0.0, alias: one, import-values: [data]}\n"
        "- {name: sub, version: 1.0.0, alias: two, condition: two.enabled}\n",
        "values.yaml": "two: {enabled: false}\nglobal: {zone: eu}\none: {level: debug}\n",
        "templates/a.yaml": SHOWS % "a",
        "charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
        "charts/sub/values.yaml": "level: info\nexports: {data: {port: 80}}\n",
        "charts/sub/templates/b.yaml": SHOWS % "{{ .Chart.Name }}",
    },
    "a library chart": {
        "Chart.yaml": CHART + "dependencies:\n- {name: shared, version: 0.1.0}\n",
        "Chart.lock": "dependencies:\n- {name: shared, repository: '', version: 0.1.0}\n",
        "charts/shared/Chart.yaml": SHARED[0],
        "charts/shared/templates/_labels.tpl": SHARED[1],
        "templates/a.yaml": 'kind: A\napiVersion: v1\nmetadata: {name: a, labels: {{ include "shared.labels" . }}}\n',
    },
    "a schema": {"values.schema.json": '{"properties": {"port": {"type": "integer"}}}', "values.yaml": "port: many\n"},
    "a failing template": {"templates/a.yaml": "a: b\nc: {{ .Values.x.y.z }}\n"},
    "no object": {"templates/a.yaml": "just words\n"},
    "no YAML": {"templates/a.yaml": "a: b: c\n"},
    "a required value": {"templates/a.yaml": '\na: {{ required "a name" .Values.name }}\n'},
}  # fmt: skip
RELEASES = [
    Release("web", "shop", flags=("--include-crds",)),
    Release(
        "web", "shop", values=(b"n: 2\nlist: [2]\n", b"big: null\nport: 80\nname: x\n"), set_string=("n=07",)
    ),
]


@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize("release", RELEASES, ids=["defaults", "values"])
def test_the_library_renders_what_the_program_renders(helm: Helm, name: str, release: Release):
    repo = from_files({"Chart.yaml": CHART, **CHARTS[name]})  # type: ignore[arg-type]
    chart = walk(repo, "")
    wanted, found = template(helm, repo, chart, release), template(LIBRARY, repo, chart, release)

    def sorted_objects(objects: object) -> list[str]:
        assert isinstance(objects, tuple)
        return sorted(json.dumps([item.data, item.source], sort_keys=True) for item in objects)

    assert sorted_objects(found.objects) == sorted_objects(wanted.objects)
    assert (found.problem is None, found.invalid) == (wanted.problem is None, wanted.invalid)
    if found.problem is not None and wanted.problem is not None:
        assert found.problem.location == wanted.problem.location


def test_a_packed_chart_is_rendered_too(helm: Helm, tmp_path: Path):
    chart = tmp_path / "web"
    for path, text in {"Chart.yaml": CHART, **CHARTS["plain"]}.items():
        (chart / path).parent.mkdir(parents=True, exist_ok=True)
        (chart / path).write_text(text)
    subprocess.run([helm.program, "package", chart], cwd=tmp_path, check=True, capture_output=True)
    repo = from_files({"web.tgz": (tmp_path / "web-1.0.0.tgz").read_bytes()})
    (item,) = template(LIBRARY, repo, walk(repo, "web.tgz"), RELEASES[0]).objects
    assert item.data["metadata"]["name"] == "web-a"


@pytest.mark.parametrize(
    ("template_text", "why"),
    [
        ('{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}', "nested reference name: a"),
        ('{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}', "maximum template depth"),
        ('{{ $x := "0123456789abcdef" }}{{ range until 40 }}{{ $x = print $x $x }}{{ end }}', "1024 MiB of memory"),
        ('{{ $x := "0123456789abcdef" }}{{ range until 19 }}{{ $x = print $x $x }}{{ end }}{{ range until 12 }}a: {{ $x }}\n---\n{{ end }}', "more than (64|1024) MiB"),
    ],
    ids=["recursion", "recursion of another kind", "memory", "output"],
)  # fmt: skip
@pytest.mark.parametrize("library", [False, True], ids=["program", "library"])
def test_charts_that_blow_up_are_stopped(helm: Helm, template_text: str, why: str, *, library: bool):
    repo = from_files({"Chart.yaml": CHART, "templates/x.yaml": template_text})
    result = template(LIBRARY if library else helm, repo, walk(repo, ""), Release("x", "default"))
    assert result.problem is not None
    assert re.search(why, result.problem.why)


def test_the_library_is_used_only_where_no_program_is(helm: Helm, monkeypatch: pytest.MonkeyPatch):
    assert find() == helm
    monkeypatch.setenv("PATH", "")
    assert isinstance(find(), Library)


@pytest.mark.parametrize(
    "text",
    [
        "{{ .Capabilities.KubeVersion }}",
        '{{ index . "Capabilities" }}',
        "{{ toYaml . }}",
        "{{ $ | toJson }}",
        "{{ range $key, $value := . }}{{ end }}",
        '{{ with .Values.x }}{{ get $ (print "Capa" "bilities") }}{{ end }}',
        "{{ $all := . }}{{ with .Values }}{{ toYaml $all }}{{ end }}",
        '{{ define "x" }}{{ toYaml .ctx }}{{ end }}{{ include "x" (dict "ctx" $) }}',
        "{{ with . }}{{ toYaml . }}{{ end }}",
        "{{ if .Values.a }}{{ else }}{{ values . }}{{ end }}",
    ],
)
def test_a_template_that_may_look_at_the_cluster_is_doubted(tmp_path: Path, text: str):
    assert doubt(tmp_path, text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "{{ with .Values.annotations }}{{- toYaml . | nindent 8 }}{{ end }}",
        '{{ include "web.labels" . | nindent 4 }}{{ tpl .Values.text $ }}',
        "{{ range .Values.hosts }}{{ . | quote }}{{ $.Release.Name }}{{ end }}",
        '{{ include "x" (dict "root" $ "port" 80) }}{{ .root.Values.x }}',
        "{{ if and .Values.a (not .Values.b) }}{{ else if .Values.c }}{{ end }}",
        '{{ printf "%s-%s" .Release.Name "$ ." | trunc 63 }}{{/* toYaml . */}}',
    ],
)
def test_a_usual_template_is_not_doubted(tmp_path: Path, text: str):
    assert doubt(tmp_path, text) is None


def doubt(folder: Path, text: str) -> str | None:
    (folder / "templates").mkdir()
    (folder / "Chart.yaml").write_text(CHART)
    (folder / "templates" / "x.yaml").write_text(text)
    return reads_cluster(folder, ())


@pytest.mark.parametrize(
    ("files", "release"),
    [
        ({"charts/sub/Chart.yaml": CHART.replace("web", "sub"), "charts/sub/templates/a.yaml": "{{ .Capabilities }}"}, RELEASES[0]),
        ({"Chart.yaml": CHART + "kubeVersion: '>=1.30'\n"}, RELEASES[0]),
        ({"templates/a.yaml": "{{ tpl .Values.t . }}"}, Release("x", "y", values=(b"t: '{{ .Capabilities }}'\n",))),
        ({}, Release("x", "y", set=("n=1",))),
        ({}, Release("x", "y", flags=("--no-hooks",))),
    ],
)  # fmt: skip
def test_what_the_library_cannot_know_is_left_to_the_program(files: dict[str, str], release: Release):
    repo = from_files({"Chart.yaml": CHART, **files})  # type: ignore[arg-type]
    problem = template(LIBRARY, repo, walk(repo, ""), release).problem
    assert problem is not None
    assert problem.kind is UncheckedClass.EXTERNAL
    assert problem.why.startswith("chart not rendered: ")
