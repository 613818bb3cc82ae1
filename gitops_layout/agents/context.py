"""What the agents' modules need to know about the repository besides the object itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field, replace
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any, Literal

from gitops_layout.agents.artifacts import ANY_NAME, Artifact
from gitops_layout.agents.urls import folder_inside, normal_url
from gitops_layout.fields import at
from gitops_layout.model import PROD_NAMES, Location, Path, Tier, tier_by_name
from gitops_layout.repo.model import Repo, Resource
from gitops_layout.values import dataclass

if TYPE_CHECKING:
    from gitops_layout.agents.delivery import Source

__all__ = [
    "Context",
    "Declared",
    "DeclaredCluster",
    "DeclaredEnvironment",
    "DeclaredTenant",
    "below_clusters",
    "cluster_of",
    "environment_of",
    "environment_why",
    "field_below",
    "is_below",
    "normal_url",
    "places",
    "speaking",
    "stages",
    "text",
    "tier_of",
]

ENVIRONMENT_NAMES = PROD_NAMES | frozenset(
    {
        "dev", "develop", "development", "test", "testing", "qa", "uat", "int", "integration", "stag", "stage", "staging",
        "stg", "preprod", "pre-prod", "pre-production", "sandbox", "sbox", "nonprod", "non-prod", "non-production",
        "demo", "perf", "preview", "canary",
    }
)  # fmt: skip
# Applications and their categories are called so as well: they count beside another environment's folder only.
_WEAK_NAMES = frozenset(
    {
        "demo", "dev", "develop", "development", "perf", "preview", "canary", "int", "integration", "sandbox", "test",
        "testing",
    }
)  # fmt: skip
# These more often than not: another of their like proves nothing.
_WEAKEST_NAMES = frozenset({"canary", "demo", "int", "perf", "preview", "sandbox"})
_NEGATIONS = frozenset({"non", "not", "pre"})
_STAGE_FOLDERS = frozenset({"clusters", "cluster", "envs", "env", "environments", "stages"})
_ENVIRONMENT_FOLDERS = _STAGE_FOLDERS | {"overlays"}
_SHARED_FOLDERS = frozenset({"base", "bases", "common", "shared", "default", "defaults", "all", "components"})


@dataclass(frozen=True, slots=True)
class DeclaredEnvironment:
    """An environment that spec or config names, with the globs of paths and of clusters that belong to it.

    `source` is the environment that it is promoted from.
    """

    name: str
    tier: Tier
    paths: tuple[str, ...] = ()
    destinations: tuple[str, ...] = ()
    source: str | None = None


@dataclass(frozen=True, slots=True)
class DeclaredCluster:
    """A cluster that spec or config names: its environments, path globs, API server and version, and what
    its Secret in Argo CD is labelled and annotated with.
    """

    name: str
    environments: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    server: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    origin: Literal["declared", "secret"] = "declared"
    kubernetes: str | None = None


@dataclass(frozen=True, slots=True)
class DeclaredTenant:
    """A team that the spec names, its namespaces, the folders of its apps in this repository, and what its pods may
    ask for in each namespace (`cpu`, `memory`, `pods`).
    """

    name: str
    namespaces: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    quota: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeclaredDelivery:
    """A folder that our own reconciler delivers: no object says so, the spec does."""

    folder: str
    environment: str
    cluster: str


@dataclass(frozen=True, slots=True)
class Declared:
    """What `gitops.yaml` or `.gitops-layout.yaml` says about the repository; all empty without them.

    `origin` is the file that says so (`spec` or `config`), `sources` are URLs of this repository, `inside` patterns of
    URLs that are folders of it, each with the folder, and `external_agent` that agents in other repositories pull from
    here.
    """

    environments: tuple[DeclaredEnvironment, ...] = ()
    clusters: tuple[DeclaredCluster, ...] = ()
    sources: tuple[str, ...] = ()
    external_agent: bool = False
    origin: Literal["spec", "config"] | None = None
    tenants: tuple[DeclaredTenant, ...] = ()
    deliveries: tuple[DeclaredDelivery, ...] = ()
    inside: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Context:
    """The repository, what is declared about it, and what Flux finds in it: sources by (kind, namespace,
    name), and generated artifacts by (namespace, name). `brought` are the sources that deliveries bring to a
    cluster, as they render them; `sources` those that stand in files.

    `stages` are environments known only by their company below `clusters/` or `envs/`; `cluster_roots` are the
    folders below a `clusters/` that a cluster's own sync object names.
    """

    repo: Repo
    declared: Declared = Declared()
    sources: Mapping[tuple[str, str, str], Sequence[Resource]] = field(default_factory=dict)
    artifacts: Mapping[tuple[str, str], Sequence[Artifact]] = field(default_factory=dict)
    own_urls: frozenset[str] = frozenset()
    stages: frozenset[str] = frozenset()
    cluster_roots: frozenset[str] = frozenset()
    brought: Mapping[str, Mapping[tuple[str, str, str], Resource]] = field(default_factory=dict)

    def is_own(self, url: str) -> bool:
        """Whether `url` is a known URL of this repository."""
        return normal_url(url) in self.own_urls

    def inside(self, url: str) -> str | None:
        """The folder of this repository that a source is, as the config says; None for all others."""
        folder = folder_inside(self.declared.inside, url) if self.declared.inside else None
        real = self.repo.resolve(folder) if folder is not None else None
        return real if real in self.repo.folders else None

    def here(self, url: str) -> str | None:
        """The folder that a source of this repository holds, "" for all of it; None for a source elsewhere."""
        return "" if self.is_own(url) else self.inside(url)

    def source(
        self, kind: str, namespace: str, name: str, *, near: str, cluster: str = ""
    ) -> Resource | None:
        """The Flux source of that name: as a delivery brings it to the cluster, else as a file has it.

        Of several clusters' the one defined nearest to the file `near`.
        """
        key = (kind, namespace, name)
        there = self.brought.get(cluster, {}).get(key)
        if there is not None:
            return there
        return max(self.sources.get(key, ()), key=lambda resource: _shared(resource.file, near), default=None)

    def sources_of(self, kind: str, namespace: str, *, near: str, cluster: str) -> tuple[Resource, ...]:
        """All sources of a kind in a namespace of the cluster; those in files where no delivery brings any."""
        there = self.brought.get(cluster, {})
        found = tuple(there[key] for key in sorted(there) if key[:2] == (kind, namespace))
        names = (key[2] for key in sorted(self.sources) if key[:2] == (kind, namespace))
        in_files = (self.source(kind, namespace, name, near=near) for name in names if not found)
        return found or tuple(filter(None, in_files))

    def artifact(self, namespace: str, name: str, *, near: str) -> Artifact | None:
        """The generated artifact of that name, nearest to the file `near`; else one that may turn out to have it."""
        found = self.artifacts.get((namespace, name), ())
        if not found:
            maybe = self.artifacts.get((namespace, ANY_NAME), ())
            found = [made for made in maybe if made.folders is not None and made.folders.may_make(name)]
        return max(found, key=lambda artifact: _shared(artifact.location.file, near), default=None)


def _shared(one: str, other: str) -> int:
    """How many folders two paths share from the root on."""
    pairs = zip(one.split("/")[:-1], other.split("/")[:-1], strict=False)
    return next(
        (index for index, (a, b) in enumerate(pairs) if a != b), min(one.count("/"), other.count("/"))
    )


def text(value: Any) -> str | None:
    """A string with something in it; None for everything else."""
    return value if isinstance(value, str) and value else None


def places(data: Any, root: Location, wanted: Mapping[str, Path]) -> dict[str, Location]:
    """The places of those of the `wanted` fields that the object has."""
    return {name: field_below(root, path) for name, path in wanted.items() if at(data, *path) is not None}


def field_below(root: Location, path: Path) -> Location:
    """A field's place below an object's; of one that stands on a template's lines, which have no paths, it says at least
    which field is meant.
    """
    return replace(root, path=(*root.path, *path))


def tier_of(context: Context, environment: str | None) -> Tier:
    """An environment's tier: as declared, else by its name."""
    for declared in context.declared.environments:
        if declared.name == environment:
            return declared.tier
    return tier_by_name(environment or "")


