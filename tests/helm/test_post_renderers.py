"""Post-renderers of HelmReleases: who wrote each value of what they leave."""

from __future__ import annotations

import pytest

from gitops_layout.graph.link import link
from gitops_layout.model import Path
from gitops_layout.render.build import Renders
from gitops_layout.repo.load import from_files
from tests.helm.test_charts import CHART, RELEASE

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: {{ .Release.Name }}
  annotations: {note: "\N{ROCKET}", team: x}
spec:
  containers:
  - name: web
    image: "{{ .Values.image }}"
    env:
    - name: A
      value: {{ .Values.a }}
    - name: B
      value: {{ .Values.b }}
"""
RENDERERS = """\
  commonMetadata:
    annotations: {team: x}
  postRenderers:
  - kustomize:
      patches:
      - patch: |
          apiVersion: v1
          kind: Pod
          metadata: {name: web}
          spec:
            containers:
            - name: side
              image: side:1
            - name: web
              env:
              - name: Z
                value: z
      images:
      - {name: other, newTag: '2'}
      - name: app
        newTag: '3'
  - kustomize:
      patches:
      - target: {kind: Pod}
        patch: '[{"op": "remove", "path": "/spec/containers/1/env/2"},
          {"op": "replace", "path": "/metadata/name", "value": "renamed"}]'
"""
CHARTED = "charts/web/values.yaml"
ENV: Path = ("spec", "containers", 1, "env")
EXPECTED: dict[Path, tuple[object, tuple[tuple[str, int], ...]]] = {
    ("metadata", "name"): ("renamed", (("release.yaml", 34), ("charts/web/templates/pod.yaml", 4))),
    ("metadata", "annotations", "team"): ("x", (("release.yaml", 10), ("charts/web/templates/pod.yaml", 5))),
    ("spec", "containers", 0, "image"): ("side:1", (("release.yaml", 21),)),
    ("spec", "containers", 1, "image"): ("app:3", (("release.yaml", 29), (CHARTED, 1))),
    (*ENV, 0, "value"): ("z", (("release.yaml", 25),)),
    (*ENV, 1, "value"): ("same", ((CHARTED, 2),)),
}


@pytest.mark.usefixtures("helm")
@pytest.mark.parametrize("exact", [False, True])
def test_each_value_keeps_its_writers_and_gets_the_line_that_wrote_it_last(exact: bool):
    files: dict[str, str | bytes] = {
        "charts/web/Chart.yaml": CHART,
        CHARTED: "image: app:1\na: same\nb: same\n",
        "charts/web/templates/pod.yaml": POD,
        "release.yaml": RELEASE + RENDERERS,
    }
    repo = from_files(files)
    graph = link(repo, render=Renders(repo, exact=exact))
    (result,) = [found for found in graph.rendered.values() if "HelmRelease" in found.delivery]
    (item,) = result.objects
    found = {}
    for path in EXPECTED:
        value: object = item.data
        for step in path:
            value = value[step]  # type: ignore[index]
        places = (item.origin(path), *item.earlier(path))
        found[path] = (value, tuple((place.file, repo.span(place).line) for place in places))
    assert found == EXPECTED
    assert not any(item.approximate(path) for path in EXPECTED)
