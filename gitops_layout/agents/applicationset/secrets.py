"""Cluster Secrets: how Argo CD is told of a cluster declaratively."""

from __future__ import annotations

import base64
from typing import Any

from gitops_layout.agents.applicationset.model import Cluster

__all__ = ["cluster_of_secret"]


def cluster_of_secret(data: dict[str, Any]) -> Cluster | None:
    """The cluster that a Secret registers with Argo CD; None for any other object.

    Without a readable `server` (an encrypted Secret) there is no cluster to work with: None. A `name` need not be there.
    """
    match data:
        case {"kind": "Secret", "metadata": {"labels": {"argocd.argoproj.io/secret-type": "cluster"}}}:
            metadata = data["metadata"]
        case _:
            return None
    values = _values(data)
    name, server = values.get("name", ""), values.get("server", "")
    if "://" not in server or "://" in name:
        return None
    return Cluster(
        name,
        server,
        _strings(metadata.get("labels")),
        _strings(metadata.get("annotations")),
        values.get("project", ""),
    )


def _values(data: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in _strings(data.get("data")).items():
        try:
            found[key] = base64.b64decode(value, validate=True).decode()
        except ValueError:
            continue
    return {**found, **_strings(data.get("stringData"))}


def _strings(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {key: item for key, item in value.items() if isinstance(item, str)}
