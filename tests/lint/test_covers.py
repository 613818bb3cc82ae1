"""One mistake is told once: by the rule that says most of it, as long as that one is told."""

from __future__ import annotations

from gitops_layout import rules
from gitops_layout.lint.causes import gathered
from gitops_layout.model import Severity
from tests.lint.support import linted, named

SOPS = "creation_rules:\n  - path_regex: .*\\.sops\\.yaml$\n    age: age1example\n"
SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: token, namespace: web}
stringData:
  token: 9f8a7b6c5d4e3f2a1b0c
  password: correct-horse-battery
"""
FILES: dict[str, str | bytes] = {".sops.yaml": SOPS, "web/token.sops.yaml": SECRET}


def test_a_secret_that_was_to_be_encrypted_is_one_finding() -> None:
    assert named(linted(FILES)) == [("S004", "web/token.sops.yaml", 5)]


def test_whoever_ignores_the_rule_that_says_most_sees_what_it_stood_for() -> None:
    config = "ignore:\n  - {rules: [S004], paths: [web/**], reason: the file is a sample}\n"
    report = linted({**FILES, ".gitops-layout.yaml": config})
    assert {rule for rule, _, _ in named(report)} == {"S001"}


def test_a_rule_that_is_not_asked_covers_nothing() -> None:
    assert {rule for rule, _, _ in named(linted(FILES, select=["S001"]))} == {"S001"}


def test_a_file_that_no_build_takes_is_told_once_where_its_name_is_missing() -> None:
    service = "apiVersion: v1\nkind: Service\nmetadata: {generateName: web-}\nspec: {ports: [{port: 80}]}\n"
    files: dict[str, str | bytes] = {
        "web/kustomization.yaml": "resources: [service.yaml]\n",
        "web/service.yaml": service,
    }
    assert [rule for rule, _, _ in named(linted(files))] == ["D006"]


def test_a_misnamed_kustomization_is_told_where_another_one_means_it() -> None:
    files: dict[str, str | bytes] = {
        "web/kustomization.yaml": "resources: [settings]\n",
        "web/settings/kustomize.yaml": "resources: [map.yaml]\n",
        "web/settings/map.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
    }
    report = linted(files)
    assert named(report) == [("K001", "web/kustomization.yaml", 1)]
    assert [place.file for place in report.findings[0].related] == ["web/settings/kustomize.yaml"]


SYNC = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system}
spec: {interval: 1m, url: "https://git.example.org/acme/fleet", ref: {branch: main}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-system, namespace: flux-system}
spec: {interval: 10m, path: ./clusters/CLUSTER, prune: true, sourceRef: {kind: GitRepository, name: flux-system}}
"""
APPS = "".join(
    f"""\
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: {name}, namespace: flux-system}}
spec: {{interval: 10m, path: ./{name}, prune: true, sourceRef: {{kind: GitRepository, name: flux-system}}}}
"""
    for name in ("apps", "infra")
)
DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: queues.example.org}
spec:
  group: example.org
  scope: Namespaced
  names: {kind: Queue, plural: queues}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
