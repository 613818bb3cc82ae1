"""Variables of Flux Kustomizations: what they make of objects, where values then come from, and what fails."""

from __future__ import annotations

from typing import Any

import pytest

from gitops_layout.graph.link import link
from gitops_layout.graph.model import Graph
from gitops_layout.helm.find import NoHelm, find
from gitops_layout.model import UncheckedClass
from gitops_layout.render.build import Renders
from gitops_layout.render.rendered import RenderedObject
from gitops_layout.render.substitute import SubstitutionError, substitute
from gitops_layout.repo.load import from_files


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${N}", 3),
        ("${N}m", "3m"),
        ("x: ${N}", "x: 3"),
        ("${GONE:=d}", "d"),
        ("${GONE:-5}", 5),
        ("${EMPTY:=${N}}", 3),
        ("${EMPTY}", None),
        ("$${N}", "${N}"),
        ("$N", "$N"),
        ("${NAMES}", ["a", "b"]),
        ("${N/3/4}", 4),
        ("v${SEMVER%%.*}", "v12"),
        ("${SEMVER:0:4}", 12.3),
        ("l1 ${N}\nl2\n", "l1 3\nl2\n"),
    ],
)
def test_variables_are_substituted_as_flux_does(text: str, value: Any):
    variables = {"N": "3", "EMPTY": "", "NAMES": "[a, b]", "SEMVER": "12.3.4"}
    assert substitute({"data": {"k": text}}, variables).data == {"data": {"k": value}}


def test_a_shell_script_that_only_looks_like_variables_is_refused_as_flux_refuses_it():
    script = "for f in ${files[@]}; do echo ${f-none}; done"
    with pytest.raises(
        SubstitutionError, match=r"\$\{files\[@\]\}: the name is followed by neither"
    ) as caught:
        substitute({"kind": "ConfigMap", "data": {"fine": "${N}", "run.sh": script}}, {"N": "1"})
    assert caught.value.path == ("data", "run.sh")


@pytest.mark.parametrize("where", ["labels", "annotations"])
def test_an_object_that_forbids_substitution_is_left_alone(where: str):
    data = {"metadata": {where: {"kustomize.toolkit.fluxcd.io/substitute": "disabled"}}, "a": "${N}"}
    assert substitute(data, {"N": "3"}).data == data


def test_a_pattern_that_would_take_for_ever_is_refused():
    with pytest.raises(SubstitutionError, match="too long to match"):
        substitute({"a": "${V##*a*a*a*b}"}, {"V": "a" * 50_000})


APPS = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec:
  path: ./apps
  sourceRef: {kind: GitRepository, name: flux-system}
  postBuild:
"""
SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: flux-system}
data:
  ZONE: eu
"""
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: ${COUNT:=2}
  template:
    spec:
      nodeSelector: ${NODES}
      containers:
      - name: web
        image: web:${TAG}-${ZONE}
"""


def linked(post_build: str, **files: str) -> Graph:
    named = {name.replace("_", "/", 1) + ".yaml": text for name, text in files.items()}
    repo = from_files({"clusters/eu/apps.yaml": APPS + post_build, "apps/web.yaml": WEB, **named})
    return link(repo, render=Renders(repo))


def web(graph: Graph) -> RenderedObject:
    (found,) = [
        item
        for rendered in graph.rendered.values()
        for item in rendered.objects
        if item.ref.kind == "Deployment" and item.ref.name == "web"
    ]
    return found


def test_a_value_stands_where_its_variable_does_and_before_that_where_the_text_does():
    graph = linked(
        "    substitute: {TAG: '1.8', NODES: '{disk: ssd}'}\n"
        "    substituteFrom: [{kind: ConfigMap, name: settings}]\n",
        apps_settings=SETTINGS,
    )
    item = web(graph)
    template: Any = item.data["spec"]["template"]["spec"]
    assert (template["containers"][0]["image"], item.data["spec"]["replicas"]) == ("web:1.8-eu", 2)

    def lines(*path: str | int) -> list[tuple[str, int]]:
        places = [item.origin(path), *item.earlier(path)]
        return [(place.file, graph.repo.span(place).line) for place in places]

    pod = ("spec", "template", "spec")
    assert lines(*pod, "containers", 0, "image") == [
        ("clusters/eu/apps.yaml", 8),
        ("apps/settings.yaml", 5),
        ("apps/web.yaml", 11),
    ]
    assert lines(*pod, "nodeSelector", "disk")[0] == ("clusters/eu/apps.yaml", 8)
    assert lines("spec", "replicas") == [("apps/web.yaml", 5)]
    assert lines(*pod, "containers", 0, "name") == [("apps/web.yaml", 10)]


PATCHED = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: more, namespace: flux-system}
spec:
  path: ./more
  sourceRef: {kind: GitRepository, name: flux-system}
  patches:
  - target: {kind: Deployment}
    patch: |
      - op: add
        path: /spec/paused
        value: true
      - op: add
        path: /spec/replicas
        value: ${COUNT}
"""


