"""Origins in the values of a release are causes: with another value there, real helm writes another one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from gitops_layout.graph.link import link
from gitops_layout.graph.model import Graph
from gitops_layout.model import Location
from gitops_layout.render.build import Renders
from gitops_layout.repo.load import from_files

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
        (argo, ("spec", "minReadySeconds")),  # two lines might write it
        (argo, (*metadata, "labels", "tier")),
        (argo, ("spec", "template", "spec", "containers", 1, "image")),  # the second in the text is not there
        (argo, (*CONTAINER, "args", 0)),  # by a file parameter
        (flux, (*metadata, "labels", "part")),  # by a ConfigMap
        (flux, (*CONTAINER, "args", 1)),  # by its targetPath, though a value inline is the same
        (unseen, (*CONTAINER, "livenessProbe", "periodSeconds")),
    ]
    assert [places[path][0] for places, path in told] == ["charts/shop/templates/web.yaml"] * len(told)
    assert line(FLUX, unseen, (*CONTAINER, "readinessProbe", "periodSeconds")) == ("release.yaml", 16)


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
        # Either may have written s-b, and it can be told of s-a.
        ("s-b", "services: [a]\nother: true\nfirst: 81\nsecond: 81\n", {"s-a": 3, "s-b": None}),
    ],
)
def test_an_object_is_of_the_document_that_alone_can_have_made_it(
    other: str, values: str, expected: dict[str, int | None]
):
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
    found = {
        name: repo.span(place).line if place.file.endswith("/values.yaml") else None
        for name, place in places.items()
    }
    assert found == expected
    unknown = {place for name, place in places.items() if found[name] is None}
    assert unknown <= {Location("charts/shop/templates/services.yaml")}