def speaking(source: Source, file: str) -> tuple[str | None, ...]:
    """The paths that may name the environment of a delivery whose object stands in `file`: first the one that it
    delivers. What another repository calls its folders comes last: it is its own affair.
    """
    return (source.path, file) if source.local else (None, file, source.path)


def environment_of(context: Context, cluster: str, *paths: str | None) -> str | None:
    """The environment of a delivery from its `cluster` and its `paths`, the nearest one first."""
    found = environment_why(context, cluster, *paths)
    return found[0] if found is not None else None


def environment_why(context: Context, cluster: str, *paths: str | None) -> tuple[str, str] | None:
    """The environment of a delivery and what says so: a declared glob, a declared cluster, else a folder's name.

    Of the names, the first path's count before the cluster's, and the cluster's before the other paths'. `paths` are as
    `speaking` orders them.
    """
    known = [path for path in paths if path]
    for path in known:
        for declared in context.declared.environments:
            glob = next((glob for glob in declared.paths if is_below(path, glob)), None)
            if glob is not None:
                return declared.name, f"{path} matches {glob}, as the {context.declared.origin} says"
    servers = (e.server for e in context.declared.clusters if e.name == cluster and e.server)
    names = (cluster, *servers) if context.declared.environments else ()
    for declared in context.declared.environments:
        glob = next((g for g in declared.destinations if any(fnmatch(name, g) for name in names)), None)
        if glob is not None:
            return declared.name, f"cluster {cluster} matches {glob}, as the {context.declared.origin} says"
    for entry in context.declared.clusters:
        if entry.name == cluster and len(entry.environments) == 1:
            return entry.environments[0], f"the {context.declared.origin} puts cluster {cluster} into it"
    nearest = [paths[0]] if paths and paths[0] else []
    folder = cluster if cluster in context.repo.folders else f"clusters/{cluster}"
    for path in (*nearest, folder, *known[len(nearest) :]):
        found = _named(context, path)
        if found is not None:
            name, where = found
            return name, f"cluster {cluster} is called so" if path is folder else f"folder {where}"
        if path is folder and (called := _variant(context, cluster)) is not None:
            return called, f"file {cluster} is for one cluster, and called so"
    return None


