"""What Flux delivers: ResourceSets, other clusters, sources of every kind, late variables, hostile objects."""

from __future__ import annotations

import pytest

from gitops_layout.agents.context import Declared, DeclaredCluster
from gitops_layout.graph.model import Graph
from gitops_layout.model import UncheckedClass
from gitops_layout.output.graph_text import to_text
from tests.graph.test_link import APPS, CONFIG_MAP, FLEET, SYNC, linked

CLUSTER = "clusters/prod-eu"
TENANTS = """\
apiVersion: fluxcd.controlplane.io/v1
kind: ResourceSet
metadata: {name: tenants, namespace: flux-system}
spec:
  commonMetadata: {labels: {team: platform}}
  dependsOn: [{apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, name: apps, namespace: flux-system}]
  inputs: [{tenant: web, path: apps/web/envs/prod}]
  inputsFrom: [{name: more}]
  resources:
    - apiVersion: v1
      kind: Namespace
      metadata: {name: << inputs.tenant >>}
    - apiVersion: v1
      kind: ConfigMap
      metadata:
        name: info
        namespace: << inputs.tenant >>
        annotations: {fluxcd.controlplane.io/copyFrom: flux-system/info}
    - apiVersion: kustomize.toolkit.fluxcd.io/v1
      kind: Kustomization
      metadata: {name: << inputs.tenant >>, namespace: << inputs.tenant >>}
      spec:
        interval: 10m
        path: ./<< inputs.path >>
        sourceRef: {kind: GitRepository, name: flux-system, namespace: flux-system}
"""
PROVIDER = """\
apiVersion: fluxcd.controlplane.io/v1
kind: ResourceSetInputProvider
metadata: {name: more, namespace: flux-system}
spec: {type: Static, defaultValues: {tenant: api, path: apps/old}}
"""
INFO = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: info, namespace: flux-system}\ndata: {DOMAIN: example.test}\n"


def ids(graph: Graph) -> list[str]:
    return [delivery.id for delivery in graph.deliveries]


def test_a_resource_set_is_a_delivery_and_so_is_what_it_makes():
    graph = linked(
        {
            **FLEET,
            f"{CLUSTER}/tenants.yaml": TENANTS,
            f"{CLUSTER}/provider.yaml": PROVIDER,
            f"{CLUSTER}/info.yaml": INFO,
        }
    )
    assert ids(graph) == [
        "flux:Kustomization/api/api@prod-eu",
        "flux:Kustomization/flux-system/apps@prod-eu",
        "flux:Kustomization/flux-system/flux-system@prod-eu",
        "flux:Kustomization/web/web@prod-eu",
        "flux:ResourceSet/flux-system/tenants@prod-eu",
    ]
    assert graph.unchecked == ()
    assert "apps/old/settings.yaml" in graph.live
    objects = {
        str(item.ref): item for item in graph.rendered["flux:ResourceSet/flux-system/tenants@prod-eu"].objects
    }
    info = objects["v1/ConfigMap/web/info"]
    assert info.data["data"] == {"DOMAIN": "example.test"}
    assert info.data["metadata"]["labels"] == {"team": "platform"}
    web = graph.deliveries[3]
    assert (web.root.file, web.source.path) == (f"{CLUSTER}/tenants.yaml", "apps/web/envs/prod")
    line = graph.repo.span(web.place("path")).line
    assert TENANTS.splitlines()[line - 1].strip() == "path: ./<< inputs.path >>"


def test_what_a_resource_set_copies_and_nothing_brings_is_unseen():
    graph = linked({**FLEET, f"{CLUSTER}/tenants.yaml": TENANTS, f"{CLUSTER}/provider.yaml": PROVIDER})
    (entry,) = graph.unchecked
    assert (entry.kind, entry.subject) == (UncheckedClass.EXTERNAL, ("kind", "ConfigMap/flux-system/info"))
    assert entry.what.startswith("ConfigMap flux-system/info")


