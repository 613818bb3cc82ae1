"""When Argo CD applies an object in a sync: the phases of its hooks, and the wave in each.

Facts: argo-cd v3.6.1, gitops-engine (pkg/sync/hook, syncwaves and sync_phase.go).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitops_layout.fields import at
from gitops_layout.patterns import regexp

__all__ = ["PHASES", "is_skipped", "phases", "wave"]

PHASES = ("PreSync", "Sync", "PostSync", "SyncFail", "PreDelete", "PostDelete")
"""In the order in which they come, the last two when the Application is deleted."""

_HOOK, _WAVE = "argocd.argoproj.io/hook", "argocd.argoproj.io/sync-wave"
_OF_HELM = {
    "pre-install": "PreSync",
    "pre-upgrade": "PreSync",
    "post-install": "PostSync",
    "post-upgrade": "PostSync",
}
_NUMBER = regexp(r"[+-]?\d{1,18}")


def phases(data: Any) -> tuple[str, ...]:
    """The phases in which an object is applied, in their order: none for one that is never applied (`Skip`, or a hook
    of Helm's that Argo CD does not know); helm's hooks count where Argo CD's name none that it knows.
    """
    own, helm = _annotation(data, _HOOK), _annotation(data, "helm.sh/hook")
    if own is None and helm in (None, "crd-install"):
        return ("Sync",)
    named = _words(own)
    found = {word for word in named if word in PHASES}
    if not found and "Skip" not in named:
        found = {_OF_HELM[word] for word in _words(helm) if word in _OF_HELM}
    return tuple(phase for phase in PHASES if phase in found)


def is_skipped(data: Any) -> bool:
    """Whether Argo CD never applies an object, being told so (`Skip`, and no phase beside it)."""
    own = _annotation(data, _HOOK)
    return own is not None and "Skip" in _words(own) and not phases(data)


def wave(data: Any) -> int:
    """The wave of an object, negative ones first; what is no number counts as 0, as with Argo CD."""
    for name in (_WAVE, "helm.sh/hook-weight"):
        text = _annotation(data, name)
        if text is not None and _NUMBER.fullmatch(text):
            return int(text)
    return 0


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",")]


def _annotation(data: Any, name: str) -> str | None:
    annotations = at(data, "metadata", "annotations")
    value = annotations.get(name) if isinstance(annotations, Mapping) else None
    return value if isinstance(value, str) else None
