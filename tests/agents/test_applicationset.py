"""ApplicationSets expanded: every generator, their combinations, templates, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_layout.agents.applicationset import (
    Cluster,
    Expansion,
    ProblemKind,
    World,
    cluster_of_secret,
    expand,
)
from gitops_layout.agents.applicationset.globs import file_matcher, folder_matcher
from gitops_layout.model import UncheckedClass
from gitops_layout.repo.load import from_files

OWN = "https://git.example/fleet.git"
FILES = {
    "apps/web/kustomization.yaml": "",
    "apps/api/v2/kustomization.yaml": "",
    "apps/Old_One/kustomization.yaml": "",
    "apps/.hidden/kustomization.yaml": "",
    "envs/dev/config.json": '{"env": "dev", "replicas": 1000000, "tags": ["a", "b"], "deep": {"x": null}}',
    "envs/prod/config.yaml": "- env: prod\n  replicas: 3\n- env: dr\n  replicas: 0\n",
    "config.json": '{"env": "root"}',
}
CLUSTERS = (
    Cluster(
        "eu",
        "https://eu.example",
        {"env": "prod", "tier": "1"},
        {"team": "a", "argocd.argoproj.io/refresh": "x"},
    ),
    Cluster("us", "https://us.example", {"env": "dev"}),
)


def expanded(
    *generators: Any, name: str = "{{ .x }}", go: bool = True, clusters: Any = CLUSTERS, **spec: Any
) -> Expansion:
    template = spec.pop("template", {"metadata": {"name": name}, "spec": {"project": "default"}})
    data = {
        "kind": "ApplicationSet",
        "metadata": {"name": "set", "namespace": "argocd"},
        "spec": {"goTemplate": go, "generators": list(generators), "template": template, **spec},
    }
    repo = from_files(FILES)  # type: ignore[arg-type]
    before = json.dumps(data, sort_keys=True)
    found = expand(data, World(repo, lambda url: url == OWN, clusters))
    assert json.dumps(data, sort_keys=True) == before, "expanding must not write into the object"
    return found


def names(found: Expansion) -> list[str]:
    assert [p for p in found.problems if p.unchecked] == []
    return [one.data["metadata"]["name"] for one in found.applications]


def problem(found: Expansion) -> tuple[str, tuple[Any, ...]]:
    (only,) = found.problems
    return only.kind.value, only.path


def listed(*elements: Any, **more: Any) -> dict[str, Any]:
    return {"list": {"elements": list(elements), **more}}


def git(**spec: Any) -> dict[str, Any]:
    return {"git": {"repoURL": OWN, "revision": "HEAD", **spec}}


def folders(*paths: str, **spec: Any) -> dict[str, Any]:
    return git(directories=[{"path": p.lstrip("!"), "exclude": p.startswith("!")} for p in paths], **spec)


def files(*paths: str, **spec: Any) -> dict[str, Any]:
    return git(files=[{"path": p.lstrip("!"), "exclude": p.startswith("!")} for p in paths], **spec)


def test_a_list_becomes_whole_applications_with_the_finalizer_and_the_namespace_of_the_set():
    found = expanded(listed({"x": "web", "n": 3}), name="{{ .x }}-{{ .n }}")
    assert found.applications[0].data == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": "web-3",
            "namespace": "argocd",
            "finalizers": ["resources-finalizer.argocd.argoproj.io"],
        },
        "spec": {"project": "default"},
    }
    assert found.applications[0].generator == ("spec", "generators", 0, "list")
    assert found.problems == ()


def test_preserving_resources_leaves_the_finalizer_out():
    found = expanded(
        listed({"x": "a"}),
        syncPolicy={"preserveResourcesOnDeletion": True, "applicationsSync": "create-only"},
    )
    assert "finalizers" not in found.applications[0].data["metadata"]
    assert (found.preserve_resources, found.applications_sync) == (True, "create-only")


def test_elements_of_a_yaml_text_join_the_list_and_numbers_are_floats_as_in_go():
    generator = {
        "matrix": {
            "generators": [
                listed({"all": [{"x": "a"}, {"x": 2000000}]}),
                {"list": {"elementsYaml": "{{ .all | toJson }}"}},
            ]
        }
    }
    assert names(expanded(generator)) == ["a", "2e+06"]


def test_without_go_templates_elements_are_strings_and_values_are_dotted():
    generator = listed({"x": "a", "values": {"k": "v"}})
    assert names(expanded(generator, go=False, name="{{x}}-{{ values.k }}")) == ["a-v"]
    assert problem(expanded(listed({"x": 1}), go=False)) == (
        "wrong-type", ("spec", "generators", 0, "list", "elements", 0, "x")
    )  # fmt: skip


def test_an_unknown_tag_stays_and_is_a_problem_that_does_not_stop():
    found = expanded(listed({"x": "a"}), go=False, name="{{x}}-{{y}}")
    assert names(found) == ["a-{{y}}"]
    assert problem(found) == ("missing-key", ("spec", "template", "metadata", "name"))


@pytest.mark.parametrize(
    ("options", "kinds", "made"),
    [
        ([], ["missing-key"], ["a-<no value>"]),
        (["missingkey=zero"], ["missing-key"], ["a-<no value>"]),
        (["missingkey=error"], ["template"], []),
        (["missingkey=eror"], ["invalid"], []),
    ],
)
def test_a_missing_key_is_what_the_options_say(options: list[str], kinds: list[str], made: list[str]):
    found = expanded(listed({"x": "a"}), name="{{.x}}-{{.y}}", goTemplateOptions=options)
    assert [p.kind.value for p in found.problems] == kinds
    assert [one.data["metadata"]["name"] for one in found.applications] == made


def test_folders_match_one_level_per_star_leave_hidden_ones_out_and_obey_exclusions():
    generator = folders("apps/*", "apps/*/*", "!apps/web")
    template = "{{ .path.path }}|{{ index .path.segments 1 }}|{{ .path.basenameNormalized }}"
    assert names(expanded(generator, name=template)) == [
        "apps/Old_One|Old_One|old-one",
        "apps/api|api|api",
        "apps/api/v2|api|v2",
    ]
    assert names(expanded(folders("**"), name="{{.path.path}}")) == ["apps", "envs"]


def test_folders_without_go_templates_have_numbered_segments_and_take_a_prefix():
    generator = folders("apps/*/*", pathParamPrefix="my")
    assert names(
        expanded(generator, go=False, name="{{my.path.basename}}-{{my.path[0]}}-{{my.path[1]}}")
    ) == ["v2-apps-api"]
    assert names(expanded(generator, name="{{.my.path.basename}}")) == ["v2"]


def test_a_star_for_files_crosses_folders_as_in_a_git_pathspec_and_a_folder_means_what_is_in_it():
    assert names(expanded(files("*.json"), name="{{.env}}")) == ["root", "dev"]
    assert names(expanded(files("**/config.json"), name="{{.env}}")) == ["dev"]
    assert names(expanded(files("envs"), name="{{.env}}")) == ["dev", "prod", "dr"]
    assert names(expanded(files("envs", "!envs/dev"), name="{{.env}}")) == ["prod", "dr"]


def test_files_bring_their_data_and_their_place():
    found = expanded(
        files("envs/dev/*"),
        name="{{.env}}-{{.replicas}}-{{.path.basename}}-{{.path.filenameNormalized}}-{{index .tags 1}}",
    )
    assert names(found) == ["dev-1e+06-dev-config.json-b"]
    flat = expanded(
        files("envs/dev/*"),
        go=False,
        name="{{env}}-{{replicas}}-{{tags.0}}-{{deep.x}}-{{path.filename}}-{{path[1]}}",
    )
    assert names(flat) == ["dev-1e+06-a-<nil>-config.json-dev"]


def test_values_of_a_generator_are_rendered_over_its_own_parameters():
    generator = folders("apps/web", values={"full": "{{ .path.basename }}-x"})
    assert names(expanded(generator, name="{{.values.full}}")) == ["web-x"]
    flat = folders("apps/web", values={"full": "{{path.basename}}-x"})
    assert names(expanded(flat, go=False, name="{{values.full}}")) == ["web-x"]


def test_a_generator_that_matches_nothing_says_so():
    found = expanded(folders("gone/*"))
    assert found.applications == ()
    assert problem(found) == ("empty", ("spec", "generators", 0, "git", "directories", 0, "path"))
    assert found.problems[0].unchecked is None


def test_clusters_bring_labels_annotations_and_argo_cds_own_cluster():
    name = '{{.name}}-{{index .metadata.labels "env"}}{{range $k, $v := .metadata.annotations}}-{{$k}}{{end}}'
    assert names(expanded({"clusters": {"selector": {"matchLabels": {"tier": "1"}}}}, name=name)) == [
        "eu-prod-team"
    ]
    assert names(expanded({"clusters": {}}, name="{{.name}}")) == ["eu", "us", "in-cluster"]
    flat = {"clusters": {"values": {"a": "{{name}}!"}}}
    assert names(expanded(flat, go=False, name="{{values.a}}{{server}}")) == [
        "eu!https://eu.example",
        "us!https://us.example",
        "in-cluster!https://kubernetes.default.svc",
    ]


def test_a_flat_list_of_clusters_makes_one_application():
    found = expanded({"clusters": {"flatList": True}}, name="{{range .clusters}}{{.name}}.{{end}}")
    assert names(found) == ["eu.us.in-cluster."]


def test_unknown_clusters_are_external_and_none_are_guessed():
    found = expanded({"clusters": {}}, clusters=None)
    assert found.applications == ()
    assert problem(found)[0] == "external"


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({"matchLabels": {"x": "a"}}, ["a"]),
        ({"matchExpressions": [{"key": "x", "operator": "NotIn", "values": ["a"]}]}, ["b", "c"]),
        ({"matchExpressions": [{"key": "deep.k", "operator": "Exists"}]}, ["b"]),
        ({"matchExpressions": [{"key": "l.1", "operator": "In", "values": ["3"]}]}, ["c"]),
        ({}, ["a", "b", "c"]),
    ],
)
def test_a_selector_filters_flattened_parameters(selector: Any, expected: list[str]):
    elements = ({"x": "a"}, {"x": "b", "deep": {"k": 1}}, {"x": "c", "l": [2, 3]})
    assert names(expanded({**listed(*elements), "selector": selector})) == expected


def test_a_matrix_hands_the_first_generators_parameters_to_the_second():
    generator = {
        "matrix": {
            "generators": [files("envs/*"), folders('apps/{{ if eq .env "dev" }}web{{ else }}*{{ end }}')]
        }
    }
    assert names(expanded(generator, name="{{.env}}-{{.path.basename}}")) == [
        "dev-dev", "prod-prod", "prod-prod", "prod-prod", "dr-prod", "dr-prod", "dr-prod",
    ]  # fmt: skip


def test_in_a_matrix_the_first_generator_wins_with_go_templates_and_must_agree_without():
    first, second = listed({"x": "1", "m": {"a": "1"}}), listed({"x": "2", "m": {"b": "2"}})
    generator = {"matrix": {"generators": [first, second]}}
    assert names(expanded(generator, name="{{.x}}{{.m}}")) == ["1map[a:1 b:2]"]
    clash = {"matrix": {"generators": [listed({"x": "1"}), listed({"x": "2"})]}}
    assert problem(expanded(clash, go=False)) == ("invalid", ("spec", "generators", 0, "matrix"))


def test_values_of_a_matrix_child_may_use_both_generators():
    child = {
        "clusters": {
            "selector": {"matchLabels": {"env": "dev"}},
            "values": {"v": "{{ .x }}-{{ .x }}", "own": "{{ .name }}"},
        }
    }
    generator = {"matrix": {"generators": [listed({"x": "a"}), child]}}
    assert names(expanded(generator, name="{{.values.v}}.{{.values.own}}")) == ["a-a.us"]


def test_generators_nest_twice_and_no_deeper():
    inner = {"matrix": {"generators": [listed({"b": "1"}, {"b": "2"}), listed({"c": "3"})]}}
    twice = {"matrix": {"generators": [listed({"a": "0"}), inner]}}
    assert names(expanded(twice, name="{{.a}}{{.b}}{{.c}}")) == ["013", "023"]
    thrice = {"matrix": {"generators": [listed({"z": "9"}), twice]}}
    assert problem(expanded(thrice))[0] == "invalid"


def test_a_merge_overrides_the_base_where_the_keys_are_equal():
    merge = {
        "merge": {
            "mergeKeys": ["id"],
            "generators": [
                listed({"id": "1", "x": "base", "m": {"a": 1}}, {"id": "2", "x": "alone"}),
                listed({"id": "1", "x": "over", "m": {"b": 2}}, {"id": "3", "x": "lost"}),
            ],
        }
    }
    assert names(expanded(merge, name="{{.x}}{{.m}}"))[0] == "overmap[a:1 b:2]"
    assert names(expanded(merge)) == ["over", "alone"]
    merge["merge"]["mergeKeys"] = ["metadata.labels.env"]  # nested keys are not looked up with Go templates
    assert problem(expanded(merge))[0] == "invalid"


def test_a_generators_own_template_wins_where_it_says_something():
    own = {
        "metadata": {"name": "own-{{.x}}", "labels": {"a": "1"}},
        "spec": {"source": {"path": "p", "helm": {"valuesObject": {"k": 1}}}},
    }
    common = {
        "metadata": {"name": "common", "labels": {"a": "0", "b": "{{.x}}"}},
        "spec": {
            "project": "default",
            "source": {"path": "q", "repoURL": OWN, "helm": {"valuesObject": {"j": 2}}},
        },
    }
    (made,) = expanded(listed({"x": "w"}, template=own), template=common).applications
    assert made.data["metadata"]["name"] == "own-w"
    assert made.data["metadata"]["labels"] == {"a": "1", "b": "w"}
    assert made.data["spec"] == {
        "project": "default",
        "source": {"path": "p", "repoURL": OWN, "helm": {"valuesObject": {"k": 1}}},
    }


def test_keys_are_templated_too_and_nulls_fall_out():
    template = {
        "metadata": {"name": "a", "labels": {"{{.x}}": "y"}},
        "spec": {"project": "p", "destination": None},
    }
    (made,) = expanded(listed({"x": "k"}), template=template).applications
    assert made.data["metadata"]["labels"] == {"k": "y"}
    assert "destination" not in made.data["spec"]


def test_a_template_patch_merges_maps_replaces_lists_and_keeps_the_project():
    template = {
        "metadata": {"name": "a", "labels": {"x": "1"}},
        "spec": {"project": "p", "syncPolicy": {"syncOptions": ["A=true"], "automated": {"prune": True}}},
    }
    patch = (
        "{{- if .auto }}\nmetadata:\n  labels: {z: '{{ .auto }}'}\n  finalizers: [mine]\n"
        "spec:\n  project: other\n  syncPolicy:\n    automated: null\n    syncOptions: [B=true]\n{{- end }}\n"
    )
    found = expanded(listed({"auto": "yes"}, {"no": "x"}), template=template, templatePatch=patch)
    first, second = (one.data for one in found.applications)
    assert first["metadata"]["labels"] == {"x": "1", "z": "yes"}
    assert first["metadata"]["finalizers"] == ["mine", "resources-finalizer.argocd.argoproj.io"]
    assert first["spec"] == {"project": "p", "syncPolicy": {"syncOptions": ["B=true"]}}
    assert second["spec"] == template["spec"]


@pytest.mark.parametrize("value", [{"b": 1}, [1]])
def test_a_patch_cannot_merge_into_what_values_object_holds(value: Any):
    template = {
        "metadata": {"name": "a"},
        "spec": {"source": {"helm": {"valuesObject": {"k": value, "l": 1}}}},
    }
    fine = '{"spec": {"source": {"helm": {"valuesObject": {"l": 2, "m": {"n": 3}}}}}}'
    (made,) = expanded(listed({"x": "a"}), template=template, templatePatch=fine).applications
    assert made.data["spec"]["source"]["helm"]["valuesObject"] == {"k": value, "l": 2, "m": {"n": 3}}
    bad = json.dumps({"spec": {"source": {"helm": {"valuesObject": {"k": value}}}}})
    found = expanded(listed({"x": "a"}), template=template, templatePatch=bad)
    assert problem(found) == ("invalid", ("spec", "templatePatch"))


@pytest.mark.parametrize(
    "patch",
    [
        "spec: {syncPolicy: {automated: {prune: 'true'}}}",
        "spec: {source: {helm: {valueFiles: a.yaml}}}",
        "spec: {syncPolicy: {retry: {limit: '3'}}}",
        "spec: {destination: null, source: {path: 1}}",
        "spec: {source: x}",
    ],
)
def test_a_patch_of_a_type_that_argo_cd_cannot_decode_makes_no_application(patch: str):
    template = {"metadata": {"name": "a"}, "spec": {"source": {"path": "p"}, "destination": {"name": "c"}}}
    found = expanded(listed({"x": "a"}), template=template, templatePatch=patch)
    assert found.applications == ()
    assert problem(found) == ("wrong-type", ("spec", "templatePatch"))


@pytest.mark.parametrize("kind", ["scmProvider", "pullRequest", "plugin", "clusterDecisionResource", "oci"])
def test_what_needs_the_network_is_external_and_the_other_generators_go_on(kind: str):
    found = expanded({kind: {}}, listed({"x": "a"}))
    assert [one.data["metadata"]["name"] for one in found.applications] == ["a"]
    assert problem(found) == ("external", ("spec", "generators", 0, kind))
    assert found.problems[0].unchecked is UncheckedClass.EXTERNAL


def test_another_repository_is_external():
    found = expanded({"git": {"repoURL": "https://git.example/other", "directories": [{"path": "*"}]}})
    assert problem(found) == ("external", ("spec", "generators", 0, "git", "repoURL"))


def test_two_parameter_sets_with_one_name_collide():
    found = expanded(listed({"x": "a", "y": "1"}, {"x": "a", "y": "2"}))
    assert problem(found)[0] == "collision"
    assert found.problems[0].why.endswith("an Application a: {y=1} and {y=2}")
    nested = expanded(listed({"x": "a", "path": {"path": "b"}}, {"x": "a", "path": {"path": "c"}}))
    assert nested.problems[0].why.endswith("{path.path=b} and {path.path=c}")


def test_more_than_ten_thousand_applications_are_refused_before_they_are_made():
    hundred = [{f"k{i}": str(j) for i in (0,)} for j in range(101)]
    tens = {"matrix": {"generators": [listed(*hundred), listed(*hundred)]}}
    found = expanded(tens)
    assert found.applications == ()
    assert problem(found)[0] == "limit"


def test_functions_that_depend_on_chance_are_unsupported_and_named():
    found = expanded(listed({"x": "a"}), name="{{ randAlpha 5 }}")
    assert problem(found)[0] == "unsupported"
    assert "randAlpha" in found.problems[0].why


def test_a_misspelt_generator_is_said():
    assert problem(expanded({"cluster": {}})) == ("unsupported", ("spec", "generators", 0, "cluster"))


def test_fields_that_do_not_change_what_is_generated_are_noted():
    found = expanded(listed({"x": "a"}), strategy={"type": "RollingSync"}, ignoreApplicationDifferences=[])
    assert found.notes == (("spec", "strategy"), ("spec", "ignoreApplicationDifferences"))


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("apps/*", "apps/web", True),
        ("apps/*", "apps/web/x", False),
        ("apps/**", "apps/web/x", False),
        ("a?p[s-t]/w*b", "apps/web", True),
        ("[^a]pps", "apps", False),
        ("apps\\*", "apps*", True),
    ],
)
def test_folder_patterns_are_gos_path_match(pattern: str, path: str, expected: bool):
    assert folder_matcher(pattern)(path) is expected


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*/c.yaml", "a/b/c.yaml", True),
        ("**/c.yaml", "c.yaml", False),
        ("a", "a/b/c.yaml", True),
        ("a", "ab/c.yaml", False),
        ("./a/", "a/c.yaml", True),
        ("a/c.yaml/", "a/c.yaml", False),
        ("[!a]/c", "b/c", True),
        ("a?c", "a/c", True),
    ],
)
def test_file_patterns_are_gits_pathspecs(pattern: str, path: str, expected: bool):
    assert file_matcher(pattern)(path) is expected


def test_a_pattern_with_many_stars_does_not_take_exponential_time():
    assert file_matcher("*a" * 40 + "b")("a" * 5000) is False


def test_a_cluster_secret_is_a_cluster_whether_encoded_or_not():
    metadata = {"labels": {"argocd.argoproj.io/secret-type": "cluster", "env": "prod"}}
    secret = {
        "kind": "Secret",
        "metadata": metadata,
        "data": {"name": "ZXU="},
        "stringData": {"server": "https://eu"},
    }
    found = cluster_of_secret(secret)
    assert found is not None
    assert (found.name, found.server, found.labels["env"]) == ("eu", "https://eu", "prod")
    assert cluster_of_secret({**secret, "stringData": {}}) is None
    nameless = cluster_of_secret({**secret, "data": {}})
    assert nameless is not None
    assert (nameless.name, nameless.server) == ("", "https://eu")
    assert cluster_of_secret({**secret, "stringData": {"server": "ENC[AES256_GCM,data:x]"}}) is None
    assert cluster_of_secret({**secret, "metadata": {}}) is None


@pytest.mark.parametrize(
    ("name", "elements"),
    [
        ("{{ range until 60000 }}{{ . }}{{ end }}", 1000),
        ("{{ repeat 1000000 `x` }}", 1000),
        ("{{ regexMatch `(x*)*y` (repeat 1000000 `x`) }}", 10),
        ("{{ $l := list }}{{ range until 40 }}{{ $l = list $l $l }}{{ end }}{{ $l }}", 10),
        ("{{ uniq (until 100000) }}", 10),
        ('{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ toJson $d }}', 10),
        ('{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}', 10),
        ("{{ tpl .t . }}", 10),
    ],
)
def test_a_hostile_template_ends_in_a_problem_and_in_time(name: str, elements: int):
    found = expanded(listed(*({"x": str(i), "t": "{{ tpl .t . }}"} for i in range(elements))), name=name)
    assert found.applications == ()
    assert problem(found)[0] in ("limit", "template")


def test_large_templates_times_many_elements_are_refused():
    template = {
        "metadata": {"name": "{{.x}}"},
        "spec": {"source": {"helm": {"valuesObject": {"l": list(range(2000))}}}},
    }
    found = expanded(listed(*({"x": str(i)} for i in range(9000))), template=template)
    assert found.applications == ()
    assert problem(found)[0] == "limit"


SKELETON: dict[str, Any] = {
    "metadata": {"name": "s", "namespace": "n"},
    "spec": {
        "goTemplate": True,
        "goTemplateOptions": ["missingkey=error"],
        "generators": [
            {
                "list": {
                    "elements": [{"x": "a"}],
                    "elementsYaml": "- x: b",
                    "template": {"metadata": {"name": "n"}},
                }
            },
            {
                "git": {
                    "repoURL": OWN,
                    "directories": [{"path": "apps/*", "exclude": False}],
                    "values": {"a": "b"},
                    "pathParamPrefix": "p",
                }
            },
            {
                "git": {"repoURL": OWN, "files": [{"path": "envs/**"}]},
                "selector": {"matchExpressions": [{"key": "k", "operator": "In", "values": ["v"]}]},
            },
            {"clusters": {"selector": {"matchLabels": {"a": "b"}}, "values": {"a": "b"}, "flatList": True}},
            {
                "matrix": {
                    "generators": [
                        {"list": {"elements": [{"x": "a"}]}},
                        {"list": {"elementsYaml": "- y: '{{.x}}'"}},
                    ]
                }
            },
            {
                "merge": {
                    "mergeKeys": ["x"],
                    "generators": [
                        {"list": {"elements": [{"x": "a"}]}},
                        {"list": {"elements": [{"x": "a"}]}},
                    ],
                }
            },
        ],
        "template": {
            "metadata": {"name": "{{.x}}", "labels": {"a": "b"}},
            "spec": {"project": "p", "source": {"path": "."}},
        },
        "templatePatch": "spec: {project: x}",
        "syncPolicy": {"preserveResourcesOnDeletion": False},
    },
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return [path, *(place for key, item in children for place in places(item, (*path, key)))]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
    | st.sampled_from(["{{", "{{.x}}", "{{x}}", "[", "*", "../x", ":(glob)x", "- a", "{a: [}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=400)
@given(place=st.sampled_from(places(SKELETON)[1:]), value=json_values, go=st.booleans())
def test_any_value_at_any_field_is_a_problem_or_an_expansion_and_never_an_exception(
    place: tuple[Any, ...], value: Any, go: bool
):
    data = json.loads(json.dumps(SKELETON))
    data["spec"]["goTemplate"] = go
    *parents, last = place
    target = data
    for step in parents:
        target = target[step]
    target[last] = value
    found = expand(data, World(from_files(FILES), lambda url: url == OWN, CLUSTERS))  # type: ignore[arg-type]
    assert all(one.kind in ProblemKind and one.path for one in found.problems)
    json.dumps([one.data for one in found.applications])
