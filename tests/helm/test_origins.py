"""Origins in the values of a release are causes: with another value there, real helm writes another one."""

from __future__ import annotations

import importlib.util
import re
import tarfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

import pytest

from gitops_layout.graph.link import link
from gitops_layout.graph.model import Graph
from gitops_layout.helm import template
from gitops_layout.render.build import Renders
from gitops_layout.repo.load import from_files
from gitops_layout.system import run

pytestmark = pytest.mark.usefixtures("helm")

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "shop.name" . }}
  labels:
    {{- include "shop.labels" . | nindent 4 }}
  {{- with .Values.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- if not .Values.scaled }}
  replicas: {{ .Values.copies | default .Values.replicas }}
  {{- end }}
  {{- if .Values.fast }}
  minReadySeconds: {{ .Values.fewSeconds }}
  {{- else }}
  minReadySeconds: {{ .Values.moreSeconds }}
  {{- end }}
  selector:
    matchLabels: {app: shop}
  template:
    metadata:
      {{- with .Values.podAnnotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      labels:
        {{- include "shop.labels" . | nindent 8 }}
        {{- with .Values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      containers:
        - name: web
          image: "{{ .Values.image.name }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
          imagePullPolicy: {{ .Values.image.policy }} # not {{ .Values.image.otherPolicy }}
          ports:
            - name: http
              containerPort: {{ .Values.port }}
            - name: admin
              containerPort: {{ .Values.adminPort | default .Values.port }}
            - name: more
              containerPort: {{ .Values.noPort | default .Values.port }}
          {{- with .Values.startupProbe }}
          startupProbe:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with .Values.livenessProbe }}
          livenessProbe:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with .Values.readinessProbe }}
          readinessProbe:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          resources:
            {{- toYaml .Values.resources | nindent 12 }}
          securityContext: {{- toYaml .Values.security | nindent 12 }}
          {{- /* args: {{ .Values.host }} */}}
          args:
            - {{ .Values.host | quote }}
            - --level={{ .Values.level }}-{{ .Values.level }}
            - --proxy={{ .Values.proxy.image }}:{{ .Values.adminPort }}
        {{- if .Values.proxied }}
        - name: proxy
          image: {{ .Values.proxy.image }}
        {{- end }}
        {{- with .Values.sidecars }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
"""
HELPERS = """\
{{- define "shop.name" -}}{{ .Release.Name }}{{- end }}
{{- define "shop.labels" -}}
app: shop
tier: {{ .Values.tier }}
{{- end }}
"""
VALUES = """\
tier: web
annotations:
  team: web
podAnnotations:
  team: web
podLabels:
  part: web
scaled: false
copies: 2
replicas: 2
fast: false
fewSeconds: 5
moreSeconds: 5
image:
  name: example.org/web
  tag: ""
  policy: Always
  otherPolicy: Always
port: 8080
adminPort: 8080
noPort: 0
livenessProbe:
  httpGet: {path: /, port: 8080}
  periodSeconds: 9
readinessProbe:
  httpGet: {path: /, port: 8080}
  periodSeconds: 9
resources:
  limits:
    memory: 1Gi
security:
  runAsUser: 9
host: web
level: web
proxied: false
proxy: {image: web}
sidecars:
  - name: log
    image: web
"""
CHART = {
    "charts/shop/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\nappVersion: 1.2.3\n",
    "charts/shop/values.yaml": VALUES,
    "charts/shop/templates/_helpers.tpl": HELPERS,
    "charts/shop/templates/web.yaml": DEPLOYMENT,
}
APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop, namespace: argocd}
spec:
  destination: {name: in-cluster, namespace: shop}
  source:
    repoURL: https://example.test/r.git
    path: charts/shop
    helm:
      valueFiles: [more.yaml]
      valuesObject:
        podAnnotations:
          more: web
      parameters:
        - name: adminPort
          value: "8080"
      fileParameters:
        - name: host
          path: host.txt
"""
RELEASE = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec: {path: apps, sourceRef: {kind: GitRepository, name: flux-system}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: given, namespace: shop}
data:
  values.yaml: |
    port: 8080
    podLabels: {part: web}
    annotations: web
  level: web
"""
HELM_RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: shop, namespace: shop}
spec:
  chart:
    spec:
      chart: ./charts/shop
      sourceRef: {kind: GitRepository, name: flux-system, namespace: flux-system}
  valuesFrom:
    - {kind: ConfigMap, name: given}
    - {kind: ConfigMap, name: given, valuesKey: level, targetPath: level}
  values:
    annotations: {team: web}
    level: web
    readinessProbe:
      periodSeconds: 9
"""
ARGO = {
    **CHART,
    "app.yaml": APPLICATION,
    "charts/shop/more.yaml": "port: 8080\nresources:\n  limits: {cpu: 2}\n",
    "charts/shop/host.txt": "web",
}
CLUSTER, GIVEN = RELEASE.split("---\n")
FLUX = {
    **CHART,
    "clusters/dev/apps.yaml": CLUSTER,
    "apps/given.yaml": GIVEN,
    "apps/release.yaml": HELM_RELEASE,
}
TARGETED = {
    **FLUX,
    "apps/given.yaml": f'{GIVEN}  copies: "5"\n  policy: Always\n  host: web\n',
    "apps/release.yaml": HELM_RELEASE.replace(
        "  values:\n",
        "    - {kind: ConfigMap, name: given, valuesKey: copies, targetPath: copies}\n"
        "    - {kind: ConfigMap, name: given, valuesKey: policy, targetPath: image.policy}\n"
        "    - {kind: ConfigMap, name: given, valuesKey: host, targetPath: host}\n"
        "    - {kind: ConfigMap, name: given, valuesKey: level, targetPath: host}\n"
        "  releaseName: shop\n  targetNamespace: shop\n  values:\n",
    ),
}

Leaf = tuple[str | int, ...]


def leaves(value: Any, path: Leaf = ()) -> Iterator[tuple[Leaf, Any]]:
    match value:
        case dict() if value:
            for key, item in value.items():
                yield from leaves(item, (*path, key))
        case list() if value:
            for index, item in enumerate(value):
                yield from leaves(item, (*path, index))
        case _:
            yield path, value


Place = tuple[str, int, int]


def built(files: Mapping[str, str]) -> tuple[Graph, dict[Leaf, Any], dict[Leaf, Place]]:
    """The Deployment's leaves, and where each was written last: file, and the stretch of its text."""
    graph, values, writers = written(files)
    return graph, values, {path: places[0] for path, places in writers.items()}


def written(files: Mapping[str, str]) -> tuple[Graph, dict[Leaf, Any], dict[Leaf, list[Place]]]:
    """The Deployment's leaves, and all places that wrote each."""
    repo = from_files(dict(files))
    graph = link(repo, render=Renders(repo))
    (item,) = [
        found
        for rendered in graph.rendered.values()
        for found in rendered.objects
        if found.ref.kind == "Deployment"
    ]
    values = dict(leaves(item.data))
    places = {path: (item.origin(path), *item.earlier(path)) for path in values}
    spans = {path: [(p.file, repo.span(p)) for p in several] for path, several in places.items()}
    return (
        graph,
        values,
        {path: [(file, s.start, s.end) for file, s in several] for path, several in spans.items()},
    )


def changed(text: str) -> str:
    """Another value of the same kind."""
    bare = text.strip("\"'")
    if re.fullmatch(r"\d+", bare):
        return text.replace(bare, str(int(bare) + 3))
    return text.replace(bare, f"{bare}z")


def claims(writers: Mapping[Leaf, list[Place]]) -> dict[Place, set[Leaf]]:
    """The leaves that name each place in values."""
    found: dict[Place, set[Leaf]] = {}
    for path, places in writers.items():
        for place in places:
            if "/templates/" not in place[0]:
                found.setdefault(place, set()).add(path)
    return found


@pytest.mark.parametrize("files", [ARGO, FLUX, TARGETED], ids=["argocd", "flux", "flux with targets"])
def test_another_value_where_leaves_were_written_changes_these_and_none_that_names_other_values(
    files: Mapping[str, str],
):
    _, before, writers = written(files)
    found = claims(writers)
    assert len(found) > 10
    assert any(len(places) > 1 for places in writers.values())
    for (file, start, end), named in found.items():
        text = files[file]
        _, after, _ = built({**files, file: text[:start] + changed(text[start:end]) + text[end:]})
        differ = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        assert named <= differ, (file, text[start:end], named - differ)
        others = {path for path in differ - named if "/templates/" not in writers[path][0][0]}
        assert not others, (file, text[start:end], others)


CONTAINER = ("spec", "template", "spec", "containers", 0)


def line(
    files: Mapping[str, str], places: Mapping[Leaf, tuple[str, int, int]], path: Leaf
) -> tuple[str, int]:
    file, start, _ = places[path]
    return file.rpartition("/")[2], files[file].count("\n", 0, start) + 1


def test_what_the_chart_takes_from_its_values_stands_there():
    *_, places = built(ARGO)
    expected = {
        (*CONTAINER, "livenessProbe", "httpGet", "port"): ("values.yaml", 23),
        (*CONTAINER, "livenessProbe", "periodSeconds"): ("values.yaml", 24),
        (*CONTAINER, "readinessProbe", "periodSeconds"): ("values.yaml", 27),
        ("metadata", "annotations", "team"): ("values.yaml", 3),
        ("spec", "template", "metadata", "annotations", "team"): ("values.yaml", 5),
        ("spec", "template", "metadata", "annotations", "more"): ("app.yaml", 13),
        ("spec", "template", "metadata", "labels", "part"): ("values.yaml", 7),
        ("spec", "replicas"): ("values.yaml", 9),
        ("spec", "minReadySeconds"): ("values.yaml", 13),  # the other branch was not taken
        (*CONTAINER, "securityContext", "runAsUser"): ("values.yaml", 32),
        (*CONTAINER, "resources", "limits", "memory"): ("values.yaml", 30),
        (*CONTAINER, "resources", "limits", "cpu"): ("more.yaml", 3),
    }
    assert {path: line(ARGO, places, path) for path in expected} == expected


def test_what_may_come_from_elsewhere_stands_in_the_template():
    *_, argo = built(ARGO)
    *_, flux = built(FLUX)
    *_, unseen = built({**FLUX, "apps/given.yaml": "# nothing\n"})
    metadata = ("spec", "template", "metadata")
    told = [
        (argo, (*CONTAINER, "args", 0)),  # by a file parameter
        (flux, (*metadata, "labels", "part")),  # by a ConfigMap
        (flux, (*CONTAINER, "args", 1)),  # by its targetPath, though a value inline is the same
        (unseen, (*CONTAINER, "livenessProbe", "periodSeconds")),
    ]
    assert [places[path][0] for places, path in told] == ["charts/shop/templates/web.yaml"] * len(told)
    assert line(FLUX, unseen, (*CONTAINER, "readinessProbe", "periodSeconds")) == ("release.yaml", 16)
    assert line(ARGO, argo, (*metadata, "labels", "tier")) == ("_helpers.tpl", 4)
    # The second container in the text is not there: this one is from a list in the values.
    assert line(ARGO, argo, ("spec", "template", "spec", "containers", 1, "image")) == ("values.yaml", 39)


def test_what_a_config_map_alone_gives_to_one_value_stands_in_it():
    *_, places = built(TARGETED)
    assert line(TARGETED, places, ("spec", "replicas")) == ("given.yaml", 10)
    assert line(TARGETED, places, (*CONTAINER, "imagePullPolicy")) == ("given.yaml", 11)
    # Two entries give the host, and an inline value the level.
    told = [places[(*CONTAINER, "args", index)][0] for index in (0, 1)]
    assert told == ["charts/shop/templates/web.yaml"] * 2


@pytest.mark.parametrize("deep", [5, 20_000])
def test_a_template_of_blocks_in_blocks_is_read_once(deep: int):
    text = DEPLOYMENT + "{{ if 1 }}" * deep + "{{ end }}" * deep
    *_, places = built({**ARGO, "charts/shop/templates/web.yaml": text})
    assert places[(*CONTAINER, "livenessProbe", "periodSeconds")][0].endswith(
        "/values.yaml" if deep == 5 else "/web.yaml"
    )


SERVICES = """\
{{- range .Values.services }}
---
apiVersion: v1
kind: Service
metadata:
  name: s-{{ . }}
spec:
  healthCheckNodePort: {{ $.Values.first }}
{{- end }}
{{- if .Values.other }}
---
apiVersion: v1
kind: Service
metadata:
  name: OTHER
spec:
  healthCheckNodePort: {{ .Values.second }}
{{- end }}
"""


@pytest.mark.parametrize(
    ("other", "values", "expected"),
    [
        # As many documents as objects, and one of them wrote both.
        ("other", "services: [a, b]\nother: false\nfirst: 81\nsecond: 81\n", {"s-a": 3, "s-b": 3}),
        ("other", "services: [a]\nother: true\nfirst: 81\nsecond: 82\n", {"s-a": 3, "other": 4}),
        # Either document may have made an object of this name and this port.
        ("s-b", "services: [a]\nother: true\nfirst: 81\nsecond: 81\n", {"s-a": 3, "s-b": 4}),
    ],
)
def test_an_object_is_of_the_document_that_made_it(other: str, values: str, expected: dict[str, int]):
    files = {
        "charts/shop/Chart.yaml": CHART["charts/shop/Chart.yaml"],
        "charts/shop/values.yaml": values,
        "charts/shop/templates/services.yaml": SERVICES.replace("OTHER", other),
        "app.yaml": APPLICATION[: APPLICATION.index("    helm:")],
    }
    repo = from_files(dict(files))
    (rendered,) = link(repo, render=Renders(repo)).rendered.values()
    port = ("spec", "healthCheckNodePort")
    places = {item.ref.name: item.origin(port) for item in rendered.objects}
    assert all(place.file.endswith("/values.yaml") for place in places.values())
    assert {name: repo.span(place).line for name, place in places.items()} == expected


APP = APPLICATION[: APPLICATION.index("    helm:")]
HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: own\n"


def of_chart(template: str, values: str, helpers: str = "") -> dict[str, str]:
    """A chart of one template, and what delivers it."""
    return {
        "app.yaml": APP,
        "charts/shop/Chart.yaml": CHART["charts/shop/Chart.yaml"],
        "charts/shop/values.yaml": values,
        "charts/shop/templates/a.yaml": template,
        "charts/shop/templates/_h.tpl": helpers,
    }


Key = tuple[str, Leaf]


def all_leaves(files: Mapping[str, str]) -> tuple[dict[Key, Any], dict[Key, list[Place]], set[Key]]:
    """Every leaf by its object's name: values, places that wrote it, and those of which only the file is known."""
    repo = from_files(dict(files))
    graph = link(repo, render=Renders(repo))
    values: dict[Key, Any] = {}
    places: dict[Key, list[Place]] = {}
    vague: set[Key] = set()
    for rendered in graph.rendered.values():
        assert rendered.failure is None, rendered.failure
        for item in rendered.objects:
            for path, value in leaves(item.data):
                if path == ("metadata", "namespace"):
                    continue  # the agent's
                key = (item.ref.name, path)
                found = [item.origin(path), *item.earlier(path)]
                values[key] = value
                places[key] = [(p.file, repo.span(p).start, repo.span(p).end) for p in found]
                vague |= {key} if found[0].span is None and not found[0].path else set()
    return values, places, vague


def places_of(files: Mapping[str, str]) -> dict[Key, str]:
    """The file and line of the place that wrote each leaf last; of some the file alone."""
    _, places, vague = all_leaves(files)
    return {
        key: file.rpartition("/")[2]
        + ("" if key in vague else f":{files[file].count(chr(10), 0, start) + 1}")
        for key, ((file, start, _), *_) in places.items()
    }


DEPLOY = """\
{{- define "lib.secret" -}}
apiVersion: v1
kind: Secret
metadata:
  name: lib
stringData:
  a: {{ .Values.c }}
{{- end }}
"""
ENV = '{{- define "env" }}\n    - name: FROM\n      value: same{{ end }}'
EXTRA = "  - apiVersion: v1\n    kind: ConfigMap\n    metadata: {name: ex}\n    data: {a: x}\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param(
            of_chart(
                HEAD.replace("ConfigMap", "{{ .Values.kind }}")
                + "data:\n  a: {{ .Values.one }}\n---\n"
                + HEAD.replace("own", "b")
                + "data:\n  a: {{ .Values.two }}\n",
                "kind: ConfigMap\none: x\ntwo: x\n",
            ),
            {
                ("own", ("data", "a")): "values.yaml:2",
                ("own", ("kind",)): "values.yaml:1",
                ("b", ("metadata", "name")): "a.yaml:11",
            },
            id="a kind from the values",
        ),
        pytest.param(
            of_chart(
                "{{- if .Values.one }}\n"
                + HEAD.replace("ConfigMap", "Secret")
                + "stringData:\n  a: {{ .Values.a }}\n"
                "{{- end }}\n---\n"
                + HEAD.replace("ConfigMap", "Secret").replace("own", "two")
                + 'stringData:\n  a: {{ .Values.b }}\n---\n{{ include "lib.secret" . }}\n',
                "one: false\na: x\nb: x\nc: x\n",
                DEPLOY,
            ),
            {("two", ("stringData", "a")): "values.yaml:3", ("lib", ("stringData", "a")): "_h.tpl:7"},
            id="as many documents as objects, and others",
        ),
        pytest.param(
            of_chart(
                HEAD
                + "data:\n  a: {{ .Values.a }}\n{{- range .Values.extra }}\n---\n{{ tpl (toYaml .) $ }}\n{{- end }}\n",
                f"a: x\nextra:\n{EXTRA}",
            ),
            {("own", ("data", "a")): "values.yaml:1", ("ex", ("data", "a")): "a.yaml:9"},
            id="objects in the values",
        ),
        pytest.param(
            of_chart(
                HEAD
                + 'spec:\n  env:\n    {{- template "env" . }}\n    - name: X\n      value: {{ .Values.x }}\n',
                "x: same\n",
                ENV,
            ),
            {
                ("own", ("spec", "env", 0, "name")): "_h.tpl:2",
                ("own", ("spec", "env", 0, "value")): "_h.tpl:3",
                ("own", ("spec", "env", 1, "value")): "values.yaml:1",
            },
            id="template prints as include does",
        ),
        pytest.param(
            of_chart(
                HEAD.replace(
                    "  name: own\n",
                    "{{- if .Values.off }}\n  name: own\n{{- else }}\n  name: other\n{{- end }}\n",
                ),
                "off: false\n",
            ),
            {("other", ("metadata", "name")): "a.yaml:7"},
            id="the branch that was taken",
        ),
        pytest.param(
            of_chart(
                HEAD
                + "spec:\n  env:\n  {{- range .Values.l }}\n  - name: {{ . }}\n  {{- end }}\n  - name: X\n",
                "l: [a, b]\n",
            ),
            {
                ("own", ("spec", "env", 1, "name")): "a.yaml:8",
                ("own", ("spec", "env", 2, "name")): "a.yaml:10",
            },
            id="items after a loop",
        ),
        pytest.param(
            of_chart(
                HEAD
                + 'data:\n  {{- $_ := set $.Values "a" "q" }}\n  a: {{ .Values.a }}\n  b: {{ .Values.b }}\n',
                "a: q\nb: q\n",
            ),
            {("own", ("data", "a")): "a.yaml:7", ("own", ("data", "b")): "values.yaml:2"},
            id="one value that a template writes",
        ),
        pytest.param(
            of_chart(HEAD + "data:\n  a: {{ .Values.a }}\n  a: {{ .Values.b }}\n", "a: q\nb: q\n"),
            {("own", ("data", "a")): "a.yaml:7"},
            id="a key that stands twice",
        ),
        pytest.param(
            of_chart(
                HEAD + "data:\n  {{- $_ := mergeOverwrite .Values.a .Values.b }}\n  c: {{ .Values.a.x }}\n",
                "a: {x: q}\nb: {x: q}\n",
            ),
            {("own", ("data", "c")): "a.yaml:7"},
            id="values that a template writes",
        ),
        pytest.param(
            # The new mapping holds a's own one, and b's key is written into that.
            of_chart(
                HEAD
                + "data:\n  {{- $_ := mergeOverwrite (dict) .Values.a .Values.b }}\n  c: {{ .Values.a.m.x }}\n",
                "a: {m: {x: q}}\nb: {m: {x: q}}\n",
            ),
            {("own", ("data", "c")): "a.yaml:7"},
            id="values that a template writes through another mapping",
        ),
        pytest.param(
            # `merge` writes what is missing or empty.
            of_chart(
                HEAD
                + "data:\n  {{- $_ := merge .Values.a .Values.b }}\n  c: {{ .Values.a.x }}\n  d: {{ .Values.a.y | quote }}\n",
                'a: {x: q, y: ""}\nb: {x: q, y: q}\n',
            ),
            {("own", ("data", "c")): "values.yaml:1", ("own", ("data", "d")): "a.yaml:8"},
            id="values that a template fills",
        ),
        pytest.param(
            of_chart(
                HEAD + 'data:\n  {{- $ = dict "Values" .Values.m }}\n  c: {{ $.Values.x }}\n',
                "m: {x: q}\nx: q\n",
            ),
            {("own", ("data", "c")): "a.yaml:7"},
            id="values that are called otherwise",
        ),
        pytest.param(
            of_chart(
                HEAD + "data:\n  c: {{ .Values.a.x }}\n",
                "a: {x: q}\nb: {x: q}\n",
                '{{- define "unused" }}{{ $_ := mergeOverwrite .Values.a .Values.b }}{{ end }}',
            ),
            {("own", ("data", "c")): "values.yaml:1"},
            id="values that a template that never runs would write",
        ),
        pytest.param(
            of_chart(
                HEAD
                + "data:\n  b: 1{{ .Values.more }}\n  {{- if .Values.off }}\n  c: {{ .Values.c }}\n  {{- end }}\n",
                'more: "\\n  c: q"\nc: q\noff: false\n',
            ),
            {("own", ("data", "c")): "a.yaml:6"},
            id="a value that brings a key",
        ),
        pytest.param(
            # The helper is asked for whether it says anything: a mark in it would say yes.
            of_chart(
                HEAD
                + 'data:\n  {{- if include "flag" . }}\n  c: {{ .Values.a }}\n  {{- else }}\n  c: {{ .Values.b }}\n  {{- end }}\n',
                "a: q\nb: q\nshown: false\n",
                '{{- define "flag" }}{{ if .Values.shown }}key: on{{ end }}{{ end }}',
            ),
            {("own", ("data", "c")): "values.yaml:2"},
            id="a helper that decides",
        ),
        pytest.param(
            # Sorted, the marks would stand before all the lines.
            of_chart(
                HEAD
                + 'data:\n  {{- include "keys" . | splitList "\\n" | sortAlpha | join "\\n" | nindent 2 }}\n',
                "a: q\n",
                '{{- define "keys" -}}\nb: 1\na: 2\n{{- end }}',
            ),
            {("own", ("data", "a")): "a.yaml:6", ("own", ("data", "b")): "a.yaml:6"},
            id="a helper whose lines are sorted",
        ),
        pytest.param(
            # Marks would break this helper's text, so that there are none in helpers.
            of_chart(
                HEAD + 'data:\n  {{ include "d" . }}\n  b: {{ .Values.b }}\n',
                "b: q\n",
                '{{- define "d" }}k: v{{ end }}',
            ),
            {("own", ("data", "k")): "a.yaml:6", ("own", ("data", "b")): "values.yaml:1"},
            id="a helper in the middle of a line",
        ),
        pytest.param(
            # What comes after a helper without a line of its own may be anybody's.
            of_chart(
                HEAD
                + 'data:\n  {{- include "keys" . | nindent 2 }}\n  {{- printf "\\n  c: %s" .Values.a }}\n',
                "a: q\n",
                '{{- define "keys" -}}\nb: 1\n{{- end }}',
            ),
            {("own", ("data", "b")): "_h.tpl:2", ("own", ("data", "c")): "a.yaml"},
            id="what follows a helper",
        ),
        pytest.param(
            of_chart(
                HEAD
                + "data:\n  f: |\n    c: {{ .Values.off }}\n    {{- if .Values.shown }}\n    c: 1\n    {{- end }}\n  c: {{ .Values.a }}\n",
                "off: q\nshown: true\na: q\n",
            ),
            {("own", ("data", "f")): "a.yaml:6", ("own", ("data", "c")): "values.yaml:3"},
            id="lines of a text that look like keys",
        ),
    ],
)
def test_a_place_is_that_of_the_line_that_ran(files: dict[str, str], expected: dict[Key, str]):
    found = places_of(files)
    assert {key: found.get(key) for key in expected} == expected


