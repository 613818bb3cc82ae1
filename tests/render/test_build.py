"""Rendering deliveries: the agents' own steps, and the source line of every value."""

from __future__ import annotations

from typing import Any

import pytest

from gitops_layout.graph.link import link
from gitops_layout.graph.model import Graph
from gitops_layout.model import Path
from gitops_layout.render.build import Renders
from gitops_layout.render.rendered import RenderedObject
from gitops_layout.repo.load import from_files

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: proxy
        image: envoy:1.30
      - name: web
        image: ghcr.io/acme/web:1.0
        env:
        - {name: LEVEL, value: info}
"""
FILES = {
    "base/kustomization.yaml": "resources:\n- web.yaml\n",
    "base/web.yaml": DEPLOYMENT,
    "prod/kustomization.yaml": "resources:\n- ../base\nnamespace: shop\nimages:\n- name: ghcr.io/acme/web\n"
    "  newTag: 1.8.2\npatches:\n- path: local.yaml\nconfigMapGenerator:\n- name: flags\n  literals: [a=b]\n",
    "prod/local.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    spec:\n"
    "      containers:\n      - name: web\n        env:\n        - name: LEVEL\n          value: debug\n",
}


def linked(files: dict[str, str]) -> Graph:
    repo = from_files(files)  # type: ignore[arg-type]
    return link(repo, render=Renders(repo))


def only(graph: Graph, kind: str) -> RenderedObject:
    (found,) = [
        item for rendered in graph.rendered.values() for item in rendered.objects if item.ref.kind == kind
    ]
    return found


def place(graph: Graph, item: RenderedObject, path: Path) -> tuple[str, int]:
    location = item.origin(path)
    return location.file, graph.repo.span(location).line


CONTAINERS: Path = ("spec", "template", "spec", "containers")


@pytest.mark.parametrize(
    ("find", "path", "expected"),
    [
        ("web", ("image",), ("prod/kustomization.yaml", 6)),
        ("proxy", ("image",), ("base/web.yaml", 13)),
        ("web", ("env", 0, "value"), ("prod/local.yaml", 12)),
        ("web", ("env", 0, "name"), ("base/web.yaml", 17)),
        ("web", ("livenessProbe", "path"), ("base/web.yaml", 14)),
    ],
)
def test_values_of_a_list_item_stand_where_they_were_written_last(
    find: str, path: Path, expected: tuple[str, int]
):
    graph = linked(FILES)
    deployment = only(graph, "Deployment")
    names = [item["name"] for item in deployment.data["spec"]["template"]["spec"]["containers"]]
    assert place(graph, deployment, (*CONTAINERS, names.index(find), *path)) == expected


def test_a_tag_set_apart_from_the_name_stands_where_the_tag_is_set():
    files = {
        **{path: text for path, text in FILES.items() if path.startswith("base/")},
        "prod/kustomization.yaml": "resources: [../base]\ncomponents: [version]\nimages:\n- name: ghcr.io/acme/web\n"
        "  newName: mirror.example.test/web\n",
        "prod/version/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
        "images:\n- name: ghcr.io/acme/web\n  newTag: latest\n",
    }
    graph = linked(files)
    deployment = only(graph, "Deployment")
    images = [item["image"] for item in deployment.data["spec"]["template"]["spec"]["containers"]]
    index = images.index("mirror.example.test/web:latest")
    assert place(graph, deployment, (*CONTAINERS, index, "image")) == ("prod/version/kustomization.yaml", 5)


def test_fields_that_a_kustomization_writes_stand_in_it():
    graph = linked(FILES)
    assert place(graph, only(graph, "Deployment"), ("metadata", "namespace")) == (
        "prod/kustomization.yaml",
        3,
    )
    assert place(graph, only(graph, "Deployment"), ("spec", "replicas")) == ("base/web.yaml", 6)
    assert place(graph, only(graph, "ConfigMap"), ("data", "a")) == ("prod/kustomization.yaml", 11)


FLUX = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: web, namespace: flux-system}
spec:
  path: ./base
  sourceRef: {kind: GitRepository, name: flux-system}
  targetNamespace: shop
  namePrefix: my-
  commonMetadata: {labels: {team: x}, annotations: {note: z}}
  images: [{name: envoy, newTag: "1.31"}]
  patches: [{patch: "- {op: replace, path: /spec/replicas, value: 5}", target: {kind: Deployment}}]
  postBuild: {substitute: {LEVEL: "7"}}
"""


def test_the_options_of_a_flux_kustomization_are_applied():
    graph = linked(
        {
            **FILES,
            "ks.yaml": FLUX + "  components: [../parts]\n",
            "parts/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
            "resources: [c.yaml]\n",
            "parts/c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {level: '${LEVEL}', raw: '$${LEVEL}'}\n",
        }
    )
    objects = {
        item.ref.kind: item.data for item in graph.rendered["flux:Kustomization/flux-system/web@"].objects
    }
    deployment: Any = objects["Deployment"]
    assert deployment["metadata"] == {
        "name": "my-web",
        "namespace": "shop",
        "labels": {"team": "x"},
        "annotations": {"note": "z"},
    }
    assert deployment["spec"]["replicas"] == 5
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "envoy:1.31"
    assert objects["ConfigMap"]["metadata"]["name"] == "my-c"
    assert objects["ConfigMap"]["data"] == {"level": 7, "raw": "${LEVEL}"}


