"""Charts rendered by real helm, as deliveries of both agents."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gitops_layout.graph.link import link
from gitops_layout.graph.model import Graph
from gitops_layout.helm.chart import walk
from gitops_layout.helm.find import Helm
from gitops_layout.helm.template import Release, template
from gitops_layout.model import UncheckedClass
from gitops_layout.render.build import Renders
from gitops_layout.render.charts import Charts
from gitops_layout.render.lookup import nothing
from gitops_layout.render.rendered import Rendered, RenderedObject
from gitops_layout.repo.load import from_files, from_work_tree

CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
DEPLOYMENT = """\
# a comment
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: proxy
          image: envoy:1.30
        - name: web
          image: "{{ .Values.image.name }}:{{ .Values.image.tag }}"
          resources:
            {{- toYaml .Values.resources | nindent 12 }}
"""
VALUES = "replicas: 1\nimage:\n  name: ghcr.io/acme/web\n  tag: 1.0.0\nresources:\n  limits: {memory: 1Gi}\n"
WEB = {"charts/web/Chart.yaml": CHART, "charts/web/values.yaml": VALUES}
WEB["charts/web/templates/web.yaml"] = DEPLOYMENT

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web, namespace: argocd}
spec:
  destination: {name: in-cluster, namespace: shop}
  source:
    repoURL: https://example.test/r.git
    path: charts/web
"""
RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: web, namespace: shop}
spec:
  chart:
    spec:
      chart: ./charts/web
      sourceRef: {kind: GitRepository, name: flux-system, namespace: flux-system}
"""


def linked(files: Mapping[str, str]) -> Graph:
    repo = from_files(dict(files))
    return link(repo, render=Renders(repo))


def application(helm_options: str = "", **files: str) -> dict[str, str]:
    text = APPLICATION + (f"    helm:\n{helm_options}" if helm_options else "")
    return {**WEB, "app.yaml": text, **files}


def release(spec: str = "", **files: str) -> dict[str, str]:
    return {**WEB, "release.yaml": RELEASE + spec, **files}


def rendered(files: Mapping[str, str]) -> Rendered:
    """The one chart delivery of a repository."""
    (found,) = [
        item for key, item in linked(files).rendered.items() if ":Application/" in key or "Helm" in key
    ]
    return found


def shown(helm_options: str, **files: str) -> Any:
    """The values that an Application's chart sees, its own values.yaml left empty."""
    shows = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: seen}\nvalues: {{ toJson .Values }}\n"
    chart = {"charts/web/Chart.yaml": CHART, "charts/web/templates/seen.yaml": shows}
    files = {**chart, "app.yaml": f"{APPLICATION}    helm:\n{helm_options}", **files}
    result = rendered(files)
    assert result.failure is None, result.failure
    return result.objects[0].data["values"]


def failure(files: Mapping[str, str]) -> tuple[str, str, int, str]:
    """Class, file, line and reason of the one delivery that is not rendered."""
    graph = linked(files)
    (entry,) = [item.failure for item in graph.rendered.values() if item.failure is not None]
    assert entry.location is not None
    return entry.kind.value, entry.location.file, graph.repo.span(entry.location).line, entry.why


def rendered_objects(graph: Graph) -> list[RenderedObject]:
    return [item for found in graph.rendered.values() for item in found.objects]


def place(graph: Graph, path: tuple[str | int, ...]) -> tuple[str, int]:
    (item,) = [found for found in rendered_objects(graph) if found.ref.kind == "Deployment"]
    location = item.origin(path)
    return location.file, graph.repo.span(location).line


CONTAINER = ("spec", "template", "spec", "containers", 1)


@pytest.mark.usefixtures("helm")
def test_a_chart_of_an_application_is_rendered_into_its_destination():
    result = rendered(application())
    (item,) = result.objects
    assert str(item.ref) == "apps/v1/Deployment/shop/web"
    assert item.data["spec"]["template"]["spec"]["containers"][1]["image"] == "ghcr.io/acme/web:1.0.0"
    assert result.files == set(WEB)


