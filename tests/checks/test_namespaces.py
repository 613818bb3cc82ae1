"""Who creates a namespace: told by what the other clusters do."""

from __future__ import annotations

import pytest

from tests.lint.support import linted, named

SYNC = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: web, namespace: flux-system}
spec: {interval: 10m, path: ./web/CLUSTER, prune: true, sourceRef: {kind: GitRepository, name: flux-system}}
"""
SETTINGS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: web}\ndata: {mode: quiet}\n"
NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: web}\n"


@pytest.mark.parametrize(
    ("creating", "told"),
    [
        (("dev", "staging", "production"), []),
        (("dev", "staging"), [("L011", "web/base/settings.yaml", 3)]),
        (("dev",), []),  # somebody else may create it on the others
        ((), []),
    ],
)
def test_a_namespace_that_every_other_cluster_creates_was_forgotten(
    creating: tuple[str, ...], told: list[tuple[str, str, int]]
) -> None:
    files: dict[str, str | bytes] = {
        "web/base/settings.yaml": SETTINGS,
        "web/base/kustomization.yaml": "resources: [settings.yaml]\n",
    }
    for cluster in ("dev", "staging", "production"):
        own = cluster in creating
        files[f"clusters/{cluster}/web.yaml"] = SYNC.replace("CLUSTER", cluster)
        files[f"web/{cluster}/kustomization.yaml"] = (
            f"resources: [../base{', namespace.yaml' if own else ''}]\n"
        )
        if own:
            files[f"web/{cluster}/namespace.yaml"] = NAMESPACE
    assert named(linted(files, select=("L011",))) == told
