"""From a path on the command line to a linked Graph: root, config, spec, repository."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gitops_layout import config as configuration
from gitops_layout.agents.context import (
    Declared,
    DeclaredCluster,
    DeclaredDelivery,
    DeclaredEnvironment,
    DeclaredTenant,
)
from gitops_layout.cli.roots import SPEC_FILE, find_root, located
from gitops_layout.config import Config
from gitops_layout.errors import UserError
from gitops_layout.graph.link import link
from gitops_layout.graph.model import Graph
from gitops_layout.model import Tier
from gitops_layout.render.build import Renders
from gitops_layout.render.checkouts import Checkout
from gitops_layout.repo.load import from_revision, from_work_tree
from gitops_layout.repo.model import Repo
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gitops_layout.cli.remembered import Memory
    from gitops_layout.helm.kept import Store
    from gitops_layout.spec import Spec
    from gitops_layout.spec.model import Quota

__all__ = ["Loaded", "again", "configured", "declared", "find_root", "load", "load_graph", "spec_of"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A repository as every verb sees it; `paths` are the command line's, relative to `root`."""

    root: Path
    graph: Graph
    config: Config
    paths: tuple[str, ...] = ()


def load_graph(
    paths: Sequence[str | Path] = (),
    config_file: Path | None = None,
    *,
    exact: bool = False,
    kubernetes: str | None = None,
    beside: bool = False,
) -> Loaded:
    """Load the repository that holds all `paths` (the current folder without any).

    With `exact`, real kustomize builds everything. Charts are told the version `kubernetes` (`1.36`). With
    `beside`, the repository's own config may name checkouts outside of it; a `config_file` is the user's, who
    may anyway.

    Raises UserError for a path that does not exist and for paths of two repositories.
    """
    root, relative = located(paths)
    return load(
        root, config_file=config_file, paths=relative, exact=exact, kubernetes=kubernetes, beside=beside
    )


def load(
    root: Path,
    *,
    revision: str | None = None,
    config_file: Path | None = None,
    paths: tuple[str, ...] = (),
    exact: bool = False,
    memory: Memory | None = None,
    kubernetes: str | None = None,
    beside: bool = False,
    kept: Store | None = None,
) -> Loaded:
    """Load and link a work tree, or a git revision of it; `memory` has listed the tree already. `kept` is what helm said
    in earlier runs, by default what `memory` has of that.
    """
    kept = kept or (memory.cache if memory is not None else None)
    gc.disable()  # a short life full of small values: collecting them costs a third of the time
    try:
        if memory is not None:
            repo = memory.repo
        else:
            repo = from_work_tree(root) if revision is None else from_revision(root, revision)
        return _linked(
            root,
            repo,
            config_file,
            paths,
            exact=exact,
            kubernetes=kubernetes,
            beside=beside,
            kept=kept,
        )
    finally:
        gc.enable()


def again(
    loaded: Loaded, files: Mapping[str, bytes], config_file: Path | None = None, *, beside: bool = False
) -> Loaded:
    """The same repository with some files written otherwise, in memory."""
    repo = loaded.graph.repo.over(files)
    return _linked(loaded.root, repo, config_file, loaded.paths, beside=beside)


def _linked(
    root: Path,
    repo: Repo,
    config_file: Path | None,
    paths: tuple[str, ...],
    *,
    exact: bool = False,
    kubernetes: str | None = None,
    beside: bool = False,
    kept: Store | None = None,
) -> Loaded:
    config = configured(repo, config_file)
    checkouts = _checkouts(root, config, anywhere=beside or config_file is not None)
    render = Renders(repo, exact=exact, kubernetes=kubernetes, checkouts=checkouts, kept=kept)
    said = replace(declared(repo, config), inside=_inside(root, checkouts))
    return Loaded(root, link(repo, render=render, declared=said), config, paths)


def _checkouts(root: Path, config: Config, *, anywhere: bool) -> tuple[Checkout, ...]:
    """Where other repositories lie. What a repository says of itself must not lead out of it unasked."""
    found: list[Checkout] = []
    for entry in config.checkouts:
        fixed, star, _ = entry.folder.partition("*")
        base = (root / (fixed.rpartition("/")[0] if star else fixed)).resolve()
        inside = base.is_relative_to(root.resolve())
        rest = entry.folder[len(fixed.rpartition("/")[0]) :].lstrip("/") if star else ""
        found.append(Checkout(entry.pattern, entry.folder, base, rest, allowed=anywhere or inside))
    return tuple(found)


def _inside(root: Path, checkouts: Sequence[Checkout]) -> tuple[tuple[str, str], ...]:
    """The checkouts that are folders of this repository: their files are its own."""
    top = root.resolve()
    return tuple(
        (checkout.pattern, (checkout.base.relative_to(top) / checkout.rest).as_posix())
        for checkout in checkouts
        if checkout.base.is_relative_to(top)
    )