def _variant(context: Context, cluster: str) -> str | None:
    """The environment of one of several files that stand for clusters: `root-dev.yaml` beside `root-prod.yaml`."""
    folder, _, name = cluster.rpartition("/")
    beside = context.repo.folders.get(folder, ())
    if not any(f"{name}{ending}" in beside for ending in (".yaml", ".yml")):
        return None
    names = {entry.name for entry in context.declared.environments} or ENVIRONMENT_NAMES | context.stages
    return _in_words(name, names, strict=False)


def is_below(path: str, glob: str) -> bool:
    """Whether a glob names a path or a folder above it; `live/**` names `live` as well."""
    folder = glob.removesuffix("/**").rstrip("/")
    return fnmatch(path, folder) or fnmatch(path, f"{folder}/*")


def _named(context: Context, path: str) -> tuple[str, str] | None:
    """The environment that the folders name, and the folder: the last one below `clusters/` and its like, where a
    part of the name will do, else the last folder that is called so, those first that no application is called.
    """
    declared = {entry.name for entry in context.declared.environments}
    names = declared or ENVIRONMENT_NAMES | context.stages
    parts = path.split("/")
    for index in range(len(parts) - 1, 0, -1):
        parent, part = parts[index - 1], parts[index]
        if parent not in _ENVIRONMENT_FOLDERS:
            continue
        name = _in_words(part, names, strict=parent not in _STAGE_FOLDERS and not declared)
        if name is not None and (
            parent in _STAGE_FOLDERS or name not in _WEAK_NAMES or _in_company(context, parts, index, names)
        ):
            return name, "/".join(parts[: index + 1])
    found = [
        index
        for index in range(len(parts) - 1, -1, -1)
        if _bare(parts, index) in names and (declared or _stands_for_one(context, parts, index, names))
    ]
    best = next(
        (index for index in found if _bare(parts, index) not in _WEAK_NAMES), found[0] if found else None
    )
    return None if best is None else (_bare(parts, best), "/".join(parts[: best + 1]))


def _bare(parts: Sequence[str], index: int) -> str:
    """A folder's name, and a file's without its ending."""
    part = parts[index]
    return part.rpartition(".")[0] if part.endswith((".yaml", ".yml")) else part


