"""Small Argo CD repositories."""

from __future__ import annotations

import json
from typing import Any

OWN = "https://git.example.test/acme/fleet"


def application(spec: dict[str, Any], **metadata: Any) -> str:
    """An Application as YAML."""
    whole = {
        "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
        "project": "default",
    }
    return json.dumps(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": "web", "namespace": "argocd", **metadata},
            "spec": whole | spec,
        }
    )


def config_map(name: str, **data: str) -> str:
    """A ConfigMap as YAML."""
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})


def tree(spec: dict[str, Any], files: dict[str, str]) -> dict[str, str]:
    """A repository with one Application in `argo/`."""
    return {"argo/web.yaml": application(spec), **files}