@pytest.mark.usefixtures("helm")
def test_values_stand_where_they_were_written_last():
    options = "      valuesObject:\n        image:\n          tag: 2.0.0\n"
    graph = linked(
        application(f"{options}      valueFiles: [prod.yaml]\n", **{"charts/web/prod.yaml": "replicas: 3\n"})
    )
    assert place(graph, (*CONTAINER, "image")) == ("app.yaml", 12)
    assert place(graph, ("spec", "replicas")) == ("charts/web/prod.yaml", 1)
    assert place(graph, (*CONTAINER, "resources", "limits", "memory")) == ("charts/web/values.yaml", 6)
    assert place(graph, ("spec", "template", "spec", "containers", 0, "image")) == (
        "charts/web/templates/web.yaml",
        14,
    )
    assert place(graph, (*CONTAINER, "name")) == ("charts/web/templates/web.yaml", 15)
    assert place(graph, ("spec", "strategy")) == ("charts/web/templates/web.yaml", 6)
    assert place(graph, ()) == ("charts/web/templates/web.yaml", 3)


@pytest.mark.usefixtures("helm")
def test_argo_cd_puts_files_below_inline_values_below_parameters():
    options = (
        "      valueFiles: [one.yaml, /shared/*.yaml, 'gone-$ARGOCD_APP_NAME.yaml', ../../shared/b.yaml]\n"
        "      ignoreMissingValueFiles: true\n"
        "      values: 'values: [1]'\n"
        "      valuesObject: {object: 1, p: 1, text: 1}\n"
        "      parameters:\n"
        "      - {name: p, value: 'a,$ARGOCD_APP_NAME'}\n"
        "      - {name: list, value: '{x,1}'}\n"
        "      - {name: text, value: '1', forceString: true}\n"
        "      fileParameters: [{name: file, path: one.yaml}]\n"
    )
    files = {
        "charts/web/one.yaml": "one: 1\nboth: one\nobject: file",
        "shared/a.yaml": "a: 1\nboth: a",
        "shared/b.yaml": "b: 1\nboth: b",
        "shared/c.yaml": "both: c",
    }
    assert shown(options, **files) == {
        "one": 1, "a": 1, "b": 1, "both": "b", "object": 1, "p": "a,web", "list": ["x", 1], "text": "1",
        "file": files["charts/web/one.yaml"],
    }  # fmt: skip


@pytest.mark.usefixtures("helm")
def test_the_file_that_robots_write_beside_a_chart_outranks_the_application():
    options = "      releaseName: mine\n      valuesObject: {image: {tag: 2.0.0}}\n"
    robot = "helm:\n  releaseName: null\n  parameters: [{name: image.tag, value: 3.0.0}]\n"
    (item,) = rendered(application(options, **{"charts/web/.argocd-source-web.yaml": robot})).objects
    assert item.ref.name == "web"
    assert item.data["spec"]["template"]["spec"]["containers"][1]["image"].endswith(":3.0.0")


MULTIPLE = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web, namespace: argocd}
spec:
  destination: {name: in-cluster, namespace: shop}
  sources:
  - {repoURL: "https://example.test/%s", ref: values}
  - repoURL: https://example.test/r.git
    path: charts/web
    helm: {valueFiles: [$values/envs/prod.yaml]}
