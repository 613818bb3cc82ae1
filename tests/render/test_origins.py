"""Where exact renders have their values from: the patch that wrote them, and what it left out, too."""

from __future__ import annotations

from typing import Any

from gitops_layout.kustomize.walk import walk
from gitops_layout.model import Location
from gitops_layout.render.origins import Tracer
from gitops_layout.repo.load import from_files

KUSTOMIZATION = """\
resources: [db.yaml]
patches:
  - patch: |-
      apiVersion: apps/v1
      kind: StatefulSet
      metadata: {name: db}
      spec:
        volumeClaimTemplates:
          - metadata: {name: data}
            spec:
              resources: {requests: {storage: 2Gi}}
"""
BASE = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 1
  volumeClaimTemplates:
    - metadata: {name: data}
      spec:
        accessModes: [ReadWriteOnce]
        resources: {requests: {storage: 1Gi}}
"""
RENDERED: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "db"},
    "spec": {
        "replicas": 1,
        "volumeClaimTemplates": [
            {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "2Gi"}}}}
        ],
    },
}


def test_a_value_of_an_inline_patch_stands_on_its_line_there_and_so_does_what_the_patch_left_out() -> None:
    repo = from_files({"kustomization.yaml": KUSTOMIZATION, "db.yaml": BASE})
    origin = Tracer(repo, walk(repo, ""), Location("kustomization.yaml")).origin(RENDERED)
    claim = ("spec", "volumeClaimTemplates", 0, "spec")

    written = origin((*claim, "resources", "requests", "storage"))
    missing = origin((*claim, "accessModes"))
    kept = origin(("spec", "replicas"))

    assert (written.file, repo.span(written).line) == ("kustomization.yaml", 11)
    assert (missing.file, repo.span(missing).line) == ("kustomization.yaml", 11)
    assert (kept.file, repo.span(kept).line) == ("db.yaml", 5)
