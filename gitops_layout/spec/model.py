"""The shape of gitops.yaml as pydantic models, and what its defaults mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from gitops_layout.model import tier_by_name
from gitops_layout.spec.features import Features
from gitops_layout.spec.versions import pins
from gitops_layout.spec.words import (
    LABEL_KEY,
    LABEL_VALUE,
    Branch,
    ChartVersion,
    Context,
    Folder,
    Group,
    Model,
    Name,
    Owner,
    Quantity,
    Tag,
    Url,
    Version,
    image_reference,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

API_VERSION = "gitops-layout/v1alpha1"
KIND = "GitOpsRepo"
TENANT_KIND = "GitOpsTenant"
PLACEHOLDER_IMAGE = f"ghcr.io/stefanprodan/podinfo:{pins().versions['podinfo']}"
"""Runs wherever an app has no image yet: a small web server that needs no root and no arguments."""
_PLACEHOLDER_PORT = 9898
_PORT = 8080


def _agent(value: object) -> object:
    if isinstance(value, str):
        value = {"name": value}
    return value


Layout = Literal["config", "monorepo", "split", "platform", "tenant"]


class Metadata(Model):
    """What the repository is called."""

    name: Name


class Agent(Model):
    """Who pulls the repository into the clusters, and the exact version of it to install."""

    name: Literal["flux", "argocd", "builtin"]
    version: Version | None = Field(
        None, description="Exact version; the newest known one if absent. The builtin agent has none."
    )
    wiring: Literal["app-of-apps", "applicationset"] | None = Field(
        None,
        description="argocd: an Application for every app in a file of its own (app-of-apps, the default), or one "
        "ApplicationSet a cluster that makes them of small files.",
    )
    install: Literal["operator", "gotk"] | None = Field(
        None,
        description="flux: by Flux Operator and a FluxInstance (operator, the default), or by Flux's own manifests in "
        "the repository (gotk), as `flux bootstrap` does.",
    )
    artifacts: bool = Field(
        False,
        description="flux: each app is delivered from an artifact of its own files, so that a commit elsewhere does "
        "not touch it.",
    )
    self_managed: bool | Literal["vendored"] = Field(
        False,
        alias="selfManaged",
        description="argocd: the clusters keep Argo CD itself at this version, from its published manifests; "
        "vendored: which stand in this repository.",
    )


class Repository(Model):
    """Where the clusters pull from."""

    url: Url
    branch: Branch = "main"
    owners: list[Owner] = Field([], description="Who reviews by default; written to CODEOWNERS.")


class Environment(Model):
    """A stage of delivery; `from` names the one whose versions are promoted into it."""

    name: Name
    from_: Name | None = Field(None, alias="from")
    tier: Literal["prod", "nonprod"] | None = Field(
        None, description="prod when the name is prod, production, live or prd; else nonprod."
    )


class Cluster(Model):
    """A Kubernetes cluster and the environments it holds."""

    name: Name
    environments: list[Name] = Field(min_length=1)
    context: Context | None = Field(None, description="The kubeconfig context that reaches it.")
    kubernetes: Annotated[str, StringConstraints(pattern=r"^v?1\.[0-9]+(\.[0-9]+)?$")] | None = Field(
        None,
        description="Version of Kubernetes that it runs, in quotes: what is delivered to it is judged by that.",
    )
    labels: dict[
        Annotated[str, StringConstraints(pattern=LABEL_KEY)],
        Annotated[str, StringConstraints(pattern=LABEL_VALUE)],
    ] = Field({})


class Quota(Model):
    """What a tenant may ask for in each of its namespaces, all pods together."""

    cpu: Quantity = "10"
    memory: Quantity = "20Gi"
    pods: int = Field(100, ge=1)


class TenantRepository(Model):
    """A tenant's own repository, pulled with the tenant's rights."""

    url: Url
    branch: Branch = "main"


class Tenant(Model):
    """A team with namespaces of its own and no rights outside them; its name alone is enough."""

    name: Name
    owners: list[Owner] = Field([], description="Who reviews its files; written to CODEOWNERS.")
    groups: list[Group] = Field([], description="Groups of people that may edit what is in its namespaces.")
    environments: list[Name] | None = Field(None, min_length=1, description="All of them if absent.")
    namespaces: list[Name] | None = Field(
        None,
        min_length=1,
        description="Its name if absent; each with -ENVIRONMENT where a cluster holds several. Its own "
        "repository is pulled from the first.",
    )
    quota: Quota = Quota()
    repo: TenantRepository | None = None


class Chart(Model):
    """A Helm chart that others publish, in an OCI registry (`oci`) or a Helm repository (`repo` and `name`)."""

    oci: Annotated[str, StringConstraints(pattern=r"^oci://[a-z0-9][\w.:-]*(/[\w.-]+)+$")] | None = Field(
        None, description="URL of the chart in an OCI registry, without its version."
    )
    repo: Annotated[str, StringConstraints(pattern=r"^https://[^\s\"'\\<>{}]*[\w/]$")] | None = Field(
        None, description="URL of a Helm repository."
    )
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=63)] | None = Field(
        None, description="The chart's name in that repository; in an OCI registry the URL ends with it."
    )
    version: ChartVersion = Field(
        description="Exact first version; environments whose version file nobody edited follow it."
    )

    @model_validator(mode="after")
    def _one_place(self) -> Chart:
        if self.oci is None and (self.repo is None or self.name is None):
            raise ValueError("a chart lies at oci: URL, or in repo: URL under a name: NAME")
        if self.oci is not None and (
            self.repo is not None or self.name not in (None, self.oci.rpartition("/")[2])
        ):
            raise ValueError("a chart lies at oci: or in repo:, not at both")
        return self


class Skeleton(Model):
    """A cookiecutter or Copier template of one's own, from which an app's source starts; written once."""

    url: Url
    revision: Tag = Field(
        description="A tag or the id of a commit; what a tag means is recorded in the lock of fetch."
    )
    directory: Folder | None = Field(
        None, description="The template's folder in that repository; its top if absent."
    )
    answers: dict[str, str | int | bool] = Field(
        {}, description="Answers to its questions; the default of each other."
    )


class App(Model):
    """A workload; its name alone is enough."""

    name: Name
    tenant: Name | None = Field(None, description="Whose it is: it lives in a namespace of that tenant.")
    kind: Literal["kustomize", "helm", "chart"] | None = Field(
        None,
        description="kustomize: manifests; helm: a published chart; chart: one of its own in apps/<app>/chart. "
        "helm if it names a chart, else kustomize.",
    )
    chart: Chart | None = Field(None, description="The published chart that it is, for kind helm.")
    image: Annotated[str, BeforeValidator(image_reference)] | None = Field(
        None,
        description="Image with its first version; environments whose version file nobody edited follow it.",
    )
    port: int | None = Field(None, ge=1, le=65535, description="The port the container listens on.")
    environments: list[Name] | None = Field(None, min_length=1, description="All of them if absent.")
    namespace: Name | None = Field(
        None,
        description="The app's name if absent, the first of its tenant's if it has one; with -ENVIRONMENT where "
        "a cluster holds several.",
    )
    owners: list[Owner] = Field([])
    skeleton: Skeleton | None = Field(
        None,
        description="The template that its source starts from: src/<app> in layout monorepo, the first app's own "
        "repository in layout split.",
    )


class Component(Model):
    """What clusters need before apps run: a published chart, installed once a cluster; it may bring CRDs."""

    name: Name
    chart: Chart
    namespace: Name | None = Field(None, description="Its name if absent.")
    environments: list[Name] | None = Field(None, min_length=1, description="All of them if absent.")


class Tenancy(Model):
    """What a platform gives the tenant whose repository this is; `init --platform` takes it from there."""

    tenant: Name
    platform: Url | None = Field(None, description="The platform's repository, for readers.")
    service_account: Name = Field("tenant", alias="serviceAccount")
    namespaces: dict[Name, dict[Name, Name]] = Field(
        min_length=1,
        description="The names of each namespace by environment, such as `shop: {dev: shop-dev, prod: shop}`.",
    )
    quota: Quota | None = Field(None, description="What all pods together may ask for in each namespace.")


class Body(Model):
    """The `spec:` of gitops.yaml."""

    layout: Layout = "config"
    agent: Annotated[Agent, BeforeValidator(_agent)]
    repo: Repository
    environments: list[Environment] = Field(min_length=1)
    clusters: list[Cluster] | None = Field(
        None, description="One per environment, of the same name, if absent."
    )
    tenants: list[Tenant] = Field([], description="Teams that share the clusters; in layout platform.")
    tenancy: Tenancy | None = Field(None, description="What the platform gives; in layout tenant.")
    components: list[Component] = Field(
        [], description="What clusters need before apps run; not in layout tenant."
    )
    apps: list[App] = Field([])
    features: Features = Features()


class File(Model):
    """gitops.yaml as written."""

    api_version: Literal["gitops-layout/v1alpha1"] = Field(alias="apiVersion")
    kind: Literal["GitOpsRepo"]
    metadata: Metadata
    spec: Body


class TenantBody(Model):
    """What a tenant says of itself; its apps are judged with those of gitops.yaml."""

    apps: list[Any] = Field([])


class TenantFile(Model):
    """gitops.d/<tenant>.yaml: apps of a tenant in a file that the tenant owns."""

    api_version: Literal["gitops-layout/v1alpha1"] = Field(alias="apiVersion")
    kind: Literal["GitOpsTenant"]
    metadata: Metadata
    spec: TenantBody


class Spec(Model):
    """gitops.yaml with every default filled in: None stands only where there is none (`from`, `context`,
    `tenant`, a tenant's `repo`, `tenancy`).
    """

    name: Name
    layout: Layout
    agent: Agent
    repo: Repository
    environments: list[Environment]
    clusters: list[Cluster]
    tenants: list[Tenant]
    tenancy: Tenancy | None
    components: list[Component]
    apps: list[App]
    features: Features

    def environment(self, name: str) -> Environment:
        """The environment of that name; KeyError when there is none."""
        for environment in self.environments:
            if environment.name == name:
                return environment
        raise KeyError(name)


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of gitops.yaml, for editors and for docs/schemas/gitops.schema.json."""
    schema = File.model_json_schema(by_alias=True)
    agent = schema["$defs"]["Body"]["properties"]["agent"]
    schema["$defs"]["Body"]["properties"]["agent"] = {
        "anyOf": [agent, {"enum": ["flux", "argocd", "builtin"]}]
    }
    secrets = schema["$defs"]["Features"]["properties"]["secrets"]
    secrets["anyOf"].append({"enum": ["sops-age", "sealed-secrets", "external-secrets"]})
    told = schema["$defs"]["Features"]["properties"]["notifications"]
    told["anyOf"].append({"enum": ["slack", "discord", "googlechat"]})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "gitops.yaml",
        "description": "What a GitOps repository should be; gitops-layout keeps its tree so.",
    }