"""


@pytest.mark.usefixtures("helm")
def test_value_files_of_another_source_are_read_where_it_is_this_repository():
    files = {**WEB, "app.yaml": MULTIPLE % "r.git", "envs/prod.yaml": "replicas: 5\n"}
    graph = linked(files)
    assert place(graph, ("spec", "replicas")) == ("envs/prod.yaml", 1)
    assert graph.unchecked == ()
    assert graph.deliveries[0].place("url").path == ("spec", "sources", 1, "repoURL")
    foreign = failure({**files, "app.yaml": MULTIPLE % "other.git"})
    assert foreign[:3] == ("external", "app.yaml", 10)


@pytest.mark.usefixtures("helm")
def test_a_helm_release_takes_its_chart_from_this_repository():
    spec = "  values:\n    replicas: 4\n  install: {crds: Skip}\n"
    crds = {"charts/web/crds/crd.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: crd}\n"}
    graph = linked(release(spec, **crds))
    (item,) = graph.rendered["flux:HelmRelease/shop/web@"].objects
    assert str(item.ref) == "apps/v1/Deployment/shop/web"
    assert place(graph, ("spec", "replicas")) == ("release.yaml", 10)
    both = rendered(release("  targetNamespace: other\n", **crds)).objects
    assert [str(item.ref) for item in both] == [
        "v1/ConfigMap/other/crd",
        "apps/v1/Deployment/other/other-web",
    ]


@pytest.mark.usefixtures("helm")
def test_a_helm_release_takes_values_from_what_another_delivery_brings():
    kustomization = (
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
        "metadata: {name: apps, namespace: flux-system}\n"
        "spec: {path: apps, sourceRef: {kind: GitRepository, name: flux-system}, targetNamespace: shop}\n"
    )
    files = {
        **WEB,
        "clusters/dev/apps.yaml": kustomization,
        "apps/kustomization.yaml": "resources: [release.yaml]\nconfigMapGenerator:\n- name: given\n"
        "  options: {disableNameSuffixHash: true}\n  files: [values.yaml]\n",
        "apps/values.yaml": "replicas: 6\n",
        "apps/release.yaml": RELEASE
        + "  valuesFrom:\n  - {kind: ConfigMap, name: given}\n  - {kind: Secret, name: gone}\n",
    }
    graph = linked(files)
    result = graph.rendered["flux:HelmRelease/shop/web@dev"]
    assert result.objects[0].data["spec"]["replicas"] == 6
    (entry,) = result.unseen
    assert (entry.kind, entry.what) == (UncheckedClass.EXTERNAL, "values of Secret shop/gone")
    assert entry in graph.unchecked


@pytest.mark.usefixtures("helm")
def test_flux_post_renders_what_helm_wrote():
    spec = (
        "  commonMetadata: {labels: {team: x}}\n  postRenderers:\n  - kustomize:\n      patches:\n"
        '      - patch: \'[{"op": "replace", "path": "/spec/replicas", "value": 9}]\'\n'
        "        target: {kind: Deployment}\n      images: [{name: envoy, newTag: '1.31'}]\n"
    )
    graph = linked(release(spec))
    (item,) = graph.rendered["flux:HelmRelease/shop/web@"].objects
    assert item.data["metadata"]["labels"] == {"team": "x"}
    assert item.data["spec"]["replicas"] == 9
    assert place(graph, ("spec", "replicas")) == ("release.yaml", 13)
    assert place(graph, ("metadata", "labels", "team")) == ("release.yaml", 9)
    assert place(graph, (*CONTAINER, "image")) == ("charts/web/values.yaml", 4)
    broken = spec.replace("/spec/replicas", "/spec/nothing/there")
    assert failure(release(broken))[:3] == ("broken", "release.yaml", 13)


@pytest.mark.usefixtures("helm")
def test_hooks_are_delivered_but_for_those_that_the_agent_never_runs():
    hook = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, annotations: {helm.sh/hook: '%s'}}\n"
    files = {
        f"charts/web/templates/{name}.yaml": hook % (name, events)
        for name, events in (("install", "pre-install,test"), ("test", "test"), ("back", "pre-rollback"))
    }

    def names(result: Rendered) -> list[str]:
        return sorted(item.ref.name for item in result.objects if item.ref.kind == "ConfigMap")

    assert names(rendered(application(**files))) == ["install"]
    assert names(rendered(release(**files))) == ["back", "install"]
    assert names(rendered(release("  test: {enable: true}\n", **files))) == ["back", "install", "test"]


SUB = {
    "charts/lib/Chart.yaml": "apiVersion: v2\nname: lib\nversion: 1.2.0\n",
    "charts/lib/values.yaml": "level: info\n",
    "charts/lib/templates/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Chart.Name }}\n"
    "data:\n  level: {{ .Values.level }}\n  other: x\n",
}


@pytest.mark.usefixtures("helm")
@pytest.mark.parametrize("options", ["", "      valuesObject: {aux: {level: debug}}\n"])
def test_a_dependency_in_the_repository_is_rendered_under_its_alias(options: str):
    needs = CHART + "dependencies:\n- {name: lib, version: 1.x.x, repository: 'file://../lib', alias: aux}\n"
    graph = linked({**application(options), **SUB, "charts/web/Chart.yaml": needs})
    result = graph.rendered["argocd:Application/argocd/web@"]
    (item,) = [found for found in result.objects if found.ref.kind == "ConfigMap"]
    assert item.ref.name == "aux"
    location = item.origin(("data", "level"))
    expected = ("app.yaml", 10) if options else ("charts/lib/values.yaml", 1)
    assert (location.file, graph.repo.span(location).line) == expected
    location = item.origin(("data", "other"))
    assert (location.file, graph.repo.span(location).line) == ("charts/lib/templates/cm.yaml", 7)
    assert set(SUB) <= result.files


@pytest.mark.parametrize(
    ("dependency", "expected"),
    [
        ("repository: 'https://charts.test'", ("external", 5, "chart not fetched: dependency db of https://charts.test")),
        ("repository: 'oci://charts.test/x'", ("external", 5, "chart not fetched: dependency db of oci://charts.test/x")),
        ("repository: 'file://../../../db'", ("broken", 5, "dependency db: file://../../../db leads out of the repository")),
        ("repository: 'file:///etc'", ("broken", 5, "dependency db: file:///etc leads out of the repository")),
        ("repository: 'file://../db'", ("broken", 5, "dependency db: file://../db does not exist")),
        ("alias: x", ("broken", 5, "dependency db is not below charts/, and names no repository")),
    ],
)  # fmt: skip
def test_a_dependency_that_is_not_there_is_named_on_its_line(dependency: str, expected: tuple[str, int, str]):
    needs = f"{CHART}dependencies:\n- {{name: db, version: 1.0.0, {dependency}}}\n"
    kind, file, line, why = failure({**application(), "charts/web/Chart.yaml": needs})
    assert (kind, line, why) == expected
    assert file == "charts/web/Chart.yaml"


@pytest.mark.usefixtures("helm")
@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("a: b\nc: {{ .Values.x.y.z }}\n", ("charts/web/templates/e.yaml", 2, "nil pointer")),
        ("\n\n{{ required \"a name\" .Values.name }}\n", ("charts/web/templates/e.yaml", 3, "a name")),
        ("a: {{ nosuch }}\n", ("charts/web/templates/e.yaml", 1, "nosuch")),
        ("a: {{ .Values.x\n", ("charts/web/templates/e.yaml", 1, "unclosed")),
        ("a: b: c\n", ("charts/web/templates/e.yaml", 1, "YAML parse error")),
    ],
)  # fmt: skip
def test_a_template_that_fails_is_reported_on_its_line(template: str, expected: tuple[str, int, str]):
    kind, file, line, why = failure(application(**{"charts/web/templates/e.yaml": template}))
    assert (kind, file, line) == ("broken", *expected[:2])
    assert expected[2] in why


@pytest.mark.usefixtures("helm")
def test_values_that_the_schema_refuses_are_reported_where_they_are_written():
    schema = {"charts/web/values.schema.json": '{"properties": {"replicas": {"type": "integer"}}}'}
    kind, file, line, why = failure(release("  values:\n    replicas: many\n", **schema))
    assert (kind, file, line) == ("broken", "release.yaml", 10)
    assert "/replicas: got string, want integer" in why


@pytest.mark.usefixtures("helm")
def test_values_that_are_no_mapping_fail_the_release_where_they_are_written():
    kind, file, line, why = failure(release("  values: many\n"))
    assert (kind, file, line, why) == (
        "broken",
        "release.yaml",
        9,
        "values is no mapping, so Helm cannot take it",
    )


@pytest.mark.usefixtures("helm")
def test_a_chart_that_fails_without_values_of_the_cluster_is_external():
    needs = {"charts/web/templates/e.yaml": '{{ required "a name" .Values.name }}\n'}
    kind, file, line, why = failure(release("  valuesFrom:\n  - {kind: Secret, name: gone}\n", **needs))
    assert (kind, file, line) == ("external", "release.yaml", 10)
    assert "rendered without values of Secret shop/gone" in why


def test_without_helm_a_chart_is_external(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("gitops_layout.helm.find.find_spec", lambda _name: None)
    kind, file, line, why = failure(application())
    assert (kind, file, line) == ("external", "app.yaml", 8)
    assert why.startswith("chart charts/web is not rendered: helm is not installed")


def test_a_helm_that_is_too_old_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "helm").write_text("#!/bin/sh\necho v3.8.2\n")
    (tmp_path / "helm").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert failure(application())[3].endswith("helm v3.8.2 is too old: 3.14 or newer renders charts")


@pytest.mark.usefixtures("helm")
@pytest.mark.parametrize("target", ["../../../secret", "/etc/passwd", "nothing", "../../web"])
def test_a_link_out_of_the_repository_is_refused(tmp_path: Path, target: str):
    root = tmp_path / "repo"
    for path, text in application().items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    (tmp_path / "secret").write_text("secret")
    (root / "charts/web/files").mkdir()
    (root / "charts/web/files/link").symlink_to(target)
    repo = from_work_tree(root)
    (result,) = link(repo, render=Renders(repo)).rendered.values()
    assert result.objects == ()
    assert result.failure is not None
    assert result.failure.location is not None
    assert result.failure.location.file == "charts/web/files/link"
    assert result.failure.kind is UncheckedClass.BROKEN


def test_templates_see_nothing_but_the_chart(helm: Helm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "secret").write_text("secret")
    monkeypatch.setenv("SECRET", "secret")
    outside = tmp_path / "secret"
    looks = (
        f'[{{{{ .Files.Get "../../secret" }}}}{{{{ .Files.Get "{outside}" }}}}{{{{ getHostByName "localhost" }}}}'
        '{{ lookup "v1" "Secret" "" "" }}{{ .Files.Glob "../**" }}]'
    )
    body = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\ndata:\n  seen: {looks!r}\n"
    repo = from_files({"Chart.yaml": CHART, "templates/x.yaml": body, "secret": "secret"})
    chart = walk(repo, "")
    result = template(helm, repo, chart, Release("x", "default"))
    assert [item.data["data"]["seen"] for item in result.objects] == ["[map[]map[]]"]


@pytest.mark.parametrize("packed", [False, True])
def test_a_schema_that_refers_to_other_files_is_not_given_to_helm(helm: Helm, tmp_path: Path, packed: bool):
    (tmp_path / "outside.json").write_text('{"required": ["seen"]}')
    reference = f"file://{tmp_path}/outside.json"
    schema = json.dumps(
        {"$schema": "http://json-schema.org/draft-07/schema#", "allOf": [{"$ref": reference}]}
    )
    files: dict[str, str | bytes] = {"Chart.yaml": CHART, "values.schema.json": schema}
    for path, text in files.items():
        (tmp_path / path).write_text(text)  # type: ignore[arg-type]
    run = subprocess.run([helm.program, "template", tmp_path], capture_output=True, text=True, check=False)
    assert "missing property 'seen'" in run.stderr  # so helm does read it
    if packed:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as tar:
            for path in list(files):
                tar.add(tmp_path / path, f"lib/{path}")
        files = {"Chart.yaml": CHART, "charts/lib-1.0.0.tgz": archive.getvalue()}
    repo = from_files(files)
    chart = walk(repo, "")
    result = template(helm, repo, chart, Release("x", "default"))
    assert result.problem is not None
    assert result.problem.kind is UncheckedClass.EXTERNAL
    assert result.problem.why == (
        f"the schema of the chart's values refers to {reference}; nothing is fetched"
    )
    skipping = Release("x", "default", flags=("--skip-schema-validation",))
    assert template(helm, repo, chart, skipping).problem is None


@pytest.mark.parametrize("name", ["a\0b", "x" * 300_000])
def test_a_name_that_no_program_can_be_given_is_a_problem(helm: Helm, name: str):
    repo = from_files({"Chart.yaml": CHART})
    result = template(helm, repo, walk(repo, ""), Release(name, "default"))
    assert result.problem is not None
    assert result.problem.why.startswith("helm cannot be started: ")


def test_a_file_parameter_cannot_name_a_second_file(helm: Helm):
    repo = from_files({"Chart.yaml": CHART})
    release = Release("x", "default", set_file=(("a=/etc/passwd,b", b""),))
    result = template(helm, repo, walk(repo, ""), release)
    assert result.problem is not None
    assert "is no path of one value" in result.problem.why


def test_a_template_that_eats_memory_is_stopped(helm: Helm):
    eats = '{{ $x := "0123456789abcdef" }}{{ range until 40 }}{{ $x = print $x $x }}{{ end }}'
    repo = from_files({"Chart.yaml": CHART, "templates/x.yaml": eats})
    result = template(helm, repo, walk(repo, ""), Release("x", "default"))
    assert result.problem is not None
    assert result.problem.why == "rendering takes more than 1024 MiB of memory"


REMOTE = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: charts, namespace: shop}
spec: {url: "https://charts.test"}
"""


