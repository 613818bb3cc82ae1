"""Where a delivery goes: environments by what speaks of them, and the namespaces that objects get."""

from __future__ import annotations

import json

import pytest

from gitops_layout.agents.context import Declared, DeclaredEnvironment
from gitops_layout.graph.explain import whys
from tests.agents.trees import OWN, application, config_map
from tests.graph.test_link import APPLICATION, APPS, CONFIG_MAP, FLEET, SOURCE, linked

ELSEWHERE = SOURCE.replace("name: flux-system", "name: other", 1).replace("acme/fleet", "acme/elsewhere")


@pytest.mark.parametrize(("cluster", "environment"), [("prod-eu", "prod"), ("update", "production")])
def test_what_another_repository_calls_its_folders_counts_where_nothing_here_names_an_environment(
    cluster: str, environment: str
):
    foreign = APPS.replace("./apps/web/envs/prod", "./configs/production").replace(
        "name: apps", "name: foreign"
    )
    added = f"{ELSEWHERE}---\n{foreign}".replace("name: flux-system}\n", "name: other}\n")
    files = {**FLEET, "clusters/prod-eu/x.yaml": added}
    graph = linked(
        {name.replace("prod-eu", cluster): text.replace("prod-eu", cluster) for name, text in files.items()}
    )
    (found,) = (delivery for delivery in graph.deliveries if not delivery.source.local)
    assert found.environment == environment


@pytest.mark.parametrize("glob", ["overlays/blue", "overlays/blue/", "overlays/blue/**", "overlays/b*/**"])
def test_a_declared_glob_names_a_folder_and_all_below_it(glob: str):
    declared = Declared(environments=(DeclaredEnvironment("customers", "prod", (glob,)),))
    folders = ("overlays/blue", "overlays/blue/more", "overlays/green")
    files = {f"{folder}/kustomization.yaml": "resources: [a.yaml]\n" for folder in folders}
    graph = linked({**files, **{f"{folder}/a.yaml": CONFIG_MAP for folder in folders}}, declared)
    assert [delivery.environment for delivery in graph.deliveries] == ["customers", "customers", None]


def test_what_a_delivery_brings_is_where_that_is_unless_something_else_says_so():
    declared = Declared(
        environments=tuple(
            DeclaredEnvironment(name, "nonprod", (f"apps/*/envs/{name}",)) for name in ("dev", "qa")
        )
    )
    files = {"clusters/one/source.yaml": SOURCE}
    for name in ("dev", "qa"):
        apps = APPS.replace("name: apps", f"name: apps-{name}").replace("envs/prod", f"envs/{name}")
        files[f"clusters/one/{name}.yaml"] = apps
        overlay = f"namePrefix: {name}-\nresources: [../../base]\n"
        files[f"apps/web/envs/{name}/kustomization.yaml"] = overlay
    files["apps/web/base/kustomization.yaml"] = "resources: [child.yaml]\n"
    files["apps/web/base/child.yaml"] = APPLICATION % ("child", "common")
    graph = linked({**files, "common/a.yaml": CONFIG_MAP}, declared)
    found = {delivery.name: delivery.environment for delivery in graph.deliveries}
    assert found == {"apps-dev": "dev", "dev-child": "dev", "apps-qa": "qa", "qa-child": "qa"}
    reasons = {delivery.name: why.environment for delivery, why in whys(graph)}
    assert reasons["qa-child"].endswith("apps-qa@one is in it and brings its object")


def test_files_beside_each_other_that_stand_for_clusters_name_their_environments():
    roots = {f"root/root-{name}.yaml": APPLICATION % ("root", "apps") for name in ("dev", "stag", "prod")}
    graph = linked({**roots, "apps/web.yaml": APPLICATION % ("web", "web"), "web/a.yaml": CONFIG_MAP})
    found = {(delivery.name, delivery.environment) for delivery in graph.deliveries}
    assert found == {(name, stage) for name in ("root", "web") for stage in ("dev", "stag", "prod")}
    reasons = {why.environment for delivery, why in whys(graph) if delivery.environment == "dev"}
    assert reasons == {"file root/root-dev is for one cluster, and called so"}


