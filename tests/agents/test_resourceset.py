"""ResourceSets expanded offline. Expected objects were compared with what the operator's own command line builds."""

from __future__ import annotations

from typing import Any

import pytest

from gitops_layout.agents.resourceset import MAX_OBJECTS, Expansion, expand, normal_key, taken
from gitops_layout.model import Location, UncheckedClass
from gitops_layout.repo.model import Resource, object_ref
from gitops_layout.source.reader import read


def parsed(text: str) -> dict[str, Any]:
    (document,) = read(text, "test.yaml").documents
    data: dict[str, Any] = document.data
    return data


def resource_set(spec: str) -> dict[str, Any]:
    return {
        "apiVersion": "fluxcd.controlplane.io/v1",
        "kind": "ResourceSet",
        "metadata": {"name": "apps", "namespace": "flux-system"},
        "spec": parsed(spec),
    }


def provider(name: str, spec: str, **labels: str) -> Resource:
    data = {
        "apiVersion": "fluxcd.controlplane.io/v1",
        "kind": "ResourceSetInputProvider",
        "metadata": {"name": name, "namespace": "flux-system", "labels": labels},
        "spec": parsed(spec),
    }
    return Resource(object_ref(data, data["apiVersion"], data["kind"]), data, Location(f"{name}.yaml"))


def names(expansion: Expansion) -> list[str]:
    assert expansion.failure is None, expansion.failure
    return [str(made.data["metadata"]["name"]) for made in expansion.objects]


CONFIG_MAP = """
resources:
  - apiVersion: v1
    kind: ConfigMap
    metadata: {name: << inputs.name >>, namespace: shop}
    data: {count: "<< inputs.num >>"}
"""


def test_each_set_of_inputs_makes_each_resource_once():
    made = expand(resource_set(f"inputs: [{{name: web, num: 1}}, {{name: api, num: 2}}]\n{CONFIG_MAP}"), ())
    assert names(made) == ["web", "api"]
    # The template is text for the operator: a number stays one, whatever quotes stood in the file.
    assert [item.data["data"]["count"] for item in made.objects] == [1, 2]


def test_of_two_objects_with_one_identity_the_first_stays():
    made = expand(resource_set(f"inputs: [{{name: web, num: 1}}, {{name: web, num: 2}}]\n{CONFIG_MAP}"), ())
    assert [item.data["data"]["count"] for item in made.objects] == [1]


def test_without_inputs_templates_are_rendered_once():
    made = expand(resource_set("resources: [{apiVersion: v1, kind: Namespace, metadata: {name: a}}]"), ())
    assert names(made) == ["a"]


def test_an_input_that_is_not_there_leaves_no_object_at_all():
    made = expand(resource_set(f"inputs: [{{name: web}}]\n{CONFIG_MAP}"), ())
    assert made.objects == ()
    assert made.failure is not None
    assert made.failure.kind is UncheckedClass.BROKEN
    assert 'no entry for key "num"' in made.failure.why
    assert made.failure.path == ("spec", "resources", 0)


def test_a_text_of_several_documents_makes_several_objects_after_those_of_resources():
    spec = """
inputs: [{name: web, ports: [80, 443]}]
resources: [{apiVersion: v1, kind: Namespace, metadata: {name: << inputs.name >>}}]
resourcesTemplate: |
  # a comment alone is no object
  ---
  <<- range $port := inputs.ports >>
  ---
  apiVersion: v1
  kind: Service
  metadata: {name: << inputs.name >>-<< $port >>}
  <<- end >>
  ---
  apiVersion: v1
  kind: Namespace
  metadata: {name: << inputs.name >>}
"""
    assert names(expand(resource_set(spec), ())) == ["web", "web-80", "web-443"]


def test_objects_switched_off_by_annotation_are_left_out():
    off = "annotations: {fluxcd.controlplane.io/reconcile: << inputs.mark >>}"
    spec = (
        "inputs: [{name: a, mark: disabled}, {name: b, mark: enabled}]\n"
        f"resources: [{{apiVersion: v1, kind: Namespace, metadata: {{name: << inputs.name >>, {off}}}}}]"
    )
    assert names(expand(resource_set(spec), ())) == ["b"]


def test_static_providers_are_named_or_selected_and_come_by_name():
    providers = [
        provider("two", "{type: Static, defaultValues: {name: b, num: 2}}", team="x"),
        provider("one", "{type: Static, defaultValues: {name: a, num: 1}}", team="x"),
        provider("other", "{type: Static, defaultValues: {name: c, num: 3}}", team="y"),
    ]
    by_label = "inputsFrom: [{selector: {matchLabels: {team: x}}}, {name: two}]\n"
    assert names(expand(resource_set(by_label + CONFIG_MAP), providers)) == ["a", "b"]