def _stands_for_one(context: Context, parts: Sequence[str], index: int, names: AbstractSet[str]) -> bool:
    """Whether a folder of that name is an environment: `apps/prod` is, `apps/dev` may hold tools for developers."""
    weak = parts[index] in _WEAK_NAMES or _bare(parts, index) != parts[index]
    if not weak:
        return True
    return not _has_variants(context, parts[: index + 1]) and _in_company(context, parts, index, names)


def _has_variants(context: Context, parts: Sequence[str]) -> bool:
    """Whether it is an application that is called like an environment: `sandbox`, with overlays of its own."""
    return parts[-1] in _WEAK_NAMES and "overlays" in context.repo.folders.get("/".join(parts), ())


def _in_company(context: Context, parts: Sequence[str], index: int, names: AbstractSet[str]) -> bool:
    """Whether another environment's folder or file lies beside, one of a clearer name outside the usual folders."""
    beside = context.repo.folders.get("/".join(parts[:index]), ())
    if index == 0 or parts[index - 1] not in _ENVIRONMENT_FOLDERS:
        names = names - (_WEAK_NAMES if _bare(parts, index) in _WEAKEST_NAMES else _WEAKEST_NAMES)
    return any(
        _bare((other,), 0) in names and not _has_variants(context, [*parts[:index], other])
        for other in beside
        if other != parts[index]
    )


def _in_words(part: str, names: AbstractSet[str], *, strict: bool) -> str | None:
    """The name that a folder's name is, begins or ends with; `eu-non-prod` does not end with `prod`. Else the one usual
    name that stands inside or has a number: `eks-prod-01`, `prod1`.

    With `strict` a part of the name counts only where nothing else is called so: `tech-preview` is a channel.
    """
    words = part.split("-")
    candidates = [part, "-".join(words[:2]), words[0], "-".join(words[-2:])]
    if len(words) == 1 or words[-2] not in _NEGATIONS:
        candidates.append(words[-1])
    rejected = _WEAK_NAMES - {part, "dev"} if strict else frozenset()
    found = next((name for name in candidates if name in names and name not in rejected), None)
    return found or (None if strict else _only_word(words, names & ENVIRONMENT_NAMES))


def _only_word(words: Sequence[str], names: AbstractSet[str]) -> str | None:
    """The one environment that words name; None if there are several, or what says less of an environment than of a use."""
    bare = [word.rstrip("0123456789") for word in words]
    found = {
        word
        for word, before in zip(bare, ["", *bare], strict=False)
        if word in names and before not in _NEGATIONS
    }
    return found.pop() if len(found) == 1 and not found & _WEAKEST_NAMES else None


def stages(repo: Repo) -> frozenset[str]:
    """Names of environments that are known by their company: below `clusters/` or `envs/` most are called as usual."""
    found: set[str] = set()
    for folder, names in repo.folders.items():
        if folder.rpartition("/")[2] not in _STAGE_FOLDERS:
            continue
        inner = [n for n in names if f"{folder}/{n}" in repo.folders and n not in _SHARED_FOLDERS]
        usual = [name for name in inner if name in ENVIRONMENT_NAMES]
        if len(usual) > 2 and 2 * len(usual) > len(inner):
            found |= {name for name in inner if not name.startswith((".", "_"))}
    return frozenset(found - ENVIRONMENT_NAMES)


def cluster_of(context: Context, file: str) -> str:
    """The cluster of a root object: declared by path, else the folder below `clusters/`, else its own folder. One whose
    name begins with `_` holds what clusters share, as long as no cluster's own object names it.
    """
    for declared in context.declared.clusters:
        if any(is_below(file, glob) for glob in declared.paths):
            return declared.name
    own = max((root for root in context.cluster_roots if file.startswith(f"{root}/")), key=len, default=None)
    if own is not None:
        return below_clusters(own)
    parts = file.split("/")
    for index, part in enumerate(parts[:-2]):
        if part == "clusters" and not parts[index + 1].startswith("_"):
            return parts[index + 1]
    return "/".join(parts[:-1])


def below_clusters(folder: str) -> str:
    """What a cluster whose files lie in `folder` is called: the rest of the path below `clusters/`, "" elsewhere."""
    parts = folder.split("/")
    return "/".join(parts[parts.index("clusters") + 1 :]) if "clusters" in parts else ""
