"""Any field of any Flux object may hold a value of any type: link says what it makes of it, and never raises."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_layout.model import Path
from gitops_layout.output.graph import to_json
from gitops_layout.source.reader import read
from tests.graph.test_link import CONFIG_MAP, SOURCE, linked

OBJECTS = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system, annotations: {a: b}, labels: {a: b}}
spec:
  interval: 10m
  path: ./apps
  prune: true
  wait: true
  suspend: false
  force: false
  timeout: 5m
  deletionPolicy: Delete
  sourceRef: {kind: GitRepository, name: flux-system, namespace: flux-system}
  targetNamespace: web
  namePrefix: a-
  nameSuffix: -b
  components: [../parts]
  patches: [{target: {kind: ConfigMap, name: settings}, patch: "- {op: add, path: /data/x, value: z}"}]
  images: [{name: a, newName: b, newTag: c, digest: d}]
  commonMetadata: {labels: {a: b}, annotations: {c: d}}
  postBuild: {substitute: {HOST: h}, substituteFrom: [{kind: ConfigMap, name: info, optional: true}]}
  dependsOn: [{name: zz, namespace: flux-system, readyExpr: x}]
  healthChecks: [{apiVersion: apps/v1, kind: Deployment, name: a, namespace: b}]
  healthCheckExprs: [{apiVersion: a/v1, kind: B, current: x}]
  serviceAccountName: sa
  kubeConfig: {secretRef: {name: stage-kubeconfig}, configMapRef: {name: way}}
  decryption: {provider: sops, secretRef: {name: keys}}
  ignore: [{paths: [/spec/a], target: {kind: Deployment}}]
  buildMetadata: [originAnnotations]
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: chart, namespace: flux-system}
spec:
  interval: 10m
  chart:
    spec:
      chart: ./chart
      version: 1.x
      sourceRef: {kind: GitRepository, name: flux-system, namespace: flux-system}
      valuesFiles: [chart/values.yaml]
  releaseName: chart
  targetNamespace: web
  dependsOn: [{name: other, namespace: x}]
  driftDetection: {mode: enabled, ignore: [{paths: [/a]}]}
  install: {crds: Skip, disableHooks: true, remediation: {retries: 3}}
  upgrade: {crds: Skip, remediation: {retries: 3}, strategy: {name: RetryOnFailure}}
  postRenderers: [{kustomize: {patches: [{target: {kind: ConfigMap}, patch: x}], images: [{name: a, newTag: b}]}}]
  values: {a: 1}
  valuesFrom: [{kind: ConfigMap, name: info, valuesKey: DOMAIN, targetPath: a.b, optional: true}]
  kubeConfig: {configMapRef: {name: way}}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: referred, namespace: flux-system}
spec: {chartRef: {kind: HelmChart, name: charted, namespace: flux-system}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmChart
metadata: {name: charted, namespace: flux-system}
spec: {chart: web, version: 1.x, sourceRef: {kind: HelmRepository, name: charts}, valuesFiles: [a]}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: charts, namespace: flux-system}
spec: {url: 'https://charts.test', type: default}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: Bucket
metadata: {name: pail, namespace: flux-system}
spec: {endpoint: minio.test, bucketName: b}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: outer, namespace: flux-system}
spec: {url: 'https://elsewhere.test', ref: {branch: main}, include: [{repository: {name: flux-system}, fromPath: apps, toPath: in}]}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: inner, namespace: flux-system}
spec: {path: in, sourceRef: {kind: GitRepository, name: outer}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: cut, namespace: flux-system}
spec: {path: apps, sourceRef: {kind: ExternalArtifact, name: part}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: poured, namespace: flux-system}
spec: {path: apps, sourceRef: {kind: Bucket, name: pail}}
---
apiVersion: source.extensions.fluxcd.io/v1beta1
kind: ArtifactGenerator
metadata: {name: parts, namespace: flux-system}
spec:
  sources: [{alias: repo, kind: GitRepository, name: flux-system, namespace: flux-system}]
  artifacts: [{name: part, copy: [{from: '@repo/apps/**', to: '@artifact/apps/'}]}]
---
apiVersion: fluxcd.controlplane.io/v1
kind: FluxInstance
metadata: {name: flux, namespace: flux-system}
spec:
  distribution: {version: 2.x, registry: r}
  sync: {kind: GitRepository, url: 'https://example.test/acme/fleet.git', ref: refs/heads/main, path: apps, name: x, interval: 1m}
  kustomize:
    patches: [{target: {kind: Kustomization, name: x}, patch: "[{op: add, path: /spec/postBuild, value: {substitute: {HOST: h}}}]"}]
---
apiVersion: fluxcd.controlplane.io/v1
kind: ResourceSet
metadata: {name: set, namespace: flux-system, annotations: {fluxcd.controlplane.io/reconcileEvery: 5m}}
spec:
  commonMetadata: {labels: {a: b}, annotations: {c: d}}
  dependsOn: [{apiVersion: v1, kind: ConfigMap, name: a, namespace: b, ready: true}]
  inputStrategy: {name: Permute, includeEmptyProviders: true}
  inputs: [{tenant: web, items: [1, 2]}]
  inputsFrom: [{name: more}, {selector: {matchLabels: {a: b}, matchExpressions: [{key: a, operator: In, values: [b]}]}}]
  resources:
    - apiVersion: v1
      kind: ConfigMap
      metadata:
        name: << inputs.set.tenant >>
        namespace: web
        annotations: {fluxcd.controlplane.io/copyFrom: flux-system/info, fluxcd.controlplane.io/checksumFrom: ConfigMap/web/web}
  resourcesTemplate: |
    apiVersion: v1
    kind: Namespace
    metadata: {name: << inputs.more.tenant >>}
---
apiVersion: fluxcd.controlplane.io/v1
kind: ResourceSet
metadata: {name: steps, namespace: flux-system}
spec:
  steps: [{name: one, timeout: 1m, resources: [{apiVersion: v1, kind: Namespace, metadata: {name: one}}]}]
---
apiVersion: fluxcd.controlplane.io/v1
kind: ResourceSetInputProvider
metadata: {name: more, namespace: flux-system, labels: {a: b}}
spec: {type: Static, defaultValues: {tenant: api}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: info, namespace: flux-system}
data: {DOMAIN: example.test}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: way, namespace: flux-system}
data: {provider: generic, address: 'https://10.0.0.1', cluster: 'arn:x/y'}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata: {name: images, namespace: flux-system}
spec:
  sourceRef: {kind: GitRepository, name: flux-system}
  policySelector: {matchLabels: {a: b}}
  git: {checkout: {ref: {branch: main}}, push: {branch: bot}}
  update: {path: ./apps, strategy: Setters}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: web, namespace: flux-system, labels: {a: b}}
spec: {imageRepositoryRef: {name: web, namespace: flux-system}, policy: {semver: {range: 1.x}}, filterTags: {pattern: x, extract: $x}}
---
apiVersion: notification.toolkit.fluxcd.io/v1
kind: Alert
metadata: {name: all, namespace: flux-system}
spec: {providerRef: {name: chat}, eventSources: [{kind: Kustomization, name: '*', namespace: x, matchLabels: {a: b}}]}
---
apiVersion: notification.toolkit.fluxcd.io/v1
kind: Receiver
metadata: {name: hook, namespace: flux-system}
spec: {type: github, resources: [{kind: ImageRepository, name: web, namespace: other}]}
"""
OTHERS = (
    None,
    "",
    "x",
    "../..",
    5,
    -1,
    1.5,
    True,
    [],
    [[]],
    [None],
    [{}],
    {},
    {"a": [1]},
    {"": None},
    "x" * 5000,
)
DOCUMENTS = [document.data for document in read(OBJECTS, "flux.yaml").documents]


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in steps:
        yield from paths(item, (*path, step))