EMPTY = '{{- define "empty" -}}{{- if .Values.filled }}\nx: y\n{{- end }}{{- end -}}\n'
SECOND = "{{- if .Values.filled }}\n" + HEAD.replace("own", "two") + "{{- end }}\n"


def archive(template: str) -> bytes:
    """A chart of helpers, packed."""
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        definition = "apiVersion: v2\nname: lib\nversion: 1.0.0\ntype: library\n"
        for name, text in {"lib/Chart.yaml": definition, "lib/templates/_l.tpl": template}.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, BytesIO(text.encode()))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("condition", "more"),
    [
        pytest.param('include "empty" .', "", id="a helper"),
        pytest.param('include "shop/templates/two.yaml" . | trim', "", id="a file by its name"),
        pytest.param("tpl .Values.text .", "", id="a text of the values"),
        pytest.param(
            'include "outer" .',
            '{{- define "outer" -}}{{- block "in" . -}}{{- end -}}{{- include "empty" . -}}{{- end -}}',
            id="a helper behind a block",
        ),
        pytest.param('include "lib.has" (dict "name" "empty" "root" .)', "", id="an archive's helper"),
    ],
)
def test_what_a_template_asks_about_a_text_has_the_same_answer_with_marks(condition: str, more: str):
    branches = "  a: {{ .Values.b }}\n{{- else }}\n  a: {{ .Values.a }}\n{{- end }}\n"
    values = "a: q\nb: q\nfilled: false\ntext: '{{ include \"empty\" . }}'\n"
    files = {
        **of_chart(f"{HEAD}data:\n{{{{- if {condition} }}}}\n{branches}", values, EMPTY + more),
        "charts/shop/templates/two.yaml": SECOND,
    }
    files["charts/shop/Chart.yaml"] += "dependencies: [{name: lib, version: 1.0.0}]\n"
    library = archive('{{- define "lib.has" }}{{ if include .name .root }}yes{{ end }}{{ end }}')
    repo = from_files({**files, "charts/shop/charts/lib-1.0.0.tgz": library})
    (rendered,) = link(repo, render=Renders(repo)).rendered.values()
    (item,) = rendered.objects
    assert item.data["data"] == {"a": "q"}
    place = item.origin(("data", "a"))
    assert (place.file, repo.span(place).line) != ("charts/shop/values.yaml", 2)


