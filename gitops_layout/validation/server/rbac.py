"""Roles, ClusterRoles and their bindings.

Source: k8s.io/kubernetes 1.36, pkg/apis/rbac/validation/validation.go; defaults from pkg/apis/rbac/v1/defaults.go.
"""

from __future__ import annotations

from collections.abc import Iterator

from gitops_layout.k8s import formats
from gitops_layout.validation.server.checks import choice, named, one_of, required, selector, valid
from gitops_layout.validation.server.cursor import At, Refusal

__all__ = ["cluster_role", "cluster_role_binding", "role", "role_binding"]

_GROUP = "rbac.authorization.k8s.io"


def role(at: At) -> Iterator[Refusal]:
    """ValidateRole."""
    for rule in at["rules"]:
        yield from _rule(rule, namespaced=True)


def cluster_role(at: At) -> Iterator[Refusal]:
    """ValidateClusterRole."""
    for rule in at["rules"]:
        yield from _rule(rule, namespaced=False)
    aggregation = at["aggregationRule"]
    if aggregation.is_map:
        yield from required(aggregation["clusterRoleSelectors"])
        for item in aggregation["clusterRoleSelectors"]:
            yield from selector(item)


def _rule(at: At, *, namespaced: bool) -> Iterator[Refusal]:
    """ValidatePolicyRule."""
    if not at.is_map:
        return
    yield from required(at["verbs"])
    urls = at["nonResourceURLs"]
    if urls:
        if namespaced:
            yield urls.refuse("is for ClusterRoles only")
        for name in ("apiGroups", "resources", "resourceNames"):
            if at[name]:
                yield at[name].refuse("excludes nonResourceURLs")
        return
    yield from required(at["apiGroups"])
    yield from required(at["resources"])


def role_binding(at: At) -> Iterator[Refusal]:
    """ValidateRoleBinding."""
    yield from _binding(at, ("Role", "ClusterRole"), namespaced=True)


def cluster_role_binding(at: At) -> Iterator[Refusal]:
    """ValidateClusterRoleBinding."""
    yield from _binding(at, ("ClusterRole",), namespaced=False)


def _binding(at: At, kinds: tuple[str, ...], *, namespaced: bool) -> Iterator[Refusal]:
    ref = at["roleRef"]
    yield from one_of(_GROUP)(ref["apiGroup"])
    yield from choice(*kinds)(ref["kind"])
    yield from named(formats.path_segment)(ref["name"])
    for subject in at["subjects"]:
        if subject.is_map:
            yield from _subject(subject, namespaced=namespaced)


def _subject(at: At, *, namespaced: bool) -> Iterator[Refusal]:
    """ValidateRoleBindingSubject."""
    yield from required(at["name"])
    yield from choice("ServiceAccount", "User", "Group")(at["kind"])
    group = at["apiGroup"]
    if at["kind"].text == "ServiceAccount":
        yield from valid(formats.subdomain)(at["name"])
        if group.text:
            yield group.refuse("must be empty for a ServiceAccount")
        if not namespaced and at["namespace"].empty:
            yield at["namespace"].refuse("is required for a ServiceAccount in a ClusterRoleBinding")
    else:
        yield from one_of(_GROUP)(group)