def test_what_a_text_with_a_variable_writes_stands_in_the_text():
    more = WEB.replace("${COUNT:=2}", "1").replace("${NODES}", "{}").replace(":${TAG}-${ZONE}", "")
    graph = linked(
        "    substitute: {TAG: a, ZONE: b, NODES: '{}', COUNT: '3'}\n",
        apps_more=PATCHED,
        more_web=more.replace("name: web,", "name: more,"),
    )
    (item,) = [
        o
        for r in graph.rendered.values()
        for o in r.objects
        if o.ref.name == "more" and o.ref.kind == "Deployment"
    ]
    assert item.data["spec"]["replicas"] == 3
    places = [item.origin(("spec", field)) for field in ("paused", "replicas")]
    assert [(place.file, graph.repo.span(place).line) for place in places] == [
        ("apps/more.yaml", 12),
        ("apps/more.yaml", 15),
    ]


def test_variables_that_nothing_sets_fail_the_delivery_and_are_named_with_their_place():
    (entry,) = linked("    substitute: {ZONE: eu}\n").unchecked
    assert entry.kind is UncheckedClass.BROKEN
    assert entry.why.startswith(
        "Deployment web, spec.template.spec.nodeSelector: ${NODES}, ${TAG} not set, and without a default"
    )
    assert entry.location is not None
    assert (entry.location.file, entry.location.path) == (
        "apps/web.yaml",
        ("spec", "template", "spec", "nodeSelector"),
    )


CONTROLLER = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: kustomize-controller, namespace: flux-system}
spec:
  template:
    spec:
      containers:
      - {name: manager, image: 'ghcr.io/fluxcd/kustomize-controller:VERSION', args: [ARGS]}