def test_variables_that_another_delivery_brings_reach_the_objects_that_a_delivery_makes():
    """The path of a grandchild, and even its name, hang on a variable that only comes with a later delivery."""
    child = APPS.replace("name: apps,", 'name: "app-${STAGE}",').replace("envs/prod", "envs/${STAGE}")
    parent = (
        SYNC.replace("name: flux-system, namespace", "name: platform, namespace")
        .replace("./clusters/prod-eu", "./platform")
        .replace(
            "interval: 10m", "interval: 10m\n  postBuild: {substituteFrom: [{kind: ConfigMap, name: vars}]}"
        )
    )
    late = SYNC.replace("name: flux-system, namespace", "name: zz, namespace").replace(
        "./clusters/prod-eu", "./variables"
    )
    files = {path: text for path, text in FLEET.items() if not path.endswith("apps.yaml")}
    graph = linked(
        {
            **files,
            f"{CLUSTER}/platform.yaml": parent,
            f"{CLUSTER}/zz.yaml": late,
            "platform/apps.yaml": child,
            "variables/vars.yaml": INFO.replace("name: info", "name: vars").replace(
                "DOMAIN: example.test", "STAGE: prod"
            ),
        }
    )
    assert "flux:Kustomization/flux-system/app-prod@prod-eu" in ids(graph)
    assert not [name for name in ids(graph) if "$" in name]
    assert graph.unchecked == ()


def test_a_kustomization_with_a_kubeconfig_delivers_to_the_cluster_that_it_names():
    remote = "  kubeConfig: {secretRef: {name: stage-kubeconfig}}\n  postBuild: {substituteFrom: [{kind: ConfigMap, name: info}]}\n"
    files = {
        **FLEET,
        f"{CLUSTER}/apps.yaml": APPS + remote,
        f"{CLUSTER}/info.yaml": INFO.replace("DOMAIN", "HOST"),
    }
    graph = linked(files)
    apps = next(delivery for delivery in graph.deliveries if delivery.name == "apps")
    assert (apps.id, apps.cluster, apps.home) == (
        "flux:Kustomization/flux-system/apps@prod-eu",
        "stage",
        "prod-eu",
    )
    assert graph.unchecked == ()  # the variables are looked up where the Kustomization lives
    assert "by the agent in prod-eu" in to_text(graph)


def test_a_hub_with_a_namespace_a_cluster_has_a_cluster_in_each():
    remote = "  kubeConfig: {secretRef: {name: cluster-kubeconfig}}\n"
    spokes = {
        f"{CLUSTER}/{name}.yaml": APPS.replace("namespace: flux-system}", f"namespace: {name}}}", 1) + remote
        for name in ("north", "south")
    }
    graph = linked({**FLEET, **spokes})
    assert {d.cluster for d in graph.deliveries if d.namespace in ("north", "south")} == {"north", "south"}


def test_a_kubeconfig_in_a_config_map_names_its_cluster_by_address_or_at_the_cloud():
    reference = "  kubeConfig: {configMapRef: {name: way}}\n"
    for data, declared, expected in (
        ("{provider: generic, address: 'https://10.0.0.1'}", "https://10.0.0.1", "edge"),
        ("{provider: aws, cluster: 'arn:aws:eks:eu-west-1:1:cluster/blue'}", "https://10.0.0.1", "blue"),
    ):
        config_map = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: way, namespace: flux-system}}\ndata: {data}\n"
        graph = linked(
            {**FLEET, f"{CLUSTER}/apps.yaml": APPS + reference, f"{CLUSTER}/way.yaml": config_map},
            Declared(clusters=(DeclaredCluster("edge", server=declared),)),
        )
        assert next(d.cluster for d in graph.deliveries if d.name == "apps") == expected


