"""Argo CD objects: Applications → Deliveries, and what an AppProject permits."""

from gitops_layout.agents.argocd.application import GROUP, delivery, is_agent
from gitops_layout.agents.argocd.sources import is_partial, listed, renderer_of, with_overrides

__all__ = ["GROUP", "delivery", "is_agent", "is_partial", "listed", "renderer_of", "with_overrides"]
