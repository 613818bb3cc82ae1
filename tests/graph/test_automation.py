"""Image automation and notification: which marker is written by what, to which branch, and what names nothing."""

from __future__ import annotations

import json

from gitops_layout.graph.automation import automation
from gitops_layout.output.graph import to_json
from gitops_layout.output.graph_text import to_text
from tests.graph.test_link import FLEET, linked

CLUSTER = "clusters/prod-eu"
IMAGES = """\
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {name: web, namespace: flux-system}
spec: {image: ghcr.io/acme/web, interval: 5m}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: web, namespace: flux-system, labels: {team: web}}
spec: {imageRepositoryRef: {name: web}, policy: {semver: {range: 1.x}}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: api, namespace: flux-system}
spec: {imageRepositoryRef: {name: api}, policy: {semver: {range: 1.x}}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata: {name: images, namespace: flux-system}
spec:
  interval: 30m
  sourceRef: {kind: GitRepository, name: flux-system}
  policySelector: {matchLabels: {team: web}}
  git: {push: {branch: bot}}
  update: {path: ./apps, strategy: Setters}
"""
PODS = """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
    - {name: web, image: x}
    - name: api
      # {"$imagepolicy": "flux-system:api"}
      image: ghcr.io/acme/api:1 # a policy that the automation does not select
    - name: web
      image: ghcr.io/acme/web:1 # {"$imagepolicy": "flux-system:web"}
    - name: old
      image: ghcr.io/acme/old:1 #{"$imagepolicy": "flux-system:gone:tag"}
    - name: bad
      image: ghcr.io/acme/bad:1 # {"$imagepolicy": "flux-system:web:version"}
    - name: text
      args:
        - |
          image: x # {"$imagepolicy": "flux-system:web"}
      command: [x] # {"$imagepolicy": broken}
"""
NOTIFY = """\
apiVersion: notification.toolkit.fluxcd.io/v1
kind: Alert
metadata: {name: all, namespace: flux-system}
spec:
  providerRef: {name: chat}
  eventSources: [{kind: Kustomization, name: '*'}, {kind: HelmRelease, name: '*'}, {kind: GitRepository, name: flux-system}]
---
apiVersion: notification.toolkit.fluxcd.io/v1
kind: Receiver
metadata: {name: hook, namespace: flux-system}
spec: {type: github, secretRef: {name: t}, resources: [{kind: ImageRepository, name: web}, {kind: ImageRepository, name: web, namespace: other}]}
"""
FILES = {
    **FLEET,
    f"{CLUSTER}/images.yaml": IMAGES,
    "apps/web/base/kustomization.yaml": "resources: [settings.yaml, pod.yaml]\n",
    "apps/web/base/pod.yaml": PODS,
    "docs/pod.yaml": 'image: x # {"$imagepolicy": "flux-system:web"}\n',
}


def test_a_marker_knows_its_policy_and_the_automation_that_writes_its_line():
    graph = linked(FILES)
    image = "ImageUpdateAutomation/flux-system/images@prod-eu"
    markers = [
        (m.location.file, graph.repo.span(m.location).line, m.name, m.part, m.policies, m.updates)
        for m in automation(graph).markers
    ]
    pod = "apps/web/base/pod.yaml"
    assert markers == [
        (pod, 8, "api", "image", ("prod-eu",), ()),
        (pod, 11, "web", "image", ("prod-eu",), (image,)),
        (pod, 13, "gone", "tag", (), ()),
        (pod, 15, "web", None, ("prod-eu",), ()),
        ("docs/pod.yaml", 1, "web", "image", ("prod-eu",), ()),  # below no path that is written
    ]
    line = graph.repo.text(pod).splitlines()[10]
    span = automation(graph).markers[1].location.span
    assert span is not None
    assert line[span.column - 1 : span.end_column - 1] == '{"$imagepolicy": "flux-system:web"}'
    assert graph.repo.text(pod)[span.start : span.end] == '{"$imagepolicy": "flux-system:web"}'


