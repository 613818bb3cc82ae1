"""What the shape of gitops.yaml cannot say: names that lead nowhere, twice to one place, or in a circle."""

from __future__ import annotations

import difflib
from itertools import product
from typing import TYPE_CHECKING, Any

from gitops_layout.spec.model import File, Spec, Tenancy, in_environment
from gitops_layout.spec.words import MAX_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gitops_layout.model import Path

_RESERVED = frozenset({"default", "kube-system", "kube-public", "kube-node-lease", "flux-system", "argocd"})

_PROJECTS = frozenset({"apps", "argocd", "default", "infrastructure", "policies", "root", "tenants"})
"""AppProjects that a platform has of its own, or Argo CD itself; each tenant has one of its name."""

Problem = tuple["Path", bool, str]
"""Path in gitops.yaml, whether its key (rather than its value) is at fault, and what is wrong."""


def reference_problems(data: object, stands: Callable[[Path], str]) -> Iterator[Problem]:
    """What names what: tolerant of any shape, so that these mistakes show beside those of shape.

    `stands` words where a path is that another one repeats.
    """
    body = data.get("spec") if isinstance(data, dict) else None
    if not isinstance(body, dict):
        return
    for kind in ("environments", "clusters", "tenants", "components", "apps"):
        yield from _duplicates(body, kind, stands)
    environments = _named(body, "environments")
    yield from _references(body, list(environments))
    yield from _tenants(body)
    yield from _cycles(environments)
    if isinstance(body.get("clusters"), list) and body.get("layout") != "tenant":
        held = {
            name
            for cluster in _named(body, "clusters").values()
            for name in _strings(cluster.get("environments"))
        }
        for index, item in enumerate(body["environments"]) if environments else ():
            if isinstance(item, dict) and item.get("name") in environments and item["name"] not in held:
                yield (
                    ("spec", "environments", index, "name"),
                    False,
                    f"environment {item['name']} is on no cluster: add it to one under spec.clusters",
                )


