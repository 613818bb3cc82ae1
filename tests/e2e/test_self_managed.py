"""Argo CD that keeps itself: what its project admits, against the manifests that Argo CD publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from gitops_layout.scaffold.render import render
from tests.e2e import definitions
from tests.e2e.repository import empty
from tests.scaffold.specs import spec

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.controlplane


@pytest.mark.parametrize("notifications", [None, "slack"])
def test_the_project_admits_all_that_argo_cd_consists_of(tmp_path: Path, notifications: str | None) -> None:
    features = {"notifications": notifications} if notifications else {}
    agent = {"name": "argocd", "selfManaged": True}
    files = {
        path: file.content.decode()
        for path, file in render(spec("argocd", agent=agent, features=features)).items()
    }
    repository = empty(tmp_path, "platform")
    kustomization = files["clusters/eu/argocd/kustomization.yaml"]
    [url] = yaml.safe_load(kustomization)["resources"]
    # The same file as it stands in the module, since nothing is fetched here.
    published = definitions.folder("argo-cd") / "manifests/install.yaml"
    repository.write(
        {
            "argocd/kustomization.yaml": kustomization.replace(url, "install.yaml"),
            "argocd/install.yaml": published.read_text(),
        }
    )
    built = repository.build("argocd")

    project = yaml.safe_load(files["clusters/eu/bootstrap/argocd-project.yaml"])["spec"]
    admitted = {(item["group"], item["kind"]) for item in project["clusterResourceWhitelist"]}
    homeless = {
        (item["apiVersion"].rpartition("/")[0], item["kind"])
        for item in built
        if "namespace" not in item["metadata"]
    }
    assert homeless == admitted
    assert {item["metadata"].get("namespace", "argocd") for item in built} == {"argocd"}
    assert [item["namespace"] for item in project["destinations"]] == ["argocd"]
    names = [item["metadata"]["name"] for item in built if item["kind"] == "ConfigMap"]
    assert "argocd-cm" in names
    assert ("argocd-notifications-cm" in names) == (notifications is None)
