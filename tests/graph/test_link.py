"""What a repository delivers: both agents, patched children, reachability, environments."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitops_layout.agents.context import Declared, DeclaredCluster, DeclaredEnvironment
from gitops_layout.graph.explain import parents
from gitops_layout.graph.link import link
from gitops_layout.graph.model import Graph
from gitops_layout.helm.find import NoHelm, find
from gitops_layout.model import UncheckedClass
from gitops_layout.render.build import Renders
from gitops_layout.render.foreign import as_local
from gitops_layout.repo.load import from_files

SOURCE = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system}
spec: {interval: 1m, url: "https://example.test/acme/fleet.git", ref: {branch: main}}
"""
SYNC = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-system, namespace: flux-system}
spec:
  interval: 10m
  path: ./clusters/prod-eu
  prune: true
  sourceRef: {kind: GitRepository, name: flux-system}
"""
APPS = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec:
  interval: 10m
  path: ./apps/web/envs/prod
  sourceRef: {kind: GitRepository, name: flux-system}
"""
CONFIG_MAP = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {host: \"${HOST}\", n: '1'}\n"
)
FLEET = {
    "clusters/prod-eu/flux-system/gotk-sync.yaml": f"{SOURCE}---\n{SYNC}",
    "clusters/prod-eu/flux-system/kustomization.yaml": "resources: [gotk-sync.yaml]\n",
    "clusters/prod-eu/apps.yaml": APPS,
    "apps/web/envs/prod/kustomization.yaml": "resources: [../../base]\nnamespace: web\n",
    "apps/web/base/kustomization.yaml": "resources: [settings.yaml]\n",
    "apps/web/base/settings.yaml": CONFIG_MAP,
    "apps/old/kustomization.yaml": "resources: [settings.yaml]\n",
    "apps/old/settings.yaml": CONFIG_MAP,
}


def linked(files: dict[str, str], declared: Declared | None = None) -> Graph:
    repo = from_files(files)  # type: ignore[arg-type]
    return link(repo, render=Renders(repo), declared=declared)


def test_a_flux_cluster_is_followed_from_its_sync_object_to_the_applications():
    graph = linked(FLEET)
    ids = [delivery.id for delivery in graph.deliveries]
    assert ids == [
        "flux:Kustomization/flux-system/apps@prod-eu",
        "flux:Kustomization/flux-system/flux-system@prod-eu",
        "kustomize:Kustomization//apps/old@",
    ]
    apps = graph.deliveries[0]
    assert (apps.environment, apps.tier, apps.cluster, apps.source.path) == (
        "prod",
        "prod",
        "prod-eu",
        "apps/web/envs/prod",
    )
    assert [str(item.ref) for item in graph.rendered[apps.id].objects] == ["v1/ConfigMap/web/settings"]
    assert "apps/web/base/settings.yaml" in graph.live
    assert "apps/old/settings.yaml" not in graph.live
    assert [delivery.live for delivery in graph.deliveries] == [True, True, False]
    assert graph.unchecked == ()


def test_what_a_parent_patches_into_its_children_counts():
    patched = (
        SYNC
        + "  patches:\n  - target: {kind: Kustomization, name: apps}\n    patch: |\n"
        + (
            "      apiVersion: kustomize.toolkit.fluxcd.io/v1\n      kind: Kustomization\n      metadata: {name: all}\n"
            "      spec: {prune: true, postBuild: {substitute: {HOST: prod.example.test, n: x}}}\n"
        )
    )
    graph = linked({**FLEET, "clusters/prod-eu/flux-system/gotk-sync.yaml": f"{SOURCE}---\n{patched}"})
    apps = graph.deliveries[0]
    assert apps.sync.prune is True
    assert apps.root.file == "clusters/prod-eu/apps.yaml"
    (settings,) = graph.rendered[apps.id].objects
    assert settings.data["data"] == {"host": "prod.example.test", "n": "1"}


def test_one_folder_of_agent_objects_included_by_two_clusters_is_two_deliveries():
    files = {
        path.replace("prod-eu", cluster): text.replace("prod-eu", cluster)
        for cluster in ("prod-eu", "prod-us")
        for path, text in FLEET.items()
        if not path.endswith("apps.yaml")
    }
    for cluster in ("prod-eu", "prod-us"):
        files[f"clusters/{cluster}/kustomization.yaml"] = "resources: [flux-system, ../../shared]\n"
    files["shared/kustomization.yaml"] = "resources: [apps.yaml]\n"
    files["shared/apps.yaml"] = APPS
    ids = {delivery.id for delivery in linked(files).deliveries}
    assert {
        "flux:Kustomization/flux-system/apps@prod-eu",
        "flux:Kustomization/flux-system/apps@prod-us",
    } <= ids
    assert not any(id_.endswith("apps@shared") for id_ in ids)


INSTANCE = """\
apiVersion: fluxcd.controlplane.io/v1
kind: FluxInstance
metadata: {name: flux, namespace: flux-system}
spec:
  distribution: {version: "2.9.x", registry: ghcr.io/fluxcd}
  sync: {kind: GitRepository, url: "https://example.test/acme/fleet.git", ref: refs/heads/main, path: clusters/prod-eu}
"""


def test_the_sync_of_a_flux_instance_is_a_root():
    files = {path: text for path, text in FLEET.items() if "flux-system" not in path}
    graph = linked({**files, "clusters/prod-eu/flux-system/flux-instance.yaml": INSTANCE})
    ids = [delivery.id for delivery in graph.deliveries if delivery.live]
    assert ids == [
        "flux:FluxInstance/flux-system/flux@prod-eu",
        "flux:Kustomization/flux-system/apps@prod-eu",
    ]