def test_a_provider_that_asks_the_network_is_unseen_and_the_others_are_expanded():
    providers = [provider("pulls", "{type: GitHubPullRequest, url: 'https://example.test/a/b'}")]
    spec = f"inputs: [{{name: web, num: 1}}]\ninputsFrom: [{{name: pulls}}]\n{CONFIG_MAP}"
    made = expand(resource_set(spec), providers)
    assert names(made) == ["web"]
    assert [(entry.kind, entry.path) for entry in made.unseen] == [
        (UncheckedClass.EXTERNAL, ("spec", "inputsFrom", 0))
    ]
    assert "GitHubPullRequest" in made.unseen[0].why


def test_permutations_name_each_provider_and_have_an_id():
    spec = """
inputStrategy: {name: Permute}
inputs: [{env: dev}, {env: prod}]
inputsFrom: [{name: My-Apps}]
resources:
  - apiVersion: v1
    kind: Namespace
    metadata: {name: << inputs.apps.env >>-<< inputs.my_apps.app >>, labels: {id: << inputs.id | quote >>}}
"""
    made = expand(resource_set(spec), [provider("My-Apps", "{type: Static, defaultValues: {app: web}}")])
    assert names(made) == ["dev-web", "prod-web"]
    # adler32 of `apps=0/my_apps=0`
    assert made.objects[0].data["metadata"]["labels"]["id"] == "836240823"


def test_the_parts_of_a_provider_name_become_words_of_a_key():
    assert [normal_key(name) for name in ("My/Set", "_a---b_-_", "A0..B", "-£%^$%-", "a b")] == [
        "my_set",
        "a_b",
        "a0_b",
        "",
        "a_b",
    ]


def test_steps_make_their_objects_in_order_and_share_none():
    step = "resources: [{apiVersion: v1, kind: Namespace, metadata: {name: << inputs.%s >>}}]"
    spec = (
        f"inputs: [{{a: one, b: %s}}]\nsteps:\n  - {{name: s1, {step % 'a'}}}\n  - {{name: s2, {step % 'b'}}}"
    )
    assert names(expand(resource_set(spec % "two"), ())) == ["one", "two"]
    clash = expand(resource_set(spec % "one"), ())
    assert clash.failure is not None
    assert "two steps" in clash.failure.why


@pytest.mark.parametrize(
    "spec",
    [
        "inputs: [{n: 0}]\nresourcesTemplate: '<<- range $i := until 100000 >><<- range $j := until 100000 >>x<<- end >><<- end >>'",
        "inputStrategy: {name: Permute}\ninputs: &i ["
        + "{n: 0}, " * 200
        + "]\ninputsFrom: [{selector: {}}]\n"
        "resources: [{apiVersion: v1, kind: Namespace, metadata: {name: x}}]",
        "resourcesTemplate: '" + "<<- if true >>" * 200 + "'",
    ],
)
def test_what_would_take_for_ever_is_cut(spec: str):
    many = "{type: Static, defaultValues: {n: 1}}"
    failure = expand(resource_set(spec), [provider(f"p{index}", many) for index in range(3)]).failure
    assert failure is None or failure.kind is UncheckedClass.BROKEN
    assert MAX_OBJECTS == 10_000


SLUGS = [
    ("A b@c & d", "a-batc-and-d"),
    ("feature/JIRA-1_x", "feature-jira-1_x"),
    ("x" * 40 + "-" + "y" * 40, "x" * 40),
    ("z" * 70, "z" * 63),
]


@pytest.mark.parametrize(("text", "slug"), SLUGS)
def test_slugify_cuts_at_a_dash_below_64_characters(text: str, slug: str):
    spec = (
        f"inputs: [{{t: {text!r}}}]\n"
        "resources: [{apiVersion: v1, kind: Namespace, metadata: {name: << slugify inputs.t >>}}]"
    )
    assert names(expand(resource_set(spec), ())) == [slug]


@pytest.mark.parametrize(
    ("template", "listed"),
    [
        ("<< inputs.id >>", True),
        ('<< index inputs "id" >>', True),
        ('<< get inputs "id" >>', True),
        ("<< inputs | toJson | sha256sum >>", True),
        ("service.instance.id=<< inputs.tenant >>", False),
    ],
)
def test_the_id_of_a_provider_is_not_known_however_a_template_reads_it(template: str, listed: bool):
    spec = f"""
inputsFrom: [{{name: acme}}]
resources:
  - {{apiVersion: v1, kind: ConfigMap, metadata: {{name: a, namespace: shop}}, data: {{a: '{template}'}}}}
"""
    found = provider("acme", "{type: Static, defaultValues: {tenant: acme}}")
    made = expand(resource_set(spec), [found])
    assert names(made) == ["a"]
    assert [problem.path for problem in made.unseen] == [("spec", "inputsFrom", 0)] * listed


def test_only_the_providers_that_it_names_or_selects_are_taken():
    providers = [provider("acme", "{type: Static}"), provider("other", "{type: Static}", team="b")]
    for spec, names_taken in (
        ("inputsFrom: [{name: acme}]", ["acme"]),
        ("inputsFrom: [{selector: {matchLabels: {team: b}}}]", ["other"]),
        ("inputs: [{a: b}]", []),
    ):
        assert [one.ref.name for one in taken(resource_set(spec), providers)] == names_taken
