"""Which environments, clusters and tenants a repository has, and what says so."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from gitops_layout.agents import argocd
from gitops_layout.agents.context import Context, below_clusters, environment_why, speaking, text, tier_of
from gitops_layout.agents.delivery import BARE, Delivery
from gitops_layout.counts import counted
from gitops_layout.fields import at
from gitops_layout.graph.model import Cluster, Environment, Tenant
from gitops_layout.repo.model import Repo, Resource

__all__ = ["clusters", "environments", "tenants", "why_there"]

_CODEOWNERS = ("CODEOWNERS", ".github/CODEOWNERS", ".gitlab/CODEOWNERS", "docs/CODEOWNERS")
_AGENTS_OWN = frozenset({"kustomize-controller", "helm-controller", "flux", "flux-operator"})
_TENANT_LABEL = "toolkit.fluxcd.io/tenant"


def why_there(context: Context, delivery: Delivery) -> tuple[str, str] | None:
    """A delivery's environment and what says so."""
    source = delivery.source
    paths = (source.path,) if delivery.agent in BARE else speaking(source, delivery.root.file)
    return environment_why(context, delivery.cluster, *paths)


def environments(context: Context, deliveries: Sequence[Delivery]) -> tuple[Environment, ...]:
    """The declared ones, and those that live deliveries are in; those of dead ones only where nothing is live."""
    declared = {environment.name: environment for environment in context.declared.environments}
    live = [delivery for delivery in deliveries if delivery.live]
    inside: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in live or deliveries:
        if delivery.environment is not None:
            inside[delivery.environment].append(delivery)
    origin = context.declared.origin or "config"
    return tuple(
        Environment(
            name,
            tier_of(context, name),
            origin if name in declared else "path",
            _evidence(context, origin if name in declared else None, inside[name]),
            declared[name].source if name in declared else None,
        )
        for name in sorted(declared.keys() | inside.keys())
    )


def _evidence(context: Context, origin: str | None, inside: Sequence[Delivery]) -> str:
    reasons = Counter(found[1] for delivery in inside if (found := why_there(context, delivery)) is not None)
    common = ", ".join(f"{reason} ({count})" for reason, count in reasons.most_common(2))
    more = len(reasons) - 2
    rest = f" and {counted(more, 'more place')}" if more > 0 else ""
    said = f"the {origin} names it" if origin is not None else ""
    return "; ".join(part for part in (said, common + rest) if part)


def clusters(context: Context, deliveries: Sequence[Delivery]) -> tuple[Cluster, ...]:
    """Declared ones, those of cluster Secrets, the destinations of Applications, and the folders of `clusters/`."""
    found: dict[str, tuple[str, str, str | None]] = {}
    for entry in context.declared.clusters:
        secret = entry.origin == "secret"
        reason = "secret" if secret else context.declared.origin or "config"
        words = "a Secret registers it with Argo CD" if secret else f"the {reason} names it"
        found.setdefault(entry.name, (reason, words, entry.server))
    folders = _cluster_folders(context.repo)
    named: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in deliveries:
        if delivery.cluster and delivery.live:
            named[delivery.cluster].append(delivery)
    for name, inside in sorted(named.items()):
        aimed = [delivery for delivery in inside if name in _destination(delivery)]
        if name in found:
            continue
        if aimed:
            found[name] = (
                "destination",
                f"{_count(len(aimed), 'Application')} to it, as {aimed[0].root.file}",
                None,
            )
        elif name in folders:
            found[name] = ("path", f"folder {folders[name]}", None)
    staged = {entry.name: entry.environments for entry in context.declared.clusters}
    return tuple(
        Cluster(name, reason, words, _stages(staged.get(name, ()), named.get(name, ())), server)
        for name, (reason, words, server) in sorted(found.items())
    )


def _stages(declared: Iterable[str], inside: Iterable[Delivery]) -> tuple[str, ...]:
    return tuple(sorted({*declared, *(d.environment for d in inside if d.environment is not None)}))


def _cluster_folders(repo: Repo) -> Mapping[str, str]:
    """What lies below a folder `clusters`, by the name that a cluster there has."""
    return {name: folder for folder in sorted(repo.folders, reverse=True) if (name := below_clusters(folder))}