def configured(repo: Repo, config_file: Path | None) -> Config:
    """The configuration of a repository, or the one that the user names instead. Raises UserError for a bad one."""
    if config_file is not None:
        try:
            content = config_file.read_bytes()
        except OSError as error:
            raise UserError(
                f"{config_file}: {error.strerror or error}", "name a readable config file"
            ) from None
        return configuration.parse(content, str(config_file))
    name = configuration.FILE_NAME
    if name in repo.entries and repo.entries[name].target is None:
        return configuration.parse(repo.content(name), name)
    return Config()


def declared(repo: Repo, config: Config) -> Declared:
    """What spec and config say about environments, clusters and sources; the config adds to the spec.

    Raises UserError where they contradict themselves or each other.
    """
    spec = spec_of(repo)
    if config.environments or config.clusters:
        from gitops_layout.config.agreement import agree

        agree(config, {e.name: e.from_ for e in spec.environments} if spec is not None else {})
    environments = {
        e.name: DeclaredEnvironment(e.name, e.tier, e.paths, e.destinations, e.source)
        for e in config.environments
    }
    clusters = {
        c.name: DeclaredCluster(
            c.name,
            (c.environment,) if c.environment else (),
            c.paths,
            c.server,
            c.labels,
            c.annotations,
            kubernetes=c.kubernetes,
        )
        for c in config.clusters
    }
    sources = list(config.sources)
    if spec is not None:
        _add_spec(spec, environments, clusters, sources)
    origin: Literal["spec", "config"] | None = (
        "spec" if spec is not None else "config" if config.file else None
    )
    return Declared(
        tuple(environments.values()),
        tuple(clusters.values()),
        tuple(sources),
        config.agent == "external" or (spec is not None and spec.layout == "tenant"),
        origin,
        tuple(_tenants(spec)) if spec is not None else (),
        tuple(_deliveries(spec)) if spec is not None and spec.agent.name == "builtin" else (),
    )


def _deliveries(spec: Spec) -> Iterator[DeclaredDelivery]:
    """What our own reconciler delivers: the overlays of tenants and apps, once a cluster, and its policies."""
    for cluster in spec.clusters if spec.features.policy is not None else ():
        yield DeclaredDelivery(f"policies/clusters/{cluster.name}", cluster.environments[0], cluster.name)
    owners = [("tenants", tenant.name, tenant.environments) for tenant in spec.tenants]
    owners += [("apps", app.name, app.environments) for app in spec.apps]
    for kind, name, environments in owners:
        for cluster in spec.clusters:
            for environment in cluster.environments:
                if environment in (environments or ()):
                    yield DeclaredDelivery(f"{kind}/{name}/envs/{environment}", environment, cluster.name)


def _tenants(spec: Spec) -> Iterator[DeclaredTenant]:
    """What each tenant has, and the folders of its apps: of a tenant's own repository, all of them."""
    from gitops_layout.spec import in_environment

    if (own := spec.tenancy) is not None:
        given = (name for names in own.namespaces.values() for name in names.values())
        yield DeclaredTenant(own.tenant, tuple(dict.fromkeys(given)), ("",), _limits(own.quota))
    for tenant in spec.tenants:
        namespaces = (
            in_environment(base, environment, spec.clusters)
            for base in tenant.namespaces or ()
            for environment in tenant.environments or ()
        )
        folders = tuple(f"apps/{app.name}/" for app in spec.apps if app.tenant == tenant.name)
        yield DeclaredTenant(tenant.name, tuple(dict.fromkeys(namespaces)), folders, _limits(tenant.quota))


def _limits(quota: Quota | None) -> dict[str, str]:
    return {"cpu": quota.cpu, "memory": quota.memory, "pods": str(quota.pods)} if quota is not None else {}


def spec_of(repo: Repo) -> Spec | None:
    """What gitops.yaml and the files of tenants say; None without such a file. Raises UserError."""
    if SPEC_FILE not in repo.entries:
        return None
    documents = repo.documents(SPEC_FILE)
    data = documents[0].data if documents else None
    if not isinstance(data, dict) or data.get("kind") != "GitOpsRepo":
        return None
    from gitops_layout.spec import PARTS, is_part
    from gitops_layout.spec import load as load_spec

    parts = {path: repo.content(path) for path in repo.under(PARTS.rstrip("/")) if is_part(path)}
    return load_spec(repo.content(SPEC_FILE), SPEC_FILE, parts=parts)


def _add_spec(
    spec: Spec,
    environments: dict[str, DeclaredEnvironment],
    clusters: dict[str, DeclaredCluster],
    sources: list[str],
) -> None:
    for environment in spec.environments:
        tier: Tier = "prod" if environment.tier == "prod" else "nonprod"
        paths = (f"apps/*/envs/{environment.name}",)
        environments.setdefault(environment.name, DeclaredEnvironment(environment.name, tier, paths))
    for cluster in spec.clusters:
        paths = (f"clusters/{cluster.name}",)
        declared = DeclaredCluster(
            cluster.name,
            tuple(cluster.environments),
            paths,
            labels=cluster.labels,
            kubernetes=cluster.kubernetes,
        )
        clusters.setdefault(cluster.name, declared)
    sources.append(spec.repo.url)