def namespace_of(spec: Spec, app: App, environment: str) -> str:
    """The namespace of an app in an environment: its own, unless a cluster holds several environments.

    In a tenant's repository it is the one that the platform gives.
    """
    base = app.namespace or app.name
    if spec.tenancy is not None:
        return spec.tenancy.namespaces[base][environment]
    return in_environment(base, environment, spec.clusters)


def in_environment(base: str, environment: str, clusters: Sequence[Cluster]) -> str:
    """A namespace's name in an environment: with its name appended where a cluster holds several."""
    shared = any(
        environment in cluster.environments and len(cluster.environments) > 1 for cluster in clusters
    )
    return f"{base}-{environment}" if shared else base


def complete(file: File) -> Spec:
    """Fill in every default; the file must have passed the checks."""
    body = file.spec
    environments = [
        item.model_copy(update={"tier": item.tier or tier_by_name(item.name)}) for item in body.environments
    ]
    names = [item.name for item in environments]
    tenants = [
        tenant.model_copy(
            update={
                "namespaces": tenant.namespaces or [tenant.name],
                "environments": [name for name in names if name in (tenant.environments or names)],
            }
        )
        for tenant in body.tenants
    ]
    tenancy = body.tenancy
    home = {tenant.name: tenant.namespaces[0] for tenant in tenants if tenant.namespaces}
    if tenancy is not None:
        home[tenancy.tenant] = next(iter(tenancy.namespaces))
    owner = tenancy.tenant if tenancy is not None else None
    run_in = {tenant.name: tenant.environments for tenant in tenants}
    apps = [
        app.model_copy(
            update={
                "tenant": owner or app.tenant,
                "namespace": app.namespace or home.get(owner or app.tenant or ""),
                "kind": (kind := app.kind or ("helm" if app.chart else "kustomize")),
                "chart": _named_chart(app.chart),
                "image": app.image or (None if kind == "helm" else PLACEHOLDER_IMAGE),
                "port": app.port or (None if kind == "helm" else _PORT if app.image else _PLACEHOLDER_PORT),
                "environments": [
                    name
                    for name in names
                    if name in (app.environments or run_in.get(app.tenant or "") or names)
                ],
            }
        )
        for app in body.apps
    ]
    components = [
        item.model_copy(
            update={
                "chart": _named_chart(item.chart),
                "namespace": item.namespace or item.name,
                "environments": [name for name in names if name in (item.environments or names)],
            }
        )
        for item in [*body.components, *implied(body)]
    ]
    agent = body.agent.model_copy(
        update={
            "version": body.agent.version or pins().versions.get(body.agent.name),
            "wiring": body.agent.wiring or ("app-of-apps" if body.agent.name == "argocd" else None),
            "install": body.agent.install or ("operator" if body.agent.name == "flux" else None),
        }
    )
    repo = body.repo.model_copy(update={"url": _with_scheme(body.repo.url)})
    host = _host(repo.url)
    ci = body.features.ci or next((name for name in ("github", "gitlab") if name in host), "none")
    return Spec(
        name=file.metadata.name,
        layout=body.layout,
        agent=agent,
        repo=repo,
        environments=environments,
        clusters=[]
        if body.layout == "tenant"
        else body.clusters or [Cluster(name=name, environments=[name]) for name in names],
        tenants=tenants,
        tenancy=tenancy,
        components=components,
        apps=apps,
        features=body.features.model_copy(update={"ci": ci}),
    )


def implied(body: Body) -> list[Component]:
    """The components that features need and the spec does not name itself, with our charts of them."""
    named = {item.name for item in body.components}
    secrets = body.features.secrets
    wanted = [secrets.kind if secrets else "", body.features.policy or ""]
    charts = pins().charts
    return [
        Component(name=name, chart=Chart(repo=charts[name][0], name=name, version=charts[name][1]))
        for name in wanted
        if name in charts and name not in named
    ]


def _named_chart(chart: Chart | None) -> Chart | None:
    if chart is None or chart.oci is None:
        return chart
    return chart.model_copy(update={"name": chart.oci.rpartition("/")[2]})


def _with_scheme(url: str) -> str:
    """`git@host:path` as `ssh://git@host/path`: Flux takes no other form of it, Argo CD takes both."""
    if "://" in url:
        return url
    host, _, path = url.partition(":")
    return f"ssh://{host}/{path.lstrip('/')}"


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2]