"""


def test_what_two_clusters_read_from_one_file_is_one_finding_that_affects_both() -> None:
    files: dict[str, str | bytes] = {
        "shared/apps.yaml": APPS,
        "shared/kustomization.yaml": "resources: [apps.yaml]\n",
        "infra/crd.yaml": DEFINITION,
        "apps/queue.yaml": "apiVersion: example.org/v1\nkind: Queue\nmetadata: {name: mail, namespace: web}\n",
    }
    for cluster in ("east", "west"):
        files[f"clusters/{cluster}/kustomization.yaml"] = (
            "resources: [flux-system/gotk-sync.yaml, ../../shared]\n"
        )
        files[f"clusters/{cluster}/flux-system/gotk-sync.yaml"] = SYNC.replace("CLUSTER", cluster)
    [finding] = [f for f in linted(files, select=["L010"]).findings if f.rule.id == "L010"]
    assert {place.cluster for place in finding.affected} == {"east", "west"}


def test_routes_to_one_missing_service_are_told_together() -> None:
    route = """\
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: {name}, namespace: shop}}
spec: {{defaultBackend: {{service: {{name: web, port: {{number: 80}}}}}}}}
"""
    report = linted({"routes.yaml": "".join(route.format(name=name) for name in ("a", "b"))}, select=["M010"])
    assert len(report.findings) == 2
    [told] = gathered(report).findings
    assert [place.span.line for place in told.also] == [10]


def test_every_rule_that_is_covered_is_one() -> None:
    catalogue = rules.builtin()
    named_rules = {other for rule in catalogue.rules for other in rule.covers}
    assert named_rules <= catalogue.by_id.keys()


def test_an_entry_that_is_written_alike_in_many_applications_is_told_once_and_as_a_warning() -> None:
    entry = "    - {group: apiextensions.k8s.io, kind: CustomResourceDefinition}\n"
    other = "    - {group: apps, kind: Deployment, jsonPointer: [/spec/replicas]}\n"
    files: dict[str, str | bytes] = {
        f"argo/{name}.yaml": (
            f"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}, namespace: argocd}}\n"
            "spec:\n  project: default\n  destination: {name: in-cluster, namespace: web}\n"
            f"  source: {{repoURL: https://git.example.org/acme/fleet, path: apps/{name}, targetRevision: HEAD}}\n"
            f"  ignoreDifferences:\n{entry}{other if name == 'mail' else ''}"
        )
        for name in ("docs", "jobs", "mail", "shop", "web")
    }
    found = gathered(linted(files, select=["R010"])).findings
    assert [(each.severity, each.location.file, len(each.also)) for each in found] == [
        (Severity.ERROR, "argo/mail.yaml", 0),
        (Severity.WARNING, "argo/docs.yaml", 4),
    ]


def test_an_entry_that_ignores_nothing_is_no_unknown_field_besides() -> None:
    application = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web, namespace: argocd}\nspec:\n"
        "  project: default\n  destination: {server: https://kubernetes.default.svc, namespace: web}\n"
        "  source: {repoURL: https://git.example.org/acme/fleet, path: web, targetRevision: main}\n"
        "  ignoreDifferences:\n    - group: apps\n      kind: Deployment\n      jsonPointer: [/spec/replicas]\n"
    )
    found = named(linted({"app.yaml": application}, select=["R010", "M002"]))
    assert [rule for rule, _, _ in found] == ["R010"]


def test_a_chart_under_latest_is_told_once_where_its_source_is_judged() -> None:
    source = (
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: podinfo, namespace: web}\n"
        "spec: {interval: 10m, url: oci://ghcr.io/acme/podinfo}\n---\n"
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: podinfo, namespace: web}\n"
        "spec: {interval: 10m, chartRef: {kind: OCIRepository, name: podinfo}}\n"
    )
    told = named(linted({f"clusters/{name}/podinfo.yaml": source for name in ("dev", "prod")}))
    assert [(rule, file) for rule, file, _ in told if rule in ("V003", "V008")] == [
        ("V008", "clusters/prod/podinfo.yaml"),
        ("V003", "clusters/dev/podinfo.yaml"),
    ]


def test_a_mistyped_namespace_that_its_project_forbids_is_not_also_one_that_nothing_creates() -> None:
    argo = """\
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: shop, namespace: argocd}
spec:
  sourceRepos: ["**"]
  destinations: [{server: "*", namespace: shop}]
  clusterResourceWhitelist: [{group: "", kind: Namespace}]
---
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web, namespace: argocd}
spec:
  project: shop
  destination: {server: "https://kubernetes.default.svc", namespace: shpo}
  source: {repoURL: "https://git.example.org/acme/fleet", path: web, targetRevision: main}
"""
    objects = (
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n"
    )
    files: dict[str, str | bytes] = {"argo.yaml": argo, "web/all.yaml": objects}
    told = linted(files, select=["A003", "L011"])
    assert named(told) == [("A003", "argo.yaml", 14)]
    assert {rule for rule, _, _ in named(linted(files, select=["L011"]))} == {"L011"}


def _kustomization(name: str, path: str, *, source: str = "fleet-config", kind: str = "HelmRelease") -> str:
    """A Kustomization of Flux that waits for one object."""
    return (
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
        f"metadata: {{name: {name}, namespace: flux-system}}\n"
        "spec:\n  interval: 10m\n  prune: true\n"
        f"  path: {path}\n"
        f"  sourceRef:\n    kind: GitRepository\n    name: {source}\n"
        "  healthChecks:\n    - apiVersion: helm.toolkit.fluxcd.io/v2\n"
        f"      kind: {kind}\n      name: {name}\n      namespace: web\n"
    )


SOURCE = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: fleet-config, namespace: flux-system}
spec: {interval: 1m, url: "https://git.example.org/acme/fleet", ref: {branch: main}}
"""
APP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app, namespace: web}\ndata: {a: b}\n"


