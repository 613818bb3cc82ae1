"""Pipelines: what GitHub Actions, GitLab CI, Azure Pipelines and Jenkins run, and what of it changes a cluster."""
