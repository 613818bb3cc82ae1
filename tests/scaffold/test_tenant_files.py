"""gitops.d/: apps of tenants in files of their own, and the gate that keeps tenants in their bounds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from gitops_layout.errors import UserError
from gitops_layout.spec import load
from tests.scaffold.command import run
from tests.scaffold.specs import LINT, PLATFORM, data

PART = """\
apiVersion: gitops-layout/v1alpha1
kind: GitOpsTenant
metadata:
  name: payments
spec:
  apps:
    - name: ledger # ours
      image: a/b:1.0
"""


@pytest.fixture(params=["flux", "argocd"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    (tmp_path / "gitops.yaml").write_text(yaml.safe_dump(data(request.param, **PLATFORM)))
    (tmp_path / "gitops.d").mkdir()
    (tmp_path / "gitops.d/payments.yaml").write_text(PART)
    done = run(tmp_path, "scaffold")
    assert done.returncode == 0, done.stderr
    return tmp_path


def test_a_tenants_file_is_edited_for_its_apps_and_nothing_else_is(root: Path) -> None:
    main = (root / "gitops.yaml").read_bytes()
    assert (root / "apps/ledger/envs/prod/kustomization.yaml").is_file()
    assert run(root, "add", "app", "refunds", "--tenant", "payments", "--image", "a/c:2.0").returncode == 0
    assert run(root, "rename", "app", "ledger", "books").returncode == 0
    part = (root / "gitops.d/payments.yaml").read_text()
    assert "- name: books # ours\n" in part
    assert "    - name: refunds\n      image: a/c:2.0\n" in part
    assert run(root, "remove", "app", "refunds").returncode == 0
    assert (root / "gitops.yaml").read_bytes() == main
    assert "refunds" not in (root / "gitops.d/payments.yaml").read_text()
    assert not (root / "apps/refunds").exists()
    assert run(root, "scaffold", "--plan", "--exit-code").returncode == 0
    clean = run(root, *LINT)
    assert clean.returncode == 0, clean.stdout


def test_the_gate_fails_when_a_tenant_leaves_its_bounds(root: Path) -> None:
    overlay = root / "apps/ledger/envs/prod"
    (overlay / "local.yaml").write_text(
        (overlay / "local.yaml").read_text().replace("replicas: 2", "replicas: 101")
    )
    (overlay / "more.yaml").write_text(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata:\n  name: me\n"
        "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}\nsubjects: []\n"
    )
    kustomization = overlay / "kustomization.yaml"
    kustomization.write_text(kustomization.read_text().replace("components:", "  - more.yaml\ncomponents:"))
    done = run(root, "lint", "--select", "T", "--format", "json")
    assert done.returncode == 1
    said = [(item["rule"], item["file"], item["message"]) for item in json.loads(done.stdout)["findings"]]
    assert ("T001", "apps/ledger/envs/prod/more.yaml") in {row[:2] for row in said}
    assert any("quota of 100 pods to namespace payments" in row[2] for row in said)
    assert any("RoleBinding me, which is the platform's" in row[2] for row in said)


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("name: payments", "name: search", ":4:9:", "call it gitops.d/search.yaml"),
        ("name: payments", "name: nobody", ":4:9:", "not under spec.tenants"),
        ("image: a/b:1.0", "image: a/b:latest", ":8:", "can change without a commit"),
        ("image: a/b:1.0", "tenant: search", ":8:15:", "app of tenant search"),
        ("name: ledger", "name: web", ":7:", "already spec.apps[0]"),
        ("image: a/b:1.0", "namespace: kube-system", ":8:18:", "none of tenant payments's"),
        ("  apps:", "  tenants:", ":6:3:", "unknown field tenants"),
        ("GitOpsTenant", "GitOpsRepo", ":2:7:", "expected GitOpsTenant"),
    ],
)
def test_mistakes_in_a_tenants_file_are_shown_where_they_are(
    old: str, new: str, place: str, words: str
) -> None:
    main = yaml.safe_dump(data("flux", **PLATFORM)).encode()
    part = PART.replace(old, new).encode()
    with pytest.raises(UserError) as caught:
        load(main, parts={"gitops.d/payments.yaml": part})
    assert f"gitops.d/payments.yaml{place}" in str(caught.value)
    assert words in str(caught.value)