@pytest.mark.parametrize(
    ("name", "namespace"), [("fleet", "flux-system"), (None, "delivery"), ("all", "ops")]
)
def test_the_source_that_a_flux_instance_brings_is_one_by_the_name_that_its_sync_gives_it(
    name: str | None, namespace: str
):
    instance = INSTANCE.replace("namespace: flux-system", f"namespace: {namespace}")
    instance = instance.replace("sync: {", f"sync: {{name: {name}, " if name else "sync: {")
    apps = APPS.replace(
        "kind: GitRepository, name: flux-system", f"kind: GitRepository, name: {name or namespace}"
    )
    apps = apps.replace("namespace: flux-system", f"namespace: {namespace}")
    files = {path: text for path, text in FLEET.items() if "flux-system" not in path}
    file = "clusters/prod-eu/flux-system/flux-instance.yaml"
    graph = linked({**files, file: instance, "clusters/prod-eu/apps.yaml": apps})
    delivery = next(one for one in graph.deliveries if one.name == "apps")
    assert delivery.source.local
    assert delivery.source.url == "https://example.test/acme/fleet.git"
    assert delivery.source.defined is not None
    assert delivery.source.defined.file == file
    assert len(graph.rendered[delivery.id].objects) == 1
    assert graph.unchecked == ()


GENERATOR = """\
apiVersion: source.extensions.fluxcd.io/v1beta1
kind: ArtifactGenerator
metadata: {name: parts, namespace: flux-system}
spec:
  sources: [{alias: repo, kind: GitRepository, name: flux-system}]
  artifacts: [{name: web, copy: [{from: "@repo/apps/web/base/**", to: "@artifact/base/"}, {from: "@repo/apps/web/envs/**", to: "@artifact/envs/"}]}]
"""


def test_a_path_in_a_generated_artifact_is_found_in_the_repository():
    apps = APPS.replace("./apps/web/envs/prod", "./envs/prod").replace(
        "GitRepository, name: flux-system", "ExternalArtifact, name: web"
    )
    graph = linked(
        {**FLEET, "clusters/prod-eu/apps.yaml": apps, "clusters/prod-eu/artifacts.yaml": GENERATOR}
    )
    delivery = graph.deliveries[0]
    assert delivery.source.path == "apps/web/envs/prod"
    assert len(graph.rendered[delivery.id].objects) == 1
    assert graph.unchecked == ()


def test_what_generators_would_make_is_listed_once_per_generator():
    generator = (
        "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: all, namespace: argocd}\n"
    )
    graph = linked({"clusters/prod/root.yaml": APPLICATION % ("root", "sets"), "sets/all.yaml": generator})
    (entry,) = graph.unchecked
    assert (entry.what, entry.subject) == ("ApplicationSet argocd/all", ("kind", "ApplicationSet/argocd/all"))


APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: %s, namespace: argocd}
spec:
  project: default
  source: {repoURL: "https://example.test/acme/fleet.git", targetRevision: main, path: %s}
  destination: {server: "https://kubernetes.default.svc", namespace: web}