def _destination(delivery: Delivery) -> tuple[str | None, ...]:
    if delivery.agent != "argocd":
        return ()
    where = at(delivery.object, "spec", "destination")
    return (text(at(where, "name")), text(at(where, "server")))


def tenants(
    context: Context, deliveries: Sequence[Delivery], objects: Iterable[Resource]
) -> tuple[Tenant, ...]:
    """Those of the spec; else Flux's (a service account of their own), and Argo CD's projects; else of CODEOWNERS."""
    live = [delivery for delivery in deliveries if delivery.live]
    if context.declared.tenants:
        return tuple(
            Tenant(entry.name, "spec", "the spec names it", entry.namespaces, _own(live, entry.namespaces))
            for entry in sorted(context.declared.tenants, key=lambda entry: entry.name)
        )
    listed = list(objects)
    found = [*_flux_tenants(live, listed), *_projects(live, listed)] or list(_owners(context.repo, live))
    return tuple(sorted(found, key=lambda tenant: (tenant.name, tenant.reason)))


def _own(live: Sequence[Delivery], namespaces: Sequence[str]) -> tuple[str, ...]:
    return tuple(d.id for d in live if d.namespace in namespaces or d.target_namespace in namespaces)


def _flux_tenants(live: Sequence[Delivery], objects: Sequence[Resource]) -> Iterator[Tenant]:
    """Flux's multi-tenancy: Kustomizations and releases of a namespace of its own act as a service account of it."""
    labels = {
        r.ref.namespace if r.ref.kind != "Namespace" else r.ref.name: name
        for r in objects
        if r.ref.kind in ("Namespace", "ServiceAccount")
        and (name := text(at(r.data, "metadata", "labels", _TENANT_LABEL))) is not None
    }
    inside: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in live:
        account = text(at(delivery.object, "spec", "serviceAccountName"))
        if (
            delivery.agent == "flux"
            and account not in _AGENTS_OWN | {None}
            and delivery.namespace != "flux-system"
        ):
            inside[delivery.namespace].append(delivery)
    for namespace, own in sorted(inside.items()):
        account = text(at(own[0].object, "spec", "serviceAccountName"))
        words = f"{_count(len(own), 'delivery')} of namespace {namespace} as service account {account}"
        yield Tenant(
            labels.get(namespace, namespace), "flux", words, (namespace,), tuple(sorted(d.id for d in own))
        )


def _projects(live: Sequence[Delivery], objects: Sequence[Resource]) -> Iterator[Tenant]:
    seen: dict[str, Resource] = {}
    for resource in objects:
        if resource.ref.kind == "AppProject" and resource.ref.group == argocd.GROUP and resource.ref.name:
            seen.setdefault(resource.ref.name, resource)
    for name, resource in sorted(seen.items()):
        if name == "default":
            continue
        own = tuple(sorted(d.id for d in live if d.project == name))
        destinations = at(resource.data, "spec", "destinations")
        namespaces = dict.fromkeys(
            space
            for item in (destinations if isinstance(destinations, list) else ())
            if (space := text(at(item, "namespace"))) is not None
        )
        words = f"AppProject in {resource.file}, {_count(len(own), 'Application')}"
        yield Tenant(name, "project", words, tuple(namespaces), own)


def _owners(repo: Repo, live: Sequence[Delivery]) -> Iterator[Tenant]:
    """Teams that own folders from which something is delivered."""
    file = next((name for name in _CODEOWNERS if name in repo.entries), None)
    folders: dict[str, list[str]] = defaultdict(list)
    for line in repo.text(file).splitlines() if file is not None else ():
        match = re.match(r"^/?([\w./-]+?)/?(?:\*\*?)?\s+(@\S+)", line)
        if match is not None and repo.is_folder(match[1]):
            folders[match[2]].append(match[1])
    for owner, owned in sorted(folders.items()):
        own = tuple(
            sorted(
                d.id for d in live if any(f"{d.source.path}/".startswith(f"{folder}/") for folder in owned)
            )
        )
        if own:
            words = f"{file} gives it {owned[0]}" + (f" and {len(owned) - 1} more" if len(owned) > 1 else "")
            yield Tenant(owner.lstrip("@"), "codeowners", words, (), own)


def _count(number: int, noun: str) -> str:
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"
