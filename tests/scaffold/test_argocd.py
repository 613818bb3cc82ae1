"""Argo CD's options: one ApplicationSet instead of many Applications, and Argo CD that keeps itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_layout.cli.loading import load_graph
from gitops_layout.errors import UserError
from gitops_layout.scaffold import converge
from gitops_layout.scaffold.render import render
from gitops_layout.spec import Spec
from tests.scaffold.specs import APPS, CHARTS, OWN_CHART, PLATFORM, TENANT, spec

LAYOUTS: dict[str, dict[str, Any]] = {
    "config": {"apps": [*APPS, *CHARTS, OWN_CHART]},
    "platform": {**PLATFORM, "apps": [*PLATFORM["apps"], CHARTS[0]]},
}


def _applications(root: Path, wanted: Spec) -> dict[str, Any]:
    """Every Application that Argo CD has in the end, by its delivery's id, as our engine makes them."""
    converge.apply(root, converge.plan(root, wanted))
    (root / "gitops.yaml").write_bytes(render(wanted)["gitops.yaml"].content)
    deliveries = load_graph([root]).graph.deliveries
    return {
        item.id: item.object
        for item in deliveries
        if not item.id.startswith("argocd:Application/argocd/root@")
    }


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_application_set_makes_the_very_applications_that_stand_in_files_otherwise(
    tmp_path: Path, layout: str
) -> None:
    changes = LAYOUTS[layout]
    files = _applications(tmp_path / "files", spec("argocd", **changes))
    made = _applications(
        tmp_path / "made", spec("argocd", **changes, agent={"name": "argocd", "wiring": "applicationset"})
    )
    assert len(files) > 8
    assert {key: (item["metadata"], item["spec"]) for key, item in made.items()} == {
        key: (item["metadata"], item["spec"]) for key, item in files.items()
    }


def test_who_owns_an_app_does_not_choose_its_project() -> None:
    """What an ApplicationSet reads is as powerful as an Application: it stands with the platform, in no app's folder."""
    wanted = spec("argocd", **PLATFORM, agent={"name": "argocd", "wiring": "applicationset"})
    files = {path: file.content.decode() for path, file in render(wanted).items()}
    for path, text in files.items():
        if "project:" in text:
            assert path.startswith("clusters/"), path
    [entry] = (
        yaml.safe_load(text) for path, text in files.items() if path.endswith("/eu/apps/prod/pay/config.yaml")
    )
    assert entry["project"] == "payments"
    found = yaml.safe_load(files["clusters/eu/apps.yaml"])["spec"]["generators"][0]["git"]["files"]
    assert found == [{"path": "clusters/eu/apps/*/*/config.yaml"}]


def test_argo_cd_that_keeps_itself_is_pinned_to_the_version_of_the_spec() -> None:
    agent = {"name": "argocd", "version": "3.4.2", "selfManaged": True}
    files = {path: file.content.decode() for path, file in render(spec("argocd", agent=agent)).items()}
    url = "https://raw.githubusercontent.com/argoproj/argo-cd/v3.4.2/manifests/install.yaml"
    assert yaml.safe_load(files["clusters/eu/argocd/kustomization.yaml"])["resources"] == [url]
    application = yaml.safe_load(files["clusters/eu/bootstrap/argocd.yaml"])
    assert "finalizers" not in application["metadata"]
    assert application["spec"]["syncPolicy"]["syncOptions"] == ["ServerSideApply=true"]
    assert "kubectl apply --server-side -k clusters/lab/argocd" in files["README.md"]
    assert url not in files["README.md"]


def test_the_manifests_of_argo_cd_may_stand_in_the_repository() -> None:
    agent = {"name": "argocd", "version": "3.4.2", "selfManaged": "vendored"}
    files = {path: file.content.decode() for path, file in render(spec("argocd", agent=agent)).items()}
    for cluster in ("lab", "eu"):
        listed = yaml.safe_load(files[f"clusters/{cluster}/argocd/kustomization.yaml"])["resources"]
        assert listed == ["install-v3.4.2.yaml"]
    assert "--output clusters/$cluster/argocd/install-v3.4.2.yaml" in files["README.md"]
    assert "for cluster in lab eu; do" in files["README.md"]
    assert ".gitops-layout.yaml" not in files
    assert yaml.safe_load(files["gitops.yaml"])["spec"]["agent"]["selfManaged"] == "vendored"
    with pytest.raises(UserError, match=r"spec\.agent\.selfManaged"):
        spec("argocd", agent={**agent, "selfManaged": "copied"})


@pytest.mark.parametrize("field", ["wiring", "selfManaged"])
def test_only_argo_cd_has_them_and_no_tenant(field: str) -> None:
    value = "applicationset" if field == "wiring" else True
    with pytest.raises(UserError, match=f"agent flux has no {field}"):
        spec("flux", agent={"name": "flux", field: value})
    with pytest.raises(UserError, match=f"a tenant's repository has no {field}"):
        spec("argocd", **TENANT, agent={"name": "argocd", field: value})
