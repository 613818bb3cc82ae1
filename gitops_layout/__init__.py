"""Scaffold, lint, render and reconcile GitOps repositories for Flux and Argo CD."""

__version__ = "0.1.0"