SOURCES = {
    "Bucket": (
        "endpoint: minio.test, bucketName: fleet",
        "Bucket flux-system/s is bucket://minio.test/fleet",
    ),
    "OCIRepository": (
        "url: 'oci://example.test/platform'",
        "OCIRepository flux-system/s is oci://example.test/platform",
    ),
    "HelmRepository": ("url: 'https://example.test'", "HelmRepository flux-system/s holds no files"),
    "ExternalArtifact": ("{}", "ExternalArtifact flux-system/s is filled by something in the cluster"),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_a_source_outside_says_what_it_is(kind: str):
    spec, why = SOURCES[kind]
    source = (
        f"apiVersion: source.toolkit.fluxcd.io/v1\nkind: {kind}\nmetadata: {{name: s, namespace: flux-system}}\n"
        f"spec: {spec if spec == '{}' else f'{{interval: 1m, {spec}}}'}\n"
    )
    pulled = APPS.replace("kind: GitRepository, name: flux-system", f"kind: {kind}, name: s")
    graph = linked({**FLEET, f"{CLUSTER}/apps.yaml": pulled, f"{CLUSTER}/s.yaml": source})
    (entry,) = graph.unchecked
    assert (entry.kind, entry.why) == (UncheckedClass.EXTERNAL, why)


def test_a_path_below_an_included_repository_is_a_path_of_that_one():
    other = (
        "---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\n"
        "metadata: {name: outer, namespace: flux-system}\n"
        "spec: {url: 'https://elsewhere.test/x', include: [{repository: {name: flux-system}, fromPath: apps, toPath: in}]}\n"
    )
    pulled = APPS.replace("name: flux-system}", "name: outer}").replace("./apps/web", "./in/web")
    graph = linked(
        {
            **FLEET,
            f"{CLUSTER}/apps.yaml": pulled.replace(
                "{name: apps, namespace: flux-system}", "{name: apps, namespace: flux-system}"
            )
            + other,
        }
    )
    apps = next(delivery for delivery in graph.deliveries if delivery.name == "apps")
    assert (apps.source.local, apps.source.path) == (True, "apps/web/envs/prod")


def test_a_source_that_a_later_delivery_brings_is_found():
    pulled = APPS.replace("name: flux-system}", "name: late, namespace: sources}")
    sources = (
        SYNC.replace("name: flux-system, namespace", "name: zz, namespace").replace(
            "./clusters/prod-eu", "./sources"
        )
        + "  targetNamespace: sources\n"
    )
    late = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: late}\nspec: {url: 'https://example.test/acme/fleet'}\n"
    graph = linked(
        {
            **FLEET,
            f"{CLUSTER}/apps.yaml": pulled,
            f"{CLUSTER}/zz.yaml": sources,
            "sources/late.yaml": late,
        }
    )
    assert graph.unchecked == ()
    assert "apps/web/base/settings.yaml" in graph.live


INSTANCE = """\
apiVersion: fluxcd.controlplane.io/v1
kind: FluxInstance
metadata: {name: flux, namespace: flux-system}
spec:
  sync: {kind: GitRepository, url: 'https://example.test/acme/fleet.git', ref: refs/heads/main, path: clusters/prod-eu}
  kustomize:
    patches:
      - target: {kind: Kustomization, name: flux-system}
        patch: |
          - op: add
            path: /spec/postBuild
            value: {substitute: {HOST: patched.example.test}}
      - target: {kind: GitRepository}
        patch: |
          kind: GitRepository
          metadata: {name: all}
          spec: {ref: {name: refs/tags/v1}}
      - target: {kind: Kustomization}
        patch: |
          - op: move
            from: /spec/a
            path: /spec/b
"""


def test_patches_of_a_flux_instance_act_on_the_objects_that_it_makes():
    files = {f"{CLUSTER}/flux-system/flux.yaml": INSTANCE, f"{CLUSTER}/settings.yaml": CONFIG_MAP}
    graph = linked(files)
    (delivery,) = graph.deliveries
    assert delivery.source.revision is not None
    assert (delivery.source.revision.kind, delivery.source.revision.name) == ("tag", "refs/tags/v1")
    hosts = [item.data["data"]["host"] for item in graph.rendered[delivery.id].objects if "data" in item.data]
    assert hosts == ["patched.example.test"]
    assert [entry.what for entry in graph.unchecked] == [
        f"spec.kustomize.patches[2] of delivery {delivery.id}"
    ]


OLD = """\
apiVersion: kustomize.toolkit.fluxcd.io/%s
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec:
  interval: 10m
  path: ./apps/web/envs/prod
  validation: client
  sourceRef: {kind: GitRepository, name: flux-system}
  patchesStrategicMerge:
    - apiVersion: v1
      kind: ConfigMap
      metadata: {name: settings}
      data:
        host: old.example.test
  patchesJson6902:
    - target: {version: v1, kind: ConfigMap, name: settings}
      patch:
        - {op: test, path: /data/n, value: '1'}
        - op: replace
          path: /data/n
          value: two
"""


@pytest.mark.parametrize("version", ["v1beta1", "v1beta2"])
def test_the_patches_of_the_first_apis_apply_and_stand_in_the_agents_object(version: str):
    graph = linked({**FLEET, "clusters/prod-eu/apps.yaml": OLD % version})
    (item,) = graph.rendered["flux:Kustomization/flux-system/apps@prod-eu"].objects
    assert item.data["data"] == {"host": "old.example.test", "n": "two"}
    places = [item.origin(("data", name)) for name in ("host", "n")]
    assert [place.file for place in places] == ["clusters/prod-eu/apps.yaml"] * 2
    assert [graph.repo.span(place).line for place in places] == [14, 21]
    assert item.origin(("metadata", "name")).file == "apps/web/base/settings.yaml"
    assert graph.unchecked == ()


