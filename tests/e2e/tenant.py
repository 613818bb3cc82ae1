"""The repository of the tests' tenant that has one of its own, and what no tenant may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.repository import empty

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.repository import Repository

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {a: '1'}\n"

CLUSTER_ROLE = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: intruder}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]
"""
ROLE_BINDING = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: intruder, namespace: NAMESPACE}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: tenant, namespace: NAMESPACE}]
"""
ELSEWHERE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: intruder, namespace: OTHER}
data: {a: '1'}
"""
QUOTA = """\
apiVersion: v1
kind: ResourceQuota
metadata: {name: intruder, namespace: NAMESPACE}
spec: {hard: {pods: "1000"}}
"""
FORBIDDEN = {
    "cluster-role": CLUSTER_ROLE,
    "role-binding": ROLE_BINDING,
    "elsewhere": ELSEWHERE,
    "quota": QUOTA,
}


def repository(root: Path, platform: Repository) -> Repository:
    """What `init --layout tenant` makes of the platform's word, with an app, pushed."""
    own = empty(root, "payments")
    own.gitops_layout(
        "init", ".", "--layout", "tenant", "--platform", str(platform.folder), "--tenant", "payments"
    )
    own.gitops_layout("add", "app", "ledger", "--image", "ghcr.io/acme/ledger:1.0.0")
    own.push("Scaffold")
    return own
