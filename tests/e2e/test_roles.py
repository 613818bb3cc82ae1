"""The roles of generated AppProjects, judged by Argo CD's own `admin settings rbac can`."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.live import program
from tests.e2e.repository import scaffolded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.live import Data

TENANT = "acme:payments"  # the group of the spec's tenant
ALLOWED = (
    ("get", "applications", "payments/payments-prod"),
    ("sync", "applications", "payments/pay-prod"),
    ("get", "logs", "payments/pay-prod"),
)
REFUSED = (
    ("create", "applications", "payments/another"),
    ("update", "applications", "payments/pay-prod"),
    ("override", "applications", "payments/pay-prod"),
    ("delete", "applications", "payments/pay-prod"),
    ("create", "exec", "payments/pay-prod"),
    ("update", "projects", "payments"),
    ("get", "applications", "apps/web-prod"),
    ("sync", "applications", "search/find-prod"),
    ("get", "logs", "apps/web-prod"),
    ("get", "applications", "root/root"),
    ("create", "repositories", "https://github.com/acme/payments.git"),
    ("get", "clusters", "https://kubernetes.default.svc"),
)

_NOWHERE = """\
apiVersion: v1
kind: Config
current-context: nowhere
clusters: [{name: nowhere, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]
users: [{name: nobody, user: {token: none}}]
"""


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The policies of all projects of a cluster, as Argo CD puts them together."""
    program("argocd")
    root = tmp_path_factory.mktemp("roles")
    built = scaffolded(root, "argocd", "platform").build("clusters/eu/bootstrap")
    lines = [line for item in built if item["kind"] == "AppProject" for line in _policies(item)]
    assert lines
    # It wants to know a cluster, which it does not ask.
    (root / "kubeconfig").write_text(_NOWHERE)
    path = root / "policy.csv"
    path.write_text("\n".join(lines))
    return path


def _policies(project: Data) -> list[str]:
    name = project["metadata"]["name"]
    lines = []
    for role in project["spec"].get("roles", ()):
        subject = f"proj:{name}:{role['name']}"
        lines += [f"p, {subject}, projects, get, {name}, allow", *role["policies"]]
        lines += [f"g, {group}, {subject}" for group in role.get("groups", ())]
    return lines


@pytest.mark.parametrize(("action", "resource", "name"), ALLOWED)
def test_a_tenants_group_may_see_and_sync_its_applications(
    policy: Path, action: str, resource: str, name: str
) -> None:
    assert _may(policy, TENANT, action, resource, name)


@pytest.mark.parametrize(("action", "resource", "name"), REFUSED)
def test_a_tenants_group_may_nothing_else(policy: Path, action: str, resource: str, name: str) -> None:
    assert not _may(policy, TENANT, action, resource, name)


def test_another_group_may_nothing(policy: Path) -> None:
    assert not any(_may(policy, "acme:others", *question) for question in ALLOWED)


def test_argo_cd_finds_the_policies_valid(policy: Path) -> None:
    assert "valid" in _ask(policy, "validate").stdout


def _may(policy: Path, subject: str, action: str, resource: str, name: str) -> bool:
    done = _ask(policy, "can", subject, action, resource, name)
    assert done.stdout.strip() in ("Yes", "No"), done.stdout + done.stderr
    return done.stdout.strip() == "Yes"


def _ask(policy: Path, verb: str, *words: str) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [
        program("argocd"),
        "admin",
        "settings",
        "rbac",
        verb,
        *words,
        "--policy-file",
        str(policy),
    ]
    environment = {
        **os.environ,
        "ARGOCD_BINARY_NAME": "argocd",
        "KUBECONFIG": str(policy.with_name("kubeconfig")),
    }
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