@pytest.mark.parametrize("packed", [False, True])
def test_charts_that_were_fetched_are_rendered(helm: Helm, tmp_path: Path, packed: bool):
    for path, text in WEB.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    brought = tmp_path / "charts/web"
    if packed:
        subprocess.run([helm.program, "package", brought], cwd=tmp_path, check=True, capture_output=True)
        brought = tmp_path / "web-1.0.0.tgz"
    asked = []

    def fetched(url: str, name: str, version: str, tags: str | None = None) -> Path:
        asked.append((url, name, version))
        return brought

    needs = "dependencies:\n- {name: web, version: 1.0.0, repository: 'https://charts.test'}\n"
    remote = RELEASE.replace("./charts/web", "web\n      version: 1.x").replace(
        "GitRepository", "HelmRepository"
    )
    files = {
        "release.yaml": remote.replace("name: flux-system, namespace: flux-system", "name: charts"),
        "source.yaml": REMOTE,
        "app.yaml": APPLICATION.replace("charts/web", "x"),
        "x/Chart.yaml": CHART.replace("web", "x") + needs,
    }
    repo = from_files(files)  # type: ignore[arg-type]
    graph = link(repo, render=Renders(repo))
    assert [item.failure.why for item in graph.rendered.values() if item.failure is not None] == [
        "chart not fetched: dependency web of https://charts.test",
        "chart not fetched: web of https://charts.test",
    ]
    done = Charts(repo, fetched=fetched)(graph.deliveries, nothing)
    assert [len(done[delivery.id].objects) for delivery in graph.deliveries] == [1, 1]
    assert sorted(asked) == [("https://charts.test", "web", "1.0.0"), ("https://charts.test", "web", "1.x")]