def test_an_option_that_cannot_be_built_is_reported_on_the_agent_object():
    graph = linked({**FILES, "ks.yaml": FLUX.replace("- {op: replace,", "- {op: nothing,")})
    (entry,) = graph.unchecked
    assert entry.location is not None
    assert entry.location.file == "ks.yaml"


def test_the_options_of_an_argo_cd_application_are_applied():
    application = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web, namespace: argocd}
spec:
  source:
    repoURL: https://example.test/r.git
    path: base
    kustomize: {nameSuffix: -x, images: ["envoy=mirror/envoy:2@sha256:%s", "ghcr.io/acme/web:3"], commonLabels: {t: u}}
  destination: {name: in-cluster, namespace: shop}
""" % ("0" * 64)
    graph = linked({**FILES, "app.yaml": application})
    (item,) = graph.rendered["argocd:Application/argocd/web@"].objects
    images = [container["image"] for container in item.data["spec"]["template"]["spec"]["containers"]]
    assert images == [f"mirror/envoy:2@sha256:{'0' * 64}", "ghcr.io/acme/web:3"]
    assert str(item.ref) == "apps/v1/Deployment/shop/web-x"
    assert item.data["spec"]["selector"]["matchLabels"] == {"app": "web", "t": "u"}


@pytest.mark.parametrize("more", ["", "labelWithoutSelector: true", "commonAnnotationsEnvsubst: true"])
def test_what_an_application_writes_stands_in_it_and_what_it_moves_in_the_kustomization(more: str):
    kustomization = (
        "resources: [web.yaml]\nimages:\n- {name: ghcr.io/acme/web, newTag: '2'}\n- {name: envoy, newTag: '3'}\n"
        "labels:\n- pairs: {own: x}\n  includeSelectors: true\nreplicas:\n- {name: web, count: 2}\n"
    )
    application = f"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: web, namespace: argocd}}
spec:
  source:
    repoURL: https://example.test/r.git
    path: base
    kustomize:
      commonLabels:
        team: u
      commonAnnotations:
        note: plain
      images:
      - envoy=mirror/envoy:4
      replicas:
      - {{name: web, count: 4}}
      {more}
  destination: {{name: in-cluster, namespace: shop}}
"""
    graph = linked({**FILES, "base/kustomization.yaml": kustomization, "app.yaml": application})
    (item,) = graph.rendered["argocd:Application/argocd/web@"].objects
    app, own = "app.yaml", "base/kustomization.yaml"
    places = {
        ("metadata", "labels", "team"): (app, 10),
        ("metadata", "labels", "own"): (own, 6),
        ("metadata", "annotations", "note"): (app, 12),
        (*CONTAINERS, 0, "image"): (app, 14),
        (*CONTAINERS, 1, "image"): (own, 3),
        ("spec", "replicas"): (app, 16),
    }
    assert {path: place(graph, item, path) for path in places} == places


def test_a_directory_source_reads_what_argo_cd_reads():
    application = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web, namespace: argocd}
spec:
  source: {repoURL: "https://example.test/r.git", path: d, directory: {recurse: true, exclude: "{skip*,*.json}"}}
  destination: {name: in-cluster, namespace: shop}
"""
    one = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"
    files = {"app.yaml": application, "d/a.yml": one % "a", "d/x/b.yaml": one % "b", "d/skip.yaml": one % "c"}
    graph = linked({**files, "d/e.json": "{}", "d/notes.txt": "x"})
    assert [item.ref.name for item in graph.rendered["argocd:Application/argocd/web@"].objects] == ["a", "b"]


KUSTOMIZATION = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: "NAME", namespace: flux-system}
spec:
  path: ./apps
  sourceRef: {kind: GitRepository, name: flux-system}
  postBuild: {substitute: {V: "VALUE"}}
"""


@pytest.mark.parametrize(
    ("name", "value"), [("one", "x" * 100_000), ("a${V}", "${V}" * 10)], ids=["wide", "growing by itself"]
)
def test_variables_that_blow_an_object_up_fail_the_delivery(name: str, value: str):
    repo = from_files(
        {
            "clusters/x/apps.yaml": KUSTOMIZATION.replace("NAME", "root").replace("VALUE", value),
            "apps/apps.yaml": KUSTOMIZATION.replace("NAME", name).replace("VALUE", value),
            "apps/settings.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
            f"data: {{a: '{'${V} ' * 1000}'}}\n",
        }
    )
    graph = link(repo, render=Renders(repo))
    assert "the variables bring more than 8 MiB into one object" in {
        entry.why.partition(": ")[2] for entry in graph.unchecked
    }


def test_common_metadata_of_flux_reaches_the_objects_and_no_pod_template():
    kustomization = KUSTOMIZATION.replace("NAME", "root").replace("VALUE", "1")
    kustomization += "  commonMetadata:\n    labels: {team: shop}\n    annotations:\n      owner: ${V}\n"
    repo = from_files({"clusters/x/apps.yaml": kustomization, "apps/web.yaml": DEPLOYMENT})
    graph = link(repo, render=Renders(repo))
    (found,) = graph.rendered[graph.deliveries[0].id].objects
    # Set after substitution: the controller writes it when it applies.
    assert found.data["metadata"]["annotations"] == {"owner": "${V}"}
    assert found.data["metadata"]["labels"] == {"team": "shop"}
    assert "annotations" not in found.data["spec"]["template"]["metadata"]
    place = found.origin(("metadata", "annotations", "owner"))
    assert place.path == ("spec", "commonMetadata", "annotations", "owner")
