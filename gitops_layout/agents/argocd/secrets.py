"""What becomes a Secret of Argo CD's own: one that registers a repository or a cluster, sealed or fetched perhaps."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["SECRET_TYPE", "TEMPLATES"]

SECRET_TYPE = ("metadata", "labels", "argocd.argoproj.io/secret-type")
"""Where a Secret says what it registers."""

TEMPLATES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("", "Secret"): (),
    ("bitnami.com", "SealedSecret"): ("spec", "template"),
    ("external-secrets.io", "ExternalSecret"): ("spec", "target", "template"),
}
"""The kinds that become a Secret, by group and kind, and where each says what that will be."""