@pytest.mark.usefixtures("helm")
def test_a_chart_sees_the_apis_that_the_repository_brings():
    crd = (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: as.test}\n"
        "spec: {group: test, names: {kind: A}, versions: [{name: v1, served: true}, {name: v0, served: false}]}\n"
    )
    looks = "v: [{{ range list %s }}{{ $.Capabilities.APIVersions.Has . }},{{ end }}]\n"
    template = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n" + looks % '"test/v1" "test/v1/A" "test/v0"'
    )
    files = {"crd.yaml": crd, "charts/web/templates/x.yaml": template}
    given = "      apiVersions: [test/v0]\n      kubeVersion: 1.31.2\n"

    def seen(result: Rendered) -> Any:
        return next(item.data["v"] for item in result.objects if item.ref.kind == "ConfigMap")

    assert seen(rendered(application(**files))) == [True, True, False]
    assert seen(rendered(application(given, **files))) == [False, False, True]


@pytest.mark.usefixtures("helm")
def test_a_chart_is_told_the_version_that_the_clusters_have():
    shows = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\nv: {{ .Capabilities.KubeVersion.Minor }}\n"
    repo = from_files(application(**{"charts/web/templates/x.yaml": shows}))  # type: ignore[arg-type]
    graph = link(repo, render=Renders(repo, kubernetes="1.34"))
    assert [item.data["v"] for item in rendered_objects(graph) if item.ref.kind == "ConfigMap"] == [34]