"""
INSTANCE = """\
apiVersion: fluxcd.controlplane.io/v1
kind: FluxInstance
metadata: {name: flux, namespace: flux-system}
spec: {distribution: {version: VERSION, registry: ghcr.io/fluxcd}}
"""


@pytest.mark.parametrize(
    ("flux", "strict"),
    [
        (CONTROLLER.replace("VERSION", "v1.8.2"), False),
        (CONTROLLER.replace("VERSION", "v1.9.0"), True),
        (CONTROLLER.replace("VERSION", "v1.9.0@sha256:0123"), True),
        (CONTROLLER.replace("VERSION", "latest"), True),
        (
            CONTROLLER.replace("VERSION", "v1.9.0").replace(
                "ARGS", "--feature-gates=StrictPostBuildSubstitutions=false"
            ),
            False,
        ),
        (
            CONTROLLER.replace("VERSION", "v1.5.0").replace(
                "ARGS", "--feature-gates=StrictPostBuildSubstitutions=true"
            ),
            True,
        ),
        (INSTANCE.replace("VERSION", "2.8.x"), False),
        (INSTANCE.replace("VERSION", "2.x"), True),
    ],
)
def test_an_unset_variable_is_empty_under_a_flux_that_is_known_to_be_older(flux: str, strict: bool):
    graph = linked("    substitute: {ZONE: eu}\n", **{"clusters_eu/flux-system/gotk": flux})
    if strict:
        assert [entry.kind for entry in graph.unchecked if "${TAG}" in entry.why] == [UncheckedClass.BROKEN]
    else:
        template: Any = web(graph).data["spec"]["template"]["spec"]
        assert (template["nodeSelector"], template["containers"][0]["image"]) == (None, "web:-eu")


def test_variables_that_may_be_set_outside_stay_as_text_and_are_listed():
    graph = linked(
        "    substitute: {ZONE: eu}\n    substituteFrom: [{kind: ConfigMap, name: gone, optional: true}]\n"
    )
    template: Any = web(graph).data["spec"]["template"]["spec"]
    assert template["containers"][0]["image"] == "web:${TAG}-eu"
    (entry,) = graph.unchecked
    assert (entry.kind, entry.what.partition(" in ")[0]) == (
        UncheckedClass.EXTERNAL,
        "${COUNT}, ${TAG}, ${NODES}",
    )
    assert "ConfigMap flux-system/gone may set them" in entry.why
    assert entry.subject == ("kind", "ConfigMap/flux-system/gone")


def test_a_key_that_cannot_name_a_variable_fails_the_delivery_at_its_place():
    graph = linked(
        "    substituteFrom: [{kind: ConfigMap, name: settings}]\n",
        **{"clusters_eu/config": APPS.replace("apps", "config").removesuffix("  postBuild:\n")},
        config_settings=SETTINGS + "  values.yaml: x\n",
    )
    (entry,) = graph.unchecked
    assert entry.why.startswith("values.yaml cannot be a variable")
    assert entry.location is not None
    assert (entry.location.file, entry.location.path) == ("config/settings.yaml", ("data", "values.yaml"))


def test_the_lines_of_a_value_are_joined():
    graph = linked("    substitute: {ZONE: \"e\\nu\", TAG: '1', NODES: '{}'}\n")
    template: Any = web(graph).data["spec"]["template"]["spec"]
    assert template["containers"][0]["image"] == "web:1-eu"


def test_defaults_count_without_variables_only_where_the_strategy_says_so():
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: '${GONE:=d}'}\n"

    def value(post_build: str) -> Any:
        repo = from_files({"clusters/eu/apps.yaml": APPS + post_build, "apps/c.yaml": text})
        (rendered,) = link(repo, render=Renders(repo)).rendered.values()
        return rendered.objects[0].data["data"]["a"]

    assert value("    substitute: {}\n") == "${GONE:=d}"
    assert value("    substituteStrategy: Always\n") == "d"


def test_the_keys_of_an_encrypted_secret_say_which_variables_nothing_sets() -> None:
    secret = (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: vars, namespace: flux-system}\n"
        "stringData: {DOMAIN: 'ENC[AES256_GCM,data:x]'}\nsops: {mac: 'ENC[AES256_GCM,data:y]'}\n"
    )
    flux = (
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
        "metadata: {name: %s, namespace: flux-system}\n"
        "spec:\n  path: ./%s\n  sourceRef: {kind: GitRepository, name: flux-system}\n"
    )
    reading = "  postBuild:\n    substituteFrom: [{kind: Secret, name: vars}]\n"
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: shop}\ndata:\n  a: ${DOMAIN}\n  b: ${DOMIAN}\n"
    files = {
        "clusters/prod/vars.yaml": flux % ("vars", "vars"),
        "clusters/prod/web.yaml": flux % ("web", "web") + reading,
        "vars/vars.yaml": secret,
        "web/map.yaml": text,
    }
    repo = from_files(files)
    graph = link(repo, render=Renders(repo))
    unset = [found for rendered in graph.rendered.values() for found in rendered.unset]
    assert [(found.name, repo.span(found.location).line) for found in unset] == [("DOMIAN", 6)]


def test_variables_of_a_file_that_nothing_delivers_are_not_taken_for_those_of_the_cluster() -> None:
    settings = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: flux-system}\ndata: {A: b}\n"
    )
    files = {
        "clusters/eu/apps.yaml": APPS + "    substituteFrom: [{kind: ConfigMap, name: settings}]\n",
        "apps/c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: '${A}'}\n",
        "config/dev/settings.yaml": settings,
        "config/eu/settings.yaml": settings,
    }
    repo = from_files(files)
    graph = link(repo, render=Renders(repo))
    (entry,) = graph.unchecked
    assert entry.why == (
        "no delivery brings it to eu: config/eu/settings.yaml defines it, and no agent delivers that there"
    )
    (item,) = (
        item for rendered in graph.rendered.values() for item in rendered.objects if item.ref.name == "c"
    )
    assert item.data["data"] == {"a": "${A}"}


SEALED = """\
apiVersion: v1
kind: Secret
metadata: {name: sealed, namespace: flux-system}
stringData: {COUNT: 'ENC[AES256_GCM,data:x]'}
sops: {mac: 'ENC[AES256_GCM,data:y]'}
"""


@pytest.mark.parametrize(
    ("listed", "replicas"),
    [
        ("[{kind: ConfigMap, name: settings}]", 2),
        ("[{kind: ConfigMap, name: settings}, {kind: Secret, name: gone}]", "${COUNT:=2}"),
        ("[{kind: ConfigMap, name: settings}, {kind: Secret, name: gone, optional: true}]", "${COUNT:=2}"),
        ("[{kind: ConfigMap, name: settings}, {kind: Secret, name: sealed}]", "${COUNT:=2}"),
    ],
)
def test_a_default_is_no_fact_where_something_unseen_may_set_its_variable(listed: str, replicas: Any):
    graph = linked(
        f"    substitute: {{TAG: '1', NODES: '{{}}'}}\n    substituteFrom: {listed}\n",
        apps_settings=SETTINGS,
        apps_sealed=SEALED,
    )
    assert web(graph).data["spec"]["replicas"] == replicas
    assert [entry.kind for entry in graph.unchecked] == [UncheckedClass.EXTERNAL] * (replicas != 2)


def test_a_default_is_a_fact_where_the_names_of_all_that_is_encrypted_are_known():
    sealed = SEALED.replace("COUNT", "OTHER")
    graph = linked(
        "    substitute: {TAG: '1', NODES: '{}', ZONE: eu}\n    substituteFrom: [{kind: Secret, name: sealed}]\n",
        apps_sealed=sealed,
    )
    assert web(graph).data["spec"]["replicas"] == 2


def test_what_an_encrypted_secret_sets_again_is_not_known_and_what_the_kustomization_sets_after_it_is():
    sealed = SEALED.replace("COUNT:", "TAG: 'ENC[x]', ZONE:")
    graph = linked(
        "    substitute: {TAG: '1', NODES: '{}'}\n"
        "    substituteFrom: [{kind: ConfigMap, name: settings}, {kind: Secret, name: sealed}]\n",
        apps_settings=SETTINGS,
        apps_sealed=sealed,
    )
    template: Any = web(graph).data["spec"]["template"]["spec"]
    assert template["containers"][0]["image"] == "web:1-${ZONE}"


RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: web, namespace: shop}
spec:
  interval: 10m
  chart: {spec: {chart: ./chart, sourceRef: {kind: GitRepository, name: flux-system, namespace: flux-system}}}
  values: {count: "${COUNT:=2}"}
"""


