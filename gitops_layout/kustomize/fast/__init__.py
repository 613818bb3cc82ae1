"""Kustomizations built in Python, with an origin for every value; what is not surely alike is declined."""

from gitops_layout.kustomize.fast.build import Bases, Fast, Origin, build, refusals, trace
from gitops_layout.kustomize.fast.declined import Declined

__all__ = ["Bases", "Declined", "Fast", "Origin", "build", "refusals", "trace"]