def test_a_cluster_with_the_present_api_drops_the_patches_of_the_first_ones():
    graph = linked({**FLEET, "clusters/prod-eu/apps.yaml": OLD % "v1"})
    (item,) = graph.rendered["flux:Kustomization/flux-system/apps@prod-eu"].objects
    assert item.data["data"]["n"] == "1"
    assert [entry.what.partition(" ")[0] for entry in graph.unchecked] == [
        "spec.patchesStrategicMerge",
        "spec.patchesJson6902",
    ]


WRITES = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec:
  interval: 10m
  path: ./apps/web/envs/prod
  sourceRef: {kind: GitRepository, name: flux-system}
  targetNamespace: shop
  images:
    - name: web
      newTag: "2"
  patches:
    - target: {kind: Pod}
      patch: |
        - op: add
          path: /metadata/labels
          value: {team: shop}
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers: [{name: web, image: "web:1"}]
"""


def test_what_flux_writes_into_the_kustomization_stands_in_its_object_and_changes_only_what_it_names():
    files = {
        **FLEET,
        "clusters/prod-eu/apps.yaml": WRITES,
        "apps/web/base/kustomization.yaml": "resources: [pod.yaml]\n",
        "apps/web/base/pod.yaml": POD,
        "apps/web/envs/prod/kustomization.yaml": (
            "resources: [../../base]\nimages: [{name: web, newName: registry.test/web, newTag: '1'}]\n"
        ),
    }
    graph = linked(files)
    (item,) = graph.rendered["flux:Kustomization/flux-system/apps@prod-eu"].objects
    assert item.data["spec"]["containers"][0]["image"] == "registry.test/web:2"
    image = item.origin(("spec", "containers", 0, "image"))
    where = [image, item.origin(("metadata", "namespace")), item.origin(("metadata", "labels", "team"))]
    assert [place.file for place in where] == ["clusters/prod-eu/apps.yaml"] * 3
    assert [graph.repo.span(place).line for place in where] == [11, 8, 17]


def test_a_source_in_a_folder_that_no_agent_reaches_is_not_that_of_the_cluster_it_is_called_after():
    source = (
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {{name: fleet, namespace: flux-system}}\n"
        "spec: {{interval: 1m, url: 'https://example.test/acme/fleet.git', ignore: '{}'}}\n"
    )
    files = {
        **FLEET,
        f"{CLUSTER}/source.yaml": source.format("/docs"),
        f"{CLUSTER}/apps.yaml": APPS.replace("name: flux-system}", "name: fleet}"),
        f"deprecated/{CLUSTER}/sources/kustomization.yaml": "resources: [source.yaml]\n",
        f"deprecated/{CLUSTER}/sources/source.yaml": source.format("/apps"),
    }
    apps = next(delivery for delivery in linked(files).deliveries if delivery.name == "apps")
    assert apps.source.ignore == "/docs"


def test_a_root_that_no_agent_names_brings_the_sources_of_its_own_releases():
    """As a tenant's repository has it: the overlay gives the namespace, and the version of each environment."""
    files = {
        "base/kustomization.yaml": "resources: [release.yaml]\n",
        "base/release.yaml": """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: cache}
spec: {interval: 10m, chartRef: {kind: OCIRepository, name: cache}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {name: cache}
spec: {interval: 10m, url: oci://charts.example.test/cache}
""",
    }
    for environment in ("dev", "prod"):
        patch = f'[{{"op": "add", "path": "/spec/ref", "value": {{"tag": "{environment}"}}}}]'
        files[f"envs/{environment}/kustomization.yaml"] = (
            f"namespace: pay\nresources: [../../base]\npatches:\n  - target: {{kind: OCIRepository}}\n    patch: '{patch}'\n"
        )
    graph = linked(files)
    releases = [delivery for delivery in graph.deliveries if delivery.kind == "HelmRelease"]
    assert {
        (delivery.cluster, delivery.source.url, delivery.source.revision.name)
        for delivery in releases
        if delivery.source.revision is not None
    } == {
        ("envs/dev", "oci://charts.example.test/cache", "dev"),
        ("envs/prod", "oci://charts.example.test/cache", "prod"),
    }