LABELS = """\
{{- define "labels" -}}
app: {{ .Release.Name }}
tier: {{ .Values.tier }}
{{- end -}}
{{- define "name" -}}
{{- printf "%s-%s" .Release.Name .Values.suffix | trunc 63 -}}
{{- end -}}
{{- define "job" }}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .name }}
  annotations:
    helm.sh/hook: {{ .hook }}
spec:
  backoffLimit: {{ .limit }}
{{- end }}
"""
EVERYTHING = """\
{{- /* nothing: {{ .Values.tier }} */ -}}
{{- if .Values.shown -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "name" . }}
  labels: {{- include "labels" . | nindent 4 }}
    {{- with .Values.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    sum: {{ include "labels" . | sha256sum }}
    {{- if .Values.off }}
    team: {{ .Values.team }}
    {{- else if .Values.shown }}
    team: {{ .Values.other }}
    {{- else }}
    team: nobody
    {{- end }}
data:
  plain: word
  quoted: "{{ .Values.team }}:{{ .Values.other }}"
  text: |
    team: {{ .Values.team }}
    {{- range .Values.list }}
    - {{ . }}
    {{- end }}
  folded: >-
    one
    two
  next: {{ .Values.team | quote }}
  nextline:
    {{ .Values.other }}
{{- end }}
---
{{ range $i, $name := .Values.names -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ $name }}
spec:
  port: {{ $.Values.port }}
  {{- if eq $i 0 }}
  first: {{ $.Values.first }}
  {{- end }}
---
{{ end -}}
apiVersion: v1
kind: Service
metadata:
  name: last
spec:
  port: {{ .Values.port }}
  env:
    - name: before
    {{- range .Values.list }}
    - name: {{ . }}
      value: loop
    {{- end }}
    - name: {{ .Values.team }}
      value: after
    {{- toYaml .Values.env | nindent 4 }}
  flow: [{{ .Values.team }}, {{ .Values.other }}]
  many: {a: {{ .Values.team }},
    b: {{ .Values.other }}}
  {{- tpl .Values.tpl . | nindent 2 }}
  limits: {{- toYaml .Values.limits | nindent 4 }}
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Secret
  metadata: {name: listed}
  stringData:
    a: {{ .Values.team }}
- apiVersion: v1
  kind: Secret
  metadata:
    name: second
  stringData:
    a: {{ .Values.other }}
---
{{ template "job" (dict "name" "before" "hook" "pre-install" "limit" .Values.port) }}
---
{{ template "job" (dict "name" "after" "hook" "post-install" "limit" 3) }}
---
# nothing
"""
EVERY_VALUE = """\
shown: true
off: false
tier: web
suffix: x
team: web
other: web
labels: {part: web, team: web}
list: [web, web]
names: [web, web2]
port: 80
first: 80
env:
  - name: web
    value: web
tpl: |-
  tier: {{ .Values.tier }}
  team: web
limits:
  cpu: {max: 80, min: 80}
"""