"""


def test_argo_cd_applications_of_applications_are_followed():
    graph = linked(
        {
            "clusters/prod/root.yaml": APPLICATION % ("root", "clusters/prod/apps"),
            "clusters/prod/apps/web.yaml": APPLICATION % ("web", "apps/web"),
            "apps/web/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
            "apps/web/deep/b.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n",
        }
    )
    assert [delivery.id for delivery in graph.deliveries] == [
        "argocd:Application/argocd/root@prod",
        "argocd:Application/argocd/web@prod",
    ]
    web = graph.rendered["argocd:Application/argocd/web@prod"]
    assert [str(item.ref) for item in web.objects] == ["v1/ConfigMap/web/a"]


@pytest.mark.parametrize(
    ("file", "text", "live"),
    [
        ("two.yaml", APPLICATION % ("two", "apps/web"), True),
        ("two.yaml", APPS, True),
        ("two.yaml", CONFIG_MAP, False),
        (".ci/two.yaml", APPLICATION % ("two", "apps/web"), False),
    ],
)
def test_an_agents_object_that_is_no_yaml_is_missed(file: str, text: str, live: bool):
    one = {"one.yaml": APPLICATION % ("one", "apps/web"), "apps/web/a.yaml": CONFIG_MAP}
    graph = linked({**one, file: f"{text}  bad: [\n"})
    assert [delivery.name for delivery in graph.deliveries] == ["one"]
    assert graph.is_live(file) is live


@pytest.mark.parametrize("url", ["", '  repoURL: ""\n'])
def test_applications_without_a_repository_are_live_where_a_kustomization_completes_them(url: str):
    piece = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: %s, namespace: argocd}\nspec:\n"
        f" destination: {{namespace: a}}\n source:\n  path: apps/a\n{url}"
    )
    patch = "- {op: add, path: /spec/source/repoURL, value: 'https://example.test/acme/fleet.git'}"
    graph = linked(
        {
            "clusters/prod/root.yaml": APPLICATION % ("root", "parts"),
            "parts/kustomization.yaml": "resources: [kept.yaml]\n# - spare.yaml\npatches:\n"
            f"- target: {{kind: Application}}\n  patch: |\n    {patch}\n",
            "parts/kept.yaml": piece % "kept",
            "parts/spare.yaml": piece % "spare",
            "apps/a/a.yaml": CONFIG_MAP,
        }
    )
    assert [(d.name, d.live) for d in graph.deliveries if d.name != "root"] == [
        ("kept", True),
        ("spare", False),
    ]
    assert "apps/a/a.yaml" in graph.live
    assert not graph.is_live("parts/spare.yaml")


@pytest.mark.parametrize(
    "spec", ["{values: {host: a}}", "{chart: {spec: {version: 2.0.0}}}", "{chart: {spec: {chart: web}}}"]
)
def test_a_release_without_a_chart_is_a_patch_that_nobody_applies_as_it_is(spec: str):
    release = (
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: web}\n"
    )
    graph = linked(FLEET | {"apps/web/patches/release.yaml": f"{release}spec: {spec}\n"})
    whole = "chart: web" in spec
    assert [d.live for d in graph.deliveries if d.kind == "HelmRelease"] == [whole]
    assert graph.is_live("apps/web/patches/release.yaml") == whole


def test_of_several_overlays_the_one_of_its_own_place_brings_an_application():
    overlay = "resources: [../../base]\n"
    graph = linked(
        {
            "sites/base/kustomization.yaml": "resources: [web.yaml]\n",
            "sites/base/web.yaml": APPLICATION % ("web", "apps/web"),
            "sites/overlays/east/kustomization.yaml": overlay,
            "sites/overlays/west/kustomization.yaml": overlay,
            "apps/web/a.yaml": CONFIG_MAP,
        }
    )
    assert parents(graph) == {
        f"argocd:Application/argocd/web@sites/overlays/{site}": (
            f"kustomize:Kustomization//sites/overlays/{site}@",
        )
        for site in ("east", "west")
    }


APPLICATION_SET = """\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: all, namespace: argocd}
spec:
  goTemplate: true
  goTemplateOptions: ["missingkey=error"]
  generators:
  - matrix:
      generators:
      - clusters: {selector: {matchLabels: {env: prod}}}
      - git: {repoURL: "https://example.test/acme/fleet.git", revision: HEAD, directories: [{path: apps/*}]}
  template:
    metadata: {name: "{{.path.basename}}-{{.name}}"}
    spec:
      project: default
      source: {repoURL: "https://example.test/acme/fleet.git", targetRevision: HEAD, path: "{{.path.path}}"}
      destination: {server: "{{.server}}", namespace: "{{.path.basename}}"}
"""
CLUSTER = """\
apiVersion: v1
kind: Secret
metadata: {name: %s, namespace: argocd, labels: {argocd.argoproj.io/secret-type: cluster, env: %s}}
stringData: {name: %s, server: "https://%s.example.test"}
"""


def test_an_application_set_becomes_its_applications_on_their_clusters():
    files = {
        "clusters/hub/root.yaml": APPLICATION % ("root", "sets"),
        "sets/all.yaml": APPLICATION_SET,
        "clusters/eu.yaml": CLUSTER % ("eu", "prod", "eu", "eu"),
        "clusters/test.yaml": CLUSTER % ("test", "test", "test", "test"),
        "apps/web/a.yaml": CONFIG_MAP,
        "apps/api/a.yaml": CONFIG_MAP,
    }
    graph = linked(files)
    assert [(delivery.id, delivery.source.path) for delivery in graph.deliveries] == [
        ("argocd:Application/argocd/api-eu@eu", "apps/api"),
        ("argocd:Application/argocd/root@hub", "sets"),
        ("argocd:Application/argocd/web-eu@eu", "apps/web"),
    ]
    web = graph.deliveries[2]
    assert [str(item.ref) for item in graph.rendered[web.id].objects] == ["v1/ConfigMap/web/settings"]
    assert graph.repo.span(web.place("path")).line == 16
    assert graph.unchecked == ()


def test_an_application_set_that_needs_the_network_is_said_to():
    needing = APPLICATION_SET.replace(
        "- clusters: {selector: {matchLabels: {env: prod}}}", "- scmProvider: {}"
    )
    graph = linked({"sets/all.yaml": needing, "apps/web/a.yaml": CONFIG_MAP})
    assert [(entry.kind, entry.what) for entry in graph.unchecked] == [
        (UncheckedClass.EXTERNAL, "ApplicationSet argocd/all")
    ]


def test_a_source_elsewhere_is_external_and_named():
    declared = Declared(sources=("git@example.test:acme/fleet.git",))
    other = SOURCE.replace("name: flux-system", "name: other", 1).replace("acme/fleet", "acme/elsewhere")
    graph = linked(
        {**FLEET, "clusters/prod-eu/other.yaml": other + "---\n" + APPS.replace("flux-system}\nspec", "flux-system}\nspec").replace("name: apps", "name: foreign").replace("name: flux-system}\n", "name: other}\n")},
        declared,
    )  # fmt: skip
    (entry,) = graph.unchecked
    assert (entry.kind, entry.subject) == (
        UncheckedClass.EXTERNAL,
        ("source", "https://example.test/acme/elsewhere.git"),
    )
    assert entry.delivery == "flux:Kustomization/flux-system/foreign@prod-eu"


def test_of_several_sources_the_one_whose_paths_exist_is_this_repository():
    other = (
        (APPLICATION % ("other", "apps/web"))
        .replace("acme/fleet", "acme/elsewhere")
        .replace("apps/web", "apps/api")
    )
    graph = linked(
        {
            "a.yaml": APPLICATION % ("web", "apps/web"),
            "b.yaml": APPLICATION % ("api", "apps/api"),
            "c.yaml": other,
            "apps/web/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
            "apps/api/b.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n",
        }
    )
    assert [delivery.source.local for delivery in graph.deliveries] == [True, False, True]
    assert any("2 of the 2 paths" in sentence for sentence in graph.explain)


def test_a_path_that_does_not_exist_is_broken_on_its_line():
    graph = linked(
        {**FLEET, "clusters/prod-eu/apps.yaml": APPS.replace("envs/prod", "envs/gone")},
        Declared(sources=("https://example.test/acme/fleet",)),
    )
    (entry,) = graph.unchecked
    assert entry.kind == UncheckedClass.BROKEN
    assert entry.location is not None
    assert graph.repo.span(entry.location).line == 6


RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: redis, namespace: web}
spec: {interval: 10m, chartRef: {kind: OCIRepository, name: redis}}
"""


def test_a_release_is_live_where_what_brings_it_is():
    graph = linked(
        {
            **FLEET,
            "apps/web/base/kustomization.yaml": "resources: [settings.yaml, release.yaml]\n",
            "apps/web/base/release.yaml": RELEASE,
            "apps/old/kustomization.yaml": "resources: [release.yaml]\n",
            "apps/old/release.yaml": RELEASE.replace("redis", "old"),
        }
    )
    live = {delivery.id: delivery.live for delivery in graph.deliveries if delivery.kind == "HelmRelease"}
    assert live == {"flux:HelmRelease/web/old@apps/old": False, "flux:HelmRelease/web/redis@prod-eu": True}


def test_a_source_that_gets_its_namespace_from_its_parent_is_found():
    source = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: redis}\nspec: {url: oci://example.test/redis, ref: {tag: 1.2.3}}\n"
    release = RELEASE.replace(", namespace: web", "")
    files = {**FLEET, "apps/web/base/kustomization.yaml": "resources: [a.yaml, b.yaml]\n"}
    graph = linked({**files, "apps/web/base/a.yaml": source, "apps/web/base/b.yaml": release})
    (found,) = [delivery for delivery in graph.deliveries if delivery.kind == "HelmRelease"]
    assert (found.namespace, found.source.url) == ("web", "oci://example.test/redis")


def test_without_agents_every_root_and_every_loose_manifest_is_delivered():
    graph = linked(
        {
            "apps/web/envs/staging/kustomization.yaml": "resources: [../../base]\n",
            "apps/web/base/kustomization.yaml": "resources: [settings.yaml]\n",
            "apps/web/base/settings.yaml": CONFIG_MAP,
            "loose/a.yaml": CONFIG_MAP,
            ".github/workflows/ci.yaml": "on: push\n",
        }
    )
    assert [(delivery.id, delivery.environment, delivery.live) for delivery in graph.deliveries] == [
        ("kustomize:Kustomization//apps/web/envs/staging@", "staging", True),
        ("plain:Directory//loose@", None, True),
    ]


def test_environments_and_clusters_come_from_what_is_declared():
    declared = Declared(
        environments=(DeclaredEnvironment("gold", "prod", ("apps/web/envs/prod",)),),
        clusters=(DeclaredCluster("eu", ("gold",), ("clusters/prod-eu",)),),
        origin="config",
    )
    apps = linked(FLEET, declared).deliveries[0]
    assert (apps.id, apps.environment, apps.tier) == (
        "flux:Kustomization/flux-system/apps@eu",
        "gold",
        "prod",
    )


def test_a_flux_folder_without_kustomization_delivers_every_manifest_below_it():
    files = dict(FLEET)
    del files["apps/web/envs/prod/kustomization.yaml"]
    files["apps/web/envs/prod/a.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
    files["apps/web/envs/prod/deep/b.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n"
    graph = linked(files)
    names = [item.ref.name for item in graph.rendered["flux:Kustomization/flux-system/apps@prod-eu"].objects]
    assert sorted(names) == ["a", "b"]


VARIABLES = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: vars, namespace: flux-system}
data: {HOST: from-config-map, n: "2"}
---
apiVersion: v1
kind: Secret
metadata: {name: more, namespace: flux-system}
stringData: {HOST: from-secret}
"""


def test_variables_come_from_what_other_deliveries_bring_to_the_cluster():
    taken = "  postBuild: {substituteFrom: [{kind: ConfigMap, name: vars}, {kind: Secret, name: more}, {kind: Secret, name: gone}]}\n"
    graph = linked(
        {**FLEET, "clusters/prod-eu/apps.yaml": APPS + taken, "clusters/prod-eu/variables.yaml": VARIABLES}
    )
    (settings,) = graph.rendered["flux:Kustomization/flux-system/apps@prod-eu"].objects
    assert settings.data["data"]["host"] == "from-secret"
    (entry,) = graph.unchecked
    assert (entry.what, entry.subject) == (
        "variables of Secret flux-system/gone",
        ("kind", "Secret/flux-system/gone"),
    )


def test_fields_that_are_not_understood_are_listed():
    graph = linked({**FLEET, "clusters/prod-eu/apps.yaml": APPS + "  buildMetaData: [originAnnotations]\n"})
    (entry,) = graph.unchecked
    assert entry.what == "spec.buildMetaData of delivery flux:Kustomization/flux-system/apps@prod-eu"


KUSTOMIZE_OPTIONS = (
    "images: [{name: a, newTag: b}], patches: [{patch: x}], commonMetadata: {annotations: {a: b}}"
)


@pytest.mark.parametrize("value", ["null", "5", "x", "[1]", "{a: 1}", "[[1]]", "[{name: [1]}]"])
def test_fields_of_the_wrong_shape_never_raise(value: str):
    flux = f"{APPS}  dependsOn: {value}\n"
    options = APPS.replace("spec:\n", f"spec: {{path: ./apps/odd, {KUSTOMIZE_OPTIONS}, dependsOn: {value}, "
                           "sourceRef: {kind: GitRepository, name: flux-system}}\n").split("  interval")[0]  # fmt: skip
    application = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: NAME}\nspec: {source: SOURCE}\n"
    files = {
        **FLEET,
        "clusters/prod-eu/apps.yaml": flux,
        "clusters/prod-eu/odd.yaml": options.replace("name: apps", "name: odd"),
        "clusters/prod-eu/folder.yaml": application.replace("NAME", "folder").replace(
            "SOURCE", f"{{repoURL: 'https://example.test/acme/fleet', path: plain, directory: {value}}}"
        ),
        "clusters/prod-eu/build.yaml": application.replace("NAME", "build").replace(
            "SOURCE", f"{{repoURL: 'https://example.test/acme/fleet', path: apps/old, kustomize: {value}}}"
        ),
        "plain/settings.yaml": CONFIG_MAP,
        "apps/odd/kustomization.yaml": f"images: {value}\npatches: {value}\ncommonAnnotations: {value}\n",
    }
    assert {"apps", "odd", "folder", "build"} <= {delivery.name for delivery in linked(files).deliveries}


@pytest.mark.parametrize(
    ("reference", "kind", "name"),
    [
        ("{branch: main, tag: v1}", "tag", "v1"),
        ("{tag: v1, semver: 1.x}", "semver", "1.x"),
        ("{semver: 1.x, name: refs/heads/main}", "branch", "main"),
        ("{name: refs/tags/v1}", "tag", "refs/tags/v1"),
        ("{name: refs/heads/main, commit: abc}", "commit", "abc"),
    ],
)
def test_of_several_references_the_one_counts_that_flux_takes(reference: str, kind: str, name: str):
    files = {path: text.replace("{branch: main}", reference) for path, text in FLEET.items()}
    revision = linked(files).deliveries[0].source.revision
    assert revision is not None
    assert (revision.kind, revision.name) == (kind, name)


@pytest.mark.parametrize(
    ("folder", "environment", "tier"),
    [
        ("apps/overlays/non-prod", "non-prod", "nonprod"),
        ("clusters/eu-non-prod/apps", "non-prod", "nonprod"),
        ("overlays/not-production", None, "nonprod"),
        ("envs/pre-prod-eu", "pre-prod", "nonprod"),
        ("clusters/production/apps/demo", "production", "prod"),
        ("apps/prod/demo", "prod", "prod"),
        ("apps/demo/overlays/prod", "prod", "prod"),
        ("clusters/prod-eu/apps/dev-team", "prod", "prod"),
        ("apps/demo", None, "nonprod"),  # an application; an environment only beside others
        ("apps/dev/gitea", None, "nonprod"),  # tools for developers
        ("operator/overlays/tech-preview", None, "nonprod"),
        ("operator/overlays/registry-integration", None, "nonprod"),
        ("envs/integration-gpu", "integration", "nonprod"),
        ("teams/pre/app", None, "nonprod"),
    ],
)
def test_an_environment_is_read_from_folders_that_mean_one(folder: str, environment: str | None, tier: str):
    graph = linked({f"{folder}/kustomization.yaml": "resources: [a.yaml]\n", f"{folder}/a.yaml": CONFIG_MAP})
    assert [(d.environment, d.tier) for d in graph.deliveries] == [(environment, tier)]


@pytest.mark.parametrize(
    ("kind", "reference", "expected"),
    [("OCIRepository", "latest", "tag"), ("GitRepository", "refs/heads/main", "branch")],
)
def test_the_reference_of_a_flux_instance_is_a_tag_where_its_source_is_an_artifact(
    kind: str, reference: str, expected: str
):
    instance = (
        "apiVersion: fluxcd.controlplane.io/v1\nkind: FluxInstance\nmetadata: {name: flux, namespace: flux-system}\n"
        f"spec: {{sync: {{kind: {kind}, url: 'oci://example.test/fleet', ref: {reference}, path: clusters/x}}}}\n"
    )
    (delivery,) = linked({"clusters/x/flux.yaml": instance}).deliveries
    assert delivery.source.revision is not None
    assert delivery.source.revision.kind == expected


@pytest.mark.parametrize(
    ("folders", "environments"),
    [
        (("apps/web/demo", "apps/web/prod"), ["demo", "prod"]),
        (("tools/dev", "tools/media"), []),
        (("apps/web/dev", "apps/web/test"), ["dev", "test"]),
        (("observability/perf", "observability/demo"), []),
        (("overlays/demo", "overlays/dev"), ["demo", "dev"]),
        (
            ("clusters/dev/a", "clusters/stg/a", "clusters/prod/a", "clusters/ithc/a"),
            ["dev", "ithc", "prod", "stg"],
        ),
        (("clusters/home/a", "clusters/prod/a"), ["prod"]),
        (
            ("sandbox/base", "sandbox/overlays/east", "test/a"),
            [],
        ),  # an application with variants, beside its tests
    ],
)
def test_ambiguous_and_unusual_names_are_environments_in_the_company_of_others(
    folders: tuple[str, ...], environments: list[str]
):
    files = {f"{f}/kustomization.yaml": "resources: [a.yaml]\n" for f in folders}
    graph = linked(files | {f"{f}/a.yaml": CONFIG_MAP for f in folders})
    assert [environment.name for environment in graph.environments] == environments


def test_a_cluster_that_a_folder_below_its_environment_syncs_gets_its_own_variables():
    sync = SYNC.replace("./clusters/prod-eu", "./clusters/demo/{n}")
    patch = sync + "  postBuild: {substitute: {ENVIRONMENT: demo, CLUSTER: '{n}'}}\n"
    files = {
        "apps/flux.yaml": SYNC.replace("  path: ./clusters/prod-eu\n", ""),
        "apps/web.yaml": APPS.replace("./apps/web/envs/prod", "./apps/web/${ENVIRONMENT}/${CLUSTER}"),
        "clusters/demo/base/kustomization.yaml": "resources: [../../../apps/flux.yaml, ../../../apps/web.yaml]\n",
    }
    for n in ("00", "01"):
        files[f"clusters/demo/{n}/kustomization.yaml"] = (
            "resources: [../base]\npatches: [{path: sync.yaml}]\n"
        )
        files[f"clusters/demo/{n}/sync.yaml"] = patch.replace("{n}", n)
        files[f"apps/web/demo/{n}/a.yaml"] = CONFIG_MAP
    graph = linked(files)
    assert [(d.id, d.source.path) for d in graph.deliveries] == [
        (f"flux:Kustomization/flux-system/{name}@demo/{n}", path.format(n))
        for name, path in (("apps", "apps/web/demo/{}"), ("flux-system", "clusters/demo/{}"))
        for n in ("00", "01")
    ]
    assert {d.environment for d in graph.deliveries} == {"demo"}
    assert [cluster.name for cluster in graph.clusters] == ["demo/00", "demo/01"]


def test_all_objects_of_a_file_are_roots_where_what_would_bring_it_cannot_be_built():
    files = {
        "boot.yaml": SYNC.replace("./clusters/prod-eu", "./clusters/prod"),
        "clusters/prod/kustomization.yaml": "resources: [apps.yaml]\npatches: [{path: gone.yaml}]\n",
        "clusters/prod/apps.yaml": "---\n".join(
            APPS.replace("name: apps", f"name: {name}").replace("./apps/web/envs/prod", f"./{name}")
            for name in "abc"
        ),
        **{f"{name}/a.yaml": CONFIG_MAP for name in "abc"},
    }
    names = [delivery.name for delivery in linked(files).deliveries]
    assert names == ["a", "b", "c", "flux-system"]


def test_an_application_whose_folder_is_not_there_owns_no_file():
    elements = "generators: [{list: {elements: [{e: a}, {e: b}]}}]"
    source = "{repoURL: 'https://example.test/acme/fleet.git', path: k}"
    spec = f"{{project: default, source: {source}, destination: {{name: in-cluster, namespace: x}}}}"
    template = f"template: {{metadata: {{name: 'l-{{{{.e}}}}'}}, spec: {spec}}}"
    files = {
        "old.yaml": APPLICATION % ("old", "gone"),
        "set.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: s, namespace: argocd}\nspec:\n"
        f"  goTemplate: true\n  {elements}\n  {template}\n",
        "k/a.yaml": CONFIG_MAP,
    }
    assert [delivery.name for delivery in linked(files).deliveries] == ["l-a", "l-b", "old"]


def test_what_a_parent_that_cannot_be_built_would_bring_is_a_root_itself():
    files = {
        "argocd/apps.yaml": APPLICATION % ("apps", "argocd/all"),
        "argocd/all/kustomization.yaml": "resources: [web.yaml, 'https://example.test/base?ref=v1']\n",
        "argocd/all/web.yaml": APPLICATION % ("web", "apps/web"),
        "apps/web/a.yaml": CONFIG_MAP,
    }
    graph = linked(files)
    assert {(d.name, d.live) for d in graph.deliveries} == {("apps", True), ("web", True)}
    assert graph.is_live("apps/web/a.yaml")


KUSTOMIZATION = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: %s, namespace: flux-system}
spec: {interval: 10m, path: ./%s, prune: true, sourceRef: {kind: GitRepository, name: flux-system}}
"""


@pytest.mark.parametrize(("kind", "text"), [("Application", APPLICATION), ("Kustomization", KUSTOMIZATION)])
def test_objects_that_bring_each_other_need_somebody_who_applies_one(kind: str, text: str):
    circle = {
        "a/one.yaml": text % ("b", "b"),
        "b/one.yaml": text % ("c", "c"),
        "c/one.yaml": text % ("a", "a"),
    }
    graph = linked(circle)
    [entry] = graph.unchecked
    assert entry.kind is UncheckedClass.EXTERNAL
    assert graph.reaches(entry)
    for name, file in (("a", "c/one.yaml"), ("b", "a/one.yaml"), ("c", "b/one.yaml")):
        assert f"{kind} {name} ({file})" in entry.why
    assert "bring each other, and nothing else here brings any of them" in entry.why
    # what brings one of them from outside breaks the circle
    assert (
        linked(
            {**circle, "root.yaml": text % ("root", "root"), "root/a.yaml": circle["c/one.yaml"]}
        ).unchecked
        == ()
    )


@pytest.mark.parametrize("text", [APPLICATION, KUSTOMIZATION])
def test_a_root_that_brings_itself_is_in_no_circle(text: str):
    root = {"apps/root.yaml": text % ("root", "apps"), "apps/web.yaml": text % ("web", "web")}
    assert linked({**root, "web/a.yaml": CONFIG_MAP}).unchecked == ()
    assert linked({**root, "web/again.yaml": text % ("root", "apps")}).unchecked == ()


def test_an_agent_that_is_delivered_with_its_own_root_is_set_up_by_hand():
    definition = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
    files = {
        "argocd/root.yaml": APPLICATION % ("root", "apps"),
        "argocd/crd.yaml": f"{definition}metadata: {{name: applications.argoproj.io}}\n",
        "apps/argocd.yaml": APPLICATION % ("argocd", "argocd"),
    }
    assert linked(files).unchecked == ()


def test_a_path_that_is_not_here_but_asked_of_another_branch_is_elsewhere_not_missing():
    pages = (APPLICATION % ("gone", "gone")).replace("main", "pages")
    graph = linked(
        {"web.yaml": APPLICATION % ("web", "apps/web"), "apps/web/a.yaml": CONFIG_MAP, "gone.yaml": pages}
    )
    [missing] = [entry for entry in graph.unchecked if "gone" in entry.what]
    assert missing.kind is UncheckedClass.EXTERNAL
    assert missing.why == "gone is on branch pages of this repository, if anywhere"


def test_a_chart_that_makes_the_only_agent_objects_is_named_as_not_seen():
    graph = linked(
        {
            "environments/Chart.yaml": "apiVersion: v2\nname: all\nversion: 1.0.0\n",
            "environments/templates/web.yaml": APPLICATION % ("web-{{ .Values.name }}", "web"),
            "web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
            "web/templates/a.yaml": CONFIG_MAP,
        }
    )
    [entry] = [item for item in graph.unchecked if item.delivery is None]
    assert (entry.what, entry.kind, entry.subject) == (
        "chart environments",
        UncheckedClass.EXTERNAL,
        ("chart", "environments"),
    )
    assert entry.why.startswith(
        "1 of its templates make agents' objects, and nothing says with which values: add the agent's object"
    )
    assert graph.reaches(entry)


DEPENDENT = """\
apiVersion: v2
name: argocd
version: 0.0.0
dependencies:
- {name: argocd-apps, version: 2.0.0, repository: 'https://example.test/charts'}
"""


def test_a_chart_whose_dependency_makes_the_agents_objects_is_not_seen_until_it_is_fetched():
    files = {"system/argocd/Chart.yaml": DEPENDENT, "web/a.yaml": CONFIG_MAP}
    graph = linked(files)
    [entry] = [item for item in graph.unchecked if item.delivery is None]
    assert entry.why == (
        "it depends on argocd-apps, which makes Applications, and was not fetched: `gitops-layout fetch` brings it"
    )
    assert graph.reaches(entry)
    assert "no agent object was seen, but chart system/argocd may bring some" in graph.explain[-1]
    # fetch brings what deliveries miss, and so must know the chart as one
    assert {"helm:Chart//system/argocd@", "plain:Directory//web@"} == {d.id for d in graph.deliveries}

    vendored = {
        "system/argocd/charts/argocd-apps/Chart.yaml": "apiVersion: v2\nname: argocd-apps\nversion: 2.0.0\n",
        "system/argocd/charts/argocd-apps/templates/a.yaml": "{{- range $k, $v := .Values.applications }}\n"
        "apiVersion: {{ $.Values.version }}\nkind: Application\nmetadata: {name: '{{ $k }}'}\n"
        "spec: {{ toJson $v }}\n{{- end }}\n",
        "system/argocd/charts/argocd-apps/values.yaml": "version: argoproj.io/v1alpha1\n",
        "system/argocd/values.yaml": "argocd-apps: {applications: {web: {source: {path: web, repoURL: x}}}}\n",
    }
    [entry] = [item for item in linked(files | vendored).unchecked if item.delivery is None]
    assert entry.why.startswith(
        "it makes 1 agent object of its own values, and nothing here says who installs it: add the agent's object"
    )

    installed = linked({**files, "root.yaml": APPLICATION % ("argocd", "system/argocd")})
    assert installed.hidden == ()


def test_values_that_list_applications_for_a_chart_elsewhere_are_not_seen():
    values = "clusterGroup: {name: hub, applications: {vault: {name: vault, path: charts/vault}}}\n"
    graph = linked({"values-hub.yaml": values, "web/a.yaml": CONFIG_MAP})
    [entry] = graph.unchecked
    assert entry.why == (
        "values-hub.yaml lists 1 application, of which the chart clustergroup makes Applications: it is not here"
    )
    assert graph.reaches(entry)


@pytest.mark.parametrize("metadata", ["", "metadata: [1]\n", "metadata: {name: [x]}\n"])
def test_an_agents_object_without_a_name_is_listed(metadata: str):
    text = (
        f"apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n{metadata}spec: {{path: ./web}}\n"
    )
    [entry] = linked({"clusters/web.yaml": text, "web/a.yaml": CONFIG_MAP}).unchecked
    assert (entry.what, entry.kind) == ("a Kustomization without a name", UncheckedClass.BROKEN)


def test_a_set_whose_only_generator_nobody_knows_is_listed():
    text = "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: web}\n"
    text += (
        "spec: {generators: [{future: {}}], template: {metadata: {name: web}, spec: {project: default}}}\n"
    )
    [entry] = linked({"argo/web.yaml": text}).unchecked
    assert (entry.why, entry.kind) == ("future is no generator that is known here", UncheckedClass.EXTERNAL)


PARKED = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: retro, namespace: flux-system}
spec:
  path: apps/old
  sourceRef: {kind: GitRepository, name: flux-system}
"""


@pytest.mark.parametrize(
    "folder", ["clusters/_archive", "clusters/prod-eu.d/.archive/x", "clusters/old", "attic"]
)
def test_an_agents_object_in_a_folder_that_says_it_is_out_of_use_is_no_root(folder: str) -> None:
    graph = linked({**FLEET, f"{folder}/retro.yaml": PARKED})
    live = {d.name: d.live for d in graph.deliveries if d.agent == "flux"}
    assert live == {"flux-system": True, "apps": True, "retro": False}
    assert not graph.is_live(f"{folder}/retro.yaml")
    assert not graph.is_live("apps/old/settings.yaml")


def test_what_a_test_applies_is_no_agents_object_unless_something_delivers_it() -> None:
    beside = {"policies/test/chainsaw-test.yaml": "kind: Test\n", "policies/test/retro.yaml": PARKED}
    graph = linked({**FLEET, **beside, "tests/e2e/retro.yaml": PARKED})
    assert not [d for d in graph.deliveries if d.name == "retro"]
    assert "no agent object pulls a path" in " ".join(linked(beside).explain)

    brought = PARKED.replace("name: retro", "name: suite").replace("apps/old", "policies/test")
    listed = {"policies/test/kustomization.yaml": "resources: [retro.yaml]\n", "sync/suite.yaml": brought}
    graph = linked({**FLEET, **beside, **listed})
    assert {d.name for d in graph.deliveries if d.live} >= {"suite", "retro"}


def test_an_agents_object_brought_by_an_unused_kustomization_beside_it_is_no_root() -> None:
    beside = {"_archive/kustomization.yaml": "resources: [retro.yaml]\n", "_archive/retro.yaml": PARKED}
    assert not [d for d in linked({**FLEET, **beside}).deliveries if d.name == "retro" and d.live]


def test_what_something_live_includes_is_delivered_whatever_its_folder_is_called() -> None:
    listed = {"clusters/prod-eu/kustomization.yaml": "resources: [apps.yaml, old/retro.yaml]\n"}
    parent = PARKED.replace("name: retro", "name: cluster").replace("apps/old", "clusters/prod-eu")
    files = {**FLEET, **listed, "clusters/prod-eu/old/retro.yaml": PARKED, "sync/cluster.yaml": parent}
    assert {d.name for d in linked(files).deliveries if d.live} >= {"cluster", "apps", "retro"}


def test_an_agents_object_that_a_kustomization_names_only_in_a_comment_is_no_root() -> None:
    off = {
        "more/kustomization.yaml": "resources:\n- x.yaml\n# - ./retro/ks.yaml\n",
        "more/x.yaml": CONFIG_MAP,
    }
    graph = linked({**FLEET, **off, "more/retro/ks.yaml": PARKED})
    assert {d.name for d in graph.deliveries if d.agent == "flux" and d.live} == {"flux-system", "apps"}


RESOURCE_SET = """\
apiVersion: fluxcd.controlplane.io/v1
kind: ResourceSet
metadata: {name: tenants, namespace: flux-system}
spec:
  inputs: [{app: web}, {app: old}]
  resources:
    - apiVersion: source.toolkit.fluxcd.io/v1
      kind: GitRepository
      metadata: {name: "<< inputs.app >>", namespace: flux-system}
      spec: {interval: 1m, url: "%s", ref: {branch: main}}
    - apiVersion: kustomize.toolkit.fluxcd.io/v1
      kind: Kustomization
      metadata: {name: "<< inputs.app >>", namespace: flux-system}
      spec: {interval: 1m, prune: true, path: "./apps/<< inputs.app >>/base", sourceRef: {kind: GitRepository, name: "<< inputs.app >>"}}
"""


def test_this_repository_is_known_by_the_sources_that_a_resource_set_makes():
    files = {path: text for path, text in FLEET.items() if path.startswith("apps/")}
    graph = linked({**files, "tenants.yaml": RESOURCE_SET % "https://example.test/acme/fleet"})
    web = graph.rendered["flux:Kustomization/flux-system/web@"]
    assert [item.ref.name for item in web.objects] == ["settings"]
    assert graph.explain[0] == (
        "example.test/acme/fleet is taken as this repository: 1 of the 2 paths it names exist here"
    )


def test_a_remote_that_only_a_resource_set_names_is_this_repository():
    files = {
        "tenants.yaml": RESOURCE_SET % "https://example.test/acme/fleet",
        "other.yaml": APPS + "---\n" + SOURCE,
    }
    other = files["other.yaml"].replace("acme/fleet", "acme/other")
    repo = from_files({**FLEET, **files, "other.yaml": other})
    repo = replace(repo, remotes=("git@example.test:acme/fleet.git",))
    assert link(repo, render=Renders(repo)).explain[0] == "this repository is example.test/acme/fleet"


def test_this_repository_is_known_by_the_value_files_that_a_chart_takes_from_it():
    application = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web, namespace: argocd}
spec:
  destination: {namespace: web, server: https://kubernetes.default.svc}
  sources:
    - {repoURL: https://charts.example.test, chart: web, targetRevision: 1.0.0, helm: {valueFiles: [$here/values/web.yaml]}}
    - {repoURL: https://example.test/acme/fleet, ref: here, targetRevision: main}
"""
    graph = linked({"web.yaml": application, "values/web.yaml": "a: 1\n"})
    assert graph.explain[0].startswith("example.test/acme/fleet is taken as this repository")
    assert "values/web.yaml" in graph.live


def test_a_manifest_that_cannot_be_read_is_reached_where_every_manifest_is_delivered():
    graph = linked({"a.yaml": "kind: [\n"})
    (entry,) = graph.unchecked
    assert graph.reaches(entry)


@pytest.mark.parametrize(
    ("files", "path", "renderer"),
    [
        ({"web/Chart.yaml": "", "web/templates/a.yaml": CONFIG_MAP}, "web", "chart"),
        ({"Chart.yaml": "", "templates/a.yaml": CONFIG_MAP}, "", "chart"),
        ({"web/Chart.yaml": "", "a.yaml": CONFIG_MAP}, "", "directory"),
    ],
)
def test_a_chart_that_argo_cd_pulls_as_an_artifact_lies_at_its_root(
    files: dict[str, str], path: str, renderer: str
):
    source = "repoURL: 'oci://example.test/charts/web', targetRevision: 1.0.0, path: ."
    text = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web, namespace: argocd}\n"
        f"spec: {{project: default, source: {{{source}}}, destination: {{name: in-cluster, namespace: web}}}}\n"
    )
    (delivery,) = linked({"root/web.yaml": text}).deliveries
    there = as_local(delivery, from_files(files))
    assert (there.source.path, there.renderer) == (path, renderer)


def test_a_kustomization_among_test_data_is_delivered_by_nobody():
    graph = linked(
        {
            "web/kustomization.yaml": "resources: [a.yaml]\n",
            "web/a.yaml": CONFIG_MAP,
            "scripts/tests/data/kustomization.yaml": "resources: [gone.yaml]\n",
        }
    )
    assert {d.source.path: d.live for d in graph.deliveries} == {"web": True, "scripts/tests/data": False}


@pytest.mark.skipif(isinstance(find(), NoHelm), reason="no helm here")
def test_what_the_set_of_a_chart_makes_is_brought_by_whoever_installs_the_chart():
    application = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: NAME, namespace: argocd}
spec:
  destination: {namespace: argocd, server: https://kubernetes.default.svc}
  source: {repoURL: https://example.test/acme/fleet, path: sets, targetRevision: main, helm: {parameters: [{name: of, value: NAME}]}}
"""
    made = """\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: "{{ .Values.of }}", namespace: argocd}
spec:
  generators: [{list: {elements: [{part: web}]}}]
  template:
    metadata: {name: '{{ .Values.of }}-{{ "{{part}}" }}'}
    spec:
      destination: {namespace: web, server: https://kubernetes.default.svc}
      source: {repoURL: https://example.test/acme/fleet, path: web, targetRevision: main}
"""
    graph = linked(
        {
            "a.yaml": application.replace("NAME", "a"),
            "b.yaml": application.replace("NAME", "b"),
            "sets/Chart.yaml": "apiVersion: v2\nname: sets\nversion: 1.0.0\n",
            "sets/templates/set.yaml": made,
            "web/a.yaml": CONFIG_MAP,
        }
    )
    names = {delivery.id: delivery.name for delivery in graph.deliveries}
    above = {names[child]: [names[parent] for parent in found] for child, found in parents(graph).items()}
    assert above == {"a-web": ["a"], "b-web": ["b"]}


def test_a_registration_that_cannot_be_read_is_told_beside_those_that_can():
    label = "labels: {argocd.argoproj.io/secret-type: cluster}"
    clusters = f"""\
apiVersion: v1
kind: Secret
metadata: {{name: one, namespace: argocd, {label}}}
stringData: {{name: one, server: "https://one.example.test"}}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {{name: two, namespace: argocd}}
spec:
  target: {{template: {{metadata: {{{label}}}, data: {{name: two, server: "https://two.example.test", config: "{{{{ .c }}}}"}}}}}}
---
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata: {{name: three, namespace: argocd}}
spec: {{encryptedData: {{name: x}}, template: {{metadata: {{{label}}}}}}}
"""
    made = """\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: everywhere, namespace: argocd}
spec:
  generators: [{clusters: {selector: {matchLabels: {argocd.argoproj.io/secret-type: cluster}}}}]
  template:
    metadata: {name: 'web-{{name}}'}
    spec:
      destination: {namespace: web, server: '{{server}}'}
      source: {repoURL: https://example.test/acme/fleet, path: web, targetRevision: main}
"""
    graph = linked({"clusters.yaml": clusters, "set.yaml": made, "web/a.yaml": CONFIG_MAP})
    assert [delivery.name for delivery in graph.deliveries if delivery.agent == "argocd"] == [
        "web-one",
        "web-two",
    ]
    (entry,) = graph.unchecked
    assert entry.why.startswith("SealedSecret three registers a cluster that cannot be read here")


def test_a_mirror_called_like_this_repository_with_all_its_paths_is_this_repository():
    application = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: NAME, namespace: argocd}
spec:
  project: default
  source: {repoURL: "ADDRESS", targetRevision: HEAD, path: PATH}
  destination: {name: eu, namespace: web}
"""
    sources = {
        "a": ("https://example.test/acme/fleet.git", "apps/web"),
        "b": ("https://example.test/acme/fleet.git", "apps/api"),
        "mirror": ("http://gitea.local:3000/me/fleet", "apps/web"),
        "sibling": ("https://example.test/acme/other.git", "apps/web"),
        "fork": ("https://example.test/upstream/fleet.git", "apps/gone"),
    }
    files = {
        f"root/{name}.yaml": application.replace("NAME", name).replace("ADDRESS", url).replace("PATH", path)
        for name, (url, path) in sources.items()
    }
    graph = linked({**files, "apps/web/a.yaml": CONFIG_MAP, "apps/api/a.yaml": CONFIG_MAP})
    assert {d.name for d in graph.deliveries if d.source.local} == {"a", "b", "mirror"}
    assert "and so is gitea.local/me/fleet" in graph.explain[0]