@pytest.mark.usefixtures("helm")
def test_values_files_of_a_flux_chart_replace_its_own():
    spec = "      valuesFiles: [charts/web/values.yaml, ./envs/prod.yaml, gone.yaml]\n"
    files = {"envs/prod.yaml": "replicas: 7\n"}
    assert failure(release(spec, **files))[:3] == ("broken", "release.yaml", 7)
    graph = linked(release(spec + "      ignoreMissingValuesFiles: true\n", **files))
    assert place(graph, ("spec", "replicas")) == ("envs/prod.yaml", 1)
    assert place(graph, (*CONTAINER, "image")) == ("charts/web/values.yaml", 4)


@pytest.mark.usefixtures("helm")
@pytest.mark.parametrize(("version", "patched"), [("v2beta1", True), ("v2beta2", True), ("v2", False)])
def test_the_older_fields_of_a_post_renderer_are_those_of_the_betas(version: str, patched: bool):
    files = {**WEB, "release.yaml": RELEASE.replace("fluxcd.io/v2\n", f"fluxcd.io/{version}\n")}
    files["release.yaml"] += """\
  postRenderers:
    - kustomize:
        patchesStrategicMerge:
          - {apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {paused: true}}
        patchesJson6902:
          - target: {kind: Deployment, name: web}
            patch: [{op: add, path: /metadata/labels, value: {a: b}}]
"""
    (item,) = [found for found in rendered_objects(linked(files)) if found.ref.kind == "Deployment"]
    assert ("paused" in item.data["spec"], "labels" in item.data["metadata"]) == (patched, patched)