def _many(**slip: str) -> dict[str, str | bytes]:
    """Nine applications that say the same, and a tenth that says one word otherwise."""
    files: dict[str, str | bytes] = {"flux/source.yaml": SOURCE}
    for number, name in enumerate(
        ("docs", "jobs", "mail", "news", "pages", "shop", "talk", "time", "todo", "web")
    ):
        files[f"flux/{name}.yaml"] = _kustomization(name, f"./{name}", **(slip if number == 9 else {}))
        files[f"{name}/app.yaml"] = APP.replace("name: app", f"name: {name}")
    return files


def test_a_missing_source_is_not_also_a_word_that_stands_nowhere_else() -> None:
    files = _many(source="fleetconfig")
    assert named(linted(files, select=["F001", "L024"])) == [("F001", "flux/web.yaml", 10)]
    assert named(linted(files, select=["L024"])) == [("L024", "flux/web.yaml", 10)]


def test_a_kind_that_is_none_is_not_also_a_word_that_stands_nowhere_else() -> None:
    files = _many(kind="Helm-Release")
    assert named(linted(files, select=["F027", "L024"])) == [("F027", "flux/web.yaml", 13)]
    assert named(linted(files, select=["L024"])) == [("L024", "flux/web.yaml", 13)]


def test_a_path_into_another_environment_is_not_also_a_value_of_that_environment() -> None:
    files: dict[str, str | bytes] = {}
    for cluster in ("dev", "staging", "prod"):
        path = "prod" if cluster == "staging" else cluster
        files[f"clusters/{cluster}/flux-system/gotk-sync.yaml"] = SYNC.replace("CLUSTER", cluster)
        files[f"clusters/{cluster}/web.yaml"] = _kustomization("web", f"./web/{path}", source="flux-system")
        files[f"web/{cluster}/app.yaml"] = APP
    here = ("clusters/staging/web.yaml", 7)
    assert named(linted(files, select=["L001", "L002"])) == [("L001", *here)]
    assert named(linted(files, select=["L002"])) == [("L002", *here)]


def test_one_cause_is_not_told_again_by_the_schema_or_the_reader() -> None:
    wave = APP.replace("namespace: web", "namespace: web, annotations: {argocd.argoproj.io/sync-wave: 5}")
    application = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web, namespace: argocd}\n"
        "spec:\n  project: web\n  destination: {name: in-cluster, namespace: web}\n"
        "  source: {repoURL: https://git.example.org/acme/fleet, path: web, targetRevision: main}\n"
    )
    found = named(linted({"argo/web.yaml": application, "web/app.yaml": wave}))
    assert [(rule, line) for rule, file, line in found if file == "web/app.yaml"] == [("A012", 3)]

    merged = "<<<<<<< HEAD\na: b\n=======\na: c\n>>>>>>> theirs\n"
    found = named(linted({"argo/web.yaml": application, "web/app.yaml": APP, "web/more.yaml": merged}))
    assert {rule for rule, file, _ in found if file == "web/more.yaml"} == {"D016"}


def test_a_port_that_a_service_lacks_is_told_once_under_the_names_of_its_overlays() -> None:
    route = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{name: http, port: 9898}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  defaultBackend:
    service: {name: web, port: {number: 80}}
"""
    overlays = {
        f"apps/{name}/kustomization.yaml": f"resources: [../base]\nnamePrefix: {name}-\n"
        for name in ("dev", "prod")
    }
    files = {"apps/base/kustomization.yaml": "resources: [web.yaml]\n", "apps/base/web.yaml": route}
    (finding,) = linted({**files, **overlays}, select=["M041"]).findings
    assert len(finding.affected) == 2