@pytest.mark.skipif(isinstance(find(), NoHelm), reason="no helm here")
def test_a_chart_that_fails_for_a_variable_which_is_set_in_the_cluster_is_not_broken():
    files = {
        "clusters/eu/apps.yaml": APPS + "    substituteFrom: [{kind: Secret, name: gone}]\n",
        "apps/release.yaml": RELEASE,
        "chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
        "chart/templates/a.yaml": "{{ if gt .Values.count 1.0 }}{{ end }}",
    }
    repo = from_files(files)
    graph = link(repo, render=Renders(repo))
    (failure,) = (r.failure for r in graph.rendered.values() if r.failure is not None)
    assert failure.kind is UncheckedClass.EXTERNAL
    assert "rendered with ${COUNT:=2}, which is set in the cluster" in failure.why


@pytest.mark.parametrize("sops", ["", "sops: {mac: 'ENC[AES256_GCM,data:y]'}\n"])
@pytest.mark.parametrize("wrong", ["data: 7\n", "stringData: true\n"])
def test_a_secret_whose_values_are_no_mapping_is_listed_and_ends_no_run(wrong: str, sops: str):
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: sealed, namespace: flux-system}\n" + wrong + sops
    graph = linked(
        "    substitute: {TAG: '1', NODES: '{}', ZONE: eu}\n    substituteFrom: [{kind: Secret, name: sealed}]\n",
        apps_sealed=secret,
    )
    (entry,) = graph.unchecked
    assert entry.what == "variables of Secret flux-system/sealed"