def _duplicates(body: dict[str, Any], kind: str, stands: Callable[[Path], str]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    items = body.get(kind)
    for index, item in enumerate(items if isinstance(items, list) else []):
        name = item.get("name") if isinstance(item, dict) else None
        if isinstance(name, str) and first.setdefault(name, index) != index:
            text = f"{kind[:-1]} {name} is already {stands(('spec', kind, first[name], 'name'))}"
            yield ("spec", kind, index, "name"), False, text


def _references(body: dict[str, Any], environments: list[str]) -> Iterator[Problem]:
    for kind in ("clusters", "tenants", "components", "apps"):
        for name, (index, item) in _indexed(body, kind).items():
            seen: set[str] = set()
            for position, target in enumerate(_strings(item.get("environments"))):
                place = ("spec", kind, index, "environments", position)
                if target not in environments:
                    yield place, False, unknown(f"{kind[:-1]} {name}", "environment", target, environments)
                elif target in seen:
                    yield place, False, f"{kind[:-1]} {name} names environment {target} twice"
                seen.add(target)
    for name, (index, item) in _indexed(body, "environments").items():
        source = item.get("from")
        if isinstance(source, str) and source not in environments:
            yield (
                ("spec", "environments", index, "from"),
                False,
                unknown(f"environment {name}", "environment", source, environments),
            )


def _tenants(body: dict[str, Any]) -> Iterator[Problem]:
    """Tenants where the layout has none, and apps of tenants that are not there."""
    tenants = _named(body, "tenants")
    own = body.get("tenancy")
    if (body.get("layout") == "tenant") != (own is not None):
        if own is None:
            text = "layout tenant needs spec.tenancy: gitops-layout init --platform PATH --tenant NAME"
            yield ("spec", "layout"), False, text
        else:
            yield ("spec", "tenancy"), True, "tenancy is for layout tenant: set spec.layout"
    if body.get("layout") == "tenant" and isinstance(body.get("clusters"), list):
        yield ("spec", "clusters"), True, "a tenant's repository names no clusters: they are the platform's"
    if body.get("layout") == "tenant" and body.get("components"):
        text = "a tenant's repository has no components: they are the platform's"
        yield ("spec", "components"), True, text
    if tenants and body.get("layout", "config") != "platform":
        yield ("spec", "tenants"), True, "tenants need layout platform: set spec.layout"
    for name, (index, item) in _indexed(body, "apps").items():
        tenant = item.get("tenant")
        if isinstance(tenant, str) and own is None and tenant not in tenants:
            place = ("spec", "apps", index, "tenant")
            yield place, False, unknown(f"app {name}", "tenant", tenant, list(tenants))


def agent_problems(file: File) -> Iterator[Problem]:
    """What the chosen agent, or none in the cluster, has no place for."""
    layout, agent = file.spec.layout, file.spec.agent.name
    if agent == "builtin" and file.spec.components:
        yield (
            ("spec", "components"),
            True,
            "the builtin agent installs no charts: components need flux or argocd",
        )
    if agent == "builtin" and file.spec.agent.version:
        yield (
            ("spec", "agent", "version"),
            True,
            "the builtin agent is gitops-layout itself and has no version",
        )
    chosen = file.spec.agent
    for field, given, owner in (
        ("wiring", chosen.wiring, "argocd"),
        ("selfManaged", chosen.self_managed, "argocd"),
        ("install", chosen.install, "flux"),
        ("artifacts", chosen.artifacts, "flux"),
    ):
        if given and agent != owner:
            whose = "Argo CD's" if owner == "argocd" else "Flux's"
            yield ("spec", "agent", field), True, f"agent {agent} has no {field}: it is {whose}"
        elif given and layout == "tenant":
            yield (
                ("spec", "agent", field),
                True,
                f"a tenant's repository has no {field}: it is the platform's",
            )
    for index, tenant in enumerate(file.spec.tenants if agent == "argocd" else ()):
        if tenant.name in _PROJECTS:
            text = f"tenant {tenant.name} would share AppProject {tenant.name} with what is not its own: choose another name"
            yield ("spec", "tenants", index, "name"), False, text
    for index, tenant in enumerate(file.spec.tenants if agent == "builtin" else ()):
        if tenant.repo is not None:
            text = (
                f"tenant {tenant.name}: the builtin agent pulls one repository a run, so leave repo out and have "
                f"this one delivered by a run of its own: gitops-layout reconcile --git {tenant.repo.url} --env ENV "
                "--context CONTEXT"
            )
            yield ("spec", "tenants", index, "repo"), True, text


def chart_problems(file: File) -> Iterator[Problem]:
    """Charts where the kind of the app has none, and kinds that an agent cannot deliver there."""
    layout, agent = file.spec.layout, file.spec.agent.name
    for index, app in enumerate(file.spec.apps):
        place: Path = ("spec", "apps", index)
        kind = app.kind or ("helm" if app.chart else "kustomize")
        if (kind == "helm") != (app.chart is not None):
            text = "is of kind helm but names no chart" if kind == "helm" else f"of kind {kind} names a chart"
            yield (*place, "kind"), False, f"app {app.name} {text}"
        elif kind == "helm" and (app.image or app.port):
            text = f"app {app.name} is a chart: its image and port are set by its values"
            yield (*place, "image" if app.image else "port"), True, text
        elif kind != "kustomize" and agent == "builtin":
            text = f"app {app.name}: the builtin agent installs no charts: kind {kind} needs flux or argocd"
            yield (*place, "kind" if app.kind else "chart"), True, text
        elif kind != "kustomize" and layout == "tenant" and agent == "argocd":
            text = (
                f"app {app.name}: under Argo CD a tenant's repository holds no Application, so kind {kind} "
            )
            yield (*place, "kind" if app.kind else "chart"), True, f"{text}is for the platform's repository"
        elif kind == "chart" and layout in ("platform", "tenant") and agent == "flux":
            text = f"app {app.name}: Flux locked down for tenants reads no chart out of another namespace's source: "
            yield (*place, "kind"), False, f"{text}publish the chart and use kind helm"
        elif kind == "helm" and layout == "split" and index == 0:
            text = f"app {app.name}: the first app of layout split is built from source, a published chart is not"
            yield (*place, "name"), False, text


def skeleton_problems(file: File) -> Iterator[Problem]:
    """Templates of source for apps whose source is not here."""
    for index, app in enumerate(file.spec.apps):
        if app.skeleton is None:
            continue
        place: Path = ("spec", "apps", index, "skeleton")
        if file.spec.layout == "split" and index > 0:
            text = f"app {app.name}: its source is elsewhere, only that of the first app of layout split starts here"
            yield place, True, text
        elif file.spec.layout not in ("monorepo", "split"):
            text = f"app {app.name}: its source is not in a repository of layout {file.spec.layout}, and a "
            yield (
                place,
                True,
                f"{text}skeleton starts one: layout monorepo has src/, split a repository of its own",
            )
        elif app.chart is not None:
            text = f"app {app.name} is a published chart, which has no source here for a skeleton to start"
            yield place, True, text


def tenancy_problems(file: File, spec: Spec) -> Iterator[Problem]:
    """Apps outside what their tenant has: its namespaces, its environments."""
    if file.spec.tenancy is not None:
        yield from _outside(file, file.spec.tenancy)
        return
    tenants = {tenant.name: tenant for tenant in spec.tenants}
    for index, app in enumerate(file.spec.apps):
        tenant = tenants.get(app.tenant or "")
        if tenant is None:
            continue
        if app.namespace and app.namespace not in (tenant.namespaces or ()):
            text = f"app {app.name}: namespace {app.namespace} is none of tenant {tenant.name}'s"
            names = ", ".join(tenant.namespaces or ())
            yield ("spec", "apps", index, "namespace"), False, f"{text} ({names})"
        for position, name in enumerate(app.environments or ()):
            if name not in (tenant.environments or ()):
                text = f"app {app.name}: tenant {tenant.name} is not in environment {name}"
                yield ("spec", "apps", index, "environments", position), False, text


def _cycles(environments: dict[str, dict[str, Any]]) -> Iterator[Problem]:
    reported: set[str] = set()
    for index, name in enumerate(environments):
        chain: list[str] = []
        step: object = name
        while isinstance(step, str) and step in environments and step not in chain:
            chain.append(step)
            step = environments[step].get("from")
        if step == name and not reported & set(chain):
            reported |= set(chain)
            text = f"environments promote in a circle: {' from '.join([*chain, name])}"
            yield ("spec", "environments", index, "from"), False, text


def _outside(file: File, tenancy: Tenancy) -> Iterator[Problem]:
    """Apps of a tenant's repository in namespaces or environments that the platform does not give."""
    names = [environment.name for environment in file.spec.environments]
    first = next(iter(tenancy.namespaces))
    for index, app in enumerate(file.spec.apps):
        place: Path = ("spec", "apps", index, "namespace" if app.namespace else "name")
        given = tenancy.namespaces.get(app.namespace or first)
        if app.tenant not in (None, tenancy.tenant):
            yield (
                ("spec", "apps", index, "tenant"),
                False,
                f"app {app.name} is of another tenant than {tenancy.tenant}",
            )
        if given is None:
            known = ", ".join(tenancy.namespaces)
            yield place, False, f"app {app.name}: the platform gives no namespace {app.namespace} ({known})"
            continue
        for name in app.environments or names:
            if name in names and name not in given:
                text = f"app {app.name}: the platform gives no namespace {app.namespace or first} in {name}"
                yield place, False, text


def namespace_problems(file: File, spec: Spec) -> Iterator[Problem]:
    """Namespaces that are the cluster's own, too long, or two owners' at once."""
    owner: dict[tuple[str, str], str] = {}
    for index, component in enumerate(spec.components):
        who = f"component {component.name}"
        if component.namespace in _RESERVED:
            text = f"{who} would live in namespace {component.namespace}, which is not its own"
            yield _component(file, index), False, text
        owner |= {(cluster.name, component.namespace or ""): who for cluster in spec.clusters}
        if component.name in {app.name for app in spec.apps}:
            text = f"{who} and an app have the same name: promote could not tell them apart"
            yield _component(file, index, "name"), False, text
    for place, who, bases, environments in _owners(spec):
        for environment, base in product(environments, bases):
            namespace = in_environment(base, environment, spec.clusters)
            clusters = [item.name for item in spec.clusters if environment in item.environments]
            others = {owner.setdefault((cluster, namespace), who) for cluster in clusters} - {who}
            if namespace in _RESERVED:
                text = f"{who} would live in namespace {namespace}, which is not its own"
            elif len(f"{who.partition(' ')[2]}-{environment}") > MAX_NAME or len(namespace) > MAX_NAME:
                text = f"{who} in environment {environment}: the name exceeds 63 characters"
            elif others:
                text = f"{min(others)} and {who} share namespace {namespace}: give each its own"
            else:
                continue
            yield place, False, text
            break


def _component(file: File, index: int, field: str = "") -> Path:
    """The place of a component; that of the features where one of them brings it."""
    if index >= len(file.spec.components):
        return ("spec", "features")
    field = field or ("namespace" if file.spec.components[index].namespace else "name")
    return ("spec", "components", index, field)


def _owners(spec: Spec) -> Iterator[tuple[Path, str, list[str], list[str]]]:
    """Who has namespaces: the place that says so, its name, its namespaces before and its environments."""
    for index, tenant in enumerate(spec.tenants):
        place = ("spec", "tenants", index, "name")
        yield place, f"tenant {tenant.name}", tenant.namespaces or [], tenant.environments or []
    for index, app in enumerate(spec.apps):
        field = "namespace" if app.namespace else "name"
        if app.tenant is None:
            bases = [app.namespace or app.name]
            yield ("spec", "apps", index, field), f"app {app.name}", bases, app.environments or []


def delivery_name_problems(spec: Spec) -> Iterator[Problem]:
    """`web` in `a-b` and `web-a` in `b` would be delivered under one name, `web-a-b`."""
    taken = {
        f"tenant-{tenant.name}-{environment}": f"tenant {tenant.name} in {environment}"
        for tenant in spec.tenants
        for environment in tenant.environments or ()
    }
    for index, app in enumerate(spec.apps):
        for environment in app.environments or ():
            here = f"app {app.name} in {environment}"
            other = taken.setdefault(f"{app.name}-{environment}", here)
            if other != here:
                text = f"{other} and {here} are both delivered as {app.name}-{environment}: rename one"
                yield ("spec", "apps", index, "name"), False, text


def _indexed(body: dict[str, Any], kind: str) -> dict[str, tuple[int, dict[str, Any]]]:
    items = body.get(kind)
    return {
        item["name"]: (index, item)
        for index, item in enumerate(items if isinstance(items, list) else [])
        if isinstance(item, dict) and isinstance(item.get("name"), str)
    }


def _named(body: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {name: item for name, (_, item) in _indexed(body, kind).items()}


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def unknown(who: str, what: str, name: str, known: list[str]) -> str:
    """That `who` names a `what` that does not exist, and the nearest that does."""
    known_words = f" (spec.{what}s has {', '.join(known)})" if known else ""
    return f"{who} names {what} {name}, which does not exist{did_you_mean(name, known) or known_words}"


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """A hint to append, empty where nothing known comes near."""
    close = difflib.get_close_matches(name, known, 1, 0.6)
    return f", did you mean {close[0]}?" if close else ""