def other_line(text: str) -> str | None:
    """A line of a template with something else in its place: another value, or nothing where it has no key."""
    match = re.fullmatch(r"(\s*(?:- )*(?:[\w.]+:|-) )(?!\{[^{])([^\[|>&].*)", text)
    if match is not None and "nindent" not in text and not text.endswith("}}}"):
        return f"{match[1]}{'987' if match[2].isdigit() else 'zq9z'}"
    return "" if re.fullmatch(r"\s*\{\{-? (?:toYaml|tpl|include|template) .*\}\}", text) else None


def test_every_line_of_a_template_and_of_the_values_that_is_claimed_is_a_cause():
    files = of_chart(EVERYTHING, EVERY_VALUE, LABELS)
    before, writers, vague = all_leaves(files)
    found: dict[Place, set[Key]] = {}
    for key, places in writers.items():
        for place in places if key not in vague else ():
            found.setdefault(place, set()).add(key)
    tried = {"values.yaml": 0, "a.yaml": 0, "_h.tpl": 0}
    for (file, start, end), named in found.items():
        text = files[file]
        part = text[start:end]
        new = other_line(part) if "/templates/" in file else changed(part)
        if new is None or "kind:" in part or "hook:" in part or "apiVersion:" in part:
            continue
        after, _, _ = all_leaves({**files, file: text[:start] + new + text[end:]})
        differ = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        assert named <= differ, (file, part, named - differ)
        if "/templates/" not in file:
            others = {key for key in differ - named if "/templates/" not in writers[key][0][0]}
            assert not others, (file, part, others)
        tried[file.rpartition("/")[2]] += 1
    assert tried["values.yaml"] >= 10
    assert tried["a.yaml"] > 10
    assert tried["_h.tpl"] > 3
    assert len(vague) * 10 < len(before)