def test_argo_cd_puts_objects_of_kinds_that_are_known_to_have_one_into_the_destinations_namespace():
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "spec": {"group": "acme.test", "versions": []},
    }
    kinds = [
        ("external-secrets.io/v1", "ExternalSecret", "shop"),
        ("external-secrets.io/v1", "ClusterSecretStore", ""),
        ("acme.test/v1", "Space", "shop"),
        ("acme.test/v1", "Region", ""),
        ("other.test/v1", "Thing", ""),
        ("v1", "Namespace", ""),
    ]
    files = {
        f"a/{kind}.yaml": json.dumps({"apiVersion": version, "kind": kind, "metadata": {"name": "x"}})
        for version, kind, _ in kinds
    }
    for kind, scope in (("Space", "Namespaced"), ("Region", "Cluster")):
        named = {"name": f"{kind.lower()}s.acme.test"}
        spec = {**definition["spec"], "names": {"kind": kind}, "scope": scope}
        files[f"crds/{kind}.yaml"] = json.dumps({**definition, "metadata": named, "spec": spec})
    files["web.yaml"] = application({"source": {"repoURL": OWN, "path": "a"}})
    files["a/c.yaml"] = config_map("c")
    graph = linked(files)
    (delivery,) = (delivery for delivery in graph.deliveries if delivery.agent == "argocd")
    found = {item.ref.kind: item.ref.namespace for item in graph.rendered[delivery.id].objects}
    assert found == {kind: namespace for _, kind, namespace in kinds} | {"ConfigMap": "shop"}


def test_the_folder_of_the_agent_itself_is_no_clusters_name():
    sync = FLEET["clusters/prod-eu/flux-system/gotk-sync.yaml"]
    graph = linked(
        {
            "clusters/prod-eu/flux-system/flux-system/gotk-sync.yaml": sync.replace(
                "./clusters/prod-eu", "./clusters/prod-eu/flux-system"
            ),
            "clusters/prod-eu/apps.yaml": APPS,
            "apps/web/envs/prod/a.yaml": CONFIG_MAP,
        }
    )
    assert [cluster.name for cluster in graph.clusters] == ["prod-eu"]


def test_a_folder_that_clusters_share_is_no_cluster_unless_an_agent_is_told_so():
    shared = {"clusters/_shared/x.yaml": APPS.replace("name: apps", "name: lonely")}
    graph = linked({**FLEET, **shared})
    assert [cluster.name for cluster in graph.clusters] == ["prod-eu"]
    (lonely,) = (delivery for delivery in graph.deliveries if delivery.name == "lonely")
    assert lonely.cluster == "clusters/_shared"
    sync = FLEET["clusters/prod-eu/flux-system/gotk-sync.yaml"].replace(
        "clusters/prod-eu", "clusters/_shared"
    )
    graph = linked({**FLEET, **shared, "clusters/_shared/flux-system/gotk-sync.yaml": sync})
    assert "_shared" in [cluster.name for cluster in graph.clusters]


@pytest.mark.parametrize(
    ("cluster", "environment"),
    [
        ("eks-euw1-prod-01", "prod"),
        ("gke-dev-a", "dev"),
        ("prod1", "prod"),
        ("eks-non-prod-01", None),
        ("eks-nonprod2", "nonprod"),
        ("a-dev-or-prod-b", None),
        ("x-demo-1", None),
        ("eks-product-01", None),
    ],
)
def test_one_usual_name_inside_a_clusters_name_is_its_environment(cluster: str, environment: str | None):
    sync = FLEET["clusters/prod-eu/flux-system/gotk-sync.yaml"].replace("prod-eu", cluster)
    graph = linked({f"clusters/{cluster}/flux-system/gotk-sync.yaml": sync})
    assert [delivery.environment for delivery in graph.deliveries] == [environment]
