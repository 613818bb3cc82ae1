"""`gitops.yaml`: what the user wants the repository to be, read strictly and refused completely.

Import this package only where such a file exists: it pulls in pydantic.
"""

from gitops_layout.spec.features import Features
from gitops_layout.spec.model import (
    API_VERSION,
    KIND,
    PLACEHOLDER_IMAGE,
    Agent,
    App,
    Cluster,
    Environment,
    Repository,
    Skeleton,
    Spec,
    Tenancy,
    Tenant,
    in_environment,
    json_schema,
    namespace_of,
)
from gitops_layout.spec.read import PARTS, is_part, load, name_problem, parse, url_problem

__all__ = [
    "API_VERSION",
    "KIND",
    "PARTS",
    "PLACEHOLDER_IMAGE",
    "Agent",
    "App",
    "Cluster",
    "Environment",
    "Features",
    "Repository",
    "Skeleton",
    "Spec",
    "Tenancy",
    "Tenant",
    "in_environment",
    "is_part",
    "json_schema",
    "load",
    "name_problem",
    "namespace_of",
    "parse",
    "url_problem",
]