@pytest.mark.usefixtures("helm")
@pytest.mark.parametrize(("version", "only"), [("v2beta1", "7"), ("v2beta2", "7"), ("v2", None)])
def test_the_one_values_file_of_the_betas_comes_before_the_others(version: str, only: str | None):
    spec = "      valuesFile: envs/prod.yaml\n      valuesFiles: [charts/web/values.yaml]\n"
    shows = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: seen}\nvalues: {{ toJson .Values }}\n"
    files = release(
        spec, **{"envs/prod.yaml": 'replicas: 7\nonly: "7"\n', "charts/web/templates/seen.yaml": shows}
    )
    files["release.yaml"] = files["release.yaml"].replace("fluxcd.io/v2\n", f"fluxcd.io/{version}\n")
    (item,) = [found for found in rendered_objects(linked(files)) if found.ref.kind == "ConfigMap"]
    assert (item.data["values"].get("only"), item.data["values"]["replicas"]) == (only, 1)


@pytest.mark.usefixtures("helm")
def test_what_a_chart_renders_is_followed():
    child = APPLICATION.replace("metadata: {name: web,", "metadata: {name: child,")
    files = {**application(), "charts/web/templates/child.yaml": child.replace("charts/web", "plain")}
    files["plain/cm.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
    graph = linked(files)
    (item,) = graph.rendered["argocd:Application/argocd/child@"].objects
    assert str(item.ref) == "v1/ConfigMap/shop/x"
    (delivery,) = [found for found in graph.deliveries if found.name == "child"]
    assert graph.repo.span(delivery.place("path")).line == 8


@pytest.mark.usefixtures("helm")
@pytest.mark.usefixtures("helm")
def test_a_root_application_for_each_cluster_may_lie_in_the_chart_that_all_of_them_install():
    root = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: root, namespace: argocd}}\n"
        "spec:\n  project: default\n  destination: {{server: https://kubernetes.default.svc, namespace: web}}\n"
        "  source:\n    repoURL: https://example.test/acme/fleet\n    path: root\n"
        "    helm: {{valueFiles: [values-{0}.yaml]}}\n"
    )
    graph = linked(
        {
            "root/Chart.yaml": "apiVersion: v2\nname: root\nversion: 1.0.0\n",
            "root/templates/config.yaml": (
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stage}\ndata: {stage: {{ .Values.stage }}}\n"
            ),
            **{f"root/root-{stage}.yaml": root.format(stage) for stage in ("dev", "prod")},
            **{f"root/values-{stage}.yaml": f"stage: {stage}\n" for stage in ("dev", "prod")},
        }
    )
    found = {d.cluster: graph.rendered[d.id].objects[0].data["data"]["stage"] for d in graph.deliveries}
    assert found == {"root/root-dev": "dev", "root/root-prod": "prod"}


