"""gitops.yaml: what is refused, with which words, on which line."""

from __future__ import annotations

import jsonschema
import pytest
import yaml

from gitops_layout.errors import UserError
from gitops_layout.spec import Spec, json_schema, load, namespace_of
from tests.scaffold.specs import spec

GOOD = """\
apiVersion: gitops-layout/v1alpha1
kind: GitOpsRepo
metadata: {name: acme}
spec:
  agent: flux
  repo: {url: https://github.com/acme/platform.git}
  environments: [{name: dev}, {name: prod, from: dev}]
  apps:
    - name: web
"""


def _refused(text: str) -> list[str]:
    with pytest.raises(UserError) as refused:
        load(text)
    assert refused.value.exit_code == 2
    return refused.value.message.splitlines()


def test_an_app_needs_only_its_name() -> None:
    spec = load(GOOD)
    assert [app.environments for app in spec.apps] == [["dev", "prod"]]
    assert [item.tier for item in spec.environments] == ["nonprod", "prod"]
    assert [(item.name, item.environments) for item in spec.clusters] == [
        ("dev", ["dev"]),
        ("prod", ["prod"]),
    ]
    assert spec.apps[0].image is not None
    assert ":" in spec.apps[0].image


def test_mistakes_of_shape_and_of_reference_come_together_each_on_its_line() -> None:
    text = """\
apiVersion: gitops-layout/v1alpha1
kind: GitOpsRepo
metadata: {name: Acme}
spec:
  layout: splitt
  agent: flux
  repo: {url: https://github.com/acme/platform.git}
  environments: [{name: dev}, {name: staging, from: dev}]
  clusters:
    - name: eu
      environments: [dev, stagin]
  apps:
    - name: web
      enviroments: [dev]
    - name: web
      image: ghcr.io/acme/web
    - name: api
      tenant: payments
"""
    assert _refused(text) == [
        "gitops.yaml:3:18: metadata.name: 'Acme' is not a DNS label (a lower case letter, then letters, digits, inner dashes)",
        "gitops.yaml:5:11: spec.layout is 'splitt', expected config, monorepo, split, platform or tenant",
        "gitops.yaml:8:38: environment staging is on no cluster: add it to one under spec.clusters",
        "gitops.yaml:11:27: cluster eu names environment stagin, which does not exist, did you mean staging?",
        "gitops.yaml:14:7: unknown field enviroments, did you mean environments?",
        "gitops.yaml:15:13: app web is already at gitops.yaml:13",
        "gitops.yaml:16:14: image ghcr.io/acme/web names no version: add a tag such as ghcr.io/acme/web:1.2.3",
        "gitops.yaml:18:15: app api names tenant payments, which does not exist",
    ]


def test_environments_that_promote_in_a_circle_are_one_mistake() -> None:
    lines = _refused(GOOD.replace("{name: dev}", "{name: dev, from: prod}"))
    assert lines == ["gitops.yaml:7:36: environments promote in a circle: dev from prod from dev"]


@pytest.mark.parametrize(
    ("apps", "words"),
    [
        ("[{name: kube-system}]", "which is not its own"),
        ("[{name: web, namespace: shop}, {name: api, namespace: shop}]", "share namespace shop"),
        ("[{name: web, image: 'ghcr.io/acme/web:latest'}]", "can change without a commit"),
        ("[{name: 'on'}]", "means something else than a name in YAML"),
        ("[{name: 1st}]", "is not a DNS label"),
        ("[{name: web, kind: helm}]", "app web is of kind helm but names no chart"),
        ("[{name: web}, {name: web}]", "app web is already at gitops.yaml:"),
        ("3", "spec.apps is 3, expected a list"),
        ("[web]", "spec.apps[0] is 'web', expected fields"),
        ("[{name: web, image: 'a b'}]", "'a b' is not an image reference"),
        ("[{name: 3}]", "spec.apps[0].name is 3, expected text: put it in quotes"),
    ],
)
def test_apps_that_cannot_be_delivered_are_refused(apps: str, words: str) -> None:
    lines = _refused(GOOD.replace("apps:\n    - name: web", f"apps: {apps}"))
    assert len(lines) == 1
    assert words in lines[0]


def test_a_broken_file_names_the_place() -> None:
    assert _refused("spec: [\n")[0].startswith("gitops.yaml:")
    assert _refused("")[0].startswith("gitops.yaml:1:1: ")
    assert "apiVersion is missing" in _refused("kind: GitOpsRepo\n")[0]


def test_a_cluster_of_several_environments_keeps_their_namespaces_apart() -> None:
    spec = load(GOOD + "  clusters: [{name: one, environments: [dev, prod]}]\n")
    assert namespace_of(spec, spec.apps[0], "dev") == "web-dev"
    assert namespace_of(load(GOOD), load(GOOD).apps[0], "dev") == "web"


def test_a_scp_like_url_becomes_one_that_flux_takes_and_tells_the_ci() -> None:
    spec = load(GOOD.replace("https://github.com/acme/platform.git", "git@git.example.com:acme/platform.git"))
    assert spec.repo.url == "ssh://git@git.example.com/acme/platform.git"
    assert (spec.features.ci, load(GOOD).features.ci) == ("none", "github")


def test_the_published_schema_accepts_what_we_accept_and_refuses_unknown_fields() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert not list(validator.iter_errors(yaml.safe_load(GOOD)))
    for wrong in (GOOD.replace("apps:", "aps:"), GOOD.replace("name: web", "name: Web_1")):
        assert list(validator.iter_errors(yaml.safe_load(wrong)))


def test_an_app_stays_inside_what_its_tenant_has() -> None:
    tenants = [{"name": "payments", "environments": ["dev"]}]
    outside = {"name": "pay", "tenant": "payments", "namespace": "web", "environments": ["dev", "prod"]}
    with pytest.raises(UserError) as refused:
        spec(layout="platform", tenants=tenants, apps=[outside])
    assert refused.value.message.splitlines() == [
        "spec: spec.apps[0].namespace: app pay: namespace web is none of tenant payments's (payments)",
        "spec: spec.apps[0].environments[1]: app pay: tenant payments is not in environment prod",
    ]
    with pytest.raises(UserError, match="tenants need layout platform"):
        spec(tenants=tenants)
    with pytest.raises(UserError, match="tenant payments and app payments share namespace payments"):
        spec(layout="platform", tenants=[{"name": "payments"}], apps=[{"name": "payments"}])


def test_no_tenant_shares_its_project_with_the_platform_under_argocd() -> None:
    def named(agent: str) -> Spec:
        return spec(agent, layout="platform", tenants=[{"name": "root"}], apps=[])

    assert named("flux").tenants[0].name == "root"
    with pytest.raises(UserError, match="tenant root would share AppProject root with what is not its own"):
        named("argocd")


def test_a_newer_yaml_is_refused_with_what_to_do() -> None:
    with pytest.raises(UserError, match="1:1: found incompatible YAML document") as refused:
        load(f"%YAML 1.2\n---\n{GOOD}")
    assert refused.value.hint == "take the %YAML line out: version 1.1 is read"