def put(value: Any, path: Path, other: Any) -> Any:
    if not path:
        return other
    copied: Any = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = put(value[path[0]], path[1:], other)
    return copied


def files(changed: int | None = None, data: Any = None) -> dict[str, str]:
    documents = [data if index == changed else document for index, document in enumerate(DOCUMENTS)]
    return {
        "clusters/x/source.yaml": SOURCE,
        "clusters/x/flux.yaml": "\n---\n".join(json.dumps(document) for document in documents),
        "apps/kustomization.yaml": "resources: [settings.yaml]\n",
        "apps/settings.yaml": CONFIG_MAP,
        "parts/kustomization.yaml": "kind: Component\ncommonAnnotations: {made: for}\n",
        "chart/Chart.yaml": "apiVersion: v2\nname: chart\nversion: 1.0.0\n",
        "chart/values.yaml": "a: 1\n",
    }


def test_the_objects_are_understood_as_they_are():
    graph = linked(files())
    delivered = {d.name for d in graph.deliveries if graph.rendered[d.id].failure is None}
    assert {"apps", "inner", "cut", "flux", "set", "steps"} <= delivered
    assert {d.name for d in graph.deliveries} >= {"chart", "referred", "poured"}


PLACES = [(index, path) for index, data in enumerate(DOCUMENTS) for path in paths(data)]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(PLACES), other=st.sampled_from(OTHERS))
def test_a_value_of_any_type_at_any_field_never_raises(place: tuple[int, Path], other: Any):
    index, path = place
    graph = linked(files(index, put(DOCUMENTS[index], path, other)))
    assert graph.rendered.keys() == {delivery.id for delivery in graph.deliveries}
    json.loads(to_json(graph))


CIRCLE = """\
apiVersion: fluxcd.controlplane.io/v1
kind: ResourceSet
metadata: {name: set, namespace: flux-system}
spec:
  inputs: [{n: [a, b, c, d]}]
  resourcesTemplate: |
    << range $x := inputs.n >>
    ---
    apiVersion: kustomize.toolkit.fluxcd.io/v1
    kind: Kustomization
    metadata: {name: << $x >>, namespace: flux-system}
    spec:
      path: clusters/x
      sourceRef: {kind: GitRepository, name: flux-system}
      dependsOn: [{name: a}, {name: b}]
      postBuild: {substitute: {N: "<< $x >>${N}"}, substituteFrom: [{kind: ConfigMap, name: grow}]}
    << end >>
"""
GROW = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: grow, namespace: flux-system}\ndata: {N: '${N}${N}x'}\n"


def test_objects_that_bring_themselves_and_variables_that_grow_come_to_an_end():
    sync = (
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: '${N}', namespace: flux-system}\n"
        "spec: {path: clusters/x, sourceRef: {kind: GitRepository, name: flux-system},"
        " postBuild: {substituteFrom: [{kind: ConfigMap, name: grow}]}}\n"
    )
    graph = linked(
        {
            "clusters/x/source.yaml": SOURCE,
            "clusters/x/set.yaml": CIRCLE.replace("{n: ", "{'n': ").replace("inputs.n", "inputs.n"),
            "clusters/x/grow.yaml": GROW,
            "clusters/x/sync.yaml": sync,
        }
    )
    assert len(graph.deliveries) < 200