def test_a_list_is_delivered_as_its_items():
    item = "- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: {}\n"
    text = "apiVersion: v1\nkind: List\nitems:\n" + item.format("one") + item.format("two")
    graph = linked(application(**{"charts/web/templates/list.yaml": text}))
    items = [found for found in rendered_objects(graph) if found.ref.kind == "ConfigMap"]
    assert [str(found.ref) for found in items] == ["v1/ConfigMap/shop/one", "v1/ConfigMap/shop/two"]
    lines = [graph.repo.span(found.origin(("metadata", "name"))).line for found in items]
    assert lines == [7, 11]


def test_fields_that_are_not_known_are_listed():
    graphs = linked(application("      upgrade: yes\n")), linked(release("  sideEffects: none\n"))
    listed = [[item.what.partition(" of ")[0] for item in graph.unchecked] for graph in graphs]
    assert "spec.source.helm.upgrade" in listed[0]
    assert "spec.sideEffects" in listed[1]


@pytest.mark.usefixtures("helm")
def test_a_value_that_an_overlay_gave_stands_in_the_overlay():
    files = {
        **WEB,
        "clusters/dev/apps.yaml": "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
        "metadata: {name: apps, namespace: flux-system}\n"
        "spec: {path: dev, sourceRef: {kind: GitRepository, name: flux-system}}\n",
        "dev/kustomization.yaml": "resources: [../base/release.yaml]\npatches:\n- path: patch.yaml\n",
        "dev/patch.yaml": "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n"
        "metadata: {name: web, namespace: shop}\nspec: {values: {replicas: 8}}\n",
        "base/release.yaml": RELEASE + "  values:\n    replicas: 2\n    image: {tag: 4.0.0}\n",
    }
    graph = linked(files)
    assert place(graph, ("spec", "replicas")) == ("dev/patch.yaml", 4)
    assert place(graph, (*CONTAINER, "image")) == ("base/release.yaml", 11)