def test_helms_library_tells_the_same_places(monkeypatch: pytest.MonkeyPatch):
    if importlib.util.find_spec("helm_python") is None:
        pytest.skip("the extra [helm] has no wheel for this machine")
    files = of_chart(EVERYTHING, EVERY_VALUE, LABELS)
    by_program = places_of(files)
    monkeypatch.setenv("PATH", "")
    assert places_of(files) == by_program


def test_helm_runs_once_more_for_origins_and_only_if_one_is_asked_for(monkeypatch: pytest.MonkeyPatch):
    runs = []

    def counted(*args: Any, **options: Any) -> Any:
        runs.append(args)
        return run(*args, **options)

    monkeypatch.setattr(template, "run", counted)
    repo = from_files(of_chart(EVERYTHING, EVERY_VALUE, LABELS))
    (rendered,) = link(repo, render=Renders(repo)).rendered.values()
    assert len(runs) == 1
    for item in rendered.objects:
        for path, _ in leaves(item.data):
            item.origin(path)
    assert len(runs) == 2


def test_a_definition_stands_in_its_file():
    definition = (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
        "metadata: {name: as.x.io}\nspec:\n  group: x.io\n  scope: Cluster\n"
    )
    crds = f"# two\n---\n{definition.replace('as.x', 'bs.x')}---\n{definition}"
    files = {**of_chart(HEAD, "a: b\n"), "charts/shop/crds/all.yaml": crds}
    found = places_of(files)
    assert found["bs.x.io", ("spec", "scope")] == "all.yaml:8"
    assert found["as.x.io", ("spec", "scope")] == "all.yaml:15"