def test_an_automation_pushes_where_flux_would():
    push = "git: {push: {branch: bot}}"
    for given, checkout, pushed in (
        (push, "main", "bot"),
        ("git: {commit: {}}", "main", "main"),
        ("git: {checkout: {ref: {branch: next}}}", "next", "next"),
        ("git: {checkout: {ref: {tag: v1}}}", None, None),
    ):
        files = {**FILES, f"{CLUSTER}/images.yaml": IMAGES.replace(push, given)}
        (update,) = automation(linked(files)).updates
        assert (update.own, update.path, update.checkout, update.push) == (True, "apps", checkout, pushed)
        assert update.to_its_branch == (pushed is not None and pushed == checkout)


def test_alerts_receivers_and_policies_that_name_nothing_are_said():
    graph = linked({**FILES, f"{CLUSTER}/notify.yaml": NOTIFY})
    lost = [f"{r.kind} {r.namespace}/{r.name}" for r in automation(graph).references if r.found is False]
    assert lost == [
        "ImageRepository flux-system/api",
        "Provider flux-system/chat",
        "HelmRelease flux-system/*",
        "ImageRepository other/web",
    ]


def test_where_a_delivery_was_not_seen_nothing_is_said_to_be_missing():
    broken = (
        FLEET[f"{CLUSTER}/apps.yaml"].replace("name: apps,", "name: lost,").replace("./apps/web", "./nowhere")
    )
    graph = linked({**FILES, f"{CLUSTER}/notify.yaml": NOTIFY, f"{CLUSTER}/lost.yaml": broken})
    assert {r.found for r in automation(graph).references} == {True, None}


def test_graph_prints_what_is_written_and_what_is_not():
    graph = linked({**FILES, f"{CLUSTER}/notify.yaml": NOTIFY})
    text = to_text(graph)
    assert (
        "images are written by\n"
        "  ImageUpdateAutomation/flux-system/images@prod-eu  apps · pushes to bot, from main · 1 marker\n"
    ) in text
    assert "apps/web/base/pod.yaml:13  no cluster has ImagePolicy flux-system/gone" in text
    assert f"Alert all@prod-eu names Provider flux-system/chat ({CLUSTER}/notify.yaml:5)" in text
    data = json.loads(to_json(graph))["automation"]
    assert (data["updates"][0]["toItsBranch"], len(data["markers"]), data["markers"][1]["line"]) == (
        False,
        5,
        11,
    )


def test_what_stands_in_one_file_with_an_agents_own_object_is_applied_with_it():
    sync = FLEET[f"{CLUSTER}/flux-system/gotk-sync.yaml"].replace("./clusters/prod-eu", "./apps")
    files = {"boot/prod-eu/all.yaml": f"{sync}---\n{IMAGES}", "apps/web.yaml": PODS}
    found = automation(linked(files))
    assert [update.id for update in found.updates] == [
        "ImageUpdateAutomation/flux-system/images@boot/prod-eu"
    ]
    assert [(marker.name, bool(marker.policies)) for marker in found.markers][:2] == [
        ("api", True),
        ("web", True),
    ]
    apart = {"boot/prod-eu/sync.yaml": sync, "other/images.yaml": IMAGES, "apps/web.yaml": PODS}
    assert automation(linked(apart)).updates == ()


def test_what_stands_beside_an_object_that_brings_its_own_file_is_there_once():
    instance = """\
---
apiVersion: fluxcd.controlplane.io/v1
kind: FluxInstance
metadata: {name: flux, namespace: flux-system}
spec: {sync: {kind: GitRepository, url: "https://git.test/acme/fleet", ref: refs/heads/main, path: clusters/prod-eu}}
"""
    graph = linked({f"{CLUSTER}/all.yaml": IMAGES + instance, "apps/web/pod.yaml": PODS})
    found = automation(graph)
    assert [update.id for update in found.updates] == ["ImageUpdateAutomation/flux-system/images@prod-eu"]
    assert [ref.name for ref in found.references] == ["api", "web", "flux-system"]
