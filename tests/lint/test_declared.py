"""What the config says of environments and clusters, and nothing here is."""

from __future__ import annotations

import pytest

from gitops_layout.cli.loading import declared
from gitops_layout.config import parse
from gitops_layout.errors import UserError
from gitops_layout.repo.load import from_files
from tests.lint.support import linted

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web, namespace: argocd}
spec:
  project: default
  source: {repoURL: "https://git.test/acme/fleet.git", targetRevision: HEAD, path: overlays/live}
  destination: {name: k2, namespace: web}
"""
FILES = {
    "apps/web.yaml": APPLICATION,
    "overlays/live/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
}


def refused(config: str, files: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(UserError) as caught:
        declared(from_files(files or {}), parse(config))
    assert caught.value.exit_code == 2
    return caught.value.message.splitlines()


def test_a_config_that_contradicts_itself_is_refused_with_all_that_is_wrong() -> None:
    config = """\
environments:
  - {name: qa, from: stag}
  - {name: stage, from: live}
  - {name: live, tier: prod, from: stage}
  - {name: qa}
clusters:
  - {name: big, environment: lve}
  - {name: big}
"""
    file = ".gitops-layout.yaml"
    assert refused(config) == [
        f"{file}:5:12: environments[3].name: environments[0] is called qa as well",
        f"{file}:8:12: clusters[1].name: clusters[0] is called big as well",
        f'{file}:2:22: environments[0].from: no environment is called stag (did you mean "stage"?)',
        f'{file}:7:30: clusters[0].environment: no environment is called lve (did you mean "live"?)',
        f"{file}:3:25: environments[1].from: environments are promoted in a circle: stage from live from stage",
    ]


def test_a_cluster_brings_its_environment_where_none_is_declared() -> None:
    found = declared(from_files({}), parse("clusters:\n  - {name: big, environment: live}\n"))
    assert found.clusters[0].environments == ("live",)


def test_the_environments_of_the_spec_may_be_named() -> None:
    spec = """\
apiVersion: gitops-layout/v1alpha1
kind: GitOpsRepo
metadata: {name: fleet}
spec:
  agent: flux
  repo: {url: "https://git.test/acme/fleet.git"}
  environments: [{name: stage}]
  clusters: [{name: eu, environments: [stage]}]
"""
    config = "environments: [{name: live, from: stage}]\nclusters: [{name: big, environment: stage}]\n"
    found = declared(from_files({"gitops.yaml": spec}), parse(config))
    assert [e.name for e in found.environments] == ["live", "stage"]
    assert refused(config.replace("from: stage", "from: dev"), {"gitops.yaml": spec})


def test_a_destination_may_be_the_server_of_a_cluster_that_has_a_name() -> None:
    config = """\
environments:
  - {name: live, tier: prod, destinations: ["https://k2.*"]}
clusters:
  - {name: k2, server: "https://k2.test"}
"""
    report = linted({**FILES, ".gitops-layout.yaml": config})
    assert "C006" not in {finding.rule.id for finding in report.findings}
    assert {a.environment for f in report.findings for a in f.affected if a.delivery} == {"live"}
