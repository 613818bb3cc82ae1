"""The build environment that Argo CD substitutes in options of its tools (argo-cd v3.6.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gitops_layout.agents.delivery import Delivery
from gitops_layout.repo.model import Repo
from gitops_layout.values import dataclass

__all__ = ["Environment"]


@dataclass(frozen=True, slots=True)
class Environment:
    """The variables of one delivery. The name of a ref that a text starts with stays as it is."""

    delivery: Delivery
    repo: Repo

    def substitute(self, text: str) -> str:
        """The text with `$NAME` and `${NAME}` replaced; what has no value becomes nothing."""
        refs: Mapping[str, object] = self.delivery.options.get("refs") or {}
        first, slash, rest = text.partition("/")
        kept, text = (first + slash, rest) if first in refs else ("", text)
        return kept + re.sub(r"\$\$|\$\{(\w+)\}|\$(\w+)", self._value, text)

    def _value(self, match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        delivery, source = self.delivery, self.delivery.source
        revision = self.repo.revision or ""
        return {
            "ARGOCD_APP_NAME": delivery.name,
            "ARGOCD_APP_NAMESPACE": delivery.target_namespace or "",
            "ARGOCD_APP_PROJECT_NAME": delivery.project or "default",
            "ARGOCD_APP_REVISION": revision,
            "ARGOCD_APP_REVISION_SHORT": revision[:7],
            "ARGOCD_APP_REVISION_SHORT_8": revision[:8],
            "ARGOCD_APP_SOURCE_REPO_URL": source.address or "",
            "ARGOCD_APP_SOURCE_PATH": source.path or "",
            "ARGOCD_APP_SOURCE_TARGET_REVISION": source.revision.name if source.revision else "",
        }.get(match[1] or match[2], "")
